/** A fault that does nothing would make every scenario pass: each must be seen to do its misdeed on the wire. */
import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import { payloadToHash } from '#consensus/digests.ts';
import type { Hash } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { NIL, type Payload, type Vote } from '#consensus/types.ts';
import { createValidatorSet, isMember } from '#consensus/validatorSet.ts';
import { CONSENSUS_REQUEST_PROTOCOL } from '#node/consensus/asking.ts';
import { type ConsensusMessage, encodeMessage } from '#node/consensus/messages.ts';
import { MAX_CONSENSUS_MESSAGE_BYTES } from '#node/network/network.ts';
import type { FaultName } from '#test/faults/fault.ts';
import { FAULTS } from '#test/faults/faults.ts';
import { SHIFT_MS } from '#test/faults/timeShifter.ts';
import { decoded } from '#test/faults/wire.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { LossyHub } from '#test/sim/cluster/lossyNetwork.ts';
import { hashOf, KEYS, PAYLOAD, signedProposal, signedVote } from '#test/sim/cluster/samples.ts';
import { seededRandom, VirtualClock } from '#test/sim/cluster/virtualClock.ts';

const SET = createValidatorSet(KEYS.map(({ address }) => ({ address, power: 1n })));
const SELF = 1;
const VALUE = hashOf(0xaa);
const OTHER = hashOf(0xbb);
/** v2 proposes in its round 0. */
const HEIGHT = [4n, 5n, 6n, 7n].find((height) => proposerAt(SET, height, 0) === KEYS[SELF]!.address)!;

/** The host of v2 is played by the test, and so are its peers v1, v3 and v4. */
const bench = (name: FaultName, seed = 1) => {
  const clock = new VirtualClock(0);
  const hub = new LossyHub(clock, seededRandom(seed), { loss: 0, minLatencyMs: 1, maxLatencyMs: 1 });
  const networks = KEYS.map(({ address }, index) => hub.join(`v${index + 1}`, address));
  const faulty = FAULTS[name].create({
    network: networks[SELF]!,
    key: KEYS[SELF]!,
    domain: DOMAIN,
    clock,
    random: seededRandom(seed),
    position: () => ({ height: HEIGHT, round: 0, set: SET }),
  });
  const heard: Uint8Array[] = [];
  faulty.network.onConsensus((_peer, bytes) => heard.push(bytes));
  const bytesTo = (to: string): readonly Uint8Array[] =>
    hub.sent.filter((sent) => sent.from === 'v2' && sent.to === to).map(({ message }) => message);
  const to = (peer: string): readonly ConsensusMessage[] =>
    bytesTo(peer).flatMap((bytes) => decoded(bytes) ?? []);
  return {
    clock,
    faulty,
    networks,
    heard,
    bytesTo,
    to,
    votesTo: (peer: string) => to(peer).flatMap((message) => (message.type === 'vote' ? [message.vote] : [])),
    certificatesTo: (peer: string) =>
      to(peer).flatMap((message) => (message.type === 'certificate' ? [message.certificate] : [])),
    proposalsTo: (peer: string) =>
      to(peer).flatMap((message) => (message.type === 'proposal' ? [message.proposal] : [])),
    payloadsTo: (peer: string) =>
      to(peer).flatMap((message) => (message.type === 'payload' ? [message.payload] : [])),
    /** What the honest host sends. */
    say: (message: ConsensusMessage) => faulty.network.broadcastConsensus(encodeMessage(message)),
    hear: async (index: number, message: ConsensusMessage) => {
      networks[index]!.sendConsensus('v2', encodeMessage(message));
      await clock.advance(2);
    },
  };
};

const voteBy = (index: number, vote: Partial<Vote>): ConsensusMessage => ({
  type: 'vote',
  vote: signedVote(
    { type: 'prevote', height: HEIGHT, round: 0, valueId: VALUE, ...vote },
    index,
    payloadToHash(PAYLOAD),
  ),
});

const proposalBy = (index: number, payload: Payload, round = 0): ConsensusMessage => ({
  type: 'proposal',
  proposal: signedProposal(
    { height: HEIGHT, round, polRound: -1, payloadHash: payloadToHash(payload), valueId: NIL },
    index,
  ),
});

const payloadMessage = (payload: Payload): ConsensusMessage => ({ type: 'payload', height: HEIGHT, payload });

const signerOf = (vote: ReturnType<ReturnType<typeof bench>['votesTo']>[number]) =>
  authenticateVote(DOMAIN, vote, vote.signature, null)?.validator;

