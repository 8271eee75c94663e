/**
 * What WebSocket clients are told unasked: new heads, logs, admitted transactions.
 *
 * Owns the fan-out. The hub hears the chain and the pool once and formats each event once, however many listen.
 * Does not own sockets: a subscriber is a function, and what it does with a text that it cannot send is its business
 * (connection.ts disconnects a reader that does not drain).
 */
import type { Chain, CommittedBlock } from '#node/chain.ts';
import type { Mempool, PooledTransaction } from '#node/mempool/mempool.ts';
import { formatHeader, headerBloom } from '#node/rpc/format/block.ts';
import { formatLogs } from '#node/rpc/format/receipt.ts';
import { formatPendingTransaction } from '#node/rpc/format/transaction.ts';
import { createBloomTest, isWantedLog } from '#node/rpc/logScan.ts';
import type { LogCriteria } from '#node/rpc/params.ts';

export type SubscriptionKind =
  | { readonly kind: 'newHeads' }
  | { readonly kind: 'logs'; readonly criteria: LogCriteria }
  | { readonly kind: 'newPendingTransactions'; readonly full: boolean };

/** Takes one event's result as JSON text. */
export type Subscriber = (resultJson: string) => void;

export type SubscriptionHub = {
  /** @returns unsubscribe */
  subscribe(kind: SubscriptionKind, subscriber: Subscriber): () => void;
  stop(): void;
};

type Entry = {
  readonly kind: SubscriptionKind;
  readonly subscriber: Subscriber;
  readonly mayContain: (bloom: Uint8Array) => boolean;
};

export const createSubscriptionHub = (dependencies: {
  readonly chain: Chain;
  readonly mempool: Mempool;
  readonly onFault: (error: unknown) => void;
}): SubscriptionHub => {
  const entries = new Set<Entry>();

  const publishCommitted = ({ block, receipts }: CommittedBlock): void => {
    if (entries.size === 0) return;
    const bloom = headerBloom(block.header);
    let header: string | null = null;
    for (const { kind, subscriber, mayContain } of entries) {
      if (kind.kind === 'newHeads') {
        header ??= JSON.stringify(formatHeader(block));
        subscriber(header);
      } else if (kind.kind === 'logs' && mayContain(bloom)) {
        for (const log of formatLogs(block, receipts, (found) => isWantedLog(kind.criteria, found)))
          subscriber(JSON.stringify(log));
      }
    }
  };

  const publishAdmitted = (transaction: PooledTransaction): void => {
    let full: string | null = null;
    for (const { kind, subscriber } of entries) {
      if (kind.kind !== 'newPendingTransactions') continue;
      if (kind.full) full ??= JSON.stringify(formatPendingTransaction(transaction));
      subscriber(kind.full && full !== null ? full : `"${transaction.hash}"`);
    }
  };

  // A fault here must reach neither the commit that is being announced nor the other subscribers.
  const guarded =
    <T>(publish: (event: T) => void) =>
    (event: T): void => {
      try {
        publish(event);
      } catch (error) {
        dependencies.onFault(error);
      }
    };

  const leaveChain = dependencies.chain.onCommitted(guarded(publishCommitted));
  const leaveMempool = dependencies.mempool.onAdmitted(guarded(publishAdmitted));

  return {
    subscribe(kind, subscriber) {
      const mayContain = kind.kind === 'logs' ? createBloomTest(kind.criteria) : () => false;
      const entry: Entry = { kind, subscriber: guarded(subscriber), mayContain };
      entries.add(entry);
      return () => void entries.delete(entry);
    },
    stop() {
      entries.clear();
      leaveChain();
      leaveMempool();
    },
  };
};
