import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';
import { BOB } from '#test/unit/node/rpc/fakes/transactions.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  server.append();
});
afterAll(() => server.stop());

const call = (method: string, params: unknown) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
const HUGE = '9'.repeat(100_000);

const PARSE = -32700;
const REQUEST = -32600;
const PARAMS = -32602;

const TABLE: readonly (readonly [name: string, body: string | Uint8Array<ArrayBuffer>, code: number])[] = [
  ['nothing', '', PARSE],
  ['spaces', '   ', PARSE],
  ['no JSON', 'hello', PARSE],
  ['half a request', '{"jsonrpc":"2.0","id":1,', PARSE],
  ['a byte that is not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), PARSE],
  ['a surrogate in UTF-8', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), PARSE],
  ['an overlong encoding', Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), PARSE],
  ['zero bytes', new Uint8Array(1_000), PARSE],
  ['UTF-16', new Uint8Array(Buffer.from('\ufeff{"jsonrpc":"2.0"}', 'utf16le')), PARSE],
  ['a million arrays', deep('[', ']', 1_000_000), PARSE],
  ['a million objects', `${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}`, PARSE],
  ['unclosed arrays', '['.repeat(2_000_000), PARSE],
  [
    'deep parameters',
    `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":${deep('[', ']', 5_000)}}`,
    PARSE,
  ],
  ['a deep id', `{"jsonrpc":"2.0","id":${deep('[', ']', 5_000)},"method":"eth_chainId"}`, PARSE],
  ['a number', '5', REQUEST],
  ['null', 'null', REQUEST],
  ['true', 'true', REQUEST],
  ['text', '"eth_chainId"', REQUEST],
  ['an empty object', '{}', REQUEST],
  ['an empty batch', '[]', REQUEST],
  ['no version', '{"id":1,"method":"eth_chainId"}', REQUEST],
  ['another version', '{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}', REQUEST],
  ['no method', '{"jsonrpc":"2.0","id":1}', REQUEST],
  ['a method that is a number', '{"jsonrpc":"2.0","id":1,"method":5}', REQUEST],
  ['a method that is an object', '{"jsonrpc":"2.0","id":1,"method":{}}', REQUEST],
  ['an empty method', '{"jsonrpc":"2.0","id":1,"method":""}', REQUEST],
  ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', REQUEST],
  ['an id that is an array', '{"jsonrpc":"2.0","id":[1],"method":"eth_chainId"}', REQUEST],
  ['an id that is true', '{"jsonrpc":"2.0","id":true,"method":"eth_chainId"}', REQUEST],
  ['an id that is huge', `{"jsonrpc":"2.0","id":${HUGE},"method":"eth_chainId"}`, REQUEST],
  ['an id with a huge exponent', '{"jsonrpc":"2.0","id":1e999999,"method":"eth_chainId"}', REQUEST],
  ['an answer', '{"jsonrpc":"2.0","id":1,"result":"0x1"}', REQUEST],
  ['a method of Object', call('constructor', []), -32601],
  ['__proto__ as a method', call('__proto__', []), -32601],
  ['a very long method', call('x'.repeat(1_000_000), []), -32601],
  ['text as parameters', call('eth_chainId', 'x'), PARAMS],
  ['a number as parameters', call('eth_chainId', 5), PARAMS],
  ['a thousand parameters', call('eth_chainId', new Array(1_000).fill(null)), PARAMS],
  ['an address that is a number', call('eth_getBalance', [5, 'latest']), PARAMS],
  ['an address that is an array', call('eth_getBalance', [[BOB], 'latest']), PARAMS],
  ['a huge block number', call('eth_getBlockByNumber', [`0x${'f'.repeat(1_000_000)}`, false]), PARAMS],
  [
    'a huge number as a block',
    `{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":[${HUGE},false]}`,
    PARAMS,
  ],
  ['a negative block', call('eth_getBlockByNumber', ['-0x1', false]), PARAMS],
  ['a fraction as a count', call('eth_feeHistory', [1.5, 'latest', []]), PARAMS],
  [
    'a huge count',
    `{"jsonrpc":"2.0","id":1,"method":"eth_feeHistory","params":[${HUGE},"latest",[]]}`,
    PARAMS,
  ],
  ['a huge value', call('eth_call', [{ value: `0x${'f'.repeat(65)}` }]), PARAMS],
  ['a huge gas', call('eth_call', [{ gas: `0x${'f'.repeat(17)}` }]), PARAMS],
  ['data that is no hex', call('eth_call', [{ data: '0xzz' }]), PARAMS],
  ['data with odd digits', call('eth_call', [{ data: '0x1' }]), PARAMS],
  ['fullwidth digits', call('eth_call', [{ value: '0x１' }]), PARAMS],
  ['an access list that is text', call('eth_call', [{ accessList: 'x' }]), PARAMS],
  [
    'a long access list',
    call('eth_call', [{ accessList: new Array(10_001).fill({ address: BOB }) }]),
    PARAMS,
  ],
  ['a million topics', call('eth_getLogs', [{ topics: new Array(500_000).fill(null) }]), PARAMS],
  ['topics in topics', call('eth_getLogs', [{ topics: [[[['0x']]]] }]), PARAMS],
  ['an endless range', call('eth_getLogs', [{ fromBlock: '0x0', toBlock: `0x${'f'.repeat(16)}` }]), PARAMS],
  ['a filter id that is an object', call('eth_getFilterChanges', [{}]), PARAMS],
  ['a long filter id', call('eth_getFilterChanges', ['x'.repeat(1_000_000)]), PARAMS],
  ['a transaction of no bytes', call('eth_sendRawTransaction', ['0x']), -32000],
  ['a transaction of zeros', call('eth_sendRawTransaction', [`0x${'00'.repeat(1_000_000)}`]), -32000],
  ['a transaction of endless lists', call('eth_sendRawTransaction', [`0x${'c1'.repeat(1_000_000)}`]), -32000],
];

test.each(TABLE)('%s is refused, and the next good request is answered', async (_name, body, code) => {
  const { status, text } = await server.rawPost(body);
  expect(status).toBe(200);
  const answer = JSON.parse(text);
  expect(answer.jsonrpc).toBe('2.0');
  expect(answer.error.code).toBe(code);
  expect(answer.error.message.length).toBeLessThan(300);
  expect(await server.result('eth_chainId')).toBe('0xa5b8');
});

test('the table is as long as it should be', () => {
  expect(TABLE.length).toBeGreaterThanOrEqual(40);
});

test('hostile items of a batch do not touch their neighbours', async () => {
  const items = TABLE.map(([, body]) => body)
    .filter((body): body is string => typeof body === 'string' && body.length < 10_000)
    .filter((body) => body.startsWith('{') && body.endsWith('}') && !body.includes('[[[[['));
  const good = call('eth_chainId', []);
  const batch = `[${items.flatMap((item) => [item, good]).join(',')}]`;
  const answers = JSON.parse((await server.rawPost(batch)).text);
  expect(answers).toHaveLength(2 * items.length);
  answers.forEach((answer: { result?: string; error?: unknown }, index: number) => {
    if (index % 2 === 1) expect(answer.result).toBe('0xa5b8');
    else expect(answer.error).toBeDefined();
  });
});
