/**
 * Trie nodes by their hash: LevelDB below, a bounded cache, and an in-memory layer for what a derivation adds.
 *
 * A node's key is the keccak of its bytes, so nodes of all tries and heights share one key space and never conflict.
 * Nothing is deleted: state at every height stays readable. (Pruning is later work and must keep RULES 42.)
 */
import type { BatchDBOp, DB } from '@ethereumjs/util';
import { BoundedCache } from '#node/execution/boundedCache.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';

export type TrieNodes = {
  /** @param hash 64 hex digits, as the trie library addresses nodes */
  get(hash: string): Uint8Array | undefined;
  /** Only into the layer in memory. */
  put(hash: string, node: Uint8Array): void;
};

const NODE_CACHE_ENTRIES = 50_000;

export const createStoredNodes = (store: ChainStore): TrieNodes => {
  const cache = new BoundedCache<string, Uint8Array>(NODE_CACHE_ENTRIES);
  return {
    get: (hash) => {
      const known = cache.get(hash);
      if (known !== undefined) return known;
      const node = store.trieNode(Buffer.from(hash, 'hex'));
      if (node === null) return undefined;
      cache.set(hash, node);
      return node;
    },
    put: (hash, node) => cache.set(hash, node),
  };
};

export const NO_NODES: TrieNodes = { get: () => undefined, put: () => {} };

/** The trie library's database over our nodes. */
export const createTrieDatabase = (nodes: TrieNodes): DB<string, Uint8Array> => {
  const database: DB<string, Uint8Array> = {
    get: async (hash) => nodes.get(hash),
    put: async (hash, node) => nodes.put(hash, node),
    del: async () => {},
    batch: async (operations: BatchDBOp<string, Uint8Array>[]) => {
      for (const operation of operations)
        if (operation.type === 'put') nodes.put(operation.key, operation.value);
    },
    shallowCopy: () => database,
    open: async () => {},
  };
  return database;
};
