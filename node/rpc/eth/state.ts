/** eth methods that read accounts or execute against the state after a block. */

import { z } from 'zod';
import { bytesToHex, ZERO_HASH } from '#consensus/primitives.ts';
import { largerOf } from '#node/rpc/bigints.ts';
import { selectState } from '#node/rpc/blockSelector.ts';
import { blockOverrides, callObject, stateOverrides } from '#node/rpc/callParams.ts';
import { toCallRequest } from '#node/rpc/callRequest.ts';
import { invalidParams } from '#node/rpc/errors.ts';
import { toQuantity } from '#node/rpc/format/quantity.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { address, block, storageKey } from '#node/rpc/params.ts';
import { expectSuccess } from '#node/rpc/revert.ts';
import { arrayOf, mapOf, ref } from '#node/rpc/schemas.ts';

const MAX_STORAGE_VALUES = 1_024;
const storageRequests = z
  .record(z.string(), z.array(storageKey))
  .refine(
    (value) => Object.values(value).reduce((sum, keys) => sum + keys.length, 0) <= MAX_STORAGE_VALUES,
    `expected at most ${MAX_STORAGE_VALUES} slots`,
  );

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
    name: 'eth_getStorageValues',
    summary: 'Storage slots of several accounts, each list in the order that was asked for.',
    result: mapOf(arrayOf(ref('Hash'))),
    cost: 20,
    params: [required('requests', storageRequests), optional('block', block)],
    run: async (context, [requests, selector]) => {
      const height = await selectState(context, selector);
      const found: Record<string, string[]> = {};
      for (const [key, slots] of Object.entries(requests)) {
        const account = address.safeParse(key);
        if (!account.success) throw invalidParams('expected addresses of 20 bytes');
        found[key] = await Promise.all(
          slots.map((slot) => context.chain.storageAt(account.data, slot, height)),
        );
      }
      return found;
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
      optional('stateOverrides', stateOverrides),
      optional('blockOverrides', blockOverrides),
    ],
    run: async (context, [call, selector, state, block], caller) => {
      const height = await selectState(context, selector);
      const request = toCallRequest(context, call, { stateOverrides: state, blockOverrides: block });
      const outcome = await context.callGate(() => context.calls.call(request, height), caller.client);
      return expectSuccess(outcome).data;
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
      optional('stateOverrides', stateOverrides),
      optional('blockOverrides', blockOverrides),
    ],
    run: async (context, [call, selector, state, block], caller) => {
      const height = await selectState(context, selector);
      const overrides = { stateOverrides: state, blockOverrides: block };
      const { nonce: _, ...request } = toCallRequest(context, call, overrides);
      const outcome = await context.callGate(() => context.calls.estimateGas(request, height), caller.client);
      return toQuantity(expectSuccess(outcome).gasUsed);
    },
  }),
];
