/**
 * Between the pool and the network: local transactions go out once, and again while they wait; gossiped ones come in.
 *
 * Owns when a transaction is announced, and what a gossiping peer may cost. Only local transactions are published
 * here; a gossiped batch is passed on by gossipsub once most of it was worth it and nothing in it was junk, so junk
 * ends at the first honest node and its sender is known. Announcing again heals what a partition, or a start before
 * the first peer, swallowed.
 * Invariants: what waits to be admitted is bounded per peer and in total; peers take turns; a refused transaction
 * costs its peer more than a good one, and a peer over its budget is not admitted for, and nothing of it decoded.
 */
import type { AdmissionCode } from '#node/mempool/mempool.ts';
import type { Pool } from '#node/mempool/pool.ts';
import type { BatchVerdict, Network, Peer } from '#node/network/network.ts';
import { createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

export type PoolGossip = {
  stop(): void;
  /** Transactions that wait to be admitted, and those that were dropped for their peer's budget. */
  counters(): { readonly waiting: number; readonly dropped: number };
};

/** Transactions of one peer; bytes of one peer, and of all peers together. */
export const MAX_WAITING_PER_PEER = 2_048;
const MAX_WAITING_BYTES_PER_PEER = 2 * 1024 * 1024;
const MAX_WAITING_BYTES = 24 * 1024 * 1024;
const MAX_PEERS = 1_024;
/** How many signatures are recovered (60 µs each) before others get their turn. */
const ADMIT_AT_ONCE = 16;
/** One token is one transaction; a refused one costs as many as this. */
const REFUSED_COST = 8;
export const ADMISSION_BUDGET = { perSecond: 2_000, burst: 8_000 };
const AGAIN_EVERY_MS = 3_000;
const AGAIN_AFTER_MS = 2_000;
const AGAIN_BYTES = 256 * 1024;

/** No honest pool admitted these, whatever its state: whoever sends them made them up. */
const JUNK: ReadonlySet<AdmissionCode> = new Set([
  'UNDECODABLE',
  'BAD_SIGNATURE',
  'WRONG_CHAIN_ID',
  'BLOB_REFUSED',
  'TOO_LARGE',
]);

type Batch = {
  readonly transactions: readonly Uint8Array[];
  readonly sizeBytes: number;
  next: number;
  welcome: number;
  junk: number;
  readonly settle: (verdict: BatchVerdict) => void;
};
type Queue = {
  readonly batches: Batch[];
  readonly budget: TokenBucket;
  waiting: number;
  waitingBytes: number;
};

export const connectPoolToNetwork = (
  pool: Pool,
  network: Pick<Network, 'publishTransactions' | 'onTransactions'>,
  nowMs: () => number = () => performance.now(),
): PoolGossip => {
  /** By PeerId. The order is that of the turns. */
  const queues = new Map<string, Queue>();
  let waiting = 0;
  let waitingBytes = 0;
  let dropped = 0;
  let admitting = false;
  let stopped = false;

  const queueOf = ({ peerId }: Peer): Queue => {
    let queue = queues.get(peerId);
    if (queue === undefined) {
      if (queues.size >= MAX_PEERS)
        for (const [name, idle] of queues)
          if (idle.waiting === 0) {
            queues.delete(name);
            break;
          }
      queue = {
        batches: [],
        budget: createTokenBucket(ADMISSION_BUDGET, nowMs),
        waiting: 0,
        waitingBytes: 0,
      };
      queues.set(peerId, queue);
    }
    return queue;
  };

  const admitOne = async (batch: Batch, budget: TokenBucket, raw: Uint8Array): Promise<void> => {
    // a fault while reading state is the pool's own, and logged there
    const admission = await pool.add(raw, 'gossip').catch(() => null);
    if (admission === null) return;
    if (admission.admitted || admission.code === 'ALREADY_KNOWN') {
      batch.welcome++;
      return;
    }
    budget.spend(REFUSED_COST - 1);
    if (JUNK.has(admission.code)) batch.junk++;
  };

  const finish = (batch: Batch): void => {
    if (batch.junk > 0) batch.settle('reject');
    else batch.settle(2 * batch.welcome >= batch.transactions.length ? 'forward' : 'ignore');
  };

  /** One slice of one peer. */
  const admitSlice = async (queue: Queue): Promise<void> => {
    const batch = queue.batches[0]!;
    const slice = batch.transactions.slice(batch.next, batch.next + ADMIT_AT_ONCE);
    batch.next += slice.length;
    queue.waiting -= slice.length;
    waiting -= slice.length;
    await Promise.all(slice.map((raw) => admitOne(batch, queue.budget, raw)));
    // one forged signature condemns the batch: the rest is not worth a recovery
    const isOver = batch.junk > 0 || batch.next >= batch.transactions.length;
    if (!isOver) return;
    const rest = batch.transactions.length - batch.next;
    queue.waiting -= rest;
    waiting -= rest;
    dropped += rest;
    queue.waitingBytes -= batch.sizeBytes;
    waitingBytes -= batch.sizeBytes;
    queue.batches.shift();
    finish(batch);
  };

  const admitWaiting = async (): Promise<void> => {
    while (waiting > 0 && !stopped)
      for (const queue of [...queues.values()]) {
        if (queue.batches.length === 0 || stopped) continue;
        await admitSlice(queue);
        await new Promise((resolve) => setImmediate(resolve));
      }
  };

  const take = (peer: Peer, transactions: readonly Uint8Array[]): Promise<BatchVerdict> => {
    const queue = queueOf(peer);
    const { length } = transactions;
    const sizeBytes = transactions.reduce((sum, raw) => sum + raw.length, 0);
    const fits =
      queue.waiting + length <= MAX_WAITING_PER_PEER &&
      queue.waitingBytes + sizeBytes <= MAX_WAITING_BYTES_PER_PEER &&
      waitingBytes + sizeBytes <= MAX_WAITING_BYTES;
    if (stopped || length === 0 || !fits || !queue.budget.take(length)) {
      dropped += length;
      return Promise.resolve('ignore');
    }
    const { promise, resolve } = Promise.withResolvers<BatchVerdict>();
    queue.batches.push({ transactions, sizeBytes, next: 0, welcome: 0, junk: 0, settle: resolve });
    queue.waiting += length;
    waiting += length;
    queue.waitingBytes += sizeBytes;
    waitingBytes += sizeBytes;
    if (!admitting) {
      admitting = true;
      void admitWaiting().finally(() => {
        admitting = false;
      });
    }
    return promise;
  };

  network.onTransactions(take);
  const unsubscribe = pool.onLocal((transaction) => network.publishTransactions([transaction.raw]));
  const timer = setInterval(() => {
    const again = pool.waitingLocals(AGAIN_AFTER_MS, AGAIN_BYTES);
    if (again.length > 0) network.publishTransactions(again);
  }, AGAIN_EVERY_MS);

  return {
    counters: () => ({ waiting, dropped }),
    stop() {
      stopped = true;
      for (const { batches } of queues.values()) for (const batch of batches) batch.settle('ignore');
      queues.clear();
      waiting = 0;
      clearInterval(timer);
      unsubscribe();
    },
  };
};
