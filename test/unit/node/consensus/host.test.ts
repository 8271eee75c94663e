import { payloadToHash } from '#consensus/digests.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { NIL } from '#consensus/types.ts';
import { ChainError } from '#node/chain.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { walFileName } from '#node/consensus/wal.ts';
import { Cluster, type Member } from '#test/sim/cluster/cluster.ts';
import { DEPOSITS_HASH } from '#test/sim/cluster/fakeChain.ts';
import { FakeL1 } from '#test/sim/cluster/fakeL1.ts';
import { hashOf, signedProposal } from '#test/sim/cluster/samples.ts';
import { sentVotes, signedTwice } from '#test/sim/cluster/signedTwice.ts';
import { seededRandom } from '#test/sim/cluster/virtualClock.ts';

const announced = (fallback: number): number => {
  const seed = Number(process.env.SEED ?? fallback);
  process.stdout.write(
    `seed ${seed}; replay: SEED=${seed} node_modules/.bin/node --experimental-vm-modules node_modules/.bin/jest test/unit/node/consensus/host.test.ts\n`,
  );
  return seed;
};

const expectSound = (cluster: Cluster): void => {
  expect(cluster.forks()).toEqual([]);
  expect(signedTwice(cluster.hub)).toEqual([]);
  expect(cluster.hub.faults).toEqual([]);
};

const others = (cluster: Cluster, member: Member): readonly Member[] =>
  cluster.members.filter((other) => other !== member);

test('a validator without its guard observes, follows, and says how to repair; the others go on', async () => {
  const cluster = new Cluster({ seed: 11 });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  const victim = cluster.members[0]!;
  cluster.crash(victim);
  await victim.disk.remove('guard');
  const signedBefore = victim.signed;
  const host = await cluster.start(victim);
  expect(host.status().observing).toMatch(/expected the sign guard.*Restore the file/);
  expect(await cluster.until(12n, 60_000)).toBe(true);
  expect(victim.signed).toBe(signedBefore);
  expectSound(cluster);
  await cluster.stopAll();
});

test('23 · corruption in the middle of the WAL: no vote, and the remedy; the others go on', async () => {
  const cluster = new Cluster({ seed: 12 });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  const victim = cluster.members[2]!;
  const openLog = (): string => walFileName(victim.height() + 1n);
  const isVoted = (): boolean => victim.host!.status().step === 'precommit' && victim.disk.has(openLog());
  await cluster.clock.advance(10_000, isVoted);
  expect(isVoted()).toBe(true);
  const file = openLog();
  cluster.crash(victim, 1);
  const bytes = victim.disk.bytes(file);
  bytes[86]! ^= 0xff;
  victim.disk.overwrite(file, bytes);
  const signedBefore = victim.signed;
  const host = await cluster.start(victim);
  expect(host.status().observing).toMatch(/wal repair/);
  expect(await cluster.until(cluster.highest() + 5n, 60_000)).toBe(true);
  expect(victim.signed).toBe(signedBefore);
  expectSound(cluster);
  await cluster.stopAll();
});

test('24 · a disk that fails to sync stops the signing, not the following', async () => {
  const cluster = new Cluster({ seed: 13 });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  const victim = cluster.members[1]!;
  victim.disk.failSync = true;
  expect(await cluster.until(victim.height() + 4n, 60_000)).toBe(true);
  expect(victim.host!.status().observing).toMatch(/synced/);
  const signed = victim.signed;
  expect(await cluster.until(victim.height() + 3n, 60_000)).toBe(true);
  expect(victim.signed).toBe(signed);
  expectSound(cluster);
  await cluster.stopAll();
});

