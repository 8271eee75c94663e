/**
 * What bridge/ needs from its host besides chains and keys: time and a log.
 *
 * The composition root hands both in, so that tests own time and nothing here opens a log file.
 */

export interface Clock {
  /** Host milliseconds; only differences mean anything. */
  nowMs(): number;
  /** @returns a function that cancels the call */
  setTimer(run: () => void, delayMs: number): () => void;
}

/** pino's shape: fields first, then the message. `error` is for what an operator must act on (an alarm). */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  setTimer: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** The message of whatever was thrown, on one line: viem's errors span many. */
export const describeFault = (fault: unknown): string => {
  const text =
    fault instanceof Error
      ? ((fault as { shortMessage?: string }).shortMessage ?? fault.message)
      : String(fault);
  const details = (fault as { details?: unknown } | null)?.details;
  const whole = typeof details === 'string' && !text.includes(details) ? `${text} (${details})` : text;
  return whole.replace(/\s+/g, ' ').slice(0, 400);
};
