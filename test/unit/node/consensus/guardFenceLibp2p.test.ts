/** The fence on real connections: two processes with one key have one PeerId, and libp2p keeps both connected. */
import { DEFAULT_TIMEOUTS } from '#consensus/timeouts.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';
import { systemClock } from '#node/consensus/clock.ts';
import { ConsensusHost } from '#node/consensus/host.ts';
import type { Halt } from '#node/consensus/hostPorts.ts';
import { FakeMempool } from '#test/sim/cluster/cluster.ts';
import { FakeChain, type FakeDatabase, genesisDatabase } from '#test/sim/cluster/fakeChain.ts';
import { hashOf } from '#test/sim/cluster/samples.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import {
  createCluster,
  createIdentity,
  DOMAIN,
  type Identity,
  type TestNode,
} from '#test/unit/node/network/networkFixture.ts';

type Process = {
  readonly node: TestNode;
  readonly host: ConsensusHost;
  readonly database: FakeDatabase;
  readonly disk: TearingDisk;
  /** Resolves when the host must not go on. */
  readonly halted: Promise<Halt>;
  signed: number;
};

const cluster = createCluster();
const hosts: ConsensusHost[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop();
  await cluster.stopAll();
});

let sessions = 0;
const chains: FakeChain[] = [];

const start = async (
  identity: Identity,
  all: readonly Identity[],
  dials: readonly TestNode[],
  set: ValidatorSet,
  database: FakeDatabase,
  disk: TearingDisk,
): Promise<Process> => {
  const node = await cluster.start(identity, all, dials);
  const { promise: halted, resolve } = Promise.withResolvers<Halt>();
  const signer = identity.signer!;
  const chain = new FakeChain(database, set, systemClock);
  chains.push(chain);
  const host = new ConsensusHost(
    {
      domain: DOMAIN,
      feeRecipient: signer.address,
      blockIntervalMs: 100,
      emptyBlockIntervalMs: 300,
      importLagMs: 1_000,
      timeouts: DEFAULT_TIMEOUTS,
      blockGasLimit: 30_000_000n,
      session: hashOf(0x70 + sessions++),
    },
    {
      chain,
      mempool: new FakeMempool(),
      network: node.network,
      l1View: null,
      signer: {
        address: signer.address,
        sign: (request) => {
          process.signed++;
          return signer.sign(request);
        },
      },
      disk,
      clock: systemClock,
      logger: node.logger,
    },
    { onHalted: resolve, onBehind: () => copyNewest(chain), onEvidence: () => undefined },
  );
  const process: Process = { node, host, database, disk, halted, signed: 0 };
  hosts.push(host);
  await host.start();
  return process;
};

/** Block sync. */
const copyNewest = (chain: FakeChain): void => {
  for (const other of chains)
    if (other.database.blocks.length > chain.database.blocks.length) chain.copyFrom(other);
};

const until = async (isThere: () => boolean): Promise<void> => {
  while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 20));
};

test('26 · a second process with one PeerId is refused while the first signs on, and a restart of the first is not', async () => {
  const all = await Promise.all(['a', 'b', 'c', 'd'].map((name) => createIdentity(`fence ${name}`)));
  all.sort((left, right) => (left.validator! < right.validator! ? -1 : 1));
  const set = createValidatorSet(all.map(({ validator }) => ({ address: validator!, power: 1n })));
  const genesis = () => genesisDatabase(set, BigInt(Math.floor(Date.now() / 1_000)));
  const first = genesis();
  const processes: Process[] = [];
  for (const identity of all) {
    const dials = processes.map(({ node }) => node);
    const database = { blocks: [...first.blocks] };
    processes.push(await start(identity, all, dials, set, database, new TearingDisk()));
  }
  const [a, b, c, original] = processes as [Process, Process, Process, Process];
  const others = [a.node, b.node, c.node];
  await until(() => original.signed > 4);

  const copied = { blocks: [...original.database.blocks] };
  const second = await start(all[3]!, all, others, set, copied, original.disk.copy());
  expect(await second.halted).toMatchObject({ code: 'KEY_IN_USE' });
  expect(second.signed).toBe(0);
  await second.host.stop();
  await second.node.network.stop();
  const before = original.signed;
  await until(() => original.signed > before + 3);
  expect(original.host.status().halted).toBeNull();

  await original.host.stop();
  await original.node.network.stop();
  const caughtUp = { blocks: [...a.database.blocks] };
  const again = await start(all[3]!, all, others, set, caughtUp, original.disk);
  await until(() => again.signed > 0);
}, 100_000);
