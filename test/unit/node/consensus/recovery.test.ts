import type { Input } from '#consensus/engine.ts';
import { handle } from '#consensus/heightMachine.ts';
import { createHeight } from '#consensus/heightState.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { recoverHeight } from '#node/consensus/recovery.ts';
import type { WalRecord } from '#node/consensus/walRecords.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS, PAYLOAD, signedProposal, signedVote } from '#test/sim/cluster/samples.ts';

const SET = createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n })));
const HEIGHT = 9n;
const OPTIONS = { height: HEIGHT, set: SET, domain: DOMAIN, self: KEYS[0]!.address };
const PAYLOAD_HASH = hashOf(0x50);
const VALUE = hashOf(0x51);
const proposerIndex = KEYS.findIndex(({ address }) => address === proposerAt(SET, HEIGHT, 0));

const proposal = signedProposal(
  { height: HEIGHT, round: 0, polRound: -1, payloadHash: PAYLOAD_HASH, valueId: hashOf(0) },
  proposerIndex,
);
const prevoteOf = (index: number) =>
  signedVote({ type: 'prevote', height: HEIGHT, round: 0, valueId: VALUE }, index, PAYLOAD_HASH);

const UNTIL_PREVOTE: readonly Input[] = [
  { type: 'start' },
  { type: 'proposal', proposal },
  { type: 'derived', payloadHash: PAYLOAD_HASH, value: { valid: true, valueId: VALUE } },
  { type: 'judged', round: 0, payloadHash: PAYLOAD_HASH, accepted: true, reason: '' },
];
const UNTIL_PRECOMMIT: readonly Input[] = [
  ...UNTIL_PREVOTE,
  { type: 'ownVote', vote: prevoteOf(0) },
  { type: 'vote', vote: prevoteOf(1) },
  { type: 'vote', vote: prevoteOf(2) },
];
const recordsOf = (inputs: readonly Input[], withPayload = true): readonly WalRecord[] => [
  ...(withPayload ? [{ type: 'payload', payloadHash: PAYLOAD_HASH, payload: PAYLOAD } as const] : []),
  ...inputs.map((input): WalRecord => ({ type: 'input', input })),
];

test('a replay ends in the state of the run, whatever prefix of it was logged', () => {
  for (let length = 0; length <= UNTIL_PRECOMMIT.length; length++) {
    const inputs = UNTIL_PRECOMMIT.slice(0, length);
    const run = inputs.reduce((state, input) => handle(state, input).state, createHeight(OPTIONS));
    expect(recoverHeight(OPTIONS, null, recordsOf(inputs)).state).toEqual(run);
  }
});

test('a vote that was asked for but not logged is asked for again; a logged one is not', () => {
  const again = recoverHeight(OPTIONS, null, recordsOf(UNTIL_PREVOTE)).outstanding;
  expect(again).toContainEqual({
    type: 'signVote',
    vote: { type: 'prevote', height: HEIGHT, round: 0, valueId: VALUE },
    payloadHash: PAYLOAD_HASH,
  });
  const later = recoverHeight(OPTIONS, null, recordsOf(UNTIL_PRECOMMIT));
  const asked = later.outstanding.flatMap((effect) => (effect.type === 'signVote' ? [effect.vote.type] : []));
  expect(asked).toEqual(['precommit']);
  expect(later.ownVotes).toEqual([prevoteOf(0)]);
});

test('a derivation whose payload is not in the log is not believed: the payload is wanted again', () => {
  const { outstanding, state } = recoverHeight(OPTIONS, null, recordsOf(UNTIL_PREVOTE, false));
  expect(state.derived.size).toBe(0);
  expect(outstanding).toContainEqual({ type: 'derive', payloadHash: PAYLOAD_HASH });
});

test('the lock is the newer of WAL and guard', () => {
  const lost = recoverHeight(OPTIONS, { round: 3, valueId: hashOf(0x77) }, recordsOf([{ type: 'start' }]));
  expect(lost.state.round.locked).toEqual({ round: 3, valueId: hashOf(0x77) });
  const kept = recoverHeight(OPTIONS, { round: 0, valueId: VALUE }, recordsOf(UNTIL_PRECOMMIT));
  expect(kept.state.round.locked).toEqual({ round: 0, valueId: VALUE });
});
