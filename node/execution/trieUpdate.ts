/**
 * Many changes of a Merkle Patricia trie in one pass: each node that changes is read, encoded and hashed once.
 *
 * Keys are hashes, so all are 32 bytes long, no key is a prefix of another and a branch has no value of its own
 * (Yellow Paper, appendix D). Synchronous and pure but for reading nodes. Owns no disk and no key hashing; the bytes of
 * a node are trieNodeCodec.ts'. Why not @ethereumjs/mpt: a put at a time re-encodes the path to the root for each key.
 */
import { KECCAK256_RLP } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { childAt, childrenOf, countBits } from '#node/execution/trieBranch.ts';
import { KEY_NIBBLES, nibbleAt } from '#node/execution/trieBytes.ts';
import type { Branch, Extension, Leaf, Link, StoredLink, TrieNode } from '#node/execution/trieNode.ts';
import { encodeNode } from '#node/execution/trieNodeCodec.ts';
import { loadNode, type NewNodes, type NodeSource } from '#node/execution/trieNodes.ts';
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

/**
 * @param changes in any order, each key once
 * @param to takes the new nodes, which the new root reaches, and names those that only the old one reaches
 * @throws ChainError STORAGE_FAULT when a node is missing
 */
export const updateTrie = (
  nodes: NodeSource,
  root: TrieRoot,
  changes: readonly TrieChange[],
  to: NewNodes,
): TrieRoot => {
  const entries = sortByKey(changes);
  const { hash, id } = root;
  const link: Link | null = id === null ? null : { kind: 'stored', hash, id };
  return new Pass(nodes, to).finish(link, entries);
};

/** A change in its place; a leaf's form, so that it becomes one as it is. */
type Entry = Leaf | (Omit<Leaf, 'value'> & { readonly value: null });

/** The first 48 bits decide nearly always, and a number compares faster than bytes. */
const sortByKey = (changes: readonly TrieChange[]): Entry[] =>
  changes
    .map(({ hashedKey: key, value, storageNode = null }) => ({
      first:
        (key[0]! * 2 ** 16 + key[1]! * 2 ** 8 + key[2]!) * 2 ** 24 +
        key[3]! * 2 ** 16 +
        key[4]! * 2 ** 8 +
        key[5]!,
      entry: { kind: 'leaf', key, value, storageNode } as Entry,
    }))
    .sort((a, b) => a.first - b.first || Buffer.compare(a.entry.key, b.entry.key))
    .map(({ entry }) => entry);

class Pass {
  readonly #nodes: NodeSource;
  readonly #to: NewNodes;

  constructor(nodes: NodeSource, to: NewNodes) {
    this.#nodes = nodes;
    this.#to = to;
  }

  finish(link: Link | null, entries: readonly Entry[]): TrieRoot {
    const updated = this.#update(link, entries, 0);
    if (updated === null) return EMPTY_TRIE;
    const { hash, id } = updated.kind === 'stored' ? updated : this.#store(this.#settle(updated, 0), 0);
    return { hash, id };
  }

  /** @param entries sorted, all alike in their first `depth` nibbles. @returns the link itself if nothing changes */
  #update(link: Link | null, entries: readonly Entry[], depth: number): Link | null {
    if (entries.length === 0) return link;
    if (link === null) return build(entries, depth);
    const node = link.kind === 'stored' ? loadNode(this.#nodes, link.id, entries[0]!.key) : link;
    const updated = this.#updateNode(node, entries, depth);
    if (updated === node) return link;
    if (link.kind === 'stored') this.#to.replaced.push(link.id);
    return updated;
  }

