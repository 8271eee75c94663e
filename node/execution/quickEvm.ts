/**
 * The library's EVM with our interpreter in each frame.
 *
 * `runInterpreter` repeats the library's, without what no fork of ours has (EOF, witnesses, state gas), because the
 * library creates its own interpreter inside it.
 */
import {
  EVM,
  EVMError,
  type EVMOpts,
  type ExecResult,
  type Message,
  type PrecompileFunc,
} from '@ethereumjs/evm';
import { Account, Address, createZeroAddress } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { concatBytes } from '#consensus/primitives.ts';
import type { Env, InterpreterOptions } from '#node/execution/libraryInterpreter.ts';
import type { QuickOpcode } from '#node/execution/quickHandler.ts';
import { QuickInterpreter } from '#node/execution/quickInterpreter.ts';
import { QuickJournal } from '#node/execution/quickJournal.ts';
import { createQuickOpcodes } from '#node/execution/quickOpcodes.ts';
import { QuickTransient } from '#node/execution/quickTransient.ts';

const { errorMessages } = EVMError;
const ZERO = createZeroAddress();
const CREATE2_PREFIX = Uint8Array.of(0xff);

/** Precompiles have at most two bytes. */
const isLow = (address: Uint8Array): boolean => {
  for (let i = 0; i < 18; i++) if (address[i] !== 0) return false;
  return true;
};

export class QuickEvm extends EVM {
  readonly quickJournal: QuickJournal;
  readonly quickTransient = new QuickTransient();
  readonly #opcodes: readonly (QuickOpcode | null)[];

  /** `createEVM` would put the slow bn254 in the place of the one that it is given. */
  constructor(options: EVMOpts) {
    super(options);
    this.quickJournal = new QuickJournal(this.stateManager);
    this.journal = this.quickJournal as unknown as EVM['journal'];
    (this as { transientStorage: unknown }).transientStorage = this.quickTransient;
    this.#opcodes = createQuickOpcodes(this);
  }

  /** Whether anybody is shown messages or steps: then they are the library's. */
  get isWatched(): boolean {
    const { events } = this;
    return (
      this.DEBUG ||
      events.listenerCount('step') > 0 ||
      events.listenerCount('beforeMessage') > 0 ||
      events.listenerCount('afterMessage') > 0
    );
  }

  precompileAt(address: Uint8Array): PrecompileFunc | undefined {
    return isLow(address) ? this.precompiles.get(Buffer.from(address).toString('hex')) : undefined;
  }

  runPrecompiled(code: PrecompileFunc, message: Message): Promise<ExecResult> | ExecResult {
    return this.runPrecompile(code, message.data, message.gasLimit);
  }

  /** CREATE2 hashes up to 48 KiB for 6 gas a word: the library does it in JavaScript, whatever the chain hashes with. */
  protected override async _generateAddress(message: Message): Promise<Address> {
    const { salt, caller, code } = message;
    if (salt === undefined) return super._generateAddress(message);
    const parts = [CREATE2_PREFIX, caller.bytes, salt, keccak256(code as Uint8Array)];
    return new Address(keccak256(concatBytes(...parts)).slice(12));
  }

  runFrame(message: Message): Promise<ExecResult> {
    return this.runInterpreter(message);
  }

  protected override async runInterpreter(
    message: Message,
    options: InterpreterOptions = {},
  ): Promise<ExecResult> {
    const address = message.to ?? ZERO;
    const env: Env = {
      address,
      caller: message.caller ?? ZERO,
      callData: message.data ?? Uint8Array.of(0),
      callValue: message.value ?? 0n,
      code: message.code as Uint8Array,
      isStatic: message.isStatic ?? false,
      isCreate: message.isCreate ?? false,
      depth: message.depth ?? 0,
      gasPrice: this._tx!.gasPrice,
      origin: this._tx!.origin ?? message.caller ?? ZERO,
      block: this._block!,
      contract: (await this.stateManager.getAccount(address)) ?? new Account(),
      codeAddress: message.codeAddress,
      gasRefund: message.gasRefund,
      blobVersionedHashes: message.blobVersionedHashes ?? [],
      ...(message.createdAddresses === undefined ? {} : { createdAddresses: message.createdAddresses }),
    };
    const interpreter = QuickInterpreter.create(this, env, message.gasLimit, this.#opcodes);
    const result = interpreter._result;
    if (message.selfdestruct) result.selfdestruct = message.selfdestruct;
    if (message.createdAddresses) result.createdAddresses = message.createdAddresses;
    const { runState, exceptionError } = await interpreter.run(env.code, options);
    const isRevert = exceptionError?.error === errorMessages.REVERT;
    const outcome = {
      ...(exceptionError === undefined
        ? result
        : { ...result, logs: [], selfdestruct: new Map(), createdAddresses: new Set<`0x${string}`>() }),
      gas: runState.gasLeft,
      executionGasUsed:
        exceptionError === undefined || isRevert ? message.gasLimit - runState.gasLeft : message.gasLimit,
      gasRefund: runState.gasRefund,
      returnValue: result.returnValue ?? new Uint8Array(0),
    };
    return exceptionError === undefined ? outcome : { ...outcome, exceptionError };
  }
}
