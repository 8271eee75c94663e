/**
 * Many runs: seed after seed, in one process or several, with progress, counts and the seeds that failed.
 *
 * Owns the count and the clock on the wall; a run itself knows neither. A failing seed is shrunk and kept at once.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { keepFailure } from './failures.ts';
import { type PlanOptions, seedToPlan } from './plan.ts';
import { type RunResult, runPlan } from './run.ts';
import { shrinkPlan } from './shrink.ts';

export type ExploreOptions = {
  readonly firstSeed: number;
  /** From one seed to the next: how workers share the seeds. */
  readonly stride: number;
  readonly runs: number | null;
  readonly minutes: number | null;
  readonly workers: number;
  readonly failures: string | null;
  readonly json: boolean;
  readonly planOptions: PlanOptions;
};

type Failure = {
  readonly seed: number;
  readonly code: string;
  readonly message: string;
  readonly file: string;
};

type Totals = {
  runs: number;
  heights: number;
  crashes: number;
  messages: number;
  byzantineRuns: number;
  cpuMs: number;
  failures: Failure[];
};

const EMPTY = (): Totals => ({
  runs: 0,
  heights: 0,
  crashes: 0,
  messages: 0,
  byzantineRuns: 0,
  cpuMs: 0,
  failures: [],
});

const PROGRESS_EVERY_MS = 5_000;
/** A bug that every seed shows need not be found a thousand times. */
const MAX_FAILURES = 20;

const replayOf = ({ file }: Failure): string => `npm run sim -- --plan ${file} --trace`;

const describeProgress = (totals: Totals, wallMs: number): string => {
  const perMinute = (ms: number): string => (ms === 0 ? '0' : ((totals.runs * 60_000) / ms).toFixed(0));
  return `${totals.runs} runs, ${perMinute(wallMs)} a minute (${perMinute(totals.cpuMs)} a minute of processor time), ${totals.heights} heights, ${totals.crashes} crashes, ${totals.byzantineRuns} with Byzantine validators, ${totals.failures.length} failed`;
};

const add = (totals: Totals, result: RunResult): void => {
  totals.runs++;
  totals.heights += result.heights;
  totals.crashes += result.crashes;
  totals.messages += result.messages;
  if (result.byzantine.length > 0) totals.byzantineRuns++;
};

const isFailure = ({ violation }: RunResult, tooMany: boolean): boolean =>
  tooMany ? violation?.code === 'FORK' : violation !== null;

const exploreHere = async (options: ExploreOptions, say: (line: string) => void): Promise<Totals> => {
  const totals = EMPTY();
  const began = Date.now();
  const cpuBegan = process.cpuUsage();
  const tooMany = options.planOptions.tooMany === true;
  let toldMs = began;
  const isDone = (): boolean =>
    (options.runs !== null && totals.runs >= options.runs) ||
    (options.minutes !== null && Date.now() - began >= options.minutes * 60_000) ||
    totals.failures.length >= (tooMany ? 1 : MAX_FAILURES);
  for (let seed = options.firstSeed; !isDone(); seed += options.stride) {
    const plan = seedToPlan(seed, options.planOptions);
    const result = await runPlan(plan);
    add(totals, result);
    const { user, system } = process.cpuUsage(cpuBegan);
    totals.cpuMs = Math.round((user + system) / 1_000);
    if (isFailure(result, tooMany)) {
      const { code, message } = result.violation!;
      say(`seed ${seed} failed: ${code}: ${message}`);
      const small = tooMany ? plan : await shrinkPlan(plan, code);
      const file = tooMany ? '' : await keepFailure(small, options.failures);
      totals.failures.push({ seed, code, message, file });
      say(
        tooMany
          ? `  replay: npm run sim -- --too-many --seed ${seed} --trace`
          : `  replay: npm run sim -- --seed ${seed}; small: ${replayOf(totals.failures.at(-1)!)}`,
      );
    }
    if (Date.now() - toldMs < PROGRESS_EVERY_MS) continue;
    toldMs = Date.now();
    say(`seed ${seed}: ${describeProgress(totals, toldMs - began)}`);
  }
  return totals;
};

/** Options that a worker gets its own of. */
const OF_PARENT = new Set(['--workers', '--first-seed', '--runs', '--stride']);

const withoutParents = (args: readonly string[]): readonly string[] =>
  args.filter((arg, at) => {
    const [name] = arg.split('=');
    return !OF_PARENT.has(name!) && !(OF_PARENT.has(args[at - 1] ?? '') && !arg.startsWith('--'));
  });

const exploreInWorker = (
  options: ExploreOptions,
  index: number,
  args: readonly string[],
  say: (line: string) => void,
): Promise<Totals> =>
  new Promise((resolve, reject) => {
    const share =
      options.runs === null ? [] : ['--runs', String(Math.ceil((options.runs - index) / options.workers))];
    const own = [
      '--first-seed',
      String(options.firstSeed + index),
      '--stride',
      String(options.workers),
      ...share,
    ];
    const main = fileURLToPath(new URL('./main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, ...withoutParents(args), ...own, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let last = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      last = line;
    });
    createInterface({ input: child.stderr }).on('line', (line) => say(`worker ${index + 1}: ${line}`));
    child.on('error', reject);
    child.on('close', () => {
      try {
        resolve(JSON.parse(last) as Totals);
      } catch {
        reject(new Error(`worker ${index + 1} left no result, found "${last}"`));
      }
    });
  });

/** @param args as given on the command line: workers get the same. @returns the exit code */
export const explore = async (options: ExploreOptions, args: readonly string[]): Promise<number> => {
  const say = (line: string): void => (options.json ? console.error(line) : console.log(line));
  const began = Date.now();
  const shares =
    options.workers === 1
      ? [await exploreHere(options, say)]
      : await Promise.all(
          Array.from({ length: options.workers }, (_, index) => exploreInWorker(options, index, args, say)),
        );
  const totals = shares.reduce((sum, share) => ({
    runs: sum.runs + share.runs,
    heights: sum.heights + share.heights,
    crashes: sum.crashes + share.crashes,
    messages: sum.messages + share.messages,
    byzantineRuns: sum.byzantineRuns + share.byzantineRuns,
    cpuMs: sum.cpuMs + share.cpuMs,
    failures: [...sum.failures, ...share.failures],
  }));
  const wallMs = Date.now() - began;
  if (options.json) console.log(JSON.stringify({ ...totals, wallMs }));
  else {
    console.log(describeProgress(totals, wallMs));
    for (const failure of totals.failures) console.log(`seed ${failure.seed}: ${failure.code}`);
  }
  const tooMany = options.planOptions.tooMany === true;
  return totals.failures.length > 0 === tooMany ? 0 : 1;
};
