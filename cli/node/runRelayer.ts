/** Wires the relayer to its own full node, its signer and the L1: the one place where bridge/ meets node/. */
import { join } from 'node:path';
import { createPublicClient, fallback, http } from 'viem';
import { systemClock } from '#bridge/l1/ports.ts';
import { createRelayer, type Relayer } from '#bridge/relayer/relayer.ts';
import { nodeToOwnChain } from '#cli/node/ownChain.ts';
import type { Signer } from '#consensus/signer.ts';
import { GATEWAY_PREFUND_WEI } from '#genesis/predeploys.ts';
import type { NodeConfig } from '#node/config.ts';
import type { Node } from '#node/node.ts';
import type { createLogger } from '#node/telemetry/logger.ts';

export const createRelayerBeside = (
  node: Node,
  config: NodeConfig & { readonly relayer: NonNullable<NodeConfig['relayer']> },
  signer: Signer,
  logger: ReturnType<typeof createLogger>,
): Relayer => {
  const { spec, specHash, genesisHash, l1, backedWei } = node.genesis;
  return createRelayer(
    {
      chainId: spec.chainId,
      l1ChainId: spec.l1ChainId,
      specHash,
      genesisHash,
      addresses: l1,
      epochLength: spec.epochLength,
      importGas: spec.importGas,
      backedWei,
      gatewayPrefundWei: GATEWAY_PREFUND_WEI,
      relayers: { threshold: spec.relayerThreshold, addresses: spec.relayers.map(({ address }) => address) },
      exchange: config.relayer.exchangeListen,
      peers: config.relayer.peers,
    },
    {
      chain: nodeToOwnChain(node),
      l1: node.l1View,
      client: createPublicClient({
        transport: fallback(config.l1.urls.map((url) => http(url, { timeout: 10_000 }))),
        cacheTime: 0,
      }),
      signer,
      clock: systemClock,
      logger: logger.child({ part: 'relayer' }),
      folder: join(config.dataDir, 'relayer'),
    },
  );
};
