/** trace methods in OpenEthereum's form, for The Graph's call handlers, Safe and others. */
import { z } from 'zod';
import { smallerOf } from '#node/rpc/bigints.ts';
import { selectBlock, selectHeight } from '#node/rpc/blockSelector.ts';
import { performJob } from '#node/rpc/callRequest.ts';
import { invalidParams } from '#node/rpc/errors.ts';
import { placeOfTransaction } from '#node/rpc/findTransaction.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { address, type BlockByNumber, block, blockNumber, count, hash, nullable } from '#node/rpc/params.ts';
import { ANY, arrayOf, openObjectOf, orNull, ref } from '#node/rpc/schemas.ts';

const MAX_ADDRESSES = 1_000;
const MAX_TRACES = 10_000;
const LATEST: BlockByNumber = { kind: 'tag', tag: 'latest' };

const addresses = z.union([z.array(address).max(MAX_ADDRESSES), address.transform((one) => [one])]);
const filter = z.object(
  {
    fromBlock: nullable(blockNumber),
    toBlock: nullable(blockNumber),
    fromAddress: nullable(addresses),
    toAddress: nullable(addresses),
    after: nullable(count),
    count: nullable(count),
  },
  'expected a filter object',
);

const PARTS = ['trace', 'stateDiff', 'vmTrace'] as const;
const traceTypes = z
  .array(z.enum(PARTS, `expected some of ${PARTS.join(', ')}`))
  .refine((types) => !types.includes('vmTrace'), 'vmTrace is not supported: use debug_traceTransaction')
  .transform((types) => ({ trace: types.includes('trace'), stateDiff: types.includes('stateDiff') }));

const REPLAYED = openObjectOf({
  output: ref('Data'),
  stateDiff: orNull(ANY),
  trace: arrayOf(ANY),
  vmTrace: { type: 'null' },
});

export const traceMethods: readonly Method[] = [
  defineMethod({
    name: 'trace_block',
    summary: 'The calls of every transaction of a block, flat, null if there is no such block.',
    result: orNull(arrayOf(ref('ParityTrace'))),
    access: 'indexer',
    cost: 200,
    params: [required('block', block)],
    run: async (context, [selector], caller) => {
      const found = await selectBlock(context, selector);
      return found === null ? null : performJob(context, caller, { kind: 'flatBlock', height: found.height });
    },
  }),
  defineMethod({
    name: 'trace_transaction',
    summary: 'The calls of a committed transaction, flat, null if there is no such transaction.',
    result: orNull(arrayOf(ref('ParityTrace'))),
    access: 'indexer',
    cost: 100,
    params: [required('hash', hash)],
    run: async (context, [transactionHash], caller) => {
      const place = await context.chain.transactionLocation(transactionHash);
      return place === null ? null : performJob(context, caller, { kind: 'flatTransaction', ...place });
    },
  }),
  defineMethod({
    name: 'trace_filter',
    summary: 'Calls from and to addresses in a range of blocks.',
    result: arrayOf(ref('ParityTrace')),
    access: 'indexer',
    cost: 500,
    params: [required('filter', filter)],
    run: async (context, [wanted], caller) => {
      const head = context.chain.head().block.height;
      const from = selectHeight(context, wanted.fromBlock ?? LATEST);
      const to = smallerOf(selectHeight(context, wanted.toBlock ?? LATEST), head);
      if (from > head) return [];
      if (from > to) throw invalidParams('invalid block range params');
      if (to - from >= BigInt(context.limits.maxTraceBlocks))
        throw invalidParams(
          `exceed maximum block range: ${context.limits.maxTraceBlocks}; ask for it in parts`,
        );
      return performJob(context, caller, {
        kind: 'flatFilter',
        height: from,
        toHeight: to,
        filter: {
          fromAddresses: wanted.fromAddress ?? [],
          toAddresses: wanted.toAddress ?? [],
          after: Number(wanted.after ?? 0n),
          count: Number(smallerOf(wanted.count ?? BigInt(MAX_TRACES), BigInt(MAX_TRACES))),
        },
      });
    },
  }),
  defineMethod({
    name: 'trace_replayTransaction',
    summary: 'A committed transaction run again: its output, calls and changes of state.',
    result: REPLAYED,
    access: 'indexer',
    cost: 100,
    params: [required('hash', hash), required('types', traceTypes)],
    run: async (context, [transactionHash, parts], caller) => {
      const place = await placeOfTransaction(context, transactionHash);
      return performJob(context, caller, { kind: 'replayTransaction', ...place, parts });
    },
  }),
  defineMethod({
    name: 'trace_replayBlockTransactions',
    summary: 'Every transaction of a block run again.',
    result: orNull(arrayOf(REPLAYED)),
    access: 'indexer',
    cost: 300,
    params: [required('block', block), required('types', traceTypes)],
    run: async (context, [selector, parts], caller) => {
      const found = await selectBlock(context, selector);
      return found === null
        ? null
        : performJob(context, caller, { kind: 'replayBlock', height: found.height, parts });
    },
  }),
  defineMethod({
    name: 'trace_get',
    summary: 'One call of a committed transaction by its path, null if there is none.',
    result: orNull(ref('ParityTrace')),
    access: 'indexer',
    cost: 100,
    params: [required('hash', hash), optional('path', z.array(count).max(1_024))],
    run: async (context, [transactionHash, path], caller) => {
      const place = await context.chain.transactionLocation(transactionHash);
      if (place === null) return null;
      const { text } = await performJob(context, caller, { kind: 'flatTransaction', ...place });
      const wanted = JSON.stringify((path ?? []).map(Number));
      const traces: { traceAddress: readonly number[] }[] = JSON.parse(text);
      return traces.find(({ traceAddress }) => JSON.stringify(traceAddress) === wanted) ?? null;
    },
  }),
];
