/** Real hosts: evidence reaches every honest validator, and nothing else does. */
import type { Misbehaviour } from '#consensus/evidence.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { EVIDENCE_FILES } from '#node/consensus/evidence/evidenceStore.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { FAULTS } from '#test/faults/faults.ts';
import { Cluster, DOMAIN, type Member } from '#test/sim/cluster/cluster.ts';
import { hashOf } from '#test/sim/cluster/samples.ts';
import {
  certificateBy,
  FORGED,
  NEWCOMER,
  type PairOptions,
  twoProposals,
  twoVotes,
  voteBy,
} from '#test/unit/node/consensus/evidence/support.ts';

const evidenceOf = (member: Member) => member.host!.evidence();
const peerOf = ({ name, key }: Member) => ({ peerId: name, name, validator: key.address });

const send = (cluster: Cluster, from: Member, to: Member, evidence: Misbehaviour): void =>
  cluster.hub.deliver(peerOf(from), to.name, encodeMessage({ type: 'evidence', evidence }));

/** The offender's second prevote of the current height, to one validator only. */
const equivocate = async (cluster: Cluster, offender: Member, witness: Member): Promise<void> => {
  const height = witness.height() + 1n;
  const vote = voteBy(offender.key, { type: 'prevote', height, round: 0, valueId: hashOf(0x5a) });
  cluster.hub.deliver(peerOf(offender), witness.name, encodeMessage({ type: 'vote', vote }));
  await cluster.until(height + 1n, 30_000, [witness]);
};

const sevenOf = async (seed: number) => {
  const cluster = new Cluster({ seed, validators: 7 });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  const [witness, away, down, offender, ...others] = cluster.members as [Member, Member, Member, Member];
  return { cluster, witness, away, down, offender, others: others as readonly Member[] };
};

test('one equivocation that one node saw is known to all, also to one cut off and to one that was down', async () => {
  const { cluster, witness, away, down, offender, others } = await sevenOf(21);
  cluster.crash(down);
  cluster.hub.isCut = (a, b) => a === away.name || b === away.name;
  await equivocate(cluster, offender, witness);
  expect(evidenceOf(witness)).toHaveLength(1);
  expect(evidenceOf(witness)[0]).toMatchObject({ offenders: [offender.key.address] });
  for (const member of others) expect(evidenceOf(member)).toEqual(evidenceOf(witness));
  expect(evidenceOf(away)).toEqual([]);
  cluster.hub.isCut = () => false;
  // Nobody connects and nothing is new: the one that was cut off has to ask.
  await cluster.clock.advance(120_000, () => evidenceOf(away).length > 0);
  expect(evidenceOf(away)).toEqual(evidenceOf(witness));
  await cluster.start(down);
  const honest = [witness, away, down, ...others];
  const isEverywhere = (): boolean => honest.every((member) => evidenceOf(member).length === 1);
  await cluster.clock.advance(120_000, isEverywhere);
  for (const member of honest) expect(evidenceOf(member)).toEqual(evidenceOf(witness));
  expect(cluster.hub.faults).toEqual([]);
  await cluster.stopAll();
});

test('a node that is killed knows what it knew, without a peer to ask', async () => {
  const { cluster, witness, offender } = await sevenOf(22);
  await equivocate(cluster, offender, witness);
  const before = evidenceOf(witness);
  expect(before).toHaveLength(1);
  cluster.crash(witness);
  cluster.hub.isCut = (a, b) => a === witness.name || b === witness.name;
  await cluster.start(witness);
  expect(evidenceOf(witness)).toEqual(before);
  await cluster.stopAll();
});

test('a damaged evidence file keeps nobody from voting, and peers send again what it held', async () => {
  const { cluster, witness, offender } = await sevenOf(23);
  await equivocate(cluster, offender, witness);
  const before = evidenceOf(witness);
  cluster.crash(witness);
  const file = EVIDENCE_FILES.find((name) => witness.disk.has(name))!;
  witness.disk.overwrite(file, witness.disk.bytes(file).fill(0x41));
  const host = await cluster.start(witness);
  expect(evidenceOf(witness)).toEqual([]);
  const signed = witness.signed;
  await cluster.clock.advance(60_000, () => evidenceOf(witness).length > 0 && witness.signed > signed + 4);
  expect(host.status().observing).toBeNull();
  expect(witness.signed).toBeGreaterThan(signed);
  expect(evidenceOf(witness)).toEqual(before);
  await cluster.stopAll();
});