  #updateNode(node: TrieNode, entries: readonly Entry[], depth: number): Link | null {
    switch (node.kind) {
      case 'leaf':
        return isSameLeaf(node, entries) ? node : build(mergeLeaf(node, entries), depth);
      case 'extension':
        return this.#updateExtension(node, entries, depth);
      case 'branch':
        return this.#updateBranch(node, entries, depth);
    }
  }

  #updateExtension(node: Extension, entries: readonly Entry[], depth: number): Link | null {
    const { path, child } = node;
    const shared = Math.min(
      sharedLength(path, entries[0]!.key, depth),
      sharedLength(path, entries.at(-1)!.key, depth),
    );
    if (shared === path.length) {
      const updated = this.#update(child, entries, depth + shared);
      return updated === child ? node : this.#join(path, updated, entries[0]!.key, depth);
    }
    const changed = noChildren();
    changed[path[shared]!] = extend(path.subarray(shared + 1), child);
    const fork: Branch = { kind: 'branch', base: null, changed };
    const split = this.#updateBranch(fork, entries, depth + shared);
    if (split === fork) return node;
    return this.#join(path.subarray(0, shared), split, entries[0]!.key, depth);
  }

  #updateBranch(node: Branch, entries: readonly Entry[], depth: number): Link | null {
    let changed: (Link | null | undefined)[] | null = null;
    for (let start = 0; start < entries.length; ) {
      const nibble = nibbleAt(entries[start]!.key, depth);
      const end = endOfGroup(entries, start, depth);
      const child = childAt(node, nibble);
      const updated = this.#update(
        child,
        start === 0 && end === entries.length ? entries : entries.slice(start, end),
        depth + 1,
      );
      if (updated !== child) {
        changed ??= node.changed.slice();
        changed[nibble] = updated;
      }
      start = end;
    }
    if (changed === null) return node;
    const branch: Branch = { kind: 'branch', base: node.base, changed };
    const left = childrenOf(branch);
    if (countBits(left) > 1) return branch;
    if (left === 0) return null;
    const only = 31 - Math.clz32(left);
    return this.#join(Uint8Array.of(only), childAt(branch, only), entries[0]!.key, depth);
  }

  /**
   * A path in front of what may be a leaf or an extension by now.
   * @param key shares the nibbles above the path
   */
  #join(path: Uint8Array, link: Link | null, key: Uint8Array, depth: number): Link | null {
    if (link === null || path.length === 0) return link;
    const node = link.kind === 'stored' ? loadNode(this.#nodes, link.id, withPath(key, depth, path)) : link;
    if (node.kind === 'branch') return { kind: 'extension', path, child: link };
    if (link.kind === 'stored') this.#to.replaced.push(link.id);
    return node.kind === 'leaf' ? node : { ...node, path: join(path, node.path) };
  }

  #store(node: TrieNode, depth: number): StoredLink {
    const { rlp, record } = encodeNode(node, depth);
    return { kind: 'stored', hash: keccak256(rlp), id: this.#to.add(record) };
  }

  /** The node with each child stored, children first, or short enough to stand for itself. */
  #settle(node: TrieNode, depth: number): TrieNode {
    switch (node.kind) {
      case 'leaf':
        return node;
      case 'extension':
        return { ...node, child: this.#settleLink(node.child, depth + node.path.length) };
      case 'branch':
        return {
          ...node,
          changed: node.changed.map((link) => (link ? this.#settleLink(link, depth + 1) : link)),
        };
    }
  }

  #settleLink(link: Link, depth: number): Link {
    if (link.kind === 'stored') return link;
    const settled = this.#settle(link, depth);
    const { rlp, record } = encodeNode(settled, depth);
    return rlp.length < 32 ? settled : { kind: 'stored', hash: keccak256(rlp), id: this.#to.add(record) };
  }
}

const noChildren = (): (Link | null | undefined)[] => new Array(16).fill(undefined);

/** The first entry from `start` on with another nibble there. */
const endOfGroup = (entries: readonly Entry[], start: number, depth: number): number => {
  const nibble = nibbleAt(entries[start]!.key, depth);
  let end = start + 1;
  while (end < entries.length && nibbleAt(entries[end]!.key, depth) === nibble) end++;
  return end;
};

/** The trie of these entries alone; those without a value are not in it. */
const build = (entries: readonly Entry[], depth: number): TrieNode | null => {
  if (entries.length === 1 && entries[0]!.value !== null) return entries[0]!;
  return buildSet(
    entries.filter((entry): entry is Leaf => entry.value !== null),
    depth,
  );
};

const buildSet = (leaves: readonly Leaf[], depth: number): TrieNode | null => {
  const [first] = leaves;
  if (first === undefined) return null;
  if (leaves.length === 1) return first;
  const last = leaves.at(-1)!.key;
  let at = depth;
  while (nibbleAt(first.key, at) === nibbleAt(last, at)) at++;
  const changed = noChildren();
  for (let start = 0; start < leaves.length; ) {
    const end = endOfGroup(leaves, start, at);
    changed[nibbleAt(leaves[start]!.key, at)] = buildSet(leaves.slice(start, end), at + 1);
    start = end;
  }
  const branch: Branch = { kind: 'branch', base: null, changed };
  return at === depth ? branch : { kind: 'extension', path: nibblesOf(first.key, depth, at), child: branch };
};

/** Written again as it is: nothing on its path needs to be. */
const isSameLeaf = (leaf: Leaf, [first, ...others]: readonly Entry[]): boolean =>
  first !== undefined &&
  others.length === 0 &&
  first.value !== null &&
  first.storageNode === leaf.storageNode &&
  Buffer.compare(first.key, leaf.key) === 0 &&
  Buffer.compare(first.value, leaf.value) === 0;

/** The leaf is one entry more, unless its key is among them. */
const mergeLeaf = (leaf: Leaf, entries: readonly Entry[]): readonly Entry[] => {
  const at = entries.findIndex(({ key }) => Buffer.compare(key, leaf.key) >= 0);
  if (at >= 0 && Buffer.compare(entries[at]!.key, leaf.key) === 0) return entries;
  const place = at < 0 ? entries.length : at;
  return [...entries.slice(0, place), leaf, ...entries.slice(place)];
};

const extend = (path: Uint8Array, child: Link): Link =>
  path.length === 0 ? child : { kind: 'extension', path, child };

/** How much of `path` the key has from `depth` on. */
const sharedLength = (path: Uint8Array, key: Uint8Array, depth: number): number => {
  let at = 0;
  while (at < path.length && path[at] === nibbleAt(key, depth + at)) at++;
  return at;
};

const nibblesOf = (key: Uint8Array, from: number, to: number): Uint8Array => {
  const nibbles = new Uint8Array(to - from);
  for (let depth = from; depth < to; depth++) nibbles[depth - from] = nibbleAt(key, depth);
  return nibbles;
};

const join = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
};

/** A key like this one above `depth`, and with this path from there on. */
const withPath = (key: Uint8Array, depth: number, path: Uint8Array): Uint8Array => {
  const other = key.slice();
  for (const [index, nibble] of path.entries()) {
    const at = depth + index;
    if (at >= KEY_NIBBLES) break;
    other[at >> 1] =
      at % 2 === 0 ? (nibble << 4) | (other[at >> 1]! & 15) : (other[at >> 1]! & 0xf0) | nibble;
  }
  return other;
};
