/** A bounded drill: a few of each kind of trouble. The whole one is `npm run chaos`. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DrillReport } from '#test/chaos/drill.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
/** Only a hang exceeds it; how soon is measured by `npm run chaos`. */
const RECOVERY_BOUND_MS = 60_000;

const seed = Number(process.env.CAUSEWAY_CHAOS_SEED ?? Math.floor(Math.random() * 1_000_000));

const runDrill = (
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });

test.each([
  [['--seed', 'x'], 'expected a number for --seed, found "x"'],
  [['--faults', 'thief'], 'found thief'],
  [['--links', 'strings'], 'expected namespaces or proxies'],
  [['--kill', '3'], 'usage: npm run chaos'],
])('usage error %j is answered before anything starts', async (args, message) => {
  const { code, stderr } = await runDrill(args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
});

test(`kills, a freeze, a partition, a wiped disk and an equivocator leave one chain; replay with CAUSEWAY_CHAOS_SEED=${seed} npm test -- test/chaos`, async () => {
  const { code, stdout, stderr } = await runDrill([
    ...['--seed', String(seed), '--kills', '6', '--faults', 'equivocator'],
    ...['--recovery-ms', String(RECOVERY_BOUND_MS), '--json'],
  ]);
  const report: DrillReport | null = stdout === '' ? null : JSON.parse(stdout);
  expect({ code, findings: report?.findings, stderr: code === 0 ? '' : stderr }).toEqual({
    code: 0,
    findings: [],
    stderr: '',
  });
  expect(report).toMatchObject({ kills: 6, freezes: 1, partitions: 1, wipes: 1 });
  expect(report!.transfers).toBeGreaterThan(0);
}, 420_000);
