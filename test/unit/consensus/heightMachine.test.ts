import type { Effect, Input } from '#consensus/engine.ts';
import { keptRounds, keptVotes, polkaFor } from '#consensus/heightState.ts';
import { NIL } from '#consensus/types.ts';
import {
  addressOf,
  createScenario,
  evidenceIn,
  HEIGHT,
  ofType,
  payload,
  precommit,
  prevote,
  proposal,
  type Scenario,
  SIGNATURE,
  scheduled,
  signed,
  value,
  vote,
} from '#test/unit/consensus/scenario.ts';

const A = value('a');
const B = value('b');
const C = value('c');

/** Round 0 ends without a decision and round 1 begins. */
const endRound = (scenario: Scenario, round: number): readonly Effect[] => [
  ...scenario.precommits(round, NIL, 0, 1, 2),
  ...scenario.timeout('precommit', round),
];

/** Locks validator 3 on `name` in `round`. */
const lockOn = (scenario: Scenario, round: number, name: string): void => {
  scenario.accept(round, name);
  const effects = scenario.prevotes(round, value(name), 0, 1, 2);
  expect(signed(effects)).toEqual([precommit(round, value(name))]);
};

describe('before round 0', () => {
  test('nothing is signed or scheduled until it is started', () => {
    const scenario = createScenario();
    expect([...scenario.propose(0, 'a'), ...scenario.derive('a')]).toEqual([]);
    expect(scenario.position()).toEqual({ round: -1, step: 'waiting' });
    expect(scenario.start().map(({ type }) => type)).toEqual(['roundStarted', 'schedule', 'judge']);
  });

  test('f+1 validators that have begun take us along', () => {
    const scenario = createScenario();
    scenario.prevotes(0, A, 0);
    expect(scenario.position().round).toBe(-1);
    scenario.prevotes(0, A, 1);
    expect(scenario.position()).toEqual({ round: 0, step: 'propose' });
  });

  test('a second start changes nothing', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    expect(scenario.start()).toEqual([]);
    expect(scenario.position()).toEqual({ round: 0, step: 'prevote' });
  });

  test('a block that the others committed is taken without having started', () => {
    const scenario = createScenario();
    scenario.derive('a');
    const effects = scenario.precommits(0, A, 0, 1, 2);
    expect(ofType(effects, 'decide')).toHaveLength(1);
  });
});

describe('proposing (lines 14–21)', () => {
  test('the proposer builds a payload, signs it without naming a value, and prevotes it like any other', () => {
    const scenario = createScenario({ self: 0 });
    expect(scenario.start()).toEqual([
      { type: 'roundStarted', round: 0 },
      { type: 'schedule', timeout: { kind: 'propose', height: HEIGHT, round: 0 } },
      { type: 'build', round: 0 },
    ]);
    const built = scenario.feed({ type: 'built', round: 0, payloadHash: payload('a') });
    expect(built).toEqual([
      {
        type: 'signProposal',
        proposal: { height: HEIGHT, round: 0, polRound: -1, payloadHash: payload('a'), valueId: NIL },
      },
    ]);
    expect(scenario.sign(built).map(({ type }) => type)).toEqual(['broadcastProposal', 'derive']);
    expect(scenario.derive('a').map(({ type }) => type)).toEqual(['judge']);
    expect(signed(scenario.judge(0, 'a'))).toEqual([prevote(0, A)]);
  });

  test('a payload that is built after its round or twice is not proposed', () => {
    const scenario = createScenario({ self: 0 });
    scenario.start();
    scenario.timeout('propose', 0);
    expect(scenario.feed({ type: 'built', round: 0, payloadHash: payload('a') })).toEqual([]);
    const other = createScenario({ self: 0 });
    other.start();
    other.feed({ type: 'built', round: 0, payloadHash: payload('a') });
    expect(other.feed({ type: 'built', round: 0, payloadHash: payload('b') })).toEqual([]);
  });

  test('a proposer whose build never returns prevotes nil when timeoutPropose fires', () => {
    const scenario = createScenario({ self: 0 });
    scenario.start();
    expect(signed(scenario.timeout('propose', 0))).toEqual([prevote(0)]);
  });

  test('a proposer with a valid value proposes that again and names its polka (line 16)', () => {
    const scenario = createScenario({ self: 1 });
    scenario.start();
    scenario.accept(0, 'a');
    scenario.prevotes(0, A, 0, 2, 3);
    scenario.precommits(0, NIL, 0, 2, 3);
    const effects = scenario.timeout('precommit', 0);
    expect(ofType(effects, 'build')).toEqual([]);
    expect(ofType(effects, 'signProposal')).toEqual([
      {
        type: 'signProposal',
        proposal: { height: HEIGHT, round: 1, polRound: 0, payloadHash: payload('a'), valueId: A },
      },
    ]);
  });

  test('a proposer that is locked on a value whose payload a restart lost fetches it, then proposes it', () => {
    const scenario = createScenario({ self: 0, lock: { round: 2, valueId: A } });
    expect(ofType(scenario.start(), 'fetchValue')).toEqual([{ type: 'fetchValue', round: 2, valueId: A }]);
    // Rounds 0–2 belong to the time before the restart; in round 4 it proposes.
    const skipped = scenario.prevotes(4, NIL, 1, 2);
    expect(ofType(skipped, 'signProposal')).toEqual([]);
    expect(ofType(scenario.derive('a'), 'signProposal').map((effect) => effect.proposal)).toEqual([
      { height: HEIGHT, round: 4, polRound: 2, payloadHash: payload('a'), valueId: A },
    ]);
  });
});

