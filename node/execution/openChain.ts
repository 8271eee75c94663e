/**
 * The chain on this node: reads on the calling thread, derivation and commits in the execution thread.
 *
 * Owns publication: a block is visible to readers and listeners from the moment its commit has answered, never
 * before, although the database is shared (node/chain.ts states the invariants). Does not own execution.
 */
import { Worker } from 'node:worker_threads';
import { bytesToHash, concatBytes, type Hash, hexToBytes, ZERO_HASH } from '#consensus/primitives.ts';
import type { Payload } from '#consensus/types.ts';
import type { Genesis } from '#genesis/spec.ts';
import { type Chain, ChainError, type CommittedBlock, type Derivation, type Head } from '#node/chain.ts';
import type {
  CommitAnswer,
  DeriveArgument,
  PackedPayload,
  WorkerOptions,
} from '#node/execution/executionWorker.ts';
import { packPublicKeys } from '#node/execution/publicKeys.ts';
import { SUPPORTED_RULES_VERSION } from '#node/execution/rules.ts';
import {
  createCodeReader,
  createTrieReader,
  readSlot,
  type StateReader,
} from '#node/execution/stateReader.ts';
import type { PublicKeyOf } from '#node/execution/transactionChecks.ts';
import { createStoredNodes } from '#node/execution/trieNodes.ts';
import { WorkerClient } from '#node/execution/workerProtocol.ts';
import { type ChainStore, createChainStore } from '#node/storage/chainStore.ts';
import {
  decodeBlock,
  decodeBody,
  decodeReceipts,
  historyGone,
  toAccountRecord,
} from '#node/storage/codec.ts';
import { openDatabase } from '#node/storage/database.ts';
import { ARCHIVE, type StorageOptions } from '#node/storage/mode.ts';
import type { BlockRecord } from '#node/storage/records.ts';
import { padLeft } from '#node/storage/rlpValues.ts';
import { measurePiece, stageBuffer } from '#node/telemetry/stages.ts';

/** The part of a logger that the chain uses. */
export type ChainLogger = {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

export type OpenChainOptions = {
  readonly dataDir: string;
  readonly genesis: Genesis;
  readonly logger?: ChainLogger;
  /** The newest rules that may be executed; by default what this release knows. */
  readonly supportedRules?: bigint;
  /** By default an archive. */
  readonly storage?: StorageOptions;
};

/** This chain can be told where signatures were recovered before. */
export type OpenedChain = Chain & {
  /** Asked for each transaction of a payload before it is derived, so that none is recovered twice. */
  usePublicKeys(publicKeyOf: PublicKeyOf): void;
  /** RULES 42: `pruned` mode deletes nothing of this height and above, and nothing at all before the first call. */
  keepStateFrom(height: bigint): void;
};

const NO_LOGGER: ChainLogger = { info: () => {}, error: () => {} };
const NO_CODE = new Uint8Array(0);

/** @throws ChainError STORAGE_FAULT, WRONG_DATA_FOLDER, CRYPTO_UNAVAILABLE */
export const openChain = async ({
  dataDir,
  genesis,
  logger = NO_LOGGER,
  supportedRules = SUPPORTED_RULES_VERSION,
  storage = ARCHIVE,
}: OpenChainOptions): Promise<OpenedChain> => {
  // First, and closed last: LevelDB's background thread uses what belongs to the handle that opened the folder.
  const database = await openDatabase(dataDir);
  const worker = new Worker(new URL('./executionWorker.ts', import.meta.url), {
    workerData: { dataDir, genesis, supportedRules, storage, stages: stageBuffer() } satisfies WorkerOptions,
    name: 'execution',
  });
  const client = new WorkerClient(worker, 'execution');
  try {
    await client.ready;
  } catch (error) {
    await client.terminate();
    await database.close();
    throw error;
  }
  const store = createChainStore(database);
  let head = loadHead(store);
  logger.info(
    {
      height: head.block.height,
      blockHash: head.block.hash,
      storage: storage.mode,
      oldestState: store.oldestState(),
      oldestHistory: store.oldestHistory(),
    },
    'chain opened',
  );
  const listeners = new Set<(committed: CommittedBlock) => void>();
  let publicKeyOf: PublicKeyOf | null = null;
  const reader = createReader(store, () => head);

  /** Answers come in commit order; one at or below the head was published before. */
  const publish = (answer: CommitAnswer): CommittedBlock => {
    const body = decodeBody(answer.body);
    const block = decodeBlock(answer.block, body);
    const receipts = decodeReceipts(answer.receipts, body.transactionHashes);
    const committed = { block, receipts, head: { block, nextValidators: answer.nextValidators } };
    if (block.height <= head.block.height) return { ...committed, head };
    head = committed.head;
    for (const listener of [...listeners]) {
      try {
        measurePiece('publication', () => listener(committed));
      } catch (error) {
        logger.error({ error, height: block.height }, 'a listener of committed blocks failed');
      }
    }
    return committed;
  };

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await client.call('close', null).catch(() => {});
    await client.terminate();
    await database.close();
  };
  const requireOpen = (): void => {
    if (closing !== null) throw new ChainError('CLOSED', 'the chain is closed');
  };
  return {
    ...reader,
    derive: async (payload) => {
      requireOpen();
      const lookUp = publicKeyOf;
      const publicKeys =
        lookUp === null ? null : measurePiece('payload', () => packPublicKeys(payload, lookUp));
      return client.call<Derivation>('derive', {
        payload: packPayload(payload),
        publicKeys,
      } satisfies DeriveArgument);
    },
    usePublicKeys: (lookUp) => {
      publicKeyOf = lookUp;
    },
    commit: async (valueId, certificate) => {
      requireOpen();
      return publish(await client.call<CommitAnswer>('commit', { valueId, certificate }));
    },
    importBlock: async (block) => {
      requireOpen();
      return publish(await client.call<CommitAnswer>('importBlock', block));
    },
    onCommitted: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    keepStateFrom: (height) => {
      client
        .call('keepStateFrom', height)
        .catch((error: unknown) => logger.error({ err: error, height }, 'pruning limit not noted'));
    },
    close: () => {
      closing ??= close();
      return closing;
    },
  };
};

