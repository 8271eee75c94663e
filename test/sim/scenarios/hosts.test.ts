/** Scenarios in which the parts of a host meet: signer, clock, disk, execution, block sync. */
import { DEFAULT_TIMEOUTS } from '#consensus/timeouts.ts';
import { NIL } from '#consensus/types.ts';
import { encodeRlp } from '#node/consensus/rlp.ts';
import { createLease, credibleHeight } from '#node/sync/lease.ts';
import { Cluster, type Member } from '#test/sim/cluster/cluster.ts';
import { FakeChain } from '#test/sim/cluster/fakeChain.ts';
import { hashOf } from '#test/sim/cluster/samples.ts';
import { runPlan } from '#test/sim/run.ts';
import { quietPlan } from './quietPlan.ts';
import {
  expectSound,
  hostAmongPuppets,
  proposalsBy,
  proposers,
  roundOf,
  stepVote,
  votesBy,
} from './stage.ts';

test('24 · a full disk stops the signing, not the following', async () => {
  const cluster = new Cluster({ seed: 24 });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  const victim = cluster.members[1]!;
  victim.disk.isFull = true;
  await cluster.clock.advance(10_000, () => victim.host!.status().observing !== null);
  expect(victim.host!.status().observing).toMatch(/ENOSPC|no space/);
  const signed = victim.signed;
  expect(await cluster.until(cluster.highest() + 4n, 60_000)).toBe(true);
  expect(victim.signed).toBe(signed);
  expectSound(cluster);
  await cluster.stopAll();
});

test.each([5_000, -5_000])('33 · a clock that is %i ms off on one node: progress', async (skewMs) => {
  const result = await runPlan(quietPlan({ seed: 33 }, [{ skewMs }]));
  expect(result).toMatchObject({ violation: null, heights: 12 });
  // Three agree on the time: what fails is at most the round that the fourth proposes.
  expect(result.maxRound).toBeLessThanOrEqual(1);
});

test('35 · a commit quorum and the round’s expiry in one queue: what is decided ignores the expiry', async () => {
  const { cluster, target, puppets, valueId } = await hostAmongPuppets(35);
  const [first, second, third] = puppets;
  const at = { height: 1n, round: 0 } as const;
  for (const puppet of [first, second]) puppet.vote(target, { ...at, type: 'prevote', valueId });
  await cluster.clock.advance(30);
  expect(stepVote(cluster, target, { ...at, type: 'precommit' })!.valueId).toBe(valueId);
  first.vote(target, { ...at, type: 'precommit', valueId });
  third.vote(target, { ...at, type: 'precommit', valueId: NIL });
  await cluster.clock.advance(100);
  // Now timeoutPrecommit runs. It is over before the block is committed, which is decided by then.
  const { chain } = target;
  chain.commit = async (...decided) => {
    await new Promise<void>((resolve) => cluster.clock.setTimer(2_000, resolve));
    return FakeChain.prototype.commit.apply(chain, decided);
  };
  second.vote(target, { ...at, type: 'precommit', valueId });
  await cluster.clock.advance(3_000);
  expect(target.height()).toBe(1n);
  expect(roundOf(target, 1n)).toBe(0);
  expect(votesBy(cluster, target, 1n).map(({ round }) => round)).not.toContain(1);
  expect(target.host!.status()).toMatchObject({ height: 2n, round: -1 });
  await cluster.stopAll();
});

test.each(['proposal', 'prevote'] as const)(
  '42 · a signer that is slow with a %s: the others go on, and the late signature is discarded',
  async (kind) => {
    let slow: Member | null = null;
    const cluster = new Cluster({
      seed: 42,
      signMs: (member, request) => {
        const isIt =
          request.kind === 'proposal'
            ? kind === 'proposal' && request.proposal.height === 3n
            : request.kind === 'vote' && request.vote.type === kind && request.vote.height === 3n;
        return member === slow && isIt ? 6_000 : 0;
      },
    });
    slow = proposers(cluster, 3n)[0];
    await cluster.startAll();
    expect(await cluster.until(3n, 30_000)).toBe(true);
    expect(roundOf(slow, 3n)).toBe(kind === 'proposal' ? 1 : 0);
    await cluster.clock.advance(8_000);
    const late =
      kind === 'proposal'
        ? proposalsBy(cluster, slow).filter(({ height }) => height === 3n)
        : votesBy(cluster, slow, 3n).filter(({ type }) => type === 'prevote');
    expect(late).toEqual([]);
    const signed = slow.signed;
    expect(await cluster.until(cluster.highest() + 4n, 30_000)).toBe(true);
    expect(slow.signed).toBeGreaterThan(signed);
    expectSound(cluster);
    await cluster.stopAll();
  },
);

