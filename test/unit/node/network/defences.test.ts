import { connect, type Socket } from 'node:net';
import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Address } from '#consensus/primitives.ts';
import { encodeFrame } from '#node/network/frames.ts';
import { HANDSHAKE_PROTOCOL } from '#node/network/handshake.ts';
import { MAX_CONNECTIONS_PER_PEER } from '#node/network/links.ts';
import type { NetworkTuning } from '#node/network/networkOptions.ts';
import { BULK_PROTOCOL, DEFAULT_TUNING, URGENT_PROTOCOL } from '#node/network/networkOptions.ts';
import { createCluster, createIdentity, type Identity, type TestNode, text } from './networkFixture.ts';
import { closed, createRawPeer, type RawPeer } from './rawPeer.ts';

const cluster = createCluster();
const rawPeers: RawPeer[] = [];
let one: Identity;
let two: Identity;
let three: Identity;
let newcomer: Identity;
let stranger: Identity;

beforeAll(async () => {
  const names = ['one', 'two', 'three', 'newcomer'];
  [one, two, three, newcomer] = (await Promise.all(names.map((name) => createIdentity(name)))) as [
    Identity,
    Identity,
    Identity,
    Identity,
  ];
  stranger = await createIdentity('stranger', false);
});
afterEach(async () => {
  await Promise.all(rawPeers.splice(0).map(({ node }) => node.stop()));
  await cluster.stopAll();
});

const rawPeer = async (identity: Identity, target: TestNode): Promise<RawPeer> => {
  const peer = await createRawPeer(identity, target);
  rawPeers.push(peer);
  await peer.answerPings();
  return peer;
};

/** The chain's validators as the node sees them; the test moves them. */
const createMembers = (...identities: readonly Identity[]) => {
  let members = new Map<Address, bigint>(identities.map(({ validator }) => [validator!, 1n]));
  return {
    members: () => members,
    become(...others: readonly Identity[]) {
      members = new Map(others.map(({ validator }) => [validator!, 1n]));
    },
  };
};

const until = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
};

describe('the allow-list follows the chain', () => {
  test('a PeerId on no list that proves nothing is refused, and is not told anything before', async () => {
    const { members } = createMembers(one, two);
    const a = await cluster.start(one, [one, two], [], { members });
    const peer = await rawPeer(stranger, a);
    const connection = await peer.connect();
    await expect(peer.shakeHands(connection)).rejects.toThrow('with neither');
    await closed(connection);
    expect(a.network.peers()).toEqual([]);
    expect(a.events).toEqual([]);
  });

  test('a PeerId on no list that proves a key of nobody in the set is refused', async () => {
    const { members } = createMembers(one, two);
    const a = await cluster.start(one, [one, two], [], { members });
    const peer = await rawPeer(newcomer, a);
    await expect(peer.shakeHands(await peer.connect())).rejects.toThrow('expected a binding');
    expect(a.network.peers()).toEqual([]);
  });

  test('a validator of the chain is a peer, whatever its PeerId, in both directions', async () => {
    const { members } = createMembers(one, two, newcomer);
    const a = await cluster.start(one, [one, two], [], { members });
    const b = await cluster.start(newcomer, [one, two], [a], { members });
    const found = await a.connected(newcomer.peerId);
    expect(found.validator).toBe(newcomer.validator);
    expect((await b.connected(one.peerId)).validator).toBe(one.validator);
    b.network.broadcastConsensus(text('a vote'));
    await a.message((bytes) => Buffer.from(bytes).toString() === 'a vote');
    // the listed validator dials the one that is on no list
    const c = await cluster.start(two, [one, two], [b], { members });
    await Promise.all([c.connected(newcomer.peerId), b.connected(two.peerId)]);
  });

  test('who leaves the set is no validator any more, and a listed one stays as a full node', async () => {
    const chain = createMembers(one, two, newcomer);
    const { members } = chain;
    const a = await cluster.start(one, [one, two], [], { members });
    const b = await cluster.start(newcomer, [one, two], [a], { members });
    const c = await cluster.start(two, [one, two], [a], { members });
    await Promise.all([a.connected(newcomer.peerId), a.connected(two.peerId)]);
    await Promise.all([b.connected(one.peerId), c.connected(one.peerId)]);
    chain.become(one);
    await Promise.all([a.disconnected(newcomer.peerId), a.disconnected(two.peerId)]);
    expect((await a.connected(two.peerId)).validator).toBeNull();
    expect(a.network.peers().map(({ peerId }) => peerId)).toEqual([two.peerId]);
  });

  test('one key has few PeerIds', async () => {
    const { members } = createMembers(one, newcomer);
    const a = await cluster.start(one, [one], [], { members });
    const seeds = await Promise.all(['a', 'b', 'c'].map((name) => createIdentity(name, false)));
    const results = [];
    for (const seed of seeds) {
      const peer = await rawPeer({ ...seed, signer: newcomer.signer }, a);
      const connection = await peer.connect();
      await peer.shakeHands(connection).catch(() => undefined);
      await Promise.race([a.connected(seed.peerId), closed(connection)]);
      results.push(a.network.peers().some(({ peerId }) => peerId === seed.peerId));
    }
    expect(results).toEqual([true, true, false]);
  });
});

