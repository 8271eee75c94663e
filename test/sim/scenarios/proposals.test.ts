import { proposerAt } from '#consensus/proposer.ts';
import { NIL } from '#consensus/types.ts';
import { Cluster } from '#test/sim/cluster/cluster.ts';
import { hashOf } from '#test/sim/cluster/samples.ts';
import {
  clusterWith,
  expectEvidenceAgainst,
  expectSound,
  honest,
  hostAmongPuppets,
  isProposalOrPayload,
  isVote,
  others,
  Puppet,
  proposalsBy,
  proposers,
  read,
  roundOf,
  stepVote,
} from './stage.ts';

test.each([101, 102, 103])(
  '1 · a proposer that sends A to half and B to the other half: at most one commits, and there is evidence (seed %i)',
  async (seed) => {
    const cluster = clusterWith('payloadSplitter', { seed });
    const liar = cluster.members[1]!;
    await cluster.startAll();
    expect(await cluster.until(9n, 60_000)).toBe(true);
    const split = proposalsBy(cluster, liar).filter(({ height, round }) => height < 9n && round === 0);
    expect(new Set(split.map(({ payloadHash }) => payloadHash)).size).toBeGreaterThan(
      new Set(split.map(({ height }) => height)).size,
    );
    expectSound(cluster);
    expectEvidenceAgainst(cluster, liar);
    expect(honest(cluster).flatMap(({ evidence }) => evidence.map(({ type }) => type))).toContain(
      'duplicateProposal',
    );
    await cluster.stopAll();
  },
);

test('2 · a silent proposer: round 1 commits', async () => {
  const cluster = clusterWith('silent', { seed: 2 });
  const liar = cluster.members[1]!;
  await cluster.startAll();
  expect(await cluster.until(9n, 60_000, honest(cluster))).toBe(true);
  for (let height = 1n; height <= 9n; height++) {
    const isItsTurn = proposerAt(cluster.set, height, 0) === liar.key.address;
    expect([height, roundOf(honest(cluster)[0]!, height)]).toEqual([height, isItsTurn ? 1 : 0]);
  }
  expectSound(cluster);
  await cluster.stopAll();
});

test('7 · a re-proposal without its polka: the prevotes are fetched, and its round commits', async () => {
  const cluster = new Cluster({ seed: 7 });
  const [a, b, c, d] = proposers(cluster, 2n);
  await cluster.startAll();
  await cluster.until(1n, 30_000);
  // In round 0 all but c, which lacks the proposal, see a polka, and nobody a commit. Then d is gone: c is needed.
  const at = { height: 2n, round: 0 } as const;
  cluster.hub.isLost = (_from, to, message) =>
    (to === c.name && isProposalOrPayload(message, 2n, 0)) ||
    (to === c.name && isVote(message, { ...at, type: 'prevote', by: b })) ||
    isVote(message, { ...at, type: 'precommit', by: d }) ||
    (to === d.name && isVote(message, { ...at, type: 'precommit', by: a }));
  await cluster.clock.advance(5_000, () => b.host!.status().height === 2n && b.host!.status().round === 1);
  cluster.crash(d);
  expect(await cluster.until(2n, 20_000, [a, b, c])).toBe(true);
  expect(proposalsBy(cluster, b).find(({ height, round }) => height === 2n && round === 1)).toMatchObject({
    polRound: 0,
  });
  expect(roundOf(c, 2n)).toBe(1);
  expectSound(cluster);
  await cluster.stopAll();
});

