import { multiaddr } from '@multiformats/multiaddr';
import { PROTOCOL_VERSION, URGENT_MESSAGE_BYTES } from '#node/network/networkOptions.ts';
import { DEFAULT_SCORE } from '#node/network/peerScore.ts';
import {
  createCluster,
  createIdentity,
  createSigner,
  hashOf,
  type Identity,
  text,
} from './networkFixture.ts';

const cluster = createCluster();
let one: Identity;
let two: Identity;
let three: Identity;
let follower: Identity;

beforeAll(async () => {
  [one, two, three] = await Promise.all([
    createIdentity('one'),
    createIdentity('two'),
    createIdentity('three'),
  ]);
  follower = await createIdentity('follower', false);
});
afterEach(() => cluster.stopAll());

describe('handshake', () => {
  test('a validator proves its consensus key to another', async () => {
    const a = await cluster.start(one, [one, two]);
    const b = await cluster.start(two, [one, two], [a]);
    expect(await a.connected(two.peerId)).toEqual({
      peerId: two.peerId,
      name: 'two',
      validator: two.validator,
    });
    expect(await b.connected(one.peerId)).toEqual({
      peerId: one.peerId,
      name: 'one',
      validator: one.validator,
    });
  });

  test('a node without a consensus key proves its PeerId only', async () => {
    const a = await cluster.start(one, [one, follower]);
    const b = await cluster.start(follower, [one, follower], [a]);
    expect((await a.connected(follower.peerId)).validator).toBeNull();
    expect((await b.connected(one.peerId)).validator).toBe(one.validator);
  });

  test('a validator that does not use its key counts as a full node', async () => {
    const a = await cluster.start(one, [one, two]);
    await cluster.start(two, [one, two], [a], { signer: null });
    expect((await a.connected(two.peerId)).validator).toBeNull();
  });

  test.each([
    ['genesis hash', { domain: { chainId: 42424n, genesisHash: hashOf('other') } }, 'expected genesis hash'],
    ['chain id', { domain: { chainId: 1n, genesisHash: hashOf('genesis') } }, 'expected chain id'],
    ['fork plan', { forkPlanHash: hashOf('fork') }, 'expected fork plan'],
    ['protocol version', { protocolVersion: PROTOCOL_VERSION + 1 }, 'expected protocol version'],
  ])('another %s is refused and named by both', async (what, overrides, message) => {
    const a = await cluster.start(one, [one, two]);
    const b = await cluster.start(two, [one, two], [a], overrides);
    const [atA, atB] = await Promise.all([a.logger.waitFor(message), b.logger.waitFor(message)]);
    expect(atA.level).toBe('warn');
    expect(atB.level).toBe('warn');
    if (what === 'genesis hash') {
      expect(atA.message).toContain(hashOf('genesis'));
      expect(atA.message).toContain(hashOf('other'));
    }
    expect(a.network.peers()).toEqual([]);
    expect(b.network.peers()).toEqual([]);
  });

  test('a consensus key that the list does not give to this PeerId is refused', async () => {
    const a = await cluster.start(one, [one, two, three]);
    const b = await cluster.start(two, [one, two, three], [a], { signer: three.signer });
    const line = await a.logger.waitFor('expected a binding');
    expect(line.message).toContain(three.validator!);
    expect(line.message).toContain(two.validator!);
    await b.logger.waitFor('the peer refused us');
    expect(a.network.peers()).toEqual([]);
  });

  test('a consensus key on a PeerId that is listed as a full node is refused', async () => {
    const a = await cluster.start(one, [one, follower]);
    await cluster.start(follower, [one, follower], [a], { signer: two.signer });
    await a.logger.waitFor('expected a binding');
    expect(a.network.peers()).toEqual([]);
  });

  test('a binding that was recorded in another handshake is refused', async () => {
    const real = createSigner(two.seed);
    const allowed = { ...two, signer: real, validator: real.address };
    const recorded = await real.sign({
      kind: 'peerBinding',
      domain: { chainId: 42424n, genesisHash: hashOf('genesis') },
      binding: { peerId: two.peerId, challenge: hashOf('an older challenge') },
    });
    const a = await cluster.start(one, [one, allowed]);
    await cluster.start(allowed, [one, allowed], [a], {
      signer: { address: real.address, sign: async () => recorded },
    });
    await a.logger.waitFor('expected a binding');
    expect(a.network.peers()).toEqual([]);
  });

  test('a PeerId that is not on the list is refused by name', async () => {
    const a = await cluster.start(one, [one, two]);
    const stranger = await cluster.start(three, [one, two, three], [a]);
    const line = await a.logger.waitFor('the specification does not list');
    expect(line.fields.peerId).toBe(three.peerId);
    expect(stranger.network.peers()).toEqual([]);
    expect(a.events).toEqual([]);
  });

  test('an address outside the list is refused as configuration', async () => {
    const a = await cluster.start(one, [one, two]);
    await expect(cluster.start(two, [two], [a])).rejects.toMatchObject({ code: 'BAD_OPTIONS' });
  });
});

