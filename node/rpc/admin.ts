/** admin methods, which only whoever reaches the local socket can call. */
import { defineMethod, type Method } from '#node/rpc/method.ts';
import { ANY, arrayOf, NUMBER, objectOf, TEXT } from '#node/rpc/schemas.ts';

/** Bigints in what the node says of itself become text. */
const toJson = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part)),
  );

export const adminMethods: readonly Method[] = [
  defineMethod({
    name: 'admin_peers',
    summary: 'The peers that are connected, with what the network knows of them.',
    result: arrayOf(ANY),
    access: 'admin',
    cost: 1,
    params: [],
    run: ({ network }) => toJson(network.peers()),
  }),
  defineMethod({
    name: 'admin_rpcUsage',
    summary: 'How much of what is bounded is in use.',
    result: objectOf({ filters: NUMBER, poolTransactions: NUMBER, heapBytes: NUMBER, clientVersion: TEXT }),
    access: 'admin',
    cost: 1,
    params: [],
    run: ({ filters, mempool, clientVersion }) => ({
      filters: filters.size(),
      poolTransactions: mempool.size(),
      heapBytes: process.memoryUsage().heapUsed,
      clientVersion,
    }),
  }),
];
