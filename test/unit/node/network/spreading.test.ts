/** Who is given what, by the real batches; and over real connections, how often each line is crossed. */
import { createSpreading, type Neighbour } from '#node/network/spreading.ts';
import { decodeBatch, holderOf } from '#node/network/transactionBatch.ts';
import { createCluster, createIdentity, type TestNode, text } from './networkFixture.ts';

const timers = (import.meta as unknown as { jest: typeof jest }).jest;
afterEach(() => timers.useRealTimers());

const create = (...names: readonly string[]) => {
  const sent: { to: string; holders: ReadonlySet<number>; transactions: string[] }[] = [];
  const neighbours = names.map(
    (to): Neighbour => ({
      holder: holderOf(to),
      send: (batch) => {
        const { holders, transactions } = decodeBatch(batch);
        sent.push({ to, holders, transactions: transactions.map((raw) => Buffer.from(raw).toString()) });
      },
    }),
  );
  const spreading = createSpreading({
    self: holderOf('self'),
    neighbours: () => neighbours,
    nowMs: () => performance.now(),
  });
  return { sent, neighbours, spreading };
};

test('what is published together leaves together, and soon', () => {
  timers.useFakeTimers();
  const { sent, spreading } = create('a', 'b');
  spreading.publish([text('1')]);
  spreading.publish([text('2'), text('3')]);
  timers.advanceTimersByTime(2);
  expect(sent.map(({ to, transactions }) => [to, ...transactions])).toEqual([
    ['a', '1', '2', '3'],
    ['b', '1', '2', '3'],
  ]);
  spreading.publish([text('4')]);
  timers.advanceTimersByTime(15);
  expect(sent).toHaveLength(2);
  spreading.publish([text('5')]);
  timers.advanceTimersByTime(10);
  expect(sent.slice(2).map(({ to, transactions }) => [to, ...transactions])).toEqual([
    ['a', '4', '5'],
    ['b', '4', '5'],
  ]);
});

test('everybody who gets it or had it is named, and nobody named gets it again', () => {
  const { sent, spreading } = create('a', 'b', 'c');
  spreading.passOn(new Set(['origin', 'a', 'c'].map(holderOf)), [text('1')]);
  expect(sent.map(({ to }) => to)).toEqual(['b']);
  expect(sent[0]!.holders).toEqual(new Set(['self', 'origin', 'a', 'b', 'c'].map(holderOf)));
  spreading.passOn(new Set(['origin', 'a', 'b', 'c'].map(holderOf)), [text('2')]);
  spreading.passOn(new Set(), []);
  expect(sent).toHaveLength(1);
});

test('a full load leaves at once, nothing waits without a bound, and nothing leaves after the end', () => {
  timers.useFakeTimers();
  const { sent, neighbours, spreading } = create('a');
  const large = new Uint8Array(100 * 1024).fill(65);
  spreading.publish(Array.from({ length: 100 }, () => large));
  // 8 MiB of the 9.8
  expect(sent.reduce((sum, { transactions }) => sum + transactions.length, 0)).toBe(81);
  spreading.publish([text('late')]);
  spreading.stop();
  timers.advanceTimersByTime(1_000);
  spreading.give(neighbours[0]!, [text('later')]);
  spreading.publish([text('latest')]);
  timers.advanceTimersByTime(1_000);
  expect(sent.flatMap(({ transactions }) => transactions).filter((name) => name.length < 10)).toEqual([]);
});

test('among four who are all connected each gets a transaction once; behind a missing line a neighbour brings it', async () => {
  const cluster = createCluster();
  try {
    const all = await Promise.all(['one', 'two', 'three', 'four'].map((name) => createIdentity(name)));
    const outside = await createIdentity('outside', false);
    const listed = [...all, outside];
    const nodes: TestNode[] = [];
    for (const identity of all) nodes.push(await cluster.start(identity, listed, [...nodes]));
    // connected to two of the four
    const behind = await cluster.start(outside, listed, nodes.slice(1, 3));
    for (const node of nodes)
      await Promise.all(
        all.filter((other) => other !== node.identity).map(({ peerId }) => node.connected(peerId)),
      );
    await Promise.all(nodes.slice(1, 3).map((node) => node.connected(outside.peerId)));
    const received: string[] = [];
    for (const node of [...nodes, behind])
      node.network.onTransactions(async (peer, batch) => {
        received.push(`${peer.name} → ${node.identity.name}`);
        const fresh = batch.filter(
          () => received.filter((line) => line.endsWith(node.identity.name)).length === 1,
        );
        for (const raw of fresh) node.arrived(raw);
        return { fresh, isJunk: false, recovered: 0, waitMs: 0 };
      });
    nodes[0]!.network.publishTransactions([text('a transaction')]);
    await Promise.all([...nodes.slice(1), behind].map((node) => node.transaction(text('a transaction'))));
    // both that know the outsider may have brought it, as neither knows of the other; nobody else twice
    const expected = ['one → two', 'one → three', 'one → four'];
    expect(received.filter((line) => !line.endsWith('outside')).sort()).toEqual(expected.sort());
    expect(received.some((line) => line.endsWith('outside'))).toBe(true);
  } finally {
    await cluster.stopAll();
  }
});
