/**
 * EthereumJS wired for our chain: one machine a thread, whose state is pointed at a reader for each block or call.
 *
 * Owns the options of VM and EVM: fast precompiles, and BLOCKHASH from our own headers (the library's default answers
 * zero; RULES 6). Runs one block or call at a time.
 */
import { createVM, type VM } from '@ethereumjs/vm';
import { type Hash, hexToBytes } from '#consensus/primitives.ts';
import { BoundedCache } from '#node/execution/boundedCache.ts';
import type { ChainCommon } from '#node/execution/chainCommon.ts';
import type { CryptoLibraries } from '#node/execution/cryptoLibraries.ts';
import { OverlayState } from '#node/execution/overlayState.ts';
import { fastPrecompiles } from '#node/execution/precompiles.ts';
import { QuickEvm } from '#node/execution/quickEvm.ts';
import { EMPTY_STATE } from '#node/execution/stateReader.ts';

export type Machine = {
  readonly vm: VM;
  readonly state: OverlayState;
  readonly common: ChainCommon;
};

/** @returns null for a height that is not kept or not yet there */
export type BlockHashLookup = (height: bigint) => Hash | null;

/** BLOCKHASH reaches 256 heights back; a hash that is committed never changes. */
const KNOWN_HASHES = 512;

export const createMachine = async (
  common: ChainCommon,
  libraries: CryptoLibraries,
  blockHash: BlockHashLookup,
): Promise<Machine> => {
  const state = new OverlayState(EMPTY_STATE);
  const hashes = new BoundedCache<number, Uint8Array>(KNOWN_HASHES);
  const hashAt = (height: number): Hash => {
    const hash = blockHash(BigInt(height));
    if (hash === null) throw new Error(`expected the hash of block ${height}, found none`);
    return hash;
  };
  const blockchain = {
    getBlock: async (height: number) => {
      const bytes = hashes.get(height) ?? hexToBytes(hashAt(height));
      hashes.set(height, bytes);
      return { hash: () => bytes };
    },
    putBlock: async () => {},
    shallowCopy: () => blockchain,
  };
  const evm = new QuickEvm({
    common,
    stateManager: state,
    blockchain,
    bls: libraries.bls,
    bn254: libraries.bn254,
    customPrecompiles: fastPrecompiles(common),
  });
  return { vm: await createVM({ common, stateManager: state, blockchain, evm }), state, common };
};
