/**
 * How many more validators may fail before the chain halts.
 *
 * Pure. Counts by power, not by heads: the worst case is that the heaviest fail first, and the smallest number of
 * failures that leaves no quorum is reached exactly so.
 */
import type { Address } from '#consensus/primitives.ts';
import { isQuorum, type ValidatorSet } from '#consensus/validatorSet.ts';
import type { Margin } from '#node/consensus/statusTypes.ts';

/** The least power that is more than 2/3. */
export const quorumPower = ({ totalPower }: ValidatorSet): bigint => (2n * totalPower) / 3n + 1n;

export const failureMargin = (set: ValidatorSet, isAlive: (validator: Address) => boolean): Margin => {
  const alive = set.validators.filter(({ address }) => isAlive(address)).map(({ power }) => power);
  const alivePower = alive.reduce((sum, power) => sum + power, 0n);
  const heaviestFirst = alive.sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
  let left = alivePower;
  let failures = 0;
  while (isQuorum(set, left)) left -= heaviestFirst[failures++]!;
  return {
    totalPower: set.totalPower,
    quorumPower: quorumPower(set),
    alivePower,
    failuresTolerated: Math.max(0, failures - 1),
    failuresUntilHalt: failures,
    halted: failures === 0,
  };
};
