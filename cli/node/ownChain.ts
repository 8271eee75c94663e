/** The relayer's view of the full node in the same process: what that node executed itself (RULES 25). */
import type { OwnChain } from '#bridge/relayer/ports.ts';
import type { Node } from '#node/node.ts';

export const nodeToOwnChain = ({ chain, mempool }: Pick<Node, 'chain' | 'mempool'>): OwnChain => ({
  head: () => chain.head().block,
  blockAt: (height) => chain.blockAt(height),
  validatorsAt: (height) => chain.validatorsAt(height),
  storageAt: (address, slot, height) => chain.storageAt(address, slot, height),
  account: (address, height) => chain.account(address, height),
  submit: (raw) =>
    mempool
      .add(raw, 'local')
      .then((admission) =>
        admission.admitted
          ? admission
          : { admitted: false, code: admission.code, message: admission.message },
      ),
  receipt: async (hash) => {
    const location = await chain.transactionLocation(hash);
    if (location === null) return null;
    const status = (await chain.receiptsAt(location.height))?.[location.index]?.status;
    return status === undefined ? null : { height: location.height, status };
  },
  onCommitted: (listener) => chain.onCommitted(() => listener()),
});
