/**
 * Calls and estimates in threads of their own: they cannot delay a vote, and none runs longer than its time.
 *
 * Owns the queue, the bound on time and the threads. An EVM that runs cannot be asked to stop, so a call over its time
 * loses its thread, and the next call gets a new one. Threads start with the first call: a node without JSON-RPC has none.
 */
import { Worker } from 'node:worker_threads';
import type { Genesis } from '#genesis/spec.ts';
import { type CallOutcome, type CallRequest, type CallRunner, ChainError } from '#node/chain.ts';
import type { CallArgument } from '#node/execution/callWorker.ts';
import { WorkerClient } from '#node/execution/workerProtocol.ts';

export type CallRunnerOptions = {
  readonly dataDir: string;
  readonly genesis: Genesis;
  readonly timeoutMs?: number;
  readonly threads?: number;
};

const DEFAULT_TIMEOUT_MS = 5_000;
/** One can be busy for its whole time without stopping the others. */
const DEFAULT_THREADS = 2;
const MAX_WAITING = 1_024;

type Method = 'call' | 'estimateGas';
type Job = {
  readonly method: Method;
  readonly argument: CallArgument;
  resolve(outcome: CallOutcome): void;
  reject(error: Error): void;
};
type Thread = { client: WorkerClient | null; busy: boolean };

const refusal = (code: string, message: string): CallOutcome => ({
  status: 'error',
  code,
  message,
  gasUsed: 0n,
});

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
    return this.#enqueue('call', { request, height });
  }

  estimateGas(request: CallRequest, height: bigint): Promise<CallOutcome> {
    return this.#enqueue('estimateGas', { request, height });
  }

  #enqueue(method: Method, argument: CallArgument): Promise<CallOutcome> {
    if (this.#closed) return Promise.reject(new ChainError('CLOSED', 'the call runner is closed'));
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.resolve(refusal('BUSY', `more than ${MAX_WAITING} calls are waiting: try again later`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ method, argument, resolve, reject });
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

  async #run(thread: Thread, { method, argument }: Job): Promise<CallOutcome> {
    const client = await this.#clientOf(thread);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), this.#options.timeoutMs);
    });
    try {
      const outcome = await Promise.race([client.call<CallOutcome>(method, argument), timeout]);
      if (outcome !== null) return outcome;
    } catch (error) {
      thread.client = null; // whatever failed may have left the thread behind in a bad state
      await client.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    thread.client = null;
    await client.terminate();
    return refusal('TIMEOUT', `execution aborted (timeout = ${this.#options.timeoutMs / 1000}s)`);
  }

  async #clientOf(thread: Thread): Promise<WorkerClient> {
    if (this.#closed) throw new ChainError('CLOSED', 'the call runner is closed');
    if (thread.client !== null) return thread.client;
    const { dataDir, genesis } = this.#options;
    const worker = new Worker(new URL('./callWorker.ts', import.meta.url), {
      workerData: { dataDir, chainId: genesis.spec.chainId },
      name: 'calls',
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
  new ThreadedCallRunner({ timeoutMs: DEFAULT_TIMEOUT_MS, threads: DEFAULT_THREADS, ...options });
