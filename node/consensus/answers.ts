/**
 * What this node answers when a peer asks: payloads by hash or value, polkas, and the peer's own newest vote.
 *
 * Reads only. A committed block answers for its value: deriving the stripped payload gives the same block (RULES 2).
 */
import { type HeightState, keptRounds, keptVotes, payloadOf, polkaFor } from '#consensus/heightState.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { votesFor } from '#consensus/tally.ts';
import type { Payload } from '#consensus/types.ts';
import { isQuorum } from '#consensus/validatorSet.ts';
import { tallyOf } from '#consensus/voteKeeper.ts';
import type { ChainReader, Derivation } from '#node/chain.ts';
import type { VoteMessage } from '#node/consensus/fields.ts';
import { compareSigningOrder } from '#node/consensus/guard.ts';
import {
  type ConsensusRequest,
  encodeLastVoteAnswer,
  encodeSessionAnswer,
  encodeValueAnswer,
  encodeVotesAnswer,
  type ValueAnswer,
} from '#node/consensus/messages.ts';
import type { PayloadStore } from '#node/consensus/payloads.ts';
import type { BlockRecord } from '#node/storage/records.ts';

export type AnswerSources = {
  readonly state: HeightState;
  readonly payloads: PayloadStore;
  readonly chain: ChainReader;
  /** What the last committed height derived to, for explaining a divergence. */
  readonly lastCommitted: Extract<Derivation, { valid: true }> | null;
  /** How long ago another session with the asking peer's key was heard, null when none is (sessions.ts). */
  readonly otherSession: (session: Hash) => number | null;
};

const derivedOf = (derivation: Derivation | null): ValueAnswer['derived'] =>
  derivation?.valid ? { checkpoint: derivation.checkpoint, receiptHashes: derivation.receiptHashes } : null;

const ofCurrent = ({ payloads }: AnswerSources, payloadHash: Hash | null): ValueAnswer | null => {
  const payload = payloadHash === null ? null : payloads.get(payloadHash);
  if (payloadHash === null || payload === null) return null;
  return { payload, derived: derivedOf(payloads.derivation(payloadHash)) };
};

export const blockToPayload = (block: BlockRecord): Payload => ({
  parentHash: block.parentHash,
  timestamp: block.timestamp,
  feeRecipient: block.feeRecipient,
  transactions: block.transactions,
});

const ofCommitted = async (
  { chain, lastCommitted }: AnswerSources,
  height: bigint,
  matches: (block: BlockRecord) => boolean,
): Promise<ValueAnswer | null> => {
  if (height < 1n || height > chain.head().block.height) return null;
  const block = await chain.blockAt(height);
  if (block === null || block.isPruned || !matches(block)) return null;
  const receiptHashes = lastCommitted?.valueId === block.valueId ? lastCommitted.receiptHashes : [];
  return { payload: blockToPayload(block), derived: { checkpoint: block.checkpoint, receiptHashes } };
};

/** Any polka for this value in this round; a later one of the same value serves as well only for the guard. */
const polkaVotes = (state: HeightState, round: number, valueId: Hash): readonly VoteMessage[] => {
  const tally = tallyOf(state.votes, round, 'prevote');
  const power = tally.powerByValue.get(valueId) ?? 0n;
  if (isQuorum(state.context.set, power)) return votesFor(tally, valueId);
  return polkaFor(state, valueId)?.prevotes ?? [];
};

const newestVoteOf = ({ state, chain }: AnswerSources, validator: Address): VoteMessage | null => {
  const { certificate } = chain.head().block;
  const seal = certificate?.signatures.find((entry) => entry.validator === validator);
  const votes: VoteMessage[] = keptRounds(state).flatMap((round) =>
    (['prevote', 'precommit'] as const).flatMap((type) =>
      keptVotes(state, round, type).filter((vote) => vote.validator === validator),
    ),
  );
  if (certificate !== null && seal !== undefined) {
    const { height, round, valueId } = certificate;
    votes.push({ type: 'precommit', height, round, valueId, signature: seal.signature, payloadHash: null });
  }
  return votes.reduce<VoteMessage | null>(
    (newest, vote) =>
      newest === null || compareSigningOrder(toOrder(vote), toOrder(newest)) > 0 ? vote : newest,
    null,
  );
};

const toOrder = ({ height, round, type }: VoteMessage) => ({ height, round, step: type });

export const answerRequest = async (
  sources: AnswerSources,
  request: ConsensusRequest,
): Promise<Uint8Array> => {
  const { state } = sources;
  switch (request.type) {
    case 'valueById': {
      const { height, valueId } = request;
      return encodeValueAnswer(
        height === state.context.height
          ? ofCurrent(sources, payloadOf(state, valueId))
          : await ofCommitted(sources, height, (block) => block.valueId === valueId),
      );
    }
    case 'valueByPayload': {
      const { height, payloadHash } = request;
      return encodeValueAnswer(
        height === state.context.height
          ? ofCurrent(sources, payloadHash)
          : await ofCommitted(sources, height, () => sources.lastCommitted?.payloadHash === payloadHash),
      );
    }
    case 'polka':
      return encodeVotesAnswer(
        request.height === state.context.height ? polkaVotes(state, request.round, request.valueId) : [],
      );
    case 'lastVote':
      return encodeLastVoteAnswer(newestVoteOf(sources, request.validator));
    case 'session':
      return encodeSessionAnswer(sources.otherSession(request.session));
  }
};
