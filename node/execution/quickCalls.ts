/**
 * CALL, CALLCODE, DELEGATECALL and STATICCALL, with what the library does for each of them but without its detours:
 * 100 gas must not buy 30 µs (RULES 4).
 *
 * `prepareCall` is the gas of the caller's side (EIP-150, 161, 2929, 7702), `executeMessage` is the callee's side.
 */
import { EVMError, type EVMResult, type ExecResult, Message, type PrecompileFunc } from '@ethereumjs/evm';
import { Account, Address } from '@ethereumjs/util';
import type { RunState } from '#node/execution/libraryInterpreter.ts';
import type { QuickEvm } from '#node/execution/quickEvm.ts';
import { halt } from '#node/execution/quickHandler.ts';
import { growMemory } from '#node/execution/quickMemory.ts';
import { writeWord } from '#node/execution/words.ts';

const { errorMessages } = EVMError;
const MAX_WORD = 2n ** 256n - 1n;

const WARM_GAS = 100;
const COLD_GAS = 2_600;
const VALUE_GAS = 9_000;
const NEW_ACCOUNT_GAS = 25_000;
export const STIPEND = 2_300;

const CALL = 0xf1;
const CALLCODE = 0xf2;
const DELEGATECALL = 0xf4;
const STATICCALL = 0xfa;
export const CALLS: ReadonlySet<number> = new Set([CALL, CALLCODE, DELEGATECALL, STATICCALL]);

const NOTHING = new Uint8Array(0);
const scratch = new Uint8Array(32);
const scratchView = new DataView(scratch.buffer);
const toAddress = (word: bigint): Address => {
  writeWord(scratchView, 0, word);
  return new Address(scratch.slice(12));
};

const DELEGATION_BYTES = 23;
/** EIP-7702: 0xef0100 and the address whose code runs. */
const delegateOf = (code: Uint8Array): Address | null =>
  code.length === DELEGATION_BYTES && code[0] === 0xef && code[1] === 1 && code[2] === 0
    ? new Address(code.slice(3))
    : null;

export type PreparedCall = {
  /** Gas of the opcode itself. */
  readonly cost: number;
  readonly message: Message;
  readonly outOffset: bigint;
  readonly outLength: bigint;
};

/** Takes the operands from the stack. @throws EVMError as the library does, before anything changed */
export const prepareCall = async (evm: QuickEvm, state: RunState, gas: number): Promise<PreparedCall> => {
  const { stack, env, opCode } = state;
  const hasValue = opCode === CALL || opCode === CALLCODE;
  const requested = stack.pop();
  const target = toAddress(stack.pop());
  const sent = hasValue ? stack.pop() : 0n;
  const inOffset = stack.pop();
  const inLength = stack.pop();
  const outOffset = stack.pop();
  const outLength = stack.pop();
  if (opCode === CALL && env.isStatic && sent !== 0n) halt(errorMessages.STATIC_STATE_CHANGE);
  let cost = growMemory(state, inOffset, inLength) + growMemory(state, outOffset, outLength);
  cost += evm.quickJournal.accessAddress(target.bytes) ? WARM_GAS : COLD_GAS;
  if (sent !== 0n) {
    cost += VALUE_GAS;
    if (opCode === CALL) {
      const account = await evm.stateManager.getAccount(target);
      if (account === undefined || account.isEmpty()) cost += NEW_ACCOUNT_GAS;
    }
  }
  const precompile = evm.precompileAt(target.bytes);
  let code: Uint8Array | PrecompileFunc = precompile ?? (await evm.stateManager.getCode(target));
  const delegate = typeof code === 'function' ? null : delegateOf(code);
  if (delegate !== null) {
    cost += evm.quickJournal.accessAddress(delegate.bytes) ? WARM_GAS : COLD_GAS;
    code = await evm.stateManager.getCode(delegate);
  }
  if (cost > gas) halt(errorMessages.OUT_OF_GAS);
  const left = gas - cost;
  const allowed = left - Math.floor(left / 64);
  const granted = requested > BigInt(allowed) ? allowed : Number(requested);
  const message = new Message({
    caller: opCode === DELEGATECALL ? env.caller : env.address,
    gasLimit: BigInt(sent === 0n ? granted : granted + STIPEND),
    to: opCode === CALL || opCode === STATICCALL ? target : env.address,
    codeAddress: target,
    value: opCode === DELEGATECALL ? env.callValue : sent,
    data: inLength === 0n ? NOTHING : state.memory.read(Number(inOffset), Number(inLength), true),
    code,
    isCompiled: precompile !== undefined,
    isStatic: opCode === STATICCALL || env.isStatic,
    delegatecall: opCode === DELEGATECALL,
    depth: env.depth + 1,
    blobVersionedHashes: env.blobVersionedHashes,
    gasRefund: state.gasRefund,
  });
  return { cost, message, outOffset, outLength };
};

/** Moves the value. @throws EVMError, which fails the message */
const transfer = async (evm: QuickEvm, { caller, to, value }: Message): Promise<void> => {
  const from = (await evm.stateManager.getAccount(caller)) ?? new Account();
  if (from.balance < value) halt(errorMessages.INSUFFICIENT_BALANCE);
  from.balance -= value;
  await evm.quickJournal.putAccount(caller, from);
  const account = (await evm.stateManager.getAccount(to!)) ?? new Account();
  if (account.balance + value > MAX_WORD) halt(errorMessages.VALUE_OVERFLOW);
  account.balance += value;
  await evm.quickJournal.putAccount(to!, account);
};

const settledBy = (message: Message): ExecResult => ({
  returnValue: NOTHING,
  executionGasUsed: 0n,
  gasRefund: message.gasRefund,
});

const executeCode = async (evm: QuickEvm, message: Message): Promise<ExecResult> => {
  if (!message.delegatecall) {
    try {
      if (message.value !== 0n) await transfer(evm, message);
      else {
        evm.quickJournal.touch(message.caller);
        evm.quickJournal.touch(message.to!);
      }
    } catch (error) {
      if (!(error instanceof EVMError)) throw error;
      return { ...settledBy(message), exceptionError: error };
    }
  }
  const { code } = message;
  if (typeof code === 'function') {
    const result = await evm.runPrecompiled(code, message);
    result.gasRefund = message.gasRefund;
    return result;
  }
  return code === undefined || code.length === 0 ? settledBy(message) : evm.runFrame(message);
};

/** A message of a call, within a checkpoint. */
export const executeMessage = async (evm: QuickEvm, message: Message): Promise<EVMResult> => {
  await evm.quickJournal.checkpoint();
  evm.transientStorage.checkpoint();
  const execResult = await executeCode(evm, message);
  if (execResult.exceptionError === undefined) {
    await evm.quickJournal.commit();
    evm.transientStorage.commit();
    return { execResult };
  }
  execResult.selfdestruct = new Map();
  execResult.createdAddresses = new Set();
  execResult.gasRefund = 0n;
  execResult.logs = [];
  await evm.quickJournal.revert();
  evm.transientStorage.revert();
  return { execResult };
};
