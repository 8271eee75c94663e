/**
 * `npm run bench`: how much the chain commits, how soon, and what it costs, against the bound that signatures set.
 *
 * Four validators as real processes, a load generator as another, all on this machine. For each workload: the highest
 * rate that the chain keeps up with, a steady window at it, and latency at half of it; then single transactions on the
 * idle network. The bound is measured right before, by the node's own recovery code. README.md says how to read it.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import { loadConfig } from '#node/config.ts';
import { VALIDATORS } from '#test/e2e/support/devnet.ts';
import { summarise } from './arithmetic.ts';
import { type BaseState, prepareBaseState, SENDER_COUNT } from './baseState.ts';
import { nameBottleneck, stageRows } from './bottleneck.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { compareFigures } from './compare.ts';
import { readProfiles } from './cpuProfile.ts';
import { findPeak } from './findPeak.ts';
import { GeneratorClient } from './generatorClient.ts';
import { measurePhase, type PhaseResult } from './measurePhase.ts';
import { type BenchOptions, parseOptions, USAGE } from './options.ts';
import { barsToSvg } from './plot.ts';
import { type BenchResult, boundOf, figuresOf, showPhase, type WorkloadResult } from './result.ts';
import { changesText, resultText } from './show.ts';
import type { Workload } from './workloads.ts';

const RESULTS = fileURLToPath(new URL('../results', import.meta.url));
const run = promisify(execFile);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Of the bound: where the search begins. */
const START_SHARE: Readonly<Record<Workload, number>> = {
  transfer: 0.06,
  erc20: 0.03,
  storage: 0.004,
  compute: 0.004,
  mix: 0.02,
};

/** Of the bound: code that never ran is slow, and the first rounds that time out hold their transactions back. */
const WARM_UP_SHARES = [0.01, 0.03];

const measureRecover = async (): Promise<number> => {
  const script = fileURLToPath(new URL('recover.ts', import.meta.url));
  const { stdout } = await run(process.execPath, [script]);
  return (JSON.parse(stdout) as { secondsPerRecover: number }).secondsPerRecover;
};

const revision = (): string => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
};

type Bench = {
  readonly options: BenchOptions;
  readonly cluster: Cluster;
  readonly generator: GeneratorClient;
  readonly boundTps: number;
  readonly cores: number;
};

/** Recipients of one phase are nobody's of another. */
let phases = 0;

const runPhase = (
  { options, cluster, generator, cores }: Bench,
  workload: Workload,
  ratePerSecond: number,
  times: { readonly warmUpMs: number; readonly steadyMs: number },
): Promise<PhaseResult> =>
  measurePhase(
    cluster,
    generator,
    {
      seed: `${process.pid}-${phases++}`,
      workload,
      transport: options.transport,
      ratePerSecond,
      ...times,
    },
    cores,
  );

const progress = ({ workload, offeredTps, tps, seconds, othersCores, coresAllowTps }: PhaseResult): string =>
  `  ${workload}: ${offeredTps} TPS offered for ${seconds} s, ${tps.toFixed(0)} committed; others used ${othersCores.toFixed(2)} cores; alone, the cores would allow ${coresAllowTps.toFixed(0)}`;

type Measured = Omit<WorkloadResult, 'profile'> & { readonly window: PhaseResult['window'] };

const measureWorkload = async (bench: Bench, workload: Workload): Promise<Measured> => {
  const { options, boundTps, cores } = bench;
  const { warmUpMs, steadyMs, halfMs, stepMs, stepFactor, runs } = options;
  const search =
    options.rate !== null
      ? null
      : await findPeak(START_SHARE[workload] * boundTps, stepFactor, async (tps) => {
          const step = await runPhase(bench, workload, tps, { warmUpMs: 2_000, steadyMs: stepMs });
          say(progress(step));
          return step;
        });
  const rate = options.rate ?? search!.sustainedTps ?? Math.max(1, Math.round(search!.mostTps));
  const results: PhaseResult[] = [];
  for (let index = 0; index < runs; index++) {
    const result = await runPhase(bench, workload, rate, { warmUpMs, steadyMs });
    say(progress(result));
    results.push(result);
  }
  const inOrder = [...results].sort((a, b) => a.tps - b.tps);
  const peak = inOrder[inOrder.length >> 1]!;
  const half =
    options.rate !== null
      ? null
      : await runPhase(bench, workload, Math.max(1, Math.round(peak.tps / 2)), {
          warmUpMs,
          steadyMs: halfMs,
        });
  return {
    workload,
    search,
    peak: showPhase(peak, boundTps),
    runsTps: results.map(({ tps }) => tps),
    half: half === null ? null : showPhase(half, boundTps),
    stages: stageRows(peak),
    threads: peak.nodes.map(({ threadCpuMs }) => threadCpuMs),
    bottleneck: nameBottleneck(peak, cores),
    window: peak.window,
  };
};

