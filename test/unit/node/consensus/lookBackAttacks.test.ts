/** Liars against a validator that has just started: what they say must not stop it, nor make it sign again. */
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';
import {
  type ConsensusMessage,
  decodeRequest,
  encodeLastVoteAnswer,
  encodeMessage,
  encodeSessionAnswer,
} from '#node/consensus/messages.ts';
import type { Peer, RequestHandler } from '#node/network/network.ts';
import type { Fault } from '#test/faults/fault.ts';
import { decoded, delegate, rewriting } from '#test/faults/wire.ts';
import { Cluster, type Member } from '#test/sim/cluster/cluster.ts';
import { genesisDatabase } from '#test/sim/cluster/fakeChain.ts';
import { hashOf } from '#test/sim/cluster/samples.ts';
import { sentVotes, signedTwice } from '#test/sim/cluster/signedTwice.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import { isVote } from '../../../sim/scenarios/stage.ts';

type Lie = {
  /** What goes to this peer in place of the message. */
  readonly says?: (peer: Peer, message: ConsensusMessage) => readonly ConsensusMessage[];
  /** The answer in place of the host's; null: the host's own. */
  readonly answers?: (peer: Peer, request: 'lastVote' | 'session') => Uint8Array | null;
};

/** An honest validator until `lies.on`. */
const liar = (lies: { on: boolean }, { says, answers }: Lie): Fault => ({
  name: 'forger',
  create: ({ network, clock }) => {
    const answered =
      (handler: RequestHandler): RequestHandler =>
      async (peer, bytes) => {
        const request = decodeRequest(bytes);
        const type = request.ok ? request.value.type : null;
        const lie =
          lies.on && (type === 'lastVote' || type === 'session') ? (answers?.(peer, type) ?? null) : null;
        return lie ?? handler(peer, bytes);
      };
    return {
      clock,
      stop: () => undefined,
      network: delegate(network, {
        ...rewriting(network, (peer, bytes) => {
          const message = decoded(bytes);
          return lies.on && says !== undefined && message !== null
            ? says(peer, message).map(encodeMessage)
            : [bytes];
        }),
        handleRequest: (protocol, handler) => network.handleRequest(protocol, answered(handler)),
      }),
    };
  },
});

const wipe = (cluster: Cluster, member: Member, first: ValidatorSet = cluster.set): void => {
  cluster.crash(member);
  member.disk = new TearingDisk();
  member.database = genesisDatabase(first, cluster.members[0]!.database.blocks[0]!.timestamp);
};

const expectUnhurt = (cluster: Cluster): void => {
  expect(cluster.forks()).toEqual([]);
  expect(signedTwice(cluster.hub)).toEqual([]);
  expect(cluster.members.flatMap(({ halts }) => halts)).toEqual([]);
};

test.each([
  ['claims to be a million heights ahead', 1_000_000n],
  ['is silent', 0n],
])(
  'one that %s and votes no more does not keep a validator with one other link from voting again',
  async (_, ahead) => {
    const lies = { on: false };
    const fault = liar(lies, {
      says: ({ peerId }, message) =>
        message.type === 'summary'
          ? [peerId === 'v4' ? { ...message, height: message.height + ahead } : message]
          : [],
      answers: (_peer, request) => {
        if (request === 'lastVote') throw new Error('it does not say');
        return null;
      },
    });
    const cluster = new Cluster({ seed: 4, fault: (index) => (index === 0 ? fault : null) });
    cluster.hub.isCut = (a, b) => [a, b].sort().join() === 'v3,v4';
    await cluster.startAll();
    expect(await cluster.until(5n, 60_000)).toBe(true);
    lies.on = true;
    const victim = cluster.members[3]!;
    cluster.crash(victim);
    await cluster.clock.advance(1_000);
    await cluster.start(victim);
    expect(await cluster.until(victim.height() + 4n, 300_000, cluster.members.slice(1))).toBe(true);
    expectUnhurt(cluster);
    await cluster.stopAll();
  },
);

test.each([
  ['never says where it is', 4_000, false],
  ['says that it works on the same height', 8_000, true],
])(
  'an old folder signs nothing on the word of one that %s, before the others are heard',
  async (_, hiddenMs, claims) => {
    const lies = { on: false };
    let old = 0n;
    const fault = liar(lies, {
      says: ({ peerId }, message) => {
        if (peerId !== 'v4') return [message];
        if (message.type === 'summary' && claims)
          return [{ ...message, height: old + 1n, round: 0, rounds: [] }];
        return message.type === 'session' ? [message] : [];
      },
      answers: ({ peerId }, request) =>
        request === 'lastVote' && peerId === 'v4' ? encodeLastVoteAnswer(null) : null,
    });
    const cluster = new Cluster({ seed: 3, fault: (index) => (index === 0 ? fault : null) });
    await cluster.startAll();
    expect(await cluster.until(4n, 30_000)).toBe(true);
    await cluster.clock.advance(150);
    const victim = cluster.members[3]!;
    // Guard and chain of one moment: nothing in the folder says that it is old.
    const backup = { disk: victim.disk.copy(), blocks: [...victim.database.blocks] };
    old = victim.height();
    expect(await cluster.until(9n, 30_000)).toBe(true);
    cluster.crash(victim);
    await cluster.clock.advance(1_000);
    victim.disk = backup.disk;
    victim.database = { blocks: backup.blocks };
    lies.on = true;
    const openMs = cluster.clock.nowMs() + hiddenMs;
    cluster.hub.isCut = (a, b) =>
      cluster.clock.nowMs() < openMs && [a, b].includes('v4') && ![a, b].includes('v1');
    const { signed } = victim;
    await cluster.start(victim);
    await cluster.clock.advance(hiddenMs - 1);
    expect(victim.signed).toBe(signed);
    await cluster.clock.advance(20_000, () => victim.signed > signed);
    expect(victim.signed).toBeGreaterThan(signed);
    expectUnhurt(cluster);
    await cluster.stopAll();
  },
);

