/** At most so many tasks at one time, at most so many waiting, first come first served. */
import { RPC_CODES, RpcError } from '#node/rpc/errors.ts';

export type Gate = <T>(task: () => Promise<T>) => Promise<T>;

/** The gate @throws RpcError limit exceeded when the queue is full */
export const createGate = (maxRunning: number, maxWaiting: number, what: string): Gate => {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= maxRunning) {
      if (waiting.length >= maxWaiting)
        throw new RpcError(RPC_CODES.limitExceeded, `too many ${what} at one time: try again later`);
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
};
