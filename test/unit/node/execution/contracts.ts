/** Small contracts in bytecode, so that tests of execution need no compiler. */
import type { Hex } from '#consensus/primitives.ts';

/** Init code that returns `runtime`. */
export const deploying = (runtime: Hex): Hex => {
  const size = (runtime.length - 2) / 2;
  const push2 = (value: number): string => `61${value.toString(16).padStart(4, '0')}`;
  // PUSH2 size, PUSH2 offset(=15), PUSH0, CODECOPY, PUSH2 size, PUSH0, RETURN
  return `0x${push2(size)}61000d5f39${push2(size)}5ff3${runtime.slice(2)}`;
};

/** Adds 1 to slot 0 and emits LOG1(topic = 0x2a) with the new value as data. */
export const COUNTER: Hex = '0x5f5460010180600055600052602a60205fa100';

/** Returns one word: 0x2a. */
export const ANSWER: Hex = '0x602a5f5260205ff3';

/** Reverts with the word 0x2a as data. */
export const REVERTER: Hex = '0x602a5f5260205ffd';

/** Calls an account without code for ever: of all loops one of the slowest for its gas. */
export const ENDLESS: Hex = '0x5b5f5f5f5f5f61fffe5af1505f56';

/** Returns BLOCKHASH(calldata word 0). */
export const BLOCK_HASH: Hex = '0x5f35405f5260205ff3';

/** Returns number, timestamp, prevrandao, gaslimit, basefee, coinbase as six words. */
export const BLOCK_CONTEXT: Hex = '0x435f52426020524460405245606052486080524160a05260c05ff3';

/** Calls the address in calldata word 0 with 63/64 of the gas and reverts unless it succeeds. */
export const NEEDS_63_64: Hex = '0x5f5f5f5f5f5f355af1600f575f5ffd5b00';