test('a validator that equivocates at every step is convicted by all, in bounded space', async () => {
  const offender = 3;
  const cluster = new Cluster({
    seed: 24,
    fault: (index) => (index === offender ? FAULTS.equivocator : null),
  });
  await cluster.startAll();
  expect(await cluster.until(30n, 300_000)).toBe(true);
  for (const [index, member] of cluster.members.entries()) {
    if (index === offender) continue;
    const evidence = evidenceOf(member);
    expect(evidence.length).toBeGreaterThan(8);
    expect(evidence.length).toBeLessThanOrEqual(24);
    for (const { offenders } of evidence) expect(offenders).toEqual([cluster.members[offender]!.key.address]);
  }
  await cluster.stopAll();
});

test('two certificates for one height are evidence, known to all', async () => {
  const { cluster, witness, away: liar } = await sevenOf(25);
  const height = witness.height();
  const keys = cluster.members.slice(0, 5).map(({ key }) => key);
  const certificate = certificateBy(keys, height, 9, hashOf(0x66));
  cluster.hub.deliver(peerOf(liar), witness.name, encodeMessage({ type: 'certificate', certificate }));
  await cluster.clock.advance(2_000);
  for (const member of cluster.members) {
    expect(evidenceOf(member)).toHaveLength(1);
    expect(evidenceOf(member)[0]!.item).toMatchObject({
      type: 'conflictingCommit',
      first: { height },
      second: { height, valueId: hashOf(0x66) },
    });
  }
  expect(cluster.hub.faults).toEqual([]);
  await cluster.stopAll();
});

test.each<[string, (liar: Member, victim: Member) => Misbehaviour]>([
  [
    'a forged signature',
    (_liar, { key }) => {
      const item = twoVotes({ key, height: 1n });
      return { ...item, second: { ...item.second, signature: FORGED } } as typeof item;
    },
  ],
  ['one message twice', ({ key }) => twoVotes({ key, height: 1n, values: [hashOf(1), hashOf(1)] })],
  ['a stranger', () => twoVotes({ key: NEWCOMER, height: 1n })],
  ['another chain', ({ key }) => twoVotes({ key, height: 1n, domain: { ...DOMAIN, chainId: 1n } })],
  ['a height far ahead', ({ key }) => twoVotes({ key, height: 1_000_000n })],
])('evidence with %s is not kept, and its sender is charged', async (_what, create) => {
  const cluster = new Cluster({ seed: 26 });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  await cluster.clock.advance(2_000);
  const [receiver, liar, victim] = cluster.members as [Member, Member, Member];
  send(cluster, liar, receiver, create(liar, victim));
  await cluster.clock.advance(200);
  expect(evidenceOf(receiver)).toEqual([]);
  expect(cluster.hub.faults).toMatchObject([{ by: receiver.name, peerId: liar.name, fault: 'invalid' }]);
  await cluster.stopAll();
});

test('evidence a little ahead, old evidence and known evidence cost their honest sender nothing', async () => {
  const cluster = new Cluster({ seed: 27 });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  const [receiver, sender, other] = cluster.members as [Member, Member, Member];
  const of = (options: PairOptions) => twoVotes({ key: other.key, ...options });
  send(cluster, sender, receiver, of({ height: receiver.height() + 20n }));
  for (let count = 0; count < 3; count++) send(cluster, sender, receiver, of({ height: 1n }));
  await cluster.clock.advance(500);
  expect(evidenceOf(receiver)).toHaveLength(1);
  expect(cluster.hub.faults).toEqual([]);
  await cluster.stopAll();
});

test('what one peer may make this node verify is bounded, and blocks go on', async () => {
  const cluster = new Cluster({ seed: 28 });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  const [receiver, liar, victim] = cluster.members as [Member, Member, Member];
  const item = twoVotes({ key: victim.key, height: 1n });
  for (let round = 1; round <= 2_000; round++) {
    const forged = {
      ...item,
      first: { ...item.first, round },
      second: { ...item.second, round },
    } as typeof item;
    send(cluster, liar, receiver, forged);
  }
  await cluster.clock.advance(50);
  const charged = cluster.hub.faults.filter(({ fault }) => fault === 'invalid').length;
  // A queue of 256 at a time, 512 pairs of signatures at once: the rest is dropped unread.
  expect(charged).toBeGreaterThan(0);
  expect(charged).toBeLessThanOrEqual(600);
  expect(evidenceOf(receiver)).toEqual([]);
  expect(await cluster.until(cluster.highest() + 3n, 30_000)).toBe(true);
  await cluster.stopAll();
});

test('two proposals of one round are evidence from peers as well', async () => {
  const cluster = new Cluster({ seed: 29 });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  const proposer = proposerAt(cluster.set, 1n, 0);
  const offender = cluster.members.find(({ key }) => key.address === proposer)!;
  const honest = cluster.members.filter((member) => member !== offender);

  send(cluster, offender, honest[0]!, twoProposals({ key: offender.key, height: 1n }));
  await cluster.clock.advance(200);
  for (const member of honest)
    expect(evidenceOf(member).map(({ item }) => item.type)).toEqual(['duplicateProposal']);
  await cluster.stopAll();
});
