import { concatHex, keccak256, numberToHex } from 'viem';
import {
  createValidatorSet,
  isHonestMinority,
  isMember,
  isQuorum,
  powerOf,
} from '#consensus/validatorSet.ts';
import { addressOf, setOf } from '#test/unit/consensus/scenario.ts';

const validator = (index: number, power = 1n) => ({ address: addressOf(index), power });

test('a set refuses to be empty, unordered, repetitive, powerless or too powerful', () => {
  const codeOf = (validators: Parameters<typeof createValidatorSet>[0]): string => {
    try {
      createValidatorSet(validators);
      return 'NONE';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect(codeOf([])).toBe('EMPTY_SET');
  expect(codeOf([validator(1), validator(0)])).toBe('NOT_ASCENDING');
  expect(codeOf([validator(1), validator(1)])).toBe('NOT_ASCENDING');
  expect(codeOf([validator(0, 0n)])).toBe('BAD_POWER');
  expect(codeOf([validator(0, -1n), validator(1)])).toBe('BAD_POWER');
  expect(codeOf([validator(0, 1_001n)])).toBe('TOO_MUCH_POWER');
  expect(codeOf([validator(0, 1_999n), validator(1, 1n)])).toBe('NONE');
});

test('the hash is the keccak of address ‖ uint64 power, packed, as PegVerifier computes it', () => {
  const set = setOf([3n, 1_000n, 7n]);
  const packed = concatHex(
    set.validators.flatMap(({ address, power }) => [address, numberToHex(power, { size: 8 })]),
  );
  expect(set.hash).toBe(keccak256(packed));
});

test('a quorum is more than 2/3, an honest minority more than 1/3, and exactly is not more', () => {
  const set = setOf([1n, 2n, 3n]);
  expect([4n, 5n].map((power) => isQuorum(set, power))).toEqual([false, true]);
  expect([2n, 3n].map((power) => isHonestMinority(set, power))).toEqual([false, true]);
});

test('a stranger is no member and has no power', () => {
  const set = setOf([1n, 2n]);
  expect(isMember(set, addressOf(1))).toBe(true);
  expect(isMember(set, addressOf(2))).toBe(false);
  expect(powerOf(set, addressOf(1))).toBe(2n);
  expect(powerOf(set, addressOf(2))).toBe(0n);
});