describe('before the handshake', () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  /** TCP connections that say nothing. */
  const rawSockets = async (node: TestNode, count: number): Promise<readonly Socket[]> => {
    const [host, port] = multiaddr(node.network.addresses()[0]!).getComponents();
    for (let i = 0; i < count; i++) {
      const socket = connect(Number(port!.value), host!.value!);
      socket.on('error', () => undefined);
      socket.resume();
      sockets.push(socket);
    }
    return sockets;
  };

  const start = (tuning: Partial<NetworkTuning>): Promise<TestNode> =>
    cluster.start(one, [one, two], [], { tuning });

  test('an address that connects too often is closed before a socket exists, and may again later', async () => {
    const addresses = { ...DEFAULT_TUNING.addresses, acceptsPerAddress: { perSecond: 5, burst: 3 } };
    const a = await start({ addresses });
    const sockets = await rawSockets(a, 20);
    await until(() => sockets.filter(({ destroyed }) => destroyed).length >= 17);
    expect(a.network.counters().drops.acceptRate).toBeGreaterThanOrEqual(10);
    const b = await cluster.start(two, [one, two], [a]);
    await b.connected(one.peerId);
  });

  test('few connections of one address may wait for their handshake', async () => {
    const addresses = { ...DEFAULT_TUNING.addresses, pendingPerAddress: 4 };
    const a = await start({ addresses, handshakeTimeoutMs: 1_500 });
    const sockets = await rawSockets(a, 10);
    await until(() => sockets.filter(({ destroyed }) => destroyed).length >= 6);
    expect(a.network.counters().pendingHandshakes).toBeLessThanOrEqual(4);
    expect(a.network.counters().drops.pendingHandshakes).toBeGreaterThan(0);
    await until(() => a.network.counters().pendingHandshakes === 0);
  });

  test('a PeerId has few connections', async () => {
    const a = await start({ retireAfterMs: 60_000 });
    const peer = await rawPeer(two, a);
    let open: Connection[] = [];
    for (let i = 0; i < MAX_CONNECTIONS_PER_PEER + 3; i++) {
      const connection = await peer.connect();
      await peer.shakeHands(connection).catch(() => undefined);
      open.push(connection);
    }
    await until(() => {
      open = open.filter(({ status }) => status === 'open');
      return open.length <= MAX_CONNECTIONS_PER_PEER;
    });
    expect(a.network.counters().drops.tooManyConnections).toBeGreaterThanOrEqual(3);
  });

  test('more bytes than a handshake needs end the connection', async () => {
    const a = await start({ beforeHandshakeBytes: 20_000, handshakeTimeoutMs: 600_000 });
    const peer = await rawPeer(two, a);
    const connection = await peer.connect();
    const stream = await peer.open(connection, URGENT_PROTOCOL);
    for (let i = 0; i < 50 && stream.status === 'open'; i++) stream.send(new Uint8Array(4_096));
    await closed(connection);
    expect(a.events).toEqual([]);
  });

  test('garbage for a handshake makes strangers wait, and no flood of log lines', async () => {
    const { members } = createMembers(one, two);
    const a = await cluster.start(one, [one, two], [], { members });
    const peer = await rawPeer(stranger, a);
    for (let i = 0; i < 30; i++) {
      try {
        const connection = await peer.connect();
        const stream = await peer.open(connection, HANDSHAKE_PROTOCOL);
        stream.send(encodeFrame(text('GET / HTTP/1.1')));
        await closed(connection);
      } catch {
        // refused earlier: the better
      }
    }
    const { drops } = a.network.counters();
    expect(drops.handshakeRefused).toBeLessThanOrEqual(10);
    expect(drops.unlisted).toBeGreaterThanOrEqual(15);
    expect(a.logger.lines.filter(({ level }) => level === 'warn').length).toBeLessThanOrEqual(4);
    // the same address, with a name that is on the list
    const b = await cluster.start(two, [one, two], [a], { members });
    await b.connected(one.peerId);
  });
});

