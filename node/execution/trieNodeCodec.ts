/**
 * A trie node as bytes: the RLP whose keccak is its hash (Yellow Paper, appendix D), and its record in the database.
 *
 * A record is what the RLP says, without what follows from the rest, and where the node's children are:
 *
 *     branch      1 ‖ bitmap of the children (2) ‖ for each child its hash (32) and place (7)
 *     extension   2 ‖ hash (32) and place (7) of the child ‖ path
 *     leaf        3 ‖ …: trieLeaf.ts
 *     mixed       4 ‖ number of places (1) ‖ these (7 each) ‖ RLP: a branch or an extension with a child that is
 *                 shorter than a hash and stands for itself
 */
import { concatBytes } from '#consensus/primitives.ts';
import { ChainError } from '#node/chain.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import {
  BRANCH,
  branchToRlp,
  CHILD_BYTES,
  childAt,
  childIdAt,
  decodeBranch,
  encodeBranch,
  HASH_BYTES,
  PLACE_BYTES,
  readChild,
  writeChild,
} from '#node/execution/trieBranch.ts';
import {
  KEY_BYTES,
  KEY_NIBBLES,
  nibbleAt,
  packedLength,
  packKey,
  packNibbles,
  unpackPath,
} from '#node/execution/trieBytes.ts';
import {
  decodeLeaf,
  depthOf,
  encodeLeaf,
  hasKey,
  LEAF,
  leafToRlp,
  leafValue,
  storageNodeOf,
} from '#node/execution/trieLeaf.ts';
import type { Branch, Extension, Link, TrieNode } from '#node/execution/trieNode.ts';
import { type NodeId, packNodeIds, readNodeId } from '#node/storage/schema.ts';

const EXTENSION = 2;
const MIXED = 4;
const KIND_BITS = 0x0f;
const NONE = new Uint8Array(0);
const NO_KEY = new Uint8Array(KEY_BYTES);

/** A node as it is stored, and its RLP. @param rlp may be a view that the next call overwrites */
export type EncodedNode = { readonly rlp: Uint8Array; readonly record: Uint8Array };

/**
 * @param node whose children are stored, or shorter than a hash
 * @param depth nibbles above it
 */
export const encodeNode = (node: TrieNode, depth: number): EncodedNode => {
  if (node.kind === 'leaf') return { rlp: leafToRlp(node, depth), record: encodeLeaf(node, depth) };
  if (node.kind === 'branch') {
    if (node.changed.some((link) => link !== null && link !== undefined && link.kind !== 'stored'))
      return encodeMixed(node, depth);
    const record = encodeBranch(node);
    return { rlp: branchToRlp(record), record };
  }
  if (node.child.kind !== 'stored') return encodeMixed(node, depth);
  const path = packNibbles(node.path, false);
  const record = new Uint8Array(1 + CHILD_BYTES + path.length);
  record[0] = EXTENSION;
  writeChild(record, 1, node.child);
  record.set(path, 1 + CHILD_BYTES);
  return { rlp: encodeRlp([path, node.child.hash]), record };
};

const encodeMixed = (node: Branch | Extension, depth: number): EncodedNode => {
  const rlp = encodeRlp(nodeToItem(node, depth));
  const places = packNodeIds(linksOf(node).flatMap((link) => (link.kind === 'stored' ? [link.id] : [])));
  return {
    rlp,
    record: concatBytes(Uint8Array.of(MIXED, places.length / PLACE_BYTES), places, rlp),
  };
};

const nodeToItem = (node: TrieNode, depth: number): RlpItem => {
  switch (node.kind) {
    case 'leaf': {
      const path = new Uint8Array(packedLength(KEY_NIBBLES - depth));
      packKey(path, 0, node.key, depth);
      return [path, node.value];
    }
    case 'extension':
      return [packNibbles(node.path, false), linkToItem(node.child, depth + node.path.length)];
    case 'branch':
      return [
        ...Array.from({ length: 16 }, (_, nibble) => {
          const link = childAt(node, nibble);
          return link === null ? NONE : linkToItem(link, depth + 1);
        }),
        NONE,
      ];
  }
};

const linkToItem = (link: Link, depth: number): RlpItem =>
  link.kind === 'stored' ? link.hash : nodeToItem(link, depth);

/** The RLP of a stored node, as a proof shows it: 32 bytes or more, but for a root. */
export const rlpOfStoredNode = (record: Uint8Array): Uint8Array => {
  switch (record[0]! & KIND_BITS) {
    case BRANCH:
      return branchToRlp(record).slice();
    case EXTENSION:
      return encodeRlp([record.subarray(1 + CHILD_BYTES), record.subarray(1, 1 + HASH_BYTES)]);
    case LEAF:
      return leafToRlp(decodeLeaf(record, NO_KEY), depthOf(record)).slice();
    default:
      return record.subarray(2 + PLACE_BYTES * record[1]!);
  }
};

/**
 * @param record of this file only
 * @param prefix a key that shares the nibbles above the node; without it, leaves' keys are zero there
 * @throws ChainError STORAGE_FAULT
 */
