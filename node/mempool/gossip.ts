/**
 * Between the pool and the network: what enters the pool goes on to others once, and what others send is admitted.
 *
 * Owns when a transaction is announced, and what a peer may cost that sends them. A client's own go to every peer, and
 * again while they wait; what a peer sent and was new here is passed on by the network; a peer that connects is given
 * what waits. So junk and repetitions end at the first honest node, and what a partition, a start before the first
 * peer or a full queue swallowed comes again.
 * Invariants: of each peer one batch is in work, the next is not read; peers take turns of a few signatures; a refused
 * transaction costs its peer more than a good one, and nothing more of a peer over its budget is read.
 */
import type { AdmissionCode } from '#node/mempool/mempool.ts';
import type { Pool } from '#node/mempool/pool.ts';
import type { BatchOutcome, Network, Peer } from '#node/network/network.ts';
import { budgetName } from '#node/network/peerBudgets.ts';
import { createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

export type PoolGossip = {
  stop(): void;
  /** Transactions of peers that are being admitted. */
  waiting(): number;
};

const MAX_PEERS = 1_024;
/** How many signatures are recovered (60 µs each) before others get their turn. */
export const ADMIT_AT_ONCE = 16;
/** One token is one transaction; a refused one costs as many as this, unless it was refused before it was recovered. */
export const REFUSED_COST = 8;
export const ADMISSION_BUDGET = { perSecond: 4_000, burst: 8_000 };
const AGAIN_EVERY_MS = 3_000;
const AGAIN_AFTER_MS = 2_000;
const AGAIN_BYTES = 256 * 1024;
/** Of what waits, for a peer that connects. */
export const WELCOME_BYTES = 512 * 1024;

/** No honest pool admitted these, whatever its state: whoever sends them made them up. */
const JUNK: ReadonlySet<AdmissionCode> = new Set([
  'UNDECODABLE',
  'BAD_SIGNATURE',
  'WRONG_CHAIN_ID',
  'BLOB_REFUSED',
  'TOO_LARGE',
]);

/** Everybody in turn, in the order in which they came. */
const createTurns = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.then(
      () => new Promise((resolve) => setImmediate(resolve)),
      () => undefined,
    );
    return turn;
  };
};

export const connectPoolToNetwork = (
  pool: Pool,
  network: Pick<
    Network,
    'publishTransactions' | 'sendTransactions' | 'onTransactions' | 'onPeerConnected' | 'onTransactionsLost'
  >,
  nowMs: () => number = () => performance.now(),
): PoolGossip => {
  const budgets = new Map<string, TokenBucket>();
  const inTurn = createTurns();
  let waiting = 0;
  /** Peers that lost what waited for them: to be given it with the next repetition, since at once they would lose it again. */
  const lost = new Map<string, Peer>();
  /** The last of those that were announced again. */
  let announced = 0;
  let stopped = false;

  const budgetOf = (peer: Peer): TokenBucket => {
    const name = budgetName(peer);
    const budget = budgets.get(name) ?? createTokenBucket(ADMISSION_BUDGET, nowMs);
    // the longest unused goes first
    budgets.delete(name);
    budgets.set(name, budget);
    if (budgets.size > MAX_PEERS) budgets.delete(budgets.keys().next().value!);
    return budget;
  };

  type Verdict = 'fresh' | 'known' | 'noRoom' | 'refused' | 'junk';
  const admitOne = async (raw: Uint8Array): Promise<Verdict> => {
    // a fault while reading state is the pool's own, and logged there
    const admission = await pool.add(raw, 'gossip').catch(() => null);
    if (admission === null) return 'refused';
    if (admission.admitted) return 'fresh';
    if (admission.code === 'ALREADY_KNOWN') return 'known';
    if (admission.code === 'POOL_FULL') return 'noRoom';
    return JUNK.has(admission.code) ? 'junk' : 'refused';
  };

  const take = async (peer: Peer, transactions: readonly Uint8Array[]): Promise<BatchOutcome> => {
    const budget = budgetOf(peer);
    let waitMs = budget.spend(transactions.length);
    const fresh: Uint8Array[] = [];
    let isJunk = false;
    let recovered = 0;
    waiting += transactions.length;
    // one forged signature condemns the batch: the rest is not worth a recovery
    for (let at = 0; at < transactions.length && !isJunk && !stopped; at += ADMIT_AT_ONCE) {
      const slice = transactions.slice(at, at + ADMIT_AT_ONCE);
      const verdicts = await inTurn(() => Promise.all(slice.map(admitOne)));
      for (const [i, verdict] of verdicts.entries()) {
        if (verdict === 'fresh') fresh.push(slice[i]!);
        if (verdict !== 'known' && verdict !== 'noRoom') recovered++;
        if (verdict === 'junk') isJunk = true;
        if (verdict === 'junk' || verdict === 'refused') waitMs = budget.spend(REFUSED_COST - 1);
      }
    }
    waiting -= transactions.length;
    return { fresh, isJunk, recovered, waitMs };
  };

  const welcome = ({ peerId }: Peer): void => {
    const { transactions } = pool.waiting({ maxBytes: WELCOME_BYTES });
    if (transactions.length > 0) network.sendTransactions(peerId, transactions);
  };

  network.onTransactions(take);
  const unsubscribe = [
    pool.onLocal((transaction) => network.publishTransactions([transaction.raw])),
    network.onPeerConnected(welcome),
    network.onTransactionsLost((peer) => lost.set(peer.peerId, peer)),
  ];
  const timer = setInterval(() => {
    for (const peer of lost.values()) welcome(peer);
    lost.clear();
    const again = pool.waiting({ localSinceMs: AGAIN_AFTER_MS, maxBytes: AGAIN_BYTES, after: announced });
    announced = again.last;
    if (again.transactions.length > 0) network.publishTransactions(again.transactions);
  }, AGAIN_EVERY_MS);

  return {
    waiting: () => waiting,
    stop() {
      stopped = true;
      clearInterval(timer);
      for (const end of unsubscribe) end();
    },
  };
};
