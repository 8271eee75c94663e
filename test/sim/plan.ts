/**
 * What a run is: validators, their powers and faults, the network, and what goes wrong when. Plain JSON.
 *
 * Owns the shape of a plan and how one is drawn from a seed. A plan and the code give one run, to the last message;
 * what a plan does not fix (each message's delay, which bytes a torn write keeps) is drawn from streams of its seed.
 * Does not own the run (run.ts) or how a failing plan is made small (shrink.ts).
 */
import type { VoteType } from '#consensus/types.ts';
import type { ConsensusMessage } from '#node/consensus/messages.ts';
import { between, streamOf } from './streams.ts';

export type Range = readonly [min: number, max: number];

export type ValidatorPlan = {
  /** The name of a fault in test/faults, or `TWIN`; null for an honest one. */
  readonly byzantine: string | null;
  /** This is a second process with the key of that validator, which then has no power of its own; they come last. */
  readonly twinOf: number | null;
  readonly skewMs: number;
  readonly signerMs: Range;
  readonly syncMs: Range;
  readonly derivationMs: number;
};

/** A Byzantine validator as two honest processes with one key, neither of which knows of the other. */
export const TWIN = 'twin';

/** Powers by validator from this height on; 0: not a member. */
export type EpochPlan = { readonly fromHeight: number; readonly powers: readonly number[] };

/** A vote by its type, any other message by its own. */
export type MessageKind = Exclude<ConsensusMessage['type'], 'vote'> | VoteType;

/** What is left of writes that were not synced when the power goes. */
export type Keep = 'none' | 'all' | 'torn';

export type FaultPlan =
  /** At the n-th effect of this validator, counted before and after each. */
  | {
      readonly type: 'crash';
      readonly validator: number;
      readonly effect: number;
      readonly keep: Keep;
      readonly downMs: number;
    }
  /** All at once. */
  | { readonly type: 'powerCut'; readonly atMs: number; readonly keep: Keep; readonly downMs: number }
  | {
      readonly type: 'cut';
      readonly atMs: number;
      readonly forMs: number;
      readonly from: readonly number[];
      readonly to: readonly number[];
      readonly bothWays: boolean;
      /** Half of each such period it is up; null: cut throughout. */
      readonly flapMs: number | null;
    }
  | {
      readonly type: 'slowLinks' | 'slowSigner';
      readonly atMs: number;
      readonly forMs: number;
      readonly validator: number;
      readonly extraMs: number;
    }
  | {
      readonly type: 'diskFull' | 'syncFails';
      readonly atMs: number;
      readonly forMs: number;
      readonly validator: number;
    }
  /** Messages of these kinds are lost, others are not: what makes some decide, or lock, while others do not know. */
  | {
      readonly type: 'lostKinds';
      readonly atMs: number;
      readonly forMs: number;
      readonly from: readonly number[];
      readonly to: readonly number[];
      readonly kinds: readonly MessageKind[];
      /** Only votes of this validator, whoever sends them; null: any. */
      readonly signedBy: number | null;
      readonly probability: number;
    }
  | {
      readonly type: 'clockStep';
      readonly atMs: number;
      readonly validator: number;
      readonly byMs: number;
    };

export type LostKinds = Extract<FaultPlan, { type: 'lostKinds' }>;

export type Plan = {
  readonly seed: number;
  readonly signatures: 'keyedHash' | 'secp256k1';
  /** Every validator of the run that is not Byzantine has this height at its end. */
  readonly heights: number;
  /** Faults end when a validator has this height, or after `faultsMs`. */
  readonly faultHeights: number;
  readonly faultsMs: number;
  readonly blockIntervalMs: number;
  readonly emptyBlockIntervalMs: number;
  /** Null: no transactions. */
  readonly transactionEveryMs: number | null;
  readonly network: { readonly delayMs: Range; readonly loss: number; readonly duplicate: number };
  readonly validators: readonly ValidatorPlan[];
  /** The first is that of height 1. */
  readonly epochs: readonly EpochPlan[];
  readonly faults: readonly FaultPlan[];
};

