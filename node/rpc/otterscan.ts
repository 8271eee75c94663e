/**
 * ots methods (API level 8) and erigon_getHeaderByNumber, for Otterscan.
 *
 * There is no index of who appears where: a search looks through a bounded number of blocks for senders, recipients,
 * created contracts and logs, and says by `firstPage` and `lastPage` whether it met the ends of the chain. Calls inside a
 * transaction are not searched.
 */
import type { Address } from '#consensus/primitives.ts';
import { largerOf } from '#node/rpc/bigints.ts';
import { selectBlock, selectState } from '#node/rpc/blockSelector.ts';
import { performJob } from '#node/rpc/callRequest.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { invalidParams, serverError } from '#node/rpc/errors.ts';
import { findFirstHeight } from '#node/rpc/findHeight.ts';
import { placeOfTransaction } from '#node/rpc/findTransaction.ts';
import { formatBlock, formatHeader } from '#node/rpc/format/block.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { formatReceipt } from '#node/rpc/format/receipt.ts';
import { formatCommittedTransaction } from '#node/rpc/format/transaction.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { createPacer } from '#node/rpc/pacer.ts';
import { address, block, blockNumber, count, hash } from '#node/rpc/params.ts';
import {
  ANY,
  arrayOf,
  BOOLEAN,
  NUMBER,
  objectOf,
  openObjectOf,
  orNull,
  ref,
  TEXT,
} from '#node/rpc/schemas.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';

const API_LEVEL = 8;
const MAX_PAGE = 100n;

const showDetails = async (context: RpcContext, found: BlockRecord | null) => {
  if (found === null) return null;
  const receipts = (await context.chain.receiptsAt(found.height)) ?? [];
  const { transactions, logsBloom: _, ...shown } = formatBlock(found, null);
  const fees = receipts.reduce(
    (sum, { gasUsed, effectiveGasPrice }) => sum + gasUsed * effectiveGasPrice,
    0n,
  );
  return {
    block: { ...shown, logsBloom: null, transactionCount: (transactions as unknown[]).length },
    issuance: { blockReward: '0x0', uncleReward: '0x0', issuance: '0x0' },
    totalFees: toQuantity(fees),
  };
};

/** Otterscan shows the selector of a call and fetches no logs with a page. */
const trimTransaction = (shown: Record<string, unknown>) => ({
  ...shown,
  input: (shown.input as string).slice(0, 10),
});

const pageOf = async (context: RpcContext, found: BlockRecord, page: bigint, size: bigint) => {
  const receipts = (await context.chain.receiptsAt(found.height)) ?? [];
  // Page 0 has the last transactions, as in Erigon.
  const end = largerOf(BigInt(receipts.length) - page * size, 0n);
  const start = largerOf(end - size, 0n);
  const places = Array.from({ length: Number(end - start) }, (_, offset) => Number(start) + offset);
  return {
    fullblock: {
      ...formatBlock(found, null),
      transactionCount: receipts.length,
      transactions: places.map((index) =>
        trimTransaction(formatCommittedTransaction(found, receipts, index)),
      ),
    },
    receipts: places.map((index) => ({
      ...formatReceipt(found, receipts, index),
      logs: null,
      logsBloom: null,
    })),
  };
};

const appearsIn = (wanted: Address, { from, to, contractAddress, logs }: ReceiptRecord): boolean => {
  if (from === wanted || to === wanted || contractAddress === wanted) return true;
  const topic = `0x${wanted.slice(2).padStart(64, '0')}`;
  return logs.some((log) => log.address === wanted || (log.topics as readonly string[]).includes(topic));
};

const nonceOf = (shown: Record<string, unknown>): unknown => shown.nonce;

