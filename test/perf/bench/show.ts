/** A result as people read it. */
import type { Change } from './compare.ts';
import type { BenchResult, ShownPhase } from './result.ts';

const round = (value: number, digits = 0): number => Number(value.toFixed(digits));

const latency = ({ p50, p95, p99 }: ShownPhase['latencyMs']): string =>
  [p50, p95, p99].map((ms) => round(ms)).join(' / ');

const phaseRow = (workload: string, phase: ShownPhase) => ({
  workload,
  'offered TPS': phase.offeredTps,
  TPS: round(phase.tps),
  '% of bound': round(phase.percentOfBound, 1),
  'Mgas/s': round(phase.gasPerSecond / 1e6, 1),
  'p50 / p95 / p99 ms': latency(phase.latencyMs),
  'block ms': round(phase.blockIntervalMs.p50),
  'CPU ms/tx/node': round(phase.cpuMsPerTransaction, 3),
  'cores allow TPS': round(phase.coresAllowTps),
  'others, cores': round(phase.othersCores, 2),
  'RSS MiB': round(phase.rssMib),
  'B written/tx': round(phase.writtenBytesPerTransaction),
  refused: Object.values(phase.refused).reduce((sum, count) => sum + count, 0),
  missing: phase.missing,
});

const tableText = (rows: readonly Record<string, string | number>[]): string => {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]!.length)));
  return cells.map((row) => row.map((cell, index) => cell.padStart(widths[index]!)).join('  ')).join('\n');
};

export const resultText = (result: BenchResult): string => {
  const { machine, setting, bound, workloads, idleMs } = result;
  const lines = [
    `${machine.cores} cores (${machine.model}), load ${machine.loadBefore.join(' ')} before the start, Node ${machine.node}, revision ${result.revision}`,
    `${setting.accounts} accounts, gas limit ${setting.gasLimit / 1e6} M, block interval ${setting.blockIntervalMs} ms, by ${setting.transport}${setting.profiled ? ', profiled' : ''}`,
    `bound: ${round(bound.secondsPerRecover * 1e6, 1)} µs a recovery, ${machine.cores} / (4 × that) = ${round(bound.tps)} TPS`,
    '',
    'at the peak',
    tableText(workloads.map(({ workload, peak }) => phaseRow(workload, peak))),
  ];
  const halves = workloads.flatMap(({ workload, half }) => (half === null ? [] : [phaseRow(workload, half)]));
  if (halves.length > 0) lines.push('', 'at half the peak', tableText(halves));
  if (idleMs !== null)
    lines.push(
      '',
      `idle, one transaction at a time: p50 ${round(idleMs.p50)} ms, p95 ${round(idleMs.p95)} ms, ${idleMs.count} samples`,
    );
  for (const { workload, bottleneck, stages, profile } of workloads) {
    lines.push('', `${workload}: ${bottleneck}`);
    lines.push(
      `  µs a transaction and node: ${stages.map(({ stage, busyUsPerTransaction }) => `${stage} ${round(busyUsPerTransaction)}`).join(', ')}`,
    );
    const first = Object.entries(profile ?? {})[0];
    if (first === undefined) continue;
    for (const [thread, { totalMs, stages: byStage, functions }] of Object.entries(first[1])) {
      const shares = Object.entries(byStage)
        .sort(([, a], [, b]) => b - a)
        .map(([stage, ms]) => `${stage} ${round((100 * ms) / totalMs, 1)} %`);
      lines.push(`  ${first[0]}, ${thread} thread: ${shares.join(', ')}`);
      for (const { name, selfMs } of functions.slice(0, 12))
        lines.push(`    ${String(round((100 * selfMs) / totalMs, 1)).padStart(5)} %  ${name}`);
    }
  }
  return lines.join('\n');
};

export const changesText = (changes: readonly Change[]): string =>
  tableText(
    changes.map(({ name, before, after, factor, verdict }) => ({
      figure: name,
      before: round(before, 2),
      after: round(after, 2),
      '×': round(factor, 2),
      verdict,
    })),
  );
