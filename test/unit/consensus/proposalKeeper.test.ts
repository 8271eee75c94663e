import { addProposal, EMPTY_PROPOSALS, pruneProposals } from '#consensus/proposalKeeper.ts';
import { AHEAD_ROUNDS, KEPT_ROUNDS } from '#consensus/voteKeeper.ts';
import { payload, proposal, value } from '#test/unit/consensus/scenario.ts';

test('a proposal that fell out of the window is not kept, one at its edge is', () => {
  const current = KEPT_ROUNDS + 10;
  expect(addProposal(EMPTY_PROPOSALS, proposal(0, 9, payload('a')), current).proposals.size).toBe(0);
  expect(addProposal(EMPTY_PROPOSALS, proposal(0, 10, payload('a')), current).proposals.size).toBe(1);
});

test('rounds that fell behind are forgotten when a round begins', () => {
  const { proposals } = addProposal(EMPTY_PROPOSALS, proposal(0, 0, payload('a')), 0);
  expect(pruneProposals(proposals, KEPT_ROUNDS).size).toBe(1);
  expect(pruneProposals(proposals, KEPT_ROUNDS + 1).size).toBe(0);
});

test.each([
  ['payload', proposal(0, 4, payload('b'), { polRound: 1, valueId: value('a') })],
  ['polRound', proposal(0, 4, payload('a'), { polRound: 2, valueId: value('a') })],
  ['value', proposal(0, 4, payload('a'), { polRound: 1, valueId: value('b') })],
])('a second proposal that differs in its %s is a conflict, reported once', (_, second) => {
  const first = proposal(0, 4, payload('a'), { polRound: 1, valueId: value('a') });
  const kept = addProposal(EMPTY_PROPOSALS, first, 4).proposals;
  const change = addProposal(kept, second, 4);
  expect(change.conflict).toEqual({ first, second });
  expect(change.proposals.get(4)!.first).toBe(first);
  expect(addProposal(change.proposals, second, 4).conflict).toBeNull();
});

test('what is not kept leaves the same object: nothing is new, so nothing is logged', () => {
  let proposals = EMPTY_PROPOSALS;
  for (let at = 0; at < AHEAD_ROUNDS; at++)
    proposals = addProposal(proposals, proposal(0, 20 + at, payload('a')), 0).proposals;
  expect(addProposal(proposals, proposal(0, 10, payload('a')), 0).proposals).toBe(proposals);
  expect(addProposal(proposals, proposal(0, 20, payload('a')), 0).proposals).toBe(proposals);
});

test('one proposer uses up its own share of the rounds ahead, the newest of them', () => {
  let proposals = addProposal(EMPTY_PROPOSALS, proposal(1, 50, payload('z')), 0).proposals;
  for (let round = 10; round < 40; round++)
    proposals = addProposal(proposals, proposal(0, round, payload('a')), 0).proposals;
  expect([...proposals.keys()]).toEqual([50, ...Array.from({ length: AHEAD_ROUNDS }, (_, i) => 36 + i)]);
});
