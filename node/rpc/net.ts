/** net and rpc methods: the network and what this server offers. */
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method } from '#node/rpc/method.ts';
import { BOOLEAN, mapOf, ref, TEXT } from '#node/rpc/schemas.ts';

export const netMethods: readonly Method[] = [
  defineMethod({
    name: 'net_version',
    summary: 'The chain id as a decimal string.',
    result: { type: 'string', pattern: '^[0-9]+$' },
    cost: 1,
    params: [],
    run: ({ genesis }) => genesis.spec.chainId.toString(),
  }),
  defineMethod({
    name: 'net_listening',
    summary: 'True: the node accepts peers.',
    result: BOOLEAN,
    cost: 1,
    params: [],
    run: () => true,
  }),
  defineMethod({
    name: 'net_peerCount',
    summary: 'How many peers are connected.',
    result: ref('Quantity'),
    cost: 1,
    params: [],
    run: ({ network }) => toQuantity(network.peers().length),
  }),
  defineMethod({
    name: 'rpc_modules',
    summary: 'The namespaces that this server offers.',
    result: mapOf(TEXT),
    cost: 1,
    params: [],
    run: ({ modules }) => Object.fromEntries(modules().map((module) => [module, '1.0'])),
  }),
  defineMethod({
    name: 'rpc_discover',
    summary: 'The OpenRPC document of this server: methods, parameters, results, access and cost.',
    result: { type: 'object', required: ['openrpc', 'info', 'methods', 'components'] },
    cost: 20,
    params: [],
    run: ({ discover }) => discover(),
  }),
];
