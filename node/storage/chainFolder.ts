/**
 * The chain database as the operator's tools see it: how much of what is in it, and pruning while no node runs.
 *
 * Owns the folder's lock around both, since LevelDB belongs to one process. Does not own the deletions (pruner.ts).
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFolder } from '#node/consensus/folderLock.ts';
import { type ChainStore, createChainStore } from '#node/storage/chainStore.ts';
import { type Database, openDatabase } from '#node/storage/database.ts';
import { applyMode, type StorageMode } from '#node/storage/mode.ts';
import { createPruner, type PruningWindow } from '#node/storage/pruner.ts';
import { FORMAT_VERSION, KIND_LETTERS, type RecordKind } from '#node/storage/schema.ts';

export type ChainFolderErrorCode = 'NO_CHAIN' | 'WRONG_FORMAT';

export class ChainFolderError extends Error {
  override readonly name = 'ChainFolderError';
  readonly code: ChainFolderErrorCode;
  constructor(code: ChainFolderErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type KindStats = { readonly kind: RecordKind; readonly entries: number; readonly bytes: number };

export type ChainMarks = {
  readonly mode: StorageMode | null;
  readonly head: bigint;
  readonly oldestState: bigint;
  readonly oldestHistory: bigint;
  /** RULES 42; null until a node of this folder knew the L1. */
  readonly neededFrom: bigint | null;
};

export type ChainStats = ChainMarks & {
  /** Of keys and values, before compression and without what compaction has yet to remove. */
  readonly kinds: readonly KindStats[];
};

/** Bytes of each entry of a data folder, with what lies below it; a file that vanishes meanwhile counts nothing. */
export const measureFolder = async (dataDir: string): Promise<ReadonlyMap<string, number>> => {
  const sizeOf = async (path: string): Promise<number> => {
    try {
      const found = await stat(path);
      if (!found.isDirectory()) return found.size;
      const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
      return sizes.reduce((sum, size) => sum + size, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  };
  const names = await requireChain(dataDir);
  return new Map(
    await Promise.all(names.map(async (name) => [name, await sizeOf(join(dataDir, name))] as const)),
  );
};

/** A misspelt path is never created. */
const requireChain = async (dataDir: string): Promise<readonly string[]> => {
  const names: readonly string[] = await readdir(dataDir).catch(() => []);
  if (names.includes('chain')) return names.toSorted();
  throw new ChainFolderError(
    'NO_CHAIN',
    `expected the data folder of a node at ${dataDir}, found no chain in it: give the data_dir of its configuration`,
  );
};

const withChain = async <T>(
  dataDir: string,
  action: (database: Database, store: ChainStore) => Promise<T>,
): Promise<T> => {
  await requireChain(dataDir);
  const lock = await lockFolder(dataDir);
  try {
    const database = await openDatabase(dataDir);
    try {
      const store = createChainStore(database);
      const format = store.format();
      if (format !== FORMAT_VERSION)
        throw new ChainFolderError(
          'WRONG_FORMAT',
          `expected a chain database of format ${FORMAT_VERSION}, found ${format === null ? 'an empty one' : `format ${format}`}: use the release that wrote it`,
        );
      return await action(database, store);
    } finally {
      await database.close();
    }
  } finally {
    await lock.release();
  }
};

const marksOf = (store: ChainStore): ChainMarks => ({
  mode: store.mode(),
  head: store.headHeight() ?? 0n,
  oldestState: store.oldestState(),
  oldestHistory: store.oldestHistory(),
  neededFrom: store.neededFrom(),
});

const ENTRIES_AT_ONCE = 1_000;

/** Reads the whole database once. @throws ChainFolderError, FolderLockError */
export const readChainStats = (dataDir: string): Promise<ChainStats> =>
  withChain(dataDir, async (database, store) => {
    const kinds = new Map<string, { entries: number; bytes: number }>();
    const iterator = database.iterator();
    try {
      for (;;) {
        const entries = await iterator.nextv(ENTRIES_AT_ONCE);
        if (entries.length === 0) break;
        for (const [key, value] of entries) {
          const letter = String.fromCharCode(key[0]!);
          const kind = kinds.get(letter) ?? { entries: 0, bytes: 0 };
          kind.entries++;
          kind.bytes += key.length + value.length;
          kinds.set(letter, kind);
        }
      }
    } finally {
      await iterator.close();
    }
    return {
      ...marksOf(store),
      kinds: [...KIND_LETTERS].flatMap(([letter, kind]) => {
        const found = kinds.get(letter);
        return found === undefined ? [] : [{ kind, ...found }];
      }),
    };
  });

export type PruningPlan = ChainMarks & {
  /** Heights whose state will go, and whose transactions and receipts. */
  readonly states: bigint;
  readonly histories: bigint;
};

/** Changes nothing. @throws ChainFolderError, FolderLockError */
export const planPruning = (dataDir: string, window: PruningWindow): Promise<PruningPlan> =>
  withChain(dataDir, async (database, store) => ({
    ...marksOf(store),
    ...createPruner(database, window, store).backlog(),
  }));

export type PruningProgress = {
  readonly keys: number;
  readonly statesLeft: bigint;
  readonly historiesLeft: bigint;
};

/**
 * Prunes to the window and gives the space back. Interrupted at any moment, the folder is whole, and the next run goes on.
 * @param onProgress after each batch
 * @throws ChainFolderError, FolderLockError; the signal's reason
 */
export const pruneChain = (
  dataDir: string,
  window: PruningWindow,
  { onProgress, signal }: { onProgress(progress: PruningProgress): void; signal: AbortSignal },
): Promise<ChainMarks & { readonly keys: number }> =>
  withChain(dataDir, async (database, store) => {
    await applyMode(database, store, 'pruned');
    const pruner = createPruner(database, window, store);
    let keys = 0;
    for (let isMore = true; isMore; ) {
      signal.throwIfAborted();
      const step = await pruner.step();
      keys += step.keys;
      isMore = step.more;
      const { states, histories } = pruner.backlog();
      onProgress({ keys, statesLeft: states, historiesLeft: histories });
    }
    for (const letter of KIND_LETTERS.keys()) {
      signal.throwIfAborted();
      const start = letter.charCodeAt(0);
      await database.compactRange(Uint8Array.of(start), Uint8Array.of(start + 1));
    }
    return { ...marksOf(store), keys };
  });
