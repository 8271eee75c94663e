import { voteDigest } from '#consensus/digests.ts';
import { NIL } from '#consensus/types.ts';
import { openGuard } from '#node/consensus/guard.ts';
import { walFileName } from '#node/consensus/wal.ts';
import { Cluster, DOMAIN, type Member } from '#test/sim/cluster/cluster.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import { expectSound, isVote, others, proposers, roundOf, stepVote, votesBy } from './stage.ts';

const HEIGHT = 3n;

/** Four that have committed two blocks; one is then away for good, so that each of the three is needed. */
const threeOfFour = async (
  seed: number,
): Promise<{ cluster: Cluster; victim: Member; three: readonly Member[] }> => {
  const cluster = new Cluster({ seed, sync: false });
  const [victim, , away] = proposers(cluster, HEIGHT);
  await cluster.startAll();
  await cluster.until(HEIGHT - 1n, 30_000);
  cluster.crash(away);
  return { cluster, victim, three: others(cluster, away) };
};

const guardOf = async (cluster: Cluster, { disk, key }: Member) => {
  const owner = { validator: key.address, genesisHash: DOMAIN.genesisHash };
  expect(cluster.set.validators.map(({ address }) => address)).toContain(key.address);
  const guard = await openGuard(disk.copy(), owner);
  return guard!.state();
};

test.each(['prevote', 'precommit'] as const)(
  '20 · a crash after signing a %s, before the WAL: the same signature after the restart',
  async (type) => {
    const { cluster, victim, three } = await threeOfFour(type === 'prevote' ? 20 : 21);
    // The power goes the moment the guard is on the disk: the log has not heard of the signature yet.
    const isDue = async (): Promise<boolean> => {
      const { height, round, step } = await guardOf(cluster, victim);
      return height === HEIGHT && round === 0 && step === type;
    };
    victim.disk.onSynced = async (name) => {
      if (name !== 'guard' || !(await isDue())) return;
      victim.disk.onSynced = null;
      cluster.crash(victim);
    };
    await cluster.clock.advance(20_000, () => victim.host === null);
    expect(victim.host).toBeNull();
    const { signature, digest } = await guardOf(cluster, victim);
    expect(votesBy(cluster, victim, HEIGHT).map((vote) => vote.type)).not.toContain(type);
    const signed = victim.signed;
    await cluster.start(victim);
    expect(await cluster.until(HEIGHT, 60_000, three)).toBe(true);
    const sent = stepVote(cluster, victim, { height: HEIGHT, round: 0, type })!;
    expect(sent.signature).toBe(signature);
    expect(voteDigest(DOMAIN, sent)).toBe(digest);
    expect(victim.signed).toBeGreaterThanOrEqual(signed);
    expectSound(cluster);
    await cluster.stopAll();
  },
);

test('21 · a crash after the WAL, before the broadcast: it replays and sends the same votes again', async () => {
  const { cluster, victim, three } = await threeOfFour(22);
  const at = { height: HEIGHT, round: 0, type: 'precommit' } as const;
  let signature: string | null = null;
  cluster.hub.isLost = (from, _to, message) => {
    if (from !== victim.name || !isVote(message, { ...at, by: victim })) return false;
    if (signature === null) {
      signature = stepVote(cluster, victim, at)!.signature;
      cluster.crash(victim, 1);
    }
    return victim.host === null;
  };
  await cluster.clock.advance(20_000, () => victim.host === null);
  expect(signature).not.toBeNull();
  expect(victim.disk.has(walFileName(HEIGHT))).toBe(true);
  const signed = victim.signed;
  await cluster.start(victim);
  expect(await cluster.until(HEIGHT, 60_000, three)).toBe(true);
  const again = votesBy(cluster, victim, HEIGHT).filter(({ type, round }) => type === at.type && round === 0);
  expect(new Set(again.map((vote) => vote.signature))).toEqual(new Set([signature]));
  expect(again.length).toBeGreaterThan(1);
  expect(roundOf(victim, HEIGHT)).toBe(0);
  expect(victim.signed).toBe(signed);
  expectSound(cluster);
  await cluster.stopAll();
});

