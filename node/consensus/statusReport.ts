/**
 * Why is nothing committed? One sentence for a person, and who was heard when (besu #7271).
 *
 * Pure: reads the engine's state.
 */
import type { HeightState } from '#consensus/heightState.ts';
import { proposerAt } from '#consensus/proposer.ts';
import type { Tally } from '#consensus/tally.ts';
import { isQuorum } from '#consensus/validatorSet.ts';
import { tallyOf } from '#consensus/voteKeeper.ts';

const missing = (state: HeightState, tally: Tally, what: string): string => {
  const { set } = state.context;
  const silent = set.validators
    .filter(({ address }) => !tally.first.has(address))
    .map(({ address }) => address);
  const power = `${tally.power} of ${set.totalPower} power`;
  return isQuorum(set, tally.power)
    ? `agreement: ${power} sent ${what}s, not for one value`
    : `${what}s: ${power} voted, missing ${silent.join(', ')}`;
};

/** Null when the height has not begun or is decided. */
export const describeWait = (state: HeightState): string | null => {
  const { round, votes, proposals, derived, context } = state;
  switch (round.step) {
    case 'waiting':
    case 'decided':
      return null;
    case 'propose': {
      const proposal = proposals.get(round.round)?.first;
      const proposer = proposerAt(context.set, context.height, round.round);
      if (proposal === undefined) return `the proposal of ${proposer} in round ${round.round}`;
      return derived.has(proposal.payloadHash)
        ? `agreement with the proposal of ${proposer}: own L1 view or clock`
        : `payload ${proposal.payloadHash} of ${proposer} to arrive and be derived`;
    }
    case 'prevote':
      return missing(state, tallyOf(votes, round.round, 'prevote'), 'prevote');
    case 'precommit':
      return missing(state, tallyOf(votes, round.round, 'precommit'), 'precommit');
  }
};
