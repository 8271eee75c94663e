import { readFileSync } from 'node:fs';
import { arrayElementSlot, uintToWord } from '#bridge/encoding/storageWords.ts';
import { type Address, bytesToAddress, type Hash, toBigEndian, ZERO_HASH } from '#consensus/primitives.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import {
  MAX_VALIDATORS,
  readJailed,
  readKnownValidators,
  readValidatorSet,
  VALIDATOR_SET_SLOTS,
  validatorListEntries,
  validatorSetGenesisStorage,
} from '#genesis/validatorSetSlots.ts';

const address = (n: number): Address => bytesToAddress(toBigEndian(BigInt(n), 20));
const validators = [1, 2, 3].map((n) => ({ address: address(n), power: BigInt(n * 10) }));
const EPOCH_LENGTH = 100n;
const reader = (entries: readonly (readonly [Hash, Hash])[]) => {
  const words = new Map(entries);
  return async (slot: Hash) => words.get(slot) ?? ZERO_HASH;
};

test('the genesis storage reads back as the set that it was made of', async () => {
  const read = reader(validatorSetGenesisStorage(validators, EPOCH_LENGTH));
  const expected = createValidatorSet(validators);
  expect(await readValidatorSet(read, 'active')).toEqual(expected);
  expect(await readValidatorSet(read, 'pending')).toEqual(expected);
  expect(await readJailed(read)).toEqual([]);
  expect([...(await readKnownValidators(read))]).toEqual(validators.map(({ address }) => address));
});

test('those who vote, will vote or were let in are known, each once; a malformed list adds nobody', async () => {
  const read = reader([
    ...validatorSetGenesisStorage(validators, EPOCH_LENGTH),
    ...validatorListEntries('approved', [{ address: address(9), power: 1n }]),
  ]);
  expect([...(await readKnownValidators(read))]).toEqual([1, 2, 3, 9].map(address));
  const damaged = reader([
    ...validatorSetGenesisStorage(validators, EPOCH_LENGTH),
    [uintToWord(VALIDATOR_SET_SLOTS.approved), uintToWord(2n ** 255n)],
  ]);
  expect([...(await readKnownValidators(damaged))]).toEqual([1, 2, 3].map(address));
});

test('the jailed come in the order of the reports; a malformed queue is nobody', async () => {
  const queue = [3, 1].map((n) => ({ address: address(n), power: 0n }));
  expect(await readJailed(reader(validatorListEntries('jailed', queue)))).toEqual([3, 1].map(address));
  const damaged = [
    ...validatorListEntries('jailed', queue),
    [uintToWord(VALIDATOR_SET_SLOTS.jailed), uintToWord(257n)] as const,
  ];
  expect(await readJailed(reader(damaged))).toEqual([]);
});

test('a shorter list clears the words that a longer one left', async () => {
  const before = validatorListEntries('active', validators);
  const after = validatorListEntries('active', validators.slice(0, 1), validators.length);
  const read = reader([...before, ...after]);
  expect(await readValidatorSet(read, 'active')).toEqual(createValidatorSet(validators.slice(0, 1)));
  expect(await read(arrayElementSlot(0n, 2n))).toBe(ZERO_HASH);
});

test('malformed words are an unreadable set, never an exception', async () => {
  const good = validatorListEntries('active', validators);
  const element = (index: number, value: bigint) =>
    readValidatorSet(reader([...good, [arrayElementSlot(0n, BigInt(index)), uintToWord(value)]]), 'active');
  const length = (value: bigint) =>
    readValidatorSet(reader([...good, [uintToWord(0n), uintToWord(value)]]), 'active');
  expect(await element(0, (2n << 96n) | 1n)).toBeNull(); // not ascending
  expect(await element(0, 1n << 96n)).toBeNull(); // no power
  expect(await element(0, (1n << 96n) | (1n << 64n) | 1n)).toBeNull(); // bits between address and power
  expect(await element(0, (1n << 96n) | 100_000n)).toBeNull(); // too much power
  expect(await length(0n)).toBeNull();
  expect(await length(4n)).toBeNull();
  expect(await length(BigInt(MAX_VALIDATORS) + 1n)).toBeNull();
  expect(await length(2n ** 256n - 1n)).toBeNull();
});

test('the compiler puts every word where the node reads it', () => {
  const { storageLayout } = JSON.parse(
    readFileSync(new URL('../../../genesis/contracts/artifacts/ValidatorSet.json', import.meta.url), 'utf8'),
  ) as { storageLayout: { label: string; slot: number; offset: number; type: string }[] };
  expect(storageLayout.map(({ label, slot, offset, type }) => [label, slot, offset, type])).toEqual([
    ['_active', 0, 0, 'uint256[]'],
    ['_pending', 1, 0, 'uint256[]'],
    ['_approved', 2, 0, 'uint256[]'],
    ['_jailed', 3, 0, 'uint256[]'],
    ['_genesisHash', 4, 0, 'bytes32'],
    ['_epochLength', 5, 0, 'uint64'],
    ['_leastValidators', 5, 8, 'uint64'],
    ['_approvedUntil', 6, 0, 'mapping(address => uint64)'],
    ['_forgivenThrough', 7, 0, 'mapping(address => uint64)'],
  ]);
  expect(VALIDATOR_SET_SLOTS).toEqual({
    active: 0n,
    pending: 1n,
    approved: 2n,
    jailed: 3n,
    genesisHash: 4n,
    limits: 5n,
  });
});
