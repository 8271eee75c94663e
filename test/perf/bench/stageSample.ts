/** The stage counters of a running node, read from its `/metrics`, and what was added between two readings. Pure. */
import { STAGES, type Stage, type StageCounters } from '#node/telemetry/stages.ts';

export type StageSample = Readonly<Record<Stage, StageCounters>>;

const FIELDS = {
  causeway_stage_total: ['count', 1],
  causeway_stage_busy_seconds_total: ['busyMs', 1_000],
  causeway_stage_elapsed_seconds_total: ['elapsedMs', 1_000],
} as const;

/** A stage that the node does not tell is zero. */
export const parseStageMetrics = (text: string): StageSample => {
  const sample = Object.fromEntries(
    STAGES.map((stage) => [stage, { count: 0, busyMs: 0, elapsedMs: 0 }]),
  ) as Record<Stage, { count: number; busyMs: number; elapsedMs: number }>;
  for (const [, name, stage, value] of text.matchAll(/^(\w+)\{stage="(\w+)"\} (\S+)$/gm)) {
    const field = FIELDS[name as keyof typeof FIELDS];
    const counters = sample[stage as Stage];
    if (field !== undefined && counters !== undefined) counters[field[0]] = field[1] * Number(value);
  }
  return sample;
};

export const addedSince = (before: StageSample, after: StageSample): StageSample =>
  Object.fromEntries(
    STAGES.map((stage) => [
      stage,
      {
        count: after[stage].count - before[stage].count,
        busyMs: after[stage].busyMs - before[stage].busyMs,
        elapsedMs: after[stage].elapsedMs - before[stage].elapsedMs,
      },
    ]),
  ) as StageSample;
