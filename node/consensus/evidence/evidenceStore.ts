/**
 * Evidence on disk: an append-only file of checksummed records, written anew when much of it has expired.
 *
 * Owns the format and its repair. Does not own what is kept (evidencePool.ts). Invariants: what `append` has resolved
 * for survives a kill; opening never fails for what the file holds, because evidence must never keep a validator from
 * voting: whole records are kept, the damaged file is set aside as `evidence.damaged` for the operator, and peers send
 * again what is missing.
 *
 * Format: magic (8) ‖ genesis hash (32), then records of `length u32 ‖ crc u32 ‖ body`, body = RLP [seconds, evidence].
 * There are two names. A rewrite goes to the other one and is synced before the old one is removed, so that a crash in
 * between leaves both, and their union is what was kept.
 */
import type { Misbehaviour } from '#consensus/evidence.ts';
import { bytesToHex, concatBytes, type Hash, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import { crc32 } from '#node/consensus/crc32.ts';
import type { Disk, DiskFile } from '#node/consensus/disk.ts';
import { evidenceItem, evidenceOf } from '#node/consensus/evidence/evidenceCodec.ts';
import { FieldError, listOf, uint, uint64Of } from '#node/consensus/fields.ts';
import { decodeRlp, encodeRlp, RlpError } from '#node/consensus/rlp.ts';

export type EvidenceRecord = {
  readonly item: Misbehaviour;
  /** Timestamp of the block of its height, or of the head when it was found; seconds. */
  readonly atSeconds: bigint;
};

export const EVIDENCE_FILES = ['evidence-0.log', 'evidence-1.log'] as const;
export const DAMAGED_FILE = 'evidence.damaged';

const MAGIC = new TextEncoder().encode('CWEVID\0\x01');
const HEADER_BYTES = 40;
const FRAME_BYTES = 8;
/** Two certificates of 1,024 validators. */
const MAX_RECORD_BYTES = 256 * 1024;

const u32 = (value: number): Uint8Array => toBigEndian(BigInt(value), 4);

const encodeRecord = ({ item, atSeconds }: EvidenceRecord): Uint8Array => {
  const body = encodeRlp([uint(atSeconds), evidenceItem(item)]);
  return concatBytes(u32(body.length), u32(crc32(body)), body);
};

type Contents = {
  readonly records: readonly EvidenceRecord[];
  /** Where the last whole record ends. */
  readonly endBytes: number;
  /** Bytes that a crash does not explain. */
  readonly damage: string | null;
};

const decodeBody = (body: Uint8Array): EvidenceRecord | null => {
  try {
    const [atSeconds, item] = listOf(decodeRlp(body), 2);
    return { atSeconds: uint64Of(atSeconds), item: evidenceOf(item) };
  } catch (error) {
    if (error instanceof RlpError || error instanceof FieldError) return null;
    throw error;
  }
};

/** An incomplete last record is what a crash leaves; a record that is there and does not check is damage. */
const readContents = (bytes: Uint8Array, genesisHash: Hash): Contents => {
  const isTornHeader = bytes.length < HEADER_BYTES;
  if (isTornHeader) return { records: [], endBytes: 0, damage: null };
  if (bytesToHex(bytes.subarray(0, 8)) !== bytesToHex(MAGIC))
    return { records: [], endBytes: 0, damage: 'it does not begin as an evidence file' };
  const genesis = bytesToHex(bytes.subarray(8, HEADER_BYTES));
  if (genesis !== genesisHash)
    return { records: [], endBytes: 0, damage: `it belongs to the chain of genesis ${genesis}` };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: EvidenceRecord[] = [];
  let at = HEADER_BYTES;
  while (at + FRAME_BYTES <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + FRAME_BYTES + length;
    if (length > MAX_RECORD_BYTES)
      return { records, endBytes: at, damage: `a record of ${length} bytes at byte ${at}` };
    if (end > bytes.length) break;
    const body = bytes.subarray(at + FRAME_BYTES, end);
    const record = crc32(body) === view.getUint32(at + 4) ? decodeBody(body) : null;
    if (record === null)
      return { records, endBytes: at, damage: `a record that does not check at byte ${at}` };
    records.push(record);
    at = end;
  }
  return { records, endBytes: at, damage: null };
};

export type OpenedEvidence = {
  readonly store: EvidenceStore;
  readonly records: readonly EvidenceRecord[];
  /** What to tell the operator, null when the files were whole. */
  readonly damage: string | null;
};

export class EvidenceStore {
  readonly #disk: Disk;
  readonly #genesisHash: Hash;
  #file: DiskFile;
  #name: number;
  #endBytes: number;

  private constructor(disk: Disk, genesisHash: Hash, file: DiskFile, name: number, endBytes: number) {
    this.#disk = disk;
    this.#genesisHash = genesisHash;
    this.#file = file;
    this.#name = name;
    this.#endBytes = endBytes;
  }

  /** Rejects only when the disk does. */
  static async open(disk: Disk, genesisHash: Hash): Promise<OpenedEvidence> {
    const records: EvidenceRecord[] = [];
    const damages: string[] = [];
    const present: { file: DiskFile; name: number; endBytes: number; records: readonly EvidenceRecord[] }[] =
      [];
    for (const [name, fileName] of EVIDENCE_FILES.entries()) {
      const file = await disk.open(fileName, { create: false });
      if (file === null) continue;
      const bytes = await file.read();
      const contents = readContents(bytes, genesisHash);
      records.push(...contents.records);
      present.push({ file, name, endBytes: contents.endBytes, records: contents.records });
      if (contents.damage === null) continue;
      await setAside(disk, bytes);
      damages.push(
        `expected "${fileName}" to be whole, found ${contents.damage}; ${contents.records.length} records were kept, ` +
          `the file was set aside as "${DAMAGED_FILE}", and the other validators send what is missing`,
      );
    }
    const { file, name, endBytes } = present[0] ?? (await createFile(disk, 0));
    const store = new EvidenceStore(disk, genesisHash, file, name, endBytes);
    const other = present[1];
    const isClean = endBytes >= HEADER_BYTES && damages.length === 0 && other === undefined;
    if (!isClean) await store.#repair(other?.records ?? []);
    await other?.file.close();
    return { store, records, damage: damages.length === 0 ? null : damages.join('; ') };
  }

  /** Cuts off what does not check and takes in the other file's records, which is then not needed. */
  async #repair(others: readonly EvidenceRecord[]): Promise<void> {
    const isHeaderWhole = this.#endBytes >= HEADER_BYTES;
    const bytes = concatBytes(
      ...(isHeaderWhole ? [] : [MAGIC, hexToBytes(this.#genesisHash)]),
      ...others.map(encodeRecord),
    );
    await this.#write(isHeaderWhole ? this.#endBytes : 0, bytes);
    await this.#disk.remove(EVIDENCE_FILES[1 - this.#name]!);
  }

  /** Resolves when it is durable. One call at a time. */
  async append(record: EvidenceRecord): Promise<void> {
    await this.#write(this.#endBytes, encodeRecord(record));
  }

  /** A torn tail behind `offset` is cut off first. A write that failed is written over by the next. */
  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#file.truncate(offset);
    await this.#file.write(offset, bytes);
    await this.#file.sync();
    this.#endBytes = offset + bytes.length;
  }

  /** Only these stay. One call at a time. */
  async rewrite(records: readonly EvidenceRecord[]): Promise<void> {
    const before = { file: this.#file, fileName: EVIDENCE_FILES[this.#name]! };
    const name = 1 - this.#name;
    const { file } = await createFile(this.#disk, name);
    const bytes = concatBytes(MAGIC, hexToBytes(this.#genesisHash), ...records.map(encodeRecord));
    await file.truncate(0);
    await file.write(0, bytes);
    await file.sync();
    this.#file = file;
    this.#name = name;
    this.#endBytes = bytes.length;
    await before.file.close();
    await this.#disk.remove(before.fileName);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

const createFile = async (
  disk: Disk,
  name: number,
): Promise<{ file: DiskFile; name: number; endBytes: number }> => {
  const file = await disk.open(EVIDENCE_FILES[name]!, { create: true });
  if (file === null) throw new Error(`expected the disk to make "${EVIDENCE_FILES[name]}", found nothing`);
  return { file, name, endBytes: 0 };
};

/** One damaged file is kept, the newest. */
const setAside = async (disk: Disk, bytes: Uint8Array): Promise<void> => {
  await disk.remove(DAMAGED_FILE);
  const aside = await disk.open(DAMAGED_FILE, { create: true });
  if (aside === null) return;
  await aside.write(0, bytes);
  await aside.sync();
  await aside.close();
};
