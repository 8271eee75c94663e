import { hexToBytes } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import { FAULTS } from '#test/faults/faults.ts';
import { foreignDomain } from '#test/faults/forging.ts';
import { toHighS, withV } from '#test/faults/impersonator.ts';
import { Cluster, DOMAIN } from '#test/sim/cluster/cluster.ts';
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
  roundOf,
  signVoteWith,
  stepVote,
  voterOf,
} from './stage.ts';

test('3 · prevote equivocation: the first counts, and there is evidence', async () => {
  const { cluster, target, puppets } = await hostAmongPuppets(3);
  const [one, two] = puppets;
  const prevote = { type: 'prevote', height: 1n, round: 0 } as const;
  one.vote(target, { ...prevote, valueId: NIL });
  await cluster.clock.advance(50);
  one.vote(target, { ...prevote, valueId: hashOf(0xee) });
  await cluster.clock.advance(3_000);
  // Two voters are no quorum, however many votes they cast: no timeoutPrevote runs.
  expect(target.host!.status()).toMatchObject({ round: 0, step: 'prevote' });
  expectEvidenceAgainst(cluster, one.member);
  expect(target.evidence).toMatchObject([{ type: 'duplicateVote', first: { valueId: NIL } }]);
  two.vote(target, { ...prevote, valueId: NIL });
  await cluster.clock.advance(1_000);
  expect(target.host!.status()).toMatchObject({ round: 0, step: 'precommit' });
  await cluster.stopAll();
});

test('a liar that resends honest votes with a forged hint makes nobody believe that its execution differs', async () => {
  const { cluster, target, puppets } = await hostAmongPuppets(31);
  const [one, two, three] = puppets;
  const { block } = target.chain.head();
  const { payloadHash } = proposalsBy(cluster, one.member)[0]!;
  // A value that no payload here derives to gathers a quorum of precommits, and the liar says whence it came.
  const precommit = {
    type: 'precommit',
    height: block.height + 1n,
    round: 0,
    valueId: hashOf(0xee),
  } as const;
  for (const { member } of [one, two, three])
    one.send(target, { type: 'vote', vote: { ...signVoteWith(member.key, precommit), payloadHash } });
  await cluster.clock.advance(5_000);
  expect(target.halts).toEqual([]);
  // Of more than 1/3 that say so themselves one is honest (RULES 19).
  two.send(target, { type: 'vote', vote: { ...signVoteWith(two.member.key, precommit), payloadHash } });
  await cluster.clock.advance(5_000, () => target.halts.length > 0);
  expect(target.halts).toMatchObject([{ code: 'DIVERGENCE' }]);
  await cluster.stopAll();
});

test.each([301, 302, 303])(
  '4 · an equivocator in every step: agreement holds, and there is evidence of precommits and prevotes (seed %i)',
  async (seed) => {
    const cluster = clusterWith('equivocator', { seed, network: { maxLatencyMs: 40 } });
    const liar = cluster.members[1]!;
    await cluster.startAll();
    expect(await cluster.until(12n, 120_000, honest(cluster))).toBe(true);
    expectSound(cluster);
    expectEvidenceAgainst(cluster, liar);
    const types = honest(cluster).flatMap(({ evidence }) =>
      evidence.map((found) => (found.type === 'duplicateVote' ? found.first.type : found.type)),
    );
    expect(new Set(types)).toEqual(new Set(['prevote', 'precommit', 'duplicateProposal']));
    await cluster.stopAll();
  },
);

