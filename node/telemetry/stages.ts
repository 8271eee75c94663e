/**
 * Where a node's time goes: one table of counters per thread, a stage of the work each, cheap enough to leave on.
 *
 * Owns the stages' names, their counters and the text of `GET /metrics`. Does not own where a stage begins: each part
 * says that in one call. Invariants: measuring changes no result and no error; counters only grow; a table is a
 * fixed number of cells. `busy` is the thread's own processor time, `elapsed` the clock's, waiting included, for a core
 * as well. Processor time costs 2 µs to read: what is done for each transaction is read every sixteenth time, and
 * counted sixteenfold.
 */
import { performance } from 'node:perf_hooks';

/** In the order of a transaction's way. */
export const STAGES = [
  'rpc',
  'admission',
  'gossip',
  'payload',
  'wal',
  'execution',
  'trie',
  'commit',
  'publication',
] as const;
export type Stage = (typeof STAGES)[number];

export type StageCounters = { readonly count: number; readonly busyMs: number; readonly elapsedMs: number };

const FIELDS = 3;
const CELL_BYTES = 8 * FIELDS * STAGES.length;
const OFFSETS = Object.fromEntries(STAGES.map((stage, index) => [stage, FIELDS * index])) as Readonly<
  Record<Stage, number>
>;

let cells: Float64Array = new Float64Array(CELL_BYTES / 8);
/** What the execution threads of this process count in; only they write. */
const workerBuffer = new SharedArrayBuffer(CELL_BYTES);
const workerCells = new Float64Array(workerBuffer);

/** For the `workerData` of the execution thread. */
export const stageBuffer = (): SharedArrayBuffer => workerBuffer;

/** From now on this thread counts where its parent reads. */
export const countStagesIn = (buffer: SharedArrayBuffer): void => {
  cells = new Float64Array(buffer);
};

const add = (stage: Stage, busyMs: number, elapsedMs: number): void => {
  const at = OFFSETS[stage];
  cells[at]! += 1;
  cells[at + 1]! += busyMs;
  cells[at + 2]! += elapsedMs;
};

/** Node 23.9 and later tell a thread's own time; before that the clock has to do. */
const threadCpuMs = (): number | null => {
  if (process.threadCpuUsage === undefined) return null;
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/** Times what is done in one piece, a few times a block. */
export const measurePiece = <T>(stage: Stage, work: () => T): T => {
  const started = performance.now();
  const cpuStarted = threadCpuMs();
  try {
    return work();
  } finally {
    const elapsedMs = performance.now() - started;
    const cpuMs = threadCpuMs();
    add(stage, cpuStarted === null || cpuMs === null ? elapsedMs : cpuMs - cpuStarted, elapsedMs);
  }
};

const SAMPLED = 16;
let calls = 0;

/** Times what is done in one piece for each transaction or request. */
export const measureOften = <T>(stage: Stage, work: () => T): T => {
  const isSampled = ++calls % SAMPLED === 0;
  const cpuStarted = isSampled ? threadCpuMs() : null;
  const started = performance.now();
  try {
    return work();
  } finally {
    const elapsedMs = performance.now() - started;
    const cpuMs = isSampled ? threadCpuMs() : null;
    add(stage, cpuStarted === null || cpuMs === null ? 0 : SAMPLED * (cpuMs - cpuStarted), elapsedMs);
  }
};

/** Times what a thread does alone until it is done, its reads included: a block's execution, a commit. */
export const measureAlone = async <T>(stage: Stage, work: () => Promise<T>): Promise<T> => {
  const started = performance.now();
  const cpuStarted = threadCpuMs();
  try {
    return await work();
  } finally {
    const elapsedMs = performance.now() - started;
    const cpuMs = threadCpuMs();
    add(stage, cpuStarted === null || cpuMs === null ? elapsedMs : cpuMs - cpuStarted, elapsedMs);
  }
};

/** Times what waits for others most of the time: nothing of it counts as busy. */
export const measureWait = async <T>(stage: Stage, work: () => Promise<T>): Promise<T> => {
  const started = performance.now();
  try {
    return await work();
  } finally {
    add(stage, 0, performance.now() - started);
  }
};

const read = (from: Float64Array, stage: Stage): StageCounters => {
  const at = OFFSETS[stage];
  return { count: from[at]!, busyMs: from[at + 1]!, elapsedMs: from[at + 2]! };
};

/** Of this thread and of the execution threads, since the process began. */
export const readStages = (): Readonly<Record<Stage, StageCounters>> =>
  Object.fromEntries(
    STAGES.map((stage) => {
      const [own, worker] = [read(cells, stage), read(workerCells, stage)];
      return [
        stage,
        {
          count: own.count + worker.count,
          busyMs: own.busyMs + worker.busyMs,
          elapsedMs: own.elapsedMs + worker.elapsedMs,
        },
      ];
    }),
  ) as Record<Stage, StageCounters>;

const METRICS = [
  ['causeway_stage_total', 'How often a stage was gone through.', ({ count }: StageCounters) => count],
  [
    'causeway_stage_busy_seconds_total',
    'Processor time of a stage.',
    ({ busyMs }: StageCounters) => busyMs / 1_000,
  ],
  [
    'causeway_stage_elapsed_seconds_total',
    'Time that a stage took, waiting included.',
    ({ elapsedMs }: StageCounters) => elapsedMs / 1_000,
  ],
] as const;

/** In Prometheus' text format. */
export const stageMetrics = (): string => {
  const stages = readStages();
  return METRICS.flatMap(([name, help, amountOf]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} counter`,
    ...STAGES.map((stage) => `${name}{stage="${stage}"} ${amountOf(stages[stage])}`),
    '',
  ])
    .filter((line) => line !== '')
    .concat('')
    .join('\n');
};
