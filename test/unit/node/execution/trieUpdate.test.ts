import { createMPT } from '@ethereumjs/mpt';
import { KECCAK256_NULL, KECCAK256_RLP, MapDB, ValueEncoding } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { toKey } from '#node/execution/stateReader.ts';
import { decodeStoredNode, referencesOf, rlpOfStoredNode } from '#node/execution/trieNodeCodec.ts';
import { NewNodes, type NodeSource } from '#node/execution/trieNodes.ts';
import { EMPTY_TRIE, type TrieRoot, updateTrie } from '#node/execution/trieUpdate.ts';
import { encodeAccount } from '#node/storage/codec.ts';
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
    const record = nodes.get(id)!;
    if (decodeStoredNode(record).kind !== 'leaf') open.push(...referencesOf(record));
  }
  return seen;
};

test(`random histories have the roots of @ethereumjs/mpt (TRIE_SEED=${SEED} TRIE_ROUNDS=${ROUNDS})`, async () => {
  const random = streamOf(SEED, 'trie');
  for (let history = 0; history < ROUNDS; history++) {
    const library = await createMPT({ db: new MapDB(), valueEncoding: ValueEncoding.Bytes });
    const nodes = new Map<NodeId, Uint8Array>();
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
      const added = new NewNodes(BigInt(step));
      root = updateTrie(nodes as NodeSource, root, [...changes.values()], added);
      const where = `history ${history}, step ${step}`;
      expect([where, toKey(root.hash)]).toEqual([where, toKey(library.root())]);
      const reachedBefore = reach(nodes, before);
      for (const [id, record] of added.entries()) {
        expect(nodes.has(id)).toBe(false);
        nodes.set(id, record);
      }
      const reached = reach(nodes, root);
      const expected = new Set([...reachedBefore, ...[...added.entries()].map(([id]) => id)]);
      for (const id of added.replaced) {
        expect([where, id, reachedBefore.has(id)]).toEqual([where, id, true]);
        expected.delete(id);
      }
      expect([where, [...expected].sort()]).toEqual([where, [...reached].sort()]);
      for (const id of added.replaced) nodes.delete(id);
      keys = [...keys, ...[...changes.values()].map(({ hashedKey }) => hashedKey)].slice(-60);
    }
  }
});

const NO_SOURCE: NodeSource = { get: () => undefined };

test('no change gives the same root and nothing new', () => {
  const value = Uint8Array.of(1, 2, 3);
  const changes = [{ hashedKey: keccak256(value), value }];
  const nodes = new NewNodes(0n);
  const root = updateTrie(NO_SOURCE, EMPTY_TRIE, changes, nodes);
  const unchanged = new NewNodes(1n);
  expect(updateTrie(nodes, root, [], unchanged)).toEqual(root);
  expect(updateTrie(nodes, root, changes, unchanged)).toEqual(root);
  const absent = [{ hashedKey: keccak256(Uint8Array.of(9)), value: null }];
  expect(updateTrie(nodes, root, absent, new NewNodes(2n)).hash).toEqual(root.hash);
  expect(unchanged).toMatchObject({ records: [], replaced: [] });
});

test('the last key leaves the empty root', () => {
  const hashedKey = keccak256(Uint8Array.of(7));
  const nodes = new NewNodes(0n);
  const root = updateTrie(NO_SOURCE, EMPTY_TRIE, [{ hashedKey, value: Uint8Array.of(1) }], nodes);
  const after = new NewNodes(1n);
  expect(updateTrie(nodes, root, [{ hashedKey, value: null }], after)).toEqual(EMPTY_TRIE);
  expect(after.replaced).toEqual([root.id]);
});

test('an account keeps the place of its storage, and a change of that alone writes its leaf', () => {
  const account = { hashedKey: keccak256(Uint8Array.of(7)), value: Uint8Array.of(1) };
  const nodes = new NewNodes(0n);
  const first = updateTrie(NO_SOURCE, EMPTY_TRIE, [{ ...account, storageNode: 77 }], nodes);
  const leaf = { kind: 'leaf', key: account.hashedKey, value: account.value };
  expect(decodeStoredNode(nodes.get(first.id!)!)).toEqual({ ...leaf, storageNode: 77 });
  const after = new NewNodes(1n);
  const moved = updateTrie(nodes, first, [{ ...account, storageNode: 78 }], after);
  expect(after.replaced).toEqual([first.id]);
  expect(decodeStoredNode(after.get(moved.id!)!)).toEqual({ ...leaf, storageNode: 78 });
});

test('a missing node is a fault of the database that names it', () => {
  const change = { hashedKey: keccak256(Uint8Array.of(9)), value: Uint8Array.of(1) };
  const root: TrieRoot = { hash: change.hashedKey, id: 41 };
  expect(() => updateTrie(NO_SOURCE, root, [change], new NewNodes(0n))).toThrow(
    expect.objectContaining({ code: 'STORAGE_FAULT', message: expect.stringContaining('41') }),
  );
});

test('what is left out of a leaf without code and storage comes back, and only what is like it is left out', () => {
  const end = [0xa0, ...KECCAK256_RLP, 0xa0, ...KECCAK256_NULL];
  const account = encodeAccount({
    nonce: 7n,
    balance: 10n ** 18n,
    storageRoot: KECCAK256_RLP,
    codeHash: KECCAK256_NULL,
  });
  const values = [
    account,
    Uint8Array.from(end),
    Uint8Array.of(0xf8, 0x42, ...end),
    Uint8Array.of(0xf8, 0x41, ...end),
    Uint8Array.of(0xf7, 0x42, ...end),
    encodeAccount({ nonce: 1n, balance: 0n, storageRoot: KECCAK256_NULL, codeHash: KECCAK256_NULL }),
    encodeAccount({ nonce: 1n, balance: 0n, storageRoot: KECCAK256_RLP, codeHash: KECCAK256_RLP }),
  ];
  for (const [index, value] of values.entries()) {
    const hashedKey = keccak256(Uint8Array.of(index));
    const nodes = new NewNodes(0n);
    const root = updateTrie(NO_SOURCE, EMPTY_TRIE, [{ hashedKey, value }], nodes);
    const record = nodes.get(root.id!)!;
    expect(decodeStoredNode(record)).toEqual({ kind: 'leaf', key: hashedKey, value, storageNode: null });
    expect(keccak256(rlpOfStoredNode(record))).toEqual(root.hash);
    expect(record.length < value.length).toBe(index === 0 || index === 2);
  }
});
