/**
 * A transfer of ether to an account without code, carried out without the interpreter.
 *
 * Bit for bit what `runTx` does with it: test/unit/node/execution/plainTransfer.test.ts compares the two on random
 * states. What it declines (`false`, nothing changed) goes the long way. It is asked after all checks of
 * transactionChecks.ts have passed.
 */
import { KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util';
import type { Address } from '#consensus/primitives.ts';
import type { OverlayState } from '#node/execution/overlayState.ts';
import { hasNoCode } from '#node/execution/stateReader.ts';
import { type DecodedTransaction, effectiveGasPrice } from '#node/execution/transactionChecks.ts';
import type { StateAccount } from '#node/storage/codec.ts';

export const TRANSFER_GAS = 21_000n;
const EMPTY_ACCOUNT: StateAccount = {
  nonce: 0n,
  balance: 0n,
  storageRoot: KECCAK256_RLP,
  codeHash: KECCAK256_NULL,
};
const MAX_UINT256 = (1n << 256n) - 1n;

export type TransferContext = { readonly feeRecipient: Address; readonly baseFeePerGas: bigint };

/** @returns whether it was carried out; it then used TRANSFER_GAS, succeeded and logged nothing */
export const runPlainTransfer = (
  state: OverlayState,
  transaction: DecodedTransaction,
  { feeRecipient, baseFeePerGas }: TransferContext,
): boolean => {
  const { isPlain, to, sender, valueWei } = transaction;
  if (!isPlain || to === null || mayBePrecompile(to)) return false;
  const recipient = state.recordAt(to);
  if (isEmpty(recipient) || isEmpty(state.recordAt(feeRecipient))) return false;
  if (recipient !== null && (!hasNoCode(recipient) || recipient.balance + valueWei > MAX_UINT256))
    return false;
  const price = effectiveGasPrice(transaction, baseFeePerGas);
  const from = recordOrEmpty(state, sender);
  state.setRecord(sender, {
    ...from,
    nonce: from.nonce + 1n,
    balance: from.balance - TRANSFER_GAS * price - valueWei,
  });
  credit(state, to, valueWei);
  credit(state, feeRecipient, TRANSFER_GAS * (price - baseFeePerGas));
  return true;
};

/** Precompiles are numbered from 1, and calling one runs it. */
const mayBePrecompile = (to: Address): boolean => to.startsWith('0x000000000000000000000000000000000000');

/** One that exists is a genesis' alone; it may have storage, which has to go when it is touched. */
const isEmpty = (account: StateAccount | null): boolean =>
  account !== null && account.balance === 0n && account.nonce === 0n && hasNoCode(account);

const recordOrEmpty = (state: OverlayState, address: Address): StateAccount =>
  state.recordAt(address) ?? EMPTY_ACCOUNT;

/** EIP-161: an account that is touched and stays empty is none. */
const credit = (state: OverlayState, address: Address, wei: bigint): void => {
  const account = recordOrEmpty(state, address);
  const balance = account.balance + wei;
  const after = { ...account, balance };
  state.setRecord(address, isEmpty(after) ? null : after);
};