describe('answering a fresh proposal (lines 22–27)', () => {
  test('it is prevoted once it is derived and judged', () => {
    const scenario = createScenario();
    scenario.start();
    expect(scenario.propose(0, 'a')).toEqual([{ type: 'derive', payloadHash: payload('a') }]);
    expect(scenario.derive('a')).toEqual([{ type: 'judge', round: 0, payloadHash: payload('a') }]);
    expect(scenario.judge(0, 'a')).toEqual([
      {
        type: 'signVote',
        vote: { type: 'prevote', height: HEIGHT, round: 0, valueId: A },
        payloadHash: payload('a'),
      },
    ]);
  });

  test('one that is invalid by rule gets nil at once', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.propose(0, 'a');
    const effects = scenario.feed({
      type: 'derived',
      payloadHash: payload('a'),
      value: { valid: false, reason: 'duplicate transaction' },
    });
    expect(effects).toEqual([
      {
        type: 'signVote',
        vote: { type: 'prevote', height: HEIGHT, round: 0, valueId: NIL },
        payloadHash: null,
      },
    ]);
  });

  test('a negative verdict waits and may turn; only timeoutPropose makes it nil (RULES 9)', () => {
    const turning = createScenario();
    turning.start();
    turning.propose(0, 'a');
    turning.derive('a');
    expect(turning.judge(0, 'a', false)).toEqual([]);
    expect(signed(turning.judge(0, 'a', true))).toEqual([prevote(0, A)]);

    const refusing = createScenario();
    refusing.start();
    refusing.propose(0, 'a');
    refusing.derive('a');
    refusing.judge(0, 'a', false);
    expect(signed(refusing.timeout('propose', 0))).toEqual([prevote(0)]);
    expect(signed(refusing.judge(0, 'a', true))).toEqual([]);
  });

  test('a positive verdict sticks, even when it comes before the derivation', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.propose(0, 'a');
    scenario.judge(0, 'a', true);
    scenario.judge(0, 'a', false);
    expect(signed(scenario.derive('a'))).toEqual([prevote(0, A)]);
  });

  test('a verdict of another round does not count', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.judge(1, 'a', true);
    scenario.propose(0, 'a');
    expect(signed(scenario.derive('a'))).toEqual([]);
  });

  test('a validator that is locked on another value prevotes nil without judging (line 23)', () => {
    const scenario = createScenario();
    scenario.start();
    lockOn(scenario, 0, 'a');
    endRound(scenario, 0);
    scenario.propose(1, 'b');
    const effects = scenario.derive('b');
    expect(signed(effects)).toEqual([prevote(1)]);
    expect(ofType(effects, 'judge')).toEqual([]);
  });

  test('its locked value is prevoted without judging (RULES 9)', () => {
    const scenario = createScenario();
    scenario.start();
    lockOn(scenario, 0, 'a');
    endRound(scenario, 0);
    expect(signed(scenario.propose(1, 'a'))).toEqual([prevote(1, A)]);
  });

  test('a value with a known polka is prevoted without judging (RULES 9)', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.timeout('propose', 0);
    scenario.timeout('prevote', 0);
    scenario.prevotes(0, A, 0, 1, 2);
    endRound(scenario, 0);
    scenario.propose(1, 'a');
    const effects = scenario.derive('a');
    expect(signed(effects)).toEqual([prevote(1, A)]);
    expect(ofType(effects, 'judge')).toEqual([]);
  });

  test('a proposal that comes after timeoutPropose is not answered', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.timeout('propose', 0);
    expect(signed(scenario.accept(0, 'a'))).toEqual([]);
  });
});

