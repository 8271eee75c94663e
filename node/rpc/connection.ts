/**
 * One WebSocket: its messages, its subscriptions, and what it costs at most.
 *
 * Back-pressure both ways: a client that sends faster than it is answered is not read until it is, and one that does
 * not drain what it subscribed to is disconnected. A subscription speaks only after the answer that names it was sent.
 */
import type { WebSocket } from 'ws';
import type { Caller } from '#node/rpc/context.ts';
import type { Dispatcher, RpcLogger } from '#node/rpc/dispatcher.ts';
import { RPC_CODES, RpcError } from '#node/rpc/errors.ts';
import { createId } from '#node/rpc/filters.ts';
import type { Identity } from '#node/rpc/identity.ts';
import type { RpcLimits } from '#node/rpc/limits.ts';
import type { SubscriptionHub } from '#node/rpc/subscriptions.ts';

type Dependencies = {
  readonly dispatcher: Dispatcher;
  readonly hub: SubscriptionHub;
  readonly limits: RpcLimits;
  readonly logger: RpcLogger;
  readonly nowMs: () => number;
};

const POLICY_VIOLATION = 1008;

/** @param identity of whoever opened it, for as long as it is open */
export const serveConnection = (socket: WebSocket, dependencies: Dependencies, identity: Identity): void => {
  const { dispatcher, limits, logger } = dependencies;

  const send = (text: string): void => {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > limits.maxSocketBufferBytes) {
      logger.warn({ bufferedBytes: socket.bufferedAmount }, 'WebSocket reader does not drain: disconnected');
      socket.terminate();
      return;
    }
    socket.send(text);
  };

  const subscriptions = createConnectionSubscriptions(dependencies, send);
  const queue: Uint8Array[] = [];
  let running = 0;

  const runNext = (): void => {
    while (running < limits.maxInFlightPerSocket) {
      const message = queue.shift();
      if (message === undefined) {
        if (socket.isPaused) socket.resume();
        return;
      }
      running += 1;
      answer(message)
        .catch((error: unknown) => logger.error({ err: error }, 'WebSocket answer failed'))
        .finally(() => {
          running -= 1;
          runNext();
        });
    }
  };

  const answer = async (message: Uint8Array): Promise<void> => {
    const opened = subscriptions.forMessage();
    const text = await dispatcher.handle(message, { ...identity, subscriptions: opened });
    if (text !== null) send(text);
    opened.activate();
  };

  socket.on('message', (message) => {
    if (identity.expiresAtMs !== null && identity.expiresAtMs <= dependencies.nowMs()) {
      socket.close(POLICY_VIOLATION, 'the token has expired');
      return;
    }
    queue.push(toBytes(message));
    if (running >= limits.maxInFlightPerSocket) socket.pause();
    runNext();
  });
  const stopPinging = keepAlive(socket, limits.pingIntervalMs);
  socket.on('close', () => {
    stopPinging();
    queue.length = 0;
    subscriptions.closeAll();
  });
};

const toBytes = (message: Buffer | ArrayBuffer | Buffer[]): Uint8Array =>
  Array.isArray(message)
    ? Buffer.concat(message)
    : message instanceof ArrayBuffer
      ? new Uint8Array(message)
      : message;

/** Pings, and ends a connection whose peer is gone. @returns stop */
const keepAlive = (socket: WebSocket, intervalMs: number): (() => void) => {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate();
    // A paused socket cannot show its pong.
    isAlive = socket.isPaused;
    socket.ping();
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
};

/** Events that may wait for the answer that names their subscription. */
const MAX_EARLY_EVENTS = 1_000;

const createConnectionSubscriptions = (
  { hub, limits }: Pick<Dependencies, 'hub' | 'limits'>,
  send: (text: string) => void,
) => {
  const unsubscribes = new Map<string, () => void>();
  let isClosed = false;

  /** What one message may do; `activate` after its answer is sent. */
  const forMessage = (): NonNullable<Caller['subscriptions']> & { activate(): void } => {
    const activations: (() => void)[] = [];
    return {
      open(kind) {
        if (isClosed || unsubscribes.size >= limits.maxSubscriptionsPerSocket)
          throw new RpcError(
            RPC_CODES.limitExceeded,
            `too many subscriptions: at most ${limits.maxSubscriptionsPerSocket} on one connection`,
          );
        const id = createId();
        let early: string[] | null = [];
        const notify = (resultJson: string): void =>
          send(
            `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"${id}","result":${resultJson}}}`,
          );
        const unsubscribe = hub.subscribe(kind, (resultJson) => {
          if (early === null) notify(resultJson);
          else if (early.length < MAX_EARLY_EVENTS) early.push(resultJson);
        });
        unsubscribes.set(id, unsubscribe);
        activations.push(() => {
          const waiting = early ?? [];
          early = null;
          if (unsubscribes.has(id)) waiting.forEach(notify);
        });
        return id;
      },
      close(id) {
        const unsubscribe = unsubscribes.get(id);
        unsubscribe?.();
        return unsubscribes.delete(id);
      },
      activate: () => activations.forEach((activate) => void activate()),
    };
  };

  return {
    forMessage,
    closeAll(): void {
      isClosed = true;
      for (const unsubscribe of unsubscribes.values()) unsubscribe();
      unsubscribes.clear();
    },
  };
};
