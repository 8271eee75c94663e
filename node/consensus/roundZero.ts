/**
 * When round 0 of a height starts (RULES 17): work is waiting and the block interval has passed since the last commit,
 * or the empty-block interval has passed, or a valid message of the height came and half the block interval has passed:
 * one validator cannot make everybody hurry through heights. (Messages of more than 1/3 are the engine's, at once.)
 *
 * Owns one timer. The height's start is not the round's start, so no round timeout runs while nothing is to be done.
 */
import type { CancelTimer, Clock } from '#node/consensus/clock.ts';

export type RoundZeroOptions = { readonly blockIntervalMs: number; readonly emptyBlockIntervalMs: number };

export class RoundZero {
  readonly #options: RoundZeroOptions;
  readonly #clock: Clock;
  readonly #hasWork: () => boolean;
  readonly #start: () => void;
  #sinceMs: number | null = null;
  #isMessageHere = false;
  #cancel: CancelTimer = () => undefined;

  constructor(options: RoundZeroOptions, clock: Clock, hasWork: () => boolean, start: () => void) {
    this.#options = options;
    this.#clock = clock;
    this.#hasWork = hasWork;
    this.#start = start;
  }

  /** Waits for the height that follows the commit at `committedMs`. */
  arm(committedMs: number): void {
    this.#sinceMs = committedMs;
    this.#isMessageHere = false;
    this.check();
  }

  disarm(): void {
    this.#sinceMs = null;
    this.#cancel();
  }

  /** A valid vote or proposal of the height was taken in. */
  noteMessage(): void {
    if (this.#isMessageHere) return;
    this.#isMessageHere = true;
    this.check();
  }

  /** To be called when work arrived. */
  check(): void {
    this.#cancel();
    if (this.#sinceMs === null) return;
    const waitMs = this.#sinceMs + this.#intervalMs() - this.#clock.monotonicMs();
    if (waitMs > 0) {
      this.#cancel = this.#clock.setTimer(waitMs, () => this.check());
      return;
    }
    this.#sinceMs = null;
    this.#start();
  }

  #intervalMs(): number {
    const { blockIntervalMs, emptyBlockIntervalMs } = this.#options;
    if (this.#isMessageHere) return Math.min(blockIntervalMs / 2, emptyBlockIntervalMs);
    return this.#hasWork() ? blockIntervalMs : emptyBlockIntervalMs;
  }
}
