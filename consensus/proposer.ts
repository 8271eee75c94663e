/**
 * Who proposes in a round: the smooth weighted round-robin sequence at (height + round) (RULES 18).
 *
 * A pure function of (height, round, set): nothing is stored from height to height, so a node that synced, restarted
 * or skipped rounds agrees with everybody. Every validator proposes in proportion to its power, and the turns of a
 * heavy one are spread out. The sequence repeats after totalPower / gcd(powers) turns, so one period per set is
 * computed and indexed modulo its length; at most 1,000 × validators turns (RULES 5), whatever the height.
 */
import type { Address, Hash } from '#consensus/primitives.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';

/** Two sets are in use around an epoch boundary; the rest is room for a node that verifies old heights. */
const MAX_SEQUENCES = 8;
/** By the set's hash: equal hashes are equal sets. A memo only; it never changes a result. */
const sequences = new Map<Hash, Uint16Array>();

export const proposerAt = (set: ValidatorSet, height: bigint, round: number): Address => {
  const sequence = sequenceOf(set);
  const turn = Number((height + BigInt(round)) % BigInt(sequence.length));
  return set.validators[sequence[turn]!]!.address;
};

const sequenceOf = (set: ValidatorSet): Uint16Array => {
  const known = sequences.get(set.hash);
  if (known !== undefined) return known;
  const sequence = proposerSequence(set);
  const oldest = sequences.keys().next();
  if (sequences.size >= MAX_SEQUENCES && !oldest.done) sequences.delete(oldest.value);
  sequences.set(set.hash, sequence);
  return sequence;
};

/** One period, as indexes into the set. A tie goes to the lower address. */
export const proposerSequence = (set: ValidatorSet): Uint16Array => {
  const divisor = set.validators.reduce((gcd, { power }) => greatestCommonDivisor(gcd, power), 0n);
  const weights = set.validators.map(({ power }) => Number(power / divisor));
  const period = weights.reduce((sum, weight) => sum + weight, 0);
  const credit = weights.map(() => 0);
  return Uint16Array.from({ length: period }, () => {
    let chosen = 0;
    for (let i = 0; i < weights.length; i++) {
      credit[i]! += weights[i]!;
      if (credit[i]! > credit[chosen]!) chosen = i;
    }
    credit[chosen]! -= period;
    return chosen;
  });
};

const greatestCommonDivisor = (a: bigint, b: bigint): bigint =>
  b === 0n ? a : greatestCommonDivisor(b, a % b);
