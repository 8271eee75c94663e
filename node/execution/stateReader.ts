/**
 * Committed state to read from, under whatever a block or call changes in memory.
 *
 * The state after any kept height is read by its trie, so nothing that a later commit writes can show through. There is
 * no copy by address: who derives a block changes nearly all that it reads, and needs the nodes on the way for that.
 * Synchronous, since nodes come out of memory or LevelDB in microseconds.
 */
import { KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { ChainError } from '#node/chain.ts';
import { decodeRlp } from '#node/consensus/rlp.ts';
import { BoundedCache } from '#node/execution/boundedCache.ts';
import { type Step, stepTo } from '#node/execution/trieNodeCodec.ts';
import type { NodeSource } from '#node/execution/trieNodes.ts';
import { type ChainStore, stateGone } from '#node/storage/chainStore.ts';
import { decodeAccount, type StateAccount } from '#node/storage/codec.ts';
import { codeKey, type NodeId } from '#node/storage/schema.ts';

export const hasNoCode = ({ codeHash }: StateAccount): boolean => equals(codeHash, KECCAK256_NULL);
export const hasNoStorage = ({ storageRoot }: StateAccount): boolean => equals(storageRoot, KECCAK256_RLP);
const equals = (a: Uint8Array, b: Uint8Array): boolean => a === b || Buffer.compare(a, b) === 0;
/** Hex of bytes, for keys of maps. */
export const toKey = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

export interface StateReader {
  /** @param address 20 bytes. @param hashedAddress its keccak, if it is known */
  account(address: Uint8Array, hashedAddress?: Uint8Array): StateAccount | null;
  /** Without leading zeros; empty for an absent slot. @param account as `account` gave it. @param slot 32 bytes */
  slot(account: StateAccount, slot: Uint8Array): Uint8Array;
  /** @param codeHash 32 bytes */
  code(codeHash: Uint8Array): Uint8Array;
}

const NONE = new Uint8Array(0);

export const EMPTY_STATE: StateReader = { account: () => null, slot: () => NONE, code: () => NONE };
export const emptyRoot = (): Uint8Array => KECCAK256_RLP;

/** @param address 20 bytes. @param slot 32 bytes */
export const readSlot = (reader: StateReader, address: Uint8Array, slot: Uint8Array): Uint8Array => {
  const account = reader.account(address);
  return account === null ? NONE : reader.slot(account, slot);
};

const EMPTY_CODE = toKey(KECCAK256_NULL);
const CODE_CACHE_ENTRIES = 512;

/** Code by hash never changes, so one cache serves every height. */
export const createCodeReader = (store: Pick<ChainStore, 'get'>): StateReader['code'] => {
  const cache = new BoundedCache<string, Uint8Array>(CODE_CACHE_ENTRIES);
  return (codeHash) => {
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

type Found = Extract<Step, { kind: 'leaf' }>;

/** The leaf of a key, null if there is none. @param hashedKey 32 bytes */
const findLeaf = (load: (id: NodeId) => Uint8Array, root: NodeId, hashedKey: Uint8Array): Found | null => {
  for (let id = root, depth = 0; ; ) {
    const step = stepTo(load(id), hashedKey, depth);
    if (step === null || step.kind === 'leaf') return step;
    id = step.id;
    depth = step.depth;
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
  const load = (id: NodeId): Uint8Array => {
    const record = nodes.get(id);
    if (record === undefined) throw stateGone(height, store.oldestState());
    return record;
  };
  return {
    account: (address, hashedAddress = keccak256(address)) => {
      const leaf = root === null ? null : findLeaf(load, root, hashedAddress);
      if (leaf === null) return null;
      const stored = decodeAccount(leaf.value);
      return leaf.storageNode === null ? stored : { ...stored, storageNode: leaf.storageNode };
    },
    slot: ({ storageNode }, slot) => {
      const leaf = storageNode === undefined ? null : findLeaf(load, storageNode, keccak256(slot));
      return leaf === null ? NONE : (decodeRlp(leaf.value) as Uint8Array);
    },
    code,
  };
};
