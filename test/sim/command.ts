/**
 * The simulator's command line: one run, or many until a count or a time is reached.
 *
 * Owns options and what is printed. Exit code 0: no violation (with `--too-many`: a fork was found), 1 otherwise, 2 for
 * options that mean nothing.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { FAULTS } from '#test/faults/faults.ts';
import { explore } from './explore.ts';
import { keepFailure } from './failures.ts';
import { type Plan, type PlanOptions, seedToPlan, TWIN } from './plan.ts';
import { type RunResult, runPlan } from './run.ts';
import { shrinkPlan } from './shrink.ts';

const USAGE = `usage: npm run sim -- [options]
  --seed N            one run; prints its hash
  --plan FILE         one run of a kept plan (test/sim/failures/)
  --trace             prints every event of that run
  --shrink            when that run fails: makes its plan small and keeps it
  --show-plan         prints that run's plan and does not run it
  --runs M            that many runs from --first-seed on (default 100)
  --minutes T         as many runs as fit
  --first-seed S      default 1
  --workers W         processes (default 1)
  --failures DIR      where shrunk plans of failing seeds are kept (default test/sim/failures)
  --validators N      always so many
  --heights H         committed heights of a run (default 20)
  --signatures NAME   keyedHash or secp256k1, for every run
  --honest            no Byzantine validators
  --too-many          a third of the power or more is Byzantine: succeeds when a fork is found
  --json              one JSON object at the end`;

const OPTIONS = {
  seed: { type: 'string' },
  plan: { type: 'string' },
  trace: { type: 'boolean' },
  shrink: { type: 'boolean' },
  'show-plan': { type: 'boolean' },
  runs: { type: 'string' },
  minutes: { type: 'string' },
  'first-seed': { type: 'string' },
  stride: { type: 'string' },
  workers: { type: 'string' },
  failures: { type: 'string' },
  validators: { type: 'string' },
  heights: { type: 'string' },
  signatures: { type: 'string' },
  honest: { type: 'boolean' },
  'too-many': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

class UsageError extends Error {}

const wholeNumber = (name: string, text: string | undefined, min: number, max: number): number | null => {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new UsageError(`--${name}: expected a whole number from ${min} to ${max}, found "${text}"`);
  return value;
};

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
};

const MAX_SEED = 2 ** 31 - 1;
const planOptionsOf = (values: ReturnType<typeof parse>): PlanOptions => {
  const validators = wholeNumber('validators', values.validators, 4, 64);
  const heights = wholeNumber('heights', values.heights, 2, 10_000);
  const { signatures } = values;
  if (signatures !== undefined && signatures !== 'keyedHash' && signatures !== 'secp256k1')
    throw new UsageError(`--signatures: expected keyedHash or secp256k1, found "${signatures}"`);
  const tooMany = values['too-many'] === true;
  return {
    byzantine: values.honest ? [] : tooMany ? [TWIN] : [...Object.keys(FAULTS), TWIN].sort(),
    tooMany,
    ...(validators === null ? {} : { validators }),
    ...(heights === null ? {} : { heights }),
    ...(signatures === undefined ? {} : { signatures }),
  };
};

export const describeResult = (result: RunResult): string =>
  [
    `seed ${result.seed}: ${result.violation === null ? 'holds' : `${result.violation.code}: ${result.violation.message}`}`,
    `  hash ${result.hash}`,
    `  ${result.heights} heights, highest round ${result.maxRound}, ${result.events} events in ${(result.virtualMs / 1_000).toFixed(1)} s of virtual time`,
    `  ${result.crashes} crashes, ${result.starts} starts, ${result.dropped} of ${result.messages} messages lost, ${result.refusals} disk faults, ${result.syncs} syncs`,
    `  Byzantine: ${result.byzantine.length === 0 ? 'none' : result.byzantine.join(', ')}; evidence ${result.evidence}`,
  ].join('\n');

const readPlan = (file: string): Plan => {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { plan: Plan }).plan;
  } catch (error) {
    throw new UsageError(`--plan: expected a kept plan in ${file}, found ${(error as Error).message}`);
  }
};

const runOne = async (plan: Plan, values: ReturnType<typeof parse>): Promise<number> => {
  if (values['show-plan']) {
    console.log(JSON.stringify({ plan }, null, 2));
    return 0;
  }
  const result = await runPlan(plan, values.trace ? (line) => console.log(line) : null);
  console.log(values.json ? JSON.stringify(result) : describeResult(result));
  if (values.shrink && result.violation !== null) {
    const small = await shrinkPlan(plan, result.violation.code);
    console.error(`kept in ${await keepFailure(small, values.failures ?? null)}`);
  }
  const isExpected = values['too-many'] ? result.violation?.code === 'FORK' : result.violation === null;
  return isExpected ? 0 : 1;
};

export const runCommand = async (args: readonly string[]): Promise<number> => {
  try {
    const values = parse(args);
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const options = planOptionsOf(values);
    const seed = wholeNumber('seed', values.seed, 0, MAX_SEED);
    if (values.plan !== undefined) return await runOne(readPlan(values.plan), values);
    if (seed !== null) return await runOne(seedToPlan(seed, options), values);
    const minutes = values.minutes === undefined ? null : Number(values.minutes);
    if (minutes !== null && !(minutes > 0))
      throw new UsageError(`--minutes: expected a number above 0, found "${values.minutes}"`);
    return await explore(
      {
        firstSeed: wholeNumber('first-seed', values['first-seed'], 0, MAX_SEED) ?? 1,
        stride: wholeNumber('stride', values.stride, 1, 1_024) ?? 1,
        runs: wholeNumber('runs', values.runs, 1, MAX_SEED) ?? (minutes === null ? 100 : null),
        minutes,
        workers: wholeNumber('workers', values.workers, 1, 64) ?? 1,
        failures: values.failures ?? null,
        json: values.json === true,
        planOptions: options,
      },
      args,
    );
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return 2;
  }
};
