import { createValidatorSet } from '#consensus/validatorSet.ts';
import { LONE_CLAIM_MS, LOOK_BACK_GRACE_MS, LookBack } from '#node/consensus/lookBack.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS, signedVote } from '#test/sim/cluster/samples.ts';

const SET = createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n })));
const [self, a, b, c] = KEYS.map(({ address }) => address) as [never, never, never, never];
const later = LOOK_BACK_GRACE_MS;
const muchLater = LONE_CLAIM_MS;
const own = (height: bigint, round: number, type: 'prevote' | 'precommit' = 'precommit') =>
  signedVote({ type, height, round, valueId: hashOf(7) }, 0);

/** What would be signed: by a guard that knows nothing, or one that is as new as the chain here. */
const blank = (height: bigint, set = SET) => ({ set, height, guardHeight: 0n });
const current = (height: bigint, set = SET) => ({ set, height, guardHeight: height - 1n });

const started = (height: bigint, set = SET): LookBack => {
  const lookBack = new LookBack(DOMAIN, self, 0);
  lookBack.enter(set, height, 0);
  return lookBack;
};

/** That validator's answer, and the height that it works on. */
const answer = (lookBack: LookBack, validator: never, nowMs: number, height: bigint): void => {
  lookBack.note(validator, null, nowMs);
  lookBack.noteHeight(validator, height, nowMs);
};

test('an answer that is not our own vote is the peer’s fault and does not count', () => {
  const lookBack = started(3n);
  for (const validator of [a, b, c]) lookBack.noteHeight(validator, 3n, 0);
  expect(
    lookBack.note(a, signedVote({ type: 'prevote', height: 3n, round: 0, valueId: hashOf(1) }, 1), 0),
  ).toBe(false);
  expect(lookBack.note(b, { ...own(3n, 0), round: 1 }, 0)).toBe(false);
  expect(lookBack.isComplete(current(3n), muchLater)).toBe(false);
  expect(lookBack.newest()).toBeNull();
});

test('who has not said where it is does not count, with whatever guard, however long it takes', () => {
  const lookBack = started(5n);
  for (const validator of [a, b, c]) lookBack.note(validator, null, 0);
  for (const guard of [blank, current]) expect(lookBack.isComplete(guard(5n), 10 * muchLater)).toBe(false);
  for (const validator of [a, b, c]) lookBack.noteHeight(validator, 5n, 0);
  for (const guard of [blank, current]) expect(lookBack.isComplete(guard(5n), 0)).toBe(true);
  lookBack.forget(a);
  lookBack.forget(b);
  expect(lookBack.isComplete(blank(5n), 10 * muchLater)).toBe(false);
});

test('who works above us has forgotten our votes of this height, and does not count for it', () => {
  const lookBack = started(5n);
  answer(lookBack, a, 0, 5n);
  answer(lookBack, b, 0, 6n);
  expect(lookBack.isComplete(blank(5n), later)).toBe(false);
  lookBack.enter(SET, 6n, later);
  expect(lookBack.isComplete(blank(6n), later)).toBe(true);
});

test('more than a third is enough a second after it answered, for the others may know more (RULES 14)', () => {
  for (const guard of [blank, current]) {
    const lookBack = started(1n);
    answer(lookBack, a, 0, 1n);
    answer(lookBack, b, 900, 1n);
    expect(lookBack.isComplete(guard(1n), 900 + later - 1)).toBe(false);
    expect(lookBack.isComplete(guard(1n), 900 + later)).toBe(true);
  }
});

test('a single answer is enough only for a guard that is as new as the chain, and only after ten seconds (RULES 14)', () => {
  const lookBack = started(5n);
  answer(lookBack, a, 0, 5n);
  expect(lookBack.isComplete(current(5n), muchLater - 1)).toBe(false);
  expect(lookBack.isComplete(current(5n), muchLater)).toBe(true);
  expect(lookBack.isComplete({ set: SET, height: 5n, guardHeight: 3n }, 10 * muchLater)).toBe(false);
  expect(lookBack.isComplete(blank(5n), 10 * muchLater)).toBe(false);
  expect(lookBack.isComplete(blank(1n), 10 * muchLater)).toBe(false);
});

test('all answers complete it at once, and so does being alone', () => {
  const lookBack = started(1n);
  for (const validator of [a, b, c]) answer(lookBack, validator, 0, 1n);
  expect(lookBack.isComplete(blank(1n), 0)).toBe(true);
  const alone = createValidatorSet([{ address: self, power: 1n }]);
  expect(started(1n, alone).isComplete(blank(1n, alone), 0)).toBe(true);
});

