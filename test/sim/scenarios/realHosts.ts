/** Real hosts on the real network of libp2p, in one process, with execution that is a hash. */
import { DEFAULT_TIMEOUTS } from '#consensus/timeouts.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';
import { systemClock } from '#node/consensus/clock.ts';
import { ConsensusHost } from '#node/consensus/host.ts';
import { FakeMempool } from '#test/sim/cluster/cluster.ts';
import { FakeChain, genesisDatabase } from '#test/sim/cluster/fakeChain.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';
import { DOMAIN, type Identity, type TestNode } from '#test/unit/node/network/networkFixture.ts';

export const setOf = (identities: readonly Identity[]): ValidatorSet =>
  createValidatorSet(
    identities
      .map(({ validator }) => ({ address: validator!, power: 1n }))
      .sort((a, b) => (a.address < b.address ? -1 : 1)),
  );

export type RealHost = {
  readonly host: ConsensusHost;
  readonly disk: TearingDisk;
  readonly chain: FakeChain;
  readonly halts: readonly unknown[];
  /** Resolves when this many more blocks are committed. */
  more(blocks: number): Promise<void>;
};

export const startHost = async (
  node: TestNode,
  set: ValidatorSet,
  genesisMs: number,
  emptyBlockIntervalMs: number,
): Promise<RealHost> => {
  const signer = node.identity.signer!;
  const disk = new TearingDisk();
  const chain = new FakeChain(genesisDatabase(set, BigInt(Math.floor(genesisMs / 1_000))), set, systemClock);
  const halts: unknown[] = [];
  const host = new ConsensusHost(
    {
      domain: DOMAIN,
      feeRecipient: signer.address,
      blockIntervalMs: 50,
      emptyBlockIntervalMs,
      importLagMs: 1_000,
      timeouts: DEFAULT_TIMEOUTS,
      blockGasLimit: 30_000_000n,
    },
    {
      chain,
      mempool: new FakeMempool(),
      network: node.network,
      l1View: null,
      signer,
      disk,
      clock: systemClock,
      logger: node.logger,
    },
    { onHalted: (halt) => halts.push(halt), onBehind: () => undefined, onEvidence: () => undefined },
  );
  await host.start();
  return {
    host,
    disk,
    chain,
    halts,
    more: (blocks) =>
      new Promise((resolve) => {
        const goal = chain.head().block.height + BigInt(blocks);
        const stop = chain.onCommitted(({ block }) => {
          if (block.height < goal) return;
          stop();
          resolve();
        });
      }),
  };
};
