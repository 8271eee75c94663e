/**
 * Opcodes that need no state, executed without promises and without hex: what a loop of them costs must stay below what
 * its gas pays for (RULES 4).
 *
 * Each is what the library's handler does, gas included; those not named here are the library's own handler. A handler
 * is given the gas that is left after the constant price and answers what it takes beyond.
 */
import { EVMError } from '@ethereumjs/evm';
import { jumpDestinations } from '#node/execution/jumpAnalysis.ts';
import type { RunState } from '#node/execution/libraryInterpreter.ts';
import type { QuickEvm } from '#node/execution/quickEvm.ts';
import { halt, type QuickHandler, type QuickOpcode } from '#node/execution/quickHandler.ts';
import { MEMORY_HANDLERS } from '#node/execution/quickMemory.ts';
import { tload, tstore } from '#node/execution/quickStorage.ts';
import { readBytes, readWord, viewOf, wordOf } from '#node/execution/words.ts';

const { errorMessages } = EVMError;

// ── arithmetic ──

/** base^exponent mod 2²⁵⁶, four bits of the exponent at a time. */
const power = (base: bigint, exponent: bigint): bigint => {
  if (exponent === 0n) return 1n;
  const digits = exponent.toString(16);
  const powers: bigint[] = [1n, base];
  let result = 1n;
  for (let i = 0; i < digits.length; i++) {
    if (i > 0) {
      result = BigInt.asUintN(256, result * result);
      result = BigInt.asUintN(256, result * result);
      result = BigInt.asUintN(256, result * result);
      result = BigInt.asUintN(256, result * result);
    }
    const digit = Number.parseInt(digits[i]!, 16);
    if (digit === 0) continue;
    while (powers.length <= digit) powers.push(BigInt.asUintN(256, powers[powers.length - 1]! * base));
    result = BigInt.asUintN(256, result * powers[digit]!);
  }
  return result;
};

const EXP_BYTE_GAS = 50;
const exp: QuickHandler = (state, gas) => {
  const base = state.stack.pop();
  const exponent = state.stack.pop();
  const bytes = exponent === 0n ? 0 : (exponent.toString(16).length + 1) >> 1;
  const cost = 10 + EXP_BYTE_GAS * bytes;
  if (cost > gas) halt(errorMessages.OUT_OF_GAS);
  state.stack.push(power(base, exponent));
  return cost;
};

const binary =
  (compute: (a: bigint, b: bigint) => bigint): QuickHandler =>
  ({ stack }) => {
    const a = stack.pop();
    stack.push(compute(a, stack.pop()));
    return 0;
  };

const clz: QuickHandler = ({ stack }) => {
  const digits = stack.pop().toString(16);
  const top = 32 - Math.clz32(Number.parseInt(digits[0]!, 16));
  stack.push(BigInt(256 - 4 * (digits.length - 1) - top));
  return 0;
};

// ── the frame and the block ──

const doing =
  (act: (state: RunState) => void): QuickHandler =>
  (state) => {
    act(state);
    return 0;
  };

const gasLeft: QuickHandler = ({ stack }, gas) => {
  stack.push(BigInt(gas));
  return 0;
};

const pushing =
  (wordIn: (state: RunState) => bigint): QuickHandler =>
  (state) => {
    state.stack.push(wordIn(state));
    return 0;
  };

const calldataload: QuickHandler = ({ stack, env }) => {
  const offset = stack.pop();
  const { callData } = env;
  if (offset >= BigInt(callData.length)) {
    stack.push(0n);
    return 0;
  }
  const at = Number(offset);
  stack.push(at + 32 <= callData.length ? readWord(viewOf(callData), at) : readBytes(callData, at, 32));
  return 0;
};

const blobFees = new WeakMap<object, bigint>();
const blobBaseFee = ({ env, interpreter }: RunState): bigint => {
  const known = blobFees.get(env.block);
  if (known !== undefined) return known;
  const fee = interpreter.getBlobBaseFee();
  blobFees.set(env.block, fee);
  return fee;
};

// ── flow ──

const jumpTo = (state: RunState, destination: bigint): void => {
  const { code } = state;
  const at = destination < BigInt(code.length) ? Number(destination) : -1;
  if (at < 0 || jumpDestinations(code)[at] !== 1) halt(errorMessages.INVALID_JUMP);
  state.programCounter = at;
};

const jump: QuickHandler = (state) => {
  jumpTo(state, state.stack.pop());
  return 0;
};

const jumpi: QuickHandler = (state) => {
  const destination = state.stack.pop();
  if (state.stack.pop() !== 0n) jumpTo(state, destination);
  return 0;
};

const pushOf = (size: number): QuickHandler => {
  if (size <= 6)
    return (state) => {
      const { code, programCounter: at } = state;
      let value = 0;
      for (let i = 0; i < size; i++) value = value * 256 + (code[at + i] ?? 0);
      state.stack.push(BigInt(value));
      state.programCounter = at + size;
      return 0;
    };
  return (state) => {
    const { code, programCounter: at } = state;
    const end = at + size;
    state.stack.push(
      end <= code.length && end >= 32
        ? BigInt.asUintN(8 * size, readWord(viewOf(code), end - 32))
        : readBytes(code, at, size),
    );
    state.programCounter = end;
    return 0;
  };
};

