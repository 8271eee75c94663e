/**
 * Calls, estimates, traces and proofs in threads of their own: they cannot delay a vote, and none runs longer than its time.
 *
 * Owns the queue, the bounds on time and memory, and the threads. An EVM that runs cannot be asked to stop, so a call
 * over its time loses its thread, and the next call gets a new one. Threads start with the first call: a node without JSON-RPC has none.
 */
import { Worker } from 'node:worker_threads';
import type { Genesis } from '#genesis/spec.ts';
import { type CallOutcome, type CallRequest, type CallRunner, ChainError } from '#node/chain.ts';
import type { CallArgument, CallWorkerOptions } from '#node/execution/callWorker.ts';
import type { CallJob, JobOutcome } from '#node/execution/tracing/jobs.ts';
import { WorkerClient } from '#node/execution/workerProtocol.ts';

export type CallRunnerOptions = {
  readonly dataDir: string;
  readonly genesis: Genesis;
  readonly timeoutMs?: number;
  readonly threads?: number;
  /** Of one thread; what needs more loses its thread. */
  readonly maxHeapMb?: number;
};

const DEFAULT_TIMEOUT_MS = 5_000;
/** One can be busy for its whole time without stopping the others. */
const DEFAULT_THREADS = 2;
const MAX_WAITING = 1_024;
/** A trace runs a whole block again, with a listener at each step. */
const JOB_TIME_FACTOR = 3;
/** Of JavaScript objects; what the EVM's own memory may reach is bounded by gas. */
const DEFAULT_MAX_HEAP_MB = 512;
const SERVER_ERROR = -32000;

/** Why there is no answer. */
type Ended = { readonly ended: 'timeout' | 'memory' | 'busy' };
type Job = {
  readonly method: 'call' | 'estimateGas' | 'perform';
  readonly argument: unknown;
  readonly timeoutMs: number;
  resolve(outcome: unknown): void;
  reject(error: Error): void;
};
type Thread = { client: WorkerClient | null; busy: boolean };

const refusal = (code: string, message: string): CallOutcome => ({
  status: 'error',
  code,
  message,
  gasUsed: 0n,
});

const whyEnded = ({ ended }: Ended, timeoutMs: number): readonly [code: string, message: string] => {
  switch (ended) {
    case 'timeout':
      return ['TIMEOUT', `execution aborted (timeout = ${timeoutMs / 1000}s)`];
    case 'memory':
      return ['OUT_OF_MEMORY', 'execution aborted (out of memory): ask for less'];
    case 'busy':
      return ['BUSY', `more than ${MAX_WAITING} calls are waiting: try again later`];
  }
};

const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error &&
  error.cause instanceof Error &&
  (error.cause as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY';

class ThreadedCallRunner implements CallRunner {
  readonly #options: Required<CallRunnerOptions>;
  readonly #threads: Thread[];
  readonly #waiting: Job[] = [];
  #closed = false;

  constructor(options: Required<CallRunnerOptions>) {
    this.#options = options;
    this.#threads = Array.from({ length: options.threads }, () => ({ client: null, busy: false }));
  }

  call(request: CallRequest, height: bigint): Promise<CallOutcome> {
    return this.#call('call', { request, height });
  }

  estimateGas(request: CallRequest, height: bigint): Promise<CallOutcome> {
    return this.#call('estimateGas', { request, height });
  }

  async #call(method: 'call' | 'estimateGas', argument: CallArgument): Promise<CallOutcome> {
    const { timeoutMs } = this.#options;
    const outcome = await this.#enqueue<CallOutcome>(method, argument, timeoutMs);
    return 'ended' in outcome ? refusal(...whyEnded(outcome, timeoutMs)) : outcome;
  }

  async perform(job: CallJob): Promise<JobOutcome> {
    const timeoutMs = this.#options.timeoutMs * JOB_TIME_FACTOR;
    const outcome = await this.#enqueue<JobOutcome>('perform', job, timeoutMs);
    if (!('ended' in outcome)) return outcome;
    return { status: 'refused', code: SERVER_ERROR, message: whyEnded(outcome, timeoutMs)[1] };
  }

  #enqueue<T>(method: Job['method'], argument: unknown, timeoutMs: number): Promise<T | Ended> {
    if (this.#closed) return Promise.reject(new ChainError('CLOSED', 'the call runner is closed'));
    if (this.#waiting.length >= MAX_WAITING) return Promise.resolve({ ended: 'busy' });
    return new Promise((resolve, reject) => {
      const settle = (outcome: unknown): void => resolve(outcome as T | Ended);
      this.#waiting.push({ method, argument, timeoutMs, resolve: settle, reject });
      this.#next();
    });
  }

  #next(): void {
    const thread = this.#threads.find(({ busy }) => !busy);
    const job = thread === undefined ? undefined : this.#waiting.shift();
    if (thread === undefined || job === undefined) return;
    thread.busy = true;
    this.#run(thread, job)
      .finally(() => {
        thread.busy = false;
        this.#next();
      })
      .then(job.resolve, job.reject);
  }

  async #run(thread: Thread, { method, argument, timeoutMs }: Job): Promise<unknown> {
    const client = await this.#clientOf(thread);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<Ended>((resolve) => {
      timer = setTimeout(() => resolve({ ended: 'timeout' }), timeoutMs);
    });
    let outcome: unknown;
    try {
      outcome = await Promise.race([client.call(method, argument), timeout]);
    } catch (error) {
      thread.client = null; // whatever failed may have left the thread behind in a bad state
      await client.terminate();
      if (isOutOfMemory(error)) return { ended: 'memory' } satisfies Ended;
      throw error;
    } finally {
      clearTimeout(timer);
    }
    if (typeof outcome === 'object' && outcome !== null && 'ended' in outcome) {
      thread.client = null;
      await client.terminate();
    }
    return outcome;
  }

  async #clientOf(thread: Thread): Promise<WorkerClient> {
    if (this.#closed) throw new ChainError('CLOSED', 'the call runner is closed');
    if (thread.client !== null) return thread.client;
    const { dataDir, genesis, maxHeapMb } = this.#options;
    const worker = new Worker(new URL('./callWorker.ts', import.meta.url), {
      workerData: { dataDir, spec: genesis.spec } satisfies CallWorkerOptions,
      name: 'calls',
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    const client = new WorkerClient(worker, 'call');
    thread.client = client;
    try {
      await client.ready;
    } catch (error) {
      thread.client = null;
      await client.terminate();
      throw error;
    }
    return client;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#waiting.splice(0))
      job.reject(new ChainError('CLOSED', 'the call runner is closed'));
    await Promise.all(
      this.#threads.map(async (thread) => {
        const { client } = thread;
        thread.client = null;
        if (client === null) return;
        if (!thread.busy) await client.call('close', null).catch(() => {});
        await client.terminate();
      }),
    );
  }
}

/** Opens nothing yet: a thread starts with the first call. */
export const createCallRunner = (options: CallRunnerOptions): CallRunner =>
  new ThreadedCallRunner({
    timeoutMs: DEFAULT_TIMEOUT_MS,
    threads: DEFAULT_THREADS,
    maxHeapMb: DEFAULT_MAX_HEAP_MB,
    ...options,
  });
