/**
 * One phase of load on a cluster and what it cost: the generator's report, and the difference of what the kernel and
 * the nodes said when its steady window began and when it ended.
 */
import { type Summary, summarise, type Throughput, throughputBetween } from './arithmetic.ts';
import type { Cluster } from './cluster.ts';
import type { GeneratorClient } from './generatorClient.ts';
import type { PhasePlan } from './generatorProtocol.ts';
import { machineBusyMs, type ProcessSample, sampleProcess } from './procStats.ts';
import { addedSince, type StageSample } from './stageSample.ts';

export type NodeCost = {
  readonly cpuMs: number;
  readonly threadCpuMs: Readonly<Record<string, number>>;
  readonly rssBytes: number;
  readonly writtenBytes: number;
};

export type PhaseResult = {
  readonly workload: string;
  readonly transport: string;
  readonly offeredTps: number;
  readonly seconds: number;
  readonly tps: number;
  readonly gasPerSecond: number;
  readonly transactions: number;
  readonly blocks: number;
  readonly blockIntervalMs: Summary;
  readonly latencyMs: Summary;
  readonly refused: Readonly<Record<string, number>>;
  readonly missing: number;
  readonly backlogAtEnd: number;
  readonly latestSendMs: number;
  /** Of each node. */
  readonly cpuMsPerTransaction: number;
  readonly generatorCpuMsPerTransaction: number;
  /** What all cores could commit at this cost if nothing else ran and nothing waited: an estimate, not a measurement. */
  readonly coresAllowTps: number;
  /** Cores that processes other than ours kept busy meanwhile: above a few tenths, the throughput is not ours. */
  readonly othersCores: number;
  readonly writtenBytesPerTransaction: number;
  readonly rssMib: number;
  readonly nodes: readonly NodeCost[];
  readonly stages: readonly StageSample[];
  /** By the clock of processor profiles, for finding this window in them; microseconds. */
  readonly window: { readonly fromUs: number; readonly toUs: number };
};

const clockUs = (): number => Number(process.hrtime.bigint() / 1_000n);

const costBetween = (before: ProcessSample, after: ProcessSample): NodeCost => ({
  cpuMs: after.cpuMs - before.cpuMs,
  threadCpuMs: Object.fromEntries(
    Object.entries(after.threadCpuMs).map(([name, ms]) => [name, ms - (before.threadCpuMs[name] ?? 0)]),
  ),
  rssBytes: after.rssBytes,
  writtenBytes: after.writtenBytes - before.writtenBytes,
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

type Reading = {
  readonly processes: readonly ProcessSample[];
  readonly generator: ProcessSample;
  readonly machineMs: number;
  readonly stages: Promise<readonly StageSample[]>;
  readonly atUs: number;
};

/** A window without a block: a chain that stands still has a throughput, and it is this one. */
const NOTHING_CAME: Throughput = {
  transactions: 0,
  tps: 0,
  gasPerSecond: 0,
  blocks: 0,
  intervalMs: summarise([]),
};

/** @throws when a node or the generator failed */
export const measurePhase = async (
  cluster: Cluster,
  generator: GeneratorClient,
  plan: PhasePlan,
  cores: number,
): Promise<PhaseResult> => {
  const readings: Reading[] = [];
  const take = (): void => {
    readings.push({
      processes: cluster.sample(),
      generator: sampleProcess(generator.pid()),
      machineMs: machineBusyMs(),
      stages: cluster.stages(),
      atUs: clockUs(),
    });
  };
  const report = await generator.run(plan, { steady: take, sent: take });
  cluster.requireAlive();
  const [start, end] = readings as [Reading, Reading];
  const seen = throughputBetween(report.blocks, report.fromMs, report.toMs) ?? NOTHING_CAME;
  const nodes = start.processes.map((before, index) => costBetween(before, end.processes[index]!));
  const [stagesBefore, stagesAfter] = [await start.stages, await end.stages];
  // the kernel's window is a little longer or shorter than that of the blocks
  const windowSeconds = (end.atUs - start.atUs) / 1e6;
  const nodesMs = nodes.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  const generatorMs = end.generator.cpuMs - start.generator.cpuMs;
  const inWindow = Math.max(1, seen.tps * windowSeconds);
  return {
    workload: plan.workload,
    transport: plan.transport,
    offeredTps: plan.ratePerSecond,
    seconds: plan.steadyMs / 1_000,
    tps: seen.tps,
    gasPerSecond: seen.gasPerSecond,
    transactions: seen.transactions,
    blocks: seen.blocks,
    blockIntervalMs: seen.intervalMs,
    latencyMs: report.latencyMs,
    refused: report.refused,
    missing: report.missing,
    backlogAtEnd: report.backlogAtEnd,
    latestSendMs: report.latestSendMs,
    cpuMsPerTransaction: nodesMs / nodes.length / inWindow,
    generatorCpuMsPerTransaction: generatorMs / inWindow,
    coresAllowTps: (1_000 * cores * inWindow) / (nodesMs + generatorMs),
    othersCores: (end.machineMs - start.machineMs - nodesMs - generatorMs) / 1_000 / windowSeconds,
    writtenBytesPerTransaction: mean(nodes.map(({ writtenBytes }) => writtenBytes)) / inWindow,
    rssMib: Math.max(...nodes.map(({ rssBytes }) => rssBytes)) / 1024 ** 2,
    nodes,
    stages: stagesBefore.map((before, index) => addedSince(before, stagesAfter[index]!)),
    window: { fromUs: start.atUs, toUs: end.atUs },
  };
};
