/**
 * From the changes of a block to its state root and to what the commit must write.
 *
 * Each account's slots first, then all accounts in one pass (trieUpdate.ts). New nodes stay in memory; those that the
 * block replaced are listed, so that pruning finds them without a search. Owns no disk.
 */
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHash, type Hash } from '#consensus/primitives.ts';
import { ChainError } from '#node/chain.ts';
import { encodeRlp } from '#node/consensus/rlp.ts';
import type { StateChanges, TouchedAccount } from '#node/execution/overlayState.ts';
import { hasNoStorage, toKey } from '#node/execution/stateReader.ts';
import { referencesOf } from '#node/execution/trieNodeCodec.ts';
import { loadRecord, NewNodes, type TrieNodes } from '#node/execution/trieNodes.ts';
import { EMPTY_TRIE, type TrieChange, type TrieRoot, updateTrie } from '#node/execution/trieUpdate.ts';
import { encodeAccount, type StateAccount } from '#node/storage/codec.ts';
import type { BatchOperation } from '#node/storage/database.ts';
import {
  codeKey,
  type NodeId,
  packNodeIds,
  staleNodesKey,
  stateRootKey,
  trieNodeKey,
} from '#node/storage/schema.ts';

export type StateUpdate = {
  readonly height: bigint;
  readonly stateRoot: Hash;
  readonly rootId: NodeId | null;
  /** New trie nodes, all of which the new root reaches, and which ones are stale from here on. */
  readonly nodes: NewNodes;
  /** Code that an account has for the first time in this block, by its hash. */
  readonly code: readonly (readonly [codeHash: Uint8Array, code: Uint8Array])[];
};

const fromKey = (key: string): Uint8Array => Uint8Array.from(Buffer.from(key, 'hex'));

const storageOf = (account: StateAccount | null): TrieRoot => {
  if (account === null || hasNoStorage(account)) return EMPTY_TRIE;
  const { storageRoot, storageNode } = account;
  if (storageNode !== undefined) return { hash: storageRoot, id: storageNode };
  throw new ChainError(
    'STORAGE_FAULT',
    `expected the place of storage trie ${bytesToHash(storageRoot)} in its account, found none: the database is damaged`,
  );
};

/** Gives up a whole trie. Since EIP-6780 no account with storage goes, so this is for completeness, not for speed. */
const dropTrie = (root: NodeId, below: TrieNodes, nodes: NewNodes): void => {
  const open = [root];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    nodes.replaced.push(id);
    open.push(...referencesOf(loadRecord(below, id)));
  }
};

const toSlotChange = ([hex, value]: readonly [string, Uint8Array]): TrieChange => ({
  hashedKey: keccak256(fromKey(hex)),
  value: value.length === 0 ? null : encodeRlp(value),
});

/** The account's change in the trie of accounts, null if there is none; its storage is updated. */
const updateAccount = (touched: TouchedAccount, below: TrieNodes, nodes: NewNodes): TrieChange | null => {
  const { before, now, isCleared, slots, hashedAddress } = touched;
  const old = storageOf(before);
  const isGone = isCleared || now === null;
  if (isGone && old.id !== null) dropTrie(old.id, below, nodes);
  if (now === null) return before === null ? null : { hashedKey: hashedAddress, value: null };
  const kept = isGone ? EMPTY_TRIE : old;
  const storage = slots.size > 0 ? updateTrie(below, kept, [...slots].map(toSlotChange), nodes) : kept;
  return {
    hashedKey: hashedAddress,
    value: encodeAccount({ ...now, storageRoot: storage.hash }),
    storageNode: storage.id,
  };
};

/** @param changes over the state that `below` and `root` are of. @param below its trie nodes. @param root its root */
export const computeStateUpdate = (
  { accounts, code }: StateChanges,
  below: TrieNodes,
  root: Uint8Array,
): StateUpdate => {
  const height = below.height + 1n;
  const nodes = new NewNodes(height);
  const changes: TrieChange[] = [];
  const newCode = new Map<string, Uint8Array>();
  for (const touched of accounts) {
    if (!touched.isWritten && !touched.isCleared && touched.slots.size === 0) continue;
    const change = updateAccount(touched, below, nodes);
    if (change !== null) changes.push(change);
    if (code.size === 0 || touched.now === null) continue;
    const key = toKey(touched.now.codeHash);
    const created = code.get(key);
    if (created !== undefined) newCode.set(key, created);
  }
  const { hash, id } = updateTrie(below, { hash: root, id: below.rootId }, changes, nodes);
  return {
    height,
    stateRoot: bytesToHash(hash),
    rootId: id,
    nodes,
    code: [...newCode].map(([key, value]) => [fromKey(key), value]),
  };
};

/** Everything of it that a commit writes. */
export const writeState = (
  { height, rootId, nodes, code }: StateUpdate,
  put: (key: Uint8Array, value: Uint8Array) => unknown,
): void => {
  for (const [id, record] of nodes.entries()) put(trieNodeKey(id), record);
  for (const [codeHash, value] of code) put(codeKey(codeHash), value);
  put(stateRootKey(height), packNodeIds(rootId === null ? [] : [rootId]));
  if (nodes.replaced.length > 0) put(staleNodesKey(height), packNodeIds(nodes.replaced));
};

export const stateOperations = (update: StateUpdate): BatchOperation[] => {
  const operations: BatchOperation[] = [];
  writeState(update, (key, value) => operations.push({ type: 'put', key, value }));
  return operations;
};
