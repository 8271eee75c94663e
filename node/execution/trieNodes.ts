/**
 * Trie nodes by their place: LevelDB below, a bounded cache above.
 *
 * A place is written once and never again with other bytes, so what is cached can only be gone below, never stale.
 */
import { ChainError } from '#node/chain.ts';
import { BoundedCache } from '#node/execution/boundedCache.ts';
import { decodeStoredNode, type TrieNode } from '#node/execution/trieNodeCodec.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';
import type { NodeId } from '#node/storage/schema.ts';

export type NodeSource = { get(id: NodeId): Uint8Array | undefined };
export type NodeCache = NodeSource & { put(id: NodeId, node: Uint8Array): void };

/** The nodes of one committed state, on which a derivation works. */
export type TrieNodes = NodeSource & {
  readonly height: bigint;
  /** The root node; null in the empty state. */
  readonly rootId: NodeId | null;
};

const NODE_CACHE_ENTRIES = 50_000;

export const createStoredNodes = (store: Pick<ChainStore, 'trieNode'>): NodeCache => {
  const cache = new BoundedCache<NodeId, Uint8Array>(NODE_CACHE_ENTRIES);
  return {
    get: (id) => {
      const known = cache.get(id);
      if (known !== undefined) return known;
      const node = store.trieNode(id);
      if (node === null) return undefined;
      cache.set(id, node);
      return node;
    },
    put: (id, node) => cache.set(id, node),
  };
};

/** Before block 0. */
export const NO_NODES: TrieNodes = { get: () => undefined, height: -1n, rootId: null };

/** @throws ChainError STORAGE_FAULT when there is none */
export const loadNode = (nodes: NodeSource, id: NodeId): TrieNode => {
  const stored = nodes.get(id);
  if (stored === undefined)
    throw new ChainError('STORAGE_FAULT', `expected trie node ${id}, found none: the database is damaged`);
  return decodeStoredNode(stored);
};