/** Newest first. @param step −1n towards the genesis, 1n towards the head */
const search = async (context: RpcContext, wanted: Address, start: bigint, step: bigint, size: bigint) => {
  const head = context.chain.head().block.height;
  const txs: unknown[] = [];
  const receipts: unknown[] = [];
  const pace = createPacer();
  let height = start;
  let looked = 0;
  for (; height >= 0n && height <= head && looked < context.limits.maxLogBlocks; height += step, looked++) {
    if (BigInt(txs.length) >= size) break;
    await pace();
    const found = await context.chain.blockAt(height);
    const all = found === null ? null : await context.chain.receiptsAt(height);
    if (found === null || all === null) continue;
    // A block is never cut in two, so a page may be longer than was asked for.
    const places = [...all.keys()].filter((index) => appearsIn(wanted, all[index]!)).reverse();
    const shown = places.map((index) => ({
      transaction: formatCommittedTransaction(found, all, index),
      receipt: { ...formatReceipt(found, all, index), timestamp: Number(found.timestamp) },
    }));
    const ordered = step < 0n ? shown : [...shown].reverse();
    for (const { transaction, receipt } of ordered) {
      txs.push(transaction);
      receipts.push(receipt);
    }
  }
  const isAtGenesis = height < 0n;
  const isAtHead = height > head;
  if (step > 0n) {
    txs.reverse();
    receipts.reverse();
  }
  const startsAtHead = step < 0n && start >= head;
  return {
    txs,
    receipts,
    firstPage: step < 0n ? startsAtHead : isAtHead,
    lastPage: step < 0n ? isAtGenesis : start <= 0n,
  };
};

const SEARCH_RESULT = objectOf({
  txs: arrayOf(ref('Transaction')),
  receipts: arrayOf(ANY),
  firstPage: BOOLEAN,
  lastPage: BOOLEAN,
});

const checkPage = (size: bigint): void => {
  if (size < 1n || size > MAX_PAGE) throw invalidParams(`expected a page of 1 to ${MAX_PAGE}, found ${size}`);
};