const FIRST_SET_UNTIL = 6n;
const LIARS = 2;

/** Two liars of seven, whom the set that began the chain gives more than a third. */
const withOldMajority = async (seed: number, lie: Lie, options: { sync?: boolean; session?: boolean }) => {
  const lies = { on: false };
  const first = (all: ValidatorSet): ValidatorSet => createValidatorSet(all.validators.slice(0, 4));
  const cluster = new Cluster({
    seed,
    validators: 7,
    setAt: (height, all) => (height <= FIRST_SET_UNTIL ? first(all) : all),
    fault: (index) => (index < LIARS ? liar(lies, lie) : null),
    sync: options.sync ?? true,
    ...(options.session ? { session: (name) => hashOf(name.charCodeAt(1)) } : {}),
  });
  await cluster.startAll();
  expect(await cluster.until(FIRST_SET_UNTIL + 3n, 120_000)).toBe(true);
  lies.on = true;
  return { cluster, victim: cluster.members[6]!, first: first(cluster.set) };
};

test.each([
  ['catches up', true],
  ['cannot catch up yet', false],
])(
  'liars with more than a third of an old set do not stop who %s for a second process that is not there',
  async (_, sync) => {
    const lie: Lie = { answers: (_peer, request) => (request === 'session' ? encodeSessionAnswer(0) : null) };
    const { cluster, victim, first } = await withOldMajority(2, lie, { sync, session: true });
    wipe(cluster, victim, first);
    const { signed } = victim;
    await cluster.start(victim);
    await cluster.clock.advance(20_000, () => victim.signed > signed);
    expectUnhurt(cluster);
    expect(victim.signed > signed).toBe(sync);
    await cluster.stopAll();
  },
);

test('what an old set said is asked again of the one that votes now: a wiped validator signs nothing twice', async () => {
  const lie: Lie = {
    says: ({ peerId }, message) =>
      peerId === 'v7' && message.type === 'summary'
        ? [{ ...message, height: 1n, round: 0, rounds: [] }]
        : [message],
    answers: ({ peerId }, request) =>
      peerId === 'v7' && request === 'lastVote' ? encodeLastVoteAnswer(null) : null,
  };
  const { cluster, victim, first } = await withOldMajority(5, lie, {});
  // A height that stays open, in which the victim has voted.
  const open = cluster.highest() + 2n;
  const isPrecommit = (message: Uint8Array): boolean => isVote(message, { height: open, type: 'precommit' });
  cluster.hub.isLost = (_from, _to, message) => isPrecommit(message);
  const votes = (): number =>
    sentVotes(cluster.hub).filter(
      ({ step }) => step.startsWith(victim.key.address) && step.includes(` ${open}/`),
    ).length;
  await cluster.clock.advance(30_000, () => votes() > 0);
  await cluster.clock.advance(300);
  wipe(cluster, victim, first);
  const before = votes();
  expect(before).toBeGreaterThan(0);
  // At first only the liars are there, and nothing else happens than that they are believed.
  const openMs = cluster.clock.nowMs() + 5_000;
  const liars = cluster.members.slice(0, LIARS).map(({ name }) => name);
  cluster.hub.isCut = (a, b) =>
    cluster.clock.nowMs() < openMs && [a, b].includes('v7') && !liars.includes(a) && !liars.includes(b);
  await cluster.start(victim);
  await cluster.clock.advance(25_000);
  expect(victim.height()).toBe(open - 1n);
  expect(victim.host!.status().signing.state).toBe('abstaining');
  expect(votes()).toBe(before);
  cluster.hub.isLost = () => false;
  const { signed } = victim;
  await cluster.clock.advance(60_000, () => victim.signed > signed);
  expect(victim.signed).toBeGreaterThan(signed);
  expectUnhurt(cluster);
  await cluster.stopAll();
});

test('two of four that lose their folders within a height stop the chain until one of these folders is back', async () => {
  const cluster = new Cluster({
    seed: 1,
    emptyBlockIntervalMs: 3_000,
    network: { minLatencyMs: 30, maxLatencyMs: 40 },
  });
  await cluster.startAll();
  expect(await cluster.until(3n, 60_000)).toBe(true);
  const victims = cluster.members.slice(0, 2);
  const open = cluster.highest() + 1n;
  const isVotedOn = (): boolean => {
    const steps = sentVotes(cluster.hub).map(({ step }) => step);
    return victims.every(({ key }) => steps.includes(`${key.address} prevote ${open}/0`));
  };
  await cluster.clock.advance(20_000, isVotedOn);
  const lost = victims.map((victim) => {
    cluster.crash(victim, 1);
    return { disk: victim.disk, database: { blocks: [...victim.database.blocks] } };
  });
  await cluster.clock.advance(2_000);
  for (const victim of victims) {
    wipe(cluster, victim);
    await cluster.start(victim);
  }
  await cluster.clock.advance(120_000);
  expect(cluster.highest()).toBe(open - 1n);
  for (const victim of victims)
    expect(victim.host!.status().signing).toMatchObject({
      state: 'abstaining',
      reason: expect.stringContaining('more than 2/3 of the power without it'),
    });
  cluster.crash(victims[0]!);
  Object.assign(victims[0]!, lost[0]);
  await cluster.start(victims[0]!);
  expect(await cluster.until(open + 3n, 60_000)).toBe(true);
  expectUnhurt(cluster);
  await cluster.stopAll();
});
