/**
 * The node's one LevelDB: raw byte keys and values, shared by the threads of this process.
 *
 * Owns opening and the lock of the folder. Only the execution thread writes; every other thread opens its own handle
 * for reading (classic-level's `multithreading`: handles of one process share one database, so a write is visible
 * to all at once). Does not own what the keys mean (schema.ts).
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { ChainError } from '#node/chain.ts';

export type Database = ClassicLevel<Uint8Array, Uint8Array>;
export type BatchOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

const CACHE_BYTES = 32 * 1024 * 1024;
/**
 * In memory until it is written as one sorted file; the log has it at once. LevelDB's 4 MB made it write a transfer's bytes
 * four times over. At most two of these are in memory.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;

/** @throws ChainError STORAGE_FAULT when another process holds the folder, or it cannot be read */
export const openDatabase = async (dataDir: string): Promise<Database> => {
  const location = path.join(dataDir, 'chain');
  try {
    await mkdir(dataDir, { recursive: true });
    const database: Database = new ClassicLevel(location, { keyEncoding: 'view', valueEncoding: 'view' });
    await database.open({
      multithreading: true,
      cacheSize: CACHE_BYTES,
      writeBufferSize: WRITE_BUFFER_BYTES,
    });
    return database;
  } catch (error) {
    throw explain(location, error);
  }
};

const explain = (location: string, error: unknown): ChainError => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const locked =
    cause instanceof Error && 'code' in cause && (cause as { code: unknown }).code === 'LEVEL_LOCKED';
  return new ChainError(
    'STORAGE_FAULT',
    locked
      ? `expected the database ${location} to be free, found it in use: stop the other process that runs this node`
      : `expected to open the database ${location}: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause: error },
  );
};
