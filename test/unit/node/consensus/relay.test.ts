import type { Input } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import { createHeight, type HeightState } from '#consensus/heightState.ts';
import { NIL } from '#consensus/types.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { MAX_SUMMARY_ROUNDS } from '#node/consensus/messages.ts';
import { missingFor, summarize } from '#node/consensus/relay.ts';
import { createKeys, DOMAIN } from '#test/sim/cluster/cluster.ts';
import { SIGNATURE } from '#test/sim/cluster/samples.ts';

const KEYS = createKeys(40);
const HEIGHT = 9n;
const prevote = (index: number, round: number): Input => ({
  type: 'vote',
  vote: {
    type: 'prevote',
    height: HEIGHT,
    round,
    valueId: NIL,
    validator: KEYS[index]!.address,
    signature: SIGNATURE,
    payloadHash: null,
  },
});

const after = (inputs: readonly Input[]): HeightState =>
  inputs.reduce(
    (state, input) => handle(state, input).state,
    createHeight({
      height: HEIGHT,
      set: createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n }))),
      domain: DOMAIN,
      self: null,
    }),
  );

const roundsOf = (state: HeightState): readonly number[] => {
  const summary = summarize(state, () => false);
  return summary.type === 'summary' ? summary.rounds.map(({ round }) => round) : [];
};

/** 13 of 40 may be Byzantine, and each is remembered in four rounds ahead. */
const JUNK = Array.from({ length: 52 }, (_, index) => prevote(index % 13, 1_000 + index));

test('votes for rounds far ahead do not crowd out the round that is decided now', () => {
  const state = after([{ type: 'start' }, ...JUNK, prevote(20, 0), prevote(21, 1)]);
  expect(roundsOf(state).slice(0, 3)).toEqual([1, 0, 1_000]);
  expect(roundsOf(state)).toHaveLength(MAX_SUMMARY_ROUNDS);
  const sent = missingFor(state, [], () => null);
  expect(sent).toContainEqual({ type: 'vote', vote: expect.objectContaining({ round: 0 }) });
});

test('however many rounds lie behind, some rounds ahead are relayed', () => {
  const passed = Array.from({ length: 60 }, (_, round): readonly Input[] => [
    prevote(20, round),
    { type: 'timeout', timeout: { kind: 'precommit', height: HEIGHT, round } },
  ]).flat();
  const rounds = roundsOf(after([{ type: 'start' }, ...passed, ...JUNK]));
  expect(rounds[0]).toBe(59);
  expect(rounds.slice(-8)).toEqual([1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007]);
  expect(rounds).toHaveLength(MAX_SUMMARY_ROUNDS);
});
