/** eth methods that find logs and keep filters for polling. */

import { z } from 'zod';
import { largerOf, smallerOf } from '#node/rpc/bigints.ts';
import { selectHeight } from '#node/rpc/blockSelector.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { invalidParams, serverError } from '#node/rpc/errors.ts';
import type { Filter } from '#node/rpc/filters.ts';
import type { ShownLog } from '#node/rpc/format/receipt.ts';
import type { JsonText } from '#node/rpc/jsonText.ts';
import { blockLogs, scanLogs } from '#node/rpc/logScan.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { createPacer } from '#node/rpc/pacer.ts';
import { type BlockByNumber, flag, type LogFilter, logFilter } from '#node/rpc/params.ts';
import { arrayOf, BOOLEAN, ref } from '#node/rpc/schemas.ts';

const LATEST: BlockByNumber = { kind: 'tag', tag: 'latest' };

const isPending = (selector: BlockByNumber | undefined): boolean =>
  selector?.kind === 'tag' && selector.tag === 'pending';

/** @throws RpcError if the filter asks for pending logs or the range is upside down */
const checkRange = (filter: LogFilter): void => {
  if (isPending(filter.fromBlock) || isPending(filter.toBlock))
    throw invalidParams('pending logs are not supported');
  if (
    filter.fromBlock?.kind === 'height' &&
    filter.toBlock?.kind === 'height' &&
    filter.fromBlock.height > filter.toBlock.height
  )
    throw invalidParams('invalid block range params');
};

const findLogs = async (
  context: RpcContext,
  client: string,
  filter: LogFilter,
): Promise<ShownLog[] | JsonText> => {
  if (filter.blockHash !== undefined) {
    const block = await context.chain.blockByHash(filter.blockHash);
    if (block === null) throw serverError('unknown block');
    return blockLogs(context, block, filter);
  }
  checkRange(filter);
  const head = context.chain.head().block.height;
  const from = selectHeight(context, filter.fromBlock ?? LATEST);
  const to = selectHeight(context, filter.toBlock ?? LATEST);
  if (from > head) return [];
  if (from > to) throw invalidParams('invalid block range params');
  return scanLogs(context, client, filter, from, smallerOf(to, head));
};

const createLogFilter = (context: RpcContext, filter: LogFilter): Filter => {
  checkRange(filter);
  const next = context.chain.head().block.height + 1n;
  const from = filter.fromBlock?.kind === 'height' ? filter.fromBlock.height : next;
  return {
    kind: 'logs',
    filter,
    nextHeight: largerOf(from, next),
    lastHeight: filter.toBlock?.kind === 'height' ? filter.toBlock.height : null,
  };
};

/** What happened since the last poll; moves the filter's position only once the answer is complete. */
const takeChanges = async (
  context: RpcContext,
  client: string,
  filter: Filter,
): Promise<unknown[] | JsonText> => {
  if (filter.kind === 'pending') return filter.hashes.splice(0);
  const head = context.chain.head().block.height;
  const from = filter.nextHeight;
  if (from > head) return [];
  const last = BigInt(context.limits.maxLogBlocks) + from - 1n;
  const to = smallerOf(head, last);
  const changes =
    filter.kind === 'blocks'
      ? await blockHashes(context, from, to)
      : await filterLogs(context, client, filter, from, to);
  // Another poll of the same filter may have finished first.
  if (filter.nextHeight === from) filter.nextHeight = to + 1n;
  return changes;
};

const blockHashes = async (context: RpcContext, from: bigint, to: bigint): Promise<string[]> => {
  const hashes: string[] = [];
  const pace = createPacer();
  for (let height = from; height <= to; height++) {
    await pace();
    const block = await context.chain.blockAt(height);
    if (block !== null) hashes.push(block.hash);
  }
  return hashes;
};

const filterLogs = (
  context: RpcContext,
  client: string,
  { filter, lastHeight }: Extract<Filter, { kind: 'logs' }>,
  from: bigint,
  to: bigint,
): Promise<ShownLog[] | JsonText> | ShownLog[] => {
  const end = lastHeight === null ? to : smallerOf(lastHeight, to);
  return from > end ? [] : scanLogs(context, client, filter, from, end);
};

const filterId = z.string('expected a filter id').max(66, 'filter id too long');

const useFilter = (context: RpcContext, id: string): Filter => {
  const filter = context.filters.use(id);
  if (filter === null) throw serverError('filter not found');
  return filter;
};

export const logMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_getLogs',
    summary: 'Logs of a range of blocks, or of one block by hash, that match addresses and topics.',
    result: arrayOf(ref('Log')),
    cost: 30,
    params: [required('filter', logFilter)],
    run: (context, [filter], { client }) => findLogs(context, client, filter),
  }),
  defineMethod({
    name: 'eth_newFilter',
    summary: 'Starts a filter for logs of blocks to come.',
    result: ref('FilterId'),
    cost: 4,
    params: [required('filter', logFilter)],
    run: (context, [filter]) => context.filters.add(createLogFilter(context, filter)),
  }),
  defineMethod({
    name: 'eth_newBlockFilter',
    summary: 'Starts a filter for hashes of blocks to come.',
    result: ref('FilterId'),
    cost: 4,
    params: [],
    run: (context) =>
      context.filters.add({ kind: 'blocks', nextHeight: context.chain.head().block.height + 1n }),
  }),
  defineMethod({
    name: 'eth_newPendingTransactionFilter',
    summary: 'Starts a filter for hashes of transactions that the pool admits.',
    result: ref('FilterId'),
    cost: 4,
    params: [
      optional(
        'full',
        flag.refine((full) => !full, 'only hashes are supported'),
      ),
    ],
    run: (context) => context.filters.add({ kind: 'pending', hashes: [] }),
  }),
  defineMethod({
    name: 'eth_getFilterChanges',
    summary: 'What a filter found since it was last asked.',
    result: { anyOf: [arrayOf(ref('Log')), arrayOf(ref('Hash'))] },
    cost: 10,
    params: [required('id', filterId)],
    run: (context, [id], { client }) => takeChanges(context, client, useFilter(context, id)),
  }),
  defineMethod({
    name: 'eth_getFilterLogs',
    summary: "All logs that match a log filter's criteria, as eth_getLogs would find them.",
    result: arrayOf(ref('Log')),
    cost: 30,
    params: [required('id', filterId)],
    run: (context, [id], { client }) => {
      const filter = useFilter(context, id);
      if (filter.kind !== 'logs') throw serverError('filter not found');
      return findLogs(context, client, filter.filter);
    },
  }),
  defineMethod({
    name: 'eth_uninstallFilter',
    summary: 'Ends a filter; false if there was none.',
    result: BOOLEAN,
    cost: 1,
    params: [required('id', filterId)],
    run: (context, [id]) => context.filters.remove(id),
  }),
];
