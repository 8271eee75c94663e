/** Memory and timers of faults, bounded: a fault must not be what fills the process that plays it. */
import type { CancelTimer, Clock } from '#node/consensus/clock.ts';

/** A map that forgets its oldest entries. */
export class Recent<V> {
  readonly #entries = new Map<string, V>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): V {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value!);
    return value;
  }

  values(): readonly V[] {
    return [...this.#entries.values()];
  }
}

/** So many times a second: two faults that answer each other must not do so without end. */
export class Allowance {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #second = Number.NEGATIVE_INFINITY;
  #taken = 0;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  take(): boolean {
    const second = Math.floor(this.#clock.nowMs() / 1_000);
    if (second !== this.#second) this.#taken = 0;
    this.#second = second;
    return this.#taken++ < this.#perSecond;
  }
}

const MAX_TIMERS = 256;

export class FaultTimers {
  readonly #clock: Clock;
  readonly #timers = new Set<CancelTimer>();
  #isStopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  after(delayMs: number, run: () => void): void {
    if (this.#isStopped || this.#timers.size >= MAX_TIMERS) return;
    const cancel = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(cancel);
      if (!this.#isStopped) run();
    });
    this.#timers.add(cancel);
  }

  every(intervalMs: number, run: () => void): void {
    this.after(intervalMs, () => {
      run();
      this.every(intervalMs, run);
    });
  }

  readonly stop = (): void => {
    this.#isStopped = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  };
}
