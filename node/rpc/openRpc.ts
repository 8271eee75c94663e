/**
 * The OpenRPC document of the server, from the definitions that the dispatcher runs (https://spec.open-rpc.org 1.3.2).
 *
 * `x-access` and `x-cost` say which class of callers a method is for, and what it takes from their bucket.
 */
import { z } from 'zod';
import type { Method, Param } from '#node/rpc/method.ts';
import { COMPONENTS, type JsonSchema } from '#node/rpc/schemas.ts';

export const describeParam = (schema: Param<unknown>['schema']): JsonSchema => {
  const { $schema: _, ...described } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return described;
};

export const createOpenRpcDocument = (methods: Iterable<Method>, version: string) => ({
  openrpc: '1.3.2',
  info: { title: 'Causeway JSON-RPC', version },
  methods: [...methods]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((method) => ({
      name: method.name,
      summary: method.summary,
      params: method.params.map(({ name, schema, required }) => ({
        name,
        required,
        schema: describeParam(schema),
      })),
      result: { name: 'result', schema: method.result },
      'x-access': method.access,
      'x-cost': method.cost,
    })),
  components: { schemas: COMPONENTS },
});