export const decodeStoredNode = (record: Uint8Array, prefix: Uint8Array = NO_KEY): TrieNode => {
  switch (record[0]! & KIND_BITS) {
    case BRANCH:
      return decodeBranch(record);
    case EXTENSION:
      return {
        kind: 'extension',
        path: unpackPath(record.subarray(1 + CHILD_BYTES)).path,
        child: readChild(record, 1),
      };
    case LEAF:
      return decodeLeaf(record, prefix);
    case MIXED:
      return decodeMixed(record, prefix);
    default:
      throw new ChainError(
        'STORAGE_FAULT',
        `expected a trie node of kind 1 to 4, found ${record[0]}: the database is damaged`,
      );
  }
};

const decodeMixed = (record: Uint8Array, prefix: Uint8Array): TrieNode => {
  let at = 2;
  const next = (): NodeId => {
    const id = readNodeId(record, at);
    at += PLACE_BYTES;
    return id;
  };
  return itemToNode(decodeRlp(rlpOfStoredNode(record)), next, prefix, null);
};

/** @param above the nibbles above it below the decoded record, null at its top: there is no leaf there */
const itemToNode = (
  item: RlpItem,
  next: () => NodeId,
  prefix: Uint8Array,
  above: readonly number[] | null,
): TrieNode => {
  if (item instanceof Uint8Array || (item.length !== 2 && item.length !== 17))
    throw new ChainError('STORAGE_FAULT', 'expected a trie node of 2 or 17 items: the database is damaged');
  const nibbles = above ?? [];
  if (item.length === 17)
    return {
      kind: 'branch',
      base: null,
      changed: item
        .slice(0, 16)
        .map((child, nibble) => itemToLink(child, next, prefix, [...nibbles, nibble])),
    };
  const [packed, second] = item as readonly [Uint8Array, RlpItem];
  const { path, isLeaf } = unpackPath(packed);
  return isLeaf
    ? { kind: 'leaf', key: keyOf(prefix, nibbles, path), value: second as Uint8Array, storageNode: null }
    : { kind: 'extension', path, child: itemToLink(second, next, prefix, [...nibbles, ...path])! };
};

const itemToLink = (
  item: RlpItem,
  next: () => NodeId,
  prefix: Uint8Array,
  above: readonly number[],
): Link | null => {
  if (!(item instanceof Uint8Array)) return itemToNode(item, next, prefix, above);
  return item.length === 0 ? null : { kind: 'stored', hash: item, id: next() };
};

/** Of a leaf within a record: what is above the record, within it, and the leaf's own path. */
const keyOf = (prefix: Uint8Array, above: readonly number[], path: Uint8Array): Uint8Array => {
  const below = [...above, ...path];
  const start = KEY_NIBBLES - below.length;
  const nibbles = [...Array.from({ length: start }, (_, depth) => nibbleAt(prefix, depth)), ...below];
  return Uint8Array.from({ length: KEY_BYTES }, (_, i) => (nibbles[2 * i]! << 4) | nibbles[2 * i + 1]!);
};

/** Children that there are, in the order of their nibbles. */
export const linksOf = (node: TrieNode): Link[] => {
  if (node.kind === 'leaf') return [];
  if (node.kind === 'extension') return [node.child];
  return Array.from({ length: 16 }, (_, nibble) => childAt(node, nibble)).filter((link) => link !== null);
};

/** Every place that a record refers to: a node shorter than a hash cannot hold one, so children's children have none. */
export const referencesOf = (record: Uint8Array): NodeId[] => {
  const node = decodeStoredNode(record);
  if (node.kind === 'leaf') return node.storageNode === null ? [] : [node.storageNode];
  return linksOf(node).flatMap((link) => (link.kind === 'stored' ? [link.id] : []));
};

// ── looking up ──

/** What a record leads a key to: a leaf's value and storage, another record, or nothing. */
export type Step =
  | { readonly kind: 'leaf'; readonly value: Uint8Array; readonly storageNode: NodeId | null }
  | { readonly kind: 'node'; readonly id: NodeId; readonly depth: number };

/** @param depth nibbles above the record. @returns null: no such key */
export const stepTo = (record: Uint8Array, key: Uint8Array, depth: number): Step | null => {
  const kind = record[0]! & KIND_BITS;
  if (kind === BRANCH) {
    const id = childIdAt(record, nibbleAt(key, depth));
    return id === null ? null : { kind: 'node', id, depth: depth + 1 };
  }
  if (kind === LEAF)
    return hasKey(record, key)
      ? { kind: 'leaf', value: leafValue(record), storageNode: storageNodeOf(record) }
      : null;
  return stepThrough(decodeStoredNode(record, key), key, depth);
};

const stepThrough = (node: Link, key: Uint8Array, depth: number): Step | null => {
  switch (node.kind) {
    case 'stored':
      return { kind: 'node', id: node.id, depth };
    case 'leaf':
      return Buffer.compare(node.key, key) === 0
        ? { kind: 'leaf', value: node.value, storageNode: node.storageNode }
        : null;
    case 'branch': {
      const child = childAt(node, nibbleAt(key, depth));
      return child === null ? null : stepThrough(child, key, depth + 1);
    }
    case 'extension': {
      const { path, child } = node;
      const isOnPath = path.every((nibble, index) => nibble === nibbleAt(key, depth + index));
      return isOnPath ? stepThrough(child, key, depth + path.length) : null;
    }
  }
};
