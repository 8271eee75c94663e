/**
 * Committed state to read from, under whatever a block or call changes in memory.
 *
 * Two implementations: `createFlatReader` (the newest state by key, for deriving on the head; only the thread that
 * commits may use it) and `createTrieReader` (the state after any kept height by its root, for everyone else:
 * nothing that a later commit writes can show through).
 */
import { createMPT, type MerklePatriciaTrie } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { KECCAK256_NULL, KECCAK256_RLP, ValueEncoding } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { ChainError } from '#node/chain.ts';
import { BoundedCache } from '#node/execution/boundedCache.ts';
import { createTrieDatabase, type TrieNodes } from '#node/execution/trieNodes.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';
import { decodeAccount, type StateAccount } from '#node/storage/codec.ts';
import { accountKey, codeKey, slotKey } from '#node/storage/schema.ts';

export const hasNoCode = (account: StateAccount): boolean => equals(account.codeHash, KECCAK256_NULL);
export const hasNoStorage = (account: StateAccount): boolean => equals(account.storageRoot, KECCAK256_RLP);
const equals = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
/** Hex of bytes, for keys of maps. */
export const toKey = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

export interface StateReader {
  /** @param address 20 bytes */
  account(address: Uint8Array): Promise<StateAccount | null>;
  /** Without leading zeros; empty for an absent slot. @param slot 32 bytes */
  slot(address: Uint8Array, slot: Uint8Array): Promise<Uint8Array>;
  /** @param codeHash 32 bytes */
  code(codeHash: Uint8Array): Promise<Uint8Array>;
}

const NONE = new Uint8Array(0);

export const EMPTY_STATE: StateReader = {
  account: async () => null,
  slot: async () => NONE,
  code: async () => NONE,
};
export const emptyRoot = (): Uint8Array => KECCAK256_RLP;

const EMPTY_CODE = toKey(KECCAK256_NULL);
const CODE_CACHE_ENTRIES = 512;

/** Code by hash never changes, so one cache serves every height. */
export const createCodeReader = (store: ChainStore): StateReader['code'] => {
  const cache = new BoundedCache<string, Uint8Array>(CODE_CACHE_ENTRIES);
  return async (codeHash) => {
    const key = toKey(codeHash);
    if (key === EMPTY_CODE) return NONE;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const code = store.get(codeKey(codeHash));
    if (code === null)
      throw new ChainError(
        'STORAGE_FAULT',
        `expected code with hash 0x${key}, found none: the database is damaged`,
      );
    cache.set(key, code);
    return code;
  };
};

export const createFlatReader = (store: ChainStore, code: StateReader['code']): StateReader => ({
  account: async (address) => {
    const stored = store.get(accountKey(address));
    return stored === null ? null : decodeAccount(stored);
  },
  slot: async (address, slot) => store.get(slotKey(address, slot)) ?? NONE,
  code,
});

export const openTrie = (nodes: TrieNodes, root: Uint8Array): Promise<MerklePatriciaTrie> =>
  createMPT({
    db: createTrieDatabase(nodes),
    valueEncoding: ValueEncoding.Bytes,
    root,
    useKeyHashing: true,
    useKeyHashingFunction: keccak256,
  });

export const createTrieReader = (
  nodes: TrieNodes,
  root: Uint8Array,
  code: StateReader['code'],
): StateReader => {
  const account = async (address: Uint8Array): Promise<StateAccount | null> => {
    const stored = await (await openTrie(nodes, root)).get(address);
    return stored === null ? null : decodeAccount(stored);
  };
  return {
    account,
    slot: async (address, slot) => {
      const owner = await account(address);
      if (owner === null || hasNoStorage(owner)) return NONE;
      const stored = await (await openTrie(nodes, owner.storageRoot)).get(slot);
      return stored === null ? NONE : (RLP.decode(stored) as Uint8Array);
    },
    code,
  };
};
