/**
 * From the changes of a block to its state root and to what the commit must write.
 *
 * Each account's slots first, then all accounts in one pass (trieUpdate.ts). New nodes stay in memory; those that the
 * block replaced are listed, so that pruning finds them without a search. Owns no disk.
 */
import { RLP } from '@ethereumjs/rlp';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash, type Hash } from '#consensus/primitives.ts';
import { ChainError } from '#node/chain.ts';
import type { StateChanges, StorageChange } from '#node/execution/overlayState.ts';
import { hasNoStorage, type StateReader, toKey } from '#node/execution/stateReader.ts';
import { referencesOf } from '#node/execution/trieNodeCodec.ts';
import { loadNode, type TrieNodes } from '#node/execution/trieNodes.ts';
import { EMPTY_TRIE, type TrieChange, type TrieRoot, updateTrie } from '#node/execution/trieUpdate.ts';
import { encodeAccount, encodeFlatAccount, type StateAccount } from '#node/storage/codec.ts';
import type { BatchOperation } from '#node/storage/database.ts';
import {
  accountKey,
  codeKey,
  createNodeId,
  type NodeId,
  packNodeIds,
  slotKey,
  staleNodesKey,
  stateRootKey,
  trieNodeKey,
} from '#node/storage/schema.ts';

export type StateUpdate = {
  readonly stateRoot: Hash;
  readonly rootId: NodeId | null;
  /** New trie nodes as they are stored; the new root reaches all of them. */
  readonly nodes: ReadonlyMap<NodeId, Uint8Array>;
  /** Flat accounts and slots, new code and nodes, and which nodes are stale from here on, for the block's batch. */
  readonly operations: readonly BatchOperation[];
  /** Accounts whose flat slots below must go first (40 hex digits). */
  readonly clearedAccounts: readonly string[];
};

const fromKey = (key: string): Uint8Array => Uint8Array.from(Buffer.from(key, 'hex'));

/** What the tries of one block add and replace. */
class NodeCollector {
  readonly height: bigint;
  readonly added = new Map<NodeId, Uint8Array>();
  readonly replaced: NodeId[] = [];
  readonly #below: TrieNodes;
  #count = 0;

  constructor(below: TrieNodes) {
    this.#below = below;
    this.height = below.height + 1n;
  }

  update(root: TrieRoot, changes: readonly TrieChange[]): TrieRoot {
    const update = updateTrie(this.#below, root, changes, () => createNodeId(this.height, this.#count++));
    for (const [id, node] of update.added) this.added.set(id, node);
    for (const id of update.replaced) this.replaced.push(id);
    return update.root;
  }

  /** Gives up a whole trie. Since EIP-6780 no account with storage goes, so this is for completeness, not for speed. */
  drop(root: NodeId): void {
    const open = [root];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      this.replaced.push(id);
      open.push(...referencesOf(loadNode(this.#below, id)));
    }
  }
}

const storageOf = (account: StateAccount | null): TrieRoot => {
  if (account === null || hasNoStorage(account)) return EMPTY_TRIE;
  const { storageRoot, storageNode } = account;
  if (storageNode !== undefined) return { hash: storageRoot, id: storageNode };
  throw new ChainError(
    'STORAGE_FAULT',
    `expected the place of storage trie ${bytesToHash(storageRoot)} in its account, found none: the database is damaged`,
  );
};

const updateStorage = (
  nodes: NodeCollector,
  root: TrieRoot,
  address: Uint8Array,
  slots: StorageChange['slots'],
  operations: BatchOperation[],
): TrieRoot => {
  const changes = [...slots].map(([hex, value]): TrieChange => {
    const slot = fromKey(hex);
    const key = slotKey(address, slot);
    const isGone = value.length === 0;
    operations.push(isGone ? { type: 'del', key } : { type: 'put', key, value });
    return { hashedKey: keccak256(slot), value: isGone ? null : RLP.encode(value) };
  });
  return nodes.update(root, changes);
};

/** @param reader the state below the changes. @param below its trie nodes. @param root its root */
export const computeStateUpdate = async (
  changes: StateChanges,
  reader: StateReader,
  below: TrieNodes,
  root: Uint8Array,
): Promise<StateUpdate> => {
  const nodes = new NodeCollector(below);
  const operations: BatchOperation[] = [];
  const clearedAccounts: string[] = [];
  const accounts: TrieChange[] = [];
  for (const key of new Set([...changes.accounts.keys(), ...changes.storage.keys()])) {
    const address = fromKey(key);
    const before = await reader.account(address);
    const after = changes.accounts.has(key) ? changes.accounts.get(key)! : before;
    const storage = changes.storage.get(key);
    const old = storageOf(before);
    const isCleared = storage?.cleared === true || after === null;
    if (isCleared && old.id !== null) {
      clearedAccounts.push(key);
      nodes.drop(old.id);
    }
    if (after === null) {
      if (before === null) continue;
      accounts.push({ hashedKey: keccak256(address), value: null });
      operations.push({ type: 'del', key: accountKey(address) });
      continue;
    }
    const kept = isCleared ? EMPTY_TRIE : old;
    const trie =
      storage === undefined ? kept : updateStorage(nodes, kept, address, storage.slots, operations);
    const encoded = encodeAccount({ ...after, storageRoot: trie.hash });
    accounts.push({ hashedKey: keccak256(address), value: encoded, storageNode: trie.id });
    operations.push({ type: 'put', key: accountKey(address), value: encodeFlatAccount(encoded, trie.id) });
    const code = changes.code.get(toKey(after.codeHash));
    if (code !== undefined) operations.push({ type: 'put', key: codeKey(after.codeHash), value: code });
  }
  const { hash, id } = nodes.update({ hash: root, id: below.rootId }, accounts);
  for (const [node, stored] of nodes.added)
    operations.push({ type: 'put', key: trieNodeKey(node), value: stored });
  operations.push({
    type: 'put',
    key: stateRootKey(nodes.height),
    value: packNodeIds(id === null ? [] : [id]),
  });
  if (nodes.replaced.length > 0)
    operations.push({
      type: 'put',
      key: staleNodesKey(nodes.height),
      value: packNodeIds(nodes.replaced),
    });
  return { stateRoot: bytesToHash(hash), rootId: id, nodes: nodes.added, operations, clearedAccounts };
};
