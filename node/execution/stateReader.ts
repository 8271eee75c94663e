/**
 * Committed state to read from, under whatever a block or call changes in memory.
 *
 * Two implementations: `createFlatReader` (the newest state by key, for deriving on the head; only the thread that
 * commits may use it) and `createTrieReader` (the state after any kept height by its trie, for everyone else:
 * nothing that a later commit writes can show through).
 */
import { KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { ChainError } from '#node/chain.ts';
import { decodeRlp } from '#node/consensus/rlp.ts';
import { BoundedCache } from '#node/execution/boundedCache.ts';
import { decodeStoredNode, type Leaf, type Link, type TrieNode } from '#node/execution/trieNodeCodec.ts';
import type { NodeSource } from '#node/execution/trieNodes.ts';
import { type ChainStore, stateGone } from '#node/storage/chainStore.ts';
import { decodeAccount, type StateAccount } from '#node/storage/codec.ts';
import { accountKey, codeKey, type NodeId, slotKey } from '#node/storage/schema.ts';

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
export const createCodeReader = (store: Pick<ChainStore, 'get'>): StateReader['code'] => {
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

export const createFlatReader = (store: Pick<ChainStore, 'get'>, code: StateReader['code']): StateReader => ({
  account: async (address) => {
    const stored = store.get(accountKey(address));
    return stored === null ? null : decodeAccount(stored);
  },
  slot: async (address, slot) => store.get(slotKey(address, slot)) ?? NONE,
  code,
});

/** The leaf of a key, null if there is none. @param hashedKey 32 bytes */
const findLeaf = (load: (id: NodeId) => TrieNode, root: NodeId, hashedKey: Uint8Array): Leaf | null => {
  const nibbleAt = (depth: number): number =>
    depth % 2 === 0 ? hashedKey[depth >> 1]! >> 4 : hashedKey[depth >> 1]! & 15;
  const hasPath = (path: Uint8Array, depth: number): boolean =>
    path.every((nibble, index) => nibble === nibbleAt(depth + index));
  let node = load(root);
  for (let depth = 0; ; ) {
    if (node.kind === 'leaf') return hasPath(node.path, depth) ? node : null;
    let link: Link | null;
    if (node.kind === 'branch') {
      link = node.children[nibbleAt(depth)]!;
      depth += 1;
    } else {
      link = hasPath(node.path, depth) ? node.child : null;
      depth += node.path.length;
    }
    if (link === null) return null;
    node = link.kind === 'stored' ? load(link.id) : link;
  }
};

/**
 * The state after a height. A read that finds a part of it pruned, because the window moved on meanwhile, says so.
 * @throws ChainError STATE_PRUNED, here and from each read
 */
export const createTrieReader = (
  store: Pick<ChainStore, 'stateRoot' | 'oldestState'>,
  nodes: NodeSource,
  height: bigint,
  code: StateReader['code'],
): StateReader => {
  const root = store.stateRoot(height);
  const load = (id: NodeId): TrieNode => {
    const stored = nodes.get(id);
    if (stored === undefined) throw stateGone(height, store.oldestState());
    return decodeStoredNode(stored);
  };
  const account = async (address: Uint8Array): Promise<StateAccount | null> => {
    const leaf = root === null ? null : findLeaf(load, root, keccak256(address));
    if (leaf === null) return null;
    const stored = decodeAccount(leaf.value);
    return leaf.storageNode === null ? stored : { ...stored, storageNode: leaf.storageNode };
  };
  return {
    account,
    slot: async (address, slot) => {
      const storage = (await account(address))?.storageNode;
      const leaf = storage === undefined ? null : findLeaf(load, storage, keccak256(slot));
      return leaf === null ? NONE : (decodeRlp(leaf.value) as Uint8Array);
    },
    code,
  };
};
