import { createValidatorSet } from '#consensus/validatorSet.ts';
import { LOOK_BACK_GRACE_MS, LookBack } from '#node/consensus/lookBack.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS, signedVote } from '#test/sim/cluster/samples.ts';

const SET = createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n })));
const [self, a, b, c] = KEYS.map(({ address }) => address) as [never, never, never, never];
const later = LOOK_BACK_GRACE_MS;
const own = (height: bigint, round: number, type: 'prevote' | 'precommit' = 'precommit') =>
  signedVote({ type, height, round, valueId: hashOf(7) }, 0);

test('an answer that is not our own vote is the peer’s fault and does not count', () => {
  const lookBack = new LookBack(DOMAIN, self, true);
  expect(
    lookBack.note(a, signedVote({ type: 'prevote', height: 3n, round: 0, valueId: hashOf(1) }, 1), 0),
  ).toBe(false);
  expect(lookBack.note(b, { ...own(3n, 0), round: 1 }, 0)).toBe(false);
  expect(lookBack.isComplete(SET, 1n, later)).toBe(false);
  expect(lookBack.newest()).toBeNull();
});

/** That validator's answer, and the height that it works on. */
const answer = (lookBack: LookBack, validator: never, nowMs: number, height = 1n): void => {
  lookBack.note(validator, null, nowMs);
  lookBack.noteHeight(validator, height);
};

test('a new or older guard waits for more than a third, a current one for one answer; both a second for the others (RULES 14)', () => {
  const strict = new LookBack(DOMAIN, self, true);
  const current = new LookBack(DOMAIN, self, false);
  for (const lookBack of [strict, current]) {
    expect(lookBack.isComplete(SET, 1n, later)).toBe(false);
    answer(lookBack, a, 0);
    expect(lookBack.isComplete(SET, 1n, later - 1)).toBe(false);
  }
  expect(strict.isComplete(SET, 1n, later)).toBe(false);
  expect(current.isComplete(SET, 1n, later)).toBe(true);
  current.requireMany();
  expect(current.isComplete(SET, 1n, later)).toBe(false);
  answer(strict, b, 10);
  expect(strict.isComplete(SET, 1n, later - 1)).toBe(false);
  expect(strict.isComplete(SET, 1n, later)).toBe(true);
});

test('all answers complete it at once, and so does being alone', () => {
  const lookBack = new LookBack(DOMAIN, self, true);
  for (const validator of [a, b, c]) answer(lookBack, validator, 0);
  expect(lookBack.isComplete(SET, 1n, 0)).toBe(true);
  const alone = createValidatorSet([{ address: self, power: 1n }]);
  expect(new LookBack(DOMAIN, self, true).isComplete(alone, 1n, 0)).toBe(true);
});

test('the newest vote wins, and a precommit for a value carries the lock', () => {
  const lookBack = new LookBack(DOMAIN, self, true);
  lookBack.note(a, own(4n, 9, 'prevote'), 0);
  lookBack.note(b, own(5n, 1), 0);
  lookBack.note(c, own(5n, 1, 'prevote'), 0);
  expect(lookBack.newest()).toMatchObject({
    height: 5n,
    round: 1,
    step: 'precommit',
    lock: { round: 1, valueId: hashOf(7) },
  });
});

test('a new guard signs nothing in a height that validators with more than a third have left behind', () => {
  const strict = new LookBack(DOMAIN, self, true);
  for (const validator of [a, b, c]) strict.note(validator, null, 0);
  expect(strict.isComplete(SET, 1n, later)).toBe(false); // where are they?
  for (const validator of [a, b, c]) strict.noteHeight(validator, 1n);
  strict.noteHeight(a, 9n);
  expect(strict.isComplete(SET, 1n, later)).toBe(true); // one alone may lie
  strict.noteHeight(b, 7n);
  strict.noteHeight(b, 3n);
  expect(strict.isComplete(SET, 6n, later)).toBe(false);
  expect(strict.isComplete(SET, 7n, later)).toBe(true);
  const current = new LookBack(DOMAIN, self, false);
  current.note(a, null, 0);
  for (const validator of [a, b]) current.noteHeight(validator, 7n);
  expect(current.isComplete(SET, 6n, later)).toBe(true);
});
