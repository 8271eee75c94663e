/**
 * What the WAL holds: the engine's inputs in order, payloads with all their bytes, and the decision.
 *
 * Owns the encoding of one record's body; framing, CRC and recovery are wal.ts. Invariant: decode(encode(x)) = x, so
 * that replaying the log repeats the run.
 */
import type { DerivedValue, Input, TimeoutKind } from '#consensus/engine.ts';
import { type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { CommitCertificate, Payload, SignedProposal, SignedVote } from '#consensus/types.ts';
import {
  addressOf,
  bytesOf,
  certificateItem,
  certificateOf,
  FieldError,
  flag,
  flagOf,
  hash,
  hashOf,
  listOf,
  payloadItem,
  payloadOf,
  proposalItem,
  proposalOf,
  roundOf,
  uint,
  uint32Of,
  uint64Of,
  voteItem,
  voteOf,
} from '#node/consensus/fields.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';

export type WalRecord =
  | { readonly type: 'input'; readonly input: Input }
  | { readonly type: 'payload'; readonly payloadHash: Hash; readonly payload: Payload }
  | { readonly type: 'decision'; readonly certificate: CommitCertificate; readonly payloadHash: Hash };

const TIMEOUT_KINDS: readonly TimeoutKind[] = ['propose', 'prevote', 'precommit'];
const MAX_REASON_BYTES = 512;

const text = (value: string): Uint8Array => new TextEncoder().encode(value).subarray(0, MAX_REASON_BYTES);
const textOf = (item: RlpItem | undefined): string =>
  new TextDecoder().decode(bytesOf(item, MAX_REASON_BYTES));

const signedVoteItem = (vote: SignedVote): RlpItem => [voteItem(vote), hexToBytes(vote.validator)];
const signedVoteOf = (item: RlpItem | undefined): SignedVote => {
  const [vote, validator] = listOf(item, 2);
  return { ...voteOf(vote), validator: addressOf(validator) };
};
const signedProposalItem = (proposal: SignedProposal): RlpItem => [
  proposalItem(proposal),
  hexToBytes(proposal.proposer),
];
const signedProposalOf = (item: RlpItem | undefined): SignedProposal => {
  const [proposal, proposer] = listOf(item, 2);
  return { ...proposalOf(proposal), proposer: addressOf(proposer) };
};

const derivedItem = (value: DerivedValue): RlpItem =>
  value.valid ? [flag(true), hash(value.valueId)] : [flag(false), text(value.reason)];
const derivedOf = (item: RlpItem | undefined): DerivedValue => {
  const [valid, rest] = listOf(item, 2);
  return flagOf(valid) ? { valid: true, valueId: hashOf(rest) } : { valid: false, reason: textOf(rest) };
};

const inputItem = (input: Input): RlpItem => {
  switch (input.type) {
    case 'start':
      return [uint(1)];
    case 'built':
      return [uint(2), uint(input.round), hash(input.payloadHash)];
    case 'proposal':
      return [uint(3), signedProposalItem(input.proposal)];
    case 'vote':
      return [uint(4), signedVoteItem(input.vote)];
    case 'certificate':
      return [uint(5), certificateItem(input.certificate)];
    case 'derived':
      return [uint(6), hash(input.payloadHash), derivedItem(input.value)];
    case 'judged':
      return [uint(7), uint(input.round), hash(input.payloadHash), flag(input.accepted), text(input.reason)];
    case 'ownProposal':
      return [uint(8), signedProposalItem(input.proposal)];
    case 'ownVote':
      return [uint(9), signedVoteItem(input.vote)];
    case 'timeout': {
      const { kind, height, round } = input.timeout;
      return [uint(10), uint(TIMEOUT_KINDS.indexOf(kind)), uint(height), uint(round)];
    }
  }
};

const timeoutOf = (fields: readonly RlpItem[]): Input => {
  const kind = TIMEOUT_KINDS[uint32Of(fields[1])];
  if (kind === undefined) throw new FieldError('unknown timeout kind');
  return {
    type: 'timeout',
    timeout: { kind, height: uint64Of(fields[2]), round: roundOf(fields[3]) },
  };
};

const inputOf = (item: RlpItem | undefined): Input => {
  if (!Array.isArray(item)) throw new FieldError('expected an input');
  const fields: readonly RlpItem[] = item;
  switch (uint32Of(fields[0])) {
    case 1:
      return { type: 'start' };
    case 2:
      return { type: 'built', round: roundOf(fields[1]), payloadHash: hashOf(fields[2]) };
    case 3:
      return { type: 'proposal', proposal: signedProposalOf(fields[1]) };
    case 4:
      return { type: 'vote', vote: signedVoteOf(fields[1]) };
    case 5:
      return { type: 'certificate', certificate: certificateOf(fields[1]) };
    case 6:
      return { type: 'derived', payloadHash: hashOf(fields[1]), value: derivedOf(fields[2]) };
    case 7:
      return {
        type: 'judged',
        round: roundOf(fields[1]),
        payloadHash: hashOf(fields[2]),
        accepted: flagOf(fields[3]),
        reason: textOf(fields[4]),
      };
    case 8:
      return { type: 'ownProposal', proposal: signedProposalOf(fields[1]) };
    case 9:
      return { type: 'ownVote', vote: signedVoteOf(fields[1]) };
    case 10:
      return timeoutOf(fields);
    default:
      throw new FieldError('unknown input');
  }
};

export const encodeWalRecord = (record: WalRecord): Uint8Array => {
  switch (record.type) {
    case 'input':
      return encodeRlp([uint(1), inputItem(record.input)]);
    case 'payload':
      return encodeRlp([uint(2), hash(record.payloadHash), payloadItem(record.payload)]);
    case 'decision':
      return encodeRlp([uint(3), hash(record.payloadHash), certificateItem(record.certificate)]);
  }
};

/** @throws FieldError, RlpError */
export const decodeWalRecord = (body: Uint8Array): WalRecord => {
  const item = decodeRlp(body);
  if (!Array.isArray(item)) throw new FieldError('expected a record');
  const fields: readonly RlpItem[] = item;
  switch (uint32Of(fields[0])) {
    case 1:
      return { type: 'input', input: inputOf(fields[1]) };
    case 2:
      return { type: 'payload', payloadHash: hashOf(fields[1]), payload: payloadOf(fields[2]) };
    case 3:
      return { type: 'decision', payloadHash: hashOf(fields[1]), certificate: certificateOf(fields[2]) };
    default:
      throw new FieldError('unknown record');
  }
};