test('25 · a data folder restored from an old backup signs nothing that conflicts, and abstains from the height it forgot', async () => {
  const cluster = new Cluster({ seed: 14 });
  await cluster.startAll();
  await cluster.until(4n, 30_000);
  const victim = cluster.members[3]!;
  const backup = { disk: victim.disk.copy(), blocks: [...victim.database.blocks] };
  // Two others stop: the height stays open, with votes of the victim that the backup does not know.
  await cluster.until(7n, 30_000);
  cluster.crash(cluster.members[0]!);
  cluster.crash(cluster.members[1]!);
  await cluster.clock.advance(4_000);
  cluster.crash(victim);
  victim.disk = backup.disk;
  victim.database = { blocks: backup.blocks };
  await cluster.start(victim);
  await cluster.start(cluster.members[0]!);
  await cluster.start(cluster.members[1]!);
  expect(await cluster.until(14n, 120_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('a wiped validator syncs, asks for its newest vote, and signs again', async () => {
  const cluster = new Cluster({ seed: 15 });
  await cluster.startAll();
  await cluster.until(5n, 30_000);
  const victim = cluster.members[1]!;
  cluster.crash(victim);
  for (const name of await victim.disk.list()) await victim.disk.remove(name);
  victim.database = { blocks: victim.database.blocks.slice(0, 1) };
  const signedBefore = victim.signed;
  await cluster.start(victim);
  expect(await cluster.until(15n, 120_000)).toBe(true);
  expect(victim.signed).toBeGreaterThan(signedBefore);
  expectSound(cluster);
  await cluster.stopAll();
});

test('power cuts of all four at random moments: nothing is signed twice, and blocks resume', async () => {
  const seed = announced(16);
  const random = seededRandom(seed);
  const cluster = new Cluster({ seed, network: { loss: 0.05 } });
  await cluster.startAll();
  for (let cut = 0; cut < 8; cut++) {
    await cluster.clock.advance(Math.floor(100 + random() * 900));
    for (const member of cluster.members) cluster.crash(member, random());
    await cluster.startAll();
  }
  const reached = cluster.highest();
  expect(await cluster.until(reached + 3n, 60_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('a restart in the middle of a height repeats the same signatures', async () => {
  const cluster = new Cluster({ seed: 17 });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  // Two of four cannot commit: the height stays open while the two restart.
  const [a, b, c, d] = cluster.members as [Member, Member, Member, Member];
  cluster.crash(c);
  cluster.crash(d);
  await cluster.clock.advance(1_500);
  const height = a.height() + 1n;
  const before = sentVotes(cluster.hub).filter(({ step }) => step.includes(` ${height}/0`));
  expect(before.length).toBeGreaterThan(0);
  for (const member of [a, b]) cluster.crash(member);
  await cluster.startAll();
  expect(await cluster.until(height + 2n, 60_000)).toBe(true);
  const after = new Map(sentVotes(cluster.hub).map(({ step, signature }) => [step, signature]));
  for (const { step, signature } of before) expect(after.get(step)).toBe(signature);
  expectSound(cluster);
  await cluster.stopAll();
});

test('four validators lose a third of their messages and one its power, and commit one block per height', async () => {
  const seed = announced(7);
  const random = seededRandom(seed);
  const cluster = new Cluster({ seed, network: { loss: 0.3, maxLatencyMs: 80 } });
  await cluster.startAll();
  const victim = cluster.members[1]!;
  expect(await cluster.until(4n, 120_000)).toBe(true);
  await cluster.clock.advance(Math.floor(random() * 400));
  cluster.crash(victim, random());
  expect(await cluster.until(9n, 240_000, others(cluster, victim))).toBe(true);
  await cluster.start(victim);
  expect(await cluster.until(16n, 240_000)).toBe(true);
  expect(cluster.members.flatMap((member) => member.halts)).toEqual([]);
  expectSound(cluster);
  await cluster.stopAll();
});

test('nobody commits height 1 before the L1 contracts are verified, and status says why', async () => {
  const views = [0, 1, 2, 3].map(() => new FakeL1());
  for (const view of views) view.set({ status: { state: 'unverified', reason: 'no contract at 0xabc' } });
  const cluster = new Cluster({ seed: 18, sync: false, l1View: (index) => views[index]! });
  await cluster.startAll();
  for (const view of views.slice(0, 3)) view.set({ status: { state: 'ready' } });
  expect(await cluster.until(3n, 20_000, cluster.members.slice(0, 3))).toBe(true);
  const last = cluster.members[3]!;
  expect(last.signed).toBe(0);
  expect(last.host!.status().waitingFor).toMatch(/L1 before height 1.*no contract at 0xabc/);
  await cluster.stopAll();
});

test('41 · execution that differs on one validator halts it loudly with both receipts; the others go on (RULES 19)', async () => {
  const cluster = new Cluster({ seed: 19, execution: (index) => (index === 2 ? { divergesAt: 4n } : {}) });
  await cluster.startAll();
  const victim = cluster.members[2]!;
  expect(await cluster.until(10n, 60_000, others(cluster, victim))).toBe(true);
  expect(victim.height()).toBe(3n);
  expect(victim.halts).toHaveLength(1);
  expect(victim.halts[0]).toMatchObject({ code: 'DIVERGENCE' });
  expect(victim.halts[0]!.message).toMatch(/stateRoot: ours 0x.*theirs 0x/);
  expect(victim.halts[0]!.message).toMatch(
    /first differing receipt is 0: ours 0x[0-9a-f]{64}, theirs 0x[0-9a-f]{64}/,
  );
  await cluster.stopAll();
});

test('an accepted checkpoint on the L1 that is not our block halts the node', async () => {
  const views = [0, 1, 2, 3].map(() => new FakeL1());
  const cluster = new Cluster({ seed: 20, l1View: (index) => views[index]! });
  await cluster.startAll();
  await cluster.until(4n, 30_000);
  views[1]!.set({
    accepted: { height: 3n, valueId: cluster.members[1]!.database.blocks[3]!.valueId, l1BlockNumber: 8n },
  });
  await cluster.clock.advance(100);
  expect(cluster.members[1]!.halts).toEqual([]);
  views[1]!.set({ accepted: { height: 2n, valueId: hashOf(0xdd), l1BlockNumber: 9n } });
  await cluster.clock.advance(100);
  expect(cluster.members[1]!.halts[0]).toMatchObject({ code: 'L1_CONTRADICTION' });
  await cluster.stopAll();
});

test('a connected graph suffices: four validators in a line commit, also after a restart (RULES 16)', async () => {
  const cluster = new Cluster({ seed: 22 });
  const at = (name: string): number => Number(name.slice(1));
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  cluster.hub.isCut = (a, b) => Math.abs(at(a) - at(b)) !== 1;
  cluster.crash(cluster.members[0]!);
  await cluster.start(cluster.members[0]!);
  expect(await cluster.until(5n, 120_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('a payload that derives longer than timeoutPropose, but came in time, still commits in round 0', async () => {
  const cluster = new Cluster({ seed: 23, execution: () => ({ derivationMs: 2_500 }) });
  await cluster.startAll();
  expect(await cluster.until(3n, 60_000)).toBe(true);
  expect(cluster.members[0]!.database.blocks.slice(1, 4).map((block) => block.certificate!.round)).toEqual([
    0, 0, 0,
  ]);
  expectSound(cluster);
  await cluster.stopAll();
});

test('an import that no own L1 view covers is never committed in round 0, nor in later rounds', async () => {
  const views = [0, 1, 2, 3].map(() => new FakeL1());
  const cluster = new Cluster({
    seed: 24,
    l1View: (index) => views[index]!,
    execution: () => ({ importsAt: 3n }),
  });
  await cluster.startAll();
  await cluster.clock.advance(20_000);
  expect(cluster.heights()).toEqual([2n, 2n, 2n, 2n]);
  expectSound(cluster);
  await cluster.stopAll();
});

test('an import that three L1 views come to cover while it is waited for commits in round 0', async () => {
  const views = [0, 1, 2, 3].map(() => new FakeL1());
  const cluster = new Cluster({
    seed: 25,
    l1View: (index) => views[index]!,
    execution: () => ({ importsAt: 3n }),
  });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  await cluster.clock.advance(500);
  expect(cluster.heights()).toEqual([2n, 2n, 2n, 2n]);
  for (const view of views.slice(0, 3)) view.set({ deposit: [1n, DEPOSITS_HASH] });
  expect(await cluster.until(4n, 20_000)).toBe(true);
  expect(cluster.members[0]!.database.blocks[3]!.certificate!.round).toBe(0);
  expectSound(cluster);
  await cluster.stopAll();
});

test('transactions of a payload that a quorum refused wait ten heights', async () => {
  const cluster = new Cluster({ seed: 26, execution: () => ({ gasLimitSum: 30_000_001n }) });
  await cluster.startAll();
  for (const member of cluster.members) member.mempool.submit(Uint8Array.of(1));
  await cluster.clock.advance(8_000);
  for (const member of cluster.members)
    expect(member.mempool.backedOff[0]).toMatchObject({
      heights: 10,
      hashes: [expect.stringMatching(/^0x/)],
    });
  expectSound(cluster);
  await cluster.stopAll();
});

test('a derivation that the chain has let go since is made again at the commit', async () => {
  const cluster = new Cluster({ seed: 28 });
  await cluster.startAll();
  const { chain } = cluster.members[0]!;
  const commit = chain.commit.bind(chain);
  let refusals = 0;
  chain.commit = (valueId, certificate) =>
    refusals++ === 0
      ? Promise.reject(new ChainError('UNKNOWN_VALUE', 'let go'))
      : commit(valueId, certificate);
  expect(await cluster.until(3n, 30_000)).toBe(true);
  expect(refusals).toBeGreaterThan(1);
  expect(cluster.members[0]!.halts).toEqual([]);
  expectSound(cluster);
  await cluster.stopAll();
});

test('payloads proposed for rounds that have not come are not executed', async () => {
  const cluster = new Cluster({ seed: 29 });
  const [target, , , liar] = cluster.members as [Member, Member, Member, Member];
  const index = cluster.members.indexOf(liar);
  await cluster.start(target);
  const executed: number[] = [];
  const derive = target.chain.derive.bind(target.chain);
  target.chain.derive = (payload) => {
    executed.push(payload.transactions.length);
    return derive(payload);
  };
  const network = cluster.hub.join(liar.name, liar.key.address);
  const { block } = target.chain.head();
  for (let round = 4; round < 40; round++) {
    if (proposerAt(cluster.set, 1n, round) !== liar.key.address) continue;
    const payload = {
      parentHash: block.hash,
      timestamp: block.timestamp,
      feeRecipient: liar.key.address,
      transactions: [Uint8Array.of(round)],
    };
    const proposal = { height: 1n, round, polRound: -1, payloadHash: payloadToHash(payload), valueId: NIL };
    const signed = signedProposal(proposal, index);
    network.sendConsensus(target.name, encodeMessage({ type: 'proposal', proposal: signed }));
    await cluster.clock.advance(30);
    network.sendConsensus(target.name, encodeMessage({ type: 'payload', height: 1n, payload }));
    await cluster.clock.advance(30);
  }
  expect(executed.filter((count) => count > 0)).toEqual([]);
  await cluster.stopAll();
});
