/**
 * Replay: from a height's WAL to the engine's state and to what is still to be done (RULES 12, 13).
 *
 * Pure. The engine is deterministic, so the recorded inputs give the recorded run; effects that a later input already
 * answered are not repeated. Lock = max(WAL, guard): if the guard knows a newer lock than the replay ends with, the
 * height is replayed on top of it.
 */
import type { Effect, Input } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import {
  createHeight,
  type HeightOptions,
  type HeightState,
  isAccepted,
  payloadOf,
} from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Lock } from '#consensus/roundMachine.ts';
import type { Payload, SignedProposal, SignedVote } from '#consensus/types.ts';
import type { WalRecord } from '#node/consensus/walRecords.ts';

export type Recovery = {
  readonly state: HeightState;
  /** Effects that nothing in the log answered, in order. */
  readonly outstanding: readonly Effect[];
  readonly payloads: ReadonlyMap<Hash, Payload>;
  readonly ownVotes: readonly SignedVote[];
  readonly ownProposals: readonly SignedProposal[];
};

const isAnswered = (effect: Effect, state: HeightState, inputs: readonly Input[]): boolean => {
  switch (effect.type) {
    case 'build':
      return effect.round < state.round.round || state.built?.round === effect.round;
    case 'signProposal':
      return inputs.some(
        (input) => input.type === 'ownProposal' && input.proposal.round === effect.proposal.round,
      );
    case 'signVote': {
      const { type, round } = effect.vote;
      return inputs.some(
        (input) => input.type === 'ownVote' && input.vote.type === type && input.vote.round === round,
      );
    }
    case 'schedule': {
      const { kind, round } = effect.timeout;
      if (round < state.round.round) return true;
      return inputs.some(
        (input) => input.type === 'timeout' && input.timeout.kind === kind && input.timeout.round === round,
      );
    }
    case 'derive':
      return state.derived.has(effect.payloadHash);
    case 'judge':
      return effect.round < state.round.round || isAccepted(state, effect.round, effect.payloadHash);
    case 'fetchValue':
      return payloadOf(state, effect.valueId) !== null;
    case 'decide':
      return false;
    case 'broadcastProposal':
    case 'broadcastVote':
    case 'roundStarted':
    case 'evidence':
      return true;
  }
};

const replay = (
  options: HeightOptions,
  inputs: readonly Input[],
): { state: HeightState; effects: Effect[] } => {
  let state = createHeight(options);
  const effects: Effect[] = [];
  for (const input of inputs) {
    const next = handle(state, input);
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
};

const isNewer = (lock: Lock | null, than: Lock | null): boolean =>
  lock !== null && (than === null || lock.round > than.round);

/** Nothing of ours was signed for it, so its bytes were not kept: it is asked for and derived again. */
const isUnfounded = (input: Input, payloads: ReadonlyMap<Hash, Payload>): boolean =>
  input.type === 'derived' && input.value.valid && !payloads.has(input.payloadHash);

/** @param guardLock the guard's lock of this height, null when it has none */
export const recoverHeight = (
  options: Omit<HeightOptions, 'lock'>,
  guardLock: Lock | null,
  records: readonly WalRecord[],
): Recovery => {
  const payloads = new Map(
    records.flatMap((record) => (record.type === 'payload' ? [[record.payloadHash, record.payload]] : [])),
  );
  const inputs = records.flatMap((record) =>
    record.type === 'input' && !isUnfounded(record.input, payloads) ? [record.input] : [],
  );
  const plain = replay({ ...options, lock: null }, inputs);
  const { state, effects } = isNewer(guardLock, plain.state.round.locked)
    ? replay({ ...options, lock: guardLock }, inputs)
    : plain;
  return {
    state,
    outstanding: effects.filter((effect) => !isAnswered(effect, state, inputs)),
    payloads,
    ownVotes: inputs.flatMap((input) => (input.type === 'ownVote' ? [input.vote] : [])),
    ownProposals: inputs.flatMap((input) => (input.type === 'ownProposal' ? [input.proposal] : [])),
  };
};
