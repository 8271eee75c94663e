/**
 * Known answers, asked at start: does every precompile compute what Ethereum computes, with the fast library?
 *
 * A native module that is missing must stop the node, not slow it down or change a result (RULES 5): precompile 0x01
 * swallows exceptions, so only a vector tells. (nativeCrypto.ts imports the binding itself and fails without it.)
 */
import { readFileSync } from 'node:fs';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { bytesToHex, type Hex, hexToBytes } from '#consensus/primitives.ts';
import { ChainError } from '#node/chain.ts';
import type { Machine } from '#node/execution/machine.ts';

export type PrecompileVector = {
  readonly name: string;
  readonly address: Hex;
  readonly input: Hex;
  /** Null: the call must fail. */
  readonly expected: Hex | null;
  readonly gas?: number;
};

const vectorsFile = new URL('./precompileVectors.json', import.meta.url);
const readVectors = (): PrecompileVector[] => JSON.parse(readFileSync(vectorsFile, 'utf8')).vectors;

const GAS = 10_000_000n;

/** @returns what is wrong, or null */
export const checkPrecompile = async (machine: Machine, vector: PrecompileVector): Promise<string | null> => {
  const precompile = machine.vm.evm.precompiles.get(vector.address.slice(2));
  if (precompile === undefined) return `${vector.name}: no precompile at ${vector.address}`;
  const result = await precompile({
    data: hexToBytes(vector.input),
    gasLimit: GAS,
    common: machine.common,
    _EVM: machine.vm.evm as never,
  });
  if (vector.expected === null)
    return result.exceptionError === undefined ? `${vector.name}: expected a failure, found none` : null;
  const found = result.exceptionError === undefined ? bytesToHex(result.returnValue) : 'a failure';
  if (found !== vector.expected) return `${vector.name}: expected ${vector.expected}, found ${found}`;
  if (vector.gas !== undefined && result.executionGasUsed !== BigInt(vector.gas))
    return `${vector.name}: expected ${vector.gas} gas, found ${result.executionGasUsed}`;
  return null;
};

const KECCAK_OF_NOTHING: Hex = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470';

/** @throws ChainError CRYPTO_UNAVAILABLE */
export const runSelfTest = async (machine: Machine): Promise<void> => {
  const faults: string[] = [];
  const keccak: Hex = keccak256Hex(new Uint8Array(0));
  if (keccak !== KECCAK_OF_NOTHING) faults.push(`keccak: expected ${KECCAK_OF_NOTHING}, found ${keccak}`);
  for (const vector of readVectors()) {
    const fault = await checkPrecompile(machine, vector).catch(
      (error: unknown) => `${vector.name}: ${error instanceof Error ? error.message : String(error)}`,
    );
    if (fault !== null) faults.push(fault);
  }
  if (faults.length > 0)
    throw new ChainError(
      'CRYPTO_UNAVAILABLE',
      `expected native and WASM crypto to give known answers: ${faults.join('; ')}. Run \`npm install --no-save\` again on this machine`,
    );
};
