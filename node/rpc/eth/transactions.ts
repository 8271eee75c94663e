/** eth methods that send, find and show transactions and their receipts. */
import { bytesToHex, type Hash } from '#consensus/primitives.ts';
import type { PooledTransaction } from '#node/mempool/mempool.ts';
import { selectBlock } from '#node/rpc/blockSelector.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { serverError } from '#node/rpc/errors.ts';
import { formatReceipt } from '#node/rpc/format/receipt.ts';
import { formatCommittedTransaction, formatPendingTransaction } from '#node/rpc/format/transaction.ts';
import { defineMethod, type Method, required } from '#node/rpc/method.ts';
import { blockNumber, count, data, hash } from '#node/rpc/params.ts';
import { orNull, ref } from '#node/rpc/schemas.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';

type Committed = {
  readonly block: BlockRecord;
  readonly receipts: readonly ReceiptRecord[];
  readonly index: number;
};

const findCommitted = async ({ chain }: RpcContext, transactionHash: Hash): Promise<Committed | null> => {
  const location = await chain.transactionLocation(transactionHash);
  if (location === null) return null;
  const block = await chain.blockAt(location.height);
  const receipts = await chain.receiptsAt(location.height);
  return block === null || receipts === null ? null : { block, receipts, index: location.index };
};

/**
 * A transaction leaves the pool when its block is published, so it may be gone from the pool although the look at the
 * chain before came too early: then the chain is asked once more.
 */
const findTransaction = async (
  context: RpcContext,
  transactionHash: Hash,
): Promise<Committed | PooledTransaction | null> =>
  (await findCommitted(context, transactionHash)) ??
  context.mempool.get(transactionHash) ??
  (await findCommitted(context, transactionHash));

const showInBlock = async (context: RpcContext, block: BlockRecord | null, index: bigint) => {
  if (block === null || index >= BigInt(block.transactions.length)) return null;
  const receipts = await context.chain.receiptsAt(block.height);
  return receipts === null ? null : formatCommittedTransaction(block, receipts, Number(index));
};

export const transactionMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_sendRawTransaction',
    summary: 'Admits a signed transaction to the pool and answers its hash.',
    result: ref('Hash'),
    cost: 5,
    params: [required('transaction', data)],
    run: async (context, [raw]) => {
      const admission = await context.mempool.add(raw, 'local');
      if (!admission.admitted) throw serverError(admission.message);
      return admission.hash;
    },
  }),
  defineMethod({
    name: 'eth_getTransactionByHash',
    summary: 'A transaction, committed or still in the pool (then without a block).',
    result: orNull(ref('Transaction')),
    cost: 3,
    params: [required('hash', hash)],
    run: async (context, [transactionHash]) => {
      const found = await findTransaction(context, transactionHash);
      if (found === null) return null;
      return 'raw' in found
        ? formatPendingTransaction(found)
        : formatCommittedTransaction(found.block, found.receipts, found.index);
    },
  }),
  defineMethod({
    name: 'eth_getRawTransactionByHash',
    summary: 'The signed bytes of a transaction, committed or still in the pool.',
    result: orNull(ref('Data')),
    cost: 3,
    params: [required('hash', hash)],
    run: async (context, [transactionHash]) => {
      const found = await findTransaction(context, transactionHash);
      if (found === null) return null;
      const raw = 'raw' in found ? found.raw : found.block.transactions[found.index];
      return raw === undefined ? null : bytesToHex(raw);
    },
  }),
  defineMethod({
    name: 'eth_getTransactionByBlockNumberAndIndex',
    summary: 'The transaction at this place of the block with this height or tag.',
    result: orNull(ref('Transaction')),
    cost: 3,
    params: [required('block', blockNumber), required('index', count)],
    run: async (context, [selector, index]) =>
      selector.kind === 'tag' && selector.tag === 'pending'
        ? null
        : showInBlock(context, await selectBlock(context, selector), index),
  }),
  defineMethod({
    name: 'eth_getTransactionByBlockHashAndIndex',
    summary: 'The transaction at this place of the block with this hash.',
    result: orNull(ref('Transaction')),
    cost: 3,
    params: [required('hash', hash), required('index', count)],
    run: async (context, [blockHash, index]) =>
      showInBlock(context, await context.chain.blockByHash(blockHash), index),
  }),
  defineMethod({
    name: 'eth_getTransactionReceipt',
    summary: 'The receipt of a committed transaction, null until its block is the head or below.',
    result: orNull(ref('Receipt')),
    cost: 3,
    params: [required('hash', hash)],
    run: async (context, [transactionHash]) => {
      const found = await findCommitted(context, transactionHash);
      return found === null ? null : formatReceipt(found.block, found.receipts, found.index);
    },
  }),
];
