/**
 * What the precompiles compute with: BLS12-381, KZG and bn254 from WASM (precompiles.ts adds OpenSSL).
 *
 * The defaults of EthereumJS are pure JavaScript (a block of worst-case gas takes minutes) or, for KZG, absent,
 * which throws out of the EVM (RULES 3, 4). One set per thread.
 */

import { type MCLBLS, RustBN254 } from '@ethereumjs/evm';
import mcl from 'mcl-wasm';
import { initRustBN } from 'rustbn-wasm';
import { QuickBls } from '#node/execution/blsAddition.ts';
import { createKzg, type Kzg } from '#node/execution/kzg.ts';

export type CryptoLibraries = {
  readonly kzg: Kzg;
  readonly bls: MCLBLS;
  readonly bn254: RustBN254;
};

let loading: Promise<CryptoLibraries> | null = null;

const load = async (): Promise<CryptoLibraries> => {
  const [rustbn] = await Promise.all([initRustBN(), mcl.init(mcl.BLS12_381)]);
  return { kzg: createKzg(), bls: new QuickBls(mcl), bn254: new RustBN254(rustbn) };
};

export const loadCryptoLibraries = (): Promise<CryptoLibraries> => {
  loading ??= load();
  return loading;
};
