/**
 * What the precompiles compute with: KZG, BLS12-381 and bn254 from WASM (precompiles.ts adds OpenSSL).
 *
 * The defaults of EthereumJS are pure JavaScript (a block of worst-case gas takes minutes) or, for KZG, absent,
 * which throws out of the EVM (RULES 3, 4). One set per thread.
 */

import type { CustomCrypto } from '@ethereumjs/common';
import { MCLBLS, RustBN254 } from '@ethereumjs/evm';
import { loadKZG } from 'kzg-wasm';
import mcl from 'mcl-wasm';
import { initRustBN } from 'rustbn-wasm';

export type CryptoLibraries = {
  readonly kzg: NonNullable<CustomCrypto['kzg']>;
  readonly bls: MCLBLS;
  readonly bn254: RustBN254;
};

let loading: Promise<CryptoLibraries> | null = null;

const load = async (): Promise<CryptoLibraries> => {
  const [kzg, rustbn] = await Promise.all([loadKZG(), initRustBN(), mcl.init(mcl.BLS12_381)]);
  return { kzg, bls: new MCLBLS(mcl), bn254: new RustBN254(rustbn) };
};

export const loadCryptoLibraries = (): Promise<CryptoLibraries> => {
  loading ??= load();
  return loading;
};
