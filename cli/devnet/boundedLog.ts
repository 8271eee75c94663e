/**
 * A log file with a bound: when it is full it becomes the previous one, and the one before that is gone.
 *
 * Written synchronously, because the writer is a supervisor whose last lines matter most.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export const MAX_LOG_BYTES = 10 * 1024 * 1024;

export type BoundedLog = { readonly path: string; write(chunk: Uint8Array): void; close(): void };

export const openBoundedLog = (path: string, maxBytes = MAX_LOG_BYTES): BoundedLog => {
  mkdirSync(dirname(path), { recursive: true });
  let fd: number | null = openSync(path, 'a', 0o600);
  let sizeBytes = fstatSync(fd).size;
  const rotate = (open: number): number => {
    closeSync(open);
    renameSync(path, `${path}.1`);
    sizeBytes = 0;
    return openSync(path, 'a', 0o600);
  };
  return {
    path,
    write: (chunk) => {
      if (fd === null) return;
      if (sizeBytes > 0 && sizeBytes + chunk.length > maxBytes) fd = rotate(fd);
      writeSync(fd, chunk);
      sizeBytes += chunk.length;
    },
    close: () => {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
};
