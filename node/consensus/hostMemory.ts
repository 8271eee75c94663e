/**
 * How much of a height the host keeps, in counts: what the bounds of its parts promise, seen from outside.
 *
 * Owns the numbers, not the bounds: those are in voteKeeper.ts, proposalKeeper.ts, heightState.ts and payloads.ts.
 */
import type { HeightState } from '#consensus/heightState.ts';
import { votesIn } from '#consensus/tally.ts';
import type { HeightLife } from '#node/consensus/heightLife.ts';

export type HostMemory = {
  readonly rounds: number;
  readonly votes: number;
  readonly proposals: number;
  /** Payloads that were executed, or refused by rule. */
  readonly derived: number;
  readonly payloads: number;
  readonly timers: number;
};

export const measureMemory = (state: HeightState, life: HeightLife): HostMemory => {
  let votes = 0;
  for (const { prevote, precommit } of state.votes.rounds.values())
    votes += votesIn(prevote).length + votesIn(precommit).length;
  return {
    rounds: state.votes.rounds.size,
    votes,
    proposals: state.proposals.size,
    derived: state.derived.size,
    payloads: life.payloads.count(),
    timers: life.timers.size,
  };
};
