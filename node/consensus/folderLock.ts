/**
 * The lock on a data folder: two processes with one consensus key would sign twice (tendermint #4059).
 *
 * An empty LevelDB is opened and held: its lock is the operating system's, so it is exclusive, works on every
 * platform, and is gone the moment the process is, however it ended. A lock file with a process number is neither.
 */
import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';

export class FolderLockError extends Error {
  override readonly name = 'FolderLockError';
  readonly code = 'FOLDER_IN_USE';
}

export type FolderLock = { release(): Promise<void> };

/** @throws FolderLockError when another process, or this one, holds the folder */
export const lockFolder = async (dataDir: string): Promise<FolderLock> => {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // one name for one folder: within a process the lock goes by name, between processes by file
  const level = new ClassicLevel(join(await realpath(dataDir), 'lock'));
  try {
    await level.open();
  } catch (error) {
    const { cause } = error as { readonly cause?: { readonly code?: unknown } };
    const isLocked = cause?.code === 'LEVEL_LOCKED';
    if (!isLocked) throw error;
    throw new FolderLockError(
      `expected the data folder ${dataDir} to be free, found it in use by another process: stop that one first (two nodes with one key would sign twice)`,
      { cause: error },
    );
  }
  return { release: () => level.close() };
};