describe('answering a re-proposal (lines 28–33)', () => {
  test('its value is prevoted when its polka is known, and the lock does not speak against it', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.timeout('propose', 0);
    scenario.prevotes(0, A, 0, 1, 2);
    endRound(scenario, 0);
    scenario.repropose(1, 'a', 0);
    expect(signed(scenario.derive('a'))).toEqual([prevote(1, A)]);
  });

  test('without its polka it waits, asks, and is prevoted when the votes come', () => {
    const scenario = createScenario();
    scenario.start();
    endRound(scenario, 0);
    scenario.derive('a');
    const effects = scenario.repropose(1, 'a', 0);
    expect(ofType(effects, 'fetchValue')).toEqual([{ type: 'fetchValue', round: 0, valueId: A }]);
    expect(signed(effects)).toEqual([]);
    expect(signed(scenario.prevotes(0, A, 0, 1))).toEqual([]);
    expect(signed(scenario.prevotes(0, A, 2))).toEqual([prevote(1, A)]);
  });

  test('without its polka it ends in nil when timeoutPropose fires', () => {
    const scenario = createScenario();
    scenario.start();
    endRound(scenario, 0);
    scenario.derive('a');
    scenario.repropose(1, 'a', 0);
    expect(signed(scenario.timeout('propose', 1))).toEqual([prevote(1)]);
  });

  test('its polka is taken from a round that fell out of the window long ago', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(1000, NIL, 0, 1);
    expect(scenario.position().round).toBe(1000);
    scenario.derive('a');
    scenario.repropose(1000, 'a', 5);
    expect(signed(scenario.prevotes(5, A, 0, 1, 2))).toEqual([prevote(1000, A)]);
  });

  test('any payload that derives to the value serves (RULES 8)', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(0, A, 0, 1, 2);
    endRound(scenario, 0);
    scenario.feed({
      type: 'proposal',
      proposal: proposal(1, 1, payload('nonsense'), { polRound: 0, valueId: A }),
    });
    expect(
      signed(
        scenario.feed({
          type: 'derived',
          payloadHash: payload('nonsense'),
          value: { valid: false, reason: 'undecodable' },
        }),
      ),
    ).toEqual([]);
    expect(scenario.derive('a').filter(({ type }) => type === 'signVote')).toEqual([
      {
        type: 'signVote',
        vote: { type: 'prevote', height: HEIGHT, round: 1, valueId: A },
        payloadHash: payload('a'),
      },
    ]);
  });

  test('a later polka unlocks (line 29: lockedRound ≤ vr)', () => {
    const scenario = createScenario();
    scenario.start();
    lockOn(scenario, 0, 'a');
    endRound(scenario, 0);
    scenario.timeout('propose', 1);
    scenario.timeout('prevote', 1);
    scenario.prevotes(1, B, 0, 1, 2);
    endRound(scenario, 1);
    scenario.derive('b');
    expect(signed(scenario.repropose(2, 'b', 1))).toEqual([prevote(2, B)]);
    expect(signed(scenario.prevotes(2, B, 0, 1, 2))).toEqual([precommit(2, B)]);
    expect(scenario.state().round.locked).toEqual({ round: 2, valueId: B });
  });

  test('an earlier polka does not unlock', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.timeout('propose', 0);
    scenario.prevotes(0, B, 0, 1, 2);
    endRound(scenario, 0);
    lockOn(scenario, 1, 'a');
    endRound(scenario, 1);
    scenario.derive('b');
    expect(signed(scenario.repropose(2, 'b', 0))).toEqual([prevote(2)]);
    expect(scenario.state().round.locked).toEqual({ round: 1, valueId: A });
  });

  test('an earlier polka for the locked value itself is prevoted', () => {
    const scenario = createScenario();
    scenario.start();
    lockOn(scenario, 0, 'a');
    endRound(scenario, 0);
    scenario.accept(1, 'a');
    scenario.prevotes(1, A, 0, 1, 2);
    endRound(scenario, 1);
    expect(scenario.state().round.locked).toEqual({ round: 1, valueId: A });
    expect(signed(scenario.repropose(2, 'a', 0))).toEqual([prevote(2, A)]);
  });

  test('a polRound that is not earlier than the round is rejected', () => {
    for (const polRound of [1, 2, 2 ** 31]) {
      const scenario = createScenario();
      scenario.start();
      endRound(scenario, 0);
      scenario.derive('a');
      scenario.prevotes(1, A, 0, 1, 2);
      expect(scenario.repropose(1, 'a', polRound)).toEqual([]);
      expect(scenario.position()).toEqual({ round: 1, step: 'propose' });
    }
  });

  test('a re-proposal without a value and a fresh proposal with one are rejected (RULES 8)', () => {
    const scenario = createScenario();
    scenario.start();
    const freshWithValue = proposal(0, 0, payload('a'), { valueId: A });
    expect(scenario.feed({ type: 'proposal', proposal: freshWithValue })).toEqual([]);
    endRound(scenario, 0);
    const reproposalWithout = proposal(1, 1, payload('a'), { polRound: 0 });
    expect(scenario.feed({ type: 'proposal', proposal: reproposalWithout })).toEqual([]);
  });
});

