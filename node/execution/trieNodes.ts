/**
 * Trie nodes by their place: LevelDB below, a bounded cache above; and the new ones of a height.
 *
 * A place is written once and never again with other bytes, so what is cached can only be gone below, never stale.
 */
import { ChainError } from '#node/chain.ts';
import { BoundedCache } from '#node/execution/boundedCache.ts';
import { ownRecord } from '#node/execution/trieBytes.ts';
import type { TrieNode } from '#node/execution/trieNode.ts';
import { decodeStoredNode } from '#node/execution/trieNodeCodec.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';
import { createNodeId, type NodeId } from '#node/storage/schema.ts';

/** Records as trieNodeCodec.ts has them. */
export type NodeSource = { get(id: NodeId): Uint8Array | undefined };
export type NodeCache = NodeSource & { put(id: NodeId, record: Uint8Array): void };

/** The nodes of one committed state, on which a derivation works. */
export type TrieNodes = NodeSource & {
  readonly height: bigint;
  /** The root node; null in the empty state. */
  readonly rootId: NodeId | null;
};

/** A record has at most 627 bytes, but for a long value in a leaf, which there is none of in a state. */
const NODE_CACHE_ENTRIES = 40_000;

export const createStoredNodes = (
  store: Pick<ChainStore, 'trieNode'>,
  maxEntries = NODE_CACHE_ENTRIES,
): NodeCache => {
  const cache = new BoundedCache<NodeId, Uint8Array>(maxEntries, ownRecord);
  return {
    get: (id) => {
      const known = cache.get(id);
      if (known !== undefined) return known;
      const record = store.trieNode(id);
      if (record === null) return undefined;
      cache.set(id, record);
      return record;
    },
    put: (id, record) => cache.set(id, record),
  };
};

/** Before block 0. */
export const NO_NODES: TrieNodes = { get: () => undefined, height: -1n, rootId: null };

/** What the tries of one height add and replace. */
export class NewNodes implements NodeSource {
  /** In the order of their places. */
  readonly records: Uint8Array[] = [];
  /** Nodes that the state before reaches and the state after does not. */
  readonly replaced: NodeId[] = [];
  readonly #first: NodeId;
  readonly #height: bigint;

  constructor(height: bigint) {
    this.#height = height;
    this.#first = createNodeId(height, 0);
  }

  add(record: Uint8Array): NodeId {
    const id = createNodeId(this.#height, this.records.length);
    this.records.push(record);
    return id;
  }

  get(id: NodeId): Uint8Array | undefined {
    return this.records[id - this.#first];
  }

  *entries(): Iterable<readonly [NodeId, Uint8Array]> {
    for (const [index, record] of this.records.entries()) yield [this.#first + index, record];
  }
}

/** @throws ChainError STORAGE_FAULT when there is none */
export const loadRecord = (nodes: NodeSource, id: NodeId): Uint8Array => {
  const record = nodes.get(id);
  if (record === undefined)
    throw new ChainError('STORAGE_FAULT', `expected trie node ${id}, found none: the database is damaged`);
  return record;
};

/** @param prefix a key that shares the nibbles above the node. @throws ChainError STORAGE_FAULT when there is none */
export const loadNode = (nodes: NodeSource, id: NodeId, prefix?: Uint8Array): TrieNode =>
  decodeStoredNode(loadRecord(nodes, id), prefix);
