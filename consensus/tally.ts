/**
 * The votes of one round and one type, and what they add up to.
 *
 * A validator's first vote counts in the total. A second, different one is evidence, and counts for its own value
 * alone: a quorum is 2f+1 signatures on one value (as in the paper, which counts messages), and a quorum that another
 * node saw may contain that second signature; if it were ignored here, an equivocator could hide a polka or a commit
 * from us forever. Two quorums for different values still need more than 1/3 of the power to have signed both.
 * Further votes of an equivocator are kept only for values that have more than 1/3 already. Those got it from first
 * and second votes, which add up to twice the total, so there are at most five such values.
 */
import type { Address, Hash } from '#consensus/primitives.ts';
import type { SignedVote } from '#consensus/types.ts';

export type Tally = {
  readonly first: ReadonlyMap<Address, SignedVote>;
  /** Votes of equivocators after their first. */
  readonly extra: readonly SignedVote[];
  readonly powerByValue: ReadonlyMap<Hash, bigint>;
  /** Of all validators that voted, each once. */
  readonly power: bigint;
};

export const EMPTY_TALLY: Tally = { first: new Map(), extra: [], powerByValue: new Map(), power: 0n };

export type TallyChange = {
  readonly tally: Tally;
  /** The pair that proves an equivocation, the first time only. */
  readonly conflict: { readonly first: SignedVote; readonly second: SignedVote } | null;
};

export const powerFor = (tally: Tally, valueId: Hash): bigint => tally.powerByValue.get(valueId) ?? 0n;

/** @param isSupported whether a value has more than 1/3 of the power already. */
export const addToTally = (
  tally: Tally,
  vote: SignedVote,
  power: bigint,
  isSupported: (power: bigint) => boolean,
): TallyChange => {
  const first = tally.first.get(vote.validator);
  if (first === undefined)
    return {
      tally: {
        ...tally,
        first: new Map(tally.first).set(vote.validator, vote),
        powerByValue: addPower(tally, vote.valueId, power),
        power: tally.power + power,
      },
      conflict: null,
    };
  if (first.valueId === vote.valueId) return { tally: withHint(tally, first, vote), conflict: null };
  const others = tally.extra.filter(({ validator }) => validator === vote.validator);
  const isKnown = others.some(({ valueId }) => valueId === vote.valueId);
  const isWanted = others.length === 0 || isSupported(powerFor(tally, vote.valueId));
  if (isKnown || !isWanted) return { tally, conflict: null };
  return {
    tally: {
      ...tally,
      extra: [...tally.extra, vote],
      powerByValue: addPower(tally, vote.valueId, power),
    },
    conflict: others.length === 0 ? { first, second: vote } : null,
  };
};

/** A vote that came without the hint of its payload gains it when it comes again with one (RULES 19). */
const withHint = (tally: Tally, known: SignedVote, vote: SignedVote): Tally =>
  known.payloadHash === null && vote.payloadHash !== null
    ? {
        ...tally,
        first: new Map(tally.first).set(vote.validator, { ...known, payloadHash: vote.payloadHash }),
      }
    : tally;

const addPower = (tally: Tally, valueId: Hash, power: bigint): ReadonlyMap<Hash, bigint> =>
  new Map(tally.powerByValue).set(valueId, powerFor(tally, valueId) + power);

export const votesIn = (tally: Tally): readonly SignedVote[] => [...tally.first.values(), ...tally.extra];

/** One vote of each validator that signed this value. */
export const votesFor = (tally: Tally, valueId: Hash): readonly SignedVote[] =>
  votesIn(tally).filter((vote) => vote.valueId === valueId);

export const hasVoted = (tally: Tally, validator: Address): boolean => tally.first.has(validator);

export const withoutValidator = (tally: Tally, validator: Address, power: bigint): Tally => {
  if (!tally.first.has(validator)) return tally;
  const isOther = (vote: SignedVote): boolean => vote.validator !== validator;
  const powerByValue = new Map(tally.powerByValue);
  for (const vote of votesIn(tally))
    if (!isOther(vote)) {
      const rest = powerFor({ ...tally, powerByValue }, vote.valueId) - power;
      if (rest > 0n) powerByValue.set(vote.valueId, rest);
      else powerByValue.delete(vote.valueId);
    }
  return {
    first: new Map([...tally.first].filter(([, vote]) => isOther(vote))),
    extra: tally.extra.filter(isOther),
    powerByValue,
    power: tally.power - power,
  };
};
