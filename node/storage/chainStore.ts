/**
 * Typed reads of what was committed, over one database handle.
 *
 * Reads whatever the database holds; who may see which height is the caller's to decide. Synchronous gets: LevelDB
 * answers them from memory or page cache in microseconds, less than a trip through the thread pool costs.
 */
import { bytesToHash, type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import { ChainError } from '#node/chain.ts';
import {
  decodeBlock,
  decodeBody,
  decodeLocation,
  decodeReceipts,
  decodeValidators,
} from '#node/storage/codec.ts';
import type { Database } from '#node/storage/database.ts';
import type { StorageMode } from '#node/storage/mode.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';
import {
  blockHeightKey,
  blockKey,
  bodyKey,
  bytesToHeight,
  codeKey,
  FORMAT_KEY,
  GENESIS_KEY,
  HEAD_KEY,
  MODE_KEY,
  NEEDED_FROM_KEY,
  type NodeId,
  OLDEST_HISTORY_KEY,
  OLDEST_STATE_KEY,
  readNodeId,
  receiptsKey,
  stateRootKey,
  transactionKey,
  trieNodeKey,
  validatorsKey,
} from '#node/storage/schema.ts';

export type ChainStore = {
  get(key: Uint8Array): Uint8Array | null;
  format(): number | null;
  genesisHash(): Hash | null;
  /** Height of the newest block, null in an empty database. */
  headHeight(): bigint | null;
  /** Of a height whose body was pruned, a record that says so. */
  block(height: bigint): BlockRecord | null;
  heightOf(blockHash: Hash): bigint | null;
  receipts(height: bigint): ReceiptRecord[] | null;
  transactionLocation(hash: Hash): { height: bigint; index: number } | null;
  /** Sets are kept by their hash, for ever (RULES 22). */
  validators(hash: Hash): ValidatorSet | null;
  code(codeHash: Hash): Uint8Array | null;
  /** A trie node with what it refers to; trieNodes.ts knows the form. */
  trieNode(id: NodeId): Uint8Array | null;
  /** Where the state after a height begins. @throws ChainError STATE_PRUNED */
  stateRoot(height: bigint): NodeId | null;
  mode(): StorageMode | null;
  /** The lowest height whose state is whole. */
  oldestState(): bigint;
  /** The lowest height whose transactions and receipts are here. */
  oldestHistory(): bigint;
  /** What `keepStateFrom` said last, at any start; null if it never did. */
  neededFrom(): bigint | null;
};

export const createChainStore = (database: Database): ChainStore => {
  const get = (key: Uint8Array): Uint8Array | null => {
    try {
      return database.getSync(key) ?? null;
    } catch (error) {
      throw new ChainError(
        'STORAGE_FAULT',
        `expected to read the database: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  };
  const read = <T>(key: Uint8Array, decode: (stored: Uint8Array) => T): T | null => {
    const stored = get(key);
    return stored === null ? null : decode(stored);
  };
  const oldestState = (): bigint => read(OLDEST_STATE_KEY, bytesToHeight) ?? 0n;
  return {
    get,
    format: () => read(FORMAT_KEY, (stored) => stored[0] ?? 0),
    genesisHash: () => read(GENESIS_KEY, bytesToHash),
    headHeight: () => read(HEAD_KEY, bytesToHeight),
    block: (height) =>
      read(blockKey(height), (stored) => decodeBlock(stored, read(bodyKey(height), decodeBody))),
    heightOf: (hash) => read(blockHeightKey(hash), bytesToHeight),
    receipts: (height) =>
      read(receiptsKey(height), (stored) =>
        decodeReceipts(stored, read(bodyKey(height), decodeBody)?.transactionHashes ?? []),
      ),
    transactionLocation: (hash) => read(transactionKey(hash), decodeLocation),
    validators: (hash) => read(validatorsKey(hash), decodeValidators),
    code: (codeHash) => get(codeKey(hexToBytes(codeHash))),
    trieNode: (id) => get(trieNodeKey(id)),
    stateRoot: (height) => {
      const stored = get(stateRootKey(height));
      if (stored === null) throw stateGone(height, oldestState());
      return stored.length === 0 ? null : readNodeId(stored, 0);
    },
    mode: () => read(MODE_KEY, (stored) => Buffer.from(stored).toString('latin1') as StorageMode),
    oldestState,
    neededFrom: () => read(NEEDED_FROM_KEY, bytesToHeight),
    oldestHistory: () => read(OLDEST_HISTORY_KEY, bytesToHeight) ?? 0n,
  };
};

/** geth's words, which tools match on, then what to do. */
export const stateGone = (height: bigint, oldest: bigint): ChainError =>
  height < oldest
    ? new ChainError(
        'STATE_PRUNED',
        `missing trie node: state of height ${height} is not available, the oldest kept here is that of ${oldest}; ask an archive node`,
      )
    : new ChainError(
        'STORAGE_FAULT',
        `expected the state of height ${height}, found a part of it missing: the database is damaged`,
      );
