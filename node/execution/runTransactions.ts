/**
 * The transactions of a block, one after another on the overlay: each included, or dropped for a typed reason found
 * before the EVM ran (RULES 2).
 *
 * Owns checks, transfers without the interpreter, the EVM, and receipts. Does not own what stands before the first and
 * after the last transaction of a block (systemWrites.ts), nor roots. `deriveBlock.ts` runs payloads with it;
 * `test/spec/` runs Ethereum's state tests with it. An exception out of the EVM passes through (RULES 3).
 */
import type { Block } from '@ethereumjs/block';
import { Address as EvmAddress } from '@ethereumjs/util';
import { type RunTxResult, runTx } from '@ethereumjs/vm';
import { readGatewayRelayers } from '#bridge/encoding/gatewaySlots.ts';
import { type Address, bytesToAddress, bytesToHash, bytesToHex, hexToBytes } from '#consensus/primitives.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { DroppedTransaction } from '#node/chain.ts';
import type { Machine } from '#node/execution/machine.ts';
import type { OverlayState } from '#node/execution/overlayState.ts';
import { runPlainTransfer, TRANSFER_GAS } from '#node/execution/plainTransfer.ts';
import { hasNoCode } from '#node/execution/stateReader.ts';
import { slotReaderOf } from '#node/execution/systemWrites.ts';
import {
  checkAccount,
  checkRules,
  type DecodedTransaction,
  effectiveGasPrice,
  type SenderState,
  senderCodeKind,
  type TransactionRules,
} from '#node/execution/transactionChecks.ts';
import { EMPTY_BLOOM, logsToBloom } from '#node/storage/bloom.ts';
import type { LogRecord, ReceiptRecord } from '#node/storage/records.ts';

const GATEWAY = new EvmAddress(hexToBytes(PREDEPLOYS.pegGateway));

/** The block that transactions run in. */
export type BlockSetting = {
  readonly feeRecipient: Address;
  /** What the EVM sees of it; an import sees base fee 0 (RULES 31). */
  readonly contextAt: (baseFeePerGas: bigint) => Block;
};

/** The running sums of a block. */
export type Progress = {
  readonly included: DecodedTransaction[];
  readonly receipts: ReceiptRecord[];
  readonly dropped: DroppedTransaction[];
  gasUsed: bigint;
  /** Of `blockGasLimit`, which the import does not use. */
  ordinaryGasUsed: bigint;
};

/** `machine.state` is left with their effects. */
export const runTransactions = async (
  machine: Machine,
  rules: TransactionRules,
  setting: BlockSetting,
  transactions: readonly DecodedTransaction[],
): Promise<Progress> => {
  const progress: Progress = { included: [], receipts: [], dropped: [], gasUsed: 0n, ordinaryGasUsed: 0n };
  if (transactions.length === 0) return progress;
  const isRelayer = await relayersOf(machine, transactions);
  const block = setting.contextAt(rules.baseFeePerGas);
  const transfer = { feeRecipient: setting.feeRecipient, baseFeePerGas: rules.baseFeePerGas };
  for (const [index, transaction] of transactions.entries()) {
    const found = senderOf(machine.state, transaction);
    const sender = found instanceof Promise ? await found : found;
    const code = whyDropped(rules, transaction, sender, index, progress, isRelayer);
    if (code !== null) {
      progress.dropped.push({ hash: transaction.hash, code });
      continue;
    }
    if (runPlainTransfer(machine.state, transaction, transfer)) {
      progress.gasUsed += TRANSFER_GAS;
      progress.ordinaryGasUsed += TRANSFER_GAS;
      progress.included.push(transaction);
      progress.receipts.push(toReceipt(transaction, TRANSFERRED, progress.gasUsed, transfer.baseFeePerGas));
      continue;
    }
    const context = transaction.isImport ? setting.contextAt(0n) : block;
    machine.state.originalStorageCache.clear();
    const result = await runTx(machine.vm, {
      tx: transaction.tx,
      block: context,
      blockGasUsed: progress.gasUsed,
      skipHardForkValidation: true,
      skipBlockGasLimitValidation: true,
    });
    progress.gasUsed += result.totalGasSpent;
    if (!transaction.isImport) progress.ordinaryGasUsed += result.totalGasSpent;
    progress.included.push(transaction);
    progress.receipts.push(
      toReceipt(transaction, result, progress.gasUsed, context.header.baseFeePerGas ?? 0n),
    );
  }
  return progress;
};

/** The set of the parent state; read only when a payload carries an import (RULES 31). */
const relayersOf = async (
  machine: Machine,
  transactions: readonly DecodedTransaction[],
): Promise<(address: Address) => boolean> => {
  if (!transactions.some(({ isImport }) => isImport)) return () => false;
  const { addresses } = await readGatewayRelayers(slotReaderOf(machine.state, GATEWAY));
  const relayers = new Set(addresses);
  return (address) => relayers.has(address);
};

/** The typed checks before the EVM runs; null when the transaction is included. */
const whyDropped = (
  rules: TransactionRules,
  transaction: DecodedTransaction,
  sender: SenderState,
  index: number,
  progress: Progress,
  isRelayer: (address: Address) => boolean,
): string | null => {
  const ruled = checkRules(transaction, rules, isRelayer);
  if (!ruled.ok) return ruled.code;
  if (transaction.isImport && index > 0) return 'IMPORT_NOT_FIRST';
  if (!transaction.isImport && transaction.gasLimit > rules.blockGasLimit - progress.ordinaryGasUsed)
    return 'NO_GAS_LEFT';
  const checked = checkAccount(transaction, sender);
  return checked.ok ? null : checked.code;
};

const NO_SENDER: SenderState = { nonce: 0n, balance: 0n, code: 'none' };

/** Nearly always without code, and then at once. */
const senderOf = (
  state: OverlayState,
  { sender }: DecodedTransaction,
): SenderState | Promise<SenderState> => {
  const account = state.recordAt(sender);
  if (account === null) return NO_SENDER;
  const { nonce, balance } = account;
  if (hasNoCode(account)) return { nonce, balance, code: 'none' };
  const code = state.getCode(new EvmAddress(hexToBytes(sender)));
  return code.then((bytes) => ({ nonce, balance, code: senderCodeKind(bytes) }));
};

/** What a receipt says of an execution. */
type Outcome = Pick<RunTxResult, 'totalGasSpent' | 'createdAddress'> & {
  readonly execResult: Pick<RunTxResult['execResult'], 'logs' | 'exceptionError'>;
};
const TRANSFERRED: Outcome = { totalGasSpent: TRANSFER_GAS, execResult: {} };

const toReceipt = (
  transaction: DecodedTransaction,
  result: Outcome,
  cumulativeGasUsed: bigint,
  baseFeePerGas: bigint,
): ReceiptRecord => {
  const { execResult } = result;
  const logs: LogRecord[] = (execResult.logs ?? []).map(([address, topics, data]) => ({
    address: bytesToAddress(address),
    topics: topics.map(bytesToHash),
    data: bytesToHex(data),
  }));
  const created = transaction.to === null ? result.createdAddress : undefined;
  return {
    transactionHash: transaction.hash,
    type: transaction.type,
    from: transaction.sender,
    to: transaction.to,
    status: execResult.exceptionError === undefined ? 1 : 0,
    gasUsed: result.totalGasSpent,
    cumulativeGasUsed,
    effectiveGasPrice: effectiveGasPrice(transaction, baseFeePerGas),
    contractAddress: created === undefined ? null : bytesToAddress(created.bytes),
    logsBloom: logs.length === 0 ? EMPTY_BLOOM : logsToBloom(logs),
    logs,
  };
};
