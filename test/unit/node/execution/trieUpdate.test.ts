import { createMPT } from '@ethereumjs/mpt';
import { MapDB, ValueEncoding } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { toKey } from '#node/execution/stateReader.ts';
import { decodeStoredNode, referencesOf } from '#node/execution/trieNodeCodec.ts';
import type { NodeSource } from '#node/execution/trieNodes.ts';
import { EMPTY_TRIE, type TrieRoot, updateTrie } from '#node/execution/trieUpdate.ts';
import type { NodeId } from '#node/storage/schema.ts';
import { streamOf } from '#test/sim/streams.ts';

const SEED = Number(process.env.TRIE_SEED ?? 1);
const ROUNDS = Number(process.env.TRIE_ROUNDS ?? 60);

/** A key whose hash begins like another's, so that paths are shared deeply: hashes are given, not computed. */
const randomKey = (random: () => number, known: readonly Uint8Array[]): Uint8Array => {
  const key = Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256));
  const like = known[Math.floor(random() * known.length)];
  if (like !== undefined && random() < 0.5) key.set(like.subarray(0, Math.floor(random() * 32)));
  if (random() < 0.3) key.fill(0, 0, 31);
  return key;
};

/** Every node that a root reaches; the nodes of an account's storage are not this trie's. */
const reach = (nodes: ReadonlyMap<NodeId, Uint8Array>, { id: root }: TrieRoot): Set<NodeId> => {
  const seen = new Set<NodeId>();
  const open = root === null ? [] : [root];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    expect(seen.has(id)).toBe(false);
    seen.add(id);
    const node = decodeStoredNode(nodes.get(id)!);
    if (node.kind !== 'leaf') open.push(...referencesOf(node));
  }
  return seen;
};

/** Places that are never used twice. */
const counter = (): (() => NodeId) => {
  let next = 0;
  return () => next++;
};

test(`random histories have the roots of @ethereumjs/mpt (TRIE_SEED=${SEED} TRIE_ROUNDS=${ROUNDS})`, async () => {
  const random = streamOf(SEED, 'trie');
  for (let history = 0; history < ROUNDS; history++) {
    const library = await createMPT({ db: new MapDB(), valueEncoding: ValueEncoding.Bytes });
    const nodes = new Map<NodeId, Uint8Array>();
    const nextId = counter();
    let root: TrieRoot = EMPTY_TRIE;
    let keys: Uint8Array[] = [];
    for (let step = 0; step < 8; step++) {
      const changes = new Map<string, { hashedKey: Uint8Array; value: Uint8Array | null }>();
      for (let i = Math.floor(random() * 30); i >= 0; i--) {
        const old = keys[Math.floor(random() * keys.length)];
        const hashedKey = old !== undefined && random() < 0.6 ? old : randomKey(random, keys);
        const size = random() < 0.5 ? 1 + Math.floor(random() * 3) : 20 + Math.floor(random() * 60);
        const value =
          random() < 0.4 ? null : Uint8Array.from({ length: size }, () => 1 + Math.floor(random() * 255));
        changes.set(toKey(hashedKey), { hashedKey, value });
      }
      for (const { hashedKey, value } of changes.values())
        if (value === null) await library.del(hashedKey);
        else await library.put(hashedKey, value);
      const before = root;
      const update = updateTrie(nodes as NodeSource, root, [...changes.values()], nextId);
      const where = `history ${history}, step ${step}`;
      expect([where, toKey(update.root.hash)]).toEqual([where, toKey(library.root())]);
      const reachedBefore = reach(nodes, before);
      for (const [id, node] of update.added) {
        expect(nodes.has(id)).toBe(false);
        nodes.set(id, node);
      }
      const reached = reach(nodes, update.root);
      const expected = new Set([...reachedBefore, ...update.added.keys()]);
      for (const id of update.replaced) {
        expect([where, id, reachedBefore.has(id)]).toEqual([where, id, true]);
        expected.delete(id);
      }
      expect([where, [...expected].sort()]).toEqual([where, [...reached].sort()]);
      for (const id of update.replaced) nodes.delete(id);
      root = update.root;
      keys = [...keys, ...[...changes.values()].map(({ hashedKey }) => hashedKey)].slice(-60);
    }
  }
});

const NO_SOURCE: NodeSource = { get: () => undefined };

test('no change gives the same root and nothing new', () => {
  const value = Uint8Array.of(1, 2, 3);
  const changes = [{ hashedKey: keccak256(value), value }];
  const { root, added } = updateTrie(NO_SOURCE, EMPTY_TRIE, changes, counter());
  const nodes = added as NodeSource;
  const never = (): NodeId => {
    throw new Error('expected no new node');
  };
  const unchanged = { root, added: new Map(), replaced: [] };
  expect(updateTrie(nodes, root, [], never)).toEqual(unchanged);
  expect(updateTrie(nodes, root, changes, never)).toEqual(unchanged);
  expect(
    updateTrie(nodes, root, [{ hashedKey: keccak256(Uint8Array.of(9)), value: null }], counter()).root.hash,
  ).toEqual(root.hash);
});

test('the last key leaves the empty root', () => {
  const hashedKey = keccak256(Uint8Array.of(7));
  const nextId = counter();
  const { root, added } = updateTrie(NO_SOURCE, EMPTY_TRIE, [{ hashedKey, value: Uint8Array.of(1) }], nextId);
  const gone = updateTrie(added as NodeSource, root, [{ hashedKey, value: null }], nextId);
  expect(gone.root).toEqual(EMPTY_TRIE);
  expect(gone.replaced).toEqual([...added.keys()]);
});

test('an account keeps the place of its storage, and a change of that alone writes its leaf', () => {
  const nextId = counter();
  const account = { hashedKey: keccak256(Uint8Array.of(7)), value: Uint8Array.of(1) };
  const first = updateTrie(NO_SOURCE, EMPTY_TRIE, [{ ...account, storageNode: 77 }], nextId);
  expect(decodeStoredNode(first.added.get(first.root.id!)!)).toMatchObject({ kind: 'leaf', storageNode: 77 });
  const nodes = first.added as NodeSource;
  const moved = updateTrie(nodes, first.root, [{ ...account, storageNode: 78 }], nextId);
  expect(moved.replaced).toEqual([first.root.id]);
  expect(decodeStoredNode(moved.added.get(moved.root.id!)!)).toMatchObject({ storageNode: 78 });
});

test('a missing node is a fault of the database that names it', () => {
  const change = { hashedKey: keccak256(Uint8Array.of(9)), value: Uint8Array.of(1) };
  const root: TrieRoot = { hash: change.hashedKey, id: 41 };
  expect(() => updateTrie(NO_SOURCE, root, [change], counter())).toThrow(
    expect.objectContaining({ code: 'STORAGE_FAULT', message: expect.stringContaining('41') }),
  );
});
