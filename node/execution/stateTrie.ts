/**
 * From the changes of a block to its state root and to what the commit must write.
 *
 * One pass over the changed accounts in the order of their hashed keys, each account's slots first. New nodes stay
 * in memory; of those, only what the new root reaches is handed on. Owns no disk.
 */
import { RLP } from '@ethereumjs/rlp';
import { KECCAK256_RLP } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash, type Hash } from '#consensus/primitives.ts';
import type { StateChanges, StorageChange } from '#node/execution/overlayState.ts';
import { openTrie, type StateReader, toKey } from '#node/execution/stateReader.ts';
import { createNodeLayer, type TrieNodes } from '#node/execution/trieNodes.ts';
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

type Keyed<T> = { readonly key: string; readonly bytes: Uint8Array; readonly value: T };

/** In the order of the trie's keys. */
const sortByHash = <T>(entries: Iterable<readonly [string, T]>): Keyed<T>[] =>
  [...entries]
    .map(([key, value]) => {
      const bytes = fromKey(key);
      return { key, bytes, value, hash: keccak256(bytes) };
    })
    .sort((a, b) => Buffer.compare(a.hash, b.hash));

const updateStorage = async (
  nodes: TrieNodes,
  root: Uint8Array,
  address: Uint8Array,
  change: StorageChange,
  operations: BatchOperation[],
): Promise<Uint8Array> => {
  const trie = await openTrie(nodes, change.cleared ? KECCAK256_RLP : root);
  for (const { bytes: slot, value } of sortByHash(change.slots)) {
    const key = slotKey(address, slot);
    if (value.length === 0) {
      await trie.del(slot);
      operations.push({ type: 'del', key });
    } else {
      await trie.put(slot, RLP.encode(value));
      operations.push({ type: 'put', key, value });
    }
  }
  return trie.root();
};

/** @param reader the state below the changes. @param below its trie nodes. @param root its root */
export const computeStateUpdate = async (
  changes: StateChanges,
  reader: StateReader,
  below: TrieNodes,
  root: Uint8Array,
): Promise<StateUpdate> => {
  const layer = createNodeLayer(below);
  const operations: BatchOperation[] = [];
  const clearedAccounts: string[] = [];
  const trie = await openTrie(layer, root);
  const touched = new Set([...changes.accounts.keys(), ...changes.storage.keys()]);
  for (const { key, bytes: address } of sortByHash([...touched].map((key) => [key, null] as const))) {
    const before = await reader.account(address);
    const after = changes.accounts.has(key) ? changes.accounts.get(key)! : before;
    const storage = changes.storage.get(key);
    if (storage?.cleared && before !== null && Buffer.compare(before.storageRoot, KECCAK256_RLP) !== 0)
      clearedAccounts.push(key);
    if (after === null) {
      if (before === null) continue;
      await trie.del(address);
      operations.push({ type: 'del', key: accountKey(address) });
      continue;
    }
    const storageRoot =
      storage === undefined
        ? after.storageRoot
        : await updateStorage(layer, before?.storageRoot ?? KECCAK256_RLP, address, storage, operations);
    const encoded = encodeAccount({ ...after, storageRoot });
    await trie.put(address, encoded);
    operations.push({ type: 'put', key: accountKey(address), value: encoded });
    const code = changes.code.get(toKey(after.codeHash));
    if (code !== undefined) operations.push({ type: 'put', key: codeKey(after.codeHash), value: code });
  }
  const nodes = reachable(layer.added, trie.root());
  for (const [hash, node] of nodes)
    operations.push({ type: 'put', key: trieNodeKey(fromKey(hash)), value: node });
  return { stateRoot: bytesToHash(trie.root()), nodes, operations, clearedAccounts };
};

/** A put per key leaves nodes behind that the next one replaced: keep what the root leads to. */
const reachable = (added: ReadonlyMap<string, Uint8Array>, root: Uint8Array): Map<string, Uint8Array> => {
  const kept = new Map<string, Uint8Array>();
  const open: Uint8Array[] = [root];
  for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
    const key = toKey(hash);
    const node = added.get(key);
    if (node === undefined || kept.has(key)) continue;
    kept.set(key, node);
    collectReferences(RLP.decode(node) as Item, open);
  }
  return kept;
};

type Item = Uint8Array | Item[];

/** Every 32-byte string in a node that may be a reference: a false one is just not among the added nodes. */
const collectReferences = (item: Item, into: Uint8Array[]): void => {
  if (item instanceof Uint8Array) {
    if (item.length === 32) into.push(item);
    else if (item.length > 64) collectStorageRoot(item, into);
    return;
  }
  for (const part of item) collectReferences(part, into);
};

/** A leaf of the account trie holds an encoded account, and that the root of its storage. */
const collectStorageRoot = (value: Uint8Array, into: Uint8Array[]): void => {
  if (value[0]! < 0xf8) return;
  const fields = RLP.decode(value) as Item;
  if (Array.isArray(fields) && fields.length === 4 && fields[2] instanceof Uint8Array) into.push(fields[2]);
};