test('40 · a block synced at the height that is voted on: nothing is signed before the sync lease ends', async () => {
  const leases = new Map<Member, ReturnType<typeof createLease>>();
  const cluster = new Cluster({
    seed: 40,
    sync: false,
    signingLease: (member) => {
      const nowMs = (): number => cluster.clock.nowMs();
      const lease = createLease({ boundMs: 10_000, nowMs, onLapsed: () => undefined });
      leases.set(member, lease);
      return lease;
    },
  });
  await cluster.startAll();
  await cluster.until(3n, 30_000);
  // Cut off between two heights, so that its first vote of the next one is due when it is back.
  const [lone, ...three] = [...cluster.members].reverse() as [Member, ...Member[]];
  const isBetween = (): boolean => lone.host!.status().step === 'waiting' && lone.height() > 3n;
  await cluster.clock.advance(10_000, isBetween);
  cluster.hub.isCut = (a, b) => a === lone.name || b === lone.name;
  const left = lone.height();
  expect(await cluster.until(left + 2n, 60_000, three)).toBe(true);
  const head = cluster.highest();
  const claims = three.map(({ key }) => ({ validator: key.address, height: head }));
  leases.get(lone)!.update(lone.height(), credibleHeight(cluster.set, claims));
  cluster.hub.isCut = () => false;
  const signed = lone.signed;
  await cluster.clock.advance(5_000);
  expect(lone.height()).toBe(left);
  expect(lone.host!.status().signing).toMatchObject({
    state: 'syncing',
    reason: expect.stringMatching(/sync/),
  });
  expect(lone.signed).toBe(signed);
  lone.chain.copyFrom(three[0]!.chain);
  expect(lone.signed).toBe(signed);
  const top = lone.height();
  leases.get(lone)!.update(top, top);
  expect(await cluster.until(top + 6n, 30_000)).toBe(true);
  expect(lone.signed).toBeGreaterThan(signed);
  for (let height = left + 1n; height <= top; height++)
    expect([height, votesBy(cluster, lone, height)]).toEqual([height, []]);
  expectSound(cluster);
  await cluster.stopAll();
});

const EMPTY = new Uint8Array(0);
/** Two of these fill a block; its gas limit is all of a transaction that anybody reads here. */
const HEAVY = [1, 2].map((nonce) =>
  encodeRlp([
    Uint8Array.of(nonce),
    EMPTY,
    Uint8Array.of(0xdf, 0xff, 0xff),
    new Uint8Array(20).fill(1),
    EMPTY,
    EMPTY,
  ]),
);

/** A cluster in which a full block takes so long to execute, and half of one half as long. */
const withHeavyWork = async (seed: number, fullBlockMs: number): Promise<Cluster> => {
  const cluster = new Cluster({ seed, sync: false });
  await cluster.startAll();
  await cluster.until(2n, 30_000);
  for (const { chain, mempool } of cluster.members) {
    chain.derive = (payload) => {
      chain.execution.derivationMs = 1 + (fullBlockMs * payload.transactions.length) / HEAVY.length;
      return FakeChain.prototype.derive.call(chain, payload);
    };
    mempool.pick = ({ maxGas }) => mempool.pending.slice(0, Number(maxGas / 0xdf_ff_ffn));
    chain.onCommitted(({ block }) => {
      const included = new Set(block.transactions);
      mempool.pending = mempool.pending.filter((raw) => !included.has(raw));
    });
    mempool.submit(...HEAVY);
  }
  return cluster;
};

test('a worst-case block that takes a third of the cap commits in round 0 (RULES 4)', async () => {
  const cluster = await withHeavyWork(401, Math.floor(DEFAULT_TIMEOUTS.capMs / 3));
  expect(await cluster.until(4n, 60_000)).toBe(true);
  const [member] = cluster.members as [Member];
  const full = member.database.blocks.find(({ transactions }) => transactions.length === 2);
  expect([full?.certificate?.round, full?.transactions]).toEqual([0, HEAVY]);
  expectSound(cluster);
  await cluster.stopAll();
});

test('a block that nobody executes in time: the next rounds bring less, and the chain goes on (RULES 4)', async () => {
  const cluster = await withHeavyWork(402, 40_000);
  const height = cluster.highest() + 1n;
  expect(await cluster.until(height + 2n, 300_000)).toBe(true);
  // Half a block in round 1 is still too much; a quarter has no room for either transaction.
  const [{ database, mempool }] = cluster.members as [Member];
  const found = database.blocks.slice(Number(height)).map(({ certificate, transactions }) => ({
    round: certificate!.round,
    transactions,
  }));
  for (const block of found) expect(block).toEqual({ round: 2, transactions: [] });
  expect(mempool.backedOff[0]).toMatchObject({ heights: 10 });
  expectSound(cluster);
  await cluster.stopAll();
});

test('a prevote quorum for a value whose payload nobody here has: it is not precommitted, and a later round decides', async () => {
  const { cluster, target, puppets } = await hostAmongPuppets(403);
  const unknown = hashOf(0xee);
  for (const puppet of puppets)
    puppet.vote(target, { type: 'prevote', height: 1n, round: 0, valueId: unknown });
  await cluster.clock.advance(2_000);
  const at = { height: 1n, round: 0, type: 'precommit' } as const;
  expect(stepVote(cluster, target, at)?.valueId).toBe(NIL);
  for (const puppet of puppets) puppet.vote(target, { ...at, valueId: NIL });
  // The puppet whose turn it is brings something that is here.
  const next = proposers(cluster, 1n).findIndex((member, round) => round > 1 && member !== target);
  const proposer = puppets.find(({ member }) => member === proposers(cluster, 1n)[next])!;
  for (const puppet of puppets)
    puppet.vote(target, { type: 'prevote', height: 1n, round: next, valueId: NIL });
  await cluster.clock.advance(100);
  expect(target.host!.status()).toMatchObject({ height: 1n, round: next });
  proposer.proposeFresh(target, next);
  const prevote = { height: 1n, round: next, type: 'prevote' } as const;
  await cluster.clock.advance(900, () => stepVote(cluster, target, prevote) !== undefined);
  const { valueId } = stepVote(cluster, target, prevote)!;
  expect(valueId).not.toBe(NIL);
  for (const puppet of puppets) puppet.vote(target, { type: 'precommit', height: 1n, round: next, valueId });
  await cluster.clock.advance(100);
  expect(target.height()).toBe(1n);
  expect(roundOf(target, 1n)).toBe(next);
  await cluster.stopAll();
});