test('7 · re-proposals of what never had a polka: no permanent stall', async () => {
  const cluster = clusterWith('forger', { seed: 70 });
  const liar = cluster.members[1]!;
  const [first] = proposers(cluster, 2n);
  expect(first).not.toBe(liar);
  await cluster.startAll();
  await cluster.until(1n, 30_000);
  // The forger's turn comes in a later round: the proposals of the rounds before it are lost.
  cluster.hub.isLost = (from, _to, message) => from !== liar.name && isProposalOrPayload(message, 2n);
  const isForged = (): boolean =>
    proposalsBy(cluster, liar).some(({ height, polRound, round }) => height === 2n && polRound === round - 1);
  await cluster.clock.advance(60_000, isForged);
  expect(isForged()).toBe(true);
  cluster.hub.isLost = () => false;
  expect(await cluster.until(4n, 30_000, honest(cluster))).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('8 · a polRound that is not before its round: rejected, and the round goes by', async () => {
  const cluster = new Cluster({ seed: 8, sync: false });
  const [liar, ...rest] = proposers(cluster, 1n);
  const puppet = new Puppet(cluster, liar);
  for (const member of rest) await cluster.start(member);
  await cluster.clock.advance(100);
  for (const [at, member] of rest.entries()) {
    const proposal = { height: 1n, round: 0, payloadHash: hashOf(1), valueId: hashOf(2) };
    puppet.propose(member, { ...proposal, polRound: at * 1_000 });
  }
  await cluster.clock.advance(50);
  for (const member of rest) {
    const charges = cluster.hub.faults.filter(({ by, peerId }) => by === member.name && peerId === liar.name);
    expect(charges.map(({ fault }) => fault)).toEqual(['invalid']);
  }
  expect(await cluster.until(1n, 20_000, rest)).toBe(true);
  expect(roundOf(rest[0]!, 1n)).toBe(1);
  for (const member of rest)
    expect(stepVote(cluster, member, { height: 1n, round: 0, type: 'prevote' })!.valueId).toBe(NIL);
  expectSound(cluster, [liar]);
  await cluster.stopAll();
});

test('8 · a forger of polRounds, certificates and re-proposals: the chain goes on without a fork', async () => {
  const cluster = clusterWith('forger', { seed: 80 });
  await cluster.startAll();
  expect(await cluster.until(12n, 60_000, honest(cluster))).toBe(true);
  const charged = new Set(cluster.hub.faults.map(({ peerId }) => peerId));
  expect(charged).toEqual(new Set([cluster.members[1]!.name]));
  expectSound(cluster);
  await cluster.stopAll();
});

test('11 · a commit quorum before the block: the block is fetched, then committed', async () => {
  const cluster = new Cluster({ seed: 11, sync: false });
  const target = proposers(cluster, 3n)[2];
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  cluster.hub.isLost = (_from, to, message) => to === target.name && isProposalOrPayload(message, 3n);
  const wasProposed = (): boolean =>
    cluster.hub.sent.some(({ to, message }) => to === target.name && read(message)?.type === 'payload');
  expect(await cluster.until(3n, 20_000)).toBe(true);
  expect(wasProposed()).toBe(true);
  expect(roundOf(target, 3n)).toBe(0);
  expect(stepVote(cluster, target, { height: 3n, round: 0, type: 'precommit' })?.valueId ?? NIL).toBe(NIL);
  expect(await cluster.until(6n, 20_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('12 · the commit of round 0 arrives in round 3: it commits', async () => {
  const { cluster, target, puppets, valueId } = await hostAmongPuppets(12);
  const members = puppets.map(({ member }) => member);
  for (const puppet of puppets.slice(0, 2))
    puppet.vote(target, { type: 'prevote', height: 1n, round: 3, valueId: NIL });
  await cluster.clock.advance(50);
  expect(target.host!.status()).toMatchObject({ height: 1n, round: 3 });
  for (const puppet of puppets) puppet.vote(target, { type: 'precommit', height: 1n, round: 0, valueId });
  await cluster.clock.advance(100);
  expect(target.height()).toBe(1n);
  expect(roundOf(target, 1n)).toBe(0);
  expectSound(cluster, members);
  await cluster.stopAll();
});

test('13 · f + 1 at round 7: the laggard skips to 7; one alone moves nobody', async () => {
  const { cluster, target, puppets } = await hostAmongPuppets(13);
  const vote = { type: 'prevote', height: 1n, valueId: NIL } as const;
  puppets[0].vote(target, { ...vote, round: 7 });
  await cluster.clock.advance(50);
  expect(target.host!.status()).toMatchObject({ height: 1n, round: 0 });
  puppets[1].vote(target, { ...vote, round: 7 });
  await cluster.clock.advance(50);
  expect(target.host!.status()).toMatchObject({ height: 1n, round: 7 });
  expectSound(cluster, others(cluster, target));
  await cluster.stopAll();
});
