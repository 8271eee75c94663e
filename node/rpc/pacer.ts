/**
 * Breaks for work that would hold the thread: the chain answers reads from memory or from a synchronous database, so
 * a long loop of awaits alone never lets a vote through.
 */
import { setImmediate } from 'node:timers/promises';

const SLICE_MS = 5;

/** @returns to be awaited between steps; lets other events run when this work has had its slice of time */
export const createPacer = (): (() => Promise<void>) => {
  let startedMs = performance.now();
  return async () => {
    if (performance.now() - startedMs < SLICE_MS) return;
    await setImmediate();
    startedMs = performance.now();
  };
};
