import { EMPTY_DEPOSIT_HASH, foldDeposit, LEAF_TYPEHASH, leafHash } from '#bridge/encoding/leaf.ts';
import { type Address, ZERO_HASH } from '#consensus/primitives.ts';
import { pegVectors } from '#test/fixtures/pegVectors.ts';

const { withdrawals, withdrawalContext } = pegVectors;

test('hashes leaves of both directions, and the largest of each field, as the vectors say', () => {
  expect(LEAF_TYPEHASH).toBe(pegVectors.leafTypehash);
  for (const { leaf, hash } of pegVectors.deposits)
    expect(leafHash(pegVectors.depositContext, leaf)).toBe(hash);
  for (const { leaf, hash } of withdrawals) expect(leafHash(withdrawalContext, leaf)).toBe(hash);
  const { leaf, context, hash } = pegVectors.extremeLeaf;
  expect(leafHash(context, leaf)).toBe(hash);
});

test('folds the deposit chain as the vectors say, from zero', () => {
  let chain = EMPTY_DEPOSIT_HASH;
  expect(chain).toBe(ZERO_HASH);
  for (const { hash, chainHash } of pegVectors.deposits) {
    chain = foldDeposit(chain, hash);
    expect(chain).toBe(chainHash);
  }
});

test('every field of leaf and context changes the hash', () => {
  const { leaf, hash } = withdrawals[0]!;
  const other = `0x${'77'.repeat(20)}` as Address;
  const leaves = [
    { kind: 1 },
    { nonce: 9n },
    { token: other },
    { sender: other },
    { recipient: other },
    { amount: leaf.amount + 1n },
    { fee: 1n },
    { dataHash: pegVectors.leafTypehash },
  ];
  const contexts = [{ srcChainId: 1n }, { dstChainId: 1n }, { srcBridge: other }, { dstBridge: other }];
  const hashes = [
    hash,
    ...leaves.map((change) => leafHash(withdrawalContext, { ...leaf, ...change })),
    ...contexts.map((change) => leafHash({ ...withdrawalContext, ...change }, leaf)),
  ];
  expect(new Set(hashes).size).toBe(hashes.length);
});

test('refuses a field that does not fit its type', () => {
  const { leaf } = withdrawals[0]!;
  for (const change of [
    { kind: 256 },
    { kind: -1 },
    { nonce: 1n << 64n },
    { amount: 1n << 256n },
    { fee: -1n },
  ])
    expect(() => leafHash(withdrawalContext, { ...leaf, ...change })).toThrow(RangeError);
});
