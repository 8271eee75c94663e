/**
 * All votes of a height that may still matter, within a bound for each validator (scenarios 12, 13, 14).
 *
 * Kept in full: the rounds from `KEPT_ROUNDS` behind the current one to one ahead of it, and the pinned ones (of the
 * lock, the valid value, and the polka that the current proposal names), which are asked for again when needed.
 * Further ahead: the newest `AHEAD_ROUNDS` rounds of each validator, so that one sender uses up its own share only.
 * What falls out can come back as a commit certificate, which is accepted for any round.
 *
 * Does not own what a quorum leads to (driver.ts), or the authentication of votes.
 */
import type { Address, Hash } from '#consensus/primitives.ts';
import {
  addToTally,
  EMPTY_TALLY,
  hasVoted,
  powerFor,
  type Tally,
  withoutValidator,
} from '#consensus/tally.ts';
import type { SignedVote, VoteType } from '#consensus/types.ts';
import { isHonestMinority, isQuorum, type ValidatorSet } from '#consensus/validatorSet.ts';

export const KEPT_ROUNDS = 64;
export const AHEAD_ROUNDS = 4;

export type RoundVotes = { readonly prevote: Tally; readonly precommit: Tally };

export type VoteKeeper = {
  readonly rounds: ReadonlyMap<number, RoundVotes>;
  /** The highest round in which each validator was heard, by vote or proposal. */
  readonly highest: ReadonlyMap<Address, number>;
};

export const EMPTY_KEEPER: VoteKeeper = { rounds: new Map(), highest: new Map() };
const EMPTY_ROUND: RoundVotes = { prevote: EMPTY_TALLY, precommit: EMPTY_TALLY };

/** Where the round machine is, which decides what is worth keeping. */
export type Horizon = { readonly round: number; readonly pinned: readonly number[] };

export type KeeperChange = {
  readonly keeper: VoteKeeper;
  readonly conflict: { readonly first: SignedVote; readonly second: SignedVote } | null;
};

export const tallyOf = (keeper: VoteKeeper, round: number, type: VoteType): Tally =>
  (keeper.rounds.get(round) ?? EMPTY_ROUND)[type];

const isAhead = (horizon: Horizon, round: number): boolean => round > horizon.round + 1;
const isKept = (horizon: Horizon, round: number): boolean =>
  round >= horizon.round - KEPT_ROUNDS || horizon.pinned.includes(round);

/** @param power of the vote's validator, above 0 */
export const addVote = (
  keeper: VoteKeeper,
  set: ValidatorSet,
  vote: SignedVote,
  power: bigint,
  horizon: Horizon,
): KeeperChange => {
  const { round, type, validator } = vote;
  if (!isKept(horizon, round)) return { keeper, conflict: null };
  const heard = noteHeard(keeper, validator, round);
  const roomy = isAhead(horizon, round) ? makeRoomAhead(heard, validator, power, round, horizon) : heard;
  if (roomy === null) return { keeper: heard, conflict: null };
  const votes = roomy.rounds.get(round) ?? EMPTY_ROUND;
  const { tally, conflict } = addToTally(votes[type], vote, power, (sum) => isHonestMinority(set, sum));
  if (tally === votes[type]) return { keeper: roomy, conflict };
  const rounds = new Map(roomy.rounds).set(round, { ...votes, [type]: tally });
  return { keeper: { ...roomy, rounds }, conflict };
};

/** Proposals count for the round skip of line 55 as votes do. */
export const noteHeard = (keeper: VoteKeeper, validator: Address, round: number): VoteKeeper =>
  round <= (keeper.highest.get(validator) ?? -1)
    ? keeper
    : { ...keeper, highest: new Map(keeper.highest).set(validator, round) };

/** Gives up the validator's lowest round ahead; null when the new one would itself be the lowest. */
const makeRoomAhead = (
  keeper: VoteKeeper,
  validator: Address,
  power: bigint,
  round: number,
  horizon: Horizon,
): VoteKeeper | null => {
  const ahead = [...keeper.rounds]
    .filter(([at, votes]) => isAhead(horizon, at) && isVoter(votes, validator))
    .map(([at]) => at);
  if (ahead.includes(round) || ahead.length < AHEAD_ROUNDS) return keeper;
  const lowest = Math.min(...ahead);
  if (round < lowest) return null;
  const votes = keeper.rounds.get(lowest)!;
  const rest = {
    prevote: withoutValidator(votes.prevote, validator, power),
    precommit: withoutValidator(votes.precommit, validator, power),
  };
  const rounds = new Map(keeper.rounds);
  if (rest.prevote.power + rest.precommit.power > 0n) rounds.set(lowest, rest);
  else rounds.delete(lowest);
  return { ...keeper, rounds };
};

const isVoter = ({ prevote, precommit }: RoundVotes, validator: Address): boolean =>
  hasVoted(prevote, validator) || hasVoted(precommit, validator);

/** Drops the rounds that fell behind; to be called when a round begins. */
export const prune = (keeper: VoteKeeper, horizon: Horizon): VoteKeeper => {
  const rounds = new Map([...keeper.rounds].filter(([round]) => isKept(horizon, round)));
  return rounds.size === keeper.rounds.size ? keeper : { ...keeper, rounds };
};

/**
 * Line 55: the highest round that validators with more than 1/3 of the power have reached, if it is above ours.
 * "Reached" includes having been heard in a later one: one of them is honest, so that round has honestly begun.
 */
export const roundToSkipTo = (
  keeper: VoteKeeper,
  set: ValidatorSet,
  powerOf: (validator: Address) => bigint,
  round: number,
): number | null => {
  const ahead = [...keeper.highest].filter(([, at]) => at > round).sort(([, a], [, b]) => b - a);
  let power = 0n;
  for (const [validator, at] of ahead) {
    power += powerOf(validator);
    if (isHonestMinority(set, power)) return at;
  }
  return null;
};

export const hasQuorumFor = (
  keeper: VoteKeeper,
  set: ValidatorSet,
  round: number,
  type: VoteType,
  valueId: Hash,
): boolean => isQuorum(set, powerFor(tallyOf(keeper, round, type), valueId));

export const hasQuorumOfAny = (
  keeper: VoteKeeper,
  set: ValidatorSet,
  round: number,
  type: VoteType,
): boolean => isQuorum(set, tallyOf(keeper, round, type).power);
