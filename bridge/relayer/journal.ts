/**
 * An append-only file of records that survive a crash: one JSON line each, with its CRC, synced before `append` resolves.
 *
 * Owns durability and tolerance of a torn tail: a crash during an append leaves at most one broken last line, which
 * is cut off at the next open. A broken line before the last is damage, not a crash, and refuses to open. Does not
 * own the meaning of records. Invariant: when `append` has resolved, the record is on the disk.
 */
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';

export type JournalErrorCode = 'DAMAGED' | 'CLOSED' | 'FAILED';

export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalErrorCode;
  constructor(code: JournalErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Journal<Entry> {
  /** What was in the file when it was opened, in order. */
  readonly entries: readonly Entry[];
  /** Durable when it resolves. After a failed write nothing more is accepted: the file's end is unknown. */
  append(entry: Entry): Promise<void>;
  close(): Promise<void>;
}

const toLine = (entry: unknown): string => {
  const json = JSON.stringify(entry);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
};

const fromLine = (line: string): { readonly entry: unknown } | null => {
  const json = line.slice(9);
  if (line[8] !== ' ' || crc32(json).toString(16).padStart(8, '0') !== line.slice(0, 8)) return null;
  try {
    return { entry: JSON.parse(json) };
  } catch {
    return null;
  }
};

/** The records, and how many bytes of the file hold them. */
const readLines = (bytes: Buffer, path: string): { entries: unknown[]; goodBytes: number } => {
  const entries: unknown[] = [];
  let at = 0;
  while (at < bytes.length) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline === -1 ? bytes.length : newline;
    const read = newline === -1 ? null : fromLine(bytes.subarray(at, end).toString('utf8'));
    if (read === null) {
      if (end + 1 < bytes.length)
        throw new JournalError(
          'DAMAGED',
          `expected a whole record at byte ${at} of ${path}, found damage before its end: restore the file from a backup; it keeps this key from signing two values`,
        );
      break;
    }
    entries.push(read.entry);
    at = end + 1;
  }
  return { entries, goodBytes: at };
};

/** Creates the file, and its folder, when they are not there. @throws JournalError DAMAGED */
export const openJournal = async <Entry>(path: string): Promise<Journal<Entry>> => {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a+');
  let entries: Entry[];
  try {
    const bytes = await file.readFile();
    const read = readLines(bytes, path);
    entries = read.entries as Entry[];
    if (read.goodBytes < bytes.length) await file.truncate(read.goodBytes);
    await file.sync();
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (fault) {
    await file.close();
    throw fault;
  }

  let tail: Promise<void> = Promise.resolve();
  let failure: JournalError | null = null;
  let closed = false;
  return {
    entries,
    append: (entry) => {
      if (closed)
        return Promise.reject(new JournalError('CLOSED', 'expected an open journal, found it closed'));
      tail = tail
        .catch(() => undefined)
        .then(async () => {
          if (failure !== null) throw failure;
          try {
            await file.appendFile(toLine(entry));
            await file.datasync();
          } catch (fault) {
            failure = new JournalError(
              'FAILED',
              `could not make a record durable in ${path}: ${(fault as Error).message}; free space or repair the disk, then restart`,
            );
            throw failure;
          }
        });
      return tail;
    },
    close: async () => {
      closed = true;
      await tail.catch(() => undefined);
      await file.close();
    },
  };
};
