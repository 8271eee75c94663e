/** Small contracts in bytecode, so that tests of execution need no compiler. */
import { type Hex, hexToBytes } from '#consensus/primitives.ts';

/** Init code that returns `runtime`. */
export const deploying = (runtime: Hex): Hex => {
  const size = (runtime.length - 2) / 2;
  const push2 = (value: number): string => `61${value.toString(16).padStart(4, '0')}`;
  // PUSH2 size, PUSH2 offset(=15), PUSH0, CODECOPY, PUSH2 size, PUSH0, RETURN
  return `0x${push2(size)}61000d5f39${push2(size)}5ff3${runtime.slice(2)}`;
};

/** Adds 1 to slot 0 and emits LOG1(topic = 0x2a) with the new value as data. */
export const COUNTER: Hex = ('0x5f546001018060005560005260' + '2a' + '60205fa100') as Hex;

/** Returns one word: 0x2a. */
export const ANSWER: Hex = '0x602a5f5260205ff3';

/** Reverts with the word 0x2a as data. */
export const REVERTER: Hex = '0x602a5f5260205ffd';

/** Loops for ever. */
export const ENDLESS: Hex = '0x5b5f56';

/** Returns BLOCKHASH(calldata word 0). */
export const BLOCK_HASH: Hex = '0x5f35405f5260205ff3';

/** Returns number, timestamp, prevrandao, gaslimit, basefee, coinbase as six words. */
export const BLOCK_CONTEXT: Hex = ('0x435f5242602052446040524560605248608052' + '4160a05260c05ff3') as Hex;

/** Calls the address in calldata word 0 with 63/64 of the gas and reverts unless it succeeds. */
export const NEEDS_63_64: Hex = ('0x5f5f5f5f5f5f355af1601057' + '5f5ffd' + '5b00') as Hex;

export const bytes = (hex: Hex): Uint8Array => hexToBytes(hex);
