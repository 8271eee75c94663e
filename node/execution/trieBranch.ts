/**
 * A branch as it is stored, read where it lies: most branches are passed, or changed in one child.
 *
 *     1 ‖ bitmap of the children (2) ‖ for each child its hash (32) and place (7)
 *
 * Owns this form, the changes over it, and its RLP. One with a child that stands for itself has another form
 * (trieNodeCodec.ts).
 */
import { allocateRecord, closeList, LIST_BODY, scratch } from '#node/execution/trieBytes.ts';
import type { Branch, Link, StoredLink } from '#node/execution/trieNode.ts';
import { type NodeId, readNodeId, writeNodeId } from '#node/storage/schema.ts';

export const BRANCH = 1;
export const HASH_BYTES = 32;
export const PLACE_BYTES = 7;
export const CHILD_BYTES = HASH_BYTES + PLACE_BYTES;
const HEAD_BYTES = 3;
const NO_CHANGES: readonly undefined[] = new Array(16).fill(undefined);

export const countBits = (bitmap: number): number => {
  const pairs = bitmap - ((bitmap >> 1) & 0x5555);
  const fours = (pairs & 0x3333) + ((pairs >> 2) & 0x3333);
  const bytes = (fours + (fours >> 4)) & 0x0f0f;
  return (bytes + (bytes >> 8)) & 0x1f;
};

const bitmapOf = (record: Uint8Array): number => (record[1]! << 8) | record[2]!;
const hasChild = (bitmap: number, nibble: number): boolean => (bitmap & (1 << nibble)) !== 0;
const offsetOf = (bitmap: number, nibble: number): number =>
  HEAD_BYTES + CHILD_BYTES * countBits(bitmap & ((1 << nibble) - 1));

export const childAt = (branch: Branch, nibble: number): Link | null => {
  const changed = branch.changed[nibble];
  if (changed !== undefined) return changed;
  if (branch.base === null) return null;
  const bitmap = bitmapOf(branch.base);
  return hasChild(bitmap, nibble) ? readChild(branch.base, offsetOf(bitmap, nibble)) : null;
};

/** The nibbles that have a child. */
export const childrenOf = (branch: Branch): number => {
  let bitmap = branch.base === null ? 0 : bitmapOf(branch.base);
  branch.changed.forEach((link, nibble) => {
    if (link === null) bitmap &= ~(1 << nibble);
    else if (link !== undefined) bitmap |= 1 << nibble;
  });
  return bitmap;
};

export const readChild = (record: Uint8Array, at: number): StoredLink => ({
  kind: 'stored',
  hash: record.subarray(at, at + HASH_BYTES),
  id: readNodeId(record, at + HASH_BYTES),
});

export const writeChild = (record: Uint8Array, at: number, { hash, id }: StoredLink): number => {
  record.set(hash, at);
  return writeNodeId(record, at + HASH_BYTES, id);
};

/** @param branch whose changed children are stored. */
export const encodeBranch = (branch: Branch): Uint8Array => {
  const bitmap = childrenOf(branch);
  const record = allocateRecord(HEAD_BYTES + CHILD_BYTES * countBits(bitmap));
  record[0] = BRANCH;
  record[1] = bitmap >> 8;
  record[2] = bitmap & 0xff;
  let at = HEAD_BYTES;
  const { base, changed } = branch;
  const baseBitmap = base === null ? 0 : bitmapOf(base);
  for (let nibble = 0, from = HEAD_BYTES; nibble < 16; nibble++) {
    const link = changed[nibble];
    if (link === undefined && hasChild(baseBitmap, nibble)) {
      record.set(base!.subarray(from, from + CHILD_BYTES), at);
      at += CHILD_BYTES;
    } else if (link?.kind === 'stored') at = writeChild(record, at, link);
    if (hasChild(baseBitmap, nibble)) from += CHILD_BYTES;
  }
  return record;
};

/** A branch's RLP follows from its record. @returns a view that the next call overwrites */
export const branchToRlp = (record: Uint8Array): Uint8Array => {
  const bitmap = bitmapOf(record);
  let at = LIST_BODY;
  for (let nibble = 0, from = HEAD_BYTES; nibble < 16; nibble++) {
    if (!hasChild(bitmap, nibble)) {
      scratch[at++] = 0x80;
      continue;
    }
    scratch[at++] = 0x80 + HASH_BYTES;
    for (let i = 0; i < HASH_BYTES; i++) scratch[at + i] = record[from + i]!;
    at += HASH_BYTES;
    from += CHILD_BYTES;
  }
  scratch[at++] = 0x80;
  return closeList(at);
};

export const decodeBranch = (record: Uint8Array): Branch => ({
  kind: 'branch',
  base: record,
  changed: NO_CHANGES,
});

/** Without an object for the child. @returns null: there is none */
export const childIdAt = (record: Uint8Array, nibble: number): NodeId | null => {
  const bitmap = bitmapOf(record);
  return hasChild(bitmap, nibble) ? readNodeId(record, offsetOf(bitmap, nibble) + HASH_BYTES) : null;
};