test('every name has its fault', () => {
  for (const [name, fault] of Object.entries(FAULTS)) expect(fault.name).toBe(name);
});

test.each(Object.keys(FAULTS) as FaultName[])('%s hears what an honest host hears', async (name) => {
  const { hear, heard, faulty } = bench(name);
  await hear(0, voteBy(0, {}));
  faulty.stop();
  expect(heard).toHaveLength(1);
});

test.each(['flooder', 'futureVoter', 'replayer', 'equivocator'] as const)(
  '%s is quiet once it is stopped',
  async (name) => {
    const { faulty, say, hear, clock, bytesTo } = bench(name);
    await hear(0, voteBy(0, {}));
    say(voteBy(SELF, {}));
    faulty.stop();
    const before = bytesTo('v1').length;
    await clock.advance(5_000);
    expect(bytesTo('v1')).toHaveLength(before);
  },
);

test('equivocator tells each half another vote under its own signature, and crosses them a moment later', async () => {
  const { say, votesTo, clock } = bench('equivocator');
  say(voteBy(SELF, {}));
  expect(votesTo('v1').map(({ valueId }) => valueId)).toEqual([VALUE]);
  expect(votesTo('v3').map(({ valueId }) => valueId)).toEqual([VALUE]);
  expect(votesTo('v4').map(({ valueId }) => valueId)).toEqual([NIL]);
  await clock.advance(1_000);
  for (const peer of ['v1', 'v3', 'v4']) {
    expect(new Set(votesTo(peer).map(({ valueId }) => valueId))).toEqual(new Set([VALUE, NIL]));
    for (const vote of votesTo(peer)) expect(signerOf(vote)).toBe(KEYS[SELF]!.address);
  }
});

test('equivocator turns its nil vote into a vote for a value that somebody has', async () => {
  const { say, hear, votesTo } = bench('equivocator');
  await hear(0, voteBy(0, { valueId: OTHER }));
  say(voteBy(SELF, { type: 'precommit', valueId: NIL }));
  expect(votesTo('v4').map(({ valueId }) => valueId)).toEqual([OTHER]);
});

test.each(['equivocator', 'payloadSplitter'] as const)(
  '%s signs two proposals for one round, with a whole payload each',
  (name) => {
    const { say, proposalsTo, payloadsTo } = bench(name);
    say(proposalBy(SELF, PAYLOAD));
    say(payloadMessage(PAYLOAD));
    const [a, b] = [proposalsTo('v1')[0]!, proposalsTo('v4')[0]!];
    expect(a.payloadHash).not.toBe(b.payloadHash);
    expect(payloadToHash(payloadsTo('v1')[0]!)).toBe(a.payloadHash);
    expect(payloadToHash(payloadsTo('v4')[0]!)).toBe(b.payloadHash);
    for (const proposal of [a, b])
      expect(authenticateProposal(DOMAIN, proposal, proposal.signature)?.proposer).toBe(KEYS[SELF]!.address);
  },
);

test('payloadSplitter votes for A to those that got A, and for B to those that got B', async () => {
  const { say, hear, votesTo, proposalsTo } = bench('payloadSplitter');
  say(proposalBy(SELF, PAYLOAD));
  say(payloadMessage(PAYLOAD));
  say(voteBy(SELF, {}));
  expect(votesTo('v1').map(({ valueId }) => valueId)).toEqual([VALUE]);
  expect(votesTo('v4')).toEqual([]);
  const vote = signedVote(
    { type: 'prevote', height: HEIGHT, round: 0, valueId: OTHER },
    3,
    proposalsTo('v4')[0]!.payloadHash,
  );
  await hear(3, { type: 'vote', vote });
  expect(votesTo('v4').map(({ valueId }) => valueId)).toEqual([OTHER]);
  expect(signerOf(votesTo('v4')[0]!)).toBe(KEYS[SELF]!.address);
});

test('amnesiac votes for another value where its lock says nil, without signing twice for a step', async () => {
  const { say, hear, votesTo } = bench('amnesiac');
  say(voteBy(SELF, { type: 'precommit', valueId: VALUE }));
  await hear(0, voteBy(0, { round: 1, valueId: OTHER }));
  say(voteBy(SELF, { round: 1, valueId: NIL }));
  say(voteBy(SELF, { type: 'precommit', round: 1, valueId: NIL }));
  expect(votesTo('v3').map(({ type, round, valueId }) => [type, round, valueId])).toEqual([
    ['precommit', 0, VALUE],
    ['prevote', 1, OTHER],
    ['precommit', 1, OTHER],
  ]);
  for (const vote of votesTo('v3')) expect(signerOf(vote)).toBe(KEYS[SELF]!.address);
});

