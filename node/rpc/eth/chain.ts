/** eth methods about the chain and the node as a whole. */
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method } from '#node/rpc/method.ts';

export const chainMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_chainId',
    summary: 'The chain id that transactions are signed for.',
    params: [],
    run: ({ genesis }) => toQuantity(genesis.spec.chainId),
  }),
  defineMethod({
    name: 'eth_syncing',
    summary: 'False, or how far the node is behind its peers.',
    params: [],
    run: ({ syncing }) => {
      const progress = syncing();
      if (progress === null) return false;
      return {
        startingBlock: toQuantity(progress.startingHeight),
        currentBlock: toQuantity(progress.currentHeight),
        highestBlock: toQuantity(progress.highestHeight),
      };
    },
  }),
  defineMethod({
    name: 'eth_accounts',
    summary: 'None: the node holds no keys of users.',
    params: [],
    run: () => [],
  }),
];
