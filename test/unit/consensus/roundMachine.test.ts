/**
 * The round machine alone, branch by branch: the paper's lines as a table, and what must change nothing.
 *
 * The driver gives many of these inputs in one state only; the machine must hold whoever gives them.
 */
import type { Hash } from '#consensus/primitives.ts';
import {
  applyRound,
  createRoundState,
  type Lock,
  type RoundInput,
  type RoundState,
  type Step,
} from '#consensus/roundMachine.ts';
import { NIL } from '#consensus/types.ts';
import { value } from '#test/unit/consensus/scenario.ts';

const A = value('a');
const B = value('b');

const at = (round: number, step: Step, more: Partial<RoundState> = {}): RoundState => ({
  ...createRoundState(null),
  round,
  step,
  ...more,
});
const locked = (round: number, valueId: Hash): Pick<RoundState, 'locked' | 'valid'> => {
  const lock: Lock = { round, valueId };
  return { locked: lock, valid: lock };
};

/** What the machine says, in short: `prevote 2 nil`, `schedule precommit 2`, `round 3`. */
const said = (state: RoundState, input: RoundInput): readonly string[] =>
  applyRound(state, input).outputs.map((output) => {
    if (output.type === 'roundStarted') return `round ${output.round}`;
    if (output.type === 'schedule') return `schedule ${output.kind} ${output.round}`;
    return `${output.voteType} ${output.round} ${output.valueId === NIL ? 'nil' : output.valueId === A ? 'A' : 'B'}`;
  });

const freshA: RoundInput = { type: 'freshProposal', valueId: A };
const reproposalA = (polRound: number): RoundInput => ({ type: 'reproposal', valueId: A, polRound });
const polkaA = (round: number): RoundInput => ({ type: 'polka', round, valueId: A });

type Row = readonly [what: string, state: RoundState, input: RoundInput, outputs: readonly string[]];

const ROWS: readonly Row[] = [
  [
    '11–21 · a round begins',
    at(-1, 'waiting'),
    { type: 'startRound', round: 0 },
    ['round 0', 'schedule propose 0'],
  ],
  ['23 · a fresh value, nothing locked', at(2, 'propose'), freshA, ['prevote 2 A']],
  ['23 · a fresh value, locked on it', at(2, 'propose', locked(0, A)), freshA, ['prevote 2 A']],
  ['26 · a fresh value, locked on another', at(2, 'propose', locked(0, B)), freshA, ['prevote 2 nil']],
  [
    '26 · a fresh payload that was refused',
    at(2, 'propose'),
    { type: 'freshProposal', valueId: null },
    ['prevote 2 nil'],
  ],
  ['29 · a re-proposal, nothing locked', at(2, 'propose'), reproposalA(1), ['prevote 2 A']],
  [
    '29 · a re-proposal of the locked value, older polka',
    at(3, 'propose', locked(2, A)),
    reproposalA(1),
    ['prevote 3 A'],
  ],
  [
    '29 · a re-proposal, its polka as old as the lock',
    at(3, 'propose', locked(1, B)),
    reproposalA(1),
    ['prevote 3 A'],
  ],
  [
    '29 · a re-proposal, its polka newer than the lock',
    at(3, 'propose', locked(0, B)),
    reproposalA(1),
    ['prevote 3 A'],
  ],
  [
    '32 · a re-proposal, its polka older than the lock',
    at(3, 'propose', locked(2, B)),
    reproposalA(1),
    ['prevote 3 nil'],
  ],
  ['34 · any quorum of prevotes', at(2, 'prevote'), { type: 'prevoteQuorum' }, ['schedule prevote 2']],
  ['36 · a polka in step prevote', at(2, 'prevote'), polkaA(2), ['precommit 2 A']],
  ['36 · a polka moves the lock', at(2, 'prevote', locked(0, B)), polkaA(2), ['precommit 2 A']],
  ['42 · a polka in step precommit', at(2, 'precommit'), polkaA(2), []],
  ['44 · a polka for nil', at(2, 'prevote'), { type: 'nilPolka' }, ['precommit 2 nil']],
  ['47 · any quorum of precommits', at(2, 'propose'), { type: 'precommitQuorum' }, ['schedule precommit 2']],
  [
    '55 · a later round',
    at(2, 'precommit'),
    { type: 'startRound', round: 5 },
    ['round 5', 'schedule propose 5'],
  ],
  [
    '57 · timeoutPropose',
    at(2, 'propose'),
    { type: 'timeout', kind: 'propose', round: 2 },
    ['prevote 2 nil'],
  ],
  [
    '61 · timeoutPrevote',
    at(2, 'prevote'),
    { type: 'timeout', kind: 'prevote', round: 2 },
    ['precommit 2 nil'],
  ],
  [
    '65 · timeoutPrecommit',
    at(2, 'propose'),
    { type: 'timeout', kind: 'precommit', round: 2 },
    ['round 3', 'schedule propose 3'],
  ],
];