test('amnesiac waits with its nil vote until there is something to vote for', async () => {
  const { say, hear, votesTo } = bench('amnesiac');
  say(voteBy(SELF, { type: 'precommit', valueId: VALUE }));
  say(voteBy(SELF, { round: 1, valueId: NIL }));
  expect(votesTo('v1')).toHaveLength(1);
  await hear(2, voteBy(2, { round: 1, valueId: OTHER }));
  expect(votesTo('v1').map(({ valueId }) => valueId)).toEqual([VALUE, OTHER]);
});

test('amnesiac votes nil when nobody offers anything', async () => {
  const { say, votesTo, clock } = bench('amnesiac');
  say(voteBy(SELF, { type: 'precommit', valueId: VALUE }));
  say(voteBy(SELF, { round: 1, valueId: NIL }));
  await clock.advance(1_000);
  expect(votesTo('v1').map(({ valueId }) => valueId)).toEqual([VALUE, NIL]);
});

test('silent sends nothing and answers nothing', async () => {
  const { say, hear, bytesTo, faulty, networks } = bench('silent');
  await hear(0, voteBy(0, {}));
  say(voteBy(SELF, {}));
  faulty.network.sendConsensus('v1', encodeMessage(voteBy(SELF, {})));
  expect(['v1', 'v3', 'v4'].flatMap((peer) => bytesTo(peer))).toEqual([]);
  faulty.network.handleRequest('x', async () => Uint8Array.of(1));
  await expect(networks[SELF]!.handlers.get('x')!(networks[0]!.peer, new Uint8Array(0))).rejects.toThrow();
});

test('withholder proposes and votes, gives its payload to one peer at most, and refuses every request', async () => {
  const given = Array.from({ length: 20 }, (_, index) => index * 7_919).map((seed) => {
    const { say, proposalsTo, payloadsTo, votesTo } = bench('withholder', seed);
    say(proposalBy(SELF, PAYLOAD));
    say(payloadMessage(PAYLOAD));
    say(voteBy(SELF, {}));
    for (const peer of ['v1', 'v3', 'v4']) {
      expect(proposalsTo(peer)).toHaveLength(1);
      expect(votesTo(peer)).toHaveLength(1);
    }
    expect([...payloadsTo('v3'), ...payloadsTo('v4')]).toEqual([]);
    return payloadsTo('v1').length;
  });
  expect(new Set(given)).toEqual(new Set([0, 1]));
  const { faulty, networks } = bench('withholder');
  faulty.network.handleRequest(CONSENSUS_REQUEST_PROTOCOL, async () => Uint8Array.of(1));
  const handler = networks[SELF]!.handlers.get(CONSENSUS_REQUEST_PROTOCOL)!;
  await expect(handler(networks[0]!.peer, new Uint8Array(0))).rejects.toThrow();
});

test('forger sends certificates of every kind that must be refused whole', async () => {
  const { say, hear, certificatesTo } = bench('forger');
  for (const index of [0, 2, 3]) await hear(index, voteBy(index, {}));
  say(voteBy(SELF, {}));
  const codes = certificatesTo('v1').map((certificate) => {
    const result = verifyCommitCertificate(DOMAIN, SET, certificate);
    return result.valid ? 'VALID' : result.code;
  });
  expect([...codes].sort()).toEqual(['BAD_SIGNATURE', 'DUPLICATE_SIGNER', 'NO_QUORUM', 'UNKNOWN_SIGNER']);
});

test('forger forges a polRound that is not before the round, and re-proposes what never had a polka', () => {
  const { say, proposalsTo } = bench('forger');
  say(voteBy(SELF, {}));
  const [forged] = proposalsTo('v1');
  expect(forged!.polRound).toBeGreaterThanOrEqual(forged!.round);
  say(proposalBy(SELF, PAYLOAD, 4));
  const reproposal = proposalsTo('v1').at(-1)!;
  expect(reproposal).toMatchObject({ round: 4, polRound: 3 });
  expect(authenticateProposal(DOMAIN, reproposal, reproposal.signature)?.proposer).toBe(KEYS[SELF]!.address);
});

