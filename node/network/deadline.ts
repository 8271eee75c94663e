/**
 * A time limit that costs nothing once it is not needed any more.
 *
 * `AbortSignal.timeout` cannot be taken back: each one fires in the end, with an exception that records its stack, and
 * with thousands of short conversations these alone took a tenth of a busy node's main thread.
 */
export type Deadline = {
  readonly signal: AbortSignal;
  /** Did the time run out, as opposed to one of the other signals? */
  hasPassed(): boolean;
  /** Call it when the work is over, however it ended. */
  clear(): void;
};

/** @param others end it earlier */
export const createDeadline = (timeoutMs: number, ...others: readonly AbortSignal[]): Deadline => {
  const controller = new AbortController();
  let passed = false;
  const timer = setTimeout(() => {
    passed = true;
    controller.abort(new Error(`expected an end within ${timeoutMs} ms`));
  }, timeoutMs);
  timer.unref();
  const endEarly = (event: Event): void => controller.abort((event.target as AbortSignal).reason);
  for (const other of others)
    if (other.aborted) controller.abort(other.reason);
    else other.addEventListener('abort', endEarly, { once: true });
  return {
    signal: controller.signal,
    hasPassed: () => passed,
    clear() {
      clearTimeout(timer);
      for (const other of others) other.removeEventListener('abort', endEarly);
    },
  };
};