export type PlanOptions = {
  readonly validators?: number;
  readonly heights?: number;
  readonly signatures?: Plan['signatures'];
  /** More than a third of the power is Byzantine: the checker must be able to see a fork. */
  readonly tooMany?: boolean;
  /** Faults to choose from for Byzantine validators; none: all are honest. */
  readonly byzantine?: readonly string[];
};

/** One run in so many has real signatures. */
const REAL_SIGNATURES_EVERY = 50;
const MAX_SKEW_MS = 5_000;

type Random = () => number;
const chance = (random: Random, probability: number): boolean => random() < probability;
const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

/** These cost ten times the messages of others, so they are drawn less often. */
const NOISY = new Set(['flooder', 'futureVoter', 'replayer']);

const drawByzantineName = (random: Random, names: readonly string[]): string => {
  const name = pick(random, names);
  return NOISY.has(name) && chance(random, 0.6) ? pick(random, names) : name;
};

const drawCount = (random: Random): number => {
  const kind = random();
  if (kind < 0.7) return 4;
  return kind < 0.9 ? between(random, 5, 7) : between(random, 8, 13);
};

const drawPowers = (random: Random, count: number): readonly number[] => {
  const kind = random();
  if (kind < 0.5) return Array.from({ length: count }, () => 1);
  const most = kind < 0.85 ? 10 : 1_000;
  return Array.from({ length: count }, () => between(random, 1, most));
};

const drawEpochs = (random: Random, count: number): readonly EpochPlan[] => {
  const epochs: EpochPlan[] = [{ fromHeight: 1, powers: drawPowers(random, count) }];
  if (!chance(random, 0.25)) return epochs;
  for (let changes = between(random, 1, 2), at = 1; changes > 0; changes--) {
    at += between(random, 3, 7);
    const powers = [...drawPowers(random, count)];
    if (count > 4 && chance(random, 0.6)) powers[between(random, 0, count - 1)] = 0;
    epochs.push({ fromHeight: at, powers });
  }
  return epochs;
};

/** Byzantine ones hold less than a third of the power in every set, or, if too many are asked for, a third or more in each. */
const drawByzantine = (
  random: Random,
  epochs: readonly EpochPlan[],
  { byzantine = [], tooMany = false }: PlanOptions,
): readonly (string | null)[] => {
  const count = epochs[0]!.powers.length;
  const chosen: (string | null)[] = Array.from({ length: count }, () => null);
  if (byzantine.length === 0 || (!tooMany && chance(random, 0.4))) return chosen;
  const isBelowThird = (): boolean =>
    epochs.every(({ powers }) => {
      const total = powers.reduce((sum, power) => sum + power, 0);
      const bad = powers.reduce((sum, power, index) => sum + (chosen[index] === null ? 0 : power), 0);
      return 3 * bad < total;
    });
  const order = Array.from({ length: count }, (_, index) => ({ index, key: random() })).sort(
    (a, b) => a.key - b.key,
  );
  for (const { index } of order) {
    if (tooMany && !isBelowThird()) break;
    chosen[index] = drawByzantineName(random, byzantine);
    if (!tooMany && !isBelowThird()) chosen[index] = null;
    if (!tooMany && chance(random, 0.3)) break;
  }
  return chosen;
};

const drawSubset = (random: Random, count: number): readonly number[] => {
  const size = between(random, 1, count - 1);
  return Array.from({ length: count }, (_, index) => ({ index, key: random() }))
    .sort((a, b) => a.key - b.key)
    .slice(0, size)
    .map(({ index }) => index)
    .sort((a, b) => a - b);
};

/** About how many effects a validator has in a height, both sides of each counted. */
const EFFECTS_PER_HEIGHT = 70;

