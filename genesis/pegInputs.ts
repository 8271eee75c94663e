/** What the peg's L1 contracts are born with, out of a genesis: the link between genesis/ and bridge/deployment/. */
import { ETHER_LIMIT, type PegInputs } from '#bridge/deployment/manifest.ts';
import type { Genesis } from '#genesis/spec.ts';

/** Each costs gas in the one transaction that creates everything. */
const MAX_FIRST_SENTRIES = 16;

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
  timestamp: spec.timestamp,
  checkpoint,
  validators,
  relayers: { threshold: spec.relayerThreshold, addresses: spec.relayers.map(({ address }) => address) },
  backedWei,
  governors: spec.governors.map(({ address }) => address),
  // The specification names no others, and a sentry runs inside a relayer; governance appoints more.
  sentries: spec.relayers.slice(0, MAX_FIRST_SENTRIES).map(({ address }) => address),
  etherLimit: ETHER_LIMIT,
});
