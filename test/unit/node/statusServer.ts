/** Validators of the simulated cluster behind real RPC servers: what a status looks like from outside. */
import { createNodeStatus } from '#node/nodeStatus.ts';
import type { Cluster, Member } from '#test/sim/cluster/cluster.ts';
import { createFakeGenesis } from '#test/unit/node/rpc/fakes/genesis.ts';
import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';

export const serveStatus = async (cluster: Cluster, member: Member): Promise<TestServer> => {
  const genesis = createFakeGenesis();
  const validators = cluster.members.map(({ key, name }, index) => ({
    name: `validator-${index + 1}`,
    address: key.address,
    power: 1n,
    peerId: name,
  }));
  const status = createNodeStatus({
    name: `validator-${cluster.members.indexOf(member) + 1}`,
    emptyBlockIntervalMs: 200,
    genesis: { ...genesis, spec: { ...genesis.spec, validators } },
    chain: member.chain,
    network: { localPeerId: member.name, peers: () => cluster.hub.peersOf(member.name) },
    l1: () => ({ state: 'ready' }),
    sync: () => ({ head: member.height(), target: member.height(), importing: false }),
    pendingTransactions: () => member.mempool.size(),
    anchoredHeight: () => 0n,
    host: member.host,
    fault: () => member.halts[0] ?? null,
    rpcPort: () => null,
    nowMs: () => cluster.clock.nowMs(),
  });
  return startServer({ status });
};
