/** debug methods: raw bytes of what is stored, and traces of what was executed. */
import { RLP } from '@ethereumjs/rlp';
import { bytesToHex } from '#consensus/primitives.ts';
import { encodeConsensusReceipt } from '#node/execution/receipts.ts';
import { selectBlock, selectState } from '#node/rpc/blockSelector.ts';
import { callObject, DEFAULT_TRACE, traceCallOptions, traceOptions } from '#node/rpc/callParams.ts';
import { performJob, toCallRequest } from '#node/rpc/callRequest.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { serverError } from '#node/rpc/errors.ts';
import { placeOfTransaction } from '#node/rpc/findTransaction.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { address, type BlockSelector, block, blockNumber, count, data, hash } from '#node/rpc/params.ts';
import { ANY, arrayOf, mapOf, objectOf, orNull, ref } from '#node/rpc/schemas.ts';
import type { BlockRecord } from '#node/storage/records.ts';

const requireBlock = async (context: RpcContext, selector: BlockSelector): Promise<BlockRecord> => {
  const found = await selectBlock(context, selector);
  if (found !== null) return found;
  if (selector.kind === 'hash') throw serverError(`block ${selector.hash} not found`);
  throw serverError(selector.kind === 'height' ? `block #${selector.height} not found` : 'block not found');
};

/** [header, transactions, no uncles, no withdrawals]: a typed transaction is a string, a legacy one a list. */
const encodeBlock = ({ header, transactions }: BlockRecord): Uint8Array =>
  RLP.encode([
    RLP.decode(header),
    transactions.map((raw) => (raw[0]! >= 0xc0 ? RLP.decode(raw) : raw)),
    [],
    [],
  ]);

const MAX_STORAGE_RANGE = 1_024n;

export const debugMethods: readonly Method[] = [
  defineMethod({
    name: 'debug_getRawBlock',
    summary: 'The RLP of a block.',
    result: ref('Data'),
    access: 'indexer',
    cost: 20,
    params: [required('block', block)],
    run: async (context, [selector]) => bytesToHex(encodeBlock(await requireBlock(context, selector))),
  }),
  defineMethod({
    name: 'debug_getRawHeader',
    summary: 'The RLP of a header.',
    result: ref('Data'),
    access: 'indexer',
    cost: 4,
    params: [required('block', block)],
    run: async (context, [selector]) => bytesToHex((await requireBlock(context, selector)).header),
  }),
  defineMethod({
    name: 'debug_getRawReceipts',
    summary: 'The receipts of a block as the receipts root commits to them.',
    result: arrayOf(ref('Data')),
    access: 'indexer',
    cost: 20,
    params: [required('block', block)],
    run: async (context, [selector]) => {
      const { height } = await requireBlock(context, selector);
      const receipts = (await context.chain.receiptsAt(height)) ?? [];
      return receipts.map((receipt) => bytesToHex(encodeConsensusReceipt(receipt)));
    },
  }),
  defineMethod({
    name: 'debug_getRawTransaction',
    summary: 'The bytes of a transaction, committed or still in the pool; 0x if there is none.',
    result: ref('Data'),
    access: 'indexer',
    cost: 4,
    params: [required('hash', hash)],
    run: async (context, [transactionHash]) => {
      const place = await context.chain.transactionLocation(transactionHash);
      const found = place === null ? null : await context.chain.blockAt(place.height);
      const raw =
        place === null || found === null
          ? context.mempool.get(transactionHash)?.raw
          : found.transactions[place.index];
      return raw === undefined ? '0x' : bytesToHex(raw);
    },
  }),
  defineMethod({
    name: 'debug_getBadBlocks',
    summary: 'None: a block that does not execute is never decided.',
    result: arrayOf(ANY),
    access: 'indexer',
    cost: 1,
    params: [],
    run: () => [],
  }),
  defineMethod({
    name: 'debug_traceTransaction',
    summary: 'What a committed transaction did: struct logs, or what the named tracer makes of it.',
    result: ANY,
    access: 'indexer',
    cost: 100,
    params: [required('hash', hash), optional('options', traceOptions)],
    run: async (context, [transactionHash, options], caller) => {
      const place = await placeOfTransaction(context, transactionHash);
      return performJob(context, caller, {
        kind: 'traceTransaction',
        ...place,
        options: options ?? DEFAULT_TRACE,
      });
    },
  }),
  defineMethod({
    name: 'debug_traceBlockByNumber',
    summary: 'Traces of every transaction of a block.',
    result: arrayOf(objectOf({ txHash: ref('Hash'), result: ANY })),
    access: 'indexer',
    cost: 300,
    params: [required('block', blockNumber), optional('options', traceOptions)],
    run: async (context, [selector, options], caller) => {
      const { height } = await requireBlock(context, selector);
      return performJob(context, caller, { kind: 'traceBlock', height, options: options ?? DEFAULT_TRACE });
    },
  }),
  defineMethod({
    name: 'debug_traceBlockByHash',
    summary: 'Traces of every transaction of a block.',
    result: arrayOf(objectOf({ txHash: ref('Hash'), result: ANY })),
    access: 'indexer',
    cost: 300,
    params: [required('hash', hash), optional('options', traceOptions)],
    run: async (context, [blockHash, options], caller) => {
      const { height } = await requireBlock(context, { kind: 'hash', hash: blockHash });
      return performJob(context, caller, { kind: 'traceBlock', height, options: options ?? DEFAULT_TRACE });
    },
  }),
  defineMethod({
    name: 'debug_traceCall',
    summary: 'What a call would do, without sending it.',
    result: ANY,
    access: 'indexer',
    cost: 100,
    params: [required('call', callObject), optional('block', block), optional('options', traceCallOptions)],
    run: async (context, [call, selector, wanted], caller) => {
      const height = await selectState(context, selector);
      return performJob(context, caller, {
        kind: 'traceCall',
        height,
        request: toCallRequest(context, call, wanted),
        options: wanted?.options ?? DEFAULT_TRACE,
      });
    },
  }),
  defineMethod({
    name: 'debug_storageRangeAt',
    summary: "An account's slots before a transaction of a block, in the order of their hashes.",
    result: objectOf({
      storage: mapOf(objectOf({ key: orNull(ref('Hash')), value: ref('Hash') })),
      nextKey: orNull(ref('Hash')),
    }),
    access: 'indexer',
    cost: 100,
    params: [
      required('block', block),
      required('transactionIndex', count),
      required('address', address),
      required('startKey', data),
      required('maxResults', count),
    ],
    run: async (context, [selector, index, account, startKey, maxResults], caller) => {
      const { height, transactions } = await requireBlock(context, selector);
      if (index > BigInt(transactions.length))
        throw serverError(`transaction index ${index} out of range for block ${height}`);
      return performJob(context, caller, {
        kind: 'storageRange',
        height,
        index: Number(index),
        address: account,
        startKey: toKey(startKey),
        maxResults: Number(maxResults > MAX_STORAGE_RANGE ? MAX_STORAGE_RANGE : maxResults),
      });
    },
  }),
];

/** Shorter keys are padded on the right, as geth's seek in a trie has it. */
const toKey = (bytes: Uint8Array) => {
  const key = new Uint8Array(32);
  key.set(bytes.subarray(0, 32));
  return hash.parse(bytesToHex(key));
};
