/** RULES 5 allows a hundred validators; here one real node has forty-nine others, all behind one address. */
import { encodeFrame } from '#node/network/frames.ts';
import { URGENT_PROTOCOL } from '#node/network/networkOptions.ts';
import { createCluster, createIdentity, type Identity, type TestNode, text } from './networkFixture.ts';
import { createRawPeer, type RawPeer } from './rawPeer.ts';

const OTHERS = 49;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

/** Dials until it is in, as the dialer does. */
const join = async (peer: RawPeer, identity: Identity, node: TestNode) => {
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)) {
    try {
      const connection = await peer.connect();
      await peer.shakeHands(connection);
      await node.connected(identity.peerId);
      return connection;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
};

/** Resolves with the first bytes of consensus that the node sends to this peer. */
const hear = async (peer: RawPeer, wanted: string): Promise<() => Promise<void>> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let heard = '';
  await peer.node.handle(URGENT_PROTOCOL, (stream) => {
    stream.addEventListener('message', ({ data }) => {
      heard += Buffer.from(data.subarray()).toString('latin1');
      if (heard.includes(wanted)) resolve();
    });
  });
  return () => promise;
};

test('forty-nine validators behind one address connect to one, hear its vote, and it hears theirs', async () => {
  const cluster = createCluster();
  const node = await createIdentity('node');
  const identities = await Promise.all(
    Array.from({ length: OTHERS }, (_, i) => createIdentity(`validator ${i}`)),
  );
  const one = await cluster.start(node, [node, ...identities]);
  const peers = await Promise.all(identities.map((identity) => createRawPeer(identity, one)));
  try {
    const hearings = await Promise.all(peers.map((peer) => hear(peer, 'the vote of one')));
    await Promise.all(peers.map((peer) => peer.answerPings()));
    const connections = await Promise.all(peers.map((peer, i) => join(peer, identities[i]!, one)));
    expect(new Set(one.network.peers().map(({ validator }) => validator))).toEqual(
      new Set(identities.map(({ validator }) => validator)),
    );
    one.network.broadcastConsensus(text('the vote of one'));
    await Promise.all(hearings.map((heard) => heard()));
    await Promise.all(
      connections.map(async (connection, i) => {
        const stream = await peers[i]!.open(connection, URGENT_PROTOCOL);
        stream.send(encodeFrame(text(`vote ${i}`)));
      }),
    );
    await Promise.all(identities.map(({ peerId }) => one.message(isFrom(one, peerId))));
    expect(new Set(one.messages.map(({ from }) => from)).size).toBe(OTHERS);
    expect(one.network.counters().bans).toBe(0);
  } finally {
    await Promise.all(peers.map((peer) => peer.node.stop()));
    await cluster.stopAll();
  }
}, 120_000);

const isFrom =
  ({ messages }: TestNode, peerId: string) =>
  (bytes: Uint8Array): boolean =>
    messages.some((message) => message.from === peerId && message.bytes === bytes);
