/**
 * The fields of consensus messages and records as RLP items, and back, strictly.
 *
 * Owns sizes and canonical forms of single fields and of votes, proposals, payloads, certificates and checkpoints;
 * messages.ts and walRecords.ts say which of them make a message or a record. Decoding throws FieldError or
 * RlpError; the callers turn both into their own typed error.
 */
import {
  type Address,
  bytesToHex,
  type Hash,
  hexToBytes,
  type Signature,
  toBigEndian,
} from '#consensus/primitives.ts';
import type {
  Checkpoint,
  CommitCertificate,
  Payload,
  Proposal,
  SealSignature,
  Vote,
  VoteType,
} from '#consensus/types.ts';
import type { RlpItem } from '#node/consensus/rlp.ts';

export class FieldError extends Error {
  override readonly name = 'FieldError';
  readonly code = 'BAD_FIELD';
}

export const MAX_VALIDATORS = 1_024;
/** 30 M gas hold 1,428 transactions; the bound leaves room for larger block gas limits. */
export const MAX_PAYLOAD_TRANSACTIONS = 20_000;
const MAX_UINT64 = (1n << 64n) - 1n;
const MAX_UINT32 = 0xffff_ffff;
/** The last round; timeouts are capped at seconds, so nobody honest ever comes near. */
export const MAX_ROUND = 0x7fff_ffff;

export const listOf = (item: RlpItem | undefined, length: number): readonly RlpItem[] => {
  if (!(Array.isArray(item) && item.length === length)) throw new FieldError(`expected ${length} fields`);
  return item;
};

export const manyOf = (item: RlpItem | undefined, maxLength: number): readonly RlpItem[] => {
  if (!(Array.isArray(item) && item.length <= maxLength))
    throw new FieldError(`expected a list of at most ${maxLength}`);
  return item;
};

export const bytesOf = (item: RlpItem | undefined, maxBytes = Number.MAX_SAFE_INTEGER): Uint8Array => {
  if (!(item instanceof Uint8Array) || item.length > maxBytes)
    throw new FieldError(`expected at most ${maxBytes} bytes`);
  return item;
};

const fixedOf = (item: RlpItem | undefined, sizeBytes: number): Uint8Array => {
  const bytes = bytesOf(item, sizeBytes);
  if (bytes.length !== sizeBytes) throw new FieldError(`expected ${sizeBytes} bytes, found ${bytes.length}`);
  return bytes;
};

export const uint = (value: bigint | number): Uint8Array => {
  const number = BigInt(value);
  return number === 0n ? new Uint8Array(0) : toBigEndian(number, Math.ceil(number.toString(16).length / 2));
};

export const uint64Of = (item: RlpItem | undefined): bigint => {
  const bytes = bytesOf(item, 8);
  if (bytes[0] === 0) throw new FieldError('integer with leading zeros');
  const value = bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes));
  if (value > MAX_UINT64) throw new FieldError('integer above 64 bits');
  return value;
};

export const uint32Of = (item: RlpItem | undefined): number => {
  const value = uint64Of(item);
  if (value > BigInt(MAX_UINT32)) throw new FieldError('integer above 32 bits');
  return Number(value);
};

export const roundOf = (item: RlpItem | undefined): number => {
  const round = uint32Of(item);
  if (round > MAX_ROUND) throw new FieldError(`expected a round up to ${MAX_ROUND}, found ${round}`);
  return round;
};

export const hash = (value: Hash): Uint8Array => hexToBytes(value);
export const hashOf = (item: RlpItem | undefined): Hash => bytesToHex(fixedOf(item, 32)) as Hash;
export const addressOf = (item: RlpItem | undefined): Address => bytesToHex(fixedOf(item, 20)) as Address;
export const signatureOf = (item: RlpItem | undefined): Signature =>
  bytesToHex(fixedOf(item, 65)) as Signature;

/** Null as the empty string. */
export const optionalHash = (value: Hash | null): Uint8Array =>
  value === null ? new Uint8Array(0) : hash(value);
export const optionalHashOf = (item: RlpItem | undefined): Hash | null =>
  bytesOf(item, 32).length === 0 ? null : hashOf(item);

