import { encodeFrame, frameHeader } from '#node/network/frames.ts';
import { HANDSHAKE_PROTOCOL } from '#node/network/handshake.ts';
import { BULK_PROTOCOL, DEFAULT_TUNING, URGENT_PROTOCOL } from '#node/network/networkOptions.ts';
import { createCluster, createIdentity, type Identity, type TestNode, text } from './networkFixture.ts';
import { closed, createRawPeer, type RawPeer } from './rawPeer.ts';

const cluster = createCluster();
let one: Identity;
let two: Identity;
let three: Identity;
/** Never started: four of the set, so that one can be banned and the rest is a quorum. */
let away: Identity;
let node: TestNode;
let honest: TestNode;
let raw: RawPeer;

beforeAll(async () => {
  [one, two, three, away] = await Promise.all([
    createIdentity('one'),
    createIdentity('two'),
    createIdentity('three'),
    createIdentity('away'),
  ]);
});
const begin = async (tuning = {}): Promise<void> => {
  node = await cluster.start(one, [one, two, three, away], [], { tuning });
  honest = await cluster.start(three, [one, two, three, away], [node]);
  raw = await createRawPeer(two, node);
  await raw.answerPings();
  await Promise.all([node.connected(three.peerId), honest.connected(one.peerId)]);
};
afterEach(async () => {
  await raw.node.stop();
  await cluster.stopAll();
});

const expectOthersUnaffected = async (): Promise<void> => {
  honest.network.broadcastConsensus(text('a vote'));
  await node.message((bytes) => Buffer.from(bytes).toString() === 'a vote');
  expect(node.events).not.toContain(`-${three.peerId}`);
};

test.each([
  ['a small message above the cap', () => URGENT_PROTOCOL, () => frameHeader(8 * 1024 + 1), 'oversized'],
  ['a large message above the cap', () => BULK_PROTOCOL, () => frameHeader(0xffff_ffff), 'oversized'],
])(
  '%s is banned before its bytes are there, and cannot come back during the ban',
  async (_what, protocol, bytes, fault) => {
    await begin();
    const connection = await raw.connect();
    await raw.shakeHands(connection);
    await node.connected(two.peerId);
    (await raw.open(connection, protocol())).send(bytes());
    const line = await node.logger.waitFor('peer banned');
    expect(line.fields).toMatchObject({ peerId: two.peerId, fault });
    await closed(connection);
    await node.disconnected(two.peerId);
    await expect(raw.connect().then((again) => raw.shakeHands(again))).rejects.toThrow();
    await expectOthersUnaffected();
  },
);

test('malformed frames end their stream, and repeated ones ban', async () => {
  await begin();
  const connection = await raw.connect();
  await raw.shakeHands(connection);
  await node.connected(two.peerId);
  const first = await raw.open(connection, URGENT_PROTOCOL);
  first.send(frameHeader(0));
  await node.logger.waitFor('peer fault');
  const second = await raw.open(connection, URGENT_PROTOCOL);
  second.send(frameHeader(0));
  expect((await node.logger.waitFor('peer banned')).fields).toMatchObject({ fault: 'malformed' });
  await expectOthersUnaffected();
});

test('a frame that never ends costs nothing but its stream', async () => {
  await begin();
  const connection = await raw.connect();
  await raw.shakeHands(connection);
  await node.connected(two.peerId);
  const stream = await raw.open(connection, URGENT_PROTOCOL);
  stream.send(encodeFrame(text('whole')));
  stream.send(frameHeader(100));
  await node.message((bytes) => Buffer.from(bytes).toString() === 'whole');
  await stream.close();
  await expectOthersUnaffected();
  expect(node.network.peers().map(({ peerId }) => peerId)).toContain(two.peerId);
});

test('more requests than the budget are a flood and end in a ban', async () => {
  await begin({ budgets: { ...DEFAULT_TUNING.budgets, pings: { perSecond: 1, burst: 5 } } });
  const connection = await raw.connect();
  await raw.shakeHands(connection);
  const askOnce = async (): Promise<void> => {
    (await raw.open(connection, '/causeway/ping/1')).send(frameHeader(0));
  };
  // each one above the budget is reset
  while (connection.status === 'open') await askOnce().catch(() => {});
  expect((await node.logger.waitFor('peer banned')).fields).toMatchObject({ fault: 'flood' });
  await node.disconnected(two.peerId);
});

test('nothing is served before the handshake', async () => {
  await begin({ handshakeTimeoutMs: 500 });
  const connection = await raw.connect();
  const request = await raw.open(connection, '/causeway/ping/1');
  const line = await raw.open(connection, URGENT_PROTOCOL);
  const received: unknown[] = [];
  request.addEventListener('message', (event) => received.push(event.data));
  request.send(frameHeader(0));
  line.send(encodeFrame(text('too early')));
  await closed(connection);
  expect(received).toEqual([]);
  expect(node.messages).toEqual([]);
  expect(node.events).not.toContain(`+${two.peerId}`);
});

test('garbage instead of a handshake is refused', async () => {
  await begin();
  const connection = await raw.connect();
  (await raw.open(connection, HANDSHAKE_PROTOCOL)).send(encodeFrame(text('GET / HTTP/1.1')));
  await node.logger.waitFor('handshake failed');
  await closed(connection);
});

test('a handshake frame above its cap is refused before it is read', async () => {
  await begin();
  const connection = await raw.connect();
  (await raw.open(connection, HANDSHAKE_PROTOCOL)).send(frameHeader(1_000_000));
  const line = await node.logger.waitFor('handshake failed');
  expect(line.message).toContain('1024');
  await closed(connection);
});

test('two connections of one peer are one peer, and one of them stays', async () => {
  await begin({ retireAfterMs: 50 });
  const first = await raw.connect();
  await raw.shakeHands(first);
  await node.connected(two.peerId);
  const second = await raw.connect();
  await raw.shakeHands(second);
  if (one.peerId < two.peerId) {
    await closed(first);
    expect(second.status).toBe('open');
  }
  (await raw.open(second, URGENT_PROTOCOL)).send(encodeFrame(text('on the new one')));
  await node.message((bytes) => Buffer.from(bytes).toString() === 'on the new one');
  expect(node.events.filter((event) => event.includes(two.peerId))).toEqual([`+${two.peerId}`]);
});

test('a peer that does not answer the keep-alive is dropped', async () => {
  await begin({ pingIntervalMs: 50, pingTimeoutMs: 200 });
  await raw.node.unhandle('/causeway/ping/1');
  await raw.node.handle('/causeway/ping/1', () => {});
  const connection = await raw.connect();
  await raw.shakeHands(connection);
  await node.connected(two.peerId);
  await closed(connection);
  await node.disconnected(two.peerId);
  await expectOthersUnaffected();
});

test('a peer that does not read loses the connection, not our memory', async () => {
  await begin({ stallMs: 200, bulkQueueBytes: 4 * 1024 * 1024 });
  await raw.node.handle(BULK_PROTOCOL, (stream) => stream.pause());
  const connection = await raw.connect();
  await raw.shakeHands(connection);
  await node.connected(two.peerId);
  node.network.sendConsensus(two.peerId, new Uint8Array(2 * 1024 * 1024));
  const line = await node.logger.waitFor('peer does not read');
  expect(line.fields).toMatchObject({ peerId: two.peerId });
  await closed(connection);
  await expectOthersUnaffected();
});