const quickHandlers = ({ common, quickTransient }: QuickEvm): Map<number, QuickHandler> => {
  const chainId = common.chainId();
  const handlers = new Map<number, QuickHandler>([
    [0x01, binary((a, b) => BigInt.asUintN(256, a + b))],
    [0x02, binary((a, b) => BigInt.asUintN(256, a * b))],
    [0x03, binary((a, b) => BigInt.asUintN(256, a - b))],
    [0x04, binary((a, b) => (b === 0n ? 0n : a / b))],
    [0x06, binary((a, b) => (b === 0n ? 0n : a % b))],
    [0x10, binary((a, b) => (a < b ? 1n : 0n))],
    [0x11, binary((a, b) => (a > b ? 1n : 0n))],
    [0x14, binary((a, b) => (a === b ? 1n : 0n))],
    [0x16, binary((a, b) => a & b)],
    [0x17, binary((a, b) => a | b)],
    [0x18, binary((a, b) => a ^ b)],
    [0x1a, binary((a, b) => (a > 31n ? 0n : (b >> (8n * (31n - a))) & 0xffn))],
    [0x1b, binary((a, b) => (a > 255n ? 0n : BigInt.asUintN(256, b << a)))],
    [0x1c, binary((a, b) => (a > 255n ? 0n : b >> a))],
    [0x1d, binary((a, b) => BigInt.asUintN(256, BigInt.asIntN(256, b) >> (a > 255n ? 255n : a)))],
    [0x1e, clz],
    [0x30, pushing(({ env }) => wordOf(env.address.bytes))],
    [0x32, pushing(({ env }) => wordOf(env.origin.bytes))],
    [0x33, pushing(({ env }) => wordOf(env.caller.bytes))],
    [0x34, pushing(({ env }) => env.callValue)],
    [0x35, calldataload],
    [0x36, pushing(({ env }) => BigInt(env.callData.length))],
    [0x38, pushing(({ env }) => BigInt(env.code.length))],
    [0x3a, pushing(({ env }) => env.gasPrice)],
    [0x3d, pushing(({ returnBytes }) => BigInt(returnBytes.length))],
    [0x41, pushing(({ env }) => wordOf(env.block.header.coinbase.bytes))],
    [0x42, pushing(({ env }) => env.block.header.timestamp)],
    [0x43, pushing(({ env }) => env.block.header.number)],
    [0x44, pushing(({ env }) => wordOf(env.block.header.prevRandao))],
    [0x45, pushing(({ env }) => env.block.header.gasLimit)],
    [0x46, pushing(() => chainId)],
    [0x47, pushing(({ env }) => env.contract.balance)],
    [0x4a, pushing(blobBaseFee)],
    [0x50, doing(({ stack }) => stack.pop())],
    [0x56, jump],
    [0x57, jumpi],
    [0x58, pushing(({ programCounter }) => BigInt(programCounter - 1))],
    [0x5a, gasLeft],
    [0x5b, () => 0],
    [0x5c, tload(quickTransient)],
    [0x5d, tstore(quickTransient)],
    [0x5f, pushing(() => 0n)],
  ]);
  for (let size = 1; size <= 32; size++) handlers.set(0x5f + size, pushOf(size));
  for (let place = 1; place <= 16; place++) {
    handlers.set(
      0x7f + place,
      doing(({ stack }) => stack.dup(place)),
    );
    handlers.set(
      0x8f + place,
      doing(({ stack }) => stack.swap(place)),
    );
  }
  return handlers;
};

/** Their handlers charge all of their gas themselves. */
const PRICED_HANDLERS: ReadonlyMap<number, QuickHandler> = new Map([[0x0a, exp], ...MEMORY_HANDLERS]);

/**
 * By opcode; null: the library's step does it. Only opcodes that the chain's rules have are here.
 */
export const createQuickOpcodes = (evm: QuickEvm): (QuickOpcode | null)[] => {
  const { common } = evm;
  const handlers = quickHandlers(evm);
  const table: (QuickOpcode | null)[] = Array(256).fill(null);
  for (const [code, info] of evm.opcodes) {
    const priced = PRICED_HANDLERS.get(code);
    const quick = handlers.get(code);
    if (info.isInvalid) continue;
    if (priced !== undefined) table[code] = { price: 0, run: priced };
    else if (quick !== undefined) table[code] = { price: info.fee, run: quick };
    else if (!info.isAsync && !info.dynamicGas) {
      const { opHandler } = (
        evm as unknown as { _opcodeMap: { opHandler: (s: RunState, c: unknown) => void }[] }
      )._opcodeMap[code]!;
      table[code] = { price: info.fee, run: doing((state) => opHandler(state, common)) };
    }
  }
  return table;
};
