/** What a run of the bench found, as it is kept, compared and shown. Pure. */
import { recoverBound, type Summary } from './arithmetic.ts';
import type { Figure } from './compare.ts';
import type { ThreadProfile } from './cpuProfile.ts';
import type { Peak } from './findPeak.ts';
import type { PhaseResult } from './measurePhase.ts';

export type ShownPhase = Omit<PhaseResult, 'window' | 'stages' | 'nodes'> & {
  readonly percentOfBound: number;
};

export type WorkloadResult = {
  readonly workload: string;
  /** Null when the rate was given. */
  readonly search: Peak | null;
  /** At the highest rate that the chain kept up with. */
  readonly peak: ShownPhase;
  readonly runsTps: readonly number[];
  /** At half of it; null when the rate was given. */
  readonly half: ShownPhase | null;
  readonly stages: readonly { readonly stage: string; readonly busyUsPerTransaction: number }[];
  readonly threads: readonly Readonly<Record<string, number>>[];
  readonly bottleneck: string;
  /** By validator and thread, with `--profile`. */
  readonly profile?: Readonly<Record<string, Readonly<Record<string, ThreadProfile>>>>;
};

export type BenchResult = {
  readonly format: 1;
  readonly date: string;
  readonly revision: string;
  readonly machine: {
    readonly cores: number;
    readonly model: string;
    readonly memoryGib: number;
    readonly node: string;
    /** Before the start, without us. */
    readonly loadBefore: readonly number[];
  };
  readonly setting: {
    readonly accounts: number;
    readonly transport: string;
    readonly gasLimit: number;
    readonly blockIntervalMs: number;
    readonly profiled: boolean;
  };
  readonly bound: { readonly secondsPerRecover: number; readonly tps: number };
  readonly workloads: readonly WorkloadResult[];
  /** One transaction at a time on an idle network. */
  readonly idleMs: Summary | null;
};

export const boundOf = (cores: number, secondsPerRecover: number): BenchResult['bound'] => ({
  secondsPerRecover,
  tps: recoverBound(cores, secondsPerRecover),
});

export const showPhase = (
  { window: _, stages: __, nodes: ___, ...phase }: PhaseResult,
  bound: number,
): ShownPhase => ({
  ...phase,
  percentOfBound: (100 * phase.tps) / bound,
});

/** In terms of the machine itself wherever it can be: shares of the bound, and recoveries. */
export const figuresOf = ({ bound, workloads, idleMs }: BenchResult): readonly Figure[] => [
  ...workloads.flatMap(({ workload, peak, half }): Figure[] => [
    { name: `${workload}: % of the bound`, value: peak.percentOfBound, better: 'higher' },
    {
      name: `${workload}: processor time a transaction and node, in recoveries`,
      value: peak.cpuMsPerTransaction / 1_000 / bound.secondsPerRecover,
      better: 'lower',
    },
    {
      name: `${workload}: bytes written a transaction`,
      value: peak.writtenBytesPerTransaction,
      better: 'lower',
    },
    { name: `${workload}: RSS, MiB`, value: peak.rssMib, better: 'lower' },
    ...(half === null
      ? []
      : [
          {
            name: `${workload}: p50 at half the peak, ms`,
            value: half.latencyMs.p50,
            better: 'lower' as const,
          },
          {
            name: `${workload}: p99 at half the peak, ms`,
            value: half.latencyMs.p99,
            better: 'lower' as const,
          },
        ]),
  ]),
  ...(idleMs === null ? [] : [{ name: 'idle: p50, ms', value: idleMs.p50, better: 'lower' as const }]),
];
