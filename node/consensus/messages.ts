/**
 * Consensus messages on the wire: one kind byte, then strict RLP.
 *
 * Owns the encoding and the total decoding of everything that validators send each other. Does not authenticate:
 * a decoded message is well-formed, nothing more. Invariant: `decodeMessage` never throws, whatever the bytes.
 */
import type { Misbehaviour } from '#consensus/evidence.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { hexToBytes } from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate, Payload } from '#consensus/types.ts';
import { evidenceItem, evidenceOf } from '#node/consensus/evidence/evidenceCodec.ts';
import {
  addressOf,
  bytesOf,
  certificateItem,
  certificateOf,
  checkpointItem,
  checkpointOf,
  FieldError,
  flag,
  flagOf,
  hash,
  hashOf,
  listOf,
  MAX_PAYLOAD_TRANSACTIONS,
  MAX_VALIDATORS,
  manyOf,
  type ProposalMessage,
  payloadItem,
  payloadOf,
  proposalItem,
  proposalOf,
  roundOf,
  uint,
  uint32Of,
  uint64Of,
  type VoteMessage,
  voteItem,
  voteOf,
} from '#node/consensus/fields.ts';
import { decodeRlp, encodeRlp, RlpError, type RlpItem } from '#node/consensus/rlp.ts';
import { MAX_CONSENSUS_MESSAGE_BYTES } from '#node/network/network.ts';

/** What a node has of one round; bit i of a bitmap is validator i of the height's set. */
export type RoundSummary = {
  readonly round: number;
  readonly proposal: boolean;
  /** The payload that the round's proposal names. */
  readonly payload: boolean;
  readonly prevotes: Uint8Array;
  readonly precommits: Uint8Array;
};

export const MAX_SUMMARY_ROUNDS = 48;

export type ConsensusMessage =
  | { readonly type: 'proposal'; readonly proposal: ProposalMessage }
  | { readonly type: 'vote'; readonly vote: VoteMessage }
  | { readonly type: 'payload'; readonly height: bigint; readonly payload: Payload }
  /** RULES 16: on connecting and every second; the receiver sends what is missing. */
  | {
      readonly type: 'summary';
      readonly height: bigint;
      readonly round: number;
      readonly rounds: readonly RoundSummary[];
    }
  | { readonly type: 'certificate'; readonly certificate: CommitCertificate }
  /** Every second from a process that signs: the name of this run of it (fence.ts). */
  | { readonly type: 'session'; readonly session: Hash }
  /** Once, when it is new to the sender (evidence/). */
  | { readonly type: 'evidence'; readonly evidence: Misbehaviour };

/** Requests have a stream of their own, so they are a second language. */
export type ConsensusRequest =
  | { readonly type: 'valueById'; readonly height: bigint; readonly valueId: Hash }
  | { readonly type: 'valueByPayload'; readonly height: bigint; readonly payloadHash: Hash }
  /** The prevotes that prove a polka for this value in this round, or none. */
  | { readonly type: 'polka'; readonly height: bigint; readonly round: number; readonly valueId: Hash }
  /** RULES 14: the newest vote of this validator that the asked peer knows. */
  | { readonly type: 'lastVote'; readonly validator: Address }
  /** Does the asked peer hear another process than this one with the asker's key? */
  | { readonly type: 'session'; readonly session: Hash };

export type ValueAnswer = {
  readonly payload: Payload;
  /** Null when the answering node has not derived it. */
  readonly derived: { readonly checkpoint: Checkpoint; readonly receiptHashes: readonly Hash[] } | null;
};

export type MessageErrorCode = 'TOO_LARGE' | 'MALFORMED' | 'UNKNOWN_KIND';