describe('prevotes (lines 34–46)', () => {
  test('2f+1 of any kind schedule timeoutPrevote exactly once, and it leads to precommit nil', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    expect(scheduled(scenario.prevotes(0, A, 0, 1))).toEqual([]);
    expect(scheduled(scenario.prevotes(0, B, 2))).toEqual(['prevote 0']);
    expect(scheduled(scenario.prevotes(0, A, 3))).toEqual([]);
    const again = createScenario();
    again.start();
    again.accept(0, 'a');
    again.prevotes(0, A, 0, 1);
    again.prevotes(0, B, 2);
    expect(signed(again.timeout('prevote', 0))).toEqual([precommit(0)]);
  });

  test('they schedule nothing while the proposal is still awaited', () => {
    const scenario = createScenario();
    scenario.start();
    expect(scheduled(scenario.prevotes(0, B, 0, 1, 2))).toEqual([]);
    expect(scheduled(scenario.timeout('propose', 0))).toEqual(['prevote 0']);
  });

  test('a polka for a derived value locks, precommits it, and makes it valid (lines 36–43)', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    expect(scenario.prevotes(0, A, 0, 1, 2)).toEqual([
      {
        type: 'signVote',
        vote: { type: 'precommit', height: HEIGHT, round: 0, valueId: A },
        payloadHash: payload('a'),
      },
    ]);
    expect(scenario.state().round).toMatchObject({
      step: 'precommit',
      locked: { round: 0, valueId: A },
      valid: { round: 0, valueId: A },
    });
  });

  test('after having precommitted nil a polka makes the value valid but does not lock (lines 42–43)', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    scenario.timeout('prevote', 0);
    expect(signed(scenario.prevotes(0, A, 0, 1, 2))).toEqual([]);
    expect(scenario.state().round).toMatchObject({ locked: null, valid: { round: 0, valueId: A } });
  });

  test('a polka before its payload locks as soon as the payload is derived (RULES 4)', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.timeout('propose', 0);
    expect(signed(scenario.prevotes(0, A, 0, 1, 2))).toEqual([]);
    expect(signed(scenario.derive('a'))).toEqual([precommit(0, A)]);
  });

  test('a derivation that ends rounds later still makes the value valid, for the next proposal (RULES 4)', () => {
    const scenario = createScenario({ self: 2 });
    scenario.start();
    scenario.timeout('propose', 0);
    scenario.prevotes(0, A, 0, 1, 3);
    scenario.timeout('prevote', 0);
    scenario.precommits(0, NIL, 0, 1, 3);
    scenario.timeout('precommit', 0);
    scenario.derive('a');
    expect(scenario.state().round).toMatchObject({ locked: null, valid: { round: 0, valueId: A } });
    scenario.timeout('propose', 1);
    scenario.timeout('prevote', 1);
    const effects = scenario.timeout('precommit', 1);
    expect(ofType(effects, 'signProposal')[0]?.proposal).toMatchObject({ polRound: 0, valueId: A });
  });

  test('an older polka never replaces a newer valid value', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.timeout('propose', 0);
    scenario.prevotes(0, B, 0, 1, 2);
    endRound(scenario, 0);
    lockOn(scenario, 1, 'a');
    scenario.derive('b');
    expect(scenario.state().round.valid).toEqual({ round: 1, valueId: A });
  });

  test('2f+1 nil prevotes lead to precommit nil at once (lines 44–46)', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    const effects = scenario.prevotes(0, NIL, 0, 1, 2);
    expect(signed(effects)).toEqual([precommit(0)]);
    expect(scheduled(effects)).toEqual([]);
  });

  test('a quorum is counted by power, not by heads', () => {
    const scenario = createScenario({ powers: [5n, 1n, 1n, 1n], self: 3 });
    scenario.start();
    scenario.derive('a');
    scenario.timeout('propose', 0);
    expect(signed(scenario.prevotes(0, A, 1, 2, 3))).toEqual([]);
    expect(signed(scenario.prevotes(0, A, 0))).toEqual([precommit(0, A)]);
  });

  test('exactly 2/3 is not a quorum', () => {
    const scenario = createScenario({ powers: [1n, 1n, 1n], self: 2 });
    scenario.start();
    scenario.derive('a');
    scenario.timeout('propose', 0);
    expect(signed(scenario.prevotes(0, A, 0, 1))).toEqual([]);
  });
});

describe('precommits and rounds (lines 47–56, 65–67)', () => {
  test('2f+1 precommits of any kind schedule timeoutPrecommit exactly once, whatever the step', () => {
    const scenario = createScenario();
    scenario.start();
    expect(scheduled(scenario.precommits(0, A, 0))).toEqual([]);
    expect(scheduled(scenario.precommits(0, NIL, 1, 2))).toEqual(['precommit 0']);
    expect(scheduled(scenario.precommits(0, NIL, 3))).toEqual([]);
  });

  test('timeoutPrecommit begins the next round and keeps the lock', () => {
    const scenario = createScenario();
    scenario.start();
    lockOn(scenario, 0, 'a');
    const effects = endRound(scenario, 0);
    expect(ofType(effects, 'roundStarted')).toEqual([{ type: 'roundStarted', round: 1 }]);
    expect(scheduled(effects)).toEqual(['precommit 0', 'propose 1']);
    expect(scenario.state().round.locked).toEqual({ round: 0, valueId: A });
  });

  test('a timeout of another round or height does nothing', () => {
    const scenario = createScenario();
    scenario.start();
    endRound(scenario, 0);
    for (const kind of ['propose', 'prevote', 'precommit'] as const) {
      expect(scenario.timeout(kind, 0)).toEqual([]);
      expect(scenario.feed({ type: 'timeout', timeout: { kind, height: HEIGHT + 1n, round: 1 } })).toEqual(
        [],
      );
    }
    expect(scenario.timeout('prevote', 1)).toEqual([]);
  });

  test('f+1 in a later round take us there; one alone does not, however often it speaks (line 55)', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(7, A, 0);
    scenario.precommits(7, A, 0);
    scenario.prevotes(8, NIL, 0);
    expect(scenario.position().round).toBe(0);
    const effects = scenario.precommits(7, NIL, 1);
    expect(ofType(effects, 'roundStarted')).toEqual([{ type: 'roundStarted', round: 7 }]);
    expect(scenario.position()).toEqual({ round: 7, step: 'propose' });
  });

  test('the votes that came before the skip count after it', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.derive('a');
    scenario.prevotes(7, A, 0, 1, 2);
    expect(signed(scenario.timeout('propose', 7))).toEqual([prevote(7), precommit(7, A)]);
  });

  test('validators in different later rounds take us to the highest that f+1 have reached', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(5, NIL, 0);
    scenario.prevotes(9, NIL, 1);
    expect(scenario.position().round).toBe(5);
  });

  test('who was heard in a later round stays there, whatever it says of earlier ones', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(7, NIL, 0);
    scenario.prevotes(3, NIL, 0);
    scenario.prevotes(7, NIL, 1);
    expect(scenario.position().round).toBe(7);
  });

  test('a proposal of a later round counts towards the skip', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.propose(6, 'a');
    scenario.prevotes(6, NIL, 0);
    expect(scenario.position().round).toBe(6);
  });
});

