/** Why is it not committing? Each sentence through real hosts on a virtual clock. */
import { proposerAt } from '#consensus/proposer.ts';
import { decodeMessage } from '#node/consensus/messages.ts';
import type { HostStatus } from '#node/consensus/statusTypes.ts';
import { silent } from '#test/faults/silent.ts';
import { timeShifter } from '#test/faults/timeShifter.ts';
import { withholder } from '#test/faults/withholder.ts';
import { Cluster, type ClusterOptions, type Member } from '#test/sim/cluster/cluster.ts';
import { DEPOSITS_HASH } from '#test/sim/cluster/fakeChain.ts';
import { FakeL1 } from '#test/sim/cluster/fakeL1.ts';

const BOUND_MS = 60_000;

const statusOf = (cluster: Cluster, member: Member): HostStatus =>
  member.host!.status(
    (address) => cluster.members.find(({ key }) => key.address === address)?.name ?? address,
  );

const started = async (options: Omit<ClusterOptions, 'seed'> & { seed?: number } = {}): Promise<Cluster> => {
  const cluster = new Cluster({ seed: 41, ...options });
  await cluster.startAll();
  expect(await cluster.until(3n, BOUND_MS)).toBe(true);
  return cluster;
};

/** Lets time pass until this member says so. */
const awaitCode = async (cluster: Cluster, member: Member, code: string): Promise<HostStatus> => {
  const found = { status: statusOf(cluster, member) };
  await cluster.clock.advance(BOUND_MS, () => {
    if (member.host !== null) found.status = statusOf(cluster, member);
    return found.status.progress.code === code;
  });
  expect(found.status.progress).toMatchObject({ code });
  return found.status;
};

const isPrecommit = (message: Uint8Array): boolean => {
  const decoded = decodeMessage(message);
  return decoded.ok && decoded.value.type === 'vote' && decoded.value.vote.type === 'precommit';
};

const memberOf = (cluster: Cluster, address: string): Member =>
  cluster.members.find(({ key }) => key.address === address)!;

const missingNames = (status: HostStatus, type: 'prevotes' | 'precommits'): readonly string[] =>
  status.votes![type].missing.map(({ name }) => name);

