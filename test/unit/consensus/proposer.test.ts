import fc from 'fast-check';
import { proposerAt, proposerSequence } from '#consensus/proposer.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { addressOf, setOf } from '#test/unit/consensus/scenario.ts';

const powersArbitrary = fc
  .array(fc.bigInt(1n, 40n), { minLength: 1, maxLength: 9 })
  .map((powers) => setOf(powers));

test('equal powers take turns in the order of their addresses', () => {
  const set = setOf([7n, 7n, 7n, 7n]);
  expect([0, 1, 2, 3, 4].map((round) => proposerAt(set, 4n, round))).toEqual([0, 1, 2, 3, 0].map(addressOf));
});

test('the turns of a heavy validator are spread out, as smooth weighted round-robin spreads them (RULES 18)', () => {
  expect([...proposerSequence(setOf([5n, 1n, 1n]))]).toEqual([0, 0, 1, 0, 2, 0, 0]);
});

test('the next round has the proposer that the next height would have', () => {
  fc.assert(
    fc.property(powersArbitrary, fc.bigInt(0n, 2n ** 63n), fc.nat(1_000), (set, height, round) => {
      expect(proposerAt(set, height, round)).toBe(proposerAt(set, height + BigInt(round), 0));
    }),
  );
});

test('everybody proposes exactly in proportion to its power within one period', () => {
  fc.assert(
    fc.property(powersArbitrary, fc.bigInt(0n, 2n ** 60n), (set, height) => {
      const total = Number(set.totalPower);
      const turns = new Map<string, number>();
      for (let round = 0; round < total; round++) {
        const proposer = proposerAt(set, height, round);
        turns.set(proposer, (turns.get(proposer) ?? 0) + 1);
      }
      for (const { address, power } of set.validators) expect(turns.get(address)).toBe(Number(power));
    }),
  );
});

test('a common factor of all powers changes nothing', () => {
  expect(proposerSequence(setOf([300n, 600n, 900n]))).toEqual(proposerSequence(setOf([1n, 2n, 3n])));
});

test('heights and rounds as large as they can be are looked up in one period', () => {
  const set = createValidatorSet(
    Array.from({ length: 100 }, (_, index) => ({
      address: addressOf(index),
      power: 1_000n - BigInt(index),
    })),
  );
  expect(proposerSequence(set)).toHaveLength(Number(set.totalPower));
  for (let i = 0n; i < 10_000n; i++) proposerAt(set, 10n ** 12n + i, 2 ** 32 - 1);
  expect(proposerAt(set, 10n ** 12n, 0)).toBe(proposerAt(set, 10n ** 12n + set.totalPower, 0));
});
