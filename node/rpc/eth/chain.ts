/** eth methods about the chain and the node as a whole. */
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method } from '#node/rpc/method.ts';
import { arrayOf, objectOf, ref } from '#node/rpc/schemas.ts';

export const chainMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_chainId',
    summary: 'The chain id that transactions are signed for.',
    result: ref('Quantity'),
    cost: 1,
    params: [],
    run: ({ genesis }) => toQuantity(genesis.spec.chainId),
  }),
  defineMethod({
    name: 'eth_syncing',
    summary: 'False, or how far the node is behind its peers.',
    result: {
      anyOf: [
        { const: false },
        objectOf({
          startingBlock: ref('Quantity'),
          currentBlock: ref('Quantity'),
          highestBlock: ref('Quantity'),
        }),
      ],
    },
    cost: 1,
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
    result: arrayOf(ref('Address')),
    cost: 1,
    params: [],
    run: () => [],
  }),
];
