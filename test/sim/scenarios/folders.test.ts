/** Scenario 28 and its kin: folders that are wiped or restored, of as many validators as the quorum needs. */
import { NIL } from '#consensus/types.ts';
import { Cluster, type Member } from '#test/sim/cluster/cluster.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import { expectSound, isVote, stepVote } from './stage.ts';

/** Chain, log, guard: nothing is left but the key. */
const wipe = (member: Member): void => {
  member.disk = new TearingDisk();
  member.database = { blocks: member.database.blocks.slice(0, 1) };
};

const runningTo = async (seed: number, height: bigint): Promise<Cluster> => {
  const cluster = new Cluster({ seed });
  await cluster.startAll();
  expect(await cluster.until(height, 60_000)).toBe(true);
  return cluster;
};

/** From here on all four sign, and commit. */
const expectResumed = async (cluster: Cluster, blocks = 4n): Promise<void> => {
  const signed = cluster.members.map((member) => member.signed);
  expect(await cluster.until(cluster.highest() + blocks, 60_000)).toBe(true);
  for (const [index, member] of cluster.members.entries()) {
    expect([member.name, member.host!.status().observing]).toEqual([member.name, null]);
    expect([member.name, member.signed > signed[index]!]).toEqual([member.name, true]);
  }
  expectSound(cluster);
  await cluster.stopAll();
};

test.each([281, 282, 283])(
  '28 · two data folders are wiped, one after the other: they sync, then blocks resume (seed %i)',
  async (seed) => {
    const cluster = await runningTo(seed, 5n);
    const [first, second] = cluster.members as [Member, Member];
    cluster.crash(first);
    await cluster.clock.advance(700 + 137 * (seed % 10));
    cluster.crash(second);
    const left = cluster.highest();
    await cluster.clock.advance(5_000);
    expect(cluster.highest()).toBeLessThanOrEqual(left + 1n);
    for (const member of [first, second]) {
      wipe(member);
      await cluster.start(member);
    }
    await expectResumed(cluster);
  },
);

test('28 · two data folders are wiped at once, between two heights: they sync, then blocks resume', async () => {
  const cluster = await runningTo(284, 5n);
  const [first, second] = cluster.members as [Member, Member];
  const isBetween = (): boolean =>
    cluster.members.every(
      (member) =>
        member.host!.status().step === 'waiting' && member.height() === cluster.members[0]!.height(),
    );
  await cluster.clock.advance(10_000, isBetween);
  expect(isBetween()).toBe(true);
  for (const member of [first, second]) cluster.crash(member);
  for (const member of [first, second]) wipe(member);
  for (const member of [first, second]) await cluster.start(member);
  await expectResumed(cluster);
});

test('28 · two data folders are wiped in the middle of a height that both voted in: nothing is signed for it, and one of the folders put back is enough', async () => {
  const cluster = await runningTo(285, 5n);
  const height = cluster.highest() + 2n;
  const at = { height, round: 0, type: 'precommit' } as const;
  cluster.hub.isLost = (_from, _to, message) => isVote(message, { height, type: 'precommit' });
  const hasVoted = (member: Member): boolean => (stepVote(cluster, member, at)?.valueId ?? NIL) !== NIL;
  await cluster.clock.advance(20_000, () => cluster.members.every(hasVoted));
  const [first, second] = cluster.members as [Member, Member];
  for (const member of [first, second]) cluster.crash(member, 1);
  cluster.hub.isLost = () => false;
  const folder = first.disk;
  for (const member of [first, second]) wipe(member);
  for (const member of [first, second]) await cluster.start(member);
  await cluster.clock.advance(30_000);
  // Peers hold votes that the two cannot remember: a block may be final where nobody here can see it (RULES 14).
  expect(cluster.highest()).toBe(height - 1n);
  for (const { host } of [first, second])
    expect(host!.status().progress.sentence).toMatch(/signs nothing at height 7/);
  expectSound(cluster);
  cluster.crash(first);
  first.disk = folder;
  await cluster.start(first);
  await expectResumed(cluster);
});

test('28 · while no sync brings what is decided, a wiped validator signs nothing of it', async () => {
  const cluster = new Cluster({ seed: 2861, sync: false });
  await cluster.startAll();
  expect(await cluster.until(5n, 60_000)).toBe(true);
  const [victim, source] = cluster.members as [Member, Member];
  cluster.crash(victim);
  wipe(victim);
  const { signed } = victim;
  // Meanwhile the others forget what it signed.
  expect(await cluster.until(cluster.highest() + 5n, 60_000, cluster.members.slice(1))).toBe(true);
  await cluster.start(victim);
  await cluster.clock.advance(30_000);
  expect([victim.height(), victim.signed]).toEqual([0n, signed]);
  expect(victim.host!.status().observing).toBeNull();
  victim.chain.copyFrom(source.chain);
  await expectResumed(cluster);
});

test('all four with wiped folders before the first vote: the chain begins', async () => {
  const cluster = new Cluster({ seed: 286, emptyBlockIntervalMs: 5_000 });
  await cluster.startAll();
  await cluster.clock.advance(2_000);
  expect(cluster.members.map(({ signed }) => signed)).toEqual([0, 0, 0, 0]);
  for (const member of cluster.members) cluster.crash(member);
  for (const member of cluster.members) wipe(member);
  await cluster.startAll();
  await expectResumed(cluster);
});

test.each([287, 288, 289])(
  'two of four are restored from old copies of their folders: they sync, then blocks resume (seed %i)',
  async (seed) => {
    const cluster = await runningTo(seed, 4n);
    const [first, second] = cluster.members as [Member, Member];
    const copies = [first, second].map(({ disk, database }) => ({
      disk: disk.copy(),
      database: { blocks: [...database.blocks] },
    }));
    expect(await cluster.until(8n, 60_000)).toBe(true);
    cluster.crash(first);
    await cluster.clock.advance(700 + 137 * (seed % 10));
    cluster.crash(second);
    for (const [index, member] of [first, second].entries()) Object.assign(member, copies[index]);
    await cluster.clock.advance(3_000);
    for (const member of [first, second]) await cluster.start(member);
    await expectResumed(cluster);
  },
);