describe('deciding (lines 49–51)', () => {
  test('2f+1 precommits for a derived value decide it, with a certificate in ascending order', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    const effects = scenario.precommits(0, A, 2, 0, 1);
    expect(effects).toEqual([
      {
        type: 'decide',
        certificate: {
          height: HEIGHT,
          round: 0,
          valueId: A,
          signatures: [0, 1, 2].map((index) => ({ validator: addressOf(index), signature: SIGNATURE })),
        },
        payloadHash: payload('a'),
      },
    ]);
  });

  test('precommits for nil never decide', () => {
    const scenario = createScenario();
    scenario.start();
    expect(ofType(scenario.precommits(0, NIL, 0, 1, 2), 'decide')).toEqual([]);
  });

  test('the quorum before the block: the value is fetched, and decided when its payload is derived', () => {
    const scenario = createScenario();
    scenario.start();
    const effects = scenario.precommits(0, A, 0, 1, 2);
    expect(ofType(effects, 'fetchValue')).toEqual([{ type: 'fetchValue', round: 0, valueId: A }]);
    expect(ofType(scenario.derive('b'), 'decide')).toEqual([]);
    expect(ofType(scenario.derive('a'), 'decide')).toHaveLength(1);
  });

  test('a commit of round 0 that is complete in round 3 is decided', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    scenario.precommits(0, A, 0, 1);
    for (const round of [0, 1, 2]) scenario.prevotes(round + 1, NIL, 0, 1);
    expect(scenario.position().round).toBe(3);
    const [decision] = ofType(scenario.precommits(0, A, 2), 'decide');
    expect(decision?.certificate.round).toBe(0);
  });

  test('a commit of a later round is decided without entering that round', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.derive('a');
    const effects = scenario.precommits(9, A, 0, 1, 2);
    expect(ofType(effects, 'decide')[0]?.certificate.round).toBe(9);
  });

  test("a peer's certificate decides at once, or after its payload was fetched", () => {
    const certificate = {
      height: HEIGHT,
      round: 700,
      valueId: A,
      signatures: [0, 1, 2].map((index) => ({ validator: addressOf(index), signature: SIGNATURE })),
    };
    const known = createScenario();
    known.start();
    known.derive('a');
    expect(known.feed({ type: 'certificate', certificate })).toEqual([
      { type: 'decide', certificate, payloadHash: payload('a') },
    ]);
    const unknown = createScenario();
    expect(unknown.feed({ type: 'certificate', certificate })).toEqual([
      { type: 'fetchValue', round: 700, valueId: A },
    ]);
    expect(ofType(unknown.derive('a'), 'decide')).toHaveLength(1);
  });

  test('a certificate of another height, of strangers, or without a quorum is ignored', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.derive('a');
    const seal = (index: number) => ({ validator: addressOf(index), signature: SIGNATURE });
    const base = { height: HEIGHT, round: 0, valueId: A, signatures: [0, 1, 2].map(seal) };
    for (const certificate of [
      { ...base, height: HEIGHT + 1n },
      { ...base, signatures: [0, 1].map(seal) },
      { ...base, signatures: [0, 1, 9].map(seal) },
      { ...base, signatures: [0, 1, 1].map(seal) },
      { ...base, valueId: NIL },
    ])
      expect(scenario.feed({ type: 'certificate', certificate })).toEqual([]);
  });

  test('35 · a decision is terminal: timeouts, votes and starts after it do nothing', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    scenario.precommits(0, A, 0, 1, 2);
    const decided = scenario.state();
    expect(scenario.timeout('precommit', 0)).toEqual([]);
    expect(scenario.precommits(0, B, 0, 1, 2)).toEqual([]);
    expect(scenario.prevotes(5, NIL, 0, 1)).toEqual([]);
    expect(scenario.start()).toEqual([]);
    expect(scenario.state()).toBe(decided);
  });

  test('our vote that was being signed while others decided still leaves', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    const effects = scenario.prevotes(0, A, 0, 1, 2);
    scenario.precommits(0, A, 0, 1, 2);
    expect(scenario.sign(effects).map(({ type }) => type)).toEqual(['broadcastVote']);
  });
});

