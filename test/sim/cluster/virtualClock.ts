/**
 * Time that moves only when the test says so; timers run in order of time, then of setting.
 *
 * Owns a heap of timers and the settling between them. Settling is a tick of Node's own queue: it comes when every
 * promise that can settle has, so what runs between two timers depends on nothing outside.
 */
import type { Clock } from '#node/consensus/clock.ts';

type Timer = { readonly atMs: number; readonly order: number; run: (() => void) | null };

/** Lets every promise that can settle do so: Node empties the queue of promises before it takes the next tick. */
export const settlePromises = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

const isBefore = (a: Timer, b: Timer): boolean => (a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order);

/** How many timers run before the event loop has its turn: signals and pipes are served in between. */
const TIMERS_PER_TURN = 4_096;

export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  /** A binary heap; cancelled timers stay in it until they come up. */
  readonly #heap: Timer[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, run: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#push(timer);
    return () => {
      timer.run = null;
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
      if (!this.runNext(endMs)) break;
      await settlePromises();
    }
    if (!isDone()) this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  /** As `advance` with a bound in absolute time, faster, and without moving past the last timer. */
  drive(untilMs: number, isDone: () => boolean): Promise<void> {
    let ran = 0;
    return new Promise((resolve, reject) => {
      // A tick that is asked for by another tick would come before the promises, one asked for by a promise after them.
      const settle = (): void => process.nextTick(step);
      const step = (): void => {
        try {
          if (isDone() || !this.runNext(untilMs)) resolve();
          else if (++ran % TIMERS_PER_TURN === 0) setImmediate(step);
          else queueMicrotask(settle);
        } catch (error) {
          reject(error);
        }
      };
      queueMicrotask(settle);
    });
  }

  /** @returns false when no timer is due by then */
  runNext(untilMs: number): boolean {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      if (next.run === null) continue;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      return true;
    }
    return false;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
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
