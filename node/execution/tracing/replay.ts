/**
 * A committed block once more, transaction by transaction, on the state before it: what tracing is made of.
 *
 * Runs what `derive` ran (system writes at block start, then each transaction with the base fee that it saw), always
 * through the EVM, so that plain transfers show too. Reads nothing but committed state; changes nothing.
 */

import { Address as EvmAddress, generateAddress } from '@ethereumjs/util';
import type { RunTxResult } from '@ethereumjs/vm';
import { runTx } from '@ethereumjs/vm';
import { hexToBytes } from '#consensus/primitives.ts';
import { ChainError } from '#node/chain.ts';
import type { Machine } from '#node/execution/machine.ts';
import { blockContext } from '#node/execution/runCall.ts';
import type { StateReader } from '#node/execution/stateReader.ts';
import { applyBlockStart } from '#node/execution/systemWrites.ts';
import { authorityOf } from '#node/execution/tracing/authorizations.ts';
import { serverRefusal } from '#node/execution/tracing/jobs.ts';
import {
  runTraced,
  type TracedOutcome,
  type TracedTransaction,
  type Tracer,
} from '#node/execution/tracing/tracer.ts';
import {
  type DecodedTransaction,
  decodeTransaction,
  type TransactionRules,
} from '#node/execution/transactionChecks.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';
import { decodeHeader } from '#node/storage/headerCodec.ts';
import type { BlockRecord } from '#node/storage/records.ts';
import { quantityToBytes } from '#node/storage/rlpValues.ts';

export type ReplaySource = {
  readonly machine: Machine;
  readonly rules: TransactionRules;
  readonly store: ChainStore;
  /** The state after a height. @throws ChainError STATE_PRUNED */
  readonly readerAt: (height: bigint) => StateReader;
};

/** A block that is being run again; its transactions are run in order, each once. */
export type Replay = {
  readonly block: BlockRecord;
  readonly transactions: readonly DecodedTransaction[];
  /** Runs the next transaction. */
  run(): Promise<RunTxResult>;
  /** Runs the next transaction under a tracer. @returns what the tracer says at its end */
  trace(tracer: Tracer): Promise<unknown>;
};

/** @throws JobRefusal for the genesis block. @throws ChainError STATE_PRUNED, HISTORY_PRUNED */
export const openReplay = async (source: ReplaySource, block: BlockRecord): Promise<Replay> => {
  const { machine, rules, store, readerAt } = source;
  if (block.height === 0n) throw serverRefusal('genesis is not traceable');
  const parent = store.block(block.height - 1n);
  if (parent === null)
    throw new ChainError(
      'STORAGE_FAULT',
      `expected block ${block.height - 1n}, found none: the database is damaged`,
    );
  const transactions = block.transactions.map((raw) => decodeCommitted(raw, rules));
  const header = decodeHeader(block.header);
  machine.state.reset(readerAt(parent.height));
  await applyBlockStart(machine.state, {
    height: block.height,
    timestamp: block.timestamp,
    parentHash: parent.hash,
    parentValueId: parent.valueId,
  });
  const settings = {
    import: blockContext(machine, header, 0n),
    ordinary: blockContext(machine, header, header.baseFeePerGas),
  };
  let next = 0;
  let blockGasUsed = 0n;
  const current = (): DecodedTransaction => {
    const transaction = transactions[next];
    if (transaction === undefined)
      throw new TypeError(`expected transaction ${next}, found the end of the block`);
    return transaction;
  };
  const run = async (): Promise<RunTxResult> => {
    const transaction = current();
    machine.state.originalStorageCache.clear();
    const result = await runTx(machine.vm, {
      tx: transaction.tx,
      block: transaction.isImport ? settings.import : settings.ordinary,
      blockGasUsed,
      skipHardForkValidation: true,
      skipBlockGasLimitValidation: true,
    });
    blockGasUsed += result.totalGasSpent;
    next += 1;
    return result;
  };
  return {
    block,
    transactions,
    run,
    trace: async (tracer) => {
      const described = describe(current(), header.feeRecipient);
      await tracer.begin?.(described, machine.state);
      const result = await runTraced(machine, tracer, run);
      return tracer.end(outcomeOf(result), machine.state);
    },
  };
};

const decodeCommitted = (raw: Uint8Array, rules: TransactionRules): DecodedTransaction => {
  const decoded = decodeTransaction(raw, rules);
  if (decoded.ok) return decoded.transaction;
  throw new ChainError('STORAGE_FAULT', `expected a valid committed transaction: ${decoded.message}`);
};

const toEvmAddress = (address: string): EvmAddress => new EvmAddress(hexToBytes(address as `0x${string}`));

const describe = (
  { tx, sender, nonce, to, gasLimit }: DecodedTransaction,
  coinbase: string,
): TracedTransaction => ({
  from: toEvmAddress(sender),
  to: to === null ? null : toEvmAddress(to),
  created: to === null ? new EvmAddress(generateAddress(hexToBytes(sender), quantityToBytes(nonce))) : null,
  coinbase: toEvmAddress(coinbase),
  authorities: authoritiesOf(tx),
  gasLimit,
});

const authoritiesOf = (tx: DecodedTransaction['tx']): EvmAddress[] => {
  if (!('authorizationList' in tx)) return [];
  return tx.authorizationList.flatMap(([chainId, address, nonce, yParity, r, s]) => {
    const found = authorityOf({
      chainId: toBigInt(chainId),
      address: `0x${Buffer.from(address).toString('hex')}` as DecodedTransaction['sender'],
      nonce: toBigInt(nonce),
      yParity: toBigInt(yParity),
      r: toBigInt(r),
      s: toBigInt(s),
    });
    return found === null ? [] : [found];
  });
};

const toBigInt = (bytes: Uint8Array): bigint => BigInt(`0x0${Buffer.from(bytes).toString('hex')}`);

const outcomeOf = ({ totalGasSpent, execResult }: RunTxResult): TracedOutcome => ({
  gasUsed: totalGasSpent,
  failed: execResult.exceptionError !== undefined,
  returnValue: execResult.returnValue,
});

/** Runs what stands before a transaction of the block. */
export const skipTo = async (replay: Replay, index: number): Promise<void> => {
  for (let at = 0; at < index; at++) await replay.run();
};
