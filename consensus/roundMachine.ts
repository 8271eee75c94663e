/**
 * One validator's round, step, lock and valid value: lines 11–67 of arXiv 1807.04938, with the line numbers.
 *
 * Pure, and knows no votes, payloads or signatures: the driver (driver.ts) has counted, derived and judged before it
 * says "there is a polka". Invariants: (round, step) only grow; at most one prevote and one precommit leave per
 * round; the lock changes only together with a precommit for a value; valid.round ≥ locked.round.
 *
 * Two departures from the letter of the paper, both on the side of progress:
 * - The proposer schedules timeoutPropose too (line 21 spares it): its payload may never come back from `build`.
 * - Lines 42–43 also take a polka of an earlier round whose value is derived late (RULES 4). It only changes what
 *   this validator proposes, and the polka that justifies the proposal is real.
 */
import type { TimeoutKind } from '#consensus/engine.ts';
import type { Hash } from '#consensus/primitives.ts';
import { NIL, type VoteType } from '#consensus/types.ts';

/** `waiting`: round 0 has not begun. */
export type Step = 'waiting' | 'propose' | 'prevote' | 'precommit' | 'decided';

/** A value and the round of the polka that was seen for it. */
export type Lock = { readonly round: number; readonly valueId: Hash };

export type RoundState = {
  /** −1 while waiting. */
  readonly round: number;
  readonly step: Step;
  readonly locked: Lock | null;
  readonly valid: Lock | null;
  /** "For the first time" of lines 34 and 47. */
  readonly prevoteTimeoutScheduled: boolean;
  readonly precommitTimeoutScheduled: boolean;
};

export type RoundInput =
  | { readonly type: 'startRound'; readonly round: number }
  /** A fresh proposal of this round, derived and accepted (its valueId) or refused (null). */
  | { readonly type: 'freshProposal'; readonly valueId: Hash | null }
  /** A re-proposal of this round together with the polka that it names. */
  | { readonly type: 'reproposal'; readonly valueId: Hash; readonly polRound: number }
  | { readonly type: 'prevoteQuorum' }
  | { readonly type: 'polka'; readonly round: number; readonly valueId: Hash }
  | { readonly type: 'nilPolka' }
  | { readonly type: 'precommitQuorum' }
  | { readonly type: 'commit'; readonly round: number; readonly valueId: Hash }
  | { readonly type: 'timeout'; readonly kind: TimeoutKind; readonly round: number }
  /** A vote that we signed before a restart, read back. */
  | {
      readonly type: 'ownVote';
      readonly voteType: VoteType;
      readonly round: number;
      readonly valueId: Hash;
    };

export type RoundOutput =
  | { readonly type: 'roundStarted'; readonly round: number }
  | { readonly type: 'vote'; readonly voteType: VoteType; readonly round: number; readonly valueId: Hash }
  | { readonly type: 'schedule'; readonly kind: TimeoutKind; readonly round: number };

export type RoundTransition = { readonly state: RoundState; readonly outputs: readonly RoundOutput[] };

/** @param lock what a restart found in WAL and guard (RULES 13); whoever was locked on it saw its polka. */
export const createRoundState = (lock: Lock | null): RoundState => ({
  round: -1,
  step: 'waiting',
  locked: lock,
  valid: lock,
  prevoteTimeoutScheduled: false,
  precommitTimeoutScheduled: false,
});

const STEP_ORDER: Record<Step, number> = { waiting: 0, propose: 1, prevote: 2, precommit: 3, decided: 4 };

export const isStepAtLeast = (state: RoundState, step: Step): boolean =>
  STEP_ORDER[state.step] >= STEP_ORDER[step];

const unchanged = (state: RoundState): RoundTransition => ({ state, outputs: [] });

/** An input that does not apply in this state changes nothing. */
export const applyRound = (state: RoundState, input: RoundInput): RoundTransition => {
  if (state.step === 'decided') return unchanged(state); // line 49: while decision = nil
  switch (input.type) {
    case 'startRound':
      return input.round > state.round ? startRound(state, input.round) : unchanged(state);
    case 'freshProposal':
      return onFreshProposal(state, input.valueId);
    case 'reproposal':
      return onReproposal(state, input.valueId, input.polRound);
    case 'prevoteQuorum':
      return onPrevoteQuorum(state);
    case 'polka':
      return onPolka(state, { round: input.round, valueId: input.valueId });
    case 'nilPolka':
      return state.step === 'prevote' ? precommit(state, NIL) : unchanged(state); // lines 44–46
    case 'precommitQuorum':
      return onPrecommitQuorum(state);
    case 'commit':
      return unchanged({ ...state, step: 'decided' }); // lines 49–51
    case 'timeout':
      return onTimeout(state, input.kind, input.round);
    case 'ownVote':
      return adoptOwnVote(state, input);
  }
};