test('who is a quorum alone waits ten seconds for the others, not for ever', () => {
  const heavy = createValidatorSet(
    KEYS.map(({ address }) => ({ address, power: address === self ? 9n : 1n })),
  );
  const lookBack = started(1n, heavy);
  expect(lookBack.isComplete(blank(1n, heavy), muchLater - 1)).toBe(false);
  expect(lookBack.isComplete(blank(1n, heavy), muchLater)).toBe(true);
});

test('the newest vote wins, also over what is answered later, and a precommit for a value carries the lock', () => {
  const lookBack = started(5n);
  lookBack.note(a, own(4n, 9, 'prevote'), 0);
  lookBack.note(b, own(5n, 1), 0);
  lookBack.note(c, own(5n, 1, 'prevote'), 0);
  lookBack.note(b, null, 1);
  lookBack.enter(SET, 9n, 2);
  expect(lookBack.newest()).toMatchObject({
    height: 5n,
    round: 1,
    step: 'precommit',
    lock: { round: 1, valueId: hashOf(7) },
  });
});

test('nothing is signed in a height that validators with more than a third have left behind, however long it takes', () => {
  const lookBack = started(5n);
  for (const validator of [a, b]) answer(lookBack, validator, 0, 6n);
  answer(lookBack, c, 0, 5n);
  expect(lookBack.isBehind(SET, 5n, 10 * muchLater)).toBe(true);
  expect(lookBack.isComplete(current(5n), 10 * muchLater)).toBe(false);
  lookBack.forget(a);
  expect(lookBack.isBehind(SET, 5n, 10 * muchLater)).toBe(false);
});

test('one claim to be far ahead is waited on for ten seconds from when it came or the head moved, and once only', () => {
  const lookBack = started(5n);
  for (const validator of [b, c]) answer(lookBack, validator, 0, 5n);
  answer(lookBack, a, 700, 1_000_000n);
  expect(lookBack.isComplete(current(5n), 700 + muchLater - 1)).toBe(false);
  lookBack.forget(a);
  lookBack.noteHeight(a, 2_000_000n, 700 + muchLater - 1);
  expect(lookBack.isComplete(current(5n), 700 + muchLater)).toBe(true);
  lookBack.enter(SET, 6n, 20_000);
  expect(lookBack.isBehind(SET, 6n, 20_000 + muchLater - 1)).toBe(true);
  expect(lookBack.isBehind(SET, 6n, 20_000 + muchLater)).toBe(false);
});

test('one above us by a single height is the usual moment between its commit and ours', () => {
  const lookBack = started(5n);
  lookBack.noteHeight(a, 6n, 0);
  expect(lookBack.isBehind(SET, 5n, 0)).toBe(false);
});

test('the claim of who is in a later set only is waited on as well', () => {
  const few = createValidatorSet([self, a, b].map((address) => ({ address, power: 1n })));
  const lookBack = started(1n, few);
  for (const validator of [a, b]) answer(lookBack, validator, 0, 1n);
  lookBack.noteHeight(c, 90n, 0);
  expect(lookBack.isComplete(blank(1n, few), muchLater - 1)).toBe(false);
});

test('a head that sync moves, and another set, put the question again; the chain that goes on does not', () => {
  const answered = (): LookBack => {
    const lookBack = started(5n);
    for (const validator of [a, b, c]) answer(lookBack, validator, 0, 5n);
    expect(lookBack.isComplete(current(5n), 0)).toBe(true);
    return lookBack;
  };
  const goesOn = answered();
  expect(goesOn.enter(SET, 6n, 1)).toBe(false);
  expect(goesOn.enter(SET, 7n, 2)).toBe(false);
  expect(goesOn.isComplete(current(7n), 2)).toBe(true);
  const jumps = answered();
  expect(jumps.enter(SET, 7n, 1)).toBe(true);
  expect(jumps.isComplete(current(7n), muchLater)).toBe(false);
  const climbs = answered();
  for (const validator of [a, b]) climbs.noteHeight(validator, 9n, 0);
  expect(climbs.enter(SET, 6n, 1)).toBe(true);
  const others = createValidatorSet(SET.validators.map((validator) => ({ ...validator, power: 2n })));
  expect(answered().enter(others, 6n, 1)).toBe(true);
});
