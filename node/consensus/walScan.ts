/**
 * A whole log file read for people and for repair: every record with its place, where it is damaged and how, and what
 * is still readable behind the damage.
 *
 * Pure and read-only. Says the same of torn and corrupt as `parseWal`, which is what a node trusts; this goes on where
 * that stops.
 */
import type { Hash } from '#consensus/primitives.ts';
import {
  nextWalFrame,
  openWalImage,
  readWalFrame,
  WAL_HEADER_BYTES,
  type WalFrame,
  wasDurable,
} from '#node/consensus/wal.ts';
import { decodeWalRecord, type WalRecord } from '#node/consensus/walRecords.ts';

export type WalEntry = {
  /** Offset of the record's frame in the file. */
  readonly at: number;
  readonly end: number;
  /** How far the file was synced when this was appended. */
  readonly durable: bigint;
  /** Null: whole, but not of a format that this release reads. */
  readonly record: WalRecord | null;
};

export type WalDamage = {
  /** `torn`: a crash explains it, it is cut off. `corrupt`: synced bytes are gone, the disk lost data. */
  readonly kind: 'torn' | 'corrupt';
  readonly at: number;
};

export type WalScan = {
  /** Null when it is broken, or not of a format that this release reads. */
  readonly header: { readonly height: bigint; readonly genesisHash: Hash } | null;
  readonly sizeBytes: number;
  /** What a node would replay, unless the log is corrupt. */
  readonly entries: readonly WalEntry[];
  readonly damage: WalDamage | null;
  /** Whole records behind the damage; a node never reads them. */
  readonly behind: readonly WalEntry[];
};

const entryOf = (at: number, { body, durable, end }: WalFrame): WalEntry => {
  let record: WalRecord | null = null;
  try {
    record = decodeWalRecord(body);
  } catch {
    // stays null: of another format
  }
  return { at, end, durable, record };
};

export const scanWal = (bytes: Uint8Array): WalScan => {
  const image = openWalImage(bytes);
  const header = image.header?.isKnown === true ? image.header : null;
  const entries: WalEntry[] = [];
  let at = image.header === null ? 0 : WAL_HEADER_BYTES;
  let isUnknown = false;
  for (
    let frame = at === 0 ? null : readWalFrame(image, at);
    frame !== null;
    frame = readWalFrame(image, at)
  ) {
    const entry = entryOf(at, frame);
    isUnknown = entry.record === null;
    if (isUnknown) break;
    entries.push(entry);
    at = frame.end;
  }
  const isDamaged = at < bytes.length;
  const kind = isUnknown || wasDurable(image, at) ? 'corrupt' : 'torn';
  const behind: WalEntry[] = [];
  for (let next = isDamaged ? nextWalFrame(image, at) : null; next !== null; ) {
    behind.push(entryOf(next.at, next.frame));
    next = nextWalFrame(image, next.frame.end - 1);
  }
  return { header, sizeBytes: bytes.length, entries, damage: isDamaged ? { kind, at } : null, behind };
};
