/** One definition per method: what is generated from it is complete, current and served. */
import { readFileSync } from 'node:fs';
import { ACCESS_CLASSES } from '#node/rpc/method.ts';
import { METHODS } from '#node/rpc/methods.ts';
import { README_PATH, withMethodTable } from '#node/rpc/reference.ts';
import { type Answer, startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';

let server: TestServer;
let document: Answer;
beforeAll(async () => {
  server = await startServer();
  document = await server.result('rpc_discover');
});
afterAll(() => server.stop());

test('the table in README.md is the one that the definitions give', () => {
  const text = readFileSync(README_PATH, 'utf8');
  // If this fails: node node/rpc/reference.ts
  expect(text).toBe(withMethodTable(text, METHODS.values()));
});

test('a table without a method is noticed', () => {
  const text = readFileSync(README_PATH, 'utf8');
  const fewer = [...METHODS.values()].filter(({ name }) => name !== 'eth_call');
  expect(withMethodTable(text, fewer)).not.toBe(text);
});

test('rpc_discover describes every method that the dispatcher knows, and no other', () => {
  expect(document.openrpc).toBe('1.3.2');
  expect(document.methods.map(({ name }: Answer) => name)).toEqual([...METHODS.keys()].sort());
});

test('every method has a summary, a cost, a class, and distinct named parameters with the optional ones last', () => {
  for (const method of document.methods) {
    expect(method.summary).toMatch(/^[A-Z].*\.$/);
    expect(method['x-cost']).toBeGreaterThan(0);
    expect(ACCESS_CLASSES).toContain(method['x-access']);
    const names = method.params.map(({ name }: Answer) => name);
    expect(new Set(names).size).toBe(names.length);
    const firstOptional = method.params.findIndex(({ required }: Answer) => !required);
    if (firstOptional >= 0)
      expect(method.params.slice(firstOptional).every(({ required }: Answer) => !required)).toBe(true);
  }
});

test('every reference of the document resolves, and every component is used', () => {
  const used = new Set(
    [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    ),
  );
  expect([...used].sort()).toEqual(Object.keys(document.components.schemas).sort());
});

test('parameters that parse text say what it looks like', () => {
  const parametersOf = (name: string): Answer =>
    document.methods.find((method: Answer) => method.name === name).params;
  expect(parametersOf('eth_getBalance')[0].schema.pattern).toBe('^0x[0-9a-fA-F]{40}$');
  expect(parametersOf('eth_getBalance')[1].schema.anyOf[0].enum).toContain('finalized');
  expect(parametersOf('eth_call')[0].schema.properties.value.anyOf[0].title).toMatch(/256 bits/);
});