test.each([1, 7, 100, 300])(
  '22 · a WAL whose last %i bytes are torn off: cut, and it goes on',
  async (bytesTorn) => {
    const { cluster, victim, three } = await threeOfFour(23);
    const file = walFileName(HEIGHT);
    const at = { height: HEIGHT, round: 0, type: 'prevote' } as const;
    cluster.hub.isLost = (_from, _to, message) => isVote(message, { height: HEIGHT, type: 'precommit' });
    await cluster.clock.advance(20_000, () => stepVote(cluster, victim, at) !== undefined);
    await cluster.clock.advance(100);
    cluster.crash(victim, 1);
    const whole = victim.disk.bytes(file);
    victim.disk.overwrite(file, whole.slice(0, whole.length - bytesTorn));
    cluster.hub.isLost = () => false;
    const host = await cluster.start(victim);
    expect(host.status().observing).toBeNull();
    expect(await cluster.until(HEIGHT + 2n, 60_000, three)).toBe(true);
    expectSound(cluster);
    await cluster.stopAll();
  },
);

test('a vote that only the guard still knows is repeated, and the height that needs it goes on', async () => {
  const { cluster, victim, three } = await threeOfFour(27);
  // It prevotes its payload where nobody hears it, and then loses its log.
  cluster.hub.isCut = (a, b) => a === victim.name || b === victim.name;
  await cluster.clock.advance(5_000);
  expect(victim.host!.status()).toMatchObject({ height: HEIGHT, round: 0, step: 'prevote' });
  cluster.crash(victim, 1);
  await victim.disk.remove(walFileName(HEIGHT));
  cluster.hub.isCut = () => false;
  await cluster.start(victim);
  expect(await cluster.until(HEIGHT + 1n, 60_000, three)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('fail-over between a precommit and the next round: a second host with the guard signs nothing twice', async () => {
  const { cluster, victim, three } = await threeOfFour(28);
  const at = { height: HEIGHT, round: 0, type: 'precommit' } as const;
  cluster.hub.isLost = (_from, _to, message) =>
    isVote(message, { height: HEIGHT, round: 0, type: 'precommit' });
  await cluster.clock.advance(20_000, () => stepVote(cluster, victim, at) !== undefined);
  const locked = stepVote(cluster, victim, at)!.valueId;
  expect(locked).not.toBe(NIL);
  cluster.crash(victim, 1);
  // Another machine: the chain, the key and the guard, but not a byte of the log.
  const disk = new TearingDisk();
  disk.overwrite('guard', victim.disk.bytes('guard'));
  victim.disk = disk;
  await cluster.start(victim);
  await cluster.clock.advance(1_500);
  cluster.hub.isLost = () => false;
  expect(await cluster.until(HEIGHT + 2n, 90_000, three)).toBe(true);
  expect(victim.database.blocks[Number(HEIGHT)]!.valueId).toBe(locked);
  expectSound(cluster);
  await cluster.stopAll();
});

test('all four crash with a lock that nobody saw decided: its payload is found again, and it is decided', async () => {
  const cluster = new Cluster({ seed: 29, sync: false });
  await cluster.startAll();
  await cluster.until(HEIGHT - 1n, 30_000);
  const at = { height: HEIGHT, round: 0, type: 'precommit' } as const;
  cluster.hub.isLost = (_from, _to, message) => isVote(message, { height: HEIGHT, type: 'precommit' });
  const areLocked = (): boolean =>
    cluster.members.every((member) => (stepVote(cluster, member, at)?.valueId ?? NIL) !== NIL);
  await cluster.clock.advance(20_000, areLocked);
  expect(areLocked()).toBe(true);
  const locked = stepVote(cluster, cluster.members[0]!, at)!.valueId;
  for (const member of cluster.members) cluster.crash(member);
  // One of them lost its log as well: it has the lock, and asks the others for the payload.
  await cluster.members[3]!.disk.remove(walFileName(HEIGHT));
  cluster.hub.isLost = () => false;
  await cluster.startAll();
  expect(await cluster.until(HEIGHT, 60_000)).toBe(true);
  for (const { database } of cluster.members) expect(database.blocks[Number(HEIGHT)]!.valueId).toBe(locked);
  expect(await cluster.until(HEIGHT + 2n, 60_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});
