/**
 * Many changes of a Merkle Patricia trie in one pass: each node that changes is read, encoded and hashed once.
 *
 * Keys are hashes, so all are 32 bytes long, no key is a prefix of another and a branch has no value of its own
 * (Yellow Paper, appendix D). Synchronous and pure but for reading nodes. Owns no disk and no key hashing; the bytes of
 * a node are trieNodeCodec.ts'. Why not @ethereumjs/mpt: a put at a time re-encodes the path to the root for each key.
 */
import { KECCAK256_RLP } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { encodeRlp } from '#node/consensus/rlp.ts';
import {
  type Branch,
  type Extension,
  encodeStoredNode,
  type Leaf,
  type Link,
  nodeToItem,
  type StoredLink,
  type TrieNode,
} from '#node/execution/trieNodeCodec.ts';
import { loadNode, type NodeSource } from '#node/execution/trieNodes.ts';
import type { NodeId } from '#node/storage/schema.ts';

export type TrieChange = {
  /** keccak of the key, 32 bytes. */
  readonly hashedKey: Uint8Array;
  /** Null: the key goes. */
  readonly value: Uint8Array | null;
  /** Of an account with storage: the root node of that. */
  readonly storageNode?: NodeId | null;
};

/** Where a trie begins. */
export type TrieRoot = {
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** Null: the empty trie. */
  readonly id: NodeId | null;
};
export const EMPTY_TRIE: TrieRoot = { hash: KECCAK256_RLP, id: null };

export type TrieUpdate = {
  readonly root: TrieRoot;
  /** New nodes as they are stored; the root reaches all of them. */
  readonly added: ReadonlyMap<NodeId, Uint8Array>;
  /** Nodes that the old root reaches and the new one does not. */
  readonly replaced: readonly NodeId[];
};

type Entry = Pick<Leaf, 'value' | 'storageNode'> & { readonly nibbles: Uint8Array };
type Change = Omit<Entry, 'value'> & { readonly value: Uint8Array | null };

const KEY_NIBBLES = 64;

/**
 * @param changes in any order, each key once
 * @param nextId the place of the next new node
 * @throws ChainError STORAGE_FAULT when a node is missing
 */
export const updateTrie = (
  nodes: NodeSource,
  root: TrieRoot,
  changes: readonly TrieChange[],
  nextId: () => NodeId,
): TrieUpdate => {
  const pass = new Pass(nodes, nextId);
  const entries = changes
    .map(({ hashedKey, value, storageNode = null }) => ({
      hashedKey,
      nibbles: toNibbles(hashedKey),
      value,
      storageNode,
    }))
    .sort((a, b) => Buffer.compare(a.hashedKey, b.hashedKey));
  const { hash, id } = root;
  return pass.finish(pass.update(id === null ? null : { kind: 'stored', hash, id }, entries, 0));
};

class Pass {
  readonly #nodes: NodeSource;
  readonly #nextId: () => NodeId;
  readonly #added = new Map<NodeId, Uint8Array>();
  readonly #replaced: NodeId[] = [];

  constructor(nodes: NodeSource, nextId: () => NodeId) {
    this.#nodes = nodes;
    this.#nextId = nextId;
  }

  /** @param entries sorted, all alike in their first `depth` nibbles. @returns the link itself if nothing changes */
  update(link: Link | null, entries: readonly Change[], depth: number): Link | null {
    if (entries.length === 0) return link;
    if (link === null) return build(entries, depth);
    const node = link.kind === 'stored' ? loadNode(this.#nodes, link.id) : link;
    const updated = this.#updateNode(node, entries, depth);
    if (updated === node) return link;
    if (link.kind === 'stored') this.#replaced.push(link.id);
    return updated;
  }

  #updateNode(node: TrieNode, entries: readonly Change[], depth: number): Link | null {
    switch (node.kind) {
      case 'leaf':
        return isSameLeaf(node, entries, depth) ? node : build(mergeLeaf(node, entries, depth), depth);
      case 'extension':
        return this.#updateExtension(node, entries, depth);
      case 'branch':
        return this.#updateBranch(node, entries, depth);
    }
  }

