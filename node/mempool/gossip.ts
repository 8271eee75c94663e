/**
 * Between the pool and the network: local transactions go out once, and again while they wait; gossiped ones come in.
 *
 * Owns when a transaction is announced, and what a gossiping peer may cost. Only local transactions are published
 * here; a gossiped batch is passed on by gossipsub once most of it was worth it and nothing in it was junk, so junk
 * ends at the first honest node and its sender is known. Announcing again heals what a partition, or a start before
 * the first peer, swallowed.
 * Invariants: what waits to be admitted is bounded per peer and in total; peers take turns, and one with nothing
 * waiting is never told that others wait; a refused transaction costs its peer more than a good one, and a peer over
 * its budget is not admitted for, and nothing of it decoded; what peers make us repeat leaves at least half of what
 * our neighbours admit of us to what is new.
 */
import type { AdmissionCode } from '#node/mempool/mempool.ts';
import type { Pool } from '#node/mempool/pool.ts';
import type { BatchVerdict, Network, Peer } from '#node/network/network.ts';
import { budgetName } from '#node/network/peerBudgets.ts';
import { createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

export type PoolGossip = {
  stop(): void;
  /** Transactions that wait to be admitted, and those that were dropped for their peer's budget. */
  counters(): { readonly waiting: number; readonly dropped: number };
};

/** Transactions of one peer; bytes of one peer, and of all peers together. */
export const MAX_WAITING_PER_PEER = 2_048;
export const MAX_WAITING_BYTES_PER_PEER = 2 * 1024 * 1024;
/** Beyond it there is room for one batch of each peer that has nothing waiting. */
export const MAX_WAITING_BYTES = 24 * 1024 * 1024;
const MAX_PEERS = 1_024;
/** How many signatures are recovered (60 µs each) before others get their turn. */
const ADMIT_AT_ONCE = 16;
/** One token is one transaction; a refused one costs as many as this. */
const REFUSED_COST = 8;
export const ADMISSION_BUDGET = { perSecond: 2_000, burst: 8_000 };
/**
 * What forwarding may cost us at our neighbours, who cannot know whose batch it was: a known transaction one token, a
 * refused one `REFUSED_COST`, a new one nothing, since the pool's room is its price. For one peer, and for all.
 */
export const REPEAT_BUDGET = { perSecond: 100, burst: 2_048 };
const REPEAT_BUDGET_OF_ALL = { perSecond: 1_000, burst: 4_000 };
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
  known: number;
  refused: number;
  junk: number;
  readonly settle: (verdict: BatchVerdict) => void;
};
type Queue = {
  readonly batches: Batch[];
  readonly budget: TokenBucket;
  readonly repeats: TokenBucket;
  waiting: number;
  waitingBytes: number;
};

export const connectPoolToNetwork = (
  pool: Pool,
  network: Pick<Network, 'publishTransactions' | 'onTransactions'>,
  nowMs: () => number = () => performance.now(),
): PoolGossip => {
  /** By budget name. The order is that of the turns. */
  const queues = new Map<string, Queue>();
  const repeatsOfAll = createTokenBucket(REPEAT_BUDGET_OF_ALL, nowMs);
  let waiting = 0;
  let waitingBytes = 0;
  let dropped = 0;
  let admitting = false;
  let stopped = false;

  const queueOf = (peer: Peer): Queue => {
    const name = budgetName(peer);
    let queue = queues.get(name);
    if (queue === undefined) {
      if (queues.size >= MAX_PEERS)
        for (const [other, idle] of queues)
          if (idle.waiting === 0) {
            queues.delete(other);
            break;
          }
      queue = {
        batches: [],
        budget: createTokenBucket(ADMISSION_BUDGET, nowMs),
        repeats: createTokenBucket(REPEAT_BUDGET, nowMs),
        waiting: 0,
        waitingBytes: 0,
      };
      queues.set(name, queue);
    }
    return queue;
  };

  const admitOne = async (batch: Batch, budget: TokenBucket, raw: Uint8Array): Promise<void> => {
    // a fault while reading state is the pool's own, and logged there
    const admission = await pool.add(raw, 'gossip').catch(() => null);
    if (admission?.admitted === true) return;
    if (admission?.code === 'ALREADY_KNOWN') {
      batch.known++;
      return;
    }
    batch.refused++;
    if (admission === null) return;
    budget.spend(REFUSED_COST - 1);
    if (JUNK.has(admission.code)) batch.junk++;
  };

  const verdictOn = ({ repeats }: Queue, { transactions, known, refused, junk }: Batch): BatchVerdict => {
    if (junk > 0) return 'reject';
    if (2 * refused > transactions.length) return 'ignore';
    const burden = known + REFUSED_COST * refused;
    return burden === 0 || (repeats.take(burden) && repeatsOfAll.take(burden)) ? 'forward' : 'ignore';
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
    batch.settle(verdictOn(queue, batch));
  };

  const admitWaiting = async (): Promise<void> => {
    if (admitting) return;
    admitting = true;
    while (waiting > 0 && !stopped)
      for (const queue of [...queues.values()]) {
        if (queue.batches.length === 0 || stopped) continue;
        await admitSlice(queue);
        await new Promise((resolve) => setImmediate(resolve));
      }
    admitting = false;
  };

  const take = (peer: Peer, transactions: readonly Uint8Array[]): Promise<BatchVerdict> => {
    const queue = queueOf(peer);
    const { length } = transactions;
    const sizeBytes = transactions.reduce((sum, raw) => sum + raw.length, 0);
    const fits =
      queue.waiting + length <= MAX_WAITING_PER_PEER &&
      queue.waitingBytes + sizeBytes <= MAX_WAITING_BYTES_PER_PEER &&
      (queue.waiting === 0 || waitingBytes + sizeBytes <= MAX_WAITING_BYTES);
    if (stopped || length === 0 || !fits || !queue.budget.take(length)) {
      dropped += length;
      return Promise.resolve('unread');
    }
    const { promise, resolve } = Promise.withResolvers<BatchVerdict>();
    queue.batches.push({
      transactions,
      sizeBytes,
      next: 0,
      known: 0,
      refused: 0,
      junk: 0,
      settle: resolve,
    });
    queue.waiting += length;
    waiting += length;
    queue.waitingBytes += sizeBytes;
    waitingBytes += sizeBytes;
    void admitWaiting();
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
