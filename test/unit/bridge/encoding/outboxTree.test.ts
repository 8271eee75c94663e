import fc from 'fast-check';
import {
  appendLeaf,
  EMPTY_OUTBOX,
  EMPTY_OUTBOX_ROOT,
  OUTBOX_CAPACITY,
  OUTBOX_DEPTH,
  OutboxTreeError,
  outboxProof,
  outboxRoot,
  rootFromProof,
} from '#bridge/encoding/outboxTree.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import type { Hash } from '#consensus/primitives.ts';
import { pegVectors } from '#test/fixtures/pegVectors.ts';

const leavesOf = (count: number): Hash[] =>
  Array.from({ length: count }, (_, index) => keccak256Hex(Uint8Array.of(index >> 8, index & 255)));

test('gives the roots of the vectors', () => {
  expect(EMPTY_OUTBOX_ROOT).toBe(pegVectors.emptyOutboxRoot);
  expect(outboxRoot([])).toBe(EMPTY_OUTBOX_ROOT);
  const hashes = pegVectors.withdrawals.map(({ hash }) => hash);
  for (const [index, { root }] of pegVectors.withdrawals.entries())
    expect(outboxRoot(hashes.slice(0, index + 1))).toBe(root);
});

test('appending one by one gives the root over all', () => {
  const leaves = leavesOf(37);
  let frontier = EMPTY_OUTBOX;
  leaves.forEach((leaf, index) => {
    frontier = appendLeaf(frontier, leaf);
    expect(frontier.count).toBe(BigInt(index + 1));
    expect(frontier.root).toBe(outboxRoot(leaves.slice(0, index + 1)));
  });
});

test('every leaf is proven by the root of every later count', () => {
  const leaves = leavesOf(20);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 19 }), fc.integer({ min: 0, max: 19 }), (a, b) => {
      const index = Math.min(a, b);
      const count = Math.max(a, b) + 1;
      const { leaf, siblings, root } = outboxProof(leaves, index, count);
      expect(siblings).toHaveLength(OUTBOX_DEPTH);
      expect(root).toBe(outboxRoot(leaves.slice(0, count)));
      expect(rootFromProof(leaf, BigInt(index), siblings)).toBe(root);
      expect(rootFromProof(leaf, BigInt(index ^ 1), siblings)).not.toBe(root);
    }),
    { numRuns: 60 },
  );
});

test('refuses an index that the count does not cover, and a full tree', () => {
  const leaves = leavesOf(3);
  for (const [index, count] of [
    [3, 3],
    [2, 2],
    [-1, 3],
    [0, 4],
  ] as const)
    expect(() => outboxProof(leaves, index, count)).toThrow(OutboxTreeError);
  expect(() => appendLeaf({ ...EMPTY_OUTBOX, count: OUTBOX_CAPACITY }, leaves[0]!)).toThrow(OutboxTreeError);
});
