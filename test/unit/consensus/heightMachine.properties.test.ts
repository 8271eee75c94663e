/** Any inputs in any order, sensible or not: what must hold of one machine whatever it is fed. */
import fc from 'fast-check';
import type { Effect, Input } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import { createHeight, type HeightState } from '#consensus/heightState.ts';
import { NIL } from '#consensus/types.ts';
import {
  addressOf,
  DOMAIN,
  HEIGHT,
  ofType,
  payload,
  proposal,
  SIGNATURE,
  setOf,
  value,
  vote,
} from '#test/unit/consensus/scenario.ts';

const NAMES = ['a', 'b', 'c'] as const;
const name = fc.constantFrom(...NAMES);
const valueId = fc.oneof(name.map(value), fc.constant(NIL));
const round = fc.oneof(
  { arbitrary: fc.nat(3), weight: 8 },
  { arbitrary: fc.constantFrom(64, 65, 1_000, 2 ** 31, 2 ** 32 - 1), weight: 1 },
);
const height = fc.oneof(
  { arbitrary: fc.constant(HEIGHT), weight: 9 },
  { arbitrary: fc.constant(5n), weight: 1 },
);

const inputArbitrary: fc.Arbitrary<Input> = fc.oneof(
  fc.constant<Input>({ type: 'start' }),
  fc.record({ type: fc.constant('built' as const), round, payloadHash: name.map(payload) }),
  fc
    .record({ proposer: fc.nat(4), round, name, polRound: fc.integer({ min: -1, max: 4 }), valueId, height })
    .map(
      ({ proposer, round: at, name: of, ...rest }): Input => ({
        type: 'proposal',
        proposal: proposal(proposer, at, payload(of), rest),
      }),
    ),
  {
    arbitrary: fc
      .record({
        voteType: fc.constantFrom('prevote' as const, 'precommit' as const),
        validator: fc.nat(4),
        round,
        valueId,
        height,
      })
      .filter(({ validator }) => validator !== 3)
      .map(
        ({ voteType, validator, round: at, valueId: of, height: on }): Input => ({
          type: 'vote',
          vote: vote(voteType, validator, at, of, { height: on }),
        }),
      ),
    weight: 8,
  },
  fc.record({ name, valid: fc.boolean() }).map(
    ({ name: of, valid }): Input => ({
      type: 'derived',
      payloadHash: payload(of),
      value: valid ? { valid, valueId: value(of) } : { valid, reason: 'undecodable' },
    }),
  ),
  fc.record({
    type: fc.constant('judged' as const),
    round,
    payloadHash: name.map(payload),
    accepted: fc.boolean(),
    reason: fc.constant(''),
  }),
  fc
    .record({
      kind: fc.constantFrom('propose' as const, 'prevote' as const, 'precommit' as const),
      round,
      height,
    })
    .map((timeout): Input => ({ type: 'timeout', timeout })),
  fc.record({ round, valueId, signers: fc.subarray([0, 1, 2, 3, 4]) }).map(
    ({ round: at, valueId: of, signers }): Input => ({
      type: 'certificate',
      certificate: {
        height: HEIGHT,
        round: at,
        valueId: of,
        signatures: signers.map((index) => ({ validator: addressOf(index), signature: SIGNATURE })),
      },
    }),
  ),
);

const create = (): HeightState =>
  createHeight({ height: HEIGHT, set: setOf([1n, 1n, 1n, 1n]), domain: DOMAIN, self: addressOf(3) });

const STEPS = ['waiting', 'propose', 'prevote', 'precommit', 'decided'];
const positionOf = ({ round: { round: at, step } }: HeightState): number => at * 10 + STEPS.indexOf(step);

/** Signs whatever is asked for, at once. */
const feed = (start: HeightState, input: Input): { state: HeightState; effects: readonly Effect[] } => {
  let { state, effects } = handle(start, input);
  for (const { vote: wanted, payloadHash } of ofType(effects, 'signVote')) {
    const own = { ...wanted, validator: addressOf(3), signature: SIGNATURE, payloadHash };
    const signed = handle(state, { type: 'ownVote', vote: own });
    state = signed.state;
    effects = [...effects, ...signed.effects];
  }
  return { state, effects };
};

test('one vote of each type a round, steps never go back, locks are founded, a decision ends it', () => {
  fc.assert(
    fc.property(fc.array(inputArbitrary, { maxLength: 60 }), (inputs) => {
      let state = create();
      const votes = new Set<string>();
      const timeouts = new Set<string>();
      for (const input of inputs) {
        const { state: next, effects } = feed(state, input);
        expect(positionOf(next)).toBeGreaterThanOrEqual(positionOf(state));
        if (state.round.step === 'decided') expect(effects).toEqual([]);
        for (const { vote: wanted, payloadHash } of ofType(effects, 'signVote')) {
          const key = `${wanted.round}:${wanted.type}`;
          expect(votes.has(key)).toBe(false);
          votes.add(key);
          expect(payloadHash === null).toBe(wanted.valueId === NIL);
        }
        for (const { timeout } of ofType(effects, 'schedule')) {
          expect(timeouts.has(`${timeout.kind}:${timeout.round}`)).toBe(false);
          timeouts.add(`${timeout.kind}:${timeout.round}`);
        }
        const { locked, valid } = next.round;
        if (locked !== null) {
          expect(valid!.round).toBeGreaterThanOrEqual(locked.round);
          expect(next.payloads.has(locked.valueId)).toBe(true);
        }
        expect(ofType(effects, 'decide').length).toBe(
          state.round.step !== 'decided' && next.round.step === 'decided' ? 1 : 0,
        );
        state = next;
      }
    }),
    { numRuns: 300 },
  );
});

test('the same inputs give the same effects', () => {
  fc.assert(
    fc.property(fc.array(inputArbitrary, { maxLength: 40 }), (inputs) => {
      const run = (): readonly Effect[] => {
        let state = create();
        return inputs.flatMap((input) => {
          const next = feed(state, input);
          state = next.state;
          return next.effects;
        });
      };
      expect(run()).toEqual(run());
    }),
    { numRuns: 50 },
  );
});