  #updateExtension(node: Extension, entries: readonly Change[], depth: number): Link | null {
    const { path, child } = node;
    const shared = Math.min(
      sharedLength(path, entries[0]!.nibbles, depth),
      sharedLength(path, entries.at(-1)!.nibbles, depth),
    );
    if (shared === path.length) {
      const updated = this.update(child, entries, depth + shared);
      return updated === child ? node : this.#join(path, updated);
    }
    const children: (Link | null)[] = new Array(16).fill(null);
    children[path[shared]!] = extend(path.subarray(shared + 1), child);
    const split = this.#updateBranch({ kind: 'branch', children }, entries, depth + shared);
    return this.#join(path.subarray(0, shared), split);
  }

  #updateBranch(node: Branch, entries: readonly Change[], depth: number): Link | null {
    const updated = node.children.slice();
    for (let start = 0; start < entries.length; ) {
      const nibble = entries[start]!.nibbles[depth]!;
      let end = start + 1;
      while (end < entries.length && entries[end]!.nibbles[depth] === nibble) end++;
      updated[nibble] = this.update(updated[nibble]!, entries.slice(start, end), depth + 1);
      start = end;
    }
    const used = updated.flatMap((child, nibble) => (child === null ? [] : [nibble]));
    if (used.length > 1)
      return updated.every((child, nibble) => child === node.children[nibble])
        ? node
        : { kind: 'branch', children: updated };
    const [only] = used;
    return only === undefined ? null : this.#join(Uint8Array.of(only), updated[only]!);
  }

  /** A path in front of what may be a leaf or an extension by now. */
  #join(path: Uint8Array, link: Link | null): Link | null {
    if (link === null || path.length === 0) return link;
    const node = link.kind === 'stored' ? loadNode(this.#nodes, link.id) : link;
    if (node.kind === 'branch') return { kind: 'extension', path, child: link };
    if (link.kind === 'stored') this.#replaced.push(link.id);
    return { ...node, path: join(path, node.path) };
  }

  finish(link: Link | null): TrieUpdate {
    const root = link === null ? EMPTY_TRIE : link.kind === 'stored' ? link : this.#store(link);
    return { root: { hash: root.hash, id: root.id }, added: this.#added, replaced: this.#replaced };
  }

  /** Children first. A root is stored however short it is. */
  #store(node: TrieNode): StoredLink {
    const settled = this.#settle(node);
    return this.#keep(settled, encodeRlp(nodeToItem(settled)));
  }

  #keep(node: TrieNode, encoded: Uint8Array): StoredLink {
    const id = this.#nextId();
    this.#added.set(id, encodeStoredNode(node, encoded));
    return { kind: 'stored', hash: keccak256(encoded), id };
  }

  /** The node with each child stored, or short enough to stand for itself. */
  #settle(node: TrieNode): TrieNode {
    switch (node.kind) {
      case 'leaf':
        return node;
      case 'extension':
        return { ...node, child: this.#settleLink(node.child) };
      case 'branch':
        return {
          kind: 'branch',
          children: node.children.map((child) => (child === null ? null : this.#settleLink(child))),
        };
    }
  }

  #settleLink(link: Link): Link {
    if (link.kind === 'stored') return link;
    const settled = this.#settle(link);
    const encoded = encodeRlp(nodeToItem(settled));
    return encoded.length < 32 ? settled : this.#keep(settled, encoded);
  }
}

/** The trie of these entries alone; those without a value are not in it. */
const build = (changes: readonly Change[], depth: number): TrieNode | null =>
  buildSet(
    changes.filter((change): change is Entry => change.value !== null),
    depth,
  );

const buildSet = (entries: readonly Entry[], depth: number): TrieNode | null => {
  const [first] = entries;
  if (first === undefined) return null;
  if (entries.length === 1) {
    const { nibbles, value, storageNode } = first;
    return { kind: 'leaf', path: nibbles.subarray(depth), value, storageNode };
  }
  const shared = sharedLength(first.nibbles.subarray(depth), entries.at(-1)!.nibbles, depth);
  const at = depth + shared;
  const children: (TrieNode | null)[] = new Array(16).fill(null);
  for (let start = 0; start < entries.length; ) {
    const nibble = entries[start]!.nibbles[at]!;
    let end = start + 1;
    while (end < entries.length && entries[end]!.nibbles[at] === nibble) end++;
    children[nibble] = buildSet(entries.slice(start, end), at + 1);
    start = end;
  }
  const branch: Branch = { kind: 'branch', children };
  return shared === 0
    ? branch
    : { kind: 'extension', path: first.nibbles.subarray(depth, at), child: branch };
};

/** Written again as it is: nothing on its path needs to be. */
const isSameLeaf = (leaf: Leaf, [first, ...others]: readonly Change[], depth: number): boolean =>
  first !== undefined &&
  others.length === 0 &&
  first.value !== null &&
  first.storageNode === leaf.storageNode &&
  Buffer.compare(first.nibbles.subarray(depth), leaf.path) === 0 &&
  Buffer.compare(first.value, leaf.value) === 0;

/** The leaf is one entry more, unless its key is among them. */
const mergeLeaf = (leaf: Leaf, entries: readonly Change[], depth: number): readonly Change[] => {
  const nibbles = join(entries[0]!.nibbles.subarray(0, depth), leaf.path);
  const at = entries.findIndex((entry) => Buffer.compare(entry.nibbles, nibbles) >= 0);
  if (at >= 0 && Buffer.compare(entries[at]!.nibbles, nibbles) === 0) return entries;
  const place = at < 0 ? entries.length : at;
  return [...entries.slice(0, place), { ...leaf, nibbles }, ...entries.slice(place)];
};

const extend = (path: Uint8Array, child: Link): Link =>
  path.length === 0 ? child : { kind: 'extension', path, child };

/** How much of `path` the nibbles have from `depth` on. */
const sharedLength = (path: Uint8Array, nibbles: Uint8Array, depth: number): number => {
  let at = 0;
  while (at < path.length && path[at] === nibbles[depth + at]) at++;
  return at;
};

const join = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
};

const toNibbles = (bytes: Uint8Array): Uint8Array => {
  const nibbles = new Uint8Array(KEY_NIBBLES);
  for (let i = 0; i < bytes.length; i++) {
    nibbles[2 * i] = bytes[i]! >> 4;
    nibbles[2 * i + 1] = bytes[i]! & 15;
  }
  return nibbles;
};
