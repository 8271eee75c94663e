/**
 * Precompiles that native code or WebAssembly computes faster than the library's JavaScript (RULES 4).
 *
 * Gas and results are those of the Yellow Paper and the EIPs, held by the tests against the library's own.
 */
import { createHash } from 'node:crypto';
import type { Common } from '@ethereumjs/common';
import type { AddPrecompile, ExecResult, PrecompileInput } from '@ethereumjs/evm';
import { EVMError } from '@ethereumjs/evm';
import { Address } from '@ethereumjs/util';
import { blake2f } from '#node/execution/blake2f.ts';
import { p256Verify } from '#node/execution/p256.ts';

const words = (sizeBytes: number): bigint => BigInt(Math.ceil(sizeBytes / 32));

const charge = (input: PrecompileInput, gas: bigint, compute: () => Uint8Array): ExecResult =>
  input.gasLimit < gas
    ? {
        returnValue: new Uint8Array(0),
        executionGasUsed: input.gasLimit,
        exceptionError: new EVMError(EVMError.errorMessages.OUT_OF_GAS),
      }
    : { returnValue: compute(), executionGasUsed: gas };

const digest = (algorithm: 'sha256' | 'ripemd160', data: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash(algorithm).update(data).digest());

/** 0x02 */
const sha256 = (input: PrecompileInput): ExecResult =>
  charge(input, 60n + 12n * words(input.data.length), () => digest('sha256', input.data));

/** 0x03 */
const ripemd160 = (input: PrecompileInput): ExecResult =>
  charge(input, 600n + 120n * words(input.data.length), () => {
    const padded = new Uint8Array(32);
    padded.set(digest('ripemd160', input.data), 12);
    return padded;
  });

const at = (suffix: string): Address =>
  new Address(Uint8Array.from(Buffer.from(suffix.padStart(40, '0'), 'hex')));

/** The library has custom precompiles under every fork, so what came later is asked for. */
export const fastPrecompiles = (common: Common): AddPrecompile[] => [
  { address: at('02'), function: sha256 },
  { address: at('03'), function: ripemd160 },
  { address: at('09'), function: blake2f },
  ...(common.isActivatedEIP(7951) ? [{ address: at('0100'), function: p256Verify }] : []),
];
