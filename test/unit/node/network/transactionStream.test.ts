/** A peer that writes on its own stream of transactions, and what reading it may cost. */
import { encodeFrame } from '#node/network/frames.ts';
import type { BatchOutcome } from '#node/network/network.ts';
import { DEFAULT_TUNING, TRANSACTIONS_PROTOCOL } from '#node/network/networkOptions.ts';
import { encodeBatch } from '#node/network/transactionBatch.ts';
import { createCluster, createIdentity, type TestNode, text } from './networkFixture.ts';
import { closed, createRawPeer, type RawPeer } from './rawPeer.ts';

const batch = (...names: readonly string[]): Uint8Array => encodeFrame(encodeBatch([], names.map(text)));
const names = (batchOf: readonly Uint8Array[]): string[] => batchOf.map((raw) => Buffer.from(raw).toString());

const cluster = createCluster();
const peers: RawPeer[] = [];
afterEach(async () => {
  await Promise.all(peers.splice(0).map(({ node }) => node.stop()));
  await cluster.stopAll();
});

const connect = async (node: TestNode, name: string) => {
  const peer = await createRawPeer(await createIdentity(name), node);
  peers.push(peer);
  await peer.answerPings();
  const connection = await peer.connect();
  await peer.shakeHands(connection);
  await node.connected((await createIdentity(name)).peerId);
  return { peer, connection, stream: await peer.open(connection, TRANSACTIONS_PROTOCOL) };
};

const start = async (tuning = {}) => {
  // the fourth is away: so that one can be banned and the rest is a quorum
  const identities = await Promise.all(['one', 'two', 'three', 'away'].map((name) => createIdentity(name)));
  return cluster.start(identities[0]!, identities, [], { tuning });
};

test('one batch of a peer is in work, the next is read when it is done, and others do not wait for it', async () => {
  const node = await start();
  const started: string[][] = [];
  const finish: ((outcome: BatchOutcome) => void)[] = [];
  const arrivals: (() => void)[] = [];
  const arrived = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (started.length >= count) resolve();
        else arrivals.push(check);
      };
      check();
    });
  node.network.onTransactions((_peer, transactions) => {
    started.push(names(transactions));
    for (const check of arrivals.splice(0)) check();
    return new Promise((resolve) => finish.push(resolve));
  });
  const [slow, other] = [await connect(node, 'two'), await connect(node, 'three')];
  slow.stream.send(batch('first'));
  slow.stream.send(batch('second'));
  await arrived(1);
  other.stream.send(batch('of another'));
  await arrived(2);
  expect(started).toEqual([['first'], ['of another']]);
  finish[0]!({ fresh: [], isJunk: false, recovered: 0, waitMs: 0 });
  await arrived(3);
  expect(started[2]).toEqual(['second']);
  for (const resolve of finish) resolve({ fresh: [], isJunk: false, recovered: 0, waitMs: 0 });
});

test('a peer beyond its budget of batches is not read, and others are', async () => {
  const node = await start({
    budgets: { ...DEFAULT_TUNING.budgets, gossipMessages: { perSecond: 0.001, burst: 1 } },
  });
  const [flooder, honest] = [await connect(node, 'two'), await connect(node, 'three')];
  flooder.stream.send(batch('all it may'));
  flooder.stream.send(batch('one more'));
  flooder.stream.send(batch('too much'));
  await node.transaction(text('one more'));
  honest.stream.send(batch('an honest transaction'));
  await node.transaction(text('an honest transaction'));
  expect(names(node.transactions)).toEqual(['all it may', 'one more', 'an honest transaction']);
});

test('more than any buffer holds arrives whole and in order, however slowly it is taken', async () => {
  const node = await start();
  const { stream } = await connect(node, 'two');
  const large = 'x'.repeat(60_000);
  const taken: string[] = [];
  let wake = (): void => undefined;
  node.network.onTransactions(async (_peer, transactions) => {
    // long enough for the rest of the window to arrive meanwhile
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    taken.push(names(transactions)[0]!.slice(0, 4));
    wake();
    return { fresh: [], isJunk: false, recovered: 0, waitMs: 0 };
  });
  const expected = Array.from({ length: 120 }, (_, i) => `${1_000 + i}`);
  for (const name of expected) {
    if (!stream.send(batch(name + large)))
      await new Promise<void>((resolve) => stream.addEventListener('drain', () => resolve(), { once: true }));
    expect(stream.status).toBe('open');
  }
  while (taken.length < expected.length)
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  expect(taken).toEqual(expected);
});

