/**
 * How long to wait before asking again: the normal pace after a success, doubling after each failure.
 *
 * Covers 429, time-outs and refused connections alike; nothing is lost by waiting, because every read starts from
 * what is known already.
 */
export type BackOff = {
  /** @returns the delay before the next attempt */
  failed(): number;
  succeeded(): number;
};

export const createBackOff = (paceMs: number, capMs: number): BackOff => {
  let failures = 0;
  return {
    failed: () => Math.min(Math.max(paceMs, 1) * 2 ** Math.min(++failures, 20), Math.max(capMs, paceMs)),
    succeeded: () => {
      failures = 0;
      return paceMs;
    },
  };
};
