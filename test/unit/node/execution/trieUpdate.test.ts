import { createMPT } from '@ethereumjs/mpt';
import { KECCAK256_RLP, MapDB, ValueEncoding } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { decodeRlp, type RlpItem } from '#node/consensus/rlp.ts';
import { toKey } from '#node/execution/stateReader.ts';
import { updateTrie } from '#node/execution/trieUpdate.ts';
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

const collect = (item: RlpItem, into: Uint8Array[]): void => {
  if (item instanceof Uint8Array) into.push(item);
  else for (const part of item) collect(part, into);
};

/** Every node that a root reaches, of those that are known. */
const reach = (nodes: ReadonlyMap<string, Uint8Array>, root: Uint8Array): Set<string> => {
  const seen = new Set<string>();
  const open = [root];
  for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
    const key = toKey(hash);
    const node = nodes.get(key);
    if (node === undefined || seen.has(key)) continue;
    seen.add(key);
    const found: Uint8Array[] = [];
    collect(decodeRlp(node), found);
    open.push(...found.filter(({ length }) => length === 32));
  }
  return seen;
};

test(`random histories have the roots of @ethereumjs/mpt (TRIE_SEED=${SEED} TRIE_ROUNDS=${ROUNDS})`, async () => {
  const random = streamOf(SEED, 'trie');
  for (let history = 0; history < ROUNDS; history++) {
    const library = await createMPT({ db: new MapDB(), valueEncoding: ValueEncoding.Bytes });
    const nodes = new Map<string, Uint8Array>();
    let root: Uint8Array = KECCAK256_RLP;
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
      const update = updateTrie({ get: (hash) => nodes.get(hash) }, root, [...changes.values()]);
      const where = `history ${history}, step ${step}`;
      expect([where, toKey(update.root)]).toEqual([where, toKey(library.root())]);
      const reachedBefore = reach(nodes, before);
      for (const [hash, node] of update.added) {
        expect(toKey(keccak256(node))).toBe(hash);
        nodes.set(hash, node);
      }
      const reached = reach(nodes, update.root);
      for (const hash of update.added.keys()) expect([where, reached.has(hash)]).toEqual([where, true]);
      for (const hash of reachedBefore)
        expect([where, hash, update.replaced.has(hash) || reached.has(hash)]).toEqual([where, hash, true]);
      for (const hash of update.replaced)
        expect([where, hash, reachedBefore.has(hash)]).toEqual([where, hash, true]);
      root = update.root;
      keys = [...keys, ...[...changes.values()].map(({ hashedKey }) => hashedKey)].slice(-60);
    }
  }
});

test('no change gives the same root and nothing new', () => {
  const value = Uint8Array.of(1, 2, 3);
  const { root, added } = updateTrie({ get: () => undefined }, KECCAK256_RLP, [
    { hashedKey: keccak256(value), value },
  ]);
  expect(updateTrie({ get: (hash) => added.get(hash) }, root, [])).toEqual({
    root,
    added: new Map(),
    replaced: new Set(),
  });
  const same = updateTrie({ get: (hash) => added.get(hash) }, root, [{ hashedKey: keccak256(value), value }]);
  expect(toKey(same.root)).toBe(toKey(root));
  expect(same.replaced.size).toBe(0);
});

test('the last key leaves the empty root', () => {
  const hashedKey = keccak256(Uint8Array.of(7));
  const { root, added } = updateTrie({ get: () => undefined }, KECCAK256_RLP, [
    { hashedKey, value: Uint8Array.of(1) },
  ]);
  const gone = updateTrie({ get: (hash) => added.get(hash) }, root, [{ hashedKey, value: null }]);
  expect(toKey(gone.root)).toBe(toKey(KECCAK256_RLP));
  expect([...gone.replaced]).toEqual([...added.keys()]);
});

test('a missing node is a fault of the database that names it', () => {
  const root = keccak256(Uint8Array.of(9));
  expect(() =>
    updateTrie({ get: () => undefined }, root, [{ hashedKey: root, value: Uint8Array.of(1) }]),
  ).toThrow(
    expect.objectContaining({ code: 'STORAGE_FAULT', message: expect.stringContaining(toKey(root)) }),
  );
});
