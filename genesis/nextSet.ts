/**
 * Who votes from the next epoch on: the pending set without those that signed twice (RULES 20, 21).
 *
 * Pure: a function of the set that votes now and two lists of the state. Invariants: those taken out together hold less
 * than a third of the power that votes now, so that the quorum outlives the boundary; the result is a valid set; whoever
 * may not go yet is kept in the queue for the next boundary, the oldest report first. What Governance removed from the
 * pending set is not counted: two thirds of the organisations decided it.
 */
import type { Address } from '#consensus/primitives.ts';
import {
  createValidatorSet,
  isMember,
  powerOf,
  type ValidatorSet,
  ValidatorSetError,
} from '#consensus/validatorSet.ts';

export type NextSet = {
  readonly next: ValidatorSet;
  readonly stillJailed: readonly Address[];
};

/** @param jailed in the order of the reports */
export const selectNextSet = (
  current: ValidatorSet,
  pending: ValidatorSet,
  jailed: readonly Address[],
): NextSet => {
  let next = pending;
  let takenPower = 0n;
  const stillJailed: Address[] = [];
  for (const offender of jailed) {
    if (!isMember(next, offender)) continue;
    const power = takenPower + powerOf(current, offender);
    const smaller = 3n * power < current.totalPower ? without(next, offender) : null;
    if (smaller === null) {
      stillJailed.push(offender);
      continue;
    }
    next = smaller;
    takenPower = power;
  }
  return { next, stillJailed };
};

/** Null when the rest is no valid set: it would be empty, or hold too much power for its size. */
const without = (set: ValidatorSet, offender: Address): ValidatorSet | null => {
  try {
    return createValidatorSet(set.validators.filter(({ address }) => address !== offender));
  } catch (error) {
    if (error instanceof ValidatorSetError) return null;
    throw error;
  }
};
