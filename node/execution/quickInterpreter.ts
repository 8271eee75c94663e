/**
 * The library's interpreter with a quick loop: opcodes that need no state run without promises (quickOpcodes.ts), the
 * others by the library's own step.
 *
 * The library awaits every opcode and analyses code in every call frame: a block of JUMPDESTs took seconds (RULES 4).
 * Results are the library's, held by differential tests and by Ethereum's state tests. A frame that is traced, or whose
 * gas is beyond what a number holds exactly, is the library's altogether.
 */
import { EVMError, type ExecResult, type Message } from '@ethereumjs/evm';
import {
  type Env,
  Interpreter,
  type InterpreterOptions,
  Memory,
  type RunState,
  Stack,
} from '#node/execution/libraryInterpreter.ts';
import { CALLS, executeMessage, prepareCall, STIPEND } from '#node/execution/quickCalls.ts';
import type { QuickEvm } from '#node/execution/quickEvm.ts';
import { halt, type QuickOpcode } from '#node/execution/quickHandler.ts';
import { copyIntoMemory, QuickMemory, REVERTED } from '#node/execution/quickMemory.ts';
import { sload, sstore } from '#node/execution/quickStorage.ts';

const { errorMessages } = EVMError;

/** More than any block has; memory that it buys stays below 2³² bytes (quickMemory.ts). */
const MAX_QUICK_GAS = 2n ** 40n;

const STATEFUL = new Map([
  [0x54, sload],
  [0x55, sstore],
]);
const INVALID = 0xfe;
const MAX_DEPTH = 1_024;
const NOTHING = new Uint8Array(0);

type Result = Awaited<ReturnType<InstanceType<typeof Interpreter>['run']>>;

export class QuickInterpreter extends Interpreter {
  declare quickOpcodes: readonly (QuickOpcode | null)[];

  /**
   * Without the library's constructor, which allocates 8 KiB of memory for each frame: as much time as the rest of a
   * call. What it sets is set here.
   */
  static create(
    evm: QuickEvm,
    env: Env,
    gasLimit: bigint,
    opcodes: readonly (QuickOpcode | null)[],
  ): QuickInterpreter {
    const interpreter: QuickInterpreter = Object.create(QuickInterpreter.prototype);
    const { stateManager, blockchain, journal, common } = evm;
    interpreter._evm = evm;
    interpreter._stateManager = stateManager;
    interpreter.common = common;
    interpreter.journal = journal;
    interpreter._env = env;
    interpreter._result = { logs: [], selfdestruct: new Map() };
    interpreter.quickOpcodes = opcodes;
    interpreter._runState = {
      programCounter: 0,
      opCode: INVALID,
      // Who watches is shown the library's, which is there before it is used.
      memory: evm.isWatched ? new Memory() : (new QuickMemory() as unknown as RunState['memory']),
      memoryWordCount: 0n,
      highestMemCost: 0n,
      stack: new Stack(),
      code: NOTHING,
      validJumps: NOTHING,
      cachedPushes: {},
      stateManager,
      blockchain,
      env,
      shouldDoJumpAnalysis: true,
      interpreter,
      gasRefund: env.gasRefund,
      gasLeft: gasLimit,
      stateGasSpilled: 0n,
      returnBytes: NOTHING,
    };
    return interpreter;
  }

  override async run(code: Uint8Array, options: InterpreterOptions = {}): Promise<Result> {
    const state = this._runState;
    const evm = this._evm as QuickEvm;
    if (options.pc !== undefined || evm.isWatched || state.gasLeft > MAX_QUICK_GAS)
      return super.run(code, options);
    state.code = code;
    const exceptionError = await this.quickLoop(code);
    return exceptionError === null ? { runState: state } : { runState: state, exceptionError };
  }

  /** @returns what stopped the frame, null when it stopped by itself. (A rejected promise would cost more than a call.) */
  protected async quickLoop(code: Uint8Array): Promise<EVMError | null> {
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
            gas = await this.quickCall(gas);
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
      return state.programCounter === REVERTED ? new EVMError(errorMessages.REVERT) : null;
    } catch (error) {
      if (!(error instanceof EVMError)) throw error;
      return error.error === errorMessages.STOP ? null : error;
    } finally {
      state.gasLeft = BigInt(gas);
    }
  }

  /** @returns the gas left after it */
  protected async quickCall(gas: number): Promise<number> {
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
    if (exceptionError === undefined) await this.mergeCall(message, execResult);
    if (logs !== undefined) for (const log of logs) this._result.logs.push(log);
    if (exceptionError === undefined || exceptionError.error === errorMessages.REVERT)
      state.returnBytes = returnValue;
    const copied = Math.min(Number(outLength), state.returnBytes.length);
    if (copied > 0) copyIntoMemory(state, Number(outOffset), state.returnBytes, 0n, copied);
    state.stack.push(exceptionError === undefined ? 1n : 0n);
    return left - Number(execResult.executionGasUsed);
  }

  protected async mergeCall(message: Message, { gasRefund }: ExecResult): Promise<void> {
    for (const [address, beneficiary] of message.selfdestruct!)
      this._result.selfdestruct.set(address, beneficiary);
    for (const address of message.createdAddresses!) this._result.createdAddresses!.add(address);
    const account = await this._stateManager.getAccount(this._env.address);
    if (account === undefined) throw new Error('expected the account of a running contract, found none');
    this._env.contract = account;
    this._runState.gasRefund = gasRefund ?? 0n;
  }
}
