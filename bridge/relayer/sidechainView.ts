/** The gateway as the own node has it after its newest block. */
import { PEG_GATEWAY } from '#bridge/addresses.ts';
import { type GatewayState, readGatewayState } from '#bridge/encoding/gatewaySlots.ts';
import type { OwnChain } from '#bridge/relayer/ports.ts';

export const gatewayAtHead = (chain: OwnChain): Promise<GatewayState> => {
  const { height } = chain.head();
  return readGatewayState((slot) => chain.storageAt(PEG_GATEWAY, slot, height));
};
