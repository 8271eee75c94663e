import fc from 'fast-check';
import { powerFor, votesIn, withoutValidator } from '#consensus/tally.ts';
import { NIL, type SignedVote } from '#consensus/types.ts';
import {
  AHEAD_ROUNDS,
  addVote,
  EMPTY_KEEPER,
  type Horizon,
  KEPT_ROUNDS,
  noteHeard,
  prune,
  roundToSkipTo,
  tallyOf,
  type VoteKeeper,
} from '#consensus/voteKeeper.ts';
import { addressOf, setOf, value, vote } from '#test/unit/consensus/scenario.ts';

const POWERS = [1n, 2n, 3n, 4n];
const SET = setOf(POWERS);
const HERE: Horizon = { round: 0, pinned: [] };

const add = (keeper: VoteKeeper, signedVote: SignedVote, horizon = HERE): VoteKeeper => {
  const index = SET.validators.findIndex(({ address }) => address === signedVote.validator);
  return addVote(keeper, SET, signedVote, POWERS[index]!, horizon).keeper;
};

const voteArbitrary = fc
  .record({
    type: fc.constantFrom('prevote' as const, 'precommit' as const),
    validator: fc.nat(3),
    round: fc.nat(12),
    valueId: fc.constantFrom(NIL, value('a'), value('b'), value('c'), value('d')),
  })
  .map(({ type, validator, round, valueId }) => vote(type, validator, round, valueId));

test('a vote that came without the hint of its payload gains the first that comes, and counts once', () => {
  const bare = { ...vote('prevote', 1, 0, value('a')), payloadHash: null };
  const [first, second] = [value('p'), value('q')].map((payloadHash) => ({ ...bare, payloadHash }));
  const kept = add(EMPTY_KEEPER, bare);
  const hinted = add(kept, first!);
  expect(votesIn(tallyOf(hinted, 0, 'prevote'))).toEqual([first]);
  expect(tallyOf(hinted, 0, 'prevote').power).toBe(2n);
  for (const again of [bare, first!, second!]) expect(add(hinted, again)).toBe(hinted);
});

test('the sums are those of the votes that are kept, in any order, and memory is bounded', () => {
  fc.assert(
    fc.property(fc.array(voteArbitrary, { maxLength: 120 }), (votes) => {
      const keeper = votes.reduce((kept, next) => add(kept, next), EMPTY_KEEPER);
      const ahead = new Map<string, Set<number>>();
      for (const [round, { prevote, precommit }] of keeper.rounds)
        for (const tally of [prevote, precommit]) {
          const powerOf = ({ validator }: SignedVote): bigint =>
            SET.validators.find(({ address }) => address === validator)!.power;
          const voters = [...tally.first.values()];
          expect(tally.power).toBe(voters.reduce((sum, kept) => sum + powerOf(kept), 0n));
          for (const [valueId, power] of tally.powerByValue) {
            const voting = votesIn(tally).filter((kept) => kept.valueId === valueId);
            expect(power).toBe(voting.reduce((sum, kept) => sum + powerOf(kept), 0n));
            expect(new Set(voting.map(({ validator }) => validator)).size).toBe(voting.length);
          }
          for (const { validator } of voters)
            if (round > HERE.round + 1)
              ahead.set(validator, (ahead.get(validator) ?? new Set<number>()).add(round));
        }
      for (const rounds of ahead.values()) expect(rounds.size).toBeLessThanOrEqual(AHEAD_ROUNDS);
    }),
  );
});

test('a validator that is taken out leaves the sums as if it had never voted', () => {
  const votes = [0, 1, 2].map((index) => vote('prevote', index, 0, value(index === 0 ? 'a' : 'b')));
  const extra = vote('prevote', 2, 0, value('a'));
  const full = tallyOf(
    [...votes, extra].reduce((kept, next) => add(kept, next), EMPTY_KEEPER),
    0,
    'prevote',
  );
  expect(powerFor(full, value('a'))).toBe(4n);
  const rest = withoutValidator(full, addressOf(2), 3n);
  const never = tallyOf(
    votes.slice(0, 2).reduce((kept, next) => add(kept, next), EMPTY_KEEPER),
    0,
    'prevote',
  );
  expect(rest).toEqual(never);
});

test('one sender pushes out its own rounds ahead only, and the newest stay', () => {
  const other = add(EMPTY_KEEPER, vote('prevote', 1, 5, NIL));
  let keeper = other;
  for (let round = 2; round < 500; round++) keeper = add(keeper, vote('prevote', 0, round, NIL));
  expect(tallyOf(keeper, 5, 'prevote').first.has(addressOf(1))).toBe(true);
  expect([...keeper.rounds.keys()]).toEqual([5, 496, 497, 498, 499]);
  expect(add(keeper, vote('prevote', 0, 3, NIL)).rounds).toEqual(keeper.rounds);
});

test('votes behind the window are dropped, unless their round is pinned', () => {
  const late = vote('precommit', 0, 3, value('a'));
  const far = { round: 3 + KEPT_ROUNDS + 1, pinned: [] };
  expect(add(EMPTY_KEEPER, late, far).rounds.size).toBe(0);
  expect(add(EMPTY_KEEPER, late, { ...far, pinned: [3] }).rounds.size).toBe(1);
  expect(add(EMPTY_KEEPER, late, { ...far, round: far.round - 1 }).rounds.size).toBe(1);
  const kept = add(EMPTY_KEEPER, late);
  expect(prune(kept, far).rounds.size).toBe(0);
  expect(prune(kept, { ...far, pinned: [3] }).rounds.size).toBe(1);
});

test('the skip goes to the highest round that more than 1/3 of the power has reached', () => {
  const powerOf = (address: string): bigint =>
    SET.validators.find((validator) => validator.address === address)!.power;
  const heard = (rounds: readonly number[]): VoteKeeper =>
    rounds.reduce((keeper, round, index) => noteHeard(keeper, addressOf(index), round), EMPTY_KEEPER);
  expect(roundToSkipTo(heard([9, 0, 0, 0]), SET, powerOf, 0)).toBeNull();
  expect(roundToSkipTo(heard([9, 8, 0, 0]), SET, powerOf, 0)).toBeNull();
  expect(roundToSkipTo(heard([9, 8, 7, 0]), SET, powerOf, 0)).toBe(7);
  expect(roundToSkipTo(heard([0, 0, 0, 2 ** 31]), SET, powerOf, 0)).toBe(2 ** 31);
  expect(roundToSkipTo(heard([9, 8, 7, 0]), SET, powerOf, 7)).toBeNull();
});
