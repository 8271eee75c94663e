/**
 * Who is given which transactions: each connected peer once, by whoever has them first.
 *
 * Owns the collecting of our clients' transactions and the choice of peers. Everybody who gives a batch away names in
 * it all who get it or had it; who takes it gives what was new in it to those of its own peers that are not named. Where
 * all are connected to all, a transaction so crosses each line once; where some lines are missing, one neighbour more
 * carries it on. Does not own what a transaction is, or whether it is new (node/mempool/).
 *
 * Invariant: what waits to be sent is bounded; a peer that does not read loses what waits for it and nothing else.
 */
import { encodeBatch, MAX_BATCH_BYTES, splitTransactions } from '#node/network/transactionBatch.ts';

export type Neighbour = { readonly holder: number; readonly send: (batch: Uint8Array) => void };

export type SpreadingOptions = {
  /** What this node is called in a batch. */
  readonly self: number;
  readonly neighbours: () => readonly Neighbour[];
  readonly nowMs: () => number;
};

export type Spreading = {
  /** To everybody, together with what comes within the next moment. */
  publish(transactions: readonly Uint8Array[]): void;
  /** To those who are not known to have them. */
  passOn(holders: ReadonlySet<number>, transactions: readonly Uint8Array[]): void;
  /** To one alone. */
  give(neighbour: Neighbour, transactions: readonly Uint8Array[]): void;
  stop(): void;
};

/** The first waits for what comes in the same moment; what comes within the longer time of it leaves together. */
const GATHER_MS = 2;
const COLLECT_MS = 20;
/** What may wait to be published; more is dropped (the pool announces again). */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export const createSpreading = ({ self, neighbours, nowMs }: SpreadingOptions): Spreading => {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | null = null;
  let publishedMs = Number.NEGATIVE_INFINITY;
  let stopped = false;

  const send = (
    targets: readonly Neighbour[],
    holders: Iterable<number>,
    transactions: readonly Uint8Array[],
  ): void => {
    if (targets.length === 0 || stopped) return;
    const named = new Set([self, ...targets.map(({ holder }) => holder), ...holders]);
    for (const part of splitTransactions(transactions)) {
      const batch = encodeBatch(named, part);
      for (const target of targets) target.send(batch);
    }
  };

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    publishedMs = nowMs();
    const transactions = waiting;
    waiting = [];
    waitingBytes = 0;
    send(neighbours(), [], transactions);
  };

  return {
    publish(transactions) {
      if (stopped) return;
      for (const raw of transactions) {
        if (waitingBytes + raw.length > MAX_WAITING_BYTES) break;
        waiting.push(raw);
        waitingBytes += raw.length;
      }
      if (waitingBytes >= MAX_BATCH_BYTES / 2) flush();
      else timer ??= setTimeout(flush, Math.max(GATHER_MS, publishedMs + COLLECT_MS - nowMs()));
    },
    passOn(holders, transactions) {
      if (transactions.length === 0) return;
      const targets = neighbours().filter(({ holder }) => !holders.has(holder));
      send(targets, holders, transactions);
    },
    give: (neighbour, transactions) => send([neighbour], [], transactions),
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      waiting = [];
    },
  };
};