/** Lines 11–21; what the proposer says is the driver's part. */
const startRound = (state: RoundState, round: number): RoundTransition => ({
  state: {
    ...state,
    round, // line 12
    step: 'propose', // line 13
    prevoteTimeoutScheduled: false,
    precommitTimeoutScheduled: false,
  },
  outputs: [
    { type: 'roundStarted', round },
    { type: 'schedule', kind: 'propose', round }, // line 21
  ],
});

/** Lines 22–27. */
const onFreshProposal = (state: RoundState, valueId: Hash | null): RoundTransition => {
  if (state.step !== 'propose') return unchanged(state);
  const { locked } = state;
  const isFree = locked === null || locked.valueId === valueId;
  return prevote(state, valueId !== null && isFree ? valueId : NIL); // line 23
};

/** Lines 28–33. */
const onReproposal = (state: RoundState, valueId: Hash, polRound: number): RoundTransition => {
  if (state.step !== 'propose' || polRound < 0 || polRound >= state.round) return unchanged(state);
  const { locked } = state;
  const isFree = locked === null || locked.round <= polRound || locked.valueId === valueId;
  return prevote(state, isFree ? valueId : NIL); // line 29
};

/** Lines 34–35. */
const onPrevoteQuorum = (state: RoundState): RoundTransition =>
  state.step !== 'prevote' || state.prevoteTimeoutScheduled
    ? unchanged(state)
    : {
        state: { ...state, prevoteTimeoutScheduled: true },
        outputs: [{ type: 'schedule', kind: 'prevote', round: state.round }],
      };

/** Lines 36–43; for an earlier round 42–43 only. */
const onPolka = (state: RoundState, polka: Lock): RoundTransition => {
  if (polka.round > state.round) return unchanged(state);
  if (polka.round === state.round && !isStepAtLeast(state, 'prevote')) return unchanged(state);
  const valid = state.valid === null || state.valid.round < polka.round ? polka : state.valid; // lines 42–43
  if (polka.round < state.round || state.step !== 'prevote') return unchanged({ ...state, valid });
  return precommit({ ...state, valid, locked: polka }, polka.valueId); // lines 37–41
};

/** Lines 47–48. */
const onPrecommitQuorum = (state: RoundState): RoundTransition =>
  !isStepAtLeast(state, 'propose') || state.precommitTimeoutScheduled
    ? unchanged(state)
    : {
        state: { ...state, precommitTimeoutScheduled: true },
        outputs: [{ type: 'schedule', kind: 'precommit', round: state.round }],
      };

/** Lines 57–67. */
const onTimeout = (state: RoundState, kind: TimeoutKind, round: number): RoundTransition => {
  if (round !== state.round) return unchanged(state);
  switch (kind) {
    case 'propose':
      return state.step === 'propose' ? prevote(state, NIL) : unchanged(state); // lines 58–60
    case 'prevote':
      return state.step === 'prevote' ? precommit(state, NIL) : unchanged(state); // lines 62–64
    case 'precommit':
      return startRound(state, round + 1); // lines 66–67
  }
};

const prevote = (state: RoundState, valueId: Hash): RoundTransition => ({
  state: { ...state, step: 'prevote' },
  outputs: [{ type: 'vote', voteType: 'prevote', round: state.round, valueId }],
});

const precommit = (state: RoundState, valueId: Hash): RoundTransition => ({
  state: { ...state, step: 'precommit' },
  outputs: [{ type: 'vote', voteType: 'precommit', round: state.round, valueId }],
});

/**
 * A vote of ours from before a restart puts us back where we cast it: never a second vote for its step, and locked
 * if it was a precommit for a value. Our own vote of this run changes nothing: the step has moved already.
 */
const adoptOwnVote = (
  state: RoundState,
  { voteType, round, valueId }: Extract<RoundInput, { type: 'ownVote' }>,
): RoundTransition => {
  const relocked = voteType === 'precommit' && valueId !== NIL ? raiseLock(state, { round, valueId }) : state;
  const isNewRound = round > state.round;
  if (!isNewRound && (round < state.round || isStepAtLeast(state, voteType))) return unchanged(relocked);
  if (!isNewRound) return unchanged({ ...relocked, step: voteType });
  return {
    state: {
      ...relocked,
      round,
      step: voteType,
      prevoteTimeoutScheduled: false,
      precommitTimeoutScheduled: false,
    },
    outputs: [{ type: 'roundStarted', round }],
  };
};

const raiseLock = (state: RoundState, lock: Lock): RoundState => {
  const isHigher = (held: Lock | null): boolean => held === null || held.round < lock.round;
  if (!isHigher(state.locked) && !isHigher(state.valid)) return state;
  return {
    ...state,
    locked: state.locked === null || state.locked.round < lock.round ? lock : state.locked,
    valid: state.valid === null || state.valid.round < lock.round ? lock : state.valid,
  };
};
