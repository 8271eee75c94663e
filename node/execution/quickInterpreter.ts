/**
 * The library's interpreter with a quick loop: opcodes that need no state run without promises (quickOpcodes.ts), the
 * others by the library's own step.
 *
 * The library awaits every opcode and analyses code in every call frame: a block of JUMPDESTs took seconds (RULES 4).
 * Results are the library's, held by differential tests and by Ethereum's state tests. A frame that is traced, or whose
 * gas is beyond what a number holds exactly, is the library's altogether.
 */
import { EVMError, type ExecResult, type Message } from '@ethereumjs/evm';
import { Interpreter, type InterpreterOptions } from '#node/execution/libraryInterpreter.ts';
import { CALLS, executeMessage, prepareCall, STIPEND } from '#node/execution/quickCalls.ts';
import type { QuickEvm } from '#node/execution/quickEvm.ts';
import { halt, type QuickOpcode } from '#node/execution/quickHandler.ts';
import { copyIntoMemory, REVERTED } from '#node/execution/quickMemory.ts';
import { sload, sstore } from '#node/execution/quickStorage.ts';

const { errorMessages } = EVMError;

/** More than any block has; memory that it buys stays below 2³² bytes (quickMemory.ts). */
const MAX_QUICK_GAS = 2n ** 40n;

const STATEFUL = new Map([
  [0x54, sload],
  [0x55, sstore],
]);
const MAX_DEPTH = 1_024;
const NOTHING = new Uint8Array(0);

type Result = Awaited<ReturnType<InstanceType<typeof Interpreter>['run']>>;

export class QuickInterpreter extends Interpreter {
  /** Set before `run`. */
  quickOpcodes: readonly (QuickOpcode | null)[] = [];

  override async run(code: Uint8Array, options: InterpreterOptions = {}): Promise<Result> {
    const state = this._runState;
    const evm = this._evm as QuickEvm;
    if (options.pc !== undefined || evm.isWatched || state.gasLeft > MAX_QUICK_GAS)
      return super.run(code, options);
    state.code = code;
    try {
      await this.#loop(code);
      return { runState: state };
    } catch (error) {
      if (!(error instanceof EVMError)) throw error;
      return error.error === errorMessages.STOP
        ? { runState: state }
        : { runState: state, exceptionError: error };
    }
  }

  async #loop(code: Uint8Array): Promise<void> {
    const state = this._runState;
    const evm = this._evm as QuickEvm;
    const opcodes = this.quickOpcodes;
    const size = code.length;
    let gas = Number(state.gasLeft);
    try {
      while (state.programCounter < size) {
        const opcode = code[state.programCounter]!;
        const quick = opcodes[opcode]!;
        state.opCode = opcode;
        if (quick === null) {
          const stateful = STATEFUL.get(opcode);
          if (stateful !== undefined) {
            gas -= await stateful(evm, state, gas);
            state.programCounter += 1;
            continue;
          }
          if (CALLS.has(opcode)) {
            gas = await this.#call(gas);
            continue;
          }
          state.gasLeft = BigInt(gas);
          try {
            await this.runStep();
          } finally {
            gas = Number(state.gasLeft);
          }
          continue;
        }
        gas -= quick.price;
        if (gas < 0) {
          gas = 0;
          halt(errorMessages.OUT_OF_GAS);
        }
        state.programCounter += 1;
        gas -= quick.run(state, gas);
      }
      if (state.programCounter === REVERTED) halt(errorMessages.REVERT);
    } finally {
      state.gasLeft = BigInt(gas);
    }
  }

  /** @returns the gas left after it */
  async #call(gas: number): Promise<number> {
    const state = this._runState;
    const evm = this._evm as QuickEvm;
    const { cost, message, outOffset, outLength } = await prepareCall(evm, state, gas);
    state.programCounter += 1;
    state.returnBytes = NOTHING;
    const left = gas - cost + (message.delegatecall || message.value === 0n ? 0 : STIPEND);
    if (message.depth > MAX_DEPTH || (!message.delegatecall && this._env.contract.balance < message.value)) {
      state.stack.push(0n);
      return left;
    }
    const { selfdestruct, createdAddresses } = this._result;
    message.selfdestruct = new Map(selfdestruct);
    message.createdAddresses = new Set(createdAddresses);
    const { execResult } = await executeMessage(evm, message);
    const { exceptionError, returnValue, logs } = execResult;
    if (exceptionError === undefined) await this.#merge(message, execResult);
    if (logs !== undefined) for (const log of logs) this._result.logs.push(log);
    if (exceptionError === undefined || exceptionError.error === errorMessages.REVERT)
      state.returnBytes = returnValue;
    const copied = Math.min(Number(outLength), state.returnBytes.length);
    if (copied > 0) copyIntoMemory(state, Number(outOffset), state.returnBytes, 0n, copied);
    state.stack.push(exceptionError === undefined ? 1n : 0n);
    return left - Number(execResult.executionGasUsed);
  }

  async #merge(message: Message, { gasRefund }: ExecResult): Promise<void> {
    for (const [address, beneficiary] of message.selfdestruct!)
      this._result.selfdestruct.set(address, beneficiary);
    for (const address of message.createdAddresses!) this._result.createdAddresses!.add(address);
    const account = await this._stateManager.getAccount(this._env.address);
    if (account === undefined) throw new Error('expected the account of a running contract, found none');
    this._env.contract = account;
    this._runState.gasRefund = gasRefund ?? 0n;
  }
}
