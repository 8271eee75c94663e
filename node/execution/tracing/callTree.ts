/**
 * The calls of one transaction as a tree, from which callTracer, flatCallTracer, trace_* and ots_* are written.
 *
 * The EVM's messages say who calls whom with what; the opcode before a message says which kind of call it is. A
 * SELFDESTRUCT is a leaf of its own, as in geth.
 */
import type { EVMResult, InterpreterStep, Message } from '@ethereumjs/evm';
import { EVMError } from '@ethereumjs/evm';
import type { Address as EvmAddress } from '@ethereumjs/util';
import {
  type Address,
  bytesToAddress,
  bytesToHash,
  bytesToHex,
  type Hash,
  type Hex,
} from '#consensus/primitives.ts';
import { gethWords } from '#node/execution/runCall.ts';
import { MAX_JOB_BYTES, tooLarge } from '#node/execution/tracing/jobs.ts';
import type { TracedOutcome, TracedTransaction } from '#node/execution/tracing/tracer.ts';

export type CallType =
  | 'CALL'
  | 'CALLCODE'
  | 'DELEGATECALL'
  | 'STATICCALL'
  | 'CREATE'
  | 'CREATE2'
  | 'SELFDESTRUCT';

export type CallLog = {
  readonly address: Address;
  readonly topics: readonly Hash[];
  readonly data: Hex;
  /** Of the transaction, in order of execution. */
  index: number;
  /** Sub-calls before it in its frame. */
  readonly position: number;
};

export type CallNode = {
  readonly type: CallType;
  readonly from: Address;
  /** Null: a creation that failed. */
  to: Address | null;
  readonly value: bigint;
  gas: bigint;
  gasUsed: bigint;
  readonly input: Uint8Array;
  output: Uint8Array;
  /** geth's words; null when it succeeded. */
  error: string | null;
  isReverted: boolean;
  readonly isPrecompile: boolean;
  readonly calls: CallNode[];
  logs: CallLog[];
};

const OPCODE_TYPES = new Map<number, CallType>([
  [0xf1, 'CALL'],
  [0xf2, 'CALLCODE'],
  [0xf4, 'DELEGATECALL'],
  [0xfa, 'STATICCALL'],
  [0xf0, 'CREATE'],
  [0xf5, 'CREATE2'],
]);
const LOG0 = 0xa0;
const LOG4 = 0xa4;
const SELFDESTRUCT = 0xff;
const FRAME_BYTES = 512;

const addressOf = (word: bigint): Address =>
  bytesToAddress(Buffer.from((word & ((1n << 160n) - 1n)).toString(16).padStart(40, '0'), 'hex'));
const at = (stack: readonly bigint[], depth: number): bigint => stack[stack.length - 1 - depth] ?? 0n;

export type CallTreeOptions = {
  readonly withLogs: boolean;
  readonly onlyTop: boolean;
  /** Gas of the outermost call: the transaction's (geth), or without its intrinsic cost (Parity). */
  readonly withIntrinsicGas: boolean;
};

export class CallTree {
  readonly #options: CallTreeOptions;
  readonly #isPrecompile: (address: EvmAddress) => boolean;
  #open: CallNode[] = [];
  #lastOpcode = 0;
  #bytes = 0;
  #transaction: TracedTransaction | null = null;
  root: CallNode | null = null;

  constructor(isPrecompile: (address: EvmAddress) => boolean, options: CallTreeOptions) {
    this.#isPrecompile = isPrecompile;
    this.#options = options;
  }

  begin(transaction: TracedTransaction): void {
    this.#transaction = transaction;
  }

  step(step: InterpreterStep): void | Promise<void> {
    const { code } = step.opcode;
    this.#lastOpcode = code;
    if (this.#options.withLogs && code >= LOG0 && code <= LOG4) this.#log(step);
    if (code === SELFDESTRUCT && !this.#options.onlyTop) return this.#selfDestruct(step);
  }

  #log({ opcode, stack, memory, address }: InterpreterStep): void {
    const frame = this.#open.at(-1);
    if (frame === undefined) return;
    const [offset, length] = [Number(at(stack, 0)), Number(at(stack, 1))];
    this.#charge(FRAME_BYTES + 2 * length);
    const data = new Uint8Array(length);
    if (length > 0) data.set(memory.subarray(offset, offset + length));
    frame.logs.push({
      address: bytesToAddress(address.bytes),
      topics: Array.from({ length: opcode.code - LOG0 }, (_, index) =>
        bytesToHash(
          Buffer.from(
            at(stack, 2 + index)
              .toString(16)
              .padStart(64, '0'),
            'hex',
          ),
        ),
      ),
      data: bytesToHex(data),
      index: 0,
      position: frame.calls.length,
    });
  }

  async #selfDestruct({ stack, address, stateManager }: InterpreterStep): Promise<void> {
    const frame = this.#open.at(-1);
    const account = await stateManager.getAccount(address);
    this.#charge(FRAME_BYTES);
    frame?.calls.push({
      type: 'SELFDESTRUCT',
      from: bytesToAddress(address.bytes),
      to: addressOf(at(stack, 0)),
      value: account?.balance ?? 0n,
      gas: 0n,
      gasUsed: 0n,
      input: new Uint8Array(0),
      output: new Uint8Array(0),
      error: null,
      isReverted: false,
      isPrecompile: false,
      calls: [],
      logs: [],
    });
  }

