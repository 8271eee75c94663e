/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { TRANSPORTS, type Transport } from './generatorProtocol.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

export const USAGE = `usage: npm run bench -- [options]
  --quick             transfers and ERC-20 alone, short windows: under 4 minutes, with the start
  --workload LIST     of ${WORKLOADS.join(', ')}; all of them unless told
  --state SIZE        accounts in the state: 10k (default), 1m, or a number; built once, kept in the system's cache
  --transport NAME    ws (default) or batch: at most 50 transactions a message; http: a request for each
  --rate TPS          this rate instead of the search for the peak
  --seconds N         of the steady window, 30 unless told
  --runs N            of the steady window; figures are those of the median run
  --profile           where the processor's time goes, by stage and by function; halves the throughput by itself
  --compare FILE      an earlier result; exit 1 when something got slower
  --json              the result on stdout
  --no-save           do not keep the result under test/perf/results`;

export type BenchOptions = {
  readonly quick: boolean;
  readonly workloads: readonly Workload[];
  readonly accounts: number;
  readonly transport: Transport;
  readonly rate: number | null;
  readonly warmUpMs: number;
  readonly steadyMs: number;
  readonly halfMs: number;
  readonly stepMs: number;
  readonly stepFactor: number;
  readonly idleSamples: number;
  readonly runs: number;
  readonly profile: boolean;
  readonly compare: string | null;
  readonly json: boolean;
  readonly save: boolean;
};

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const SIZES: Readonly<Record<string, number>> = { '10k': 10_000, '1m': 1_000_000 };

const parsePositive = (name: string, text: string): number => {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new UsageError(`expected a positive number for --${name}, found "${text}"`);
  return value;
};

const parseMember = <T extends string>(name: string, text: string, members: readonly T[]): T => {
  const found = members.find((member) => member === text);
  if (found === undefined)
    throw new UsageError(`expected one of ${members.join(', ')} for --${name}, found "${text}"`);
  return found;
};

/** @throws UsageError, and what node:util says of unknown options */
export const parseOptions = (args: readonly string[]): BenchOptions => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      workload: { type: 'string' },
      state: { type: 'string', default: '10k' },
      transport: { type: 'string', default: 'ws' },
      rate: { type: 'string' },
      seconds: { type: 'string' },
      runs: { type: 'string', default: '1' },
      profile: { type: 'boolean', default: false },
      compare: { type: 'string' },
      json: { type: 'boolean', default: false },
      'no-save': { type: 'boolean', default: false },
    },
  });
  const { quick } = values;
  const usual: readonly Workload[] = quick ? ['transfer', 'erc20'] : WORKLOADS;
  const seconds = values.seconds === undefined ? null : parsePositive('seconds', values.seconds);
  return {
    quick,
    workloads:
      values.workload?.split(',').map((name) => parseMember('workload', name.trim(), WORKLOADS)) ?? usual,
    accounts: SIZES[values.state.toLowerCase()] ?? Math.ceil(parsePositive('state', values.state)),
    transport: parseMember('transport', values.transport, TRANSPORTS),
    rate: values.rate === undefined ? null : parsePositive('rate', values.rate),
    // V8 has compiled what is hot after half a minute, not before
    warmUpMs: quick ? 5_000 : 30_000,
    steadyMs: 1_000 * (seconds ?? (quick ? 12 : 30)),
    halfMs: 1_000 * (seconds ?? (quick ? 10 : 30)),
    stepMs: quick ? 4_000 : 6_000,
    stepFactor: quick ? 1.5 : 1.25,
    idleSamples: quick ? 8 : 30,
    runs: Math.ceil(parsePositive('runs', values.runs)),
    profile: values.profile,
    compare: values.compare ?? null,
    json: values.json,
    save: !values['no-save'],
  };
};
