/**
 * How long a step may take: linear in the round, capped (RULES 18).
 *
 * Owns the durations. Does not own the clock or the timers (node/consensus/). Linear growth outlasts any bounded
 * delay; the cap keeps a network that was partitioned for an hour from waiting another hour.
 */
import type { TimeoutKind } from '#consensus/engine.ts';

export type TimeoutOptions = {
  readonly proposeMs: number;
  /** Added for each round. */
  readonly proposeStepMs: number;
  readonly voteMs: number;
  readonly voteStepMs: number;
  /** At least 3 × the slowest derivation of a full block (RULES 4). */
  readonly capMs: number;
};

export const DEFAULT_TIMEOUTS: TimeoutOptions = {
  proposeMs: 1_000,
  proposeStepMs: 500,
  voteMs: 500,
  voteStepMs: 250,
  capMs: 15_000,
};

export const timeoutDurationMs = (options: TimeoutOptions, kind: TimeoutKind, round: number): number =>
  Math.min(
    options.capMs,
    kind === 'propose'
      ? options.proposeMs + options.proposeStepMs * round
      : options.voteMs + options.voteStepMs * round,
  );
