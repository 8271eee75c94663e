import { connectPoolToNetwork } from '#node/mempool/gossip.ts';
import { createCluster, createIdentity } from '../network/networkFixture.ts';
import { createAccount, createFakeState, createTestPool, hashOf, transfer } from './poolFixture.ts';

test('a client’s transaction reaches the pools of all nodes, and only its own node publishes it', async () => {
  const cluster = createCluster();
  const identities = await Promise.all(['one', 'two', 'three'].map((name) => createIdentity(name)));
  const [one, two, three] = identities as [
    (typeof identities)[number],
    (typeof identities)[number],
    (typeof identities)[number],
  ];
  const a = await cluster.start(one, identities);
  const b = await cluster.start(two, identities, [a]);
  const c = await cluster.start(three, identities, [b]);
  const alice = createAccount('alice');
  const nodes = [a, b, c].map(({ network }) => {
    const state = createFakeState();
    state.set(alice, {});
    const pool = createTestPool(state);
    let published = 0;
    const gossip = connectPoolToNetwork(pool, {
      onTransactions: (handler) => network.onTransactions(handler),
      onPeerConnected: (listener) => network.onPeerConnected(listener),
      onTransactionsLost: (listener) => network.onTransactionsLost(listener),
      sendTransactions: (peerId, transactions) => network.sendTransactions(peerId, transactions),
      publishTransactions: (transactions) => {
        published++;
        network.publishTransactions(transactions);
      },
    });
    return { pool, gossip, published: () => published };
  });
  await Promise.all([b.connected(one.peerId), c.connected(two.peerId), a.connected(two.peerId)]);
  const raw = transfer(alice);
  const arrived = Promise.all(
    nodes
      .slice(1)
      .map(({ pool }) => new Promise<string>((resolve) => pool.onAdmitted(({ hash }) => resolve(hash)))),
  );
  expect((await nodes[0]!.pool.add(raw, 'local')).admitted).toBe(true);
  expect(await arrived).toEqual([hashOf(raw), hashOf(raw)]);
  expect(nodes.slice(1).map(({ published }) => published())).toEqual([0, 0]);
  for (const { pool, gossip } of nodes) {
    gossip.stop();
    pool.close();
  }
  await cluster.stopAll();
});
