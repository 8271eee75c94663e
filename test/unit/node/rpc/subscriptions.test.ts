import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { parseHash } from '#consensus/primitives.ts';
import { createSubscriptionHub } from '#node/rpc/subscriptions.ts';
import { createFakeChain } from '#test/unit/node/rpc/fakes/chain.ts';
import { createFakeMempool } from '#test/unit/node/rpc/fakes/mempool.ts';
import { type Answer, openSocket, startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { BOB, signTransfer, transferOf } from '#test/unit/node/rpc/fakes/transactions.ts';

let server: TestServer;
let socket: Awaited<ReturnType<typeof openSocket>>;
beforeEach(async () => {
  server = await startServer({ limits: { maxSubscriptionsPerSocket: 3 } });
  socket = await openSocket(server.webSocketUrl);
});
afterEach(async () => {
  await socket.close();
  await server.stop();
});

const subscribe = async (...params: unknown[]): Promise<string> =>
  (await socket.request('eth_subscribe', params)).result;
const events = (id: string): Answer[] =>
  socket.received.filter(({ params }) => params?.subscription === id).map(({ params }) => params.result);
const nextEvent = async (id: string): Promise<Answer> =>
  (await socket.next(({ params }) => params?.subscription === id)).params.result;

test('subscriptions need a WebSocket and a known kind', async () => {
  expect(await server.error('eth_subscribe', ['newHeads'])).toEqual({
    code: -32601,
    message: 'notifications not supported',
  });
  expect((await socket.request('eth_subscribe', ['newMoons'])).error).toEqual({
    code: -32601,
    message: 'no "newMoons" subscription in eth namespace',
  });
  expect((await socket.request('eth_subscribe', ['logs', { address: '0x1' }])).error.code).toBe(-32602);
  expect((await socket.request('eth_unsubscribe', ['0x1'])).error).toEqual({
    code: -32000,
    message: 'subscription not found',
  });
});

test('everything else works over a WebSocket as over HTTP, batches included', async () => {
  expect((await socket.request('eth_chainId')).result).toBe('0xa5b8');
  const batch = [11, 12].map((id) => ({ jsonrpc: '2.0', id, method: 'net_version' }));
  socket.socket.send(JSON.stringify(batch));
  const answer = await socket.next((message) => Array.isArray(message));
  expect(answer).toEqual(batch.map(({ id }) => ({ jsonrpc: '2.0', id, result: '42424' })));
});

test('new heads are headers of committed blocks, in order', async () => {
  const id = await subscribe('newHeads');
  const first = server.append();
  const second = server.append();
  await socket.next(({ params }) => params?.result.hash === second.hash);
  expect(events(id).map(({ hash }) => hash)).toEqual([first.hash, second.hash]);
  expect(await nextEvent(id)).toMatchObject({ number: '0x1', parentHash: first.parentHash });
  expect(events(id)[0].transactions).toBeUndefined();
});

test('logs are those that match', async () => {
  const id = await subscribe('logs', { topics: [parseHash(`0x${'aa'.repeat(32)}`)] });
  const all = await subscribe('logs');
  const logs = ['bb', 'aa'].map((byte) => ({
    address: BOB,
    topics: [parseHash(`0x${byte.repeat(32)}`)],
    data: '0x' as const,
  }));
  const block = server.append([await transferOf('legacy', 0, logs)]);
  const event = await nextEvent(id);
  expect(event).toMatchObject({
    logIndex: '0x1',
    blockHash: block.hash,
    removed: false,
    blockTimestamp: '0x6553f101',
  });
  expect(events(id)).toHaveLength(1);
  expect(events(all)).toHaveLength(2);
});

test('admitted transactions are announced by hash, or whole if asked', async () => {
  const hashes = await subscribe('newPendingTransactions');
  const whole = await subscribe('newPendingTransactions', true);
  const hash = await server.result('eth_sendRawTransaction', [await signTransfer('eip1559')]);
  expect(await nextEvent(hashes)).toBe(hash);
  expect(await nextEvent(whole)).toMatchObject({ hash, blockHash: null });
});

test('nothing is said before the answer that names the subscription, and nothing is lost', async () => {
  // The block is committed after the subscription began and before the batch is answered.
  server.fakeCalls.answerWith(async () => {
    server.append();
    return { status: 'success', data: '0x', gasUsed: 1n };
  });
  socket.socket.send(
    JSON.stringify([
      { jsonrpc: '2.0', id: 'a', method: 'eth_subscribe', params: ['newHeads'] },
      { jsonrpc: '2.0', id: 'b', method: 'eth_call', params: [{}] },
    ]),
  );
  const [{ result: id }] = await socket.next((message) => Array.isArray(message));
  expect(await nextEvent(id)).toMatchObject({ number: '0x1' });
  expect(socket.received.map((message) => Array.isArray(message))).toEqual([true, false]);
});

test('after unsubscribing nothing comes, and a closed socket leaves nothing behind', async () => {
  const id = await subscribe('newHeads');
  expect((await socket.request('eth_unsubscribe', [id])).result).toBe(true);
  const kept = await subscribe('newHeads');
  server.append();
  await nextEvent(kept);
  expect(events(id)).toEqual([]);
  await socket.close();
  server.append();
  expect(await server.result('eth_blockNumber')).toBe('0x2');
});

test('subscriptions of one connection are bounded', async () => {
  for (let i = 0; i < 3; i++) await subscribe('newHeads');
  expect((await socket.request('eth_subscribe', ['newHeads'])).error.code).toBe(-32005);
  const other = await openSocket(server.webSocketUrl);
  expect((await other.request('eth_subscribe', ['newHeads'])).error).toBeUndefined();
  await other.close();
});

test('a fault of one subscriber reaches neither the commit nor the others', () => {
  const faults: unknown[] = [];
  const heard: string[] = [];
  const { chain, append } = createFakeChain();
  const { mempool } = createFakeMempool();
  const hub = createSubscriptionHub({ chain, mempool, onFault: (error) => faults.push(error) });
  hub.subscribe({ kind: 'newHeads' }, () => {
    throw new Error('fault');
  });
  hub.subscribe({ kind: 'newHeads' }, (json) => heard.push(json));
  append();
  expect(chain.head().block.height).toBe(1n);
  expect(faults).toHaveLength(1);
  expect(heard).toHaveLength(1);
  hub.stop();
});

test('stopping leaves the chain and the pool without listeners', async () => {
  const own = await startServer();
  expect(own.listenerCount()).toBe(1);
  await own.stop();
  expect(own.listenerCount()).toBe(0);
  expect(own.fakeMempool.listenerCount()).toBe(0);
});

/** Speaks just enough WebSocket to subscribe, and then never reads. */
const openDeafSocket = async (port: number) => {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  socket.write(
    `GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  const payload = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["logs"]}');
  // A masked text frame; the mask of zeros changes nothing.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]));
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.pause();
  return socket;
};

test('a reader that does not drain is disconnected and the others are not', async () => {
  const warnings: string[] = [];
  const own = await startServer({
    limits: { maxSocketBufferBytes: 100_000 },
    logger: { debug() {}, info() {}, error() {}, warn: (_fields, message) => warnings.push(message) },
  });
  const healthy = await openSocket(own.webSocketUrl);
  await healthy.request('eth_subscribe', ['newHeads']);
  const deaf = await openDeafSocket(own.port);
  try {
    const logs = Array.from({ length: 20 }, () => ({
      address: BOB,
      topics: [],
      data: `0x${'00'.repeat(50_000)}` as const,
    }));
    for (let i = 0; i < 50 && warnings.length === 0; i++) {
      own.append([await transferOf('legacy', i, logs)]);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(warnings).toEqual(['WebSocket reader does not drain: disconnected']);
    expect((await healthy.request('eth_chainId')).result).toBe('0xa5b8');
    expect(await own.result('eth_chainId')).toBe('0xa5b8');
  } finally {
    deaf.destroy();
    await healthy.close();
    await own.stop();
  }
});

test('a client that sends faster than it is answered is not read ahead, and gets every answer', async () => {
  const own = await startServer({ limits: { maxInFlightPerSocket: 2 } });
  const fast = await openSocket(own.webSocketUrl);
  let running = 0;
  let most = 0;
  own.fakeCalls.answerWith(async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
    return { status: 'success', data: '0x', gasUsed: 1n };
  });
  try {
    const answers = await Promise.all(Array.from({ length: 300 }, () => fast.request('eth_call', [{}])));
    expect(answers.every(({ result }) => result === '0x')).toBe(true);
    expect(most).toBe(2);
  } finally {
    await fast.close();
    await own.stop();
  }
});

test('a message that is not UTF-8, or too long, costs its sender the connection only', async () => {
  const bad = await openSocket(server.webSocketUrl);
  bad.socket.send(Buffer.from([0xff, 0xfe]), { binary: true });
  expect((await bad.next(({ error }) => error !== undefined)).error.code).toBe(-32700);
  bad.socket.on('error', () => {});
  bad.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
  expect(await bad.closed).toBe(1007);
  const long = await openSocket(server.webSocketUrl);
  long.socket.on('error', () => {});
  long.socket.send('x'.repeat(5 * 1024 * 1024 + 1));
  expect([1006, 1009]).toContain(await long.closed);
  expect((await socket.request('eth_chainId')).result).toBe('0xa5b8');
});

test('more sockets than allowed are turned away', async () => {
  const own = await startServer({ limits: { maxWebSockets: 1 } });
  const first = await openSocket(own.webSocketUrl);
  const second = await openSocket(own.webSocketUrl);
  expect(await second.closed).toBe(1013);
  expect((await first.request('eth_chainId')).result).toBe('0xa5b8');
  await first.close();
  await own.stop();
});
