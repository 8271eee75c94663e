/** How many more failures the chain survives: against counting every subset. */
import type { Address } from '#consensus/primitives.ts';
import { createValidatorSet, isQuorum, type ValidatorSet } from '#consensus/validatorSet.ts';
import { failureMargin, quorumPower } from '#node/consensus/statusMargin.ts';
import { seededRandom } from '#test/sim/cluster/virtualClock.ts';

const addressOf = (index: number): Address => `0x${(index + 1).toString(16).padStart(40, '0')}` as Address;
const setOf = (...powers: readonly bigint[]): ValidatorSet =>
  createValidatorSet(powers.map((power, index) => ({ address: addressOf(index), power })));
const allBut = (...gone: readonly number[]) => {
  const absent = new Set(gone.map(addressOf));
  return (address: Address): boolean => !absent.has(address);
};

const margin = (set: ValidatorSet, ...gone: readonly number[]) => {
  const { failuresTolerated, failuresUntilHalt, halted } = failureMargin(set, allBut(...gone));
  return { failuresTolerated, failuresUntilHalt, halted };
};

test('four equal validators survive one failure, then none, then are halted', () => {
  const set = setOf(1n, 1n, 1n, 1n);
  expect(margin(set)).toEqual({ failuresTolerated: 1, failuresUntilHalt: 2, halted: false });
  expect(margin(set, 2)).toEqual({ failuresTolerated: 0, failuresUntilHalt: 1, halted: false });
  expect(margin(set, 2, 0)).toEqual({ failuresTolerated: 0, failuresUntilHalt: 0, halted: true });
});

test('with unequal power the heaviest may fail first, whatever the count of heads', () => {
  expect(margin(setOf(5n, 1n, 1n, 1n, 1n, 1n, 1n, 1n))).toMatchObject({
    failuresTolerated: 0,
    failuresUntilHalt: 1,
  });
  expect(margin(setOf(3n, 2n, 2n, 2n, 2n))).toMatchObject({ failuresTolerated: 1, failuresUntilHalt: 2 });
  // Without the light ones the heavy two are no quorum: seven of eight heads are alive, and the chain is halted.
  expect(margin(setOf(5n, 1n, 1n, 1n, 1n, 1n, 1n, 1n), 0)).toMatchObject({ halted: true });
});

test('exactly two thirds are no quorum', () => {
  const set = setOf(1n, 1n, 1n);
  expect(quorumPower(set)).toBe(3n);
  expect(margin(set)).toMatchObject({ failuresTolerated: 0, failuresUntilHalt: 1 });
  expect(margin(setOf(7n))).toMatchObject({ failuresTolerated: 0, failuresUntilHalt: 1, halted: false });
});

const seed = Number(process.env.CAUSEWAY_STATUS_SEED ?? Math.floor(Math.random() * 1_000_000));

/** The size of the smallest set of validators that are alive whose loss leaves no quorum. */
const countSubsets = (set: ValidatorSet, isAlive: (address: Address) => boolean): number => {
  const alive = set.validators.filter(({ address }) => isAlive(address));
  let smallest = Number.POSITIVE_INFINITY;
  for (let lost = 0; lost < 1 << alive.length; lost++) {
    const left = alive.filter((_, index) => (lost & (1 << index)) === 0);
    const power = left.reduce((sum, validator) => sum + validator.power, 0n);
    if (!isQuorum(set, power)) smallest = Math.min(smallest, alive.length - left.length);
  }
  return smallest;
};

test(`the margin is that of the worst subset (replay: CAUSEWAY_STATUS_SEED=${seed} npm test -- statusMargin)`, () => {
  const random = seededRandom(seed);
  for (let run = 0; run < 400; run++) {
    const count = 1 + Math.floor(random() * 9);
    const powers = Array.from({ length: count }, () => 1n + BigInt(Math.floor(random() ** 3 * 900)));
    const set = setOf(...powers);
    const gone = new Set(powers.flatMap((_, index) => (random() < 0.25 ? [addressOf(index)] : [])));
    const isAlive = (address: Address): boolean => !gone.has(address);
    const expected = countSubsets(set, isAlive);
    const found = failureMargin(set, isAlive);
    expect({ powers, gone, until: found.failuresUntilHalt }).toEqual({ powers, gone, until: expected });
    expect(found.halted).toBe(expected === 0);
    expect(found.failuresTolerated).toBe(Math.max(0, expected - 1));
    expect(isQuorum(set, found.quorumPower) && !isQuorum(set, found.quorumPower - 1n)).toBe(true);
  }
});