describe('values whose payload is missing (RULES 15)', () => {
  test('are asked for at f+1, once for each round, and count all the same', () => {
    const scenario = createScenario();
    scenario.start();
    expect(scenario.prevotes(0, B, 0)).toEqual([]);
    expect(scenario.prevotes(0, B, 1)).toEqual([{ type: 'fetchValue', round: 0, valueId: B }]);
    expect(ofType(scenario.precommits(0, B, 0, 1), 'fetchValue')).toEqual([]);
    expect(ofType(scenario.prevotes(1, B, 0, 1), 'fetchValue')).toEqual([
      { type: 'fetchValue', round: 1, valueId: B },
    ]);
  });

  test('are not asked for while the payload that the voters name is being executed here', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.propose(0, 'a');
    const hinted = (index: number): Input => ({
      type: 'vote',
      vote: vote('prevote', index, 0, A, { payloadHash: payload('a') }),
    });
    expect(scenario.feed(hinted(0), hinted(1), hinted(2))).toEqual([]);
    scenario.timeout('propose', 0);
    expect(ofType(scenario.timeout('prevote', 0), 'fetchValue')).toEqual([
      { type: 'fetchValue', round: 0, valueId: A },
    ]);
  });
});

describe('equivocation', () => {
  test('the first vote counts in the total; a second one is evidence, once', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    scenario.prevotes(0, A, 0);
    const [evidence] = evidenceIn(scenario.prevotes(0, B, 0));
    expect(evidence).toMatchObject({
      type: 'duplicateVote',
      first: { valueId: A, validator: addressOf(0) },
      second: { valueId: B, validator: addressOf(0) },
    });
    expect(evidenceIn(scenario.prevotes(0, C, 0))).toEqual([]);
    expect(evidenceIn(scenario.prevotes(0, B, 0))).toEqual([]);
    expect(scheduled(scenario.prevotes(0, NIL, 1))).toEqual([]);
  });

  test('a polka that needs the second vote of an equivocator is seen all the same', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    scenario.prevotes(0, B, 0);
    scenario.prevotes(0, A, 0, 1);
    expect(signed(scenario.prevotes(0, A, 2))).toEqual([precommit(0, A)]);
  });

  test('a third vote counts only for a value that has f+1 without it', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    scenario.prevotes(0, B, 0);
    scenario.prevotes(0, C, 0);
    scenario.prevotes(0, A, 0);
    expect(keptVotes(scenario.state(), 0, 'prevote')).toHaveLength(2);
    expect(signed(scenario.prevotes(0, A, 1, 2))).toEqual([]);
    expect(signed(scenario.prevotes(0, A, 0))).toEqual([precommit(0, A)]);
  });

  test('an equivocator is reported once, also when a third vote of its counts', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(0, C, 0, 1);
    expect(evidenceIn(scenario.prevotes(0, A, 2))).toHaveLength(0);
    expect(evidenceIn(scenario.prevotes(0, B, 2))).toHaveLength(1);
    expect(evidenceIn(scenario.prevotes(0, C, 2))).toHaveLength(0);
    expect(keptVotes(scenario.state(), 0, 'prevote')).toHaveLength(5);
  });

  test('the same vote with another signature or another hint is no conflict', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(0, A, 0);
    const again = { ...vote('prevote', 0, 0, A, { payloadHash: payload('b') }) };
    const resigned = { ...again, signature: `0x${'77'.repeat(65)}` as typeof SIGNATURE };
    expect(scenario.feed({ type: 'vote', vote: resigned })).toEqual([]);
  });

  test('two proposals of one round are evidence, once; the first is the one that is answered', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.propose(0, 'a');
    const [evidence] = evidenceIn(scenario.propose(0, 'b'));
    expect(evidence).toMatchObject({
      type: 'duplicateProposal',
      first: { payloadHash: payload('a') },
      second: { payloadHash: payload('b') },
    });
    expect(scenario.propose(0, 'c')).toEqual([]);
    expect(scenario.propose(0, 'a')).toEqual([]);
    scenario.derive('b');
    scenario.derive('a');
    expect(signed(scenario.judge(0, 'a'))).toEqual([prevote(0, A)]);
  });

  test('the other proposal of an equivocating proposer is fetched, locked and decided when it has the votes', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.accept(0, 'a');
    expect(ofType(scenario.prevotes(0, B, 0, 1, 2), 'fetchValue')).toHaveLength(1);
    expect(signed(scenario.derive('b'))).toEqual([precommit(0, B)]);
    expect(ofType(scenario.precommits(0, B, 0, 1, 2), 'decide')).toHaveLength(1);
  });
});

