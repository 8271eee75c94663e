/** txpool methods: what waits for a block. */
import type { PooledTransaction } from '#node/mempool/mempool.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { formatPendingTransaction } from '#node/rpc/format/transaction.ts';
import { defineMethod, type Method, required } from '#node/rpc/method.ts';
import { address } from '#node/rpc/params.ts';
import { mapOf, objectOf, ref, TEXT } from '#node/rpc/schemas.ts';

const byNonce = <T>(transactions: readonly PooledTransaction[], show: (one: PooledTransaction) => T) =>
  Object.fromEntries(transactions.map((one) => [one.nonce.toString(), show(one)]));

const bySender = <T>(transactions: readonly PooledTransaction[], show: (one: PooledTransaction) => T) => {
  const senders = Map.groupBy(transactions, ({ sender }) => sender);
  return Object.fromEntries([...senders].map(([sender, own]) => [sender, byNonce(own, show)]));
};

/** geth's words: `0x… : 1000 wei + 21000 gas × 1000000000 wei`. */
const inspect = (pooled: PooledTransaction): string => {
  const { to, value, gas, gasPrice, maxFeePerGas } = formatPendingTransaction(pooled) as Record<
    string,
    string | null | undefined
  >;
  const price = maxFeePerGas ?? gasPrice ?? '0x0';
  const target = to ?? 'contract creation';
  return `${target}: ${BigInt(value ?? '0x0')} wei + ${BigInt(gas ?? '0x0')} gas × ${BigInt(price)} wei`;
};

const PENDING_AND_QUEUED = (each: Record<string, unknown>) => objectOf({ pending: each, queued: each });
const BY_NONCE = mapOf(ref('Transaction'));

export const txpoolMethods: readonly Method[] = [
  defineMethod({
    name: 'txpool_status',
    summary: 'How many transactions are executable, and how many wait for an earlier nonce.',
    result: PENDING_AND_QUEUED(ref('Quantity')),
    access: 'dapp',
    cost: 5,
    params: [],
    run: ({ mempool }) => {
      const { pending, queued } = mempool.contents();
      return { pending: toQuantity(pending.length), queued: toQuantity(queued.length) };
    },
  }),
  defineMethod({
    name: 'txpool_content',
    summary: 'Every transaction that waits, by sender and nonce.',
    result: PENDING_AND_QUEUED(mapOf(BY_NONCE)),
    access: 'dapp',
    cost: 100,
    params: [],
    run: ({ mempool }) => {
      const { pending, queued } = mempool.contents();
      return {
        pending: bySender(pending, formatPendingTransaction),
        queued: bySender(queued, formatPendingTransaction),
      };
    },
  }),
  defineMethod({
    name: 'txpool_contentFrom',
    summary: 'The transactions of one sender that wait, by nonce.',
    result: PENDING_AND_QUEUED(BY_NONCE),
    access: 'dapp',
    cost: 10,
    params: [required('sender', address)],
    run: ({ mempool }, [sender]) => {
      const { pending, queued } = mempool.contents(sender);
      return {
        pending: byNonce(pending, formatPendingTransaction),
        queued: byNonce(queued, formatPendingTransaction),
      };
    },
  }),
  defineMethod({
    name: 'txpool_inspect',
    summary: 'Every transaction that waits, in a line each.',
    result: PENDING_AND_QUEUED(mapOf(mapOf(TEXT))),
    access: 'dapp',
    cost: 100,
    params: [],
    run: ({ mempool }) => {
      const { pending, queued } = mempool.contents();
      return { pending: bySender(pending, inspect), queued: bySender(queued, inspect) };
    },
  }),
];
