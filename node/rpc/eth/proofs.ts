/** eth methods that prove state, or execute what nobody sent: proofs, access lists, simulations. */
import { z } from 'zod';
import { selectState } from '#node/rpc/blockSelector.ts';
import { blockOverrides, callObject, simulation, stateOverrides } from '#node/rpc/callParams.ts';
import { performJob, toCallRequest } from '#node/rpc/callRequest.ts';
import { invalidParams } from '#node/rpc/errors.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { address, block, storageKey } from '#node/rpc/params.ts';
import { arrayOf, objectOf, openObjectOf, ref } from '#node/rpc/schemas.ts';

const MAX_PROVEN_KEYS = 1_024;
const provenKeys = z.array(z.string('expected a string')).max(MAX_PROVEN_KEYS, 'too many keys');

/** geth shows a key of 32 bytes as it came, and a shorter one as a quantity. */
const toProvenKey = (text: string) => {
  const slot = storageKey.safeParse(text);
  if (!slot.success)
    throw invalidParams(`invalid argument 1: ${slot.error.issues[0]?.message ?? 'not a slot'}`);
  return { slot: slot.data, shown: text.length === 66 ? slot.data : `0x${BigInt(slot.data).toString(16)}` };
};

export const proofMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_getProof',
    summary: 'An account and slots of it, with the Merkle proofs against the state root (EIP-1186).',
    result: ref('Proof'),
    cost: 20,
    params: [required('address', address), required('storageKeys', provenKeys), optional('block', block)],
    run: async (context, [account, keys, selector], caller) => {
      const height = await selectState(context, selector);
      return performJob(context, caller, {
        kind: 'proof',
        height,
        address: account,
        keys: keys.map(toProvenKey),
      });
    },
  }),
  defineMethod({
    name: 'eth_createAccessList',
    summary: 'The access list that a call would need, and the gas that it would then use.',
    result: objectOf({
      accessList: ref('AccessList'),
      gasUsed: ref('Quantity'),
      'error?': { type: 'string' },
    }),
    cost: 30,
    params: [
      required('call', callObject),
      optional('block', block),
      optional('stateOverrides', stateOverrides),
      optional('blockOverrides', blockOverrides),
    ],
    run: async (context, [call, selector, state, blockFields], caller) => {
      const height = await selectState(context, selector);
      const overrides = { stateOverrides: state, blockOverrides: blockFields };
      const request = toCallRequest(context, call, overrides);
      return performJob(context, caller, { kind: 'accessList', height, request });
    },
  }),
  defineMethod({
    name: 'eth_simulateV1',
    summary: 'Executes blocks of calls one after another, with overrides, and shows the blocks.',
    result: arrayOf(
      openObjectOf({
        hash: ref('Hash'),
        number: ref('Quantity'),
        calls: arrayOf(
          openObjectOf({ status: ref('Quantity'), returnData: ref('Data'), gasUsed: ref('Quantity') }),
        ),
      }),
    ),
    cost: 50,
    params: [required('simulation', simulation), optional('block', block)],
    run: async (context, [wanted, selector], caller) => {
      const height = await selectState(context, selector);
      return performJob(context, caller, {
        kind: 'simulate',
        height,
        simulation: {
          traceTransfers: wanted.traceTransfers ?? false,
          validation: wanted.validation ?? false,
          returnFullTransactions: wanted.returnFullTransactions ?? false,
          blocks: wanted.blockStateCalls.map(({ blockOverrides: fields, stateOverrides: state, calls }) => ({
            blockOverrides: fields ?? {},
            stateOverrides: state ?? [],
            calls: (calls ?? []).map((call) => toCallRequest(context, call)),
          })),
        },
      });
    },
  }),
];
