/** eth methods that show blocks and count what is in them. */

import { selectBlock } from '#node/rpc/blockSelector.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { formatBlock } from '#node/rpc/format/block.ts';
import { formatPendingBlock } from '#node/rpc/format/pendingBlock.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { formatReceipt } from '#node/rpc/format/receipt.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { type BlockSelector, block, blockNumber, count, flag, hash } from '#node/rpc/params.ts';
import { arrayOf, NULL, orNull, ref } from '#node/rpc/schemas.ts';
import type { BlockRecord } from '#node/storage/records.ts';

const isPending = (selector: BlockSelector): boolean => selector.kind === 'tag' && selector.tag === 'pending';

const showPendingBlock = (context: RpcContext) =>
  formatPendingBlock(context.chain.head(), {
    baseFeeWei: context.genesis.spec.feePolicy.baseFeeWei,
    timestamp: BigInt(Math.floor(context.nowMs() / 1000)),
  });

const showBlock = async (context: RpcContext, found: BlockRecord | null, full: boolean) => {
  if (found === null) return null;
  return formatBlock(found, full ? await context.chain.receiptsAt(found.height) : null);
};

const showCount = (found: BlockRecord | null) =>
  found === null ? null : toQuantity(found.transactions.length);
const showNoUncles = (found: BlockRecord | null) => (found === null ? null : toQuantity(0));

export const blockMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_blockNumber',
    summary: 'The height of the committed head.',
    result: ref('Quantity'),
    cost: 1,
    params: [],
    run: ({ chain }) => toQuantity(chain.head().block.height),
  }),
  defineMethod({
    name: 'eth_getBlockByNumber',
    summary: 'The block with this height or tag, null if there is none.',
    result: orNull(ref('Block')),
    cost: 4,
    params: [required('block', blockNumber), optional('full', flag)],
    run: async (context, [selector, full]) =>
      isPending(selector)
        ? showPendingBlock(context)
        : showBlock(context, await selectBlock(context, selector), full ?? false),
  }),
  defineMethod({
    name: 'eth_getBlockByHash',
    summary: 'The block with this hash, null if there is none.',
    result: orNull(ref('Block')),
    cost: 4,
    params: [required('hash', hash), optional('full', flag)],
    run: async (context, [blockHash, full]) =>
      showBlock(context, await context.chain.blockByHash(blockHash), full ?? false),
  }),
  defineMethod({
    name: 'eth_getBlockTransactionCountByNumber',
    summary: 'How many transactions the block with this height or tag has.',
    result: orNull(ref('Quantity')),
    cost: 2,
    params: [required('block', blockNumber)],
    run: async (context, [selector]) =>
      isPending(selector) ? toQuantity(0) : showCount(await selectBlock(context, selector)),
  }),
  defineMethod({
    name: 'eth_getBlockTransactionCountByHash',
    summary: 'How many transactions the block with this hash has.',
    result: orNull(ref('Quantity')),
    cost: 2,
    params: [required('hash', hash)],
    run: async (context, [blockHash]) => showCount(await context.chain.blockByHash(blockHash)),
  }),
  defineMethod({
    name: 'eth_getUncleCountByBlockNumber',
    summary: 'Zero: there are no uncles.',
    result: orNull(ref('Quantity')),
    cost: 2,
    params: [required('block', blockNumber)],
    run: async (context, [selector]) => showNoUncles(await selectBlock(context, selector)),
  }),
  defineMethod({
    name: 'eth_getUncleCountByBlockHash',
    summary: 'Zero: there are no uncles.',
    result: orNull(ref('Quantity')),
    cost: 2,
    params: [required('hash', hash)],
    run: async (context, [blockHash]) => showNoUncles(await context.chain.blockByHash(blockHash)),
  }),
  defineMethod({
    name: 'eth_getUncleByBlockNumberAndIndex',
    summary: 'Null: there are no uncles.',
    result: NULL,
    cost: 1,
    params: [required('block', blockNumber), required('index', count)],
    run: () => null,
  }),
  defineMethod({
    name: 'eth_getUncleByBlockHashAndIndex',
    summary: 'Null: there are no uncles.',
    result: NULL,
    cost: 1,
    params: [required('hash', hash), required('index', count)],
    run: () => null,
  }),
  defineMethod({
    name: 'eth_getBlockReceipts',
    summary: 'All receipts of a block, null if there is no such block.',
    result: orNull(arrayOf(ref('Receipt'))),
    cost: 20,
    params: [required('block', block)],
    run: async (context, [selector]) => {
      if (isPending(selector)) return [];
      const found = await selectBlock(context, selector);
      const receipts = found === null ? null : await context.chain.receiptsAt(found.height);
      if (found === null || receipts === null) return null;
      return receipts.map((_, index) => formatReceipt(found, receipts, index));
    },
  }),
];
