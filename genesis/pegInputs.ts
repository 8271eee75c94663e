/** What the peg's L1 contracts are born with, out of a genesis: the link between genesis/ and bridge/deployment/. */
import type { PegInputs } from '#bridge/deployment/manifest.ts';
import type { Genesis } from '#genesis/spec.ts';

export const genesisToPegInputs = ({
  spec,
  genesisHash,
  checkpoint,
  validators,
  backedWei,
}: Genesis): PegInputs => ({
  l1ChainId: spec.l1ChainId,
  sidechainId: spec.chainId,
  deployer: spec.deployer,
  epochLength: spec.epochLength,
  genesisHash,
  checkpoint,
  validators,
  relayers: { threshold: spec.relayerThreshold, addresses: spec.relayers.map(({ address }) => address) },
  backedWei,
});
