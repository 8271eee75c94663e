/** A run of the simulator in which nothing goes wrong but what a scenario puts into it. */
import type { Plan, ValidatorPlan } from '#test/sim/plan.ts';

const SOUND: ValidatorPlan = {
  byzantine: null,
  twinOf: null,
  skewMs: 0,
  signerMs: [0, 0],
  syncMs: [0, 0],
  derivationMs: 1,
};

/** Four with equal power. @param special what is not usual about each of them */
export const quietPlan = (changes: Partial<Plan>, special: readonly Partial<ValidatorPlan>[] = []): Plan => ({
  seed: 1,
  signatures: 'secp256k1',
  heights: 12,
  faultHeights: 7,
  faultsMs: 60_000,
  blockIntervalMs: 50,
  emptyBlockIntervalMs: 100,
  transactionEveryMs: null,
  network: { delayMs: [1, 10], loss: 0, duplicate: 0 },
  validators: [0, 1, 2, 3].map((index) => ({ ...SOUND, ...special[index] })),
  epochs: [{ fromHeight: 1, powers: [1, 1, 1, 1] }],
  faults: [],
  ...changes,
});