describe('a connected peer that floods is not read', () => {
  const begin = async (
    budgets: Partial<NetworkTuning['budgets']>,
  ): Promise<{ node: TestNode; peer: RawPeer; connection: Connection }> => {
    const all = [one, two, three, newcomer];
    const node = await cluster.start(one, all, [], {
      tuning: { budgets: { ...DEFAULT_TUNING.budgets, ...budgets }, pingTimeoutMs: 60_000 },
    });
    const honest = await cluster.start(three, all, [node]);
    const peer = await rawPeer(two, node);
    const connection = await peer.connect();
    await peer.shakeHands(connection);
    await Promise.all([
      node.connected(two.peerId),
      node.connected(three.peerId),
      honest.connected(one.peerId),
    ]);
    honestNode = honest;
    return { node, peer, connection };
  };
  let honestNode: TestNode;

  const expectHonestHeard = async (node: TestNode): Promise<void> => {
    for (let i = 0; i < 50; i++) honestNode.network.broadcastConsensus(text(`vote ${i}`));
    await node.message((bytes) => Buffer.from(bytes).toString() === 'vote 49');
  };

  /** Sends until the muxer's window is full: the other side does not read any more. */
  const fill = async (stream: Stream, bytes: Uint8Array): Promise<void> => {
    while (stream.status === 'open' && !stream.writableNeedsDrain) {
      stream.send(bytes);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  test('messages beyond the budget wait at their sender, who stays connected', async () => {
    const { node, peer, connection } = await begin({ messages: { perSecond: 0.01, burst: 10 } });
    const stream = await peer.open(connection, URGENT_PROTOCOL);
    await fill(stream, encodeFrame(new Uint8Array(2_000).fill(1)));
    expect(node.messages.filter(({ from }) => from === two.peerId).length).toBeLessThanOrEqual(13);
    expect(node.network.counters().peers[two.peerId]!.pauses).toBeGreaterThan(0);
    expect(node.events).not.toContain(`-${two.peerId}`);
  });

  test('bytes beyond the budget stay in the sender’s socket, and others are heard', async () => {
    const { node, peer, connection } = await begin({ bytes: { perSecond: 1_000, burst: 300_000 } });
    const stream = await peer.open(connection, BULK_PROTOCOL);
    await fill(stream, encodeFrame(new Uint8Array(60_000).fill(1)));
    expect(node.network.counters().peers[two.peerId]!.pauses).toBeGreaterThan(0);
    expect(node.messages.filter(({ from }) => from === two.peerId).length).toBeLessThanOrEqual(10);
    await expectHonestHeard(node);
  });

  test('processor time beyond the budget is not given, and others are heard', async () => {
    const { node, peer, connection } = await begin({ validatorCpuMs: { perSecond: 1, burst: 20 } });
    node.network.onConsensus((from) => {
      if (from.peerId !== two.peerId) return;
      // what a handler does with a message before the event loop goes on is the sender's
      const end = process.threadCpuUsage().user + 10_000;
      while (process.threadCpuUsage().user < end);
    });
    const stream = await peer.open(connection, URGENT_PROTOCOL);
    await fill(stream, encodeFrame(new Uint8Array(4_000).fill(1)));
    const { pauses, messages } = node.network.counters().peers[two.peerId]!;
    expect(pauses).toBeGreaterThan(0);
    expect(messages).toBeLessThanOrEqual(40);
    for (let i = 0; i < 50; i++) honestNode.network.broadcastConsensus(text(`vote ${i}`));
    await until(() => node.network.counters().peers[three.peerId]!.messages >= 50);
  });

  test.each([
    ['useless messages are read for a small part of that time alone', false],
    ['messages that turn out to be of use are read on', true],
  ])('%s', async (_what, areOfUse) => {
    const { node, peer, connection } = await begin({ validatorUselessCpuMs: { perSecond: 1, burst: 200 } });
    let heard = 0;
    node.network.onConsensus((from) => {
      if (from.peerId !== two.peerId) return;
      heard++;
      const end = process.threadCpuUsage().user + 4_000;
      while (process.threadCpuUsage().user < end);
      if (areOfUse) node.network.reportUse(from.peerId, 'payload', 512 * 1024);
    });
    const stream = await peer.open(connection, URGENT_PROTOCOL);
    const message = encodeFrame(new Uint8Array(4_000).fill(1));
    if (areOfUse) {
      for (let i = 0; i < 45; i++) stream.send(message);
      await until(() => heard === 45);
    } else await fill(stream, message);
    const { pauses, messages } = node.network.counters().peers[two.peerId]!;
    expect(pauses > 0).toBe(!areOfUse);
    // a budget of 50, and what one chunk of the socket holds
    if (!areOfUse) expect(messages).toBeLessThanOrEqual(80);
    for (let i = 0; i < 50; i++) honestNode.network.broadcastConsensus(text(`vote ${i}`));
    await until(() => node.network.counters().peers[three.peerId]!.messages >= 50);
  });

  test('requests beyond what is answered at once wait, those beyond the queue are refused', async () => {
    const { node, peer, connection } = await begin({});
    let answering = 0;
    let most = 0;
    const finish: (() => void)[] = [];
    node.network.handleRequest('/test/slow', async () => {
      answering++;
      most = Math.max(most, answering);
      await new Promise<void>((resolve) => finish.push(resolve));
      answering--;
      return new Uint8Array(0);
    });
    const streams = await Promise.all(Array.from({ length: 16 }, () => peer.open(connection, '/test/slow')));
    for (const stream of streams) stream.send(encodeFrame(text('?')));
    await until(() => answering === 4);
    const answered = streams.map(
      (stream) => new Promise<void>((resolve) => stream.addEventListener('message', () => resolve())),
    );
    const release = setInterval(() => {
      for (const resolve of finish.splice(0)) resolve();
    }, 5);
    await Promise.all(answered);
    clearInterval(release);
    expect(most).toBe(4);
  });

  test('reconnecting buys no new budget', async () => {
    const { node, peer, connection } = await begin({ messages: { perSecond: 0.01, burst: 10 } });
    await fill(await peer.open(connection, URGENT_PROTOCOL), encodeFrame(new Uint8Array(2_000).fill(1)));
    const before = node.messages.length;
    connection.abort(new Error('again'));
    await node.disconnected(two.peerId);
    const again = await peer.connect();
    await peer.shakeHands(again);
    await node.connected(two.peerId);
    const stream = await peer.open(again, URGENT_PROTOCOL);
    await fill(stream, encodeFrame(new Uint8Array(2_000).fill(1)));
    expect(node.messages.length - before).toBeLessThanOrEqual(1);
  });
});