export const otterscanMethods: readonly Method[] = [
  defineMethod({
    name: 'erigon_getHeaderByNumber',
    summary: 'The header with this height or tag, null if there is none.',
    result: orNull(ref('Header')),
    access: 'indexer',
    cost: 4,
    params: [required('block', blockNumber)],
    run: async (context, [selector]) => {
      const found = await selectBlock(context, selector);
      return found === null ? null : formatHeader(found);
    },
  }),
  defineMethod({
    name: 'ots_getApiLevel',
    summary: "The level of Otterscan's interface that this server has.",
    result: NUMBER,
    access: 'indexer',
    cost: 1,
    params: [],
    run: () => API_LEVEL,
  }),
  defineMethod({
    name: 'ots_hasCode',
    summary: 'Whether an account has code.',
    result: BOOLEAN,
    access: 'indexer',
    cost: 3,
    params: [required('address', address), optional('block', block)],
    run: async (context, [account, selector]) =>
      (await context.chain.code(account, await selectState(context, selector))).length > 0,
  }),
  defineMethod({
    name: 'ots_getBlockDetails',
    summary: 'A block without its transactions, with their number and fees.',
    result: orNull(openObjectOf({ block: ANY, issuance: ANY, totalFees: ref('Quantity') })),
    access: 'indexer',
    cost: 20,
    params: [required('block', blockNumber)],
    run: async (context, [selector]) => showDetails(context, await selectBlock(context, selector)),
  }),
  defineMethod({
    name: 'ots_getBlockDetailsByHash',
    summary: 'A block without its transactions, with their number and fees.',
    result: orNull(openObjectOf({ block: ANY, issuance: ANY, totalFees: ref('Quantity') })),
    access: 'indexer',
    cost: 20,
    params: [required('hash', hash)],
    run: async (context, [blockHash]) => showDetails(context, await context.chain.blockByHash(blockHash)),
  }),
  defineMethod({
    name: 'ots_getBlockTransactions',
    summary: 'A page of the transactions of a block, the last ones on page 0.',
    result: orNull(openObjectOf({ fullblock: ANY, receipts: arrayOf(ANY) })),
    access: 'indexer',
    cost: 30,
    params: [required('block', blockNumber), required('page', count), required('size', count)],
    run: async (context, [selector, page, size]) => {
      checkPage(size);
      const found = await selectBlock(context, selector);
      return found === null ? null : pageOf(context, found, page, size);
    },
  }),
  defineMethod({
    name: 'ots_searchTransactionsBefore',
    summary: 'Transactions in which an address appears, below a height (0: from the head), newest first.',
    result: SEARCH_RESULT,
    access: 'indexer',
    cost: 300,
    params: [required('address', address), required('height', count), required('size', count)],
    run: (context, [account, height, size], { client }) => {
      checkPage(size);
      const start = height === 0n ? context.chain.head().block.height : height - 1n;
      return context.logScans(() => search(context, account, start, -1n, size), client);
    },
  }),
  defineMethod({
    name: 'ots_searchTransactionsAfter',
    summary: 'Transactions in which an address appears, above a height (0: from the genesis), newest first.',
    result: SEARCH_RESULT,
    access: 'indexer',
    cost: 300,
    params: [required('address', address), required('height', count), required('size', count)],
    run: (context, [account, height, size], { client }) => {
      checkPage(size);
      const start = height === 0n ? 0n : height + 1n;
      return context.logScans(() => search(context, account, start, 1n, size), client);
    },
  }),
  defineMethod({
    name: 'ots_getTransactionBySenderAndNonce',
    summary: 'The hash of the transaction with which a sender used a nonce, null if it has not.',
    result: orNull(ref('Hash')),
    access: 'indexer',
    cost: 50,
    params: [required('address', address), required('nonce', count)],
    run: async (context, [sender, nonce]) => {
      const height = await findFirstHeight(
        context,
        async (at) => ((await context.chain.account(sender, at))?.nonce ?? 0n) > nonce,
      );
      if (height === null) return null;
      const receipts = (await context.chain.receiptsAt(height)) ?? [];
      const found = await context.chain.blockAt(height);
      if (found === null) return null;
      const match = receipts.findIndex(
        ({ from }, index) =>
          from === sender &&
          nonceOf(formatCommittedTransaction(found, receipts, index)) === toQuantity(nonce),
      );
      return found.transactionHashes[match] ?? null;
    },
  }),
  defineMethod({
    name: 'ots_getContractCreator',
    summary:
      'Who created a contract, and in which transaction; null for an account without code or of the genesis.',
    result: orNull(objectOf({ hash: ref('Hash'), creator: ref('Address') })),
    access: 'indexer',
    cost: 200,
    params: [required('address', address)],
    run: async (context, [account], caller) => {
      const height = await findFirstHeight(
        context,
        async (at) => (await context.chain.code(account, at)).length > 0,
      );
      return height === null
        ? null
        : performJob(context, caller, { kind: 'creator', height, address: account });
    },
  }),
  defineMethod({
    name: 'ots_getInternalOperations',
    summary: 'Transfers, creations and self-destructs inside a transaction.',
    result: arrayOf(openObjectOf({ type: NUMBER, from: ref('Address'), value: ref('Quantity') })),
    access: 'indexer',
    cost: 100,
    params: [required('hash', hash)],
    run: async (context, [transactionHash], caller) => {
      const place = await placeOfTransaction(context, transactionHash);
      return performJob(context, caller, { kind: 'internalOperations', ...place });
    },
  }),
  defineMethod({
    name: 'ots_traceTransaction',
    summary: 'The calls of a transaction with their depth.',
    result: arrayOf(openObjectOf({ type: TEXT, depth: NUMBER, from: ref('Address'), input: ref('Data') })),
    access: 'indexer',
    cost: 100,
    params: [required('hash', hash)],
    run: async (context, [transactionHash], caller) => {
      const place = await placeOfTransaction(context, transactionHash);
      return performJob(context, caller, { kind: 'flatCalls', ...place });
    },
  }),
  defineMethod({
    name: 'ots_getTransactionError',
    summary: 'What a failed transaction returned, 0x for one that succeeded.',
    result: ref('Data'),
    access: 'indexer',
    cost: 100,
    params: [required('hash', hash)],
    run: async (context, [transactionHash], caller) => {
      const place = await placeOfTransaction(context, transactionHash);
      const receipt = (await context.chain.receiptsAt(place.height))?.[place.index];
      if (receipt === undefined) throw serverError('transaction not found');
      if (receipt.status === 1) return '0x';
      const parts = { trace: false, stateDiff: false };
      const { text } = await performJob(context, caller, { kind: 'replayTransaction', ...place, parts });
      return (JSON.parse(text) as { output: string }).output;
    },
  }),
];
