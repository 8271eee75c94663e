/** causeway_bridgeStatus: the gateway's counters, and how far the L1 has accepted this chain. */
import { readGatewayRelayers, readGatewayState } from '#bridge/encoding/gatewaySlots.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { selectState } from '#node/rpc/blockSelector.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method, optional } from '#node/rpc/method.ts';
import { block } from '#node/rpc/params.ts';
import { arrayOf, objectOf, ref } from '#node/rpc/schemas.ts';

const QUANTITY = ref('Quantity');

export const bridgeMethods: readonly Method[] = [
  defineMethod({
    name: 'causeway_bridgeStatus',
    summary:
      'Deposits imported, withdrawals in the outbox, relayers, and the height that the L1 has accepted.',
    result: objectOf({
      height: QUANTITY,
      outboxRoot: ref('Hash'),
      outboxCount: QUANTITY,
      importedCount: QUANTITY,
      importedHash: ref('Hash'),
      mintedWei: QUANTITY,
      burnedWei: QUANTITY,
      relayerEpoch: QUANTITY,
      relayers: arrayOf(ref('Address')),
      anchoredHeight: QUANTITY,
      gateway: ref('Address'),
    }),
    cost: 10,
    params: [optional('block', block)],
    run: async (context, [selector]) => {
      const height = await selectState(context, selector);
      const gateway = PREDEPLOYS.pegGateway;
      const read = (slot: Parameters<typeof context.chain.storageAt>[1]) =>
        context.chain.storageAt(gateway, slot, height);
      const state = await readGatewayState(read);
      const { addresses } = await readGatewayRelayers(read);
      return {
        height: toQuantity(height),
        outboxRoot: state.outboxRoot,
        outboxCount: toQuantity(state.outboxCount),
        importedCount: toQuantity(state.importedCount),
        importedHash: state.importedHash,
        mintedWei: toQuantity(state.mintedWei),
        burnedWei: toQuantity(state.burnedWei),
        relayerEpoch: toQuantity(state.relayerEpoch),
        relayers: addresses,
        anchoredHeight: toQuantity(context.finalizedHeight()),
        gateway,
      };
    },
  }),
];
