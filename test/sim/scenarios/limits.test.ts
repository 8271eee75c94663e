import { type Hash, parseHash } from '#consensus/primitives.ts';
import { NIL, type Vote } from '#consensus/types.ts';
import type { CancelTimer } from '#node/consensus/clock.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { walFileName } from '#node/consensus/wal.ts';
import { encodeFrame, frameHeader } from '#node/network/frames.ts';
import { BULK_PROTOCOL, URGENT_PROTOCOL } from '#node/network/networkOptions.ts';
import type { Fault } from '#test/faults/fault.ts';
import { signVote } from '#test/faults/forging.ts';
import { delegate, validatorPeers } from '#test/faults/wire.ts';
import { Cluster } from '#test/sim/cluster/cluster.ts';
import { hashOf } from '#test/sim/cluster/samples.ts';
import { createCluster, createIdentity, DOMAIN } from '#test/unit/node/network/networkFixture.ts';
import { closed, createRawPeer } from '#test/unit/node/network/rawPeer.ts';
import { type RealHost, setOf, startHost } from './realHosts.ts';
import {
  clusterWith,
  expectSound,
  honest,
  hostAmongPuppets,
  proposers,
  read,
  roundOf,
  signVoteWith,
  stepVote,
  voterOf,
} from './stage.ts';

test('14 · votes for rounds 1 to 2³¹ − 1: a bounded part of them is kept, and nobody moves', async () => {
  const { cluster, target, puppets } = await hostAmongPuppets(14);
  const [liar] = puppets;
  const file = walFileName(1n);
  const before = target.disk.bytes(file).length;
  const rounds = [
    ...Array.from({ length: 2_000 }, (_, index) => index + 1),
    ...Array.from({ length: 30 }, (_, index) => 2 ** (index + 1)),
    2 ** 31 - 1,
  ];
  for (const round of rounds)
    for (const type of ['prevote', 'precommit'] as const)
      liar.vote(target, { type, height: 1n, round, valueId: hashOf(round % 251) });
  await cluster.clock.advance(2_500);
  expect(target.host!.status()).toMatchObject({ height: 1n, round: 0 });
  // What it keeps is what it relays and what it writes.
  const summary = cluster.hub.sent.flatMap(({ from, message }) => {
    const decoded = read(message);
    return from === target.name && decoded?.type === 'summary' ? [decoded] : [];
  });
  expect(summary.at(-1)!.rounds.length).toBeLessThanOrEqual(8);
  const relayed = cluster.hub.sent.filter(
    ({ from, message }) => from === target.name && voterOf(message)?.validator === liar.member.key.address,
  );
  expect(relayed).toEqual([]);
  await target.host!.stop(); // what waits in memory is written
  expect(target.disk.bytes(file).length - before).toBeLessThan(70 * 400);
  await cluster.stopAll();
});

test('14 · a voter for the far future: the chain goes on in round 0 wherever others propose', async () => {
  const cluster = clusterWith('futureVoter', { seed: 140 });
  await cluster.startAll();
  expect(await cluster.until(12n, 60_000, honest(cluster))).toBe(true);
  const heights = Array.from({ length: 12 }, (_, index) => BigInt(index + 1));
  const rounds = heights
    .filter((height) => proposers(cluster, height)[0].faulty === null)
    .map((height) => roundOf(honest(cluster)[0]!, height));
  expect(new Set(rounds)).toEqual(new Set([0]));
  expect(honest(cluster).flatMap(({ evidence }) => evidence)).toEqual([]);
  expectSound(cluster);
  await cluster.stopAll();
});

test('14 · a flooder: it is charged, and the chain goes on', async () => {
  const cluster = clusterWith('flooder', { seed: 141 });
  await cluster.startAll();
  expect(await cluster.until(12n, 60_000, honest(cluster))).toBe(true);
  expect(new Set(cluster.hub.faults.map(({ peerId }) => peerId))).toEqual(
    new Set([cluster.members[1]!.name]),
  );
  expectSound(cluster);
  await cluster.stopAll();
});

