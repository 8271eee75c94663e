/**
 * Many changes of a Merkle Patricia trie in one pass: each node that changes is read, encoded and hashed once.
 *
 * Keys are hashes, so all are 32 bytes long, no key is a prefix of another and a branch has no value of its own
 * (Yellow Paper, appendix D). Synchronous and pure but for reading nodes. Owns no disk and no key hashing. Why not
 * @ethereumjs/mpt: a put at a time re-encodes the path to the root for each key.
 */
import { KECCAK256_RLP } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { ChainError } from '#node/chain.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { toKey } from '#node/execution/stateReader.ts';
import type { TrieNodes } from '#node/execution/trieNodes.ts';

export type TrieChange = {
  /** keccak of the key, 32 bytes. */
  readonly hashedKey: Uint8Array;
  /** Null: the key goes. */
  readonly value: Uint8Array | null;
};

export type TrieUpdate = {
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** New nodes, by hash (64 hex digits); the root reaches all of them. */
  readonly added: ReadonlyMap<string, Uint8Array>;
  /** Nodes of the old root that the new one does not reach by the same path. */
  readonly replaced: ReadonlySet<string>;
};

type Leaf = { readonly kind: 'leaf'; readonly path: Uint8Array; readonly value: Uint8Array };
type Extension = { readonly kind: 'extension'; readonly path: Uint8Array; readonly child: Link };
type Branch = { readonly kind: 'branch'; readonly children: readonly (Link | null)[] };
type Node = Leaf | Extension | Branch;
/** A node here, or the 32-byte hash of one that is not loaded. */
type Link = Node | Uint8Array;
type Entry = { readonly nibbles: Uint8Array; readonly value: Uint8Array | null };

const KEY_NIBBLES = 64;
const NONE = new Uint8Array(0);

/** @param changes in any order, each key once. @throws ChainError STORAGE_FAULT when a node is missing */
export const updateTrie = (
  nodes: Pick<TrieNodes, 'get'>,
  root: Uint8Array,
  changes: readonly TrieChange[],
): TrieUpdate => {
  const pass = new Pass(nodes);
  const entries = changes
    .map(({ hashedKey, value }) => ({ hashedKey, nibbles: toNibbles(hashedKey), value }))
    .sort((a, b) => Buffer.compare(a.hashedKey, b.hashedKey));
  const isEmpty = Buffer.compare(root, KECCAK256_RLP) === 0;
  return pass.finish(pass.update(isEmpty ? null : root, entries, 0));
};

class Pass {
  readonly #nodes: Pick<TrieNodes, 'get'>;
  readonly #added = new Map<string, Uint8Array>();
  readonly #replaced = new Set<string>();

  constructor(nodes: Pick<TrieNodes, 'get'>) {
    this.#nodes = nodes;
  }

  /** @param entries sorted, all alike in their first `depth` nibbles */
  update(link: Link | null, entries: readonly Entry[], depth: number): Link | null {
    if (entries.length === 0) return link;
    if (link === null) return build(entries, depth);
    const node = this.#replace(link);
    switch (node.kind) {
      case 'leaf':
        return build(mergeLeaf(node, entries, depth), depth);
      case 'extension':
        return this.#updateExtension(node, entries, depth);
      case 'branch':
        return this.#updateBranch(node, entries, depth);
    }
  }

