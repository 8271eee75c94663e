/**
 * A part's heartbeat: one run at a time, woken by events, retried after a failure, stopped cleanly.
 *
 * A part's `run` looks at the chains afresh each time, so waking it too often or too seldom is never wrong, only
 * slow. A failure is logged once per message and retried with growing delays.
 */
import { createBackOff } from '#bridge/l1/backOff.ts';
import { type Clock, describeFault, type Logger } from '#bridge/l1/ports.ts';

export interface Task {
  start(): void;
  /** Runs soon; while it runs, once more afterwards. */
  wake(): void;
  /** Resolves when a run under way has ended. */
  stop(): Promise<void>;
}

export const createTask = (
  name: string,
  /** Resolves to the delay before the next run, or null for the usual one. */
  run: () => Promise<number | null>,
  { clock, logger, intervalMs }: { clock: Clock; logger: Logger; intervalMs: number },
): Task => {
  const backOff = createBackOff(intervalMs, 30_000);
  let started = false;
  let again = false;
  let failing = false;
  let running: Promise<void> | null = null;
  let cancelTimer: (() => void) | null = null;
  let lastFault: string | null = null;

  const runOnce = async (): Promise<number> => {
    try {
      const delayMs = await run();
      lastFault = null;
      failing = false;
      return Math.min(delayMs ?? intervalMs, backOff.succeeded());
    } catch (fault) {
      failing = true;
      const reason = describeFault(fault);
      if (reason !== lastFault) logger.warn({ part: name, reason }, `${name} failed and will try again`);
      lastFault = reason;
      return backOff.failed();
    }
  };

  const begin = (): void => {
    cancelTimer?.();
    cancelTimer = null;
    again = false;
    running = runOnce().then((delayMs) => {
      running = null;
      if (!started) return;
      if (again && !failing) begin();
      else cancelTimer = clock.setTimer(begin, delayMs);
    });
  };

  return {
    start: () => {
      if (started) return;
      started = true;
      begin();
    },
    wake: () => {
      if (!started) return;
      if (running !== null) again = true;
      else if (!failing) begin(); // a failing part keeps its back-off
    },
    stop: async () => {
      started = false;
      cancelTimer?.();
      cancelTimer = null;
      await running;
    },
  };
};
