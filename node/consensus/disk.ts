/**
 * The few file operations that the WAL and the guard need, as a port: a simulator supplies a disk that tears writes.
 *
 * Owns the interface and the real disk (a folder). Invariant: when `open` has resolved with `create`, the file's name
 * is durable; when `sync` has resolved, every earlier write to that file is. A failed write or sync rejects, and the
 * caller stops signing: after a failed fsync the kernel may have thrown the data away.
 */
import { constants, type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface DiskFile {
  read(): Promise<Uint8Array>;
  /** Writes in place; past the end the file grows. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  list(): Promise<readonly string[]>;
  /** Null when it does not exist and `create` is not asked for. */
  open(name: string, options: { readonly create: boolean }): Promise<DiskFile | null>;
  remove(name: string): Promise<void>;
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';

const writeFully = async (handle: FileHandle, offset: number, bytes: Uint8Array): Promise<void> => {
  let written = 0;
  while (written < bytes.length) {
    const result = await handle.write(bytes, written, bytes.length - written, offset + written);
    written += result.bytesWritten;
  }
};

const readFully = async (handle: FileHandle): Promise<Uint8Array> => {
  const { size } = await handle.stat();
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
};

const fileOf = (handle: FileHandle): DiskFile => ({
  read: () => readFully(handle),
  write: (offset, bytes) => writeFully(handle, offset, bytes),
  truncate: (sizeBytes) => handle.truncate(sizeBytes),
  sync: () => handle.datasync(),
  close: () => handle.close(),
});

/** What was made, renamed or removed in it is durable then. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Makes the folder if it is missing; readable by its owner only. */
export const openFolderDisk = async (folder: string): Promise<Disk> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    list: () => readdir(folder),
    open: async (name, { create }) => {
      const path = join(folder, name);
      try {
        return fileOf(await open(path, constants.O_RDWR));
      } catch (error) {
        if (!isMissing(error)) throw error;
        if (!create) return null;
      }
      const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
      await syncFolder(folder);
      return fileOf(handle);
    },
    remove: (name) => rm(join(folder, name), { force: true }),
  };
};
