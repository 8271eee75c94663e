/** Refusals that an operator should see, as log lines with a fixed set of events; many at once are counted, not written. */
import type { RpcLogger } from '#node/rpc/dispatcher.ts';

export type SecurityEvent =
  | 'BAD_CREDENTIAL'
  | 'NOT_GRANTED'
  | 'RATE_LIMITED'
  | 'HOST_REFUSED'
  | 'ORIGIN_REFUSED'
  | 'TOO_MANY_CONNECTIONS';

export type SecurityLog = (event: SecurityEvent, fields: Readonly<Record<string, unknown>>) => void;

const WINDOW_MS = 10_000;
const MAX_LINES_PER_WINDOW = 20;

export const createSecurityLog = (logger: Pick<RpcLogger, 'warn'>, nowMs: () => number): SecurityLog => {
  let windowStartMs = nowMs();
  const counts = new Map<SecurityEvent, number>();
  return (event, fields) => {
    const now = nowMs();
    if (now - windowStartMs >= WINDOW_MS) {
      for (const [name, count] of counts)
        if (count > MAX_LINES_PER_WINDOW)
          logger.warn(
            { event: name, suppressed: count - MAX_LINES_PER_WINDOW },
            'RPC security events were not written',
          );
      counts.clear();
      windowStartMs = now;
    }
    const count = (counts.get(event) ?? 0) + 1;
    counts.set(event, count);
    if (count <= MAX_LINES_PER_WINDOW) logger.warn({ event, ...fields }, 'RPC security event');
  };
};
