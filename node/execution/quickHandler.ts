/** What an opcode of the quick loop is (quickInterpreter.ts). */
import { EVMError } from '@ethereumjs/evm';
import type { RunState } from '#node/execution/libraryInterpreter.ts';

/** Given the gas that is left after the constant price, answers what it takes beyond. */
export type QuickHandler = (state: RunState, gas: number) => number;
export type QuickOpcode = { readonly price: number; readonly run: QuickHandler };

/** Ends the frame. */
export const halt = (message: EVMError['error']): never => {
  throw new EVMError(message);
};