export const flag = (value: boolean): Uint8Array => uint(value ? 1 : 0);
export const flagOf = (item: RlpItem | undefined): boolean => {
  const value = uint64Of(item);
  if (value > 1n) throw new FieldError('expected 0 or 1');
  return value === 1n;
};

export type VoteMessage = Vote & { readonly signature: Signature; readonly payloadHash: Hash | null };
export type ProposalMessage = Proposal & { readonly signature: Signature };

const VOTE_TYPES: readonly VoteType[] = ['prevote', 'precommit'];

export const voteItem = (vote: VoteMessage): RlpItem => [
  uint(VOTE_TYPES.indexOf(vote.type)),
  uint(vote.height),
  uint(vote.round),
  hash(vote.valueId),
  hexToBytes(vote.signature),
  optionalHash(vote.payloadHash),
];

export const voteOf = (item: RlpItem | undefined): VoteMessage => {
  const [type, height, round, valueId, signature, payloadHash] = listOf(item, 6);
  return {
    type: flagOf(type) ? 'precommit' : 'prevote',
    height: uint64Of(height),
    round: roundOf(round),
    valueId: hashOf(valueId),
    signature: signatureOf(signature),
    payloadHash: optionalHashOf(payloadHash),
  };
};

/** polRound travels plus one, so that −1 is 0. */
export const proposalItem = (proposal: ProposalMessage): RlpItem => [
  uint(proposal.height),
  uint(proposal.round),
  uint(proposal.polRound + 1),
  hash(proposal.payloadHash),
  hash(proposal.valueId),
  hexToBytes(proposal.signature),
];

export const proposalOf = (item: RlpItem | undefined): ProposalMessage => {
  const [height, round, polRound, payloadHash, valueId, signature] = listOf(item, 6);
  return {
    height: uint64Of(height),
    round: roundOf(round),
    polRound: roundOf(polRound) - 1,
    payloadHash: hashOf(payloadHash),
    valueId: hashOf(valueId),
    signature: signatureOf(signature),
  };
};

export const payloadItem = (payload: Payload): RlpItem => [
  hash(payload.parentHash),
  uint(payload.timestamp),
  hexToBytes(payload.feeRecipient),
  payload.transactions,
];

export const payloadOf = (item: RlpItem | undefined): Payload => {
  const [parentHash, timestamp, feeRecipient, transactions] = listOf(item, 4);
  return {
    parentHash: hashOf(parentHash),
    timestamp: uint64Of(timestamp),
    feeRecipient: addressOf(feeRecipient),
    transactions: manyOf(transactions, MAX_PAYLOAD_TRANSACTIONS).map((raw) => bytesOf(raw)),
  };
};

export const certificateItem = (certificate: CommitCertificate): RlpItem => [
  uint(certificate.height),
  uint(certificate.round),
  hash(certificate.valueId),
  certificate.signatures.map(({ validator, signature }) => [hexToBytes(validator), hexToBytes(signature)]),
];

const sealOf = (item: RlpItem): SealSignature => {
  const [validator, signature] = listOf(item, 2);
  return { validator: addressOf(validator), signature: signatureOf(signature) };
};

export const certificateOf = (item: RlpItem | undefined): CommitCertificate => {
  const [height, round, valueId, signatures] = listOf(item, 4);
  return {
    height: uint64Of(height),
    round: roundOf(round),
    valueId: hashOf(valueId),
    signatures: manyOf(signatures, MAX_VALIDATORS).map(sealOf),
  };
};

export const checkpointItem = (checkpoint: Checkpoint): RlpItem => [
  uint(checkpoint.height),
  hash(checkpoint.blockHash),
  hash(checkpoint.stateRoot),
  hash(checkpoint.outboxRoot),
  uint(checkpoint.outboxCount),
  uint(checkpoint.importedCount),
  hash(checkpoint.importedHash),
  hash(checkpoint.nextValidatorsHash),
];

export const checkpointOf = (item: RlpItem | undefined): Checkpoint => {
  const fields = listOf(item, 8);
  return {
    height: uint64Of(fields[0]),
    blockHash: hashOf(fields[1]),
    stateRoot: hashOf(fields[2]),
    outboxRoot: hashOf(fields[3]),
    outboxCount: uint64Of(fields[4]),
    importedCount: uint64Of(fields[5]),
    importedHash: hashOf(fields[6]),
    nextValidatorsHash: hashOf(fields[7]),
  };
};
