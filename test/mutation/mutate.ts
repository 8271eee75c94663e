/**
 * `npm run mutation`: breaks one line at a time in a copy of the repository and demands that a test fails.
 *
 * usage: mutate.ts [--check] [--sample N] [--only TEXT] [--workers N] [--json]
 * `--check` only holds that each mutation still has its line; `--sample N` takes N of them,
 * evenly spread. Exit code 0: all caught; 1: a mutation survived or lost its line; 2: usage.
 *
 * The copy is made afresh in a temporary folder, so that a run that is killed never leaves a broken line behind.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MUTATIONS, type Mutation } from '#test/mutation/mutations.ts';
import { testsFor } from '#test/mutation/testsFor.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const COPIED = ['consensus', 'bridge', 'genesis', 'node', 'cli', 'test', 'package.json', 'tsconfig.json'];
/** A mutation may loop for ever; a test that does not end has caught it, and says so. */
const TEST_LIMIT_MS = 300_000;

type Outcome = 'caught' | 'does not end' | 'survived';
type Result = { readonly mutation: Mutation; readonly outcome: Outcome; readonly seconds: number };

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const occurrences = (text: string, part: string): number => text.split(part).length - 1;

const lostLines = (mutations: readonly Mutation[]): readonly Mutation[] =>
  mutations.filter(
    ({ file, find, replace }) =>
      find === replace || occurrences(readFileSync(join(ROOT, file), 'utf8'), find) !== 1,
  );

const createCopy = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-mutation-'));
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
};

type Verdict = 'passes' | 'fails' | 'does not end';

const runTests = (folder: string, patterns: readonly string[]): Promise<Verdict> =>
  new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [
        '--experimental-vm-modules',
        '--disable-warning=ExperimentalWarning',
        join('node_modules', 'jest', 'bin', 'jest.js'),
        '--runInBand',
        '--bail=1',
        '--silent',
        '--forceExit',
        '--testTimeout=20000',
        ...patterns,
      ],
      // A mutated run must not wait for more than the first few seeds.
      { cwd: folder, stdio: 'ignore', env: { ...process.env, CONSENSUS_RUNS: '20' } },
    );
    let isEndless = false;
    const limit = setTimeout(() => {
      isEndless = true;
      child.kill('SIGKILL');
    }, TEST_LIMIT_MS);
    child.on('close', (code) => {
      clearTimeout(limit);
      resolve(isEndless ? 'does not end' : code === 0 ? 'passes' : 'fails');
    });
  });

const OUTCOMES: Readonly<Record<Verdict, Outcome>> = {
  passes: 'survived',
  fails: 'caught',
  'does not end': 'does not end',
};

const tryMutation = async (folder: string, mutation: Mutation): Promise<Result> => {
  const path = join(folder, mutation.file);
  const text = readFileSync(path, 'utf8');
  const started = performance.now();
  try {
    writeFileSync(
      path,
      text.replace(mutation.find, () => mutation.replace),
    );
    const verdict = await runTests(folder, testsFor(mutation.file));
    const seconds = Math.round((performance.now() - started) / 1_000);
    return { mutation, outcome: OUTCOMES[verdict], seconds };
  } finally {
    writeFileSync(path, text);
  }
};

const runAll = async (mutations: readonly Mutation[], workers: number): Promise<readonly Result[]> => {
  const queue = [...mutations];
  const results: Result[] = [];
  const work = async (): Promise<void> => {
    const folder = createCopy();
    try {
      for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
        const result = await tryMutation(folder, mutation);
        results.push(result);
        const mark = result.outcome === 'survived' ? '✗' : '✓';
        say(
          `${mark} ${results.length}/${mutations.length} ${mutation.file}: ${mutation.name} – ${result.outcome} (${result.seconds} s)`,
        );
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, mutations.length) }, work));
  return results;
};

/** The tests must pass before anything is broken, or everything would count as caught. */
const provePassing = async (mutations: readonly Mutation[]): Promise<boolean> => {
  const patterns = [...new Set(mutations.flatMap(({ file }) => testsFor(file)))];
  const folder = createCopy();
  try {
    return (await runTests(folder, patterns)) === 'passes';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Evenly spread, so that each file has its share; the same ones every time. */
const sampleOf = (mutations: readonly Mutation[], count: number): readonly Mutation[] =>
  Array.from(
    { length: Math.min(count, mutations.length) },
    (_, index) => mutations[Math.floor((index * mutations.length) / count)]!,
  );

const parseOptions = () => {
  try {
    const { values } = parseArgs({
      options: {
        check: { type: 'boolean', default: false },
        sample: { type: 'string' },
        only: { type: 'string' },
        workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
        json: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    say(
      `${(error as Error).message}\nusage: mutate.ts [--check] [--sample N] [--only TEXT] [--workers N] [--json]`,
    );
    process.exit(2);
  }
};

const main = async (): Promise<void> => {
  const { check, sample, only, workers, json } = parseOptions();
  const named = MUTATIONS.filter(({ file, name }) => only === undefined || `${file} ${name}`.includes(only));
  const lost = lostLines(named);
  for (const { file, name } of lost)
    say(
      `✗ ${file}: ${name} – its line is not there exactly once: bring test/mutation/mutations.ts up to date`,
    );
  if (check || lost.length > 0 || named.length === 0) {
    say(`${named.length} mutations, ${lost.length} lost their line`);
    process.exit(lost.length === 0 && named.length > 0 ? 0 : 1);
  }
  const chosen = sample === undefined ? named : sampleOf(named, Number(sample));
  if (!(await provePassing(chosen))) {
    say('✗ the tests fail before anything is broken');
    process.exit(1);
  }
  const results = await runAll(chosen, Number(workers));
  const survivors = results.filter(({ outcome }) => outcome === 'survived');
  const summary = { mutations: results.length, caught: results.length - survivors.length };
  if (json)
    process.stdout.write(
      `${JSON.stringify({ ...summary, survivors: survivors.map(({ mutation }) => mutation) })}\n`,
    );
  say(`${summary.mutations} mutations, ${summary.caught} caught, ${survivors.length} survived`);
  process.exit(survivors.length === 0 ? 0 : 1);
};

await main();
