import type { SignedVote } from '#consensus/types.ts';
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { FutureMessages, MAX_FUTURE_MESSAGES } from '#node/consensus/budgets.ts';
import { Intake } from '#node/consensus/intake.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import type { Peer } from '#node/network/network.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS, PAYLOAD, SIGNATURE, signedProposal, signedVote } from '#test/sim/cluster/samples.ts';
import { VirtualClock } from '#test/sim/cluster/virtualClock.ts';

const SET = createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n })));
const PEER: Peer = { peerId: 'p1', name: 'one', validator: KEYS[1]!.address };

const setUp = () => {
  const position = { height: 5n, round: 0, set: SET, decided: false, wantsPayload: false };
  const votes: SignedVote[] = [];
  const proposals: unknown[] = [];
  const behind: bigint[] = [];
  const certificates: unknown[] = [];
  const evidence: unknown[] = [];
  const late: unknown[] = [];
  const faults: string[] = [];
  const uses: string[] = [];
  const clock = new VirtualClock(0);
  const intake = new Intake(
    DOMAIN,
    {
      reportFault: (peerId, fault) => void faults.push(`${peerId} ${fault}`),
      reportUse: (peerId, use) => void uses.push(`${peerId} ${use}`),
    },
    clock,
    {
      position: () => position,
      onVote: (vote) => votes.push(vote),
      onProposal: (proposal) => proposals.push(proposal),
      onPayload: () => position.wantsPayload,
      onCertificate: (certificate) => certificates.push(certificate),
      onSummary: () => undefined,
      onBehind: (_peer, height) => behind.push(height),
      onSession: () => undefined,
      onEvidence: (_peer, item) => evidence.push(item),
      onLateCertificate: (_peer, certificate) => late.push(certificate),
    },
  );
  return { position, votes, proposals, behind, certificates, evidence, late, faults, uses, clock, intake };
};

const prevote = (height: bigint, round: number, index = 1) =>
  encodeMessage({
    type: 'vote',
    vote: signedVote({ type: 'prevote', height, round, valueId: hashOf(7) }, index, hashOf(8)),
  });

test('a peer without a consensus key is charged and its message is not read', () => {
  const { intake, votes, faults } = setUp();
  intake.receive({ ...PEER, validator: null }, prevote(5n, 0));
  expect(votes).toEqual([]);
  expect(faults).toEqual(['p1 forbidden']);
});

test('garbage, a forged vote, a stranger’s vote and another’s proposal cost the sender', () => {
  const { intake, votes, proposals, faults } = setUp();
  intake.receive(PEER, Uint8Array.of(9, 9, 9));
  intake.receive(
    PEER,
    encodeMessage({
      type: 'vote',
      vote: {
        type: 'prevote',
        height: 5n,
        round: 0,
        valueId: hashOf(7),
        signature: SIGNATURE,
        payloadHash: null,
      },
    }),
  );
  for (const index of [0, 1, 2, 3]) {
    const proposal = signedProposal(
      { height: 5n, round: 0, polRound: -1, payloadHash: hashOf(1), valueId: hashOf(0) },
      index,
    );
    intake.receive(PEER, encodeMessage({ type: 'proposal', proposal }));
  }
  expect(votes).toEqual([]);
  expect(proposals).toHaveLength(1);
  expect(faults).toEqual(['p1 malformed', 'p1 invalid', 'p1 invalid', 'p1 invalid', 'p1 invalid']);
});

test('a certificate that does not verify is refused whole', () => {
  const { intake, certificates, faults } = setUp();
  const certificate = {
    height: 5n,
    round: 0,
    valueId: hashOf(7),
    signatures: KEYS.map(({ address }) => ({ validator: address, signature: SIGNATURE })),
  };
  intake.receive(PEER, encodeMessage({ type: 'certificate', certificate }));
  expect(certificates).toEqual([]);
  expect(faults).toEqual(['p1 invalid']);
});

test('the same vote is taken once, whoever relays it', () => {
  const { intake, votes } = setUp();
  for (const peerId of ['p1', 'p2', 'p3']) intake.receive({ ...PEER, peerId }, prevote(5n, 0));
  expect(votes).toHaveLength(1);
  expect(votes[0]).toMatchObject({ validator: KEYS[1]!.address, payloadHash: hashOf(8) });
});

test('a relayed vote counts without its hint: only the vote’s own validator says where its value comes from', () => {
  const { intake, votes, position } = setUp();
  const vote = signedVote({ type: 'prevote', height: 5n, round: 2, valueId: hashOf(7) }, 2, hashOf(8));
  const from = (index: number, hint: number) =>
    intake.receive(
      { ...PEER, peerId: `p${index}`, validator: KEYS[index]!.address },
      encodeMessage({ type: 'vote', vote: { ...vote, payloadHash: hashOf(hint) } }),
    );
  from(1, 9);
  from(3, 9);
  expect(votes).toEqual([{ ...vote, payloadHash: null }]);
  // Its signer may bring the hint later, once.
  for (const hint of [8, 9]) from(2, hint);
  from(3, 9);
  expect(votes.slice(1)).toEqual([vote]);
  // What waited for its height is no different.
  position.height = 4n;
  from(1, 9);
  position.height = 5n;
  intake.enterHeight(5n);
  expect(votes.slice(2)).toEqual([{ ...vote, payloadHash: null }]);
});