const drawFault = (
  random: Random,
  count: number,
  { faultsMs, spanMs, heights }: { faultsMs: number; spanMs: number; heights: number },
): FaultPlan => {
  const validator = between(random, 0, count - 1);
  const atMs = between(random, 0, spanMs);
  const keep = pick(random, ['none', 'all', 'torn', 'torn'] as const);
  const downMs = chance(random, 0.7) ? between(random, 0, 500) : between(random, 500, 6_000);
  const forMs = chance(random, 0.7) ? between(random, 100, 1_500) : between(random, 1_500, faultsMs);
  const kind = random();
  if (kind < 0.4) {
    const effect = between(random, 1, EFFECTS_PER_HEIGHT * heights);
    return { type: 'crash', validator, effect, keep, downMs };
  }
  if (kind < 0.46) return { type: 'powerCut', atMs, keep, downMs };
  if (kind < 0.66) {
    const from = drawSubset(random, count);
    const to = chance(random, 0.5)
      ? Array.from({ length: count }, (_, index) => index).filter((index) => !from.includes(index))
      : drawSubset(random, count);
    const flapMs = chance(random, 0.3) ? between(random, 50, 800) : null;
    return { type: 'cut', atMs, forMs, from, to, bothWays: chance(random, 0.5), flapMs };
  }
  if (kind < 0.74) return { type: 'slowLinks', atMs, forMs, validator, extraMs: between(random, 50, 1_500) };
  if (kind < 0.82) return { type: 'slowSigner', atMs, forMs, validator, extraMs: between(random, 50, 2_000) };
  if (kind < 0.88) return { type: 'diskFull', atMs, forMs, validator };
  if (kind < 0.94) return { type: 'syncFails', atMs, forMs, validator };
  return { type: 'clockStep', atMs, validator, byMs: between(random, -MAX_SKEW_MS, MAX_SKEW_MS) };
};

const LOST_TOGETHER: readonly (readonly MessageKind[])[] = [
  ['precommit', 'certificate'],
  ['precommit'],
  ['prevote'],
  ['proposal', 'payload'],
  ['summary'],
];

type Window = { readonly atMs: number; readonly forMs: number };

/**
 * One alone decides, and some never saw what it decided, of whom one soon proposes: what locks are there for. A round
 * ends with precommits of any kind, so the others must hear each other.
 */
const drawLoneDecision = (random: Random, count: number, window: Window): readonly FaultPlan[] => {
  const all = Array.from({ length: count }, (_, index) => index);
  const lone = between(random, 0, count - 1);
  const others = all.filter((index) => index !== lone);
  const blind = others
    .map((index) => ({ index, key: random() }))
    .sort((a, b) => a.key - b.key)
    .slice(0, Math.max(1, Math.floor((count - 1) / 3)))
    .map(({ index }) => index);
  const lost = (fault: Pick<LostKinds, 'from' | 'to' | 'kinds' | 'signedBy'>): FaultPlan => ({
    type: 'lostKinds',
    ...window,
    ...fault,
    probability: 1,
  });
  return [
    lost({ from: all, to: others, kinds: ['precommit'], signedBy: lone }),
    lost({ from: [lone], to: others, kinds: ['certificate', 'summary'], signedBy: null }),
    lost({ from: all, to: blind, kinds: ['prevote'], signedBy: lone }),
    lost({ from: all, to: blind, kinds: ['proposal', 'payload'], signedBy: null }),
  ];
};

/** From a stream of their own, so that the other faults of a seed stay what they are. */
const drawLostKinds = (random: Random, count: number, spanMs: number): readonly FaultPlan[] => {
  if (chance(random, 0.5)) return [];
  return Array.from({ length: between(random, 1, 3) }).flatMap(() => {
    const atMs = between(random, 0, spanMs);
    if (chance(random, 0.5))
      return drawLoneDecision(random, count, { atMs, forMs: between(random, 2_000, 9_000) });
    const window = { atMs, forMs: between(random, 200, 4_000) };
    const kinds = pick(random, LOST_TOGETHER);
    const probability = pick(random, [0.3, 0.6, 0.9, 1]);
    const [from, to] = [drawSubset(random, count), drawSubset(random, count)];
    return [{ type: 'lostKinds' as const, ...window, from, to, kinds, signedBy: null, probability }];
  });
};

