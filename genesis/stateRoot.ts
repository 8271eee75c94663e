/**
 * The Merkle Patricia root of the accounts of block 0, with @ethereumjs/mpt.
 *
 * Owns nothing that lasts: execution/ writes the same accounts into its store and must arrive at this root.
 */
import { createMPT, type MerklePatriciaTrie } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash, type Hash, hexToBytes, toBigEndian, ZERO_HASH } from '#consensus/primitives.ts';
import type { GenesisAccount } from '#genesis/spec.ts';

const emptyTrie = (): Promise<MerklePatriciaTrie> =>
  createMPT({ useKeyHashing: true, useKeyHashingFunction: keccak256 });

/** Big-endian without leading zeros, as RLP encodes quantities. */
export const quantityToBytes = (value: bigint): Uint8Array => {
  const bytes = toBigEndian(value, 32);
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? new Uint8Array(0) : bytes.subarray(first);
};

const storageRootOf = async (storage: GenesisAccount['storage']): Promise<Uint8Array> => {
  const trie = await emptyTrie();
  for (const [slot, value] of storage)
    if (value !== ZERO_HASH) await trie.put(hexToBytes(slot), RLP.encode(quantityToBytes(BigInt(value))));
  return trie.root();
};

export const computeStateRoot = async (accounts: readonly GenesisAccount[]): Promise<Hash> => {
  const trie = await emptyTrie();
  for (const { address, nonce, balanceWei, code, storage } of accounts)
    await trie.put(
      hexToBytes(address),
      RLP.encode([
        quantityToBytes(nonce),
        quantityToBytes(balanceWei),
        await storageRootOf(storage),
        keccak256(code),
      ]),
    );
  return bytesToHash(trie.root());
};
