import { NIL } from '#consensus/types.ts';
import { FAULTS } from '#test/faults/faults.ts';
import { Cluster, type Member } from '#test/sim/cluster/cluster.ts';
import { DEPOSITS_HASH, IMPORT_BYTE } from '#test/sim/cluster/fakeChain.ts';
import { FakeL1 } from '#test/sim/cluster/fakeL1.ts';
import {
  clusterWith,
  expectSound,
  honest,
  isProposalOrPayload,
  others,
  proposers,
  read,
  roundOf,
  stepVote,
} from './stage.ts';

test('29 · a 2–2 partition: nothing commits, and it heals within one capped timeout', async () => {
  const cluster = new Cluster({ seed: 290 });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  const side = ({ name }: Pick<Member, 'name'>): boolean => name === 'v1' || name === 'v2';
  cluster.hub.isCut = (a, b) => side({ name: a }) !== side({ name: b });
  await cluster.clock.advance(1_000);
  const stuck = cluster.highest();
  await cluster.clock.advance(60_000);
  expect(cluster.heights().every((height) => height <= stuck)).toBe(true);
  cluster.hub.isCut = () => false;
  expect(await cluster.until(stuck + 1n, 10_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('30 · a 3–1 partition: three make progress, the fourth syncs', async () => {
  const cluster = new Cluster({ seed: 30 });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  const lone = cluster.members[2]!;
  cluster.hub.isCut = (a, b) => a === lone.name || b === lone.name;
  await cluster.clock.advance(500);
  const left = lone.height();
  expect(await cluster.until(left + 6n, 60_000, others(cluster, lone))).toBe(true);
  expect(lone.height()).toBe(left);
  cluster.hub.isCut = () => false;
  const head = cluster.highest();
  expect(await cluster.until(head + 3n, 30_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('31 · asymmetric and flapping links: it commits all the same', async () => {
  const cluster = new Cluster({ seed: 31 });
  await cluster.startAll();
  // v1 is heard by v2 alone; v3 and v4 lose each other every other second.
  cluster.hub.isLost = (from, to) =>
    (from === 'v1' && to !== 'v2') ||
    (Math.floor(cluster.clock.nowMs() / 1_000) % 2 === 0 && `${from}${to}`.match(/^v3v4$|^v4v3$/) !== null);
  expect(await cluster.until(8n, 120_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('32 · 60 % loss and reordering: safe, and it commits after healing', async () => {
  const cluster = new Cluster({ seed: 32, network: { loss: 0.6, maxLatencyMs: 400 } });
  await cluster.startAll();
  await cluster.clock.advance(40_000);
  expect(cluster.forks()).toEqual([]);
  cluster.hub.options.loss = 0;
  cluster.hub.options.maxLatencyMs = 20;
  const reached = cluster.highest();
  expect(await cluster.until(reached + 2n, 20_000)).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('34 · a timestamp far in the future or before the parent: nil, and round 1 commits', async () => {
  const cluster = clusterWith('timeShifter', { seed: 34 });
  const liar = cluster.members[1]!;
  await cluster.startAll();
  expect(await cluster.until(24n, 180_000, honest(cluster))).toBe(true);
  const turns = Array.from({ length: 24 }, (_, index) => BigInt(index + 1)).filter(
    (height) => proposers(cluster, height)[0] === liar,
  );
  expect(turns).toHaveLength(6);
  const stamps = cluster.hub.sent.flatMap(({ from, message }) => {
    const decoded = from === liar.name ? read(message) : null;
    return decoded?.type === 'payload' ? [Number(decoded.payload.timestamp) * 1_000] : [];
  });
  expect(stamps.some((stampMs) => stampMs > cluster.clock.nowMs() + 60_000)).toBe(true);
  expect(stamps.some((stampMs) => stampMs < cluster.clock.nowMs() - 60_000)).toBe(true);
  for (const height of turns) {
    expect(roundOf(honest(cluster)[0]!, height)).toBe(1);
    for (const member of honest(cluster))
      expect(stepVote(cluster, member, { height, round: 0, type: 'prevote' })!.valueId).toBe(NIL);
  }
  expectSound(cluster);
  await cluster.stopAll();
});

test('L1 views that are split 2–2 at an import: the chain goes on without it, and nobody halts', async () => {
  const views = [0, 1, 2, 3].map(() => new FakeL1());
  const cluster = new Cluster({ seed: 35, sync: false, l1View: (index) => views[index]! });
  const first = proposers(cluster, 3n)[0];
  const seeing = [first, others(cluster, first)[0]!];
  for (const member of seeing) {
    const view = views[cluster.members.indexOf(member)]!;
    view.heldMs = 60_000;
    view.set({ deposit: [1n, DEPOSITS_HASH] });
  }
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  first.mempool.importTransaction = Uint8Array.of(IMPORT_BYTE, 1);
  expect(await cluster.until(6n, 30_000)).toBe(true);
  expect(roundOf(first, 3n)).toBe(1);
  const imported = (height: number): bigint => first.database.blocks[height]!.checkpoint.importedCount;
  expect([3, 4, 5, 6].map(imported)).toEqual([0n, 0n, 0n, 0n]);
  for (const view of views) {
    view.heldMs = 60_000;
    view.set({ deposit: [1n, DEPOSITS_HASH] });
  }
  expect(await cluster.until(20n, 60_000)).toBe(true);
  expect(imported(20)).toBe(1n);
  expectSound(cluster);
  await cluster.stopAll();
});

test('an I/O error inside execution: that node halts, the others go on, and nothing counts as dropped', async () => {
  const cluster = new Cluster({ seed: 36 });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  const victim = proposers(cluster, 4n)[1];
  const raw = Uint8Array.of(1, 2, 3);
  for (const member of cluster.members) member.mempool.submit(raw);
  const { chain } = victim;
  const derive = chain.derive.bind(chain);
  chain.derive = (payload) =>
    chain.head().block.height === 3n ? Promise.reject(new Error('EIO: i/o error, read')) : derive(payload);
  expect(await cluster.until(8n, 60_000, others(cluster, victim))).toBe(true);
  expect(victim.halts).toHaveLength(1);
  expect(victim.halts[0]).toMatchObject({ code: 'EXECUTION_FAULT' });
  expect(victim.halts[0]!.message).toMatch(/EIO/);
  expect(victim.height()).toBe(3n);
  expect(victim.mempool.backedOff).toEqual([]);
  for (const { database } of others(cluster, victim)) expect(database.blocks[4]!.transactions).toEqual([raw]);
  const signed = victim.signed;
  await cluster.clock.advance(5_000);
  expect(victim.signed).toBe(signed);
  expect(cluster.forks()).toEqual([]);
  await cluster.stopAll();
});

test('one dead node and one dead link: votes are relayed around it, and blocks go on', async () => {
  const cluster = new Cluster({ seed: 37, sync: false });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  cluster.crash(cluster.members[0]!);
  cluster.hub.isCut = (a, b) => `${a}${b}`.match(/^v2v3$|^v3v2$/) !== null;
  expect(await cluster.until(6n, 120_000, cluster.members.slice(1))).toBe(true);
  expectSound(cluster);
  await cluster.stopAll();
});

test('a prevote quorum for a payload that is not here: it is fetched from its voters', async () => {
  const cluster = new Cluster({ seed: 38, sync: false });
  const [, , target, away] = proposers(cluster, 3n);
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  cluster.crash(away);
  cluster.hub.isLost = (_from, to, message) => to === target.name && isProposalOrPayload(message, 3n);
  expect(await cluster.until(3n, 60_000, others(cluster, away))).toBe(true);
  expect(
    stepVote(cluster, target, { height: 3n, round: roundOf(target, 3n)!, type: 'precommit' })?.valueId,
  ).toBe(target.database.blocks[3]!.valueId);
  expectSound(cluster);
  await cluster.stopAll();
});

test('a payload that nobody gives: later rounds progress', async () => {
  const cluster = new Cluster({ seed: 39, fault: (index) => (index === 1 ? FAULTS.withholder : null) });
  const liar = cluster.members[1]!;
  await cluster.startAll();
  expect(await cluster.until(16n, 120_000, honest(cluster))).toBe(true);
  const rounds = Array.from({ length: 16 }, (_, index) => BigInt(index + 1))
    .filter((height) => proposers(cluster, height)[0] === liar)
    .map((height) => roundOf(honest(cluster)[0]!, height));
  expect(rounds).toContain(1);
  expect(cluster.hub.faults).toEqual([]);
  expectSound(cluster);
  await cluster.stopAll();
});

test('43 · a thread that is blocked for three seconds: no nil where the proposal was there already', async () => {
  const cluster = new Cluster({ seed: 43, network: { minLatencyMs: 60, maxLatencyMs: 80 } });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  await cluster.clock.advance(5_000, () =>
    cluster.members.some(({ host }) => host!.status().step === 'propose'),
  );
  cluster.clock.block(3_000);
  expect(await cluster.until(3n, 20_000)).toBe(true);
  expect(roundOf(cluster.members[0]!, 3n)).toBe(0);
  expectSound(cluster);
  await cluster.stopAll();
});
