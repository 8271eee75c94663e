/** Reads a whole state from its trie, node by node, and checks each against the hash that refers to it. */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash, type Hash } from '#consensus/primitives.ts';
import type { TrieNode } from '#node/execution/trieNode.ts';
import { decodeStoredNode, linksOf, rlpOfStoredNode } from '#node/execution/trieNodeCodec.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';
import { decodeAccount } from '#node/storage/codec.ts';
import type { Database } from '#node/storage/database.ts';
import { type NodeId, readNodeId } from '#node/storage/schema.ts';

/** @returns every node that the state after this height reaches. @throws when one is missing or another one */
export const walkState = (store: ChainStore, height: bigint, stateRoot: Hash): Set<NodeId> => {
  const seen = new Set<NodeId>();
  const load = (id: NodeId, expected: Hash): void => {
    const stored = store.trieNode(id);
    if (stored === null) throw new Error(`state ${height}: node ${id} is missing`);
    const found = bytesToHash(keccak256(rlpOfStoredNode(stored)));
    if (found !== expected) throw new Error(`state ${height}: node ${id} is ${found}, not ${expected}`);
    seen.add(id);
    follow(decodeStoredNode(stored));
  };
  const follow = (node: TrieNode): void => {
    if (node.kind === 'leaf') {
      if (node.storageNode !== null)
        load(node.storageNode, bytesToHash(decodeAccount(node.value).storageRoot));
      return;
    }
    for (const link of linksOf(node))
      if (link.kind === 'stored') load(link.id, bytesToHash(link.hash));
      else follow(link);
  };
  const root = store.stateRoot(height);
  if (root !== null) load(root, stateRoot);
  return seen;
};

/** Every trie node in the database, reachable or not. */
export const storedNodes = async (database: Database): Promise<Set<NodeId>> => {
  const ids = new Set<NodeId>();
  for await (const key of database.keys({ gte: Buffer.from('w'), lt: Buffer.from('x') }))
    ids.add(readNodeId(key, 1));
  return ids;
};
