/**
 * eth methods about fees. In `fixed` mode the base fee is a constant and no tip is needed, and that is what they say;
 * blobs are refused, so the blob fields show the protocol's minimum and nothing used.
 */

import { z } from 'zod';
import { largerOf, smallerOf } from '#node/rpc/bigints.ts';
import { selectHeight } from '#node/rpc/blockSelector.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { serverError } from '#node/rpc/errors.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { createPacer } from '#node/rpc/pacer.ts';
import { blockNumber, count } from '#node/rpc/params.ts';
import { ref } from '#node/rpc/schemas.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';

const MAX_HISTORY_BLOCKS = 1_024n;
const MAX_PERCENTILES = 100;
const MIN_BLOB_BASE_FEE = 1n;
const SUGGESTED_TIP_WEI = 0n;

const percentiles = z.array(z.number());

/** geth's rules. @throws RpcError */
const checkPercentiles = (wanted: readonly number[]): void => {
  if (wanted.length > MAX_PERCENTILES)
    throw serverError(`over the query limit ${MAX_PERCENTILES}: too many reward percentiles`);
  wanted.forEach((value, index) => {
    if (value < 0 || value > 100) throw serverError(`invalid reward percentile: ${value}`);
    const previous = wanted[index - 1];
    if (previous !== undefined && value <= previous)
      throw serverError(`invalid reward percentile: #${index - 1}:${previous} >= #${index}:${value}`);
  });
};

/** Effective tips at these percentiles of the block's gas, cheapest first; zeros for an empty block. */
const rewards = (block: BlockRecord, receipts: readonly ReceiptRecord[], wanted: readonly number[]) => {
  const tips = receipts
    .map(({ effectiveGasPrice, gasUsed }) => ({
      tip: largerOf(effectiveGasPrice - block.baseFeePerGas, 0n),
      gasUsed,
    }))
    .sort((a, b) => (a.tip < b.tip ? -1 : a.tip > b.tip ? 1 : 0));
  let at = 0;
  let gas = tips[0]?.gasUsed ?? 0n;
  return wanted.map((percentile) => {
    const threshold = (Number(block.gasUsed) * percentile) / 100;
    while (Number(gas) < threshold && at < tips.length - 1) {
      at += 1;
      gas += tips[at]?.gasUsed ?? 0n;
    }
    return toQuantity(tips[at]?.tip ?? 0n);
  });
};

const nextBaseFee = async (context: RpcContext, newest: bigint): Promise<bigint> =>
  (await context.chain.blockAt(newest + 1n))?.baseFeePerGas ?? context.genesis.spec.feePolicy.baseFeeWei;

const feeHistory = async (
  context: RpcContext,
  blockCount: bigint,
  newest: bigint,
  wanted: readonly number[],
) => {
  const head = context.chain.head().block.height;
  if (newest > head) throw serverError(`request beyond head block: requested ${newest}, head ${head}`);
  const asked = smallerOf(blockCount, MAX_HISTORY_BLOCKS);
  if (asked === 0n) return { oldestBlock: toQuantity(0), baseFeePerGas: [], gasUsedRatio: [] };
  const oldest = largerOf(newest + 1n - asked, 0n);
  const blocks: BlockRecord[] = [];
  const reward: string[][] = [];
  const pace = createPacer();
  for (let height = oldest; height <= newest; height++) {
    await pace();
    const block = await context.chain.blockAt(height);
    if (block === null) throw serverError('header not found');
    blocks.push(block);
    if (wanted.length > 0)
      reward.push(rewards(block, (await context.chain.receiptsAt(height)) ?? [], wanted));
  }
  const baseFees = [...blocks.map(({ baseFeePerGas }) => baseFeePerGas), await nextBaseFee(context, newest)];
  return {
    oldestBlock: toQuantity(oldest),
    baseFeePerGas: baseFees.map(toQuantity),
    gasUsedRatio: blocks.map(({ gasUsed, gasLimit }) => Number(gasUsed) / Number(gasLimit)),
    baseFeePerBlobGas: baseFees.map(() => toQuantity(MIN_BLOB_BASE_FEE)),
    blobGasUsedRatio: blocks.map(() => 0),
    ...(wanted.length > 0 ? { reward } : {}),
  };
};

export const feeMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_gasPrice',
    summary: 'A gas price with which a transaction gets into the next block.',
    result: ref('Quantity'),
    cost: 1,
    params: [],
    run: ({ genesis }) => toQuantity(genesis.spec.feePolicy.baseFeeWei + SUGGESTED_TIP_WEI),
  }),
  defineMethod({
    name: 'eth_maxPriorityFeePerGas',
    summary: 'The tip that is needed: none.',
    result: ref('Quantity'),
    cost: 1,
    params: [],
    run: () => toQuantity(SUGGESTED_TIP_WEI),
  }),
  defineMethod({
    name: 'eth_baseFee',
    summary: 'The base fee of the next block.',
    result: ref('Quantity'),
    cost: 1,
    params: [],
    run: ({ genesis }) => toQuantity(genesis.spec.feePolicy.baseFeeWei),
  }),
  defineMethod({
    name: 'eth_blobBaseFee',
    summary: "The protocol's minimum: blobs are refused.",
    result: ref('Quantity'),
    cost: 1,
    params: [],
    run: () => toQuantity(MIN_BLOB_BASE_FEE),
  }),
  defineMethod({
    name: 'eth_feeHistory',
    summary: 'Base fees of n blocks and the one after them, gas used, and tips at percentiles.',
    result: ref('FeeHistory'),
    cost: 20,
    params: [
      required('blockCount', count),
      required('newestBlock', blockNumber),
      optional('rewardPercentiles', percentiles),
    ],
    run: (context, [blockCount, newest, wanted]) => {
      checkPercentiles(wanted ?? []);
      return feeHistory(context, blockCount, selectHeight(context, newest), wanted ?? []);
    },
  }),
];
