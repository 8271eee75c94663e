/**
 * A leaf as it is stored.
 *
 *     3, + 16 with a storage trie, + 32 without code and storage ‖ length of the path (1) ‖ path ‖
 *     place of the storage trie (7) ‖ value
 *
 * Its path says how deep it stands, since all keys have 64 nibbles. The value of an account without code and storage
 * leaves out what all of these have in common, which is most of it.
 */
import { KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util';
import { concatBytes } from '#consensus/primitives.ts';
import { encodeRlp } from '#node/consensus/rlp.ts';
import { PLACE_BYTES } from '#node/execution/trieBranch.ts';
import {
  allocateRecord,
  closeList,
  KEY_BYTES,
  KEY_NIBBLES,
  LIST_BODY,
  packedLength,
  packKey,
  scratch,
} from '#node/execution/trieBytes.ts';
import type { Leaf } from '#node/execution/trieNode.ts';
import { type NodeId, readNodeId, writeNodeId } from '#node/storage/schema.ts';

export const LEAF = 3;
const HAS_STORAGE = 0x10;
const IS_PLAIN_ACCOUNT = 0x20;

/** RLP of an account ends so when it has neither code nor storage. */
const PLAIN_ACCOUNT_END = concatBytes(
  Uint8Array.of(0xa0),
  KECCAK256_RLP,
  Uint8Array.of(0xa0),
  KECCAK256_NULL,
);

const isPlainAccount = (value: Uint8Array): boolean => {
  const start = value.length - PLAIN_ACCOUNT_END.length;
  if (start < 2 || value[0] !== 0xf8 || value[1] !== value.length - 2) return false;
  for (let i = 0; i < PLAIN_ACCOUNT_END.length; i++)
    if (value[start + i] !== PLAIN_ACCOUNT_END[i]) return false;
  return true;
};

export const encodeLeaf = ({ key, value, storageNode }: Leaf, depth: number): Uint8Array => {
  const isPlain = storageNode === null && isPlainAccount(value);
  const shown = isPlain ? value.subarray(2, value.length - PLAIN_ACCOUNT_END.length) : value;
  const pathBytes = packedLength(KEY_NIBBLES - depth);
  const placeBytes = storageNode === null ? 0 : PLACE_BYTES;
  const record = allocateRecord(2 + pathBytes + placeBytes + shown.length);
  record[0] = LEAF | (isPlain ? IS_PLAIN_ACCOUNT : 0) | (storageNode === null ? 0 : HAS_STORAGE);
  record[1] = pathBytes;
  const end = packKey(record, 2, key, depth);
  if (storageNode !== null) writeNodeId(record, end, storageNode);
  record.set(shown, end + placeBytes);
  return record;
};

export const leafToRlp = ({ key, value }: Pick<Leaf, 'key' | 'value'>, depth: number): Uint8Array => {
  const pathBytes = packedLength(KEY_NIBBLES - depth);
  if (value.length > 255) {
    const path = new Uint8Array(pathBytes);
    packKey(path, 0, key, depth);
    return encodeRlp([path, value]);
  }
  let at = LIST_BODY;
  if (pathBytes > 1) scratch[at++] = 0x80 + pathBytes;
  at = packKey(scratch, at, key, depth);
  if (value.length > 55) {
    scratch[at++] = 0xb8;
    scratch[at++] = value.length;
  } else if (value.length !== 1 || value[0]! >= 0x80) scratch[at++] = 0x80 + value.length;
  scratch.set(value, at);
  return closeList(at + value.length);
};

/** How deep a leaf stands, by its record. */
export const depthOf = (record: Uint8Array): number =>
  KEY_NIBBLES - 2 * (record[1]! - 1) - ((record[2]! & 0x10) === 0 ? 0 : 1);

export const hasKey = (record: Uint8Array, key: Uint8Array): boolean => {
  const depth = depthOf(record);
  if (depth % 2 === 1 && (record[2]! & 15) !== (key[depth >> 1]! & 15)) return false;
  for (let i = (depth + 1) >> 1, at = 3; i < KEY_BYTES; i++, at++) if (record[at] !== key[i]) return false;
  return true;
};

export const storageNodeOf = (record: Uint8Array): NodeId | null =>
  (record[0]! & HAS_STORAGE) === 0 ? null : readNodeId(record, 2 + record[1]!);

export const leafValue = (record: Uint8Array): Uint8Array => {
  const start = 2 + record[1]! + ((record[0]! & HAS_STORAGE) === 0 ? 0 : PLACE_BYTES);
  if ((record[0]! & IS_PLAIN_ACCOUNT) === 0) return record.subarray(start);
  const shown = record.length - start;
  const value = new Uint8Array(2 + shown + PLAIN_ACCOUNT_END.length);
  value[0] = 0xf8;
  value[1] = value.length - 2;
  for (let i = 0; i < shown; i++) value[2 + i] = record[start + i]!;
  value.set(PLAIN_ACCOUNT_END, 2 + shown);
  return value;
};

/** @param prefix a key that shares the nibbles above the leaf */
export const decodeLeaf = (record: Uint8Array, prefix: Uint8Array): Leaf => {
  const depth = depthOf(record);
  const key = new Uint8Array(KEY_BYTES);
  key.set(record.subarray(3, 2 + record[1]!), (depth + 1) >> 1);
  for (let i = 0; i < depth >> 1; i++) key[i] = prefix[i]!;
  if (depth % 2 === 1) key[depth >> 1] = (prefix[depth >> 1]! & 0xf0) | (record[2]! & 15);
  return { kind: 'leaf', key, value: leafValue(record), storageNode: storageNodeOf(record) };
};