test('flooder sends junk, signed votes for rounds far ahead, and the largest frames', async () => {
  const { clock, bytesTo, votesTo, faulty } = bench('flooder');
  await clock.advance(1_100);
  faulty.stop();
  expect(bytesTo('v3').length).toBeGreaterThan(100);
  expect(bytesTo('v3').some((bytes) => decoded(bytes) === null)).toBe(true);
  expect(bytesTo('v3').some((bytes) => bytes.length === MAX_CONSENSUS_MESSAGE_BYTES)).toBe(true);
  const rounds = new Set(votesTo('v3').map(({ round }) => round));
  expect(rounds.size).toBeGreaterThan(20);
  for (const vote of votesTo('v3')) expect(signerOf(vote)).toBe(KEYS[SELF]!.address);
});

test('futureVoter votes for the last round there is and for a height a million ahead', async () => {
  const { clock, votesTo, faulty } = bench('futureVoter');
  await clock.advance(300);
  faulty.stop();
  expect(votesTo('v4').map(({ round }) => round)).toContain(2 ** 31 - 1);
  expect(votesTo('v4').map(({ height }) => height)).toContain(HEIGHT + 1_000_000n);
  for (const vote of votesTo('v4')) expect(signerOf(vote)).toBe(KEYS[SELF]!.address);
});

test('timeShifter lives an hour ahead, and dates every other payload before its parent', () => {
  const stamps = Array.from({ length: 20 }, (_, index) => index * 7_919).map((seed) => {
    const { faulty, say, payloadsTo, proposalsTo, clock } = bench('timeShifter', seed);
    expect(faulty.clock.nowMs()).toBe(clock.nowMs() + SHIFT_MS);
    say(proposalBy(SELF, PAYLOAD));
    say(payloadMessage(PAYLOAD));
    expect(proposalsTo('v1')).toHaveLength(1);
    expect(proposalsTo('v1')[0]!.payloadHash).toBe(payloadToHash(payloadsTo('v1')[0]!));
    return payloadsTo('v1')[0]!.timestamp;
  });
  expect(stamps.some((stamp) => stamp === PAYLOAD.timestamp)).toBe(true);
  expect(stamps.some((stamp) => stamp < PAYLOAD.timestamp)).toBe(true);
});

test('replayer repeats old messages, signs for another chain, and dates an old certificate for today', async () => {
  const { clock, hear, votesTo, certificatesTo, faulty } = bench('replayer');
  const old = { type: 'precommit', height: HEIGHT - 1n, valueId: OTHER } as const;
  for (const index of [0, 2, 3]) await hear(index, voteBy(index, old));
  await clock.advance(300);
  faulty.stop();
  expect(votesTo('v1').some(({ height, valueId }) => height === HEIGHT - 1n && valueId === OTHER)).toBe(true);
  const foreign = votesTo('v1').filter(({ height }) => height === HEIGHT);
  expect(foreign.length).toBeGreaterThan(0);
  for (const vote of foreign) expect(isMember(SET, signerOf(vote)!)).toBe(false);
  const certificates = certificatesTo('v1');
  expect(certificates.map(({ height }) => height)).toEqual([HEIGHT - 1n, HEIGHT]);
  expect(certificates.map((certificate) => verifyCommitCertificate(DOMAIN, SET, certificate).valid)).toEqual([
    true,
    false,
  ]);
});

test("impersonator alters others' votes, signs under their names, and uses high s and bad v", async () => {
  const { hear, votesTo, certificatesTo, proposalsTo } = bench('impersonator');
  const original = voteBy(0, { type: 'precommit' });
  await hear(0, original);
  await hear(0, proposalBy(0, PAYLOAD));
  const altered = votesTo('v3');
  const values = altered.map(({ type, round, valueId }): [string, number, Hash] => [type, round, valueId]);
  expect(values).toContainEqual(['prevote', 0, VALUE]);
  expect(values).toContainEqual(['precommit', 1, VALUE]);
  const sameVote = altered.filter(
    ({ type, round, valueId }) => type === 'precommit' && round === 0 && valueId === VALUE,
  );
  expect(sameVote).toHaveLength(5);
  for (const vote of altered) expect(KEYS.map(({ address }) => address)).not.toContain(signerOf(vote));
  expect(certificatesTo('v3')[0]!.signatures.map(({ validator }) => validator)).toEqual(
    SET.validators.map(({ address }) => address),
  );
  expect(proposalsTo('v3')).toHaveLength(1);
});