test.each(ROWS)('line %s', (_, state, input, outputs) => {
  expect(said(state, input)).toEqual(outputs);
});

const IGNORED: readonly (readonly [what: string, state: RoundState, input: RoundInput])[] = [
  ['a start of the round it is in', at(2, 'prevote'), { type: 'startRound', round: 2 }],
  ['a start of an earlier round', at(2, 'prevote'), { type: 'startRound', round: 1 }],
  ['a fresh proposal before round 0', at(-1, 'waiting'), freshA],
  ['a fresh proposal after its prevote', at(2, 'prevote'), freshA],
  ['a re-proposal after its prevote', at(2, 'prevote'), reproposalA(1)],
  ['a re-proposal whose polka is of its own round (scenario 8)', at(2, 'propose'), reproposalA(2)],
  ['a re-proposal whose polka is of a later round (scenario 8)', at(2, 'propose'), reproposalA(3)],
  ['a re-proposal whose polka is of no round', at(2, 'propose'), reproposalA(-1)],
  ['a quorum of prevotes in step propose', at(2, 'propose'), { type: 'prevoteQuorum' }],
  ['a quorum of prevotes in step precommit', at(2, 'precommit'), { type: 'prevoteQuorum' }],
  [
    'a second quorum of prevotes',
    at(2, 'prevote', { prevoteTimeoutScheduled: true }),
    { type: 'prevoteQuorum' },
  ],
  ['a polka of a later round', at(2, 'prevote'), polkaA(3)],
  ['a polka of this round in step propose', at(2, 'propose'), polkaA(2)],
  ['a polka for nil in step propose', at(2, 'propose'), { type: 'nilPolka' }],
  ['a polka for nil in step precommit', at(2, 'precommit'), { type: 'nilPolka' }],
  ['a quorum of precommits before round 0', at(-1, 'waiting'), { type: 'precommitQuorum' }],
  [
    'a second quorum of precommits',
    at(2, 'propose', { precommitTimeoutScheduled: true }),
    { type: 'precommitQuorum' },
  ],
  ['timeoutPropose in step prevote', at(2, 'prevote'), { type: 'timeout', kind: 'propose', round: 2 }],
  ['timeoutPrevote in step propose', at(2, 'propose'), { type: 'timeout', kind: 'prevote', round: 2 }],
  ['timeoutPrevote in step precommit', at(2, 'precommit'), { type: 'timeout', kind: 'prevote', round: 2 }],
  ['timeoutPropose of an earlier round', at(2, 'propose'), { type: 'timeout', kind: 'propose', round: 1 }],
  [
    'timeoutPrecommit of an earlier round',
    at(2, 'precommit'),
    { type: 'timeout', kind: 'precommit', round: 1 },
  ],
  ['timeoutPrecommit of a later round', at(2, 'precommit'), { type: 'timeout', kind: 'precommit', round: 3 }],
  [
    'our own prevote of this step',
    at(2, 'prevote'),
    { type: 'ownVote', voteType: 'prevote', round: 2, valueId: A },
  ],
  [
    'our own prevote of an earlier round',
    at(2, 'propose'),
    { type: 'ownVote', voteType: 'prevote', round: 1, valueId: A },
  ],
];

test.each(IGNORED)('%s changes nothing', (_, state, input) => {
  const { state: after, outputs } = applyRound(state, input);
  expect(outputs).toEqual([]);
  expect(after).toEqual(state);
});

test('nothing at all is said or changed after the decision (scenario 35)', () => {
  const decided = at(2, 'decided', locked(2, A));
  for (const input of [...ROWS.map(([, , given]) => given), ...IGNORED.map(([, , given]) => given)])
    expect(applyRound(decided, input)).toEqual({ state: decided, outputs: [] });
});

test('a commit of any round ends the height', () => {
  for (const step of ['waiting', 'propose', 'prevote', 'precommit'] as const)
    expect(applyRound(at(3, step), { type: 'commit', round: 0, valueId: A }).state.step).toBe('decided');
});

