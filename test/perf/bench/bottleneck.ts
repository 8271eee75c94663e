/** Which stage costs most, from a node's own counters and from what the kernel says of its threads. Pure. */
import { STAGES, type Stage } from '#node/telemetry/stages.ts';
import type { PhaseResult } from './measurePhase.ts';

export type StageRow = {
  readonly stage: string;
  readonly busyUsPerTransaction: number;
  /** Of the process's processor time. */
  readonly sharePercent: number;
  readonly elapsedMsPerBlock: number;
};

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The mean node. `execution` is without its `trie` here, and what no stage counts is `the rest`. */
export const stageRows = (result: PhaseResult): readonly StageRow[] => {
  const cpuMs = mean(result.nodes.map((node) => node.cpuMs));
  const transactions = Math.max(1, result.cpuMsPerTransaction > 0 ? cpuMs / result.cpuMsPerTransaction : 0);
  const blocks = Math.max(1, result.blocks);
  const busyOf = (stage: Stage): number => mean(result.stages.map((sample) => sample[stage].busyMs));
  const elapsedOf = (stage: Stage): number => mean(result.stages.map((sample) => sample[stage].elapsedMs));
  const own = (of: (stage: Stage) => number, stage: Stage): number =>
    stage === 'execution' ? Math.max(0, of('execution') - of('trie')) : of(stage);
  const row = (stage: string, busyMs: number, elapsedMs: number): StageRow => ({
    stage,
    busyUsPerTransaction: (1_000 * busyMs) / transactions,
    sharePercent: (100 * busyMs) / Math.max(1, cpuMs),
    elapsedMsPerBlock: elapsedMs / blocks,
  });
  const rows = STAGES.map((stage) => row(stage, own(busyOf, stage), own(elapsedOf, stage)));
  const counted = STAGES.reduce((sum, stage) => sum + own(busyOf, stage), 0);
  return [...rows, row('the rest', Math.max(0, cpuMs - counted), 0)].sort(
    (a, b) => b.busyUsPerTransaction - a.busyUsPerTransaction,
  );
};

/** One sentence: what costs most, and what the cores did. */
export const nameBottleneck = (result: PhaseResult, cores: number): string => {
  const rows = stageRows(result);
  const first = rows.find(({ stage }) => stage !== 'the rest') ?? rows[0]!;
  const rest = rows.find(({ stage }) => stage === 'the rest');
  const usedCores = result.nodes.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / (1_000 * result.seconds);
  const outside =
    rest !== undefined && rest.busyUsPerTransaction > first.busyUsPerTransaction
      ? `; outside the counted stages (network, HTTP, garbage collection) ${rest.busyUsPerTransaction.toFixed(0)} µs`
      : '';
  return `next bottleneck: ${first.stage}, ${first.busyUsPerTransaction.toFixed(0)} µs a transaction and node (${first.sharePercent.toFixed(0)} %)${outside}; the nodes used ${usedCores.toFixed(2)} of ${cores} cores`;
};