test('what a peer wrote before it closed its stream, or opened another one, is still taken', async () => {
  const node = await start();
  const { peer, connection, stream } = await connect(node, 'two');
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  node.network.onTransactions(async (_peer, transactions) => {
    await held;
    for (const raw of transactions) node.arrived(raw);
    return { fresh: [], isJunk: false, recovered: 0, waitMs: 0 };
  });
  for (let i = 0; i < 6; i++) stream.send(batch(`before ${i}`));
  await stream.close();
  const second = await peer.open(connection, TRANSACTIONS_PROTOCOL);
  second.send(batch('after'));
  release();
  await node.transaction(text('after'));
  expect(names(node.transactions)).toEqual([...Array.from({ length: 6 }, (_, i) => `before ${i}`), 'after']);
});

test('an older stream that its peer does not close ends when a newer one has waited for it', async () => {
  const node = await start();
  const { peer, connection, stream } = await connect(node, 'two');
  stream.send(batch('on the first'));
  await node.transaction(text('on the first'));
  const ended = new Promise<void>((resolve) => stream.addEventListener('close', () => resolve()));
  const second = await peer.open(connection, TRANSACTIONS_PROTOCOL);
  second.send(batch('on the second'));
  await node.transaction(text('on the second'));
  await ended;
});

test('signatures that are recovered after the first few are booked on who sent them', async () => {
  const node = await start({
    budgets: { ...DEFAULT_TUNING.budgets, validatorUselessCpuMs: { perSecond: 0.001, burst: 50 } },
  });
  const [flooder, honest] = [await connect(node, 'two'), await connect(node, 'three')];
  node.network.onTransactions(async (from, transactions) => {
    for (const raw of transactions) node.arrived(raw);
    return { fresh: [], isJunk: false, recovered: from.name === 'two' ? 1_000 : 1, waitMs: 0 };
  });
  flooder.stream.send(batch('dear'));
  flooder.stream.send(batch('too dear'));
  await node.transaction(text('dear'));
  honest.stream.send(batch('cheap'));
  await node.transaction(text('cheap'));
  expect(names(node.transactions)).toEqual(['dear', 'cheap']);
  expect(Object.values(node.network.counters().peers).some(({ pauses }) => pauses > 0)).toBe(true);
});

test.each([
  ['malformed', encodeFrame(Uint8Array.of(9, 9, 9))],
  ['oversized', Uint8Array.of(0, 255, 255, 255)],
])('a %s batch is a fault, and enough of them a ban', async (_what, bytes) => {
  const node = await start();
  const { connection, stream, peer } = await connect(node, 'two');
  stream.send(bytes);
  // the first was worth a ban, or the second is
  await peer.open(connection, TRANSACTIONS_PROTOCOL).then(
    (again) => again.send(bytes),
    () => undefined,
  );
  await closed(connection);
  expect(node.network.counters().bannedNow).toHaveLength(1);
});

test('a batch with junk is a fault, and nothing of it is passed on', async () => {
  const identities = await Promise.all(['one', 'two', 'three'].map((name) => createIdentity(name)));
  const node = await start();
  const listener = await cluster.start(identities[2]!, identities, [node]);
  await Promise.all([listener.connected(identities[0]!.peerId), node.connected(identities[2]!.peerId)]);
  const { stream } = await connect(node, 'two');
  node.network.onTransactions(async (_peer, transactions) => ({
    fresh: transactions,
    isJunk: names(transactions).includes('junk'),
    recovered: 0,
    waitMs: 0,
  }));
  stream.send(batch('good in bad company', 'junk'));
  stream.send(batch('good'));
  await listener.transaction(text('good'));
  expect(names(listener.transactions)).toEqual(['good']);
  expect(Object.values(node.network.counters().peers).map(({ faults }) => faults)).toContain(1);
});