const packPayload = ({ transactions, ...payload }: Payload): PackedPayload => {
  let end = 0;
  return {
    ...payload,
    bytes: concatBytes(...transactions),
    ends: Uint32Array.from(transactions, ({ length }) => {
      end += length;
      return end;
    }),
  };
};

const loadHead = (store: ChainStore): Head => {
  const height = store.headHeight();
  const block = height === null ? null : store.block(height);
  const nextValidators = block === null ? null : store.validators(block.checkpoint.nextValidatorsHash);
  if (block === null || nextValidators === null)
    throw new ChainError('STORAGE_FAULT', `expected block ${height} and its set: the database is damaged`);
  return { block, nextValidators };
};

type Reader = Omit<Chain, 'derive' | 'commit' | 'importBlock' | 'onCommitted' | 'close'>;

/** Nothing above the published head comes out, although the database may be one commit ahead. */
const createReader = (store: ChainStore, head: () => Head): Reader => {
  const nodes = createStoredNodes(store);
  const code = createCodeReader(store);
  const isPublished = (height: bigint): boolean => height >= 0n && height <= head().block.height;
  const blockAt = (height: bigint): BlockRecord | null => {
    if (!isPublished(height)) return null;
    const newest = head().block;
    return height === newest.height ? newest : store.block(height);
  };
  const stateAt = (height: bigint): StateReader | null => {
    const block = blockAt(height);
    return block === null ? null : createTrieReader(store, nodes, height, code);
  };
  return {
    head,
    blockAt: async (height) => blockAt(height),
    blockByHash: async (hash) => {
      const height = store.heightOf(hash);
      return height === null ? null : blockAt(height);
    },
    receiptsAt: async (height) => {
      if (!isPublished(height)) return null;
      const receipts = store.receipts(height);
      if (receipts === null && height < store.oldestHistory()) throw historyGone(height, 'receipts');
      return receipts;
    },
    transactionLocation: async (hash) => {
      const location = store.transactionLocation(hash);
      return location !== null && isPublished(location.height) ? location : null;
    },
    validatorsAt: async (height) => {
      const before = height > 0n ? blockAt(height - 1n) : null;
      return before === null ? null : store.validators(before.checkpoint.nextValidatorsHash);
    },
    account: async (address, height) => {
      const account = stateAt(height)?.account(hexToBytes(address));
      return account === undefined || account === null ? null : toAccountRecord(account);
    },
    code: async (address, height) => {
      const account = stateAt(height)?.account(hexToBytes(address));
      return account === undefined || account === null ? NO_CODE : code(account.codeHash);
    },
    storageAt: async (address, slot: Hash, height) => {
      const reader = stateAt(height);
      if (reader === null) return ZERO_HASH;
      return bytesToHash(padLeft(readSlot(reader, hexToBytes(address), hexToBytes(slot)), 32));
    },
  };
};
