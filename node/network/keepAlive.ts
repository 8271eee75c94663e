/**
 * Notices a peer that is connected but gone: stopped, unplugged, or stuck.
 *
 * Asks on every connection, and closes the ones that do not answer in time. A pause of this process itself (a
 * stopped process, a suspended machine) makes every answer late, so a failure right after one does not count.
 */
import type { Connection } from '@libp2p/interface';

export type KeepAliveOptions = {
  readonly intervalMs: number;
  readonly connections: () => readonly Connection[];
  /** Rejects when there was no answer in time. */
  readonly ping: (connection: Connection) => Promise<unknown>;
  readonly onAnswer?: (connection: Connection, roundTripMs: number) => void;
  readonly onDead: (connection: Connection, reason: unknown) => void;
};

export const createKeepAlive = (options: KeepAliveOptions) => {
  const { intervalMs, connections, ping, onAnswer, onDead } = options;
  const asked = new WeakSet<Connection>();
  let timer: NodeJS.Timeout | null = null;
  let lastTickMs = 0;
  let lastPauseMs = Number.NEGATIVE_INFINITY;

  const check = async (connection: Connection): Promise<void> => {
    const startedMs = performance.now();
    asked.add(connection);
    try {
      await ping(connection);
      onAnswer?.(connection, performance.now() - startedMs);
    } catch (error) {
      // answers that came while we were paused are read before this runs
      await new Promise((resolve) => setImmediate(resolve));
      notePause();
      if (lastPauseMs < startedMs && connection.status === 'open') onDead(connection, error);
    } finally {
      asked.delete(connection);
    }
  };

  const notePause = (): void => {
    const now = performance.now();
    if (now - lastTickMs > 1.5 * intervalMs) lastPauseMs = now;
  };

  const tick = (): void => {
    notePause();
    lastTickMs = performance.now();
    for (const connection of connections()) if (!asked.has(connection)) void check(connection);
  };

  return {
    start(): void {
      lastTickMs = performance.now();
      timer = setInterval(tick, intervalMs);
    },
    stop(): void {
      if (timer !== null) clearInterval(timer);
    },
  };
};
