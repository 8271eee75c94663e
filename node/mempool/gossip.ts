/**
 * Between the pool and the network: local transactions go out once, and again while they wait; gossiped ones come in.
 *
 * Owns when a transaction is announced. Gossipsub forwards what it received by itself, so only local transactions
 * are published here. Announcing again heals what a partition, or a start before the first peer, swallowed.
 * Invariant: what waits to be admitted is bounded; more is dropped, and comes again.
 */
import type { Pool } from '#node/mempool/pool.ts';
import type { Network } from '#node/network/network.ts';

export type PoolGossip = { stop(): void };

const MAX_WAITING = 8_192;
/** How many signatures are recovered (60 µs each) before others get their turn. */
const ADMIT_AT_ONCE = 32;
const AGAIN_EVERY_MS = 3_000;
const AGAIN_AFTER_MS = 2_000;
const AGAIN_BYTES = 256 * 1024;

export const connectPoolToNetwork = (
  pool: Pool,
  network: Pick<Network, 'publishTransactions' | 'onTransactions'>,
): PoolGossip => {
  const waiting: Uint8Array[] = [];
  let admitting = false;
  let stopped = false;

  const admitWaiting = async (): Promise<void> => {
    while (waiting.length > 0 && !stopped) {
      const batch = waiting.splice(0, ADMIT_AT_ONCE);
      // a fault while reading state is the pool's own, and logged there
      await Promise.allSettled(batch.map((raw) => pool.add(raw, 'gossip')));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  network.onTransactions((_peer, transactions) => {
    if (stopped) return;
    waiting.push(...transactions.slice(0, Math.max(0, MAX_WAITING - waiting.length)));
    if (admitting) return;
    admitting = true;
    void admitWaiting().finally(() => {
      admitting = false;
    });
  });

  const unsubscribe = pool.onLocal((transaction) => network.publishTransactions([transaction.raw]));
  const timer = setInterval(() => {
    const again = pool.waitingLocals(AGAIN_AFTER_MS, AGAIN_BYTES);
    if (again.length > 0) network.publishTransactions(again);
  }, AGAIN_EVERY_MS);

  return {
    stop() {
      stopped = true;
      waiting.length = 0;
      clearInterval(timer);
      unsubscribe();
    },
  };
};
