/** Guards that are gone, old, or somebody else's, in a real host among three others. */

import { GUARD_FILE, openGuard } from '#node/consensus/guard.ts';
import { closeHeight } from '#node/consensus/guardChange.ts';
import { Cluster, DOMAIN, type Member } from '#test/sim/cluster/cluster.ts';
import { signedTwice } from '#test/sim/cluster/signedTwice.ts';
import type { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';

const running = async (seed: number): Promise<{ cluster: Cluster; victim: Member }> => {
  const cluster = new Cluster({ seed });
  await cluster.startAll();
  expect(await cluster.until(4n, 60_000)).toBe(true);
  return { cluster, victim: cluster.members[2]! };
};

/**
 * The victim votes on in heights and rounds that `old` does not know, and the last of them stays open. One other
 * validator keeps running: what every memory has lost, nobody can tell.
 */
const forget = async (cluster: Cluster, victim: Member): Promise<TearingDisk> => {
  const old = victim.disk.copy();
  expect(await cluster.until(victim.height() + 3n, 60_000)).toBe(true);
  cluster.crash(cluster.members[0]!);
  cluster.crash(cluster.members[1]!);
  await cluster.clock.advance(4_000);
  cluster.crash(victim, 1);
  return old;
};

const expectSound = (cluster: Cluster): void => {
  expect(cluster.forks()).toEqual([]);
  expect(signedTwice(cluster.hub)).toEqual([]);
};

const goesOnSigning = async (cluster: Cluster, victim: Member): Promise<void> => {
  const before = victim.signed;
  for (const member of cluster.members) if (member.host === null) await cluster.start(member);
  expect(await cluster.until(cluster.highest() + 6n, 120_000)).toBe(true);
  expect(victim.signed).toBeGreaterThan(before);
  expect(victim.host!.status().observing).toBeNull();
  expectSound(cluster);
  await cluster.stopAll();
};

test('the guard of another validator signs nothing: the node observes and names both', async () => {
  const { cluster, victim } = await running(71);
  cluster.crash(victim);
  victim.disk.overwrite(GUARD_FILE, cluster.members[3]!.disk.bytes(GUARD_FILE));
  const before = victim.signed;
  const host = await cluster.start(victim);
  expect(host.status().observing).toMatch(
    new RegExp(`sign guard of ${victim.key.address}.*found that of ${cluster.members[3]!.key.address}`),
  );
  expect(await cluster.until(cluster.highest() + 3n, 60_000)).toBe(true);
  expect(victim.signed).toBe(before);
  expectSound(cluster);
  await cluster.stopAll();
});

test('a guard deleted past genesis, and one of which neither slot is whole, only observe', async () => {
  const { cluster, victim } = await running(72);
  const before = victim.signed;
  for (const damage of [
    () => victim.disk.remove(GUARD_FILE),
    async () => victim.disk.overwrite(GUARD_FILE, new Uint8Array(4_348)),
  ]) {
    cluster.crash(victim);
    const signed = victim.signed;
    await damage();
    const host = await cluster.start(victim);
    expect(host.status().observing).toMatch(/Restore the file, or empty the whole data folder/);
    expect(await cluster.until(cluster.highest() + 3n, 60_000)).toBe(true);
    expect(victim.signed).toBe(signed);
  }
  expect(victim.signed).toBeGreaterThanOrEqual(before);
  expectSound(cluster);
  await cluster.stopAll();
});

test('an old guard beside the newest log and chain: what the log says was signed binds it', async () => {
  const { cluster, victim } = await running(73);
  const old = await forget(cluster, victim);
  victim.disk.overwrite(GUARD_FILE, old.bytes(GUARD_FILE));
  await goesOnSigning(cluster, victim);
});

test('an old guard with old logs beside the newest chain: peers tell it what it forgot', async () => {
  const { cluster, victim } = await running(74);
  victim.disk = await forget(cluster, victim);
  await goesOnSigning(cluster, victim);
});

test('a whole folder from an old copy', async () => {
  const { cluster, victim } = await running(75);
  const blocks = [...victim.database.blocks];
  victim.disk = await forget(cluster, victim);
  victim.database = { blocks };
  await goesOnSigning(cluster, victim);
});

test('a height that an operator closed is not signed in, and the next one is', async () => {
  const { cluster, victim } = await running(76);
  cluster.crash(victim, 1);
  const owner = { validator: victim.key.address, genesisHash: DOMAIN.genesisHash };
  const guard = (await openGuard(victim.disk, owner))!;
  const closed = victim.height() + 5n;
  await guard.amend((state) => closeHeight(state, closed));
  await guard.close();
  const before = victim.signed;
  await cluster.start(victim);
  expect(await cluster.until(closed - 1n, 60_000)).toBe(true);
  await cluster.clock.advance(60_000, () => victim.height() >= closed);
  expect(victim.signed).toBe(before);
  expect(await cluster.until(closed + 3n, 60_000)).toBe(true);
  expect(victim.signed).toBeGreaterThan(before);
  expectSound(cluster);
  await cluster.stopAll();
});
