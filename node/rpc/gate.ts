/**
 * At most so many tasks at one time and so many waiting; clients take turns, so that one with a thousand tasks delays
 * another's first by no more than one of its own.
 */
import { RPC_CODES, RpcError } from '#node/rpc/errors.ts';

/** @param client who asks; the tasks of one run in the order of their arrival */
export type Gate = <T>(task: () => Promise<T>, client: string) => Promise<T>;

export type GateLimits = {
  readonly maxRunning: number;
  readonly maxWaiting: number;
  /** Of one client. */
  readonly maxWaitingPerClient: number;
};

/** The gate @throws RpcError limit exceeded when the queue is full */
export const createGate = (limits: GateLimits, what: string): Gate => {
  /** In the order of turns: who was served goes to the end. */
  const waiting = new Map<string, (() => void)[]>();
  let waitingCount = 0;
  let running = 0;

  const refuse = (): RpcError =>
    new RpcError(RPC_CODES.limitExceeded, `too many ${what} at one time: try again later`);

  const wait = (client: string): Promise<void> => {
    const own = waiting.get(client) ?? [];
    if (waitingCount >= limits.maxWaiting || own.length >= limits.maxWaitingPerClient) throw refuse();
    waitingCount += 1;
    waiting.set(client, own);
    return new Promise((resolve) => own.push(resolve));
  };

  const leave = (): void => {
    const first = waiting.entries().next();
    if (first.done) {
      running -= 1;
      return;
    }
    const [client, own] = first.value;
    waiting.delete(client);
    const start = own.shift()!;
    if (own.length > 0) waiting.set(client, own);
    waitingCount -= 1;
    start();
  };

  return async (task, client) => {
    if (running >= limits.maxRunning) await wait(client);
    else running += 1;
    try {
      return await task();
    } finally {
      leave();
    }
  };
};