test('15 · votes at height + 1,000,000: dropped, nothing is written, nothing is moved', async () => {
  const { cluster, target, puppets } = await hostAmongPuppets(15);
  await cluster.clock.advance(100);
  const before = target.disk.bytes(walFileName(1n));
  const files = await target.disk.list();
  for (const puppet of puppets)
    for (const type of ['prevote', 'precommit'] as const)
      puppet.vote(target, { type, height: 1_000_001n, round: 0, valueId: hashOf(1) });
  await cluster.clock.advance(200);
  expect(target.host!.status()).toMatchObject({ height: 1n, round: 0, step: 'prevote' });
  expect(target.disk.bytes(walFileName(1n))).toEqual(before);
  expect(await target.disk.list()).toEqual(files);
  await cluster.stopAll();
});

const real = createCluster();
const hosts: RealHost[] = [];
afterEach(async () => {
  await Promise.all(hosts.splice(0).map(({ host }) => host.stop()));
  await real.stopAll();
});

test('16 · a vote flood from a non-validator: zero state is kept, and the peer is banned', async () => {
  const validators = await Promise.all(['one', 'two', 'three', 'four'].map((name) => createIdentity(name)));
  const follower = await createIdentity('follower', false);
  const node = await real.start(validators[0]!, [...validators, follower]);
  const running = await startHost(node, setOf(validators), Date.now(), 600_000);
  hosts.push(running);
  const raw = await createRawPeer(follower, node);
  await raw.answerPings();
  const connection = await raw.connect();
  await raw.shakeHands(connection);
  await node.connected(follower.peerId);
  const before = await running.disk.list();
  // Really signed by validators: from a validator each of them would count.
  const flood: Uint8Array[] = [];
  for (const { signer } of validators.slice(1))
    for (let round = 0; round < 40; round++) {
      const vote: Vote = { type: 'prevote', height: 1n, round, valueId: NIL };
      const signature = await signer!.sign({ kind: 'vote', domain: DOMAIN, vote });
      flood.push(
        encodeFrame(encodeMessage({ type: 'vote', vote: { ...vote, signature, payloadHash: null } })),
      );
    }
  const floodOnce = async (): Promise<void> => {
    const stream = await raw.open(connection, URGENT_PROTOCOL);
    for (const frame of flood) stream.send(frame);
  };
  // Each stream is reset as soon as it speaks.
  while (connection.status === 'open') await floodOnce().catch(() => {});
  const line = await node.logger.waitFor('peer banned');
  expect(line.fields).toMatchObject({ peerId: follower.peerId, fault: 'forbidden' });
  await node.disconnected(follower.peerId);
  expect(running.host.status()).toMatchObject({ height: 1n, round: -1, step: 'waiting' });
  for (const { lastVote } of running.host.status().validators) expect(lastVote).toBeNull();
  expect(await running.disk.list()).toEqual(before);
  expect(before).not.toContain(walFileName(1n));
  await raw.node.stop();
});

test('19 · oversized and malformed frames: the stream is reset, the peer pays, and blocks go on', async () => {
  const validators = await Promise.all(['one', 'two', 'three', 'four'].map((name) => createIdentity(name)));
  const [one, two, three, liar] = validators as [never, never, never, never];
  const set = setOf(validators);
  const genesisMs = Date.now();
  const nodes = [await real.start(one, validators)];
  nodes.push(await real.start(two, validators, nodes.slice(0, 1)));
  nodes.push(await real.start(three, validators, nodes.slice(0, 2)));
  for (const node of nodes) hosts.push(await startHost(node, set, genesisMs, 100));
  await hosts[0]!.more(2);
  const raw = await createRawPeer(liar, nodes[0]!);
  await raw.answerPings();
  // It reads what it is sent, as a validator does.
  for (const protocol of [URGENT_PROTOCOL, BULK_PROTOCOL])
    await raw.node.handle(protocol, (stream) => stream.addEventListener('message', () => undefined));
  const connection = await raw.connect();
  await raw.shakeHands(connection);
  (await raw.open(connection, URGENT_PROTOCOL)).send(frameHeader(0));
  await nodes[0]!.logger.waitFor('peer fault');
  await hosts[0]!.more(1);
  const banned = nodes[0]!.logger.waitFor('peer banned');
  (await raw.open(connection, BULK_PROTOCOL)).send(frameHeader(0xffff_ffff));
  await banned;
  await closed(connection);
  await Promise.all(hosts.map(({ more }) => more(2)));
  const hashes = hosts.map(({ chain }) => chain.database.blocks[3]!.hash);
  expect(new Set(hashes).size).toBe(1);
  expect(hosts.flatMap(({ halts }) => halts)).toEqual([]);
  await raw.node.stop();
}, 60_000);