describe('the quorum', () => {
  test('a partition 2–2 is named on both sides: the two missing, what is seen of the power, the remedy', async () => {
    const cluster = await started();
    const [a, b, c, d] = cluster.members as [Member, Member, Member, Member];
    const left = new Set([a.name, b.name]);
    cluster.hub.isCut = (from, to) => left.has(from) !== left.has(to);
    await cluster.clock.advance(20_000);
    for (const [member, gone] of [
      [a, [c.name, d.name]],
      [b, [c.name, d.name]],
      [c, [a.name, b.name]],
      [d, [a.name, b.name]],
    ] as const) {
      const { progress, margin, votes, waitingFor } = statusOf(cluster, member);
      expect(progress).toMatchObject({ state: 'stalled', code: 'QUORUM_LOST' });
      expect(progress.sentence).toContain('sees only 2 of 4 power, and a quorum is 3');
      expect(progress.sentence).toMatch(
        new RegExp(
          `missing ${gone[0]} \\(not connected, last heard \\d+ s ago\\) and ${gone[1]} \\(not conn`,
        ),
      );
      expect(progress.remedy).toMatch(/Start the missing validators or restore their links/);
      expect(margin).toMatchObject({ alivePower: 2n, failuresUntilHalt: 0, halted: true });
      expect(votes!.prevotes.missing.map(({ name }) => name)).toEqual(gone);
      expect(votes!.prevotes.missing[0]!.why).toMatch(/^not connected, last heard/);
      expect(waitingFor).toBe(progress.sentence);
    }
    cluster.hub.isCut = () => false;
    const height = cluster.highest();
    expect(await cluster.until(height + 2n, BOUND_MS)).toBe(true);
    expect(statusOf(cluster, a)).toMatchObject({
      progress: { state: 'committing' },
      margin: { failuresTolerated: 1 },
      waitingFor: null,
    });
    await cluster.stopAll();
  });

  test('with f failures no more is survived, and the chain commits; with one more it says halted', async () => {
    const cluster = await started();
    const [a, b, c, d] = cluster.members as [Member, Member, Member, Member];
    expect(statusOf(cluster, a).margin).toMatchObject({ failuresTolerated: 1, failuresUntilHalt: 2 });
    cluster.crash(d);
    expect(await cluster.until(8n, BOUND_MS, [a, b, c])).toBe(true);
    const one = statusOf(cluster, a);
    expect(one.margin).toMatchObject({ failuresTolerated: 0, failuresUntilHalt: 1, halted: false });
    expect(one.progress.state).toBe('committing');
    expect(one.validators.find(({ name }) => name === d.name)).toMatchObject({
      connected: false,
      absence: 'disconnected',
    });
    cluster.crash(c);
    await cluster.clock.advance(10_000);
    const two = statusOf(cluster, a);
    expect(two.margin).toMatchObject({ alivePower: 2n, failuresUntilHalt: 0, halted: true });
    expect(two.progress).toMatchObject({ state: 'stalled', code: 'QUORUM_LOST' });
    expect(two.progress.sentence).toContain(`missing ${c.name}`);
    expect(two.progress.sentence).toContain(d.name);
    await cluster.start(c);
    expect(await cluster.until(cluster.highest() + 2n, BOUND_MS, [a, b, c])).toBe(true);
    expect(statusOf(cluster, a)).toMatchObject({ margin: { halted: false, failuresTolerated: 0 } });
    await cluster.stopAll();
  });

  test('one heavy validator is enough to halt it, and its power is named', async () => {
    const cluster = await started({ validators: 5, powers: [4n, 1n, 1n, 1n, 1n] });
    const [heavy, light, other] = cluster.members as [Member, Member, Member];
    expect(statusOf(cluster, light).margin).toMatchObject({
      totalPower: 8n,
      quorumPower: 6n,
      failuresTolerated: 0,
      failuresUntilHalt: 1,
    });
    cluster.crash(other);
    expect(await cluster.until(6n, BOUND_MS, [heavy, light])).toBe(true);
    expect(statusOf(cluster, light).margin).toMatchObject({ alivePower: 7n, failuresUntilHalt: 1 });
    await cluster.start(other);
    cluster.crash(heavy);
    await cluster.clock.advance(10_000);
    const { progress, margin } = statusOf(cluster, light);
    expect(margin).toMatchObject({ alivePower: 4n, halted: true, failuresUntilHalt: 0 });
    expect(progress.sentence).toMatch(new RegExp(`${heavy.name} \\(power 4, not connected`));
    await cluster.stopAll();
  });

  test('alone it says that it is connected to nobody', async () => {
    const cluster = await started();
    const alone = cluster.members[0]!;
    cluster.hub.isCut = (a, b) => a === alone.name || b === alone.name;
    await cluster.clock.advance(10_000);
    const { progress } = statusOf(cluster, alone);
    expect(progress).toMatchObject({ state: 'stalled', code: 'NO_PEERS' });
    expect(progress.sentence).toContain('Connected to no validator: this node sees 1 of 4 power');
    expect(progress.remedy).toContain('p2p.peers');
    await cluster.stopAll();
  });

  test('a validator with a link that says nothing is silent and does not count', async () => {
    const cluster = await started({ fault: (index) => (index === 3 ? silent : null) });
    const [a, b] = cluster.members as [Member, Member];
    await cluster.clock.advance(10_000);
    const { validators, margin } = statusOf(cluster, a);
    expect(margin).toMatchObject({ alivePower: 3n, failuresTolerated: 0, halted: false });
    expect(validators[3]).toMatchObject({ connected: true, absence: 'silent', lastVote: null, height: null });
    cluster.crash(b);
    await cluster.clock.advance(10_000);
    expect(statusOf(cluster, a).progress.sentence).toMatch(
      /v2 \(not connected, last heard \d+ s ago\) and v4 \(connected but silent, never heard since/,
    );
    await cluster.stopAll();
  });

  test('a node that has just started says so, and not that the chain is halted', async () => {
    const cluster = new Cluster({ seed: 47 });
    await cluster.start(cluster.members[0]!);
    expect(statusOf(cluster, cluster.members[0]!).progress).toMatchObject({
      state: 'stalled',
      code: 'STARTING',
    });
    await cluster.clock.advance(6_000);
    expect(statusOf(cluster, cluster.members[0]!).progress).toMatchObject({ code: 'NO_PEERS' });
    await cluster.stopAll();
  });

  test('a validator without its guard observes: the others do not count it, and it says why itself', async () => {
    const cluster = await started();
    const [a, , , victim] = cluster.members as [Member, Member, Member, Member];
    cluster.crash(victim);
    await victim.disk.remove('guard');
    await cluster.start(victim);
    expect(await cluster.until(cluster.highest() + 6n, BOUND_MS)).toBe(true);
    expect(statusOf(cluster, victim)).toMatchObject({
      signing: {
        state: 'observing',
        reason: expect.stringMatching(/expected the sign guard.*Restore the file/),
      },
      margin: { failuresTolerated: 0 },
      progress: { state: 'committing' },
    });
    const seen = statusOf(cluster, a);
    expect(seen.validators.find(({ name }) => name === victim.name)).toMatchObject({
      connected: true,
      absence: 'notSigning',
    });
    expect(seen.margin).toMatchObject({ failuresTolerated: 0, failuresUntilHalt: 1 });
    cluster.crash(cluster.members[1]!);
    await cluster.clock.advance(10_000);
    expect(statusOf(cluster, victim).progress.sentence).toMatch(
      /v4 \(this node, which does not sign\); this validator does not sign: expected the sign guard/,
    );
    await cluster.stopAll();
  });
});

describe('the round', () => {
  test('the silent proposer is named, with how long and where it was last', async () => {
    const cluster = await started();
    const next = memberOf(cluster, proposerAt(cluster.set, cluster.highest() + 2n, 0));
    const watcher = cluster.members.find((member) => member !== next)!;
    const height = cluster.highest() + 2n;
    const others = cluster.members.filter((member) => member !== next);
    expect(await cluster.until(height - 1n, BOUND_MS, others)).toBe(true);
    cluster.crash(next);
    const status = await awaitCode(cluster, watcher, 'PROPOSER_SILENT');
    expect(status.proposer).toBe(next.key.address);
    await cluster.clock.advance(500);
    const { progress } = statusOf(cluster, watcher);
    expect(progress.state).toBe('committing');
    expect(progress.sentence).toMatch(
      new RegExp(
        `^Round 0 waits since 0\\.\\d s for the proposal of ${next.name} \\(not connected, last heard`,
      ),
    );
    await cluster.stopAll();
  });

  test('a payload that does not come is named, with the peers that were asked', async () => {
    const cluster = new Cluster({ seed: 43, sync: false });
    const liar = memberOf(cluster, proposerAt(cluster.set, 1n, 0));
    const index = cluster.members.indexOf(liar);
    const faulty = new Cluster({ seed: 43, sync: false, fault: (at) => (at === index ? withholder : null) });
    await faulty.startAll();
    const watcher = faulty.members.find((_, at) => at !== index)!;
    await awaitCode(faulty, watcher, 'PAYLOAD_MISSING');
    await faulty.clock.advance(BOUND_MS, () =>
      /is not here: asked /.test(statusOf(faulty, watcher).progress.sentence),
    );
    const { progress } = statusOf(faulty, watcher);
    expect(progress.sentence).toMatch(
      new RegExp(`^The payload of 0x[0-9a-f]{8}…, proposed by ${liar.name} in round 0, is not here: asked `),
    );
    expect(progress.sentence).toContain(liar.name);
    await faulty.stopAll();
  });

  test('a derivation that runs is named, since when', async () => {
    const cluster = await started({ execution: () => ({ derivationMs: 700 }) });
    await awaitCode(cluster, cluster.members[0]!, 'DERIVING');
    await cluster.clock.advance(200);
    expect(statusOf(cluster, cluster.members[0]!).progress.sentence).toMatch(
      /^Executes the payload of 0x[0-9a-f]{8}…, proposed by v\d in round 0, since 0\.\d s$/,
    );
    await cluster.stopAll();
  });

  test('no quorum of prevotes: who is missing, before the silence makes it a lost quorum', async () => {
    const cluster = await started();
    const [a, b, c, d] = cluster.members as [Member, Member, Member, Member];
    cluster.crash(c);
    // Heard a moment ago, but its links are gone: this is when the margin does not know yet.
    const muted = new Set([d.name]);
    const deliver = cluster.hub.deliver.bind(cluster.hub);
    cluster.hub.deliver = (from, to, message) => {
      if (!(muted.has(from.peerId) && (message[0] === 1 || message[0] === 2))) deliver(from, to, message);
    };
    const { progress, votes } = await awaitCode(cluster, a, 'NO_PREVOTE_QUORUM');
    expect(progress.sentence).toMatch(/has prevotes of [12] of 4 power, and a quorum is 3; missing/);
    expect(progress.sentence).toContain(`${c.name} (not connected`);
    expect(progress.sentence).toContain(`${d.name} (connected`);
    expect(missingNames({ votes } as HostStatus, 'prevotes')).toEqual(
      expect.arrayContaining([c.name, d.name]),
    );
    // Who says where it is but whose vote does not come is mute, and counts as failed once lateness is no explanation.
    await cluster.clock.advance(8_000);
    const later = statusOf(cluster, b);
    expect(later.validators.find(({ name }) => name === d.name)!.absence).toBe('mute');
    expect(later.margin).toMatchObject({ alivePower: 2n, halted: true });
    expect(later.progress.sentence).toMatch(
      new RegExp(`${d.name} \\(connected, at height \\d+ round \\d+, but its vote`),
    );
    await cluster.stopAll();
  });

  test('no quorum of precommits: who is missing', async () => {
    const cluster = await started();
    const [a, , c, d] = cluster.members as [Member, Member, Member, Member];
    const deliver = cluster.hub.deliver.bind(cluster.hub);
    cluster.hub.deliver = (from, to, message) => {
      const isLost = isPrecommit(message) && (from.peerId === c.name || from.peerId === d.name);
      if (!isLost) deliver(from, to, message);
    };
    const { progress, votes } = await awaitCode(cluster, a, 'NO_PRECOMMIT_QUORUM');
    expect(progress.sentence).toMatch(/has precommits of \d of 4 power, and a quorum is 3; missing/);
    expect(votes!.precommits.missing.map(({ name }) => name)).toEqual(
      expect.arrayContaining([c.name, d.name]),
    );
    await cluster.stopAll();
  });

  test('L1 views that differ 2–2 at an import: who voted what, and that it is this node’s view', async () => {
    const views = [new FakeL1(), new FakeL1(), new FakeL1(), new FakeL1()];
    views[0]!.set({ deposit: [1n, DEPOSITS_HASH] });
    views[1]!.set({ deposit: [1n, DEPOSITS_HASH] });
    const cluster = new Cluster({
      seed: 44,
      l1View: (index) => views[index]!,
      execution: () => ({ importsAt: 1n }),
    });
    await cluster.startAll();
    const { progress } = await awaitCode(cluster, cluster.members[3]!, 'L1_BEHIND');
    expect(progress.sentence).toMatch(
      /^This validator does not accept the payload proposed by v\d in round \d, .*: own L1 view does not cover 1 deposits yet$/,
    );
    expect(progress.remedy).toContain('L1 endpoints');
    const split = { sentence: '' };
    await cluster.clock.advance(BOUND_MS, () => {
      split.sentence = statusOf(cluster, cluster.members[3]!).progress.sentence;
      return split.sentence.startsWith('Round');
    });
    await cluster.clock.advance(30_000, () => {
      split.sentence = statusOf(cluster, cluster.members[3]!).progress.sentence;
      return split.sentence.includes('4 of 4') || split.sentence.includes('2 of 4 power for nil');
    });
    expect(split.sentence).toMatch(
      /^Round \d+ has no quorum for one value: pre\w+s of .*for nil \(.*v4.*; this validator voted nil: own L1 view/,
    );
    await cluster.stopAll();
  });

  test('a proposal from another time is refused for the clock bound', async () => {
    const clean = new Cluster({ seed: 45 });
    const index = clean.members.indexOf(memberOf(clean, proposerAt(clean.set, 1n, 0)));
    const cluster = new Cluster({ seed: 45, fault: (at) => (at === index ? timeShifter : null) });
    await cluster.startAll();
    const watcher = cluster.members.find((_, at) => at !== index)!;
    const { progress } = await awaitCode(cluster, watcher, 'CLOCK');
    expect(progress.sentence).toMatch(/: timestamp \d+ is more than 500 ms ahead of the own clock/);
    expect(progress.remedy).toContain('NTP');
    await cluster.stopAll();
  });
});

describe('the node', () => {
  test('without work it says when the next empty block is due, and with work when the next block is', async () => {
    const cluster = await started({ emptyBlockIntervalMs: 8_000, blockIntervalMs: 2_000 });
    const [member] = cluster.members as [Member];
    const idle = await awaitCode(cluster, member, 'IDLE');
    expect(idle.progress).toMatchObject({ state: 'committing', remedy: null });
    expect(idle.progress.sentence).toMatch(
      /^Waits for transactions: .* the next empty block is due in [78]\.\d s$/,
    );
    expect(idle).toMatchObject({ waitingFor: null, votes: null, margin: { failuresTolerated: 1 } });
    member.mempool.submit(Uint8Array.of(1));
    expect(statusOf(cluster, member).progress).toMatchObject({
      code: 'BLOCK_INTERVAL',
      sentence: expect.stringMatching(/^Transactions wait for block \d+, which is due in [12]\.\d s$/),
    });
    await cluster.stopAll();
  });

  test('an idle chain that has lost its quorum says so before the next block is due', async () => {
    const cluster = await started({ emptyBlockIntervalMs: 16_000, blockIntervalMs: 100 });
    const [a, , c, d] = cluster.members as [Member, Member, Member, Member];
    await awaitCode(cluster, a, 'IDLE');
    await cluster.clock.advance(9_000);
    expect(statusOf(cluster, a).margin).toMatchObject({ failuresTolerated: 1 });
    cluster.crash(c);
    cluster.crash(d);
    await cluster.clock.advance(6_000);
    expect(statusOf(cluster, a).progress).toMatchObject({ state: 'stalled', code: 'QUORUM_LOST' });
    await cluster.stopAll();
  });

  test('behind the others it says by how much and behind whom; one liar alone is not believed', async () => {
    const cluster = await started({ sync: false });
    const victim = cluster.members[3]!;
    cluster.hub.isCut = (a, b) => a === victim.name || b === victim.name;
    const others = cluster.members.slice(0, 3);
    expect(await cluster.until(victim.height() + 8n, BOUND_MS, others)).toBe(true);
    cluster.hub.isCut = (a, b) => [a, b].includes(victim.name) && ![a, b].includes('v1');
    await cluster.clock.advance(3_000);
    expect(statusOf(cluster, victim).progress.code).not.toBe('SYNCING');
    cluster.hub.isCut = () => false;
    const { progress, height } = await awaitCode(cluster, victim, 'SYNCING');
    const found = /^This node is (\d+) heights behind v\d and v\d, which are at height (\d+)/.exec(
      progress.sentence,
    )!;
    expect(BigInt(found[2]!) - height).toBe(BigInt(found[1]!));
    expect(progress.state).toBe('behind');
    await cluster.stopAll();
  });

  test('halted it gives code, reason and remedy, and still answers', async () => {
    const cluster = await started({ execution: (index) => (index === 2 ? { divergesAt: 6n } : {}) });
    const victim = cluster.members[2]!;
    const { progress, signing, halted } = await awaitCode(cluster, victim, 'HALTED');
    expect(progress).toMatchObject({ state: 'halted', remedy: expect.stringMatching(/other operators/) });
    expect(progress.sentence).toMatch(/^This node halted \(DIVERGENCE\): /);
    expect(signing.state).toBe('halted');
    expect(halted!.code).toBe('DIVERGENCE');
    await cluster.stopAll();
  });

  test('it answers before height 1 while it waits for the L1, and while it looks back', async () => {
    const waiting = new FakeL1();
    waiting.set({ status: { state: 'unverified', reason: 'no contract at 0xabc' } });
    const cluster = new Cluster({ seed: 46, l1View: () => waiting });
    const first = cluster.members[0]!;
    await cluster.start(first);
    expect(statusOf(cluster, first)).toMatchObject({
      height: 1n,
      round: -1,
      signing: { state: 'lookingBack' },
      progress: {
        state: 'stalled',
        code: 'L1_NOT_READY',
        sentence: 'Waits for the L1 before height 1: unverified (no contract at 0xabc)',
      },
    });
    await cluster.stopAll();
  });

  test('each validator has its height, round, step and newest vote', async () => {
    const cluster = await started();
    await cluster.clock.advance(2_000);
    const { validators, height } = statusOf(cluster, cluster.members[0]!);
    expect(validators.map(({ name, self }) => [name, self])).toEqual([
      ['v1', true],
      ['v2', false],
      ['v3', false],
      ['v4', false],
    ]);
    for (const { name, lastVote, heardAgoMs, absence, ...where } of validators) {
      expect([name, absence]).toEqual([name, null]);
      expect(where.height! >= height - 1n && where.height! <= height + 1n).toBe(true);
      expect(where.round).toBeGreaterThanOrEqual(-1);
      expect(['waiting', 'propose', 'prevote', 'precommit', 'decided']).toContain(where.step);
      expect(lastVote!.valueId).toMatch(/^0x[0-9a-f]{64}$/);
      expect(lastVote!.agoMs).toBeLessThan(2_000);
      expect(heardAgoMs).toBeLessThan(2_000);
    }
    await cluster.stopAll();
  });
});
