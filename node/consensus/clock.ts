/**
 * Time as consensus sees it: an argument, so that a simulator can drive it.
 *
 * Owns the interface and the real clock. Nothing else in this folder reads the time or sets a timer.
 */

export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds since 1970, for timestamps only: an operator or NTP may set it forwards or back at any moment. */
  nowMs(): number;
  /** Milliseconds since some moment, for whatever is measured or waited for: never set, never going back. */
  monotonicMs(): number;
  /** Runs `run` once, not before `delayMs`. */
  setTimer(delayMs: number, run: () => void): CancelTimer;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
