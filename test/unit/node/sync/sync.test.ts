import { createSync, type Sync, type SyncFault, type SyncOptions } from '#node/sync/sync.ts';
import {
  createCluster,
  createIdentity,
  DOMAIN,
  type Identity,
  type TestNode,
} from '../network/networkFixture.ts';
import { certifiedAt, createFakeChain, type FakeChain } from './fakeChain.ts';

const cluster = createCluster();
const running: Sync[] = [];
let one: Identity;
let two: Identity;
let three: Identity;
let follower: Identity;
let all: Identity[];

beforeAll(async () => {
  [one, two, three] = await Promise.all([
    createIdentity('one'),
    createIdentity('two'),
    createIdentity('three'),
  ]);
  follower = await createIdentity('follower', false);
  all = [one, two, three, follower];
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((sync) => sync.stop()));
  await cluster.stopAll();
});

type SyncNode = TestNode & { readonly chain: FakeChain; readonly sync: Sync; readonly fatal: SyncFault[] };

const startNode = async (
  identity: Identity,
  dials: readonly TestNode[],
  chain: FakeChain,
  overrides: Partial<SyncOptions> = {},
): Promise<SyncNode> => {
  const node = await cluster.start(identity, all, dials);
  const fatal: SyncFault[] = [];
  const sync = createSync({
    network: node.network,
    chain,
    domain: DOMAIN,
    isValidator: false,
    acceptedAbove: () => [],
    logger: node.logger,
    onFatal: (error) => fatal.push(error),
    ...overrides,
  });
  running.push(sync);
  sync.start();
  return { ...node, chain, sync, fatal };
};

describe('a node that is behind', () => {
  test('fetches everything in order and then follows each new block', async () => {
    const source = createFakeChain();
    source.extendTo(100n);
    const a = await startNode(one, [], source);
    const chain = createFakeChain();
    await startNode(follower, [a], chain);
    await chain.reaches(100n);
    expect(chain.imported).toEqual(Array.from({ length: 100 }, (_, i) => BigInt(i + 1)));
    source.extendTo(101n);
    await chain.reaches(101n);
    source.extendTo(103n);
    await chain.reaches(103n);
  });

  test('gets blocks that fill an answer alone, in ranges that come short', async () => {
    const source = createFakeChain();
    source.extendTo(12n, 900_000);
    const a = await startNode(one, [], source);
    const chain = createFakeChain();
    await startNode(follower, [a], chain, { tuning: { rangeBlocks: 5, parallelRanges: 2 } });
    await chain.reaches(12n);
    expect((await chain.blockAt(12n))?.transactions[0]).toHaveLength(900_000);
    expect(chain.imported).toEqual(Array.from({ length: 12 }, (_, i) => BigInt(i + 1)));
  });

  test('passes on what it has', async () => {
    const source = createFakeChain();
    source.extendTo(20n);
    const a = await startNode(one, [], source);
    const b = await startNode(follower, [a], createFakeChain());
    await b.chain.reaches(20n);
    const c = await startNode(two, [b], createFakeChain());
    await c.chain.reaches(20n);
  });
});

describe('a peer that serves wrong blocks', () => {
  test.each(['bad', 'uncertified'])('is reported for a %s block, and another one is asked', async (kind) => {
    const poisoned = createFakeChain();
    poisoned.extendTo(4n);
    poisoned.append([certifiedAt(5n, kind)]);
    poisoned.extendTo(30n);
    const liar = await startNode(one, [], poisoned);
    const chain = createFakeChain();
    const node = await startNode(follower, [liar], chain);
    const line = await node.logger.waitFor('a peer served a bad block');
    expect(line.fields).toMatchObject({ peerId: one.peerId, height: 5n });
    expect(chain.head().block.height).toBe(4n);
    const honest = createFakeChain();
    honest.extendTo(30n);
    await startNode(two, [node], honest);
    await chain.reaches(30n);
  });

  test('that claims a head it does not have is reported', async () => {
    const chain = createFakeChain();
    const node = await startNode(follower, [], chain);
    const liar = await cluster.start(one, all, [node]);
    await node.connected(one.peerId);
    liar.network.handleRequest('/causeway/blocks/1', async () => Uint8Array.of(0xc0));
    const claim = new Uint8Array(8).fill(0x7f);
    await liar.connected(follower.peerId);
    await liar.network.request(follower.peerId, '/causeway/head/1', claim);
    const line = await node.logger.waitFor('peer fault');
    expect(line.fields).toMatchObject({ peerId: one.peerId, fault: 'invalid' });
    expect(node.sync.status().target).toBe(0n);
  });

  test('that answers nothing is given up after the time-out', async () => {
    const chain = createFakeChain();
    const node = await startNode(follower, [], chain, { tuning: { requestTimeoutMs: 100 } });
    const silent = await cluster.start(one, all, [node]);
    silent.network.handleRequest('/causeway/blocks/1', () => new Promise(() => {}));
    silent.network.handleRequest('/causeway/head/1', async () => new Uint8Array([0, 0, 0, 0, 0, 0, 0, 9]));
    await silent.connected(follower.peerId);
    await silent.network.request(
      follower.peerId,
      '/causeway/head/1',
      new Uint8Array([0, 0, 0, 0, 0, 0, 0, 9]),
    );
    const honest = createFakeChain();
    honest.extendTo(9n);
    await startNode(two, [node], honest);
    await chain.reaches(9n);
  });
});

test('a final block that differs from what this node computes is fatal', async () => {
  const source = createFakeChain();
  source.extendTo(2n);
  source.append([certifiedAt(3n, 'diverged')]);
  const a = await startNode(one, [], source);
  const chain = createFakeChain();
  const { promise, resolve } = Promise.withResolvers<SyncFault>();
  await startNode(follower, [a], chain, { onFatal: resolve });
  expect((await promise).code).toBe('DIVERGED');
  expect(chain.head().block.height).toBe(2n);
});

describe('a validator', () => {
  const patient = { isValidator: true, tuning: { patienceMs: 60_000, tickMs: 20 } };

  test('leaves a gap of one block to consensus, until the host says that it is behind', async () => {
    const source = createFakeChain();
    source.extendTo(1n);
    const a = await startNode(one, [], source);
    const chain = createFakeChain();
    const node = await startNode(two, [a], chain, patient);
    await node.connected(one.peerId);
    while (node.sync.status().target < 1n) await new Promise((resolve) => setImmediate(resolve));
    expect(node.sync.status()).toEqual({ head: 0n, target: 1n, importing: false });
    node.sync.hint(one.peerId, 2n);
    await chain.reaches(1n);
  });

  test('closes a gap of one block after its patience ends', async () => {
    const source = createFakeChain();
    source.extendTo(1n);
    const a = await startNode(one, [], source);
    const chain = createFakeChain();
    await startNode(two, [a], chain, { isValidator: true, tuning: { patienceMs: 50, tickMs: 20 } });
    await chain.reaches(1n);
  });

  test('syncs at once when it is two blocks behind', async () => {
    const source = createFakeChain();
    source.extendTo(2n);
    const a = await startNode(one, [], source);
    const chain = createFakeChain();
    await startNode(two, [a], chain, patient);
    await chain.reaches(2n);
  });
});
