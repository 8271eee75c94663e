import { encodeBatch } from '#node/network/gossip.ts';
import { DEFAULT_TUNING } from '#node/network/networkOptions.ts';
import { GOSSIP_PROTOCOL, gossipRpc } from './gossipRpc.ts';
import { createCluster, createIdentity, DOMAIN, text } from './networkFixture.ts';
import { createRawPeer } from './rawPeer.ts';

test('what a neighbour over its budget repeats first is still heard from others', async () => {
  const cluster = createCluster();
  const [one, two, three] = await Promise.all(['one', 'two', 'three'].map((name) => createIdentity(name)));
  const node = await cluster.start(one!, [one!, two!, three!], [], {
    tuning: {
      budgets: { ...DEFAULT_TUNING.budgets, gossipMessages: { perSecond: 0.001, burst: 1 } },
    },
  });
  const peers = await Promise.all([two!, three!].map((identity) => createRawPeer(identity, node)));
  try {
    const streams = [];
    for (const [i, peer] of peers.entries()) {
      await peer.answerPings();
      const connection = await peer.connect();
      await peer.shakeHands(connection);
      await node.connected([two!, three!][i]!.peerId);
      streams.push(await peer.open(connection, GOSSIP_PROTOCOL));
    }
    const [flooder, honest] = streams;
    const batch = encodeBatch([text('an honest transaction')]);
    flooder!.send(gossipRpc(DOMAIN, encodeBatch([text('all it may')])));
    await node.transaction(text('all it may'));
    flooder!.send(gossipRpc(DOMAIN, batch));
    while (node.network.counters().drops.gossip !== 1) await new Promise((resolve) => setImmediate(resolve));
    honest!.send(gossipRpc(DOMAIN, batch));
    await node.transaction(text('an honest transaction'));
    expect(node.transactions.map((raw) => Buffer.from(raw).toString())).toEqual([
      'all it may',
      'an honest transaction',
    ]);
  } finally {
    await Promise.all(peers.map((peer) => peer.node.stop()));
    await cluster.stopAll();
  }
});