const measureAll = async (options: BenchOptions, base: BaseState): Promise<BenchResult> => {
  const cores = availableParallelism();
  const loadBefore = loadavg().map((load) => Number(load.toFixed(2)));
  const bound = boundOf(cores, await measureRecover());
  say(`bound: ${(bound.secondsPerRecover * 1e6).toFixed(1)} µs a recovery, ${bound.tps.toFixed(0)} TPS`);
  const profileFolder = options.profile ? mkdtempSync(join(tmpdir(), 'causeway-profile-')) : null;
  const cluster = await startCluster(base, { profileFolder });
  say('four validators commit');
  let generator: GeneratorClient | null = null;
  const measured: Measured[] = [];
  let idleMs: BenchResult['idleMs'] = null;
  try {
    const { spec } = base.genesis;
    generator = await GeneratorClient.start({
      urls: cluster.urls,
      chainId: spec.chainId.toString(),
      baseFeeWei: spec.feePolicy.baseFeeWei.toString(),
      contracts: base.contracts,
      senders: SENDER_COUNT,
    });
    const bench: Bench = { options, cluster, generator, boundTps: bound.tps, cores };
    for (const share of WARM_UP_SHARES)
      await runPhase(
        bench,
        'transfer',
        Math.max(1, Math.round(Math.min(share * bound.tps, options.rate ?? Infinity))),
        {
          warmUpMs: 2_000,
          steadyMs: options.stepMs,
        },
      );
    if (options.idleSamples > 0) idleMs = summarise(await generator.idle(options.idleSamples));
    for (const workload of options.workloads) measured.push(await measureWorkload(bench, workload));
    const config = await loadConfig(nodeFiles(devnetLayout(cluster.folder), VALIDATORS[0]).config);
    await cluster.stop();
    return {
      format: 1,
      date: new Date().toISOString(),
      revision: revision(),
      machine: {
        cores,
        model: cpus()[0]?.model ?? 'unknown',
        memoryGib: Math.round(totalmem() / 1024 ** 3),
        node: process.version,
        loadBefore,
      },
      setting: {
        accounts: base.accounts,
        transport: options.transport,
        gasLimit: Number(spec.blockGasLimit),
        blockIntervalMs: config.consensus.blockIntervalMs,
        profiled: options.profile,
      },
      bound,
      workloads: measured.map(({ window, ...result }) =>
        profileFolder === null
          ? result
          : {
              ...result,
              profile: Object.fromEntries(
                VALIDATORS.map((name) => [
                  name,
                  readProfiles(join(profileFolder, name), window.fromUs, window.toUs),
                ]),
              ),
            },
      ),
      idleMs,
    };
  } finally {
    generator?.stop();
    await cluster.stop();
    cluster.dispose();
    if (profileFolder !== null) rmSync(profileFolder, { recursive: true, force: true });
  }
};

const save = (result: BenchResult): string => {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `bench-${result.date.replace(/[:.]/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  const svg = barsToSvg(
    'Committed transactions a second',
    result.workloads.map(({ workload, peak }) => ({
      label: workload,
      value: peak.tps,
      note: `${peak.tps.toFixed(0)} TPS, ${peak.percentOfBound.toFixed(1)} % of the bound`,
    })),
    { label: `bound ${result.bound.tps.toFixed(0)}`, value: result.bound.tps },
  );
  writeFileSync(file.replace(/\.json$/, '.svg'), svg);
  return file;
};

const main = async (): Promise<void> => {
  const args = process.argv.slice(2);
  if (args.includes('--help')) return say(USAGE);
  const options = parseOptions(args);
  const older =
    options.compare === null
      ? null
      : (JSON.parse(readFileSync(resolve(options.compare), 'utf8')) as BenchResult);
  const result = await measureAll(options, await prepareBaseState(options.accounts, say));
  if (options.save) say(`kept: ${save(result)}`);
  if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else process.stdout.write(`${resultText(result)}\n`);
  if (older === null) return;
  const changes = compareFigures(figuresOf(older), figuresOf(result));
  say(`\nagainst ${older.revision} of ${older.date}\n${changesText(changes)}`);
  if (changes.some(({ verdict }) => verdict === 'slower')) process.exitCode = 1;
};

await main().catch((error: unknown) => {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 2;
});
// sockets of a cluster that failed must not keep this process
process.exit();
