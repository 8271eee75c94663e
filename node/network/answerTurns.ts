/**
 * How many of one peer's requests are answered at once, and how much it may be answered.
 *
 * Owns the peer's turns: a few answers at a time, a bounded queue behind them, and a budget of answered bytes; when
 * that is used up, the next turn waits. So a peer that asks for much and reads nothing holds a few answers of our
 * memory, and delays nobody but itself.
 */
import type { TokenBucket } from '#node/network/tokenBucket.ts';

export type AnswerTurns = {
  /** Null when too many wait already; otherwise resolves when the turn has come, with what ends it. */
  enter(): Promise<(answeredBytes: number) => void> | null;
  waiting(): number;
};

export const ANSWERS_AT_ONCE = 4;
export const MAX_WAITING_REQUESTS = 64;

export const createAnswerTurns = (answerBytes: TokenBucket): AnswerTurns => {
  const queue: ((leave: (answeredBytes: number) => void) => void)[] = [];
  let answering = 0;

  const next = (): void => {
    while (answering < ANSWERS_AT_ONCE && queue.length > 0) {
      answering++;
      queue.shift()!(leaveOnce());
    }
  };

  const leaveOnce = (): ((answeredBytes: number) => void) => {
    let left = false;
    return (answeredBytes) => {
      if (left) return;
      left = true;
      const waitMs = answerBytes.spend(answeredBytes);
      const free = (): void => {
        answering--;
        next();
      };
      if (waitMs > 0) setTimeout(free, waitMs).unref();
      else free();
    };
  };

  return {
    enter() {
      if (queue.length >= MAX_WAITING_REQUESTS) return null;
      const { promise, resolve } = Promise.withResolvers<(answeredBytes: number) => void>();
      queue.push(resolve);
      next();
      return promise;
    },
    waiting: () => queue.length,
  };
};