describe('locks (lines 37–43)', () => {
  test('a polka in step prevote sets lock and valid value to its round', () => {
    const { state } = applyRound(at(2, 'prevote', locked(0, B)), polkaA(2));
    expect(state).toMatchObject({ step: 'precommit', ...locked(2, A) });
  });

  test('a polka in step precommit moves the valid value and leaves the lock', () => {
    const { state } = applyRound(at(2, 'precommit', locked(0, B)), polkaA(2));
    expect(state).toMatchObject({ valid: { round: 2, valueId: A }, locked: { round: 0, valueId: B } });
  });

  test('a polka of an earlier round moves the valid value only forward', () => {
    expect(applyRound(at(4, 'propose', locked(1, B)), polkaA(2)).state.valid).toEqual({
      round: 2,
      valueId: A,
    });
    expect(applyRound(at(4, 'propose', locked(3, B)), polkaA(2)).state.valid).toEqual({
      round: 3,
      valueId: B,
    });
    expect(applyRound(at(4, 'propose', locked(2, B)), polkaA(2)).state.valid).toEqual({
      round: 2,
      valueId: B,
    });
  });

  test('a polka of an earlier round never moves the lock, in any step', () => {
    for (const step of ['propose', 'prevote', 'precommit'] as const) {
      const { state, outputs } = applyRound(at(4, step, locked(1, B)), polkaA(2));
      expect({ outputs, lock: state.locked, step: state.step }).toEqual({
        outputs: [],
        lock: { round: 1, valueId: B },
        step,
      });
    }
  });

  test('a precommit for nil keeps the lock', () => {
    expect(applyRound(at(2, 'prevote', locked(0, A)), { type: 'nilPolka' }).state).toMatchObject(
      locked(0, A),
    );
  });

  test('a new round keeps lock and valid value, and may schedule both timeouts again', () => {
    const state = at(2, 'precommit', {
      ...locked(0, A),
      prevoteTimeoutScheduled: true,
      precommitTimeoutScheduled: true,
    });
    expect(applyRound(state, { type: 'startRound', round: 3 }).state).toEqual(at(3, 'propose', locked(0, A)));
  });
});

describe('our own vote from before a restart', () => {
  const own = (voteType: 'prevote' | 'precommit', round: number, valueId: Hash): RoundInput => ({
    type: 'ownVote',
    voteType,
    round,
    valueId,
  });

  test('of a later round brings us there, in its step, without a timeoutPropose', () => {
    const before = at(0, 'propose', { prevoteTimeoutScheduled: true, precommitTimeoutScheduled: true });
    const { state, outputs } = applyRound(before, own('prevote', 3, A));
    expect(outputs).toEqual([{ type: 'roundStarted', round: 3 }]);
    expect(state).toEqual(at(3, 'prevote'));
  });

  test('of this round moves the step on and never back', () => {
    expect(applyRound(at(2, 'propose'), own('precommit', 2, NIL)).state.step).toBe('precommit');
    expect(applyRound(at(2, 'precommit'), own('prevote', 2, A)).state.step).toBe('precommit');
  });

  test('a precommit for a value locks, also one of an earlier round', () => {
    expect(applyRound(at(2, 'propose'), own('precommit', 2, A)).state).toMatchObject(locked(2, A));
    expect(applyRound(at(2, 'propose'), own('precommit', 1, A)).state).toMatchObject(locked(1, A));
    expect(applyRound(at(3, 'propose', locked(1, B)), own('precommit', 2, A)).state).toMatchObject(
      locked(2, A),
    );
    expect(applyRound(at(3, 'propose', locked(2, B)), own('precommit', 1, A)).state).toMatchObject(
      locked(2, B),
    );
  });

  test('a precommit raises the lock and the valid value each on its own', () => {
    const state = at(3, 'propose', {
      locked: { round: 0, valueId: B },
      valid: { round: 2, valueId: B },
    });
    expect(applyRound(state, own('precommit', 1, A)).state).toMatchObject({
      locked: { round: 1, valueId: A },
      valid: { round: 2, valueId: B },
    });
    const ahead = at(3, 'propose', { locked: { round: 2, valueId: B }, valid: { round: 0, valueId: B } });
    expect(applyRound(ahead, own('precommit', 1, A)).state).toMatchObject({
      locked: { round: 2, valueId: B },
      valid: { round: 1, valueId: A },
    });
    const held = at(3, 'propose', locked(2, B));
    expect(applyRound(held, own('precommit', 2, A)).state).toBe(held);
  });

  test('a precommit for nil and a prevote for a value lock nothing', () => {
    expect(applyRound(at(2, 'propose'), own('precommit', 2, NIL)).state.locked).toBeNull();
    expect(applyRound(at(2, 'propose'), own('prevote', 2, A)).state.locked).toBeNull();
  });
});