/** Bytes that are no message; the peer that sent them pays for it. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
  readonly code: MessageErrorCode;
  constructor(code: MessageErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: MessageError };

const roundSummaryItem = (summary: RoundSummary): RlpItem => [
  uint(summary.round),
  flag(summary.proposal),
  flag(summary.payload),
  summary.prevotes,
  summary.precommits,
];

const roundSummaryOf = (item: RlpItem): RoundSummary => {
  const [round, proposal, payload, prevotes, precommits] = listOf(item, 5);
  return {
    round: roundOf(round),
    proposal: flagOf(proposal),
    payload: flagOf(payload),
    prevotes: bytesOf(prevotes, MAX_VALIDATORS / 8),
    precommits: bytesOf(precommits, MAX_VALIDATORS / 8),
  };
};

const kindAndItem = (message: ConsensusMessage): [kind: number, item: RlpItem] => {
  switch (message.type) {
    case 'proposal':
      return [1, proposalItem(message.proposal)];
    case 'vote':
      return [2, voteItem(message.vote)];
    case 'payload':
      return [3, [uint(message.height), payloadItem(message.payload)]];
    case 'summary':
      return [4, [uint(message.height), uint(message.round), message.rounds.map(roundSummaryItem)]];
    case 'certificate':
      return [5, certificateItem(message.certificate)];
    case 'session':
      return [6, [hash(message.session)]];
    case 'evidence':
      return [7, evidenceItem(message.evidence)];
  }
};

const framed = (kind: number, item: RlpItem): Uint8Array => {
  const body = encodeRlp(item);
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = kind;
  bytes.set(body, 1);
  return bytes;
};

export const encodeMessage = (message: ConsensusMessage): Uint8Array => framed(...kindAndItem(message));

const messageOf = (kind: number, item: RlpItem): ConsensusMessage | null => {
  switch (kind) {
    case 1:
      return { type: 'proposal', proposal: proposalOf(item) };
    case 2:
      return { type: 'vote', vote: voteOf(item) };
    case 3: {
      const [height, payload] = listOf(item, 2);
      return { type: 'payload', height: uint64Of(height), payload: payloadOf(payload) };
    }
    case 4: {
      const [height, round, rounds] = listOf(item, 3);
      return {
        type: 'summary',
        height: uint64Of(height),
        round: roundOf(round),
        rounds: manyOf(rounds, MAX_SUMMARY_ROUNDS).map(roundSummaryOf),
      };
    }
    case 5:
      return { type: 'certificate', certificate: certificateOf(item) };
    case 6:
      return { type: 'session', session: hashOf(listOf(item, 1)[0]) };
    case 7:
      return { type: 'evidence', evidence: evidenceOf(item) };
    default:
      return null;
  }
};

const requestOf = (kind: number, item: RlpItem): ConsensusRequest | null => {
  switch (kind) {
    case 1: {
      const [height, valueId] = listOf(item, 2);
      return { type: 'valueById', height: uint64Of(height), valueId: hashOf(valueId) };
    }
    case 2: {
      const [height, payloadHash] = listOf(item, 2);
      return { type: 'valueByPayload', height: uint64Of(height), payloadHash: hashOf(payloadHash) };
    }
    case 3:
      return { type: 'lastVote', validator: addressOf(listOf(item, 1)[0]) };
    case 4: {
      const [height, round, valueId] = listOf(item, 3);
      return { type: 'polka', height: uint64Of(height), round: roundOf(round), valueId: hashOf(valueId) };
    }
    case 5:
      return { type: 'session', session: hashOf(listOf(item, 1)[0]) };
    default:
      return null;
  }
};

const decodeFramed = <T>(
  bytes: Uint8Array,
  maxBytes: number,
  parse: (kind: number, item: RlpItem) => T | null,
): Decoded<T> => {
  const fail = (code: MessageErrorCode, message: string): Decoded<T> => ({
    ok: false,
    error: new MessageError(code, message),
  });
  if (bytes.length > maxBytes)
    return fail('TOO_LARGE', `expected at most ${maxBytes} bytes, found ${bytes.length}`);
  if (bytes.length < 2) return fail('MALFORMED', `expected a kind and a body, found ${bytes.length} bytes`);
  try {
    const value = parse(bytes[0]!, decodeRlp(bytes.subarray(1)));
    return value === null ? fail('UNKNOWN_KIND', `kind ${bytes[0]} is unknown`) : { ok: true, value };
  } catch (error) {
    if (error instanceof RlpError || error instanceof FieldError) return fail('MALFORMED', error.message);
    throw error;
  }
};

export const decodeMessage = (bytes: Uint8Array): Decoded<ConsensusMessage> =>
  decodeFramed(bytes, MAX_CONSENSUS_MESSAGE_BYTES, messageOf);

export const encodeRequest = (request: ConsensusRequest): Uint8Array => {
  switch (request.type) {
    case 'valueById':
      return framed(1, [uint(request.height), hash(request.valueId)]);
    case 'valueByPayload':
      return framed(2, [uint(request.height), hash(request.payloadHash)]);
    case 'lastVote':
      return framed(3, [hexToBytes(request.validator)]);
    case 'polka':
      return framed(4, [uint(request.height), uint(request.round), hash(request.valueId)]);
    case 'session':
      return framed(5, [hash(request.session)]);
  }
};

export const MAX_REQUEST_BYTES = 256;

export const decodeRequest = (bytes: Uint8Array): Decoded<ConsensusRequest> =>
  decodeFramed(bytes, MAX_REQUEST_BYTES, requestOf);

/** "I do not have it" is an answer, so that the asker goes on to the next peer at once. */
export const encodeValueAnswer = (answer: ValueAnswer | null): Uint8Array =>
  answer === null
    ? framed(0, [])
    : framed(1, [
        payloadItem(answer.payload),
        answer.derived === null
          ? []
          : [checkpointItem(answer.derived.checkpoint), answer.derived.receiptHashes.map(hash)],
      ]);

