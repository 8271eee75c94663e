/**
 * The consensus folder of a data folder as the operator's tools see it: reading while a node runs, changing only
 * while none does.
 *
 * Owns the files' places and the lock around a change. Does not own their formats (wal.ts, guard.ts).
 */
import { constants } from 'node:fs';
import { access, link, open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Disk, openFolderDisk, syncFolder } from '#node/consensus/disk.ts';
import { lockFolder } from '#node/consensus/folderLock.ts';
import { GUARD_FILE, parseGuard } from '#node/consensus/guard.ts';
import { heightOfWalFile } from '#node/consensus/wal.ts';
import type { RepairFiles } from '#node/consensus/walRepair.ts';

export class ConsensusFolderError extends Error {
  override readonly name = 'ConsensusFolderError';
  readonly code = 'NO_DATA_FOLDER';
}

export const consensusFolderOf = (dataDir: string): string => join(dataDir, 'consensus');

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';

/** A misspelt path is never created. @throws ConsensusFolderError */
const requireFolder = async (folder: string, what: string): Promise<void> => {
  try {
    await access(folder, constants.R_OK);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new ConsensusFolderError(
      `expected ${what} at ${folder}, found nothing: give the data_dir of the node's configuration`,
    );
  }
};

/** The whole guard file, null when there is none. */
export const readGuardFile = async (dataDir: string): Promise<Uint8Array | null> => {
  await requireFolder(dataDir, 'a data folder');
  try {
    return await readFile(join(consensusFolderOf(dataDir), GUARD_FILE));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
};

export type WalFile = { readonly name: string; readonly height: bigint };

/** Oldest height first. @throws ConsensusFolderError */
export const listWalFiles = async (dataDir: string): Promise<readonly WalFile[]> => {
  const folder = consensusFolderOf(dataDir);
  await requireFolder(folder, 'a consensus folder');
  return (await readdir(folder))
    .flatMap((name) => {
      const height = heightOfWalFile(name);
      return height === null ? [] : [{ name, height }];
    })
    .sort((a, b) => (a.height < b.height ? -1 : 1));
};

export const readWalFile = (dataDir: string, { name }: WalFile): Promise<Uint8Array> =>
  readFile(join(consensusFolderOf(dataDir), name));

export type StoppedFolder = {
  readonly disk: Disk;
  readonly files: RepairFiles;
  readonly names: readonly string[];
};

const repairFilesIn = (folder: string): RepairFiles => ({
  truncate: async (name, sizeBytes) => {
    const handle = await open(join(folder, name), constants.O_RDWR);
    try {
      await handle.truncate(sizeBytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  rename: async (name, to) => {
    // link fails where rename would replace what is there
    await link(join(folder, name), join(folder, to));
    await syncFolder(folder);
    await unlink(join(folder, name));
    await syncFolder(folder);
  },
});

/** Holds the folder's lock, so that no node begins meanwhile. @throws FolderLockError, ConsensusFolderError */
export const withStoppedNode = async <T>(
  dataDir: string,
  action: (folder: StoppedFolder) => Promise<T>,
): Promise<T> => {
  await requireFolder(dataDir, 'a data folder');
  const lock = await lockFolder(dataDir);
  try {
    const folder = consensusFolderOf(dataDir);
    const disk = await openFolderDisk(folder);
    return await action({ disk, files: repairFilesIn(folder), names: await disk.list() });
  } finally {
    await lock.release();
  }
};

export const readGuard = async (dataDir: string): Promise<ReturnType<typeof parseGuard> | 'missing'> => {
  const bytes = await readGuardFile(dataDir);
  return bytes === null || bytes.length === 0 ? 'missing' : parseGuard(bytes);
};
