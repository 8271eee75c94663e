/**
 * The library's interpreter, stack and memory, classes that its package does not export: an opcode of one's own is shown the
 * objects that it runs with, and their classes are these.
 */
import { createEVM, type EVM, type EVMOpts } from '@ethereumjs/evm';

type AddedOpcode = Extract<NonNullable<EVMOpts['customOpcodes']>[number], { logicFunction: unknown }>;
export type RunState = Parameters<AddedOpcode['logicFunction']>[0];
type LibraryInterpreter = RunState['interpreter'];
export type Env = RunState['env'];
export type InterpreterOptions = NonNullable<Parameters<LibraryInterpreter['run']>[1]>;

type InterpreterClass = new (
  evm: EVM,
  stateManager: EVM['stateManager'],
  blockchain: EVM['blockchain'],
  env: Env,
  gasLeft: bigint,
  journal: EVM['journal'],
  performanceLogger: unknown,
) => LibraryInterpreter;

const UNUSED_OPCODE = 0x0c;

type LibraryClasses = {
  readonly Interpreter: InterpreterClass;
  readonly Stack: new () => RunState['stack'];
  readonly Memory: new () => RunState['memory'];
};

const findClasses = async (): Promise<LibraryClasses> => {
  let found: LibraryClasses | null = null;
  const asking: AddedOpcode = {
    opcode: UNUSED_OPCODE,
    opcodeName: 'ASK',
    baseFee: 0,
    logicFunction: ({ interpreter, stack, memory }) => {
      found = {
        Interpreter: interpreter.constructor as InterpreterClass,
        Stack: stack.constructor as LibraryClasses['Stack'],
        Memory: memory.constructor as LibraryClasses['Memory'],
      };
    },
  };
  const evm = await createEVM({ customOpcodes: [asking] });
  await evm.runCode({ code: Uint8Array.of(UNUSED_OPCODE) });
  if (found === null)
    throw new Error(
      'expected @ethereumjs/evm to run an opcode of our own: it is not the version of package.json',
    );
  return found;
};

export const { Interpreter, Stack, Memory } = await findClasses();
