/**
 * The write-ahead log: what the engine was told, durable before anything that follows from it leaves (RULES 12).
 *
 * Owns framing, CRC, syncing, recovery and rotation. One file per height; the file of the height before is kept to
 * look at, older ones are removed, so disk use is bounded. Does not own what the records mean (walRecords.ts).
 *
 * Format (FORMATS.md has every byte): a header of 68 bytes, then records of `length u32 ‖ durable u64 ‖ crc u32 ‖ body`.
 * `durable` is how far the file was known to be synced when the record was appended. That tells a torn tail from
 * corruption: a bad record can only be the work of a crash if no whole record behind it was written after a sync that
 * covered it. The CRC begins with a salt that nobody else knows: whoever's transaction is in a payload here cannot
 * write what looks like a record.
 */
import { bytesToHash, concatBytes, type Hash, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import { crc32 } from '#node/consensus/crc32.ts';
import type { Disk, DiskFile } from '#node/consensus/disk.ts';
import { decodeWalRecord, encodeWalRecord, type WalRecord } from '#node/consensus/walRecords.ts';

export type WalErrorCode = 'WAL_CORRUPT' | 'WAL_FOREIGN' | 'WAL_IO';

export class WalError extends Error {
  override readonly name = 'WalError';
  readonly code: WalErrorCode;
  constructor(code: WalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Wal {
  /**
   * Turns to this height: what its file holds is returned and later records go behind it; files of heights before
   * the previous one are removed. A torn tail is cut off. @throws WalError WAL_CORRUPT, WAL_FOREIGN, WAL_IO
   */
  begin(height: bigint): Promise<readonly WalRecord[]>;
  /** Kept in memory until the next `sync`. */
  append(record: WalRecord): void;
  /** Resolves when everything appended before is durable. @throws WalError WAL_IO, for good */
  sync(): Promise<void>;
  /** Bytes that `sync` would write. */
  pendingBytes(): number;
  close(): Promise<void>;
}

const MAGIC = new TextEncoder().encode('CWWAL\0\0\x02');
/** magic 8 ‖ height 8 ‖ genesis hash 32 ‖ salt 8 ‖ salt 8 ‖ CRC 4 */
export const WAL_HEADER_BYTES = 68;
const SALT_OFFSETS = [48, 56] as const;
const SALT_BYTES = 8;
export const WAL_FRAME_BYTES = 16;
/** A payload of 2 MiB in its envelope, and room. */
export const MAX_WAL_RECORD_BYTES = 4 * 1024 * 1024;

export const walFileName = (height: bigint): string => `wal-${height.toString().padStart(20, '0')}.log`;
/** Null when it is no log; a log moved aside is none either. */
export const heightOfWalFile = (name: string): bigint | null => {
  const match = /^wal-(\d{20})\.log$/.exec(name);
  return match === null ? null : BigInt(match[1]!);
};

const u32 = (value: number): Uint8Array => toBigEndian(BigInt(value), 4);
const u64 = (value: bigint | number): Uint8Array => toBigEndian(BigInt(value), 8);
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

const fileHeader = (height: bigint, genesisHash: Hash, salt: Uint8Array): Uint8Array => {
  const fields = concatBytes(MAGIC, u64(height), hexToBytes(genesisHash), salt, salt);
  return concatBytes(fields, u32(crc32(fields)));
};

const frameRecord = (body: Uint8Array, durable: number, salt: Uint8Array): Uint8Array => {
  const prefix = concatBytes(u32(body.length), u64(durable));
  return concatBytes(prefix, u32(crc32(concatBytes(salt, prefix, body))), body);
};

/** The bytes of a log file, and what its header says. */
export type WalImage = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Null when the header is broken. */
  readonly header: { readonly height: bigint; readonly genesisHash: Hash; readonly isKnown: boolean } | null;
  /** Of a broken header both copies are worth a try. */
  readonly salts: readonly Uint8Array[];
};

export const openWalImage = (bytes: Uint8Array): WalImage => {
  const view = viewOf(bytes);
  const salts = SALT_OFFSETS.map((at) => bytes.subarray(at, at + SALT_BYTES));
  const fields = bytes.subarray(0, WAL_HEADER_BYTES - 4);
  const isWhole = bytes.length >= WAL_HEADER_BYTES && crc32(fields) === view.getUint32(WAL_HEADER_BYTES - 4);
  if (!isWhole) return { bytes, view, header: null, salts };
  const header = {
    height: view.getBigUint64(8),
    genesisHash: bytesToHash(bytes.subarray(16, 48)),
    isKnown: equalBytes(bytes.subarray(0, 8), MAGIC),
  };
  return { bytes, view, header, salts: salts.slice(0, 1) };
};

export type WalFrame = { readonly body: Uint8Array; readonly durable: bigint; readonly end: number };

/** The whole record at this offset, or null. */
export const readWalFrame = ({ bytes, view, salts }: WalImage, at: number): WalFrame | null => {
  if (at + WAL_FRAME_BYTES > bytes.length) return null;
  const length = view.getUint32(at);
  const end = at + WAL_FRAME_BYTES + length;
  if (length > MAX_WAL_RECORD_BYTES || end > bytes.length) return null;
  const body = bytes.subarray(at + WAL_FRAME_BYTES, end);
  const prefix = bytes.subarray(at, at + 12);
  const isWhole = salts.some((salt) => crc32(concatBytes(salt, prefix, body)) === view.getUint32(at + 12));
  return isWhole ? { body, durable: view.getBigUint64(at + 4), end } : null;
};

/** The next whole record behind `badAt` that knew of a sync before it. */
export const nextWalFrame = (image: WalImage, badAt: number): { at: number; frame: WalFrame } | null => {
  const { bytes, view } = image;
  for (let at = badAt + 1; at + WAL_FRAME_BYTES <= bytes.length; at++) {
    if (view.getBigUint64(at + 4) > BigInt(at)) continue;
    const frame = readWalFrame(image, at);
    if (frame !== null) return { at, frame };
  }
  return null;
};

/** True if a whole record behind `badAt` proves that the bytes at `badAt` had been durable. */
export const wasDurable = (image: WalImage, badAt: number): boolean => {
  const { bytes, view } = image;
  for (let at = badAt + 1; at + WAL_FRAME_BYTES <= bytes.length; at++) {
    const durable = view.getBigUint64(at + 4);
    if (durable > BigInt(badAt) && durable <= BigInt(at) && readWalFrame(image, at) !== null) return true;
  }
  return false;
};

const corrupt = (name: string, at: number, what: string): WalError =>
  new WalError(
    'WAL_CORRUPT',
    `expected whole records in ${name}, found ${what} at byte ${at} with synced records behind it: the disk lost data. ` +
      'This node does not vote. Check the disk; stop the node; causeway wal repair then moves the file away (the sign guard keeps the lock); start again, and the height is re-learned from the peers',
  );

export type WalContents = { readonly records: readonly WalRecord[]; readonly endBytes: number };

/** Pure: what the bytes of a log file hold, and where its whole part ends. @throws WalError WAL_CORRUPT, WAL_FOREIGN */
export const parseWal = (bytes: Uint8Array, height: bigint, genesisHash: Hash): WalContents => {
  const name = walFileName(height);
  const image = openWalImage(bytes);
  const { header } = image;
  if (header === null) {
    if (wasDurable(image, 0)) throw corrupt(name, 0, 'a broken header');
    return { records: [], endBytes: 0 };
  }
  if (!header.isKnown || header.height !== height || header.genesisHash !== genesisHash)
    throw new WalError(
      'WAL_FOREIGN',
      `expected the log of height ${height} of the chain ${genesisHash} in ${name}, found another chain's or format's: use the data folder of this chain, or an empty one`,
    );
  const records: WalRecord[] = [];
  let at = WAL_HEADER_BYTES;
  while (at < bytes.length) {
    const frame = readWalFrame(image, at);
    if (frame === null) {
      if (wasDurable(image, at)) throw corrupt(name, at, 'a broken record');
      break;
    }
    try {
      records.push(decodeWalRecord(frame.body));
    } catch {
      throw corrupt(name, at, 'a record of an unknown format');
    }
    at = frame.end;
  }
  return { records, endBytes: at };
};

type OpenLog = {
  readonly height: bigint;
  /** Null until the first sync needs the file. */
  file: DiskFile | null;
  /** End of what was handed to the file. */
  sizeBytes: number;
  durableBytes: number;
  readonly salt: Uint8Array;
  /** Framed records, with the header first in a new file. */
  pending: Uint8Array[];
  pendingBytes: number;
};

export type WalOptions = {
  readonly genesisHash: Hash;
  /** Random and private, for new files; absent only where nobody crafts transactions. */
  readonly salt?: Hash;
};

export const createWal = (disk: Disk, { genesisHash, salt }: WalOptions): Wal => {
  const ownSalt = salt === undefined ? new Uint8Array(SALT_BYTES) : hexToBytes(salt).subarray(0, SALT_BYTES);
  let log: OpenLog | null = null;
  let broken: WalError | null = null;
  /** Writes and syncs happen one after the other. */
  let tail: Promise<void> = Promise.resolve();

  const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
    if (broken !== null) throw broken;
    try {
      return await action();
    } catch (error) {
      if (error instanceof WalError && error.code !== 'WAL_IO') throw error;
      broken = new WalError(
        'WAL_IO',
        `expected the WAL to be written and synced, found ${error instanceof Error ? error.message : String(error)}: this node stops signing; check the disk (full, read-only, failing) and restart`,
        { cause: error },
      );
      throw broken;
    }
  };

  const flush = async (open: OpenLog): Promise<void> => {
    if (open.pendingBytes === 0) return;
    const bytes = concatBytes(...open.pending);
    open.pending = [];
    open.pendingBytes = 0;
    open.file ??= await disk.open(walFileName(open.height), { create: true });
    const end = open.sizeBytes + bytes.length;
    await open.file!.write(open.sizeBytes, bytes);
    open.sizeBytes = end;
    await open.file!.sync();
    open.durableBytes = end;
  };

  const serially = (action: () => Promise<void>): Promise<void> => {
    const run = tail.then(() => guarded(action));
    tail = run.catch(() => undefined);
    return run;
  };

  const removeOld = async (height: bigint): Promise<void> => {
    for (const name of await disk.list()) {
      const old = heightOfWalFile(name);
      if (old !== null && old + 1n < height) await disk.remove(name);
    }
  };

  const openLog = async (height: bigint): Promise<{ open: OpenLog; records: readonly WalRecord[] }> => {
    const file = await disk.open(walFileName(height), { create: false });
    const bytes = file === null ? new Uint8Array(0) : await file.read();
    let contents: WalContents;
    try {
      contents = parseWal(bytes, height, genesisHash);
    } catch (error) {
      await file?.close();
      throw error;
    }
    if (file !== null && contents.endBytes < bytes.length) {
      await file.truncate(contents.endBytes);
      await file.sync();
    }
    const isNew = contents.endBytes === 0;
    const header = isNew ? [fileHeader(height, genesisHash, ownSalt)] : [];
    const open: OpenLog = {
      height,
      file,
      sizeBytes: contents.endBytes,
      durableBytes: contents.endBytes,
      salt: isNew ? ownSalt : bytes.slice(SALT_OFFSETS[0], SALT_OFFSETS[0] + SALT_BYTES),
      pending: header,
      pendingBytes: 0,
    };
    return { open, records: contents.records };
  };

  return {
    begin: async (height) => {
      let records: readonly WalRecord[] = [];
      await serially(async () => {
        await log?.file?.close();
        log = null;
        await removeOld(height);
        const opened = await openLog(height);
        log = opened.open;
        records = opened.records;
      });
      return records;
    },
    append: (record) => {
      if (log === null) throw new Error('append before begin');
      const frame = frameRecord(encodeWalRecord(record), log.durableBytes, log.salt);
      log.pending.push(frame);
      log.pendingBytes += frame.length;
    },
    sync: () =>
      serially(async () => {
        if (log !== null) await flush(log);
      }),
    pendingBytes: () => log?.pendingBytes ?? 0,
    close: async () => {
      await tail;
      await log?.file?.close();
      log = null;
    },
  };
};