test('votes and proposals that say nothing new are not written to the log, however many come', async () => {
  const at = { type: 'prevote', height: 1n, round: 0 } as const;
  const proposal = { height: 1n, round: 0, polRound: -1, payloadHash: hashOf(0xaa), valueId: NIL } as const;
  const numbered = (count: number): Hash => parseHash(`0x${count.toString(16).padStart(64, '0')}`);
  const sizeAfter = async (repeats: number): Promise<number> => {
    const { cluster, target, puppets } = await hostAmongPuppets(45);
    const [one, two, three] = puppets;
    const own = stepVote(cluster, target, at)!;
    // A first and a second vote count, as do a first and a second proposal: the second is evidence.
    for (const [index, puppet] of puppets.entries())
      for (const step of [0, 10]) puppet.vote(target, { ...at, valueId: hashOf(1 + index + step) });
    for (const round of [0, 12, 16, 20, 24]) one.propose(target, { ...proposal, round });
    await cluster.clock.advance(500);
    for (let count = 1; count <= repeats; count++) {
      for (const puppet of puppets) puppet.vote(target, { ...at, valueId: numbered(count) });
      one.propose(target, { ...proposal, payloadHash: numbered(count) });
      if (count % 20 !== 0) continue;
      // A round ahead that has no place, the host's own vote, a vote that is known with another hint.
      one.propose(target, { ...proposal, round: 8, payloadHash: numbered(count) });
      two.send(target, { type: 'vote', vote: { ...own, payloadHash: numbered(count) } });
      const known = signVoteWith(three.member.key, { ...at, valueId: hashOf(3) });
      two.send(target, { type: 'vote', vote: { ...known, payloadHash: numbered(count) } });
    }
    await cluster.clock.advance(2_000);
    expect(target.host!.status()).toMatchObject({ height: 1n, round: 0 });
    expect(cluster.hub.faults).toEqual([]);
    await target.host!.stop(); // what waits in memory is written
    await cluster.stopAll();
    return target.disk.bytes(walFileName(1n)).length;
  };
  expect(await sizeAfter(1_000)).toBe(await sizeAfter(0));
});

test('a validator that votes at once in every height: nobody hurries beyond half the block interval (RULES 17)', async () => {
  const hasty: Fault = {
    name: 'futureVoter',
    create: (tools) => {
      let voted = 0n;
      let cancel: CancelTimer = () => undefined;
      const tick = (): void => {
        const height = tools.position()?.height ?? 0n;
        if (height > voted) {
          voted = height;
          const vote = signVote(tools, { type: 'prevote', height, round: 0, valueId: NIL });
          const bytes = encodeMessage({ type: 'vote', vote });
          for (const { peerId } of validatorPeers(tools.network)) tools.network.sendConsensus(peerId, bytes);
        }
        cancel = tools.clock.setTimer(2, tick);
      };
      tick();
      return { clock: tools.clock, stop: () => cancel(), network: delegate(tools.network, {}) };
    },
  };
  const cluster = new Cluster({
    seed: 46,
    blockIntervalMs: 1_000,
    emptyBlockIntervalMs: 10_000,
    fault: (index) => (index === 0 ? hasty : null),
  });
  await cluster.startAll();
  await cluster.clock.advance(20_000);
  // It does start rounds, but no sooner than that after a commit.
  expect(cluster.highest()).toBeGreaterThan(5n);
  expect(cluster.highest()).toBeLessThanOrEqual(20_000n / 500n);
  expectSound(cluster);
  await cluster.stopAll();
});
