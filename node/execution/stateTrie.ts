/**
 * From the changes of a block to its state root and to what the commit must write.
 *
 * Each account's slots first, then all accounts in one pass (trieUpdate.ts). New nodes stay in memory. Owns no disk.
 */
import { RLP } from '@ethereumjs/rlp';
import { KECCAK256_RLP } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash, type Hash } from '#consensus/primitives.ts';
import type { StateChanges, StorageChange } from '#node/execution/overlayState.ts';
import { type StateReader, toKey } from '#node/execution/stateReader.ts';
import type { TrieNodes } from '#node/execution/trieNodes.ts';
import { type TrieChange, updateTrie } from '#node/execution/trieUpdate.ts';
import { encodeAccount } from '#node/storage/codec.ts';
import type { BatchOperation } from '#node/storage/database.ts';
import { accountKey, codeKey, slotKey, trieNodeKey } from '#node/storage/schema.ts';

export type StateUpdate = {
  readonly stateRoot: Hash;
  /** New trie nodes that the new root reaches, by hash (64 hex digits). */
  readonly nodes: ReadonlyMap<string, Uint8Array>;
  /** Flat accounts and slots, new code and nodes, for the block's batch. */
  readonly operations: readonly BatchOperation[];
  /** Accounts whose flat slots below must go first (40 hex digits). */
  readonly clearedAccounts: readonly string[];
};

const fromKey = (key: string): Uint8Array => Uint8Array.from(Buffer.from(key, 'hex'));

/** New nodes of every trie of a block, which later tries of it may meet again. */
class NodeCollector {
  readonly added = new Map<string, Uint8Array>();
  readonly replaced = new Set<string>();
  readonly #below: TrieNodes;

  constructor(below: TrieNodes) {
    this.#below = below;
  }

  /** @returns the new root */
  update(root: Uint8Array, changes: readonly TrieChange[]): Uint8Array {
    const update = updateTrie(this.#below, root, changes);
    for (const [hash, node] of update.added) this.added.set(hash, node);
    for (const hash of update.replaced) this.replaced.add(hash);
    return update.root;
  }
}

const updateStorage = (
  nodes: NodeCollector,
  root: Uint8Array,
  address: Uint8Array,
  change: StorageChange,
  operations: BatchOperation[],
): Uint8Array => {
  const changes = [...change.slots].map(([hex, value]): TrieChange => {
    const slot = fromKey(hex);
    const key = slotKey(address, slot);
    const isGone = value.length === 0;
    operations.push(isGone ? { type: 'del', key } : { type: 'put', key, value });
    return { hashedKey: keccak256(slot), value: isGone ? null : RLP.encode(value) };
  });
  return nodes.update(change.cleared ? KECCAK256_RLP : root, changes);
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
    if (storage?.cleared && before !== null && Buffer.compare(before.storageRoot, KECCAK256_RLP) !== 0)
      clearedAccounts.push(key);
    if (after === null) {
      if (before === null) continue;
      accounts.push({ hashedKey: keccak256(address), value: null });
      operations.push({ type: 'del', key: accountKey(address) });
      continue;
    }
    const storageRoot =
      storage === undefined
        ? after.storageRoot
        : updateStorage(nodes, before?.storageRoot ?? KECCAK256_RLP, address, storage, operations);
    const encoded = encodeAccount({ ...after, storageRoot });
    accounts.push({ hashedKey: keccak256(address), value: encoded });
    operations.push({ type: 'put', key: accountKey(address), value: encoded });
    const code = changes.code.get(toKey(after.codeHash));
    if (code !== undefined) operations.push({ type: 'put', key: codeKey(after.codeHash), value: code });
  }
  const stateRoot = nodes.update(root, accounts);
  for (const [hash, node] of nodes.added)
    operations.push({ type: 'put', key: trieNodeKey(fromKey(hash)), value: node });
  return { stateRoot: bytesToHash(stateRoot), nodes: nodes.added, operations, clearedAccounts };
};
