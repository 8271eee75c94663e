/**
 * Calls between threads: one message a call, one message an answer, errors with their code.
 *
 * Owns the envelope and the client side; what a call means is its worker's. A worker that dies rejects every open
 * call, once and for all.
 */
import type { MessagePort, Worker } from 'node:worker_threads';
import { ChainError, type ChainErrorCode } from '#node/chain.ts';

export type CallMessage = { readonly id: number; readonly method: string; readonly argument: unknown };
export type AnswerMessage =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly code: ChainErrorCode; readonly message: string };

/** The id of the message with which a worker says that it is open, or why it could not. */
export const READY_ID = 0;

type Waiting = { resolve(result: unknown): void; reject(error: Error): void };

export class WorkerClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = READY_ID + 1;
  #gone: ChainError | null = null;
  readonly ready: Promise<unknown>;

  constructor(worker: Worker, name: string) {
    this.#worker = worker;
    this.ready = new Promise((resolve, reject) => this.#waiting.set(READY_ID, { resolve, reject }));
    worker.on('message', (answer: AnswerMessage) => this.#settle(answer));
    worker.on('error', (error) =>
      this.#die(
        new ChainError('EXECUTION_FAULT', `the ${name} thread failed: ${error.message}`, { cause: error }),
      ),
    );
    worker.on('exit', () => this.#die(new ChainError('CLOSED', `the ${name} thread has ended`)));
  }

  call<T>(method: string, argument: unknown): Promise<T> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    const id = this.#nextId++;
    const message: CallMessage = { id, method, argument };
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (result) => resolve(result as T), reject });
      this.#worker.postMessage(message);
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(answer: AnswerMessage): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    if (answer.ok) waiting.resolve(answer.result);
    else waiting.reject(new ChainError(answer.code, answer.message));
  }

  #die(error: ChainError): void {
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}

const toAnswer = (id: number, error: unknown): AnswerMessage => ({
  id,
  ok: false,
  code: error instanceof ChainError ? error.code : 'EXECUTION_FAULT',
  message: error instanceof Error ? error.message : String(error),
});

export type Methods = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

/** The worker's side: calls run one after another, in the order of arrival. */
export const serveCalls = async (port: MessagePort, open: () => Promise<Methods>): Promise<void> => {
  const post = (answer: AnswerMessage): void => port.postMessage(answer);
  let methods: Methods;
  try {
    methods = await open();
  } catch (error) {
    post(toAnswer(READY_ID, error));
    port.close();
    return;
  }
  let last: Promise<void> = Promise.resolve();
  const answer = async ({ id, method, argument }: CallMessage): Promise<void> => {
    try {
      post({ id, ok: true, result: await methods[method]!(argument as never) });
    } catch (error) {
      post(toAnswer(id, error));
    }
  };
  port.on('message', (call: CallMessage) => {
    last = last.then(() => answer(call));
  });
  post({ id: READY_ID, ok: true, result: null });
};
