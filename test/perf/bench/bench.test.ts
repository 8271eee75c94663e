/**
 * The whole bench with a load that any machine carries, for a few seconds: counts and the shape of its answer alone.
 *
 * Not part of `npm test`, which measures nothing: `npm test -- test/perf` runs it.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchResult } from './result.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

const runBench = (
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      output.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output.stderr += chunk;
    });
    child.once('close', (code) => resolve({ code, ...output }));
  });

describe('npm run bench', () => {
  it('refuses an option that it does not know', async () => {
    const { code, stderr } = await runBench(['--workload', 'nonsense']);
    expect(code).toBe(2);
    expect(stderr).toContain('expected one of transfer, erc20');
  });

  it('answers with JSON alone on stdout, with every transaction committed', async () => {
    const args = ['--quick', '--workload', 'transfer,erc20', '--rate', '20', '--seconds', '8'];
    const { code, stdout, stderr } = await runBench([...args, '--json', '--no-save']);
    if (code !== 0) throw new Error(stderr);
    const result = JSON.parse(stdout) as BenchResult;
    expect(result.workloads.map(({ workload }) => workload)).toEqual(['transfer', 'erc20']);
    for (const { peak, half, search } of result.workloads) {
      expect(search).toBeNull();
      expect(half).toBeNull();
      expect(peak.missing).toBe(0);
      expect(peak.refused).toEqual({});
      expect(peak.transactions).toBeGreaterThan(0);
      expect(peak.latencyMs.count).toBe(160);
      expect(peak.cpuMsPerTransaction).toBeGreaterThan(0);
      expect(peak.writtenBytesPerTransaction).toBeGreaterThan(0);
    }
    expect(result.workloads[0]!.peak.gasPerSecond / result.workloads[0]!.peak.tps).toBeCloseTo(21_000, 3);
    expect(result.bound.tps).toBeGreaterThan(0);
    expect(result.setting).toMatchObject({ accounts: 10_000, gasLimit: 30_000_000 });
    expect(result.idleMs!.count).toBe(8);
  }, 300_000);
});
