/** SLOAD, SSTORE, TLOAD and TSTORE: gas of EIP-2200 as changed by EIP-2929 and EIP-3529, which every fork of ours has. */
import { EVMError } from '@ethereumjs/evm';
import type { RunState } from '#node/execution/libraryInterpreter.ts';
import type { QuickEvm } from '#node/execution/quickEvm.ts';
import { halt, type QuickHandler } from '#node/execution/quickHandler.ts';
import type { QuickTransient } from '#node/execution/quickTransient.ts';
import { readBytes, wordToBytes } from '#node/execution/words.ts';

const { errorMessages } = EVMError;

const WARM_GAS = 100;
const COLD_GAS = 2_100;
/** At most what a plain transfer leaves its recipient: no storage changes with it. */
const SENTRY_GAS = 2_300;
const SET_GAS = 20_000;
const RESET_GAS = 2_900;
const CLEAR_REFUND = 4_800n;

const toWord = (bytes: Uint8Array): bigint => readBytes(bytes, 0, bytes.length);

/** @returns the gas that it takes */
export const sload = async (evm: QuickEvm, { stack, env }: RunState, gas: number): Promise<number> => {
  const slot = wordToBytes(stack.pop());
  const cost = evm.quickJournal.accessStorage(env.address.bytes, slot) ? WARM_GAS : COLD_GAS;
  if (cost > gas) halt(errorMessages.OUT_OF_GAS);
  stack.push(toWord(await evm.stateManager.getStorage(env.address, slot)));
  return cost;
};

/** What a slot held at the start of the transaction, holds now, and shall hold. */
type Change = { readonly original: bigint; readonly current: bigint; readonly next: bigint };

const priceOf = ({ original, current, next }: Change): number => {
  if (current === next || original !== current) return WARM_GAS;
  return original === 0n ? SET_GAS : RESET_GAS;
};

/** May be negative: a refund given before that is no longer due. */
const refundOf = ({ original, current, next }: Change): bigint => {
  if (current === next) return 0n;
  let refund = 0n;
  if (original !== 0n && current === 0n) refund -= CLEAR_REFUND;
  if (original !== 0n && next === 0n) refund += CLEAR_REFUND;
  if (original !== current && original === next)
    refund += BigInt((original === 0n ? SET_GAS : RESET_GAS) - WARM_GAS);
  return refund;
};

/** @returns the gas that it takes */
export const sstore = async (evm: QuickEvm, state: RunState, gas: number): Promise<number> => {
  const { stack, env } = state;
  if (env.isStatic) halt(errorMessages.STATIC_STATE_CHANGE);
  const slot = wordToBytes(stack.pop());
  const next = stack.pop();
  if (gas <= SENTRY_GAS) halt(errorMessages.OUT_OF_GAS);
  const { stateManager } = evm;
  const change: Change = {
    original: toWord(await stateManager.originalStorageCache.get(env.address, slot)),
    current: toWord(await stateManager.getStorage(env.address, slot)),
    next,
  };
  const cost = priceOf(change) + (evm.quickJournal.accessStorage(env.address.bytes, slot) ? 0 : COLD_GAS);
  if (cost > gas) halt(errorMessages.OUT_OF_GAS);
  state.gasRefund += refundOf(change);
  await stateManager.putStorage(env.address, slot, wordToBytes(next));
  return cost;
};

/** The library's price for both is constant. */
export const tload =
  (transient: QuickTransient): QuickHandler =>
  ({ stack, env }) => {
    stack.push(transient.load(env.address, stack.pop()));
    return 0;
  };

export const tstore =
  (transient: QuickTransient): QuickHandler =>
  ({ stack, env }) => {
    if (env.isStatic) halt(errorMessages.STATIC_STATE_CHANGE);
    const slot = stack.pop();
    transient.store(env.address, slot, stack.pop());
    return 0;
  };
