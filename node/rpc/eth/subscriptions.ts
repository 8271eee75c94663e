/** eth_subscribe and eth_unsubscribe, for WebSockets only. */
import { z } from 'zod';
import type { Caller } from '#node/rpc/context.ts';
import { invalidParams, RPC_CODES, RpcError, serverError } from '#node/rpc/errors.ts';
import { defineMethod, type Method, optional, required } from '#node/rpc/method.ts';
import { logFilter } from '#node/rpc/params.ts';
import { BOOLEAN, ref } from '#node/rpc/schemas.ts';
import type { SubscriptionKind } from '#node/rpc/subscriptions.ts';

const subscriptionsOf = (caller: Caller): NonNullable<Caller['subscriptions']> => {
  if (caller.subscriptions === null)
    throw new RpcError(RPC_CODES.methodNotFound, 'notifications not supported');
  return caller.subscriptions;
};

const parseKind = (name: string, detail: unknown): SubscriptionKind => {
  switch (name) {
    case 'newHeads':
      return { kind: 'newHeads' };
    case 'newPendingTransactions':
      return { kind: 'newPendingTransactions', full: detail === true };
    case 'logs': {
      const parsed = logFilter.safeParse(detail ?? {});
      if (!parsed.success)
        throw invalidParams(`invalid argument 1: ${parsed.error.issues[0]?.message ?? 'not a filter'}`);
      return { kind: 'logs', criteria: parsed.data };
    }
    default:
      throw new RpcError(RPC_CODES.methodNotFound, `no "${name}" subscription in eth namespace`);
  }
};

const text = z.string('expected a string').max(66, 'text too long');

export const subscriptionMethods: readonly Method[] = [
  defineMethod({
    name: 'eth_subscribe',
    summary: 'Sends newHeads, logs or newPendingTransactions as they happen.',
    result: ref('FilterId'),
    cost: 5,
    params: [required('kind', text), optional('detail', z.unknown())],
    run: (_context, [name, detail], caller) => subscriptionsOf(caller).open(parseKind(name, detail)),
  }),
  defineMethod({
    name: 'eth_unsubscribe',
    summary: 'Ends a subscription.',
    result: BOOLEAN,
    cost: 1,
    params: [required('id', text)],
    run: (_context, [id], caller) => {
      if (!subscriptionsOf(caller).close(id)) throw serverError('subscription not found');
      return true;
    },
  }),
];
