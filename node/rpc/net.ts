/** net and rpc methods: the network and what this server offers. */
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method } from '#node/rpc/method.ts';

export const netMethods: readonly Method[] = [
  defineMethod({
    name: 'net_version',
    summary: 'The chain id as a decimal string.',
    params: [],
    run: ({ genesis }) => genesis.spec.chainId.toString(),
  }),
  defineMethod({
    name: 'net_listening',
    summary: 'True: the node accepts peers.',
    params: [],
    run: () => true,
  }),
  defineMethod({
    name: 'net_peerCount',
    summary: 'How many peers are connected.',
    params: [],
    run: ({ network }) => toQuantity(network.peers().length),
  }),
  defineMethod({
    name: 'rpc_modules',
    summary: 'The namespaces that this server offers.',
    params: [],
    run: ({ modules }) => Object.fromEntries(modules().map((module) => [module, '1.0'])),
  }),
];