describe('consensus messages', () => {
  test('small and large ones arrive whole and in order of their kind', async () => {
    const a = await cluster.start(one, [one, two]);
    const b = await cluster.start(two, [one, two], [a]);
    await Promise.all([a.connected(two.peerId), b.connected(one.peerId)]);
    const large = new Uint8Array(2 * 1024 * 1024).fill(7);
    a.network.sendConsensus(two.peerId, large);
    for (let i = 0; i < 100; i++) a.network.broadcastConsensus(text(`vote ${i}`));
    await b.message((bytes) => bytes.length === large.length);
    await b.message((bytes) => Buffer.from(bytes).toString() === 'vote 99');
    const small = b.messages.filter(({ bytes }) => bytes.length <= URGENT_MESSAGE_BYTES);
    expect(small.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(
      Array.from({ length: 100 }, (_, i) => `vote ${i}`),
    );
    const received = b.messages.find(({ bytes }) => bytes.length === large.length)!;
    expect(Buffer.compare(received.bytes, large)).toBe(0);
  });

  test('a broadcast reaches validators only', async () => {
    const a = await cluster.start(one, [one, two, follower]);
    const b = await cluster.start(two, [one, two, follower], [a]);
    const f = await cluster.start(follower, [one, two, follower], [a]);
    await Promise.all([a.connected(two.peerId), a.connected(follower.peerId)]);
    await Promise.all([b.connected(one.peerId), f.connected(one.peerId)]);
    a.network.broadcastConsensus(text('vote'));
    a.network.sendConsensus(follower.peerId, text('for you'));
    await b.message(() => true);
    await f.message((bytes) => Buffer.from(bytes).toString() === 'for you');
    expect(f.messages).toHaveLength(1);
  });

  test('a node without a consensus key that sends them is banned, and others are not affected', async () => {
    const a = await cluster.start(one, [one, two, follower]);
    const b = await cluster.start(two, [one, two, follower], [a]);
    const f = await cluster.start(follower, [one, two, follower], [a]);
    await Promise.all([a.connected(follower.peerId), f.connected(one.peerId), b.connected(one.peerId)]);
    const timer = setInterval(() => f.network.sendConsensus(one.peerId, text('vote')), 5);
    const banned = await a.logger.waitFor('banned');
    clearInterval(timer);
    expect(banned.fields).toMatchObject({ peerId: follower.peerId, fault: 'forbidden' });
    await f.disconnected(one.peerId);
    expect(a.messages).toEqual([]);
    b.network.broadcastConsensus(text('still here'));
    await a.message((bytes) => Buffer.from(bytes).toString() === 'still here');
    expect(a.events).not.toContain(`-${two.peerId}`);
  });

  test('a banned validator is let in again when its ban ends', async () => {
    const others = await Promise.all([createIdentity('four'), createIdentity('five')]);
    const all = [one, two, ...others];
    const a = await cluster.start(one, all, [], {
      tuning: { score: { ...DEFAULT_SCORE, validatorBanMs: 300 } },
    });
    const b = await cluster.start(two, all, [a]);
    await Promise.all([a.connected(two.peerId), b.connected(one.peerId)]);
    a.network.reportFault(two.peerId, 'oversized', 'by mistake');
    await a.disconnected(two.peerId);
    expect(a.network.counters().bans).toBe(1);
    await a.connected(two.peerId);
    expect(a.events).toEqual([`+${two.peerId}`, `-${two.peerId}`, `+${two.peerId}`]);
  });

  test('what the quorum needs is disconnected, but never banned', async () => {
    const a = await cluster.start(one, [one, two, three]);
    const b = await cluster.start(two, [one, two, three], [a]);
    await Promise.all([a.connected(two.peerId), b.connected(one.peerId)]);
    a.network.reportFault(two.peerId, 'oversized', 'by mistake');
    await a.logger.waitFor('not banned');
    await a.disconnected(two.peerId);
    expect(a.network.counters()).toMatchObject({ bans: 0, bannedNow: [] });
    await a.connected(two.peerId);
  });

  test('sending more than the cap is the caller’s error; a peer that is away is silence', async () => {
    const a = await cluster.start(one, [one, two]);
    expect(() => a.network.sendConsensus(two.peerId, new Uint8Array(3 * 1024 * 1024))).toThrow(
      expect.objectContaining({ code: 'OVERSIZED' }),
    );
    a.network.sendConsensus(two.peerId, text('into the void'));
  });
});

describe('requests', () => {
  test('an answer comes back; a handler that throws closes the stream; a slow one times out', async () => {
    const a = await cluster.start(one, [one, two]);
    const b = await cluster.start(two, [one, two], [a]);
    a.network.handleRequest('/test/echo', async (peer, request) =>
      text(`${peer.name}: ${Buffer.from(request)}`),
    );
    a.network.handleRequest('/test/throw', async () => Promise.reject(new Error('no')));
    a.network.handleRequest('/test/never', () => new Promise(() => {}));
    a.network.handleRequest('/test/large', async () => new Uint8Array(100_000));
    await b.connected(one.peerId);
    const echoed = await b.network.request(one.peerId, '/test/echo', text('hi'));
    expect(Buffer.from(echoed).toString()).toBe('two: hi');
    await expect(b.network.request(one.peerId, '/test/throw', text('hi'))).rejects.toMatchObject({
      code: 'STREAM',
    });
    await expect(
      b.network.request(one.peerId, '/test/never', text('hi'), { timeoutMs: 100 }),
    ).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(
      b.network.request(one.peerId, '/test/large', text('hi'), { maxAnswerBytes: 1000 }),
    ).rejects.toMatchObject({ code: 'OVERSIZED' });
    await expect(b.network.request(one.peerId, '/test/unknown', text('hi'))).rejects.toMatchObject({
      code: 'STREAM',
    });
    await expect(b.network.request(three.peerId, '/test/echo', text('hi'))).rejects.toMatchObject({
      code: 'NOT_CONNECTED',
    });
    expect(b.network.peers()).toHaveLength(1);
  });
});

describe('connections', () => {
  test('two nodes that dial each other end with one usable connection and one event each', async () => {
    const a = await cluster.start(one, [one, two]);
    const port = multiaddr(a.network.addresses()[0]!).toString();
    await a.network.stop();
    const b = await cluster.start(two, [one, two], [], { peers: [{ peerId: one.peerId, address: port }] });
    const again = await cluster.start(one, [one, two], [b], { listen: [port.replace(/\/p2p\/.*/, '')] });
    await Promise.all([again.connected(two.peerId), b.connected(one.peerId)]);
    again.network.broadcastConsensus(text('ping'));
    await b.message(() => true);
    b.network.broadcastConsensus(text('pong'));
    await again.message(() => true);
    expect(b.events).toEqual([`+${one.peerId}`]);
    expect(again.events).toEqual([`+${two.peerId}`]);
  });

  test('a peer that restarts is connected again, and told once each time', async () => {
    const a = await cluster.start(one, [one, two]);
    const first = await cluster.start(two, [one, two], [a]);
    await a.connected(two.peerId);
    await first.network.stop();
    await a.disconnected(two.peerId);
    const second = await cluster.start(two, [one, two], [a]);
    await Promise.all([a.connected(two.peerId), second.connected(one.peerId)]);
    expect(a.events).toEqual([`+${two.peerId}`, `-${two.peerId}`, `+${two.peerId}`]);
    second.network.broadcastConsensus(text('back'));
    await a.message((bytes) => Buffer.from(bytes).toString() === 'back');
  });
});

describe('gossip', () => {
  test('transactions reach a node that is not connected to their origin', async () => {
    const a = await cluster.start(one, [one, two, three]);
    const b = await cluster.start(two, [one, two, three], [a]);
    const c = await cluster.start(three, [one, two, three], [b]);
    await Promise.all([a.connected(two.peerId), c.connected(two.peerId)]);
    const raw = text('a transaction');
    a.network.publishTransactions([raw]);
    a.network.publishTransactions([text('another')]);
    await Promise.all([c.transaction(raw), c.transaction(text('another'))]);
    expect(c.network.peers().map(({ peerId }) => peerId)).toEqual([two.peerId]);
  });
});