  enter(message: Message): void {
    const parent = this.#open.at(-1);
    this.#charge(FRAME_BYTES + 2 * message.data.length);
    const node: CallNode = {
      type: this.#typeOf(message, parent),
      ...this.#endsOf(message, parent),
      gas: this.#gasOf(message, parent),
      gasUsed: 0n,
      // A view of the caller's memory, which goes on changing.
      input: message.data.slice(),
      output: new Uint8Array(0),
      error: null,
      isReverted: false,
      isPrecompile: message.to !== undefined && this.#isPrecompile(message.codeAddress),
      calls: [],
      logs: [],
    };
    if (parent === undefined) this.root = node;
    else if (!this.#options.onlyTop) parent.calls.push(node);
    this.#open.push(node);
  }

  #gasOf(message: Message, parent: CallNode | undefined): bigint {
    if (parent !== undefined || !this.#options.withIntrinsicGas) return message.gasLimit;
    return this.#transaction?.gasLimit ?? message.gasLimit;
  }

  #typeOf(message: Message, parent: CallNode | undefined): CallType {
    if (parent !== undefined) return OPCODE_TYPES.get(this.#lastOpcode) ?? 'CALL';
    return message.to === undefined ? 'CREATE' : 'CALL';
  }

  #endsOf(message: Message, parent: CallNode | undefined) {
    const to = message.to === undefined ? null : bytesToAddress(message.to.bytes);
    if (parent === undefined || to === null)
      return { from: bytesToAddress(message.caller.bytes), to, value: message.value };
    const target = bytesToAddress(message.codeAddress.bytes);
    if (message.delegatecall) return { from: to, to: target, value: parent.value };
    const isCallCode = this.#lastOpcode === 0xf2;
    return {
      from: isCallCode ? to : bytesToAddress(message.caller.bytes),
      to: isCallCode ? target : to,
      value: message.value,
    };
  }

  exit({ execResult, createdAddress }: EVMResult): void {
    const node = this.#open.pop();
    if (node === undefined) return;
    node.gasUsed = execResult.executionGasUsed;
    const isCreation = node.type === 'CREATE' || node.type === 'CREATE2';
    const { exceptionError, returnValue } = execResult;
    this.#charge(2 * returnValue.length);
    if (exceptionError === undefined) {
      node.output = returnValue.slice();
      if (isCreation && createdAddress !== undefined) node.to = bytesToAddress(createdAddress.bytes);
      return;
    }
    node.error = gethWords(exceptionError.error)[1];
    node.isReverted = exceptionError.error === EVMError.errorMessages.REVERT;
    if (node.isReverted) node.output = returnValue.slice();
    else if (node.calls.at(-1)?.type === 'SELFDESTRUCT' && this.#lastOpcode === SELFDESTRUCT)
      node.calls.pop();
    if (isCreation) node.to = null;
  }

  /** The whole of the transaction, once it has run. @throws TypeError if nothing ran */
  finish({ gasUsed }: TracedOutcome): CallNode {
    if (this.root === null) throw new TypeError('expected a traced call, found none');
    if (this.#options.withIntrinsicGas) this.root.gasUsed = gasUsed;
    dropLostLogs(this.root, false);
    let index = 0;
    for (const log of logsInOrder(this.root)) log.index = index++;
    return this.root;
  }

  #charge(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_JOB_BYTES) throw tooLarge();
  }
}

/** What a frame logged is gone when it, or one around it, failed. */
const dropLostLogs = (node: CallNode, isLost: boolean): void => {
  const lost = isLost || node.error !== null;
  if (lost) node.logs = [];
  for (const call of node.calls) dropLostLogs(call, lost);
};

function* logsInOrder(node: CallNode): Generator<CallLog> {
  let next = 0;
  for (const [position, call] of node.calls.entries()) {
    while (next < node.logs.length && node.logs[next]!.position <= position) yield node.logs[next++]!;
    yield* logsInOrder(call);
  }
  while (next < node.logs.length) yield node.logs[next++]!;
}
