/**
 * The truth table of README.md, row by row, on the whole height machine: the table and the driver say the same.
 *
 * Each case names its row by the first column; a row without a case, or a case without a row, fails.
 */
import { readFileSync } from 'node:fs';
import type { Effect } from '#consensus/engine.ts';
import { NIL } from '#consensus/types.ts';
import { createScenario, payload, type Scenario, value, vote } from '#test/unit/consensus/scenario.ts';

const A = value('a');
const B = value('b');
const names = new Map<string, string>([
  [NIL, 'nil'],
  [A, 'a'],
  [B, 'b'],
  [payload('a'), 'a'],
  [payload('b'), 'b'],
]);

const shorten = (effect: Effect): string => {
  switch (effect.type) {
    case 'signVote':
      return `${effect.vote.type} ${effect.vote.round} ${names.get(effect.vote.valueId)}`;
    case 'signProposal': {
      const { round, polRound, payloadHash } = effect.proposal;
      return `propose ${round} ${names.get(payloadHash)} pol ${polRound}`;
    }
    case 'schedule':
      return `schedule ${effect.timeout.kind} ${effect.timeout.round}`;
    case 'roundStarted':
      return `round ${effect.round}`;
    case 'fetchValue':
      return `fetch ${names.get(effect.valueId)} of ${effect.round}`;
    case 'derive':
      return `derive ${names.get(effect.payloadHash)}`;
    case 'judge':
      return `judge ${names.get(effect.payloadHash)}`;
    case 'decide':
      return `decide ${names.get(effect.certificate.valueId)} of ${effect.certificate.round}`;
    case 'build':
      return `build ${effect.round}`;
    default:
      return effect.type;
  }
};

/** Validator 3, in round `round` by its own precommit timeouts. */
const inRound = (round: number): Scenario => {
  const scenario = createScenario();
  scenario.start();
  for (let past = 0; past < round; past++) scenario.timeout('precommit', past);
  return scenario;
};

/** In the round after it was locked on `a` in round 0. */
const lockedOnA = (round: number): Scenario => {
  const scenario = createScenario();
  scenario.start();
  scenario.accept(0, 'a');
  scenario.prevotes(0, A, 0, 1, 2);
  for (let past = 0; past < round; past++) scenario.timeout('precommit', past);
  return scenario;
};

type Case = readonly [
  row: string,
  given: () => Scenario,
  input: (scenario: Scenario) => readonly Effect[],
  effects: readonly string[],
];

