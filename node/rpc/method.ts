/**
 * The one definition of a JSON-RPC method: name, parameters, result, who may call it, what it costs, what it does.
 *
 * The dispatcher, validation, authorisation, the token bucket, `rpc_discover` (openRpc.ts) and the reference table in
 * README.md (reference.ts) all read it. Parameters are positional; each has a name and a zod schema, built once, that
 * parses untrusted JSON into our types. Refusals are worded as geth words them.
 */
import type { z } from 'zod';
import type { Caller, RpcContext } from '#node/rpc/context.ts';
import { invalidParams } from '#node/rpc/errors.ts';
import type { JsonSchema } from '#node/rpc/schemas.ts';

export type Param<T> = {
  readonly name: string;
  readonly schema: z.ZodType<T>;
  readonly required: boolean;
};

type ParamValues<P extends readonly Param<unknown>[]> = {
  readonly [K in keyof P]: P[K] extends Param<infer T> ? T : never;
};

/** What a method lays open; roles.ts says which roles reach which. */
export const ACCESS_CLASSES = ['public', 'dapp', 'indexer', 'audit', 'operate', 'admin'] as const;
export type AccessClass = (typeof ACCESS_CLASSES)[number];

export type Method = {
  readonly name: string;
  readonly summary: string;
  readonly params: readonly Param<unknown>[];
  readonly result: JsonSchema;
  readonly access: AccessClass;
  /** Units of the caller's token bucket; 1 is a look at something in memory. */
  readonly cost: number;
  /** @returns what JSON.stringify takes, or a JsonText; undefined means null. @throws RpcError */
  run(context: RpcContext, params: readonly unknown[], caller: Caller): unknown;
};

export const required = <T>(name: string, schema: z.ZodType<T>): Param<T> => ({
  name,
  schema,
  required: true,
});

/** Absent and null mean the same. */
export const optional = <T>(name: string, schema: z.ZodType<T>): Param<T | undefined> => ({
  name,
  schema: schema.optional(),
  required: false,
});

type Definition<P extends readonly Param<unknown>[]> = Omit<Method, 'run' | 'params' | 'access'> & {
  /** Default: public. */
  readonly access?: AccessClass;
  readonly params: P;
  readonly run: (context: RpcContext, params: ParamValues<P>, caller: Caller) => unknown;
};

export const defineMethod = <const P extends readonly Param<unknown>[]>(
  definition: Definition<P>,
): Method => ({
  ...definition,
  access: definition.access ?? 'public',
  run: (context, params, caller) =>
    definition.run(context, parseParams(definition.params, params) as ParamValues<P>, caller),
});

const parseParams = (params: readonly Param<unknown>[], values: readonly unknown[]): unknown[] => {
  if (values.length > params.length) throw invalidParams(`too many arguments, want at most ${params.length}`);
  return params.map((param, index) => {
    const value = values[index] ?? undefined;
    if (value === undefined && param.required)
      throw invalidParams(`missing value for required argument ${index}`);
    const parsed = param.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const path = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
    throw invalidParams(`invalid argument ${index}: ${path}${issue?.message ?? 'not understood'}`);
  });
};
