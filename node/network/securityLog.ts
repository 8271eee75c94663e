/**
 * What strangers and bad peers do, as log lines that they cannot multiply.
 *
 * Owns the rate: one line per event and source in `quietMs`, which then says how many it stands for, and a bound on
 * all lines together. Invariant: the table of sources is bounded.
 */
import type { Logger } from '#node/network/logger.ts';
import { createTokenBucket } from '#node/network/tokenBucket.ts';

export type SecurityLog = (
  level: 'debug' | 'info' | 'warn',
  event: string,
  source: string,
  fields: Readonly<Record<string, unknown>>,
  message: string,
) => void;

const QUIET_MS = 10_000;
const MAX_SOURCES = 1_024;
const LINES = { perSecond: 2, burst: 60 };

export const createSecurityLog = (logger: Logger, nowMs: () => number, quietMs = QUIET_MS): SecurityLog => {
  const sources = new Map<string, { nextMs: number; unsaid: number }>();
  const lines = createTokenBucket(LINES, nowMs);
  let unsaidOfOthers = 0;

  return (level, event, source, fields, message) => {
    const key = `${event} ${source}`;
    const now = nowMs();
    const entry = sources.get(key);
    if (entry !== undefined && now < entry.nextMs) {
      entry.unsaid++;
      return;
    }
    if (!lines.take(1)) {
      unsaidOfOthers++;
      return;
    }
    if (entry === undefined && sources.size >= MAX_SOURCES) sources.delete(sources.keys().next().value!);
    sources.set(key, { nextMs: now + quietMs, unsaid: 0 });
    const repeated = entry?.unsaid ?? 0;
    logger[level](
      {
        event,
        ...fields,
        ...(repeated > 0 ? { alsoUnsaid: repeated } : {}),
        ...(unsaidOfOthers > 0 ? { otherLinesUnsaid: unsaidOfOthers } : {}),
      },
      message,
    );
    unsaidOfOthers = 0;
  };
};
