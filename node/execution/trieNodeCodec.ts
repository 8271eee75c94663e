/**
 * A trie node as bytes: Ethereum's RLP, and before it where the nodes are that it refers to.
 *
 * Owns the nodes' types, their RLP (Yellow Paper, appendix D) and the stored form: one byte with the number of places,
 * then 7 bytes a place in the order of the references, then the RLP whose keccak is the node's hash. An account's leaf
 * refers to the root node of its storage.
 */
import { ChainError } from '#node/chain.ts';
import { decodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { type NodeId, packNodeIds, readNodeId } from '#node/storage/schema.ts';

export type Leaf = {
  readonly kind: 'leaf';
  /** Nibbles, one a byte. */
  readonly path: Uint8Array;
  readonly value: Uint8Array;
  /** Of an account with storage: the root node of that. */
  readonly storageNode: NodeId | null;
};
export type Extension = { readonly kind: 'extension'; readonly path: Uint8Array; readonly child: Link };
export type Branch = { readonly kind: 'branch'; readonly children: readonly (Link | null)[] };
export type TrieNode = Leaf | Extension | Branch;
/** A node that is not loaded: its hash, 32 bytes, and where it is. */
export type StoredLink = { readonly kind: 'stored'; readonly hash: Uint8Array; readonly id: NodeId };
/** Either stored, or here: because it is new, or because it is shorter than a hash and stands for itself. */
export type Link = TrieNode | StoredLink;

const NONE = new Uint8Array(0);
const NODE_ID_BYTES = 7;

/** @param node whose children are stored, or stand for themselves */
export const nodeToItem = (node: TrieNode): RlpItem => {
  switch (node.kind) {
    case 'leaf':
      return [packPath(node.path, true), node.value];
    case 'extension':
      return [packPath(node.path, false), linkToItem(node.child)];
    case 'branch':
      return [...node.children.map((child) => (child === null ? NONE : linkToItem(child))), NONE];
  }
};

const linkToItem = (link: Link): RlpItem => (link.kind === 'stored' ? link.hash : nodeToItem(link));

/** Every place that the node refers to: a node shorter than a hash cannot hold one, so children's children have none. */
export const referencesOf = (node: TrieNode): NodeId[] => {
  switch (node.kind) {
    case 'leaf':
      return node.storageNode === null ? [] : [node.storageNode];
    case 'extension':
      return node.child.kind === 'stored' ? [node.child.id] : [];
    case 'branch':
      return node.children.flatMap((child) => (child?.kind === 'stored' ? [child.id] : []));
  }
};

/** @param encoded the RLP of the node */
export const encodeStoredNode = (node: TrieNode, encoded: Uint8Array): Uint8Array => {
  const ids = packNodeIds(referencesOf(node));
  const stored = new Uint8Array(1 + ids.length + encoded.length);
  stored[0] = ids.length / NODE_ID_BYTES;
  stored.set(ids, 1);
  stored.set(encoded, 1 + ids.length);
  return stored;
};

/** The RLP in a stored node, as a proof shows it. */
export const rlpOfStoredNode = (stored: Uint8Array): Uint8Array =>
  stored.subarray(1 + NODE_ID_BYTES * stored[0]!);

/** Bytes of this file only. @throws ChainError STORAGE_FAULT */
export const decodeStoredNode = (stored: Uint8Array): TrieNode => {
  let at = 1;
  const next = (): NodeId => {
    const id = readNodeId(stored, at);
    at += NODE_ID_BYTES;
    return id;
  };
  return itemToNode(decodeRlp(rlpOfStoredNode(stored)), next, stored[0]! > 0);
};

const itemToNode = (item: RlpItem, next: () => NodeId, hasReferences: boolean): TrieNode => {
  if (item instanceof Uint8Array || (item.length !== 2 && item.length !== 17))
    throw new ChainError('STORAGE_FAULT', 'expected a trie node of 2 or 17 items: the database is damaged');
  if (item.length === 17) {
    const children = item.slice(0, 16).map((child) => itemToLink(child, next));
    return { kind: 'branch', children };
  }
  const [packed, second] = item as readonly [Uint8Array, RlpItem];
  const { path, isLeaf } = unpackPath(packed);
  return isLeaf
    ? { kind: 'leaf', path, value: second as Uint8Array, storageNode: hasReferences ? next() : null }
    : { kind: 'extension', path, child: itemToLink(second, next)! };
};

const itemToLink = (item: RlpItem, next: () => NodeId): Link | null => {
  if (!(item instanceof Uint8Array)) return itemToNode(item, next, false);
  return item.length === 0 ? null : { kind: 'stored', hash: item, id: next() };
};

/** Hex-prefix encoding. */
const packPath = (nibbles: Uint8Array, isLeaf: boolean): Uint8Array => {
  const isOdd = nibbles.length % 2 === 1;
  const packed = new Uint8Array((nibbles.length >> 1) + 1);
  packed[0] = (isLeaf ? 0x20 : 0) | (isOdd ? 0x10 | nibbles[0]! : 0);
  for (let i = isOdd ? 1 : 0, at = 1; i < nibbles.length; i += 2, at++)
    packed[at] = (nibbles[i]! << 4) | nibbles[i + 1]!;
  return packed;
};

const unpackPath = (packed: Uint8Array): { readonly path: Uint8Array; readonly isLeaf: boolean } => {
  const first = packed[0]!;
  const skip = (first & 0x10) === 0 ? 2 : 1;
  const path = new Uint8Array(2 * packed.length - skip);
  for (let i = skip; i < 2 * packed.length; i++)
    path[i - skip] = i % 2 === 0 ? packed[i >> 1]! >> 4 : packed[i >> 1]! & 15;
  return { path, isLeaf: (first & 0x20) !== 0 };
};
