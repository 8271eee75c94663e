/** web3 methods. */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import { defineMethod, type Method, required } from '#node/rpc/method.ts';
import { data } from '#node/rpc/params.ts';
import { ref, TEXT } from '#node/rpc/schemas.ts';

export const web3Methods: readonly Method[] = [
  defineMethod({
    name: 'web3_clientVersion',
    summary: 'Name, version and platform of the node.',
    result: TEXT,
    cost: 1,
    params: [],
    run: ({ clientVersion }) => clientVersion,
  }),
  defineMethod({
    name: 'web3_sha3',
    summary: 'The keccak-256 of the data.',
    result: ref('Hash'),
    cost: 2,
    params: [required('data', data)],
    run: (_context, [bytes]) => keccak256Hex(bytes),
  }),
];