  #updateExtension({ path, child }: Extension, entries: readonly Entry[], depth: number): Link | null {
    const shared = Math.min(
      sharedLength(path, entries[0]!.nibbles, depth),
      sharedLength(path, entries.at(-1)!.nibbles, depth),
    );
    if (shared === path.length) return this.#join(path, this.update(child, entries, depth + shared));
    const children: (Link | null)[] = new Array(16).fill(null);
    children[path[shared]!] = extend(path.subarray(shared + 1), child);
    const split = this.#updateBranch({ kind: 'branch', children }, entries, depth + shared);
    return this.#join(path.subarray(0, shared), split);
  }

  #updateBranch({ children }: Branch, entries: readonly Entry[], depth: number): Link | null {
    const updated = children.slice();
    for (let start = 0; start < entries.length; ) {
      const nibble = entries[start]!.nibbles[depth]!;
      let end = start + 1;
      while (end < entries.length && entries[end]!.nibbles[depth] === nibble) end++;
      updated[nibble] = this.update(updated[nibble]!, entries.slice(start, end), depth + 1);
      start = end;
    }
    const used = updated.flatMap((child, nibble) => (child === null ? [] : [nibble]));
    if (used.length > 1) return { kind: 'branch', children: updated };
    const [only] = used;
    return only === undefined ? null : this.#join(Uint8Array.of(only), updated[only]!);
  }

  /** A path in front of what may be a leaf or an extension by now. */
  #join(path: Uint8Array, link: Link | null): Link | null {
    if (link === null || path.length === 0) return link;
    const node = link instanceof Uint8Array ? this.#load(link) : link;
    if (node.kind === 'branch') return { kind: 'extension', path, child: link };
    if (link instanceof Uint8Array) this.#replaced.add(toKey(link));
    return { ...node, path: join(path, node.path) };
  }

  #replace(link: Link): Node {
    if (!(link instanceof Uint8Array)) return link;
    this.#replaced.add(toKey(link));
    return this.#load(link);
  }

  #load(hash: Uint8Array): Node {
    const key = toKey(hash);
    const bytes = this.#nodes.get(key);
    if (bytes === undefined)
      throw new ChainError(
        'STORAGE_FAULT',
        `expected trie node 0x${key}, found none: the database is damaged`,
      );
    return itemToNode(decodeRlp(bytes));
  }

  finish(link: Link | null): TrieUpdate {
    const root = link === null ? KECCAK256_RLP : link instanceof Uint8Array ? link : this.#store(link);
    for (const key of this.#added.keys()) this.#replaced.delete(key);
    return { root, added: this.#added, replaced: this.#replaced };
  }

  #store(node: Node): Uint8Array {
    return this.#keep(encodeRlp(this.#toItem(node)));
  }

  #keep(encoded: Uint8Array): Uint8Array {
    const hash = keccak256(encoded);
    this.#added.set(toKey(hash), encoded);
    return hash;
  }

  #toItem(node: Node): RlpItem {
    switch (node.kind) {
      case 'leaf':
        return [packPath(node.path, true), node.value];
      case 'extension':
        return [packPath(node.path, false), this.#reference(node.child)];
      case 'branch':
        return [...node.children.map((child) => (child === null ? NONE : this.#reference(child))), NONE];
    }
  }

  /** A node shorter than a hash stands for itself. */
  #reference(link: Link): RlpItem {
    if (link instanceof Uint8Array) return link;
    const item = this.#toItem(link);
    const encoded = encodeRlp(item);
    return encoded.length < 32 ? item : this.#keep(encoded);
  }
}

/** The trie of these entries alone; those without a value are not in it. */
const build = (entries: readonly Entry[], depth: number): Node | null =>
  buildSet(
    entries.filter(({ value }) => value !== null),
    depth,
  );

const buildSet = (entries: readonly Entry[], depth: number): Node | null => {
  const [first] = entries;
  if (first === undefined) return null;
  if (entries.length === 1) return { kind: 'leaf', path: first.nibbles.subarray(depth), value: first.value! };
  const shared = sharedLength(first.nibbles.subarray(depth), entries.at(-1)!.nibbles, depth);
  const at = depth + shared;
  const children: (Node | null)[] = new Array(16).fill(null);
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

/** The leaf is one entry more, unless its key is among them. */
const mergeLeaf = ({ path, value }: Leaf, entries: readonly Entry[], depth: number): readonly Entry[] => {
  const nibbles = join(entries[0]!.nibbles.subarray(0, depth), path);
  const at = entries.findIndex((entry) => Buffer.compare(entry.nibbles, nibbles) >= 0);
  if (at >= 0 && Buffer.compare(entries[at]!.nibbles, nibbles) === 0) return entries;
  const place = at < 0 ? entries.length : at;
  return [...entries.slice(0, place), { nibbles, value }, ...entries.slice(place)];
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

/** Of what this file or the trie library encoded; anything else is a damaged database. */
const itemToNode = (item: RlpItem): Node => {
  if (item instanceof Uint8Array || (item.length !== 2 && item.length !== 17))
    throw new ChainError('STORAGE_FAULT', 'expected a trie node of 2 or 17 items: the database is damaged');
  if (item.length === 17) return { kind: 'branch', children: item.slice(0, 16).map(itemToLink) };
  const [packed, second] = item as readonly [Uint8Array, RlpItem];
  const { path, isLeaf } = unpackPath(packed);
  return isLeaf
    ? { kind: 'leaf', path, value: second as Uint8Array }
    : { kind: 'extension', path, child: itemToLink(second)! };
};

const itemToLink = (item: RlpItem): Link | null => {
  if (!(item instanceof Uint8Array)) return itemToNode(item);
  return item.length === 0 ? null : item;
};