const CASES: readonly Case[] = [
  [
    '2f+1 precommits for v in any round, or a certificate; known(v)',
    () => {
      const scenario = inRound(2);
      scenario.derive('a');
      scenario.precommits(0, A, 0, 1);
      return scenario;
    },
    (scenario) => scenario.precommits(0, A, 2),
    ['decide a of 0'],
  ],
  [
    'the same, v not known',
    () => inRound(0),
    (scenario) => scenario.precommits(0, A, 0, 1, 2),
    ['fetch a of 0', 'schedule precommit 0'],
  ],
  [
    'f+1 validators heard in a round ≥ q > r, q highest',
    () => inRound(0),
    (scenario) => scenario.prevotes(7, NIL, 0, 1),
    ['round 7', 'schedule propose 7', 'build 7'],
  ],
  [
    'we propose, valid = (v, vr), known(v) / not known',
    () => lockedOnA(2),
    (scenario) => scenario.timeout('precommit', 2),
    ['round 3', 'schedule propose 3', 'propose 3 a pol 0'],
  ],
  [
    'we propose, valid = (v, vr), known(v) / not known',
    () => {
      // a precommit of before a restart
      const scenario = inRound(2);
      scenario.feed({ type: 'ownVote', vote: vote('precommit', 3, 2, A) });
      return scenario;
    },
    (scenario) => scenario.timeout('precommit', 2),
    ['round 3', 'schedule propose 3', 'fetch a of 2'],
  ],
  [
    'we propose, nothing valid, payload built / not yet',
    () => inRound(2),
    (scenario) => scenario.timeout('precommit', 2),
    ['round 3', 'schedule propose 3', 'build 3'],
  ],
  [
    'we propose, nothing valid, payload built / not yet',
    () => inRound(3),
    (scenario) => scenario.feed({ type: 'built', round: 3, payloadHash: payload('a') }),
    ['propose 3 a pol -1'],
  ],
  ['fresh proposal, not derived', () => inRound(0), (scenario) => scenario.propose(0, 'a'), ['derive a']],
  [
    'fresh proposal, invalid by rule',
    () => {
      const scenario = inRound(0);
      scenario.propose(0, 'a');
      return scenario;
    },
    (scenario) =>
      scenario.feed({ type: 'derived', payloadHash: payload('a'), value: { valid: false, reason: 'no' } }),
    ['prevote 0 nil'],
  ],
  [
    'fresh proposal derives to v, locked on another',
    () => {
      const scenario = lockedOnA(1);
      scenario.propose(1, 'b');
      return scenario;
    },
    (scenario) => scenario.derive('b'),
    ['prevote 1 nil'],
  ],
  [
    'fresh proposal derives to v; v locked, or has any polka, or the host accepted it',
    () => {
      const scenario = inRound(0);
      scenario.propose(0, 'a');
      scenario.derive('a');
      return scenario;
    },
    (scenario) => scenario.judge(0, 'a'),
    ['prevote 0 a'],
  ],
  [
    'fresh proposal derives to v; v locked, or has any polka, or the host accepted it',
    () => lockedOnA(1),
    (scenario) => scenario.propose(1, 'a'),
    ['prevote 1 a'],
  ],
  [
    'fresh proposal derives to v, otherwise',
    () => {
      const scenario = inRound(0);
      scenario.propose(0, 'a');
      return scenario;
    },
    (scenario) => scenario.derive('a'),
    ['judge a'],
  ],
  [
    're-proposal of v, vr < r, no payload for v tried',
    () => inRound(1),
    (scenario) => scenario.repropose(1, 'a', 0),
    ['derive a', 'fetch a of 0'],
  ],
  [
    '… and polka(vr, v) and known(v); lockedRound ≤ vr or locked on v / not',
    () => {
      const scenario = inRound(1);
      scenario.derive('a');
      scenario.prevotes(0, A, 0, 1, 2);
      return scenario;
    },
    (scenario) => scenario.repropose(1, 'a', 0),
    ['prevote 1 a'],
  ],
  [
    '… and polka(vr, v) and known(v); lockedRound ≤ vr or locked on v / not',
    () => {
      // locked on b in round 1, offered a with its polka of round 0
      const scenario = inRound(1);
      scenario.accept(1, 'b');
      scenario.prevotes(1, B, 0, 1, 2);
      scenario.derive('a');
      scenario.prevotes(0, A, 0, 1, 2);
      scenario.timeout('precommit', 1);
      return scenario;
    },
    (scenario) => scenario.repropose(2, 'a', 0),
    ['prevote 2 nil'],
  ],
  [
    '… polka or payload missing',
    () => {
      const scenario = inRound(1);
      scenario.derive('a');
      return scenario;
    },
    (scenario) => scenario.repropose(1, 'a', 0),
    ['fetch a of 0'],
  ],
  [
    'polka(r, v), known(v) · prevote',
    () => {
      const scenario = inRound(0);
      scenario.accept(0, 'a');
      scenario.prevotes(0, A, 0, 1);
      return scenario;
    },
    (scenario) => scenario.prevotes(0, A, 2),
    ['precommit 0 a'],
  ],
  [
    'polka(r, v), known(v) · precommit',
    () => {
      const scenario = inRound(0);
      scenario.timeout('propose', 0);
      scenario.timeout('prevote', 0);
      scenario.derive('a');
      return scenario;
    },
    (scenario) => {
      scenario.prevotes(0, A, 0, 1, 2);
      for (const round of [0, 1]) scenario.timeout('precommit', round);
      return scenario.timeout('precommit', 2);
    },
    ['round 3', 'schedule propose 3', 'propose 3 a pol 0'],
  ],
  [
    'polka(q, v), q < r, known(v) only now, q > valid.round',
    () => {
      const scenario = inRound(0);
      scenario.prevotes(0, A, 0, 1, 2);
      for (const round of [0, 1]) scenario.timeout('precommit', round);
      scenario.derive('a');
      return scenario;
    },
    (scenario) => scenario.timeout('precommit', 2),
    ['round 3', 'schedule propose 3', 'propose 3 a pol 0'],
  ],
  [
    '2f+1 prevotes for nil in r',
    () => {
      const scenario = inRound(0);
      scenario.timeout('propose', 0);
      scenario.prevotes(0, NIL, 0, 1);
      return scenario;
    },
    (scenario) => scenario.prevotes(0, NIL, 2),
    ['precommit 0 nil'],
  ],
  [
    '2f+1 prevotes of any kind in r, first time',
    () => {
      const scenario = inRound(0);
      scenario.timeout('propose', 0);
      scenario.prevotes(0, A, 0);
      scenario.prevotes(0, NIL, 1);
      return scenario;
    },
    (scenario) => scenario.feed({ type: 'vote', vote: vote('prevote', 3, 0, NIL) }),
    ['schedule prevote 0'],
  ],
  [
    '2f+1 precommits of any kind in r, first time',
    () => {
      const scenario = inRound(0);
      scenario.precommits(0, A, 0);
      scenario.precommits(0, NIL, 1);
      return scenario;
    },
    (scenario) => scenario.precommits(0, NIL, 2),
    ['schedule precommit 0'],
  ],
  [
    'f+1 votes for v, not known',
    () => {
      const scenario = inRound(0);
      scenario.prevotes(0, A, 0);
      return scenario;
    },
    (scenario) => scenario.prevotes(0, A, 1),
    ['fetch a of 0'],
  ],
  [
    'timeoutPropose / timeoutPrevote / timeoutPrecommit of r',
    () => inRound(0),
    (scenario) => scenario.timeout('propose', 0),
    ['prevote 0 nil'],
  ],
  [
    'timeoutPropose / timeoutPrevote / timeoutPrecommit of r',
    () => {
      const scenario = inRound(0);
      scenario.timeout('propose', 0);
      return scenario;
    },
    (scenario) => scenario.timeout('prevote', 0),
    ['precommit 0 nil'],
  ],
  [
    'timeoutPropose / timeoutPrevote / timeoutPrecommit of r',
    () => inRound(0),
    (scenario) => scenario.timeout('precommit', 0),
    ['round 1', 'schedule propose 1'],
  ],
];

/** Two rows begin alike; the second column tells them apart. */
const rowsOfReadme = (): readonly string[] => {
  const readme = readFileSync(new URL('../../../consensus/README.md', import.meta.url), 'utf8');
  const table = readme.slice(readme.indexOf('| what is known'));
  return table
    .slice(0, table.indexOf('\n\n'))
    .split('\n')
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map((cells) => (cells[1] === 'polka(r, v), known(v)' ? `${cells[1]} · ${cells[2]}` : cells[1]!));
};

test('each row of the table in README.md has a case here, and each case a row', () => {
  expect([...new Set(CASES.map(([row]) => row))]).toEqual(rowsOfReadme());
});

test.each(CASES)('%s', (_, given, input, effects) => {
  expect(input(given()).map(shorten)).toEqual(effects);
});
