/** Raises the rate until the chain no longer keeps up with it: open loop, so a rate is offered whatever comes back. */
import type { PhaseResult } from './measurePhase.ts';

/** Of what was offered in the steady window: blocks come in steps, so a little less than all of it is all of it. */
const KEPT_UP = 0.93;
const MAX_STEPS = 16;

export const keptUp = ({ offeredTps, tps, refused, transactions }: PhaseResult): boolean => {
  const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0);
  return tps >= KEPT_UP * offeredTps && refusals <= 0.01 * transactions;
};

export type Peak = {
  /** The highest rate at which the chain kept up; null when it did not even at the first. */
  readonly sustainedTps: number | null;
  /** The most that was committed a second, whether all of what was offered or not. */
  readonly mostTps: number;
  readonly steps: readonly { readonly offeredTps: number; readonly tps: number; readonly keptUp: boolean }[];
};

/** Up by `factor` until it fails, then once in the middle between the last two. */
export const findPeak = async (
  startTps: number,
  factor: number,
  runAt: (tps: number) => Promise<PhaseResult>,
): Promise<Peak> => {
  const steps: Peak['steps'][number][] = [];
  const tryAt = async (offeredTps: number): Promise<boolean> => {
    const result = await runAt(Math.round(offeredTps));
    steps.push({ offeredTps: result.offeredTps, tps: result.tps, keptUp: keptUp(result) });
    return keptUp(result);
  };
  let sustained: number | null = null;
  let failed = startTps;
  for (let rate = startTps; steps.length < MAX_STEPS; rate *= factor) {
    failed = rate;
    if (!(await tryAt(rate))) break;
    sustained = rate;
  }
  const middle = sustained === null ? failed / 2 : (sustained + failed) / 2;
  if (middle !== sustained && (await tryAt(middle))) sustained = middle;
  return {
    sustainedTps: sustained === null ? null : Math.round(sustained),
    mostTps: Math.max(...steps.map(({ tps }) => tps)),
    steps,
  };
};