test('5 · an amnesiac that ignores its lock: what one validator decided is what all decide', async () => {
  const keys = proposers(new Cluster({ seed: 5 }), 2n).map(({ name }) => name);
  const cluster = new Cluster({
    seed: 5,
    fault: (index) => (`v${index + 1}` === keys[0] ? FAULTS.amnesiac : null),
  });
  const [liar, x, locked, decider] = proposers(cluster, 2n);
  await cluster.startAll();
  await cluster.until(1n, 30_000);
  // Round 0: x has no proposal and prevotes nil; the three others have a polka; only `decider` sees their precommits.
  const at = { height: 2n, round: 0 } as const;
  cluster.hub.isLost = (_from, to, message) =>
    (to === x.name && isProposalOrPayload(message, 2n, 0)) ||
    (to === x.name && isVote(message, { ...at, type: 'prevote', by: locked })) ||
    isVote(message, { ...at, type: 'precommit', by: decider });
  expect(await cluster.until(2n, 20_000, [decider])).toBe(true);
  expect(x.height()).toBe(1n);
  cluster.crash(decider);
  expect(await cluster.until(2n, 60_000, [x, locked])).toBe(true);
  // The amnesiac did vote for what x proposed in round 1.
  const other = stepVote(cluster, x, { height: 2n, round: 1, type: 'prevote' })!.valueId;
  expect(other).not.toBe(decider.database.blocks[2]!.valueId);
  expect(stepVote(cluster, liar, { height: 2n, round: 1, type: 'prevote' })!.valueId).toBe(other);
  await cluster.start(decider);
  expect(await cluster.until(5n, 60_000, honest(cluster))).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('6 · a hidden lock, twice: it commits after the polka is relayed', async () => {
  // Round 0 begins after the look-back of the start.
  const cluster = new Cluster({ seed: 6, sync: false, emptyBlockIntervalMs: 3_000 });
  const [a, b, c, liar] = proposers(cluster, 1n);
  const puppet = new Puppet(cluster, liar);
  for (const member of [a, b, c]) await cluster.start(member);
  // In rounds 0 and 1 the liar's prevote makes a polka for one validator alone; nobody relays it.
  cluster.hub.isLost = (from, to, message) =>
    (from !== liar.name && voterOf(message)?.validator === liar.key.address) ||
    (to === c.name && isProposalOrPayload(message, 1n, 0));
  for (const [round, proposer] of [a, b].entries()) {
    const at = { height: 1n, round, type: 'prevote' } as const;
    const isVoted = (): boolean => stepVote(cluster, proposer, at) !== undefined;
    await cluster.clock.advance(30_000, isVoted);
    puppet.vote(proposer, { ...at, valueId: stepVote(cluster, proposer, at)!.valueId });
    await cluster.clock.advance(10_000, () => proposer.host!.status().round > round);
  }
  const [first, second] = [a, b].map((member, round) =>
    stepVote(cluster, member, { height: 1n, round, type: 'precommit' }),
  );
  expect([first!.valueId, second!.valueId]).not.toContain(NIL);
  expect(first!.valueId).not.toBe(second!.valueId);
  expect(cluster.heights()).toEqual([0n, 0n, 0n, 0n]);
  cluster.hub.isLost = () => false;
  expect(await cluster.until(1n, 90_000, [a, b, c])).toBe(true);
  expect(a.database.blocks[1]!.valueId).toBe(second!.valueId);
  expectSound(cluster, [liar]);
  await cluster.stopAll();
});

test('10 · forged proof of a later round: nobody skips', async () => {
  const { cluster, target, puppets } = await hostAmongPuppets(10);
  const [liar, one, two] = puppets;
  const real = [one, two].map(({ member }) =>
    signVoteWith(member.key, { type: 'prevote', height: 1n, round: 0, valueId: NIL }),
  );
  for (const vote of real) liar.send(target, { type: 'vote', vote: { ...vote, round: 7 } });
  for (const type of ['prevote', 'precommit'] as const)
    liar.vote(target, { type, height: 1n, round: 7, valueId: NIL });
  const everybody = Uint8Array.of(0b1111);
  const summary = { round: 7, proposal: true, payload: true, prevotes: everybody, precommits: everybody };
  liar.send(target, { type: 'summary', height: 1n, round: 7, rounds: [summary] });
  await cluster.clock.advance(3_000);
  expect(target.host!.status()).toMatchObject({ height: 1n, round: 0 });
  expect(cluster.hub.faults.map(({ peerId, fault }) => [peerId, fault])).toEqual([
    [liar.member.name, 'invalid'],
    [liar.member.name, 'invalid'],
  ]);
  await cluster.stopAll();
});

test('17 · votes from another chain or genesis: rejected, and none of them counts', async () => {
  const { cluster, target, puppets, valueId } = await hostAmongPuppets(17);
  const precommit = { type: 'precommit', height: 1n, round: 0, valueId } as const;
  const domains = [foreignDomain(DOMAIN), { ...DOMAIN, genesisHash: hashOf(0xcd) }];
  for (const domain of domains)
    for (const puppet of puppets)
      puppet.send(target, { type: 'vote', vote: signVoteWith(puppet.member.key, precommit, domain) });
  await cluster.clock.advance(100);
  expect(target.height()).toBe(0n);
  expect(cluster.hub.faults.map(({ fault }) => fault)).toEqual(Array(6).fill('invalid'));
  for (const puppet of puppets) puppet.vote(target, precommit);
  await cluster.clock.advance(100);
  expect(target.height()).toBe(1n);
  await cluster.stopAll();
});

test('17 · a replayer: old and foreign messages change nothing', async () => {
  const cluster = clusterWith('replayer', { seed: 170 });
  await cluster.startAll();
  expect(await cluster.until(12n, 60_000, honest(cluster))).toBe(true);
  expect(new Set(cluster.hub.faults.map(({ peerId }) => peerId))).toEqual(
    new Set([cluster.members[1]!.name]),
  );
  expect(honest(cluster).flatMap(({ evidence }) => evidence)).toEqual([]);
  expectSound(cluster);
  await cluster.stopAll();
});

test('18 · high s or bad v: rejected, though the same key could be recovered', async () => {
  const { cluster, target, puppets, valueId } = await hostAmongPuppets(18);
  const precommit = { type: 'precommit', height: 1n, round: 0, valueId } as const;
  for (const puppet of puppets) {
    const vote = signVoteWith(puppet.member.key, precommit);
    const v = hexToBytes(vote.signature)[64]!;
    const bad = [
      toHighS(vote.signature),
      ...[v - 27, v + 8, v + 27].map((other) => withV(vote.signature, other)),
    ];
    for (const signature of bad) puppet.send(target, { type: 'vote', vote: { ...vote, signature } });
  }
  await cluster.clock.advance(100);
  expect(target.height()).toBe(0n);
  expect(cluster.hub.faults.map(({ fault }) => fault)).toEqual(Array(12).fill('invalid'));
  for (const puppet of puppets) puppet.vote(target, precommit);
  await cluster.clock.advance(100);
  expect(target.height()).toBe(1n);
  expect(target.evidence).toEqual([]);
  await cluster.stopAll();
});

test('18 · an impersonator: nobody is blamed but itself, and the chain goes on', async () => {
  const cluster = clusterWith('impersonator', { seed: 180 });
  await cluster.startAll();
  expect(await cluster.until(12n, 60_000, honest(cluster))).toBe(true);
  expect(new Set(cluster.hub.faults.map(({ peerId }) => peerId))).toEqual(
    new Set([cluster.members[1]!.name]),
  );
  expect(honest(cluster).flatMap(({ evidence }) => evidence)).toEqual([]);
  expect(roundOf(others(cluster, cluster.members[1]!)[0]!, 5n)).toBe(0);
  expectSound(cluster);
  await cluster.stopAll();
});