test('a flood is cut off by the peer’s own budget, which refills; other peers are not affected', () => {
  const { intake, faults, votes, clock } = setUp();
  const message = prevote(5n, 0);
  for (let count = 0; count < 8_100; count++) intake.receive(PEER, message);
  expect(faults.length).toBe(100);
  expect(new Set(faults)).toEqual(new Set(['p1 flood']));
  intake.receive({ ...PEER, peerId: 'p2' }, prevote(5n, 0, 2));
  expect(votes).toHaveLength(2);
  clock.block(1_000);
  intake.receive(PEER, prevote(5n, 0, 3));
  expect(votes).toHaveLength(3);
});

test('one validator’s votes for ever later rounds are bounded until our round moves', () => {
  const { intake, votes, position } = setUp();
  for (let round = 2; round < 300; round++) intake.receive(PEER, prevote(5n, round));
  expect(votes).toHaveLength(64);
  position.round = 1;
  intake.enterRound();
  intake.receive(PEER, prevote(5n, 500));
  expect(votes).toHaveLength(65);
});

test('a message far ahead is a hint and nothing is kept; one of the next height waits for it; an old one is dropped', () => {
  const { intake, votes, behind, position } = setUp();
  intake.receive(PEER, prevote(1_000_005n, 0));
  intake.receive(PEER, prevote(4n, 0));
  intake.receive(PEER, prevote(6n, 0));
  expect(votes).toEqual([]);
  expect(behind).toEqual([1_000_005n]);
  position.height = 6n;
  intake.enterHeight(6n);
  expect(votes.map(({ height }) => height)).toEqual([6n]);
});

test('the buffer for the next height is bounded for each peer in messages and bytes', () => {
  const future = new FutureMessages<Peer>();
  for (let count = 0; count < 2 * MAX_FUTURE_MESSAGES; count++) future.add(PEER, 6n, Uint8Array.of(1));
  expect(future.take(6n)).toHaveLength(MAX_FUTURE_MESSAGES);
  const payload = encodeMessage({
    type: 'payload',
    height: 6n,
    payload: { ...PAYLOAD, transactions: [new Uint8Array(2 * 1024 * 1024)] },
  });
  for (let count = 0; count < 3; count++) future.add(PEER, 6n, payload);
  expect(future.take(6n)).toHaveLength(1);
});

describe('what reading a peer was worth', () => {
  test('the first vote of each kind, author and round counts, whoever brings it; others of it do not', () => {
    const { intake, uses, votes } = setUp();
    intake.receive(PEER, prevote(5n, 0));
    intake.receive(PEER, prevote(5n, 0));
    const other = encodeMessage({
      type: 'vote',
      vote: signedVote({ type: 'prevote', height: 5n, round: 0, valueId: hashOf(77) }, 1, hashOf(78)),
    });
    intake.receive(PEER, other);
    expect([votes.length, uses]).toEqual([2, ['p1 vote']]);
    intake.receive(PEER, prevote(5n, 0, 2));
    intake.receive(PEER, prevote(5n, 1));
    expect(uses).toEqual(['p1 vote', 'p1 vote', 'p1 vote']);
  });

  test('votes for rounds far ahead and for other heights do not', () => {
    const { intake, uses } = setUp();
    for (let round = 2; round < 60; round++) intake.receive(PEER, prevote(5n, round));
    for (const height of [4n, 6n, 7n]) intake.receive(PEER, prevote(height, 0));
    expect(uses).toEqual([]);
  });

  test('a round that begins does not make the same votes count again, a height does', () => {
    const { intake, uses, position } = setUp();
    intake.receive(PEER, prevote(5n, 0));
    intake.enterRound();
    intake.receive(PEER, prevote(5n, 0));
    expect(uses).toHaveLength(1);
    position.height = 6n;
    intake.enterHeight(6n);
    intake.receive(PEER, prevote(6n, 0));
    expect(uses).toHaveLength(2);
  });

  test('a payload counts when it was waited for', () => {
    const { intake, uses, position } = setUp();
    const message = encodeMessage({ type: 'payload', height: 5n, payload: PAYLOAD });
    intake.receive(PEER, message);
    expect(uses).toEqual([]);
    position.wantsPayload = true;
    intake.receive(PEER, message);
    expect(uses).toEqual(['p1 payload']);
  });
});
