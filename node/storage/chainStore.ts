/**
 * Typed reads of what was committed, over one database handle.
 *
 * Reads whatever the database holds; who may see which height is the caller's to decide. Synchronous gets: LevelDB
 * answers them from memory or page cache in microseconds, less than a trip through the thread pool costs.
 */
import { bytesToHash, type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import { ChainError } from '#node/chain.ts';
import { decodeBlock, decodeLocation, decodeReceipts, decodeValidators } from '#node/storage/codec.ts';
import type { Database } from '#node/storage/database.ts';
import type { BlockRecord, ReceiptRecord } from '#node/storage/records.ts';
import {
  blockHeightKey,
  blockKey,
  bytesToHeight,
  codeKey,
  FORMAT_KEY,
  GENESIS_KEY,
  HEAD_KEY,
  receiptsKey,
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
  block(height: bigint): BlockRecord | null;
  heightOf(blockHash: Hash): bigint | null;
  receipts(height: bigint): ReceiptRecord[] | null;
  transactionLocation(hash: Hash): { height: bigint; index: number } | null;
  /** Sets are kept by their hash, for ever (RULES 22). */
  validators(hash: Hash): ValidatorSet | null;
  code(codeHash: Hash): Uint8Array | null;
  trieNode(hash: Uint8Array): Uint8Array | null;
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
  return {
    get,
    format: () => read(FORMAT_KEY, (stored) => stored[0] ?? 0),
    genesisHash: () => read(GENESIS_KEY, bytesToHash),
    headHeight: () => read(HEAD_KEY, bytesToHeight),
    block: (height) => read(blockKey(height), decodeBlock),
    heightOf: (hash) => read(blockHeightKey(hash), bytesToHeight),
    receipts: (height) => read(receiptsKey(height), decodeReceipts),
    transactionLocation: (hash) => read(transactionKey(hash), decodeLocation),
    validators: (hash) => read(validatorsKey(hash), decodeValidators),
    code: (codeHash) => get(codeKey(hexToBytes(codeHash))),
    trieNode: (hash) => get(trieNodeKey(hash)),
  };
};
