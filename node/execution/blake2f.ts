/**
 * 0x09: the compression function of BLAKE2b (EIP-152), the reference implementation in WebAssembly.
 *
 * No package exposes that function with the number of rounds as an argument; the library's JavaScript takes 400 ns a
 * round, for 1 gas. `blake2b.wasm` is `blake2b.c`, which is the reference source but for that argument:
 *
 *     clang --target=wasm32 -O3 -nostdlib -ffreestanding -fno-builtin -mbulk-memory -Wl,--no-entry -Wl,--strip-all \
 *       -Wl,-z,stack-size=4096 -Wl,--initial-memory=65536 -o blake2b.wasm blake2b.c       (clang 14)
 */
import { readFileSync } from 'node:fs';
import { EVMError, type ExecResult, type PrecompileInput } from '@ethereumjs/evm';

/** What Node has of it, as far as it is used here: its types come with a browser's. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

type Compression = {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly buffer: () => number;
  readonly compress: (rounds: number, isLast: number) => void;
};

const module = new WebAssembly.Module(readFileSync(new URL('./blake2b.wasm', import.meta.url)));
const { memory, buffer, compress } = new WebAssembly.Instance(module).exports as Compression;
/** h (64 bytes), m (128) and t (16), little-endian as in the input of the precompile. */
const words = new Uint8Array(memory.buffer, buffer(), 208);
const INPUT_BYTES = 213;

/** @param input 213 bytes, the last of them 0 or 1. @returns 64 bytes */
const compressInput = (input: Uint8Array, rounds: number): Uint8Array => {
  words.set(input.subarray(4, 212));
  compress(rounds, input[212]!);
  return words.slice(0, 64);
};

const failing = (gasLimit: bigint, message: EVMError['error']): ExecResult => ({
  returnValue: new Uint8Array(0),
  executionGasUsed: gasLimit,
  exceptionError: new EVMError(message),
});

/** One gas a round. */
export const blake2f = ({ data, gasLimit }: PrecompileInput): ExecResult => {
  if (data.length !== INPUT_BYTES || data[212]! > 1)
    return failing(gasLimit, EVMError.errorMessages.OUT_OF_RANGE);
  const rounds = new DataView(data.buffer, data.byteOffset).getUint32(0);
  const gas = BigInt(rounds);
  return gasLimit < gas
    ? failing(gasLimit, EVMError.errorMessages.OUT_OF_GAS)
    : { returnValue: compressInput(data, rounds), executionGasUsed: gas };
};
