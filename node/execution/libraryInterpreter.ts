/**
 * The library's interpreter, a class that its package does not export: an opcode of one's own is shown the interpreter
 * that runs it, and the class is that object's.
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

const findInterpreter = async (): Promise<InterpreterClass> => {
  let found: unknown;
  const asking: AddedOpcode = {
    opcode: UNUSED_OPCODE,
    opcodeName: 'ASK',
    baseFee: 0,
    logicFunction: ({ interpreter }) => {
      found = interpreter.constructor;
    },
  };
  const evm = await createEVM({ customOpcodes: [asking] });
  await evm.runCode({ code: Uint8Array.of(UNUSED_OPCODE) });
  if (typeof found !== 'function')
    throw new Error(
      'expected @ethereumjs/evm to run an opcode of our own: it is not the version of package.json',
    );
  return found as InterpreterClass;
};

export const Interpreter = await findInterpreter();
