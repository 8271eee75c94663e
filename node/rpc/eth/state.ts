/** eth methods that read accounts or execute against the state after a block. */

import { bytesToHex, ZERO_HASH } from '#consensus/primitives.ts';
import type { CallRequest } from '#node/chain.ts';
import { largerOf, smallerOf } from '#node/rpc/bigints.ts';
import { selectState } from '#node/rpc/blockSelector.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { invalidParams, serverError } from '#node/rpc/errors.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { address, block, type CallObject, callObject, noOverrides, storageKey } from '#node/rpc/params.ts';
import { expectSuccess } from '#node/rpc/revert.ts';
import { ref } from '#node/rpc/schemas.ts';

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const checkCall = (context: RpcContext, call: CallObject): void => {
  if (call.data !== undefined && call.input !== undefined && !isSame(call.data, call.input))
    throw serverError(
      'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data',
    );
  const hasFeeCaps = call.maxFeePerGas !== undefined || call.maxPriorityFeePerGas !== undefined;
  if (call.gasPrice !== undefined && hasFeeCaps)
    throw serverError('both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified');
  if (
    call.maxFeePerGas !== undefined &&
    call.maxPriorityFeePerGas !== undefined &&
    call.maxFeePerGas < call.maxPriorityFeePerGas
  )
    throw serverError(
      `maxFeePerGas (${call.maxFeePerGas}) < maxPriorityFeePerGas (${call.maxPriorityFeePerGas})`,
    );
  const { chainId } = context.genesis.spec;
  if (call.chainId !== undefined && call.chainId !== chainId)
    throw serverError(`chainId does not match node's (have=${call.chainId}, want=${chainId})`);
  if (call.blobVersionedHashes !== undefined && call.blobVersionedHashes.length > 0)
    throw invalidParams('blob transactions are not supported on this chain');
  if (call.authorizationList !== undefined && call.authorizationList.length > 0)
    throw invalidParams(
      'authorizationList is not supported in calls: set the gas limit of the transaction yourself',
    );
};

const toCallRequest = (context: RpcContext, call: CallObject): CallRequest => {
  checkCall(context, call);
  const { callGasCap } = context.limits;
  const gas = call.gas === undefined ? undefined : smallerOf(call.gas, callGasCap);
  const input = call.input ?? call.data;
  return {
    ...(call.from === undefined ? {} : { from: call.from }),
    ...(call.to === undefined ? {} : { to: call.to }),
    ...(input === undefined ? {} : { data: input }),
    ...(call.value === undefined ? {} : { valueWei: call.value }),
    ...(gas === undefined ? {} : { gas }),
    ...(call.gasPrice === undefined ? {} : { gasPrice: call.gasPrice }),
    ...(call.maxFeePerGas === undefined ? {} : { maxFeePerGas: call.maxFeePerGas }),
    ...(call.maxPriorityFeePerGas === undefined ? {} : { maxPriorityFeePerGas: call.maxPriorityFeePerGas }),
    ...(call.nonce === undefined ? {} : { nonce: call.nonce }),
    ...(call.accessList === undefined
      ? {}
      : {
          accessList: call.accessList.map(({ address: at, storageKeys }) => ({
            address: at,
            storageKeys: storageKeys ?? [],
          })),
        }),
  };
};

export const stateMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_getBalance',
    summary: 'The balance of an account in wei.',
    result: ref('Quantity'),
    cost: 2,
    params: [required('address', address), optional('block', block)],
    run: async (context, [account, selector]) => {
      const height = await selectState(context, selector);
      return toQuantity((await context.chain.account(account, height))?.balance ?? 0n);
    },
  }),
  defineMethod({
    name: 'eth_getTransactionCount',
    summary: 'The next nonce of an account; with "pending", after its executable transactions in the pool.',
    result: ref('Quantity'),
    cost: 2,
    params: [required('address', address), optional('block', block)],
    run: async (context, [account, selector]) => {
      const height = await selectState(context, selector);
      const nonce = (await context.chain.account(account, height))?.nonce ?? 0n;
      if (selector?.kind !== 'tag' || selector.tag !== 'pending') return toQuantity(nonce);
      const pending = context.mempool.pendingNonce(account);
      return toQuantity(largerOf(pending ?? 0n, nonce));
    },
  }),
  defineMethod({
    name: 'eth_getCode',
    summary: 'The code of an account.',
    result: ref('Data'),
    cost: 3,
    params: [required('address', address), optional('block', block)],
    run: async (context, [account, selector]) =>
      bytesToHex(await context.chain.code(account, await selectState(context, selector))),
  }),
  defineMethod({
    name: 'eth_getStorageAt',
    summary: 'The 32 bytes in a storage slot of an account.',
    result: ref('Hash'),
    cost: 2,
    params: [required('address', address), required('slot', storageKey), optional('block', block)],
    run: async (context, [account, slot, selector]) => {
      const height = await selectState(context, selector);
      return (await context.chain.storageAt(account, slot, height)) ?? ZERO_HASH;
    },
  }),
  defineMethod({
    name: 'eth_call',
    summary: 'Executes a call, or a creation, against the state after a block, and changes nothing.',
    result: ref('Data'),
    cost: 10,
    params: [
      required('call', callObject),
      optional('block', block),
      optional('stateOverrides', noOverrides),
      optional('blockOverrides', noOverrides),
    ],
    run: async (context, [call, selector]) => {
      const height = await selectState(context, selector);
      const request = toCallRequest(context, call);
      return expectSuccess(await context.callGate(() => context.calls.call(request, height))).data;
    },
  }),
  defineMethod({
    name: 'eth_estimateGas',
    summary: 'The smallest gas limit with which a transaction succeeds.',
    result: ref('Quantity'),
    cost: 30,
    params: [
      required('call', callObject),
      optional('block', block),
      optional('stateOverrides', noOverrides),
      optional('blockOverrides', noOverrides),
    ],
    run: async (context, [call, selector]) => {
      const height = await selectState(context, selector);
      const { nonce: _, ...request } = toCallRequest(context, call);
      const outcome = await context.callGate(() => context.calls.estimateGas(request, height));
      return toQuantity(expectSuccess(outcome).gasUsed);
    },
  }),
];
