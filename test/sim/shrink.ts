/**
 * Makes a failing plan small: takes out one thing after the other while the run still fails in the same way.
 *
 * Greedy, and bounded in runs. Nothing else than the plan changes, and what the rest of it draws stays as it was, because
 * every part draws from its own stream (streams.ts).
 */
import type { ViolationCode } from './checker.ts';
import type { FaultPlan, Plan } from './plan.ts';
import { runPlan } from './run.ts';

const MAX_RUNS = 200;

const withoutFaults = (plan: Plan): readonly Plan[] => [
  ...(plan.faults.length > 3 ? halves(plan.faults).map((faults) => ({ ...plan, faults })) : []),
  ...plan.faults.map((_, index) => ({ ...plan, faults: plan.faults.toSpliced(index, 1) })),
];

const halves = <T>(all: readonly T[]): readonly (readonly T[])[] => {
  const middle = all.length >> 1;
  return [all.slice(0, middle), all.slice(middle)];
};

const withoutByzantine = (plan: Plan): readonly Plan[] =>
  plan.validators.flatMap(({ byzantine }, index) =>
    byzantine === null
      ? []
      : [
          {
            ...plan,
            validators: plan.validators.with(index, { ...plan.validators[index]!, byzantine: null }),
          },
        ],
  );

const SMALLEST = 4;

/** Without the last validator, when nothing that goes wrong is about it alone. */
const withoutLast = (plan: Plan): readonly Plan[] => {
  const last = plan.validators.length - 1;
  if (last < SMALLEST) return [];
  const isOf = (fault: FaultPlan): boolean =>
    ('validator' in fault && fault.validator === last) ||
    (fault.type === 'lostKinds' && fault.signedBy === last);
  const without = (indexes: readonly number[]): readonly number[] =>
    indexes.filter((index) => index !== last);
  return [
    {
      ...plan,
      validators: plan.validators.slice(0, last),
      epochs: plan.epochs.map((epoch) => ({ ...epoch, powers: epoch.powers.slice(0, last) })), // a twin has none
      faults: plan.faults
        .filter((fault) => !isOf(fault))
        .map((fault) =>
          'from' in fault ? { ...fault, from: without(fault.from), to: without(fault.to) } : fault,
        ),
    },
  ].filter(({ epochs }) => epochs.every(({ powers }) => powers.some((power) => power > 0)));
};

const calmer = (plan: Plan): readonly Plan[] => {
  const everywhere = (change: Partial<Plan['validators'][number]>): Plan => ({
    ...plan,
    validators: plan.validators.map((validator) => ({ ...validator, ...change })),
  });
  return [
    { ...plan, epochs: plan.epochs.slice(0, 1) },
    {
      ...plan,
      epochs: plan.epochs.map((epoch) => ({
        ...epoch,
        powers: epoch.powers.map((power) => Math.min(power, 1)),
      })),
    },
    { ...plan, network: { ...plan.network, loss: 0 } },
    { ...plan, network: { ...plan.network, duplicate: 0 } },
    { ...plan, network: { ...plan.network, delayMs: [1, 1] as const } },
    { ...plan, transactionEveryMs: null },
    everywhere({ skewMs: 0 }),
    everywhere({ signerMs: [0, 0] }),
    everywhere({ syncMs: [0, 0] }),
    everywhere({ derivationMs: 1 }),
  ];
};

const shorter = (plan: Plan): readonly Plan[] =>
  [1, 2, 4, 8]
    .filter((heights) => heights < plan.faultHeights)
    .map((heights) => ({ ...plan, faultHeights: heights, heights: heights + 5 }));

const candidatesOf = (plan: Plan): readonly Plan[] =>
  [
    ...withoutFaults(plan),
    ...withoutByzantine(plan),
    ...withoutLast(plan),
    ...shorter(plan),
    ...calmer(plan),
  ].filter((candidate) => JSON.stringify(candidate) !== JSON.stringify(plan));

/** @returns a plan that fails with this code, from which nothing can be taken any more */
export const shrinkPlan = async (plan: Plan, code: ViolationCode): Promise<Plan> => {
  let smallest = plan;
  let runs = 0;
  for (let isSmaller = true; isSmaller && runs < MAX_RUNS; ) {
    isSmaller = false;
    for (const candidate of candidatesOf(smallest)) {
      if (runs++ >= MAX_RUNS) break;
      if ((await runPlan(candidate)).violation?.code !== code) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
};