describe('messages that do not belong here', () => {
  test('votes of another height or of a stranger leave no trace', () => {
    const scenario = createScenario();
    scenario.start();
    const before = scenario.state();
    for (const stray of [
      vote('prevote', 0, 0, A, { height: HEIGHT + 1_000_000n }),
      vote('prevote', 0, 0, A, { height: HEIGHT - 1n }),
      vote('prevote', 9, 0, A),
      vote('precommit', 9, 5, A),
    ])
      expect(scenario.feed({ type: 'vote', vote: stray })).toEqual([]);
    expect(scenario.state()).toEqual(before);
  });

  test('a proposal of another height, or of anybody but the proposer of its round, leaves no trace', () => {
    const scenario = createScenario();
    scenario.start();
    const before = scenario.state();
    for (const stray of [
      proposal(0, 0, payload('a'), { height: HEIGHT + 1n }),
      proposal(1, 0, payload('a')),
      proposal(9, 0, payload('a')),
    ])
      expect(scenario.feed({ type: 'proposal', proposal: stray })).toEqual([]);
    expect(scenario.state()).toEqual(before);
  });

  test('votes of one validator for ever new rounds keep bounded memory, and f+1 still skip (scenario 14)', () => {
    const scenario = createScenario();
    scenario.start();
    for (let round = 1; round < 2 ** 31; round += 2 ** 20) scenario.prevotes(round, A, 0);
    expect(keptRounds(scenario.state()).length).toBeLessThanOrEqual(6);
    expect(scenario.position().round).toBe(0);
    scenario.prevotes(7, NIL, 1);
    expect(scenario.position().round).toBe(7);
  });

  test('proposals of one proposer for ever new rounds keep bounded memory', () => {
    const scenario = createScenario();
    scenario.start();
    for (let round = 4; round < 4_000; round += 4) scenario.propose(round, 'a');
    expect(scenario.state().proposals.size).toBeLessThanOrEqual(5);
  });

  test('a verdict is forgotten with its round', () => {
    const scenario = createScenario();
    scenario.start();
    for (let round = 0; round < 5; round++) {
      scenario.judge(round, 'a');
      expect(scenario.state().accepted).toEqual([{ round, payloadHash: payload('a') }]);
      scenario.timeout('precommit', round);
    }
    expect(scenario.state().accepted).toEqual([]);
  });

  test('thousands of rounds leave a bounded state', () => {
    const scenario = createScenario();
    scenario.start();
    for (let round = 0; round < 1_000; round++) {
      scenario.propose(round, `p${round}`);
      scenario.derive(`p${round}`);
      scenario.prevotes(round, value(`p${round}`), 0, 1);
      endRound(scenario, round);
    }
    const state = scenario.state();
    expect(state.votes.rounds.size).toBeLessThanOrEqual(66);
    expect(state.proposals.size).toBeLessThanOrEqual(66);
    expect(state.derived.size).toBeLessThanOrEqual(256);
    expect(state.payloads.size).toBeLessThanOrEqual(256);
    expect(state.asked.size).toBeLessThanOrEqual(300);
    expect(state.accepted.length).toBeLessThanOrEqual(1);
  });
});

describe('after a restart', () => {
  const ownVote = (type: 'prevote' | 'precommit', round: number, valueId: typeof A): Input => ({
    type: 'ownVote',
    vote: vote(type, 3, round, valueId),
  });

  test('the same inputs replayed give the same state and the same effects', () => {
    const inputs: Input[] = [
      { type: 'start' },
      { type: 'proposal', proposal: proposal(0, 0, payload('a')) },
      { type: 'derived', payloadHash: payload('a'), value: { valid: true, valueId: A } },
      { type: 'judged', round: 0, payloadHash: payload('a'), accepted: true, reason: '' },
      ownVote('prevote', 0, A),
      { type: 'vote', vote: vote('prevote', 0, 0, A) },
      { type: 'vote', vote: vote('prevote', 1, 0, A) },
      ownVote('precommit', 0, A),
      { type: 'timeout', timeout: { kind: 'precommit', height: HEIGHT, round: 0 } },
    ];
    const first = createScenario();
    const second = createScenario();
    expect(second.feed(...inputs)).toEqual(first.feed(...inputs));
    expect(second.state()).toEqual(first.state());
    expect(second.state().round).toMatchObject({ round: 1, locked: { round: 0, valueId: A } });
  });

  test('own votes alone bring the machine back to their step, locked, and nothing is signed again', () => {
    const scenario = createScenario();
    const effects = scenario.feed(ownVote('prevote', 2, A), ownVote('precommit', 2, A));
    expect(signed(effects)).toEqual([]);
    expect(ofType(effects, 'broadcastVote')).toHaveLength(2);
    expect(scenario.state().round).toMatchObject({
      round: 2,
      step: 'precommit',
      locked: { round: 2, valueId: A },
      valid: { round: 2, valueId: A },
    });
    scenario.start();
    expect(signed([...scenario.accept(2, 'b'), ...scenario.prevotes(2, B, 0, 1, 2)])).toEqual([]);
  });

  test('an own prevote that is replayed before its proposal is not cast a second time', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.feed(ownVote('prevote', 0, A));
    expect(signed(scenario.accept(0, 'b'))).toEqual([]);
    expect(signed(scenario.timeout('propose', 0))).toEqual([]);
  });

  test('our own vote binds us when it comes back from a peer', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.feed({ type: 'vote', vote: vote('precommit', 3, 1, A) });
    expect(scenario.state().round).toMatchObject({
      round: 1,
      step: 'precommit',
      locked: { round: 1, valueId: A },
    });
  });

  test('an own proposal that is replayed keeps us from proposing another in its round', () => {
    const scenario = createScenario();
    const own: Input = { type: 'ownProposal', proposal: proposal(3, 3, payload('a')) };
    const effects = scenario.feed(own);
    expect(effects.map(({ type }) => type)).toEqual([
      'roundStarted',
      'schedule',
      'broadcastProposal',
      'derive',
    ]);
    expect(scenario.feed({ type: 'built', round: 3, payloadHash: payload('b') })).toEqual([]);
    scenario.derive('a');
    expect(signed(scenario.judge(3, 'a'))).toEqual([prevote(3, A)]);
  });

  test('a lock from the guard holds against other values, and a later polka still releases it', () => {
    const scenario = createScenario({ lock: { round: 1, valueId: A } });
    scenario.start();
    scenario.prevotes(2, NIL, 0, 1);
    scenario.propose(2, 'b');
    expect(signed(scenario.derive('b'))).toEqual([prevote(2)]);
    const released = createScenario({ lock: { round: 1, valueId: A } });
    released.start();
    released.prevotes(2, B, 0, 1, 2);
    released.timeout('propose', 2);
    expect(signed(released.derive('b'))).toEqual([precommit(2, B)]);
  });

  test('a lock whose payload is unknown is asked for, and re-voted once the payload is here', () => {
    const scenario = createScenario({ lock: { round: 1, valueId: A } });
    expect(ofType(scenario.start(), 'fetchValue')).toEqual([{ type: 'fetchValue', round: 1, valueId: A }]);
    scenario.prevotes(2, NIL, 0, 1);
    const effects = scenario.repropose(2, 'a', 1);
    expect(ofType(effects, 'derive')).toEqual([{ type: 'derive', payloadHash: payload('a') }]);
    expect(signed(effects)).toEqual([]);
    // Its polka is not repeated by anybody: the lock itself is the proof that there was one.
    expect(signed(scenario.derive('a'))).toEqual([prevote(2, A)]);
  });

  test('a fresh payload that derives to the locked value is prevoted', () => {
    const scenario = createScenario({ lock: { round: 1, valueId: A } });
    scenario.start();
    scenario.prevotes(2, NIL, 0, 1);
    scenario.propose(2, 'a');
    expect(signed(scenario.derive('a'))).toEqual([prevote(2, A)]);
  });
});

