/** Time that moves only when the test says so; timers run in order of time, then of setting. */
import type { Clock } from '#node/consensus/clock.ts';

type Timer = { readonly atMs: number; readonly order: number; readonly run: () => void };

/** Lets every promise that can settle do so. */
export const settlePromises = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  #timers: Timer[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Time passes without any timer having had a chance to run: a blocked thread. */
  block(ms: number): void {
    this.#nowMs += ms;
  }

  async advance(ms: number, isDone: () => boolean = () => false): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settlePromises();
    while (!isDone()) {
      const next = this.#timers.reduce<Timer | null>(
        (best, timer) =>
          best === null || timer.atMs < best.atMs || (timer.atMs === best.atMs && timer.order < best.order)
            ? timer
            : best,
        null,
      );
      if (next === null || next.atMs > endMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      await settlePromises();
    }
    if (!isDone()) this.#nowMs = Math.max(this.#nowMs, endMs);
  }
}

/** mulberry32: small, seeded, the same everywhere. @returns [0, 1) */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};