const derivedOf = (item: RlpItem | undefined): ValueAnswer['derived'] => {
  const fields = manyOf(item, 2);
  if (fields.length === 0) return null;
  const [checkpoint, receiptHashes] = listOf(item, 2);
  return {
    checkpoint: checkpointOf(checkpoint),
    receiptHashes: manyOf(receiptHashes, MAX_PAYLOAD_TRANSACTIONS).map(hashOf),
  };
};

/** A payload, its receipt hashes, and room for the rest. */
export const MAX_ANSWER_BYTES = MAX_CONSENSUS_MESSAGE_BYTES + 34 * MAX_PAYLOAD_TRANSACTIONS;

export const decodeValueAnswer = (bytes: Uint8Array): Decoded<{ readonly answer: ValueAnswer | null }> =>
  decodeFramed(bytes, MAX_ANSWER_BYTES, (kind, item) => {
    if (kind === 0) {
      listOf(item, 0);
      return { answer: null };
    }
    if (kind !== 1) return null;
    const [payload, derived] = listOf(item, 2);
    return { answer: { payload: payloadOf(payload), derived: derivedOf(derived) } };
  });

export const encodeLastVoteAnswer = (vote: VoteMessage | null): Uint8Array =>
  vote === null ? framed(0, []) : framed(1, voteItem(vote));

export const decodeLastVoteAnswer = (bytes: Uint8Array): Decoded<{ readonly vote: VoteMessage | null }> =>
  decodeFramed(bytes, MAX_REQUEST_BYTES, (kind, item) => {
    if (kind === 0) {
      listOf(item, 0);
      return { vote: null };
    }
    return kind === 1 ? { vote: voteOf(item) } : null;
  });

/** @param heardAgoMs null: no other session is heard */
export const encodeSessionAnswer = (heardAgoMs: number | null): Uint8Array =>
  heardAgoMs === null ? framed(0, []) : framed(1, [uint(Math.max(0, Math.ceil(heardAgoMs)))]);

export const decodeSessionAnswer = (bytes: Uint8Array): Decoded<{ readonly heardAgoMs: number | null }> =>
  decodeFramed(bytes, MAX_REQUEST_BYTES, (kind, item) => {
    if (kind === 0) {
      listOf(item, 0);
      return { heardAgoMs: null };
    }
    return kind === 1 ? { heardAgoMs: uint32Of(listOf(item, 1)[0]) } : null;
  });

export const MAX_VOTES_ANSWER_BYTES = MAX_VALIDATORS * MAX_REQUEST_BYTES;

export const encodeVotesAnswer = (votes: readonly VoteMessage[]): Uint8Array =>
  framed(1, votes.map(voteItem));

export const decodeVotesAnswer = (bytes: Uint8Array): Decoded<readonly VoteMessage[]> =>
  decodeFramed(bytes, MAX_VOTES_ANSWER_BYTES, (kind, item) =>
    kind === 1 ? manyOf(item, MAX_VALIDATORS).map(voteOf) : null,
  );