describe('what the host reads', () => {
  test('a polka that justifies leaving a lock is found with its prevotes, for the guard', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(0, A, 0, 1);
    expect(polkaFor(scenario.state(), A)).toBeNull();
    scenario.prevotes(0, A, 2);
    const polka = polkaFor(scenario.state(), A);
    expect(polka?.round).toBe(0);
    expect(polka?.prevotes.map(({ validator }) => validator)).toEqual([0, 1, 2].map(addressOf));
  });

  test('a node outside the set follows and decides without ever signing', () => {
    for (const self of [null, 9]) {
      const scenario = createScenario({ self });
      const effects = [
        ...scenario.start(),
        ...scenario.accept(0, 'a'),
        ...scenario.prevotes(0, A, 0, 1, 2),
        ...scenario.precommits(0, A, 0, 1, 2),
      ];
      expect(signed(effects)).toEqual([]);
      expect(ofType(effects, 'decide')).toHaveLength(1);
    }
  });

  test('a state that was handled is not changed', () => {
    const scenario = createScenario();
    scenario.start();
    const before = scenario.state();
    const copy = structuredClone(before);
    scenario.accept(0, 'a');
    scenario.prevotes(0, A, 0, 1, 2);
    expect(before).toEqual(copy);
  });
});

describe('inputs of another height, in every form', () => {
  test('our own vote and proposal of another height, and their timeouts, change nothing', () => {
    const scenario = createScenario();
    scenario.start();
    const before = scenario.state();
    const effects = scenario.feed(
      { type: 'ownVote', vote: vote('prevote', 3, 0, A, { height: HEIGHT + 1n }) },
      { type: 'ownProposal', proposal: proposal(3, 3, payload('a'), { height: HEIGHT + 1n }) },
      { type: 'timeout', timeout: { kind: 'propose', height: HEIGHT - 1n, round: 0 } },
    );
    expect(effects).toEqual([]);
    expect(scenario.state()).toBe(before);
  });

  test('a second certificate does not replace the first one that waits for its payload', () => {
    const scenario = createScenario();
    scenario.start();
    const sealed = (name: string) => ({
      height: HEIGHT,
      round: 0,
      valueId: value(name),
      signatures: [0, 1, 2].map((index) => ({ validator: addressOf(index), signature: SIGNATURE })),
    });
    scenario.feed({ type: 'certificate', certificate: sealed('a') });
    scenario.feed({ type: 'certificate', certificate: sealed('b') });
    scenario.derive('b');
    expect(ofType(scenario.derive('a'), 'decide')).toHaveLength(1);
  });

  test('a polka that nobody has is not found for the guard', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.prevotes(0, A, 0, 1);
    expect(polkaFor(scenario.state(), A)).toBeNull();
  });

  test('when a value is derived from two payloads, the first one serves', () => {
    const scenario = createScenario();
    scenario.start();
    scenario.derive('a');
    scenario.feed({
      type: 'derived',
      payloadHash: payload('b'),
      value: { valid: true, valueId: A },
    });
    expect(scenario.state().payloads.get(A)).toBe(payload('a'));
  });
});
