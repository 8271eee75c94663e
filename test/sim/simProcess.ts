/**
 * One run of one validator's process, as far as its ports see it: alive or not, and how many effects it has had.
 *
 * Every effect asks twice, before and after; the crash of a plan comes at one of these answers. A dead process cannot
 * be told from one that lost power: its ports do nothing and its promises never settle.
 */

export type SimProcess = {
  readonly index: number;
  readonly name: string;
  isAlive: boolean;
};

/** Of a process that is no more. */
export const never = <T>(): Promise<T> => new Promise(() => undefined);

export class EffectCounter {
  /** Over all runs of this validator's process. */
  count = 0;
  /** Ascending. */
  #crashesAt: number[] = [];
  readonly #crash: (effect: number) => void;

  constructor(crashesAt: readonly number[], crash: (effect: number) => void) {
    this.#crashesAt = [...crashesAt].sort((a, b) => a - b);
    this.#crash = crash;
  }

  /** @returns false when the process is dead, or dies here: the effect does not happen, or nothing follows it */
  pass(process: SimProcess): boolean {
    if (!process.isAlive) return false;
    this.count++;
    if (this.#crashesAt.length === 0 || this.count < this.#crashesAt[0]!) return true;
    this.#crashesAt.shift();
    this.#crash(this.count);
    return process.isAlive;
  }

  disarm(): void {
    this.#crashesAt = [];
  }
}
