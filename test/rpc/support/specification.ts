/** The schemas of ethereum/execution-apis, where a copy of them is at hand, and of our own `rpc_discover`. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

type Schema = Record<string, unknown>;
export type OpenRpc = {
  readonly methods: readonly {
    readonly name: string;
    readonly params: readonly { readonly name: string; readonly required?: boolean }[];
    readonly result: { readonly schema?: Schema } & Schema;
  }[];
  readonly components: { readonly schemas: Schema };
};

const file = join(
  dirname(fileURLToPath(import.meta.url)),
  '../../../../shared/data/execution-apis/openrpc.json',
);
export const isSpecificationHere: boolean = existsSync(file);
if (!isSpecificationHere)
  console.warn('schema checks are skipped: no copy of execution-apis beside the repository');

export const specification: OpenRpc = isSpecificationHere
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { methods: [], components: { schemas: {} } };

const toLocalReferences = (schema: Schema): Schema =>
  JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/'));

export const createChecker = (document: OpenRpc): ((method: string, result: unknown) => string[]) => {
  const $defs = toLocalReferences(document.components.schemas);
  const compiled = new Map<string, z.ZodType>();
  const compile = (method: string): z.ZodType => {
    const found = document.methods.find(({ name }) => name === method);
    if (found === undefined) throw new Error(`expected ${method} in the document`);
    const schema = toLocalReferences(found.result.schema ?? found.result);
    return z.fromJSONSchema({ ...schema, $defs } as Parameters<typeof z.fromJSONSchema>[0]);
  };
  return (method, result) => {
    const known = compiled.get(method) ?? compile(method);
    compiled.set(method, known);
    const parsed = known.safeParse(result);
    return parsed.success
      ? []
      : parsed.error.issues.map(({ path, message }) => `${method} ${path.join('.')}: ${message}`);
  };
};

/** What the specification has against a result; nothing where it is not at hand. */
export const resultProblems: (method: string, result: unknown) => string[] = isSpecificationHere
  ? createChecker(specification)
  : () => [];
