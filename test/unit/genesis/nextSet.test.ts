/** RULES 20, 21: who votes from the next epoch on. */
import { type Address, bytesToAddress, toBigEndian } from '#consensus/primitives.ts';
import { createValidatorSet, isMember, powerOf, type ValidatorSet } from '#consensus/validatorSet.ts';
import { selectNextSet } from '#genesis/nextSet.ts';
import { seededRandom } from '#test/sim/cluster/virtualClock.ts';

const address = (n: number): Address => bytesToAddress(toBigEndian(BigInt(n), 20));
const setOf = (powers: Readonly<Record<number, bigint>>): ValidatorSet =>
  createValidatorSet(Object.entries(powers).map(([n, power]) => ({ address: address(Number(n)), power })));
const equal = (count: number): ValidatorSet =>
  setOf(Object.fromEntries(Array.from({ length: count }, (_, index) => [index + 1, 1n])));
const members = ({ validators }: ValidatorSet): Address[] => validators.map((validator) => validator.address);

test('without reports the pending set is the next one', () => {
  const pending = equal(5);
  expect(selectNextSet(equal(4), pending, [])).toEqual({ next: pending, stillJailed: [] });
});

test('exactly a third of the power is too much to take out at once', () => {
  const three = equal(3);
  expect(selectNextSet(three, three, [address(2)])).toEqual({ next: three, stillJailed: [address(2)] });
});

test('of several the oldest reports go first, the rest waits for the next boundary', () => {
  const seven = equal(7);
  const first = selectNextSet(seven, seven, [5, 1, 3].map(address));
  expect(members(first.next)).toEqual([2, 3, 4, 6, 7].map(address));
  expect(first.stillJailed).toEqual([address(3)]);
  const second = selectNextSet(first.next, first.next, first.stillJailed);
  expect(members(second.next)).toEqual([2, 4, 6, 7].map(address));
  expect(second.stillJailed).toEqual([]);
});

test('who weighs too much waits, and does not hold up those behind it', () => {
  const set = setOf({ 1: 50n, 2: 20n, 3: 20n, 4: 20n });
  const { next, stillJailed } = selectNextSet(set, set, [1, 2].map(address));
  expect(members(next)).toEqual([1, 3, 4].map(address));
  expect(stillJailed).toEqual([address(1)]);
});

test('the power counts that votes now, not the one that a member would get', () => {
  const current = setOf({ 1: 1n, 2: 1n, 3: 1n });
  const pending = setOf({ 1: 1n, 2: 100n, 3: 100n });
  expect(selectNextSet(current, pending, [address(1)]).stillJailed).toEqual([address(1)]);
});

test('who does not vote yet goes without counting; who has left already is forgotten', () => {
  const current = equal(3);
  const pending = equal(4);
  const { next, stillJailed } = selectNextSet(current, pending, [4, 9].map(address));
  expect(members(next)).toEqual([1, 2, 3].map(address));
  expect(stillJailed).toEqual([]);
});

test('nobody is taken out if the rest holds too much power for its number', () => {
  const set = setOf({ 1: 1n, 2: 1_000n, 3: 1_000n, 4: 1_999n });
  expect(selectNextSet(set, set, [address(1)])).toEqual({ next: set, stillJailed: [address(1)] });
});

test('whatever is reported, more than two thirds of the power outlive the boundary', () => {
  const seed = Number(process.env.CAUSEWAY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  for (let round = 0; round < 500; round++) {
    const count = 1 + below(12);
    const set = setOf(
      Object.fromEntries(Array.from({ length: count }, (_, index) => [index + 1, BigInt(1 + below(900))])),
    );
    const jailed = [...new Set(Array.from({ length: below(14) }, () => address(1 + below(14))))];
    const { next, stillJailed } = selectNextSet(set, set, jailed);
    const left = next.validators.reduce((sum, { power }) => sum + power, 0n);
    const context = `replay with CAUSEWAY_TEST_SEED=${seed}, round ${round}`;
    expect([context, 3n * left > 2n * set.totalPower]).toEqual([context, true]);
    for (const offender of jailed.filter((one) => powerOf(set, one) > 0n))
      expect([context, isMember(next, offender)]).toEqual([context, stillJailed.includes(offender)]);
  }
});
