/**
 * Time as consensus sees it: an argument, so that a simulator can drive it.
 *
 * Owns the interface and the real clock. Nothing else in this folder reads the time or sets a timer.
 */

export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Runs `run` once, not before `delayMs`. */
  setTimer(delayMs: number, run: () => void): CancelTimer;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  setTimer: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
