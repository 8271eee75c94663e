/**
 * Opcodes that read or write memory. Each charges all of its gas itself, after it has looked at the stack, as the library
 * does, so that what stops a frame is the same.
 */
import { EVMError } from '@ethereumjs/evm';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import type { RunState } from '#node/execution/libraryInterpreter.ts';
import { halt, type QuickHandler } from '#node/execution/quickHandler.ts';
import { readWord, viewOf, writeWord } from '#node/execution/words.ts';

const { errorMessages } = EVMError;

const SMALLEST_BYTES = 1_024;

/** The library's memory, but that it begins empty and grows to twice its size. */
export class QuickMemory {
  _store = new Uint8Array(0);

  extend(offset: number, size: number): void {
    const end = offset + size;
    if (size === 0 || end <= this._store.length) return;
    const grown = new Uint8Array(Math.max(SMALLEST_BYTES, 2 * this._store.length, Math.ceil(end / 32) * 32));
    grown.set(this._store);
    this._store = grown;
  }

  write(offset: number, size: number, value: Uint8Array): void {
    if (size === 0) return;
    if (value.length !== size) throw new Error(`expected ${size} bytes to write, found ${value.length}`);
    this.extend(offset, size);
    this._store.set(value, offset);
  }

  read(offset: number, size: number, avoidCopy = false): Uint8Array {
    this.extend(offset, size);
    const view = this._store.subarray(offset, offset + size);
    return avoidCopy ? view : view.slice();
  }
}

/** Below what any gas limit buys that is run here (quickInterpreter.ts). */
const MAX_MEMORY_BYTES = 2n ** 32n;
const COPY_GAS = 3;
const KECCAK_WORD_GAS = 6;

const wordsOf = (bytes: bigint): number => Math.ceil(Number(bytes) / 32);

/** @returns the gas for memory up to offset + length; Infinity when nobody can pay it */
export const growMemory = (state: RunState, offset: bigint, length: bigint): number => {
  if (length === 0n) return 0;
  const end = offset + length;
  if (end > MAX_MEMORY_BYTES) return Number.POSITIVE_INFINITY;
  const words = wordsOf(end);
  if (words <= Number(state.memoryWordCount)) return 0;
  const cost = words * 3 + Math.floor((words * words) / 512);
  const before = Number(state.highestMemCost);
  state.memoryWordCount = BigInt(words);
  state.highestMemCost = BigInt(cost);
  return cost - before;
};

const pay = (gas: number, cost: number): number => (cost > gas ? halt(errorMessages.OUT_OF_GAS) : cost);

/** Copies `length` bytes of `source` from `from` on into memory at `to`, zeros past its end. */
export const copyIntoMemory = (
  state: RunState,
  to: number,
  source: Uint8Array,
  from: bigint,
  length: number,
): void => {
  const { memory } = state;
  memory.extend(to, length);
  const start = from > BigInt(source.length) ? source.length : Number(from);
  const found = Math.min(length, source.length - start);
  memory._store.set(source.subarray(start, start + found), to);
  if (found < length) memory._store.fill(0, to + found, to + length);
};

const copying =
  (sourceOf: (state: RunState) => Uint8Array, isStrict = false): QuickHandler =>
  (state, gas) => {
    const { stack } = state;
    const to = stack.pop();
    const from = stack.pop();
    const length = stack.pop();
    const source = sourceOf(state);
    if (isStrict && from + length > BigInt(source.length)) halt(errorMessages.OUT_OF_GAS);
    const cost = pay(gas, 3 + growMemory(state, to, length) + COPY_GAS * wordsOf(length));
    if (length !== 0n) copyIntoMemory(state, Number(to), source, from, Number(length));
    return cost;
  };

const mload: QuickHandler = (state, gas) => {
  const { stack, memory } = state;
  const offset = stack.pop();
  const cost = pay(gas, 3 + growMemory(state, offset, 32n));
  const at = Number(offset);
  memory.extend(at, 32);
  stack.push(readWord(viewOf(memory._store), at));
  return cost;
};

const mstore: QuickHandler = (state, gas) => {
  const { stack, memory } = state;
  const offset = stack.pop();
  const word = stack.pop();
  const cost = pay(gas, 3 + growMemory(state, offset, 32n));
  const at = Number(offset);
  memory.extend(at, 32);
  writeWord(viewOf(memory._store), at, word);
  return cost;
};

const mstore8: QuickHandler = (state, gas) => {
  const { stack, memory } = state;
  const offset = stack.pop();
  const word = stack.pop();
  const cost = pay(gas, 3 + growMemory(state, offset, 1n));
  const at = Number(offset);
  memory.extend(at, 1);
  memory._store[at] = Number(word & 0xffn);
  return cost;
};

const mcopy: QuickHandler = (state, gas) => {
  const { stack, memory } = state;
  const to = stack.pop();
  const from = stack.pop();
  const length = stack.pop();
  const grown = growMemory(state, from, length) + growMemory(state, to, length);
  const cost = pay(gas, 3 + COPY_GAS * wordsOf(length) + grown);
  if (length !== 0n) {
    memory.extend(Number(from), Number(length));
    memory.extend(Number(to), Number(length));
    memory._store.copyWithin(Number(to), Number(from), Number(from) + Number(length));
  }
  return cost;
};

const NOTHING = new Uint8Array(0);
const keccak: QuickHandler = (state, gas) => {
  const { stack, memory } = state;
  const offset = stack.pop();
  const length = stack.pop();
  const cost = pay(gas, 30 + growMemory(state, offset, length) + KECCAK_WORD_GAS * wordsOf(length));
  const data = length === 0n ? NOTHING : memory.read(Number(offset), Number(length), true);
  const hash = keccak256(data);
  stack.push(readWord(new DataView(hash.buffer, hash.byteOffset, 32), 0));
  return cost;
};

/** Where a frame that reverts goes on: past every code. */
export const REVERTED = Number.POSITIVE_INFINITY;

const finishing =
  (nextOf: (state: RunState) => number): QuickHandler =>
  (state, gas) => {
    const { stack, memory, interpreter } = state;
    const offset = stack.pop();
    const length = stack.pop();
    const cost = pay(gas, growMemory(state, offset, length));
    interpreter._result.returnValue =
      length === 0n ? new Uint8Array(0) : memory.read(Number(offset), Number(length));
    state.programCounter = nextOf(state);
    return cost;
  };

export const MEMORY_HANDLERS: ReadonlyMap<number, QuickHandler> = new Map([
  [0x20, keccak],
  [0x37, copying(({ env }) => env.callData)],
  [0x39, copying(({ env }) => env.code)],
  [0x3e, copying(({ returnBytes }) => returnBytes, true)],
  [0x51, mload],
  [0x52, mstore],
  [0x53, mstore8],
  [0x5e, mcopy],
  [0xf3, finishing(({ code }) => code.length)],
  [0xfd, finishing(() => REVERTED)],
]);