/** Half of the honest with the first of each twins, half with the second: what too many twins need for a fork. */
const cutInTwo = (validators: readonly ValidatorPlan[], faultsMs: number): FaultPlan => {
  const honest = validators.flatMap(({ byzantine }, index) => (byzantine === null ? [index] : []));
  const isSecond = (validator: ValidatorPlan, index: number): boolean =>
    validator.twinOf !== null || honest.indexOf(index) % 2 === 1;
  const indexes = validators.map((_, index) => index);
  const to = indexes.filter((index) => isSecond(validators[index]!, index));
  const from = indexes.filter((index) => !to.includes(index));
  return { type: 'cut', atMs: 0, forMs: faultsMs, from, to, bothWays: true, flapMs: null };
};

const drawValidators = (random: Random, byzantine: readonly (string | null)[]): readonly ValidatorPlan[] => {
  const isSkewed = chance(random, 0.4);
  const validators = byzantine.map(
    (fault): ValidatorPlan => ({
      byzantine: fault,
      twinOf: null,
      skewMs: isSkewed ? between(random, -MAX_SKEW_MS, MAX_SKEW_MS) : between(random, -100, 100),
      signerMs: chance(random, 0.2) ? [1, between(random, 5, 300)] : [0, 0],
      syncMs: chance(random, 0.3) ? [0, between(random, 1, 40)] : [0, 0],
      derivationMs: chance(random, 0.1) ? between(random, 5, 600) : 1,
    }),
  );
  const twins = validators.flatMap((validator, index) =>
    validator.byzantine === TWIN ? [{ ...validator, twinOf: index }] : [],
  );
  return [...validators, ...twins];
};

export const seedToPlan = (seed: number, options: PlanOptions = {}): Plan => {
  const random = streamOf(seed, 'plan');
  const count = options.validators ?? drawCount(random);
  const heights = options.heights ?? 20;
  const epochs = drawEpochs(random, count);
  const faultsMs = between(random, 3_000, 12_000);
  const byzantine = drawByzantine(streamOf(seed, 'byzantine'), epochs, options);
  const validators = drawValidators(random, byzantine);
  const slowest = pick(random, [10, 30, 80, 250]);
  const blockIntervalMs = pick(random, [50, 100, 300]);
  const emptyBlockIntervalMs = pick(random, [100, 200, 600]);
  const faultHeights = Math.max(1, heights - 5);
  const spanMs = Math.min(faultsMs, faultHeights * (blockIntervalMs + 2 * slowest));
  const faults = Array.from({ length: between(random, 1, 8) }, () =>
    drawFault(random, count, { faultsMs, spanMs, heights }),
  );
  const realByTurn = seed % REAL_SIGNATURES_EVERY === 0 ? 'secp256k1' : 'keyedHash';
  return {
    seed,
    signatures: options.signatures ?? realByTurn,
    heights,
    faultHeights,
    faultsMs,
    blockIntervalMs,
    emptyBlockIntervalMs,
    transactionEveryMs: chance(random, 0.7) ? between(random, 50, 700) : null,
    network: {
      delayMs: [1, slowest],
      loss: chance(random, 0.5) ? random() * 0.3 : 0,
      duplicate: chance(random, 0.4) ? random() * 0.3 : 0,
    },
    validators,
    epochs,
    faults: options.tooMany
      ? [cutInTwo(validators, faultsMs)]
      : [...faults, ...drawLostKinds(streamOf(seed, 'lost kinds'), count, spanMs)],
  };
};
