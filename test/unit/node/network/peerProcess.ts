/** One node in a process of its own: `node peerProcess.ts <own name> <other name> <other address>`. */
import { createCluster, createIdentity } from './networkFixture.ts';

const [ownName, otherName, address] = process.argv.slice(2) as [string, string, string];
const [own, other] = await Promise.all([createIdentity(ownName), createIdentity(otherName)]);
const node = await createCluster().start(own, [own, other], [], {
  peers: [{ peerId: other.peerId, address }],
});
node.network.onConsensus((peer, message) => node.network.sendConsensus(peer.peerId, message));
process.stdout.write(`${node.network.addresses()[0]}\n`);
