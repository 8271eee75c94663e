/** Asking again until there is an answer, the caller gives up, or the time is over. */
import { setTimeout as delay } from 'node:timers/promises';
import { CrossingError } from '#bridge/user/errors.ts';

export type WaitOptions = {
  readonly signal?: AbortSignal;
  /** Default ten minutes. */
  readonly timeoutMs?: number;
};

/**
 * @param look null: not yet
 * @throws CrossingError TIMED_OUT, naming `what`; the signal's reason
 */
export const until = async <T>(
  what: string,
  pollMs: number,
  { signal, timeoutMs = 600_000 }: WaitOptions,
  look: () => Promise<T | null>,
): Promise<T> => {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const found = await look();
    if (found !== null) return found;
    if (Date.now() >= deadlineMs)
      throw new CrossingError(
        'TIMED_OUT',
        `expected ${what} within ${Math.round(timeoutMs / 1_000)} s: nothing is lost, ask again later with the transaction hash`,
      );
    await delay(pollMs, undefined, signal === undefined ? {} : { signal });
  }
};
