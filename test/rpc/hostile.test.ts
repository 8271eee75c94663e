/**
 * What hostile clients send to a real chain: every method with parameters that cannot be meant, work without end,
 * answers without bound, and connections that never finish. Each gets its error or is cut off; after each the next good
 * request is answered, and the chain still commits.
 */
import { connect, type Socket } from 'node:net';
import { METHODS } from '#node/rpc/methods.ts';
import { ALICE, type FilledChain, startFilledChain } from '#test/rpc/support/filledChain.ts';
import type { Answer } from '#test/unit/node/rpc/fakes/server.ts';

let chain: FilledChain;
beforeAll(async () => {
  chain = await startFilledChain({
    limits: {
      headersTimeoutMs: 500,
      requestTimeoutMs: 1_500,
      callTimeoutMs: 20_000,
      maxSocketBufferBytes: 65_536,
    },
  });
});
afterEach(async () => {
  expect(await chain.result('eth_chainId')).toBe('0xa5b8');
});
afterAll(async () => {
  const { block } = chain.chain.head();
  await chain.commit();
  expect(chain.chain.head().block.height).toBe(block.height + 1n);
  await chain.stop();
});

const HUGE = `0x${'f'.repeat(100_000)}`;
/** None of these is anything that a first parameter can be. */
const HOSTILE: readonly unknown[] = [
  -1,
  1e308,
  HUGE,
  '0x-1',
  '０ｘ１',
  '\u0000',
  '__proto__',
  [[[[]]]],
  { __proto__: { to: 1 }, toString: 1, blockHash: {} },
  ['0x', null, {}],
  { fromBlock: HUGE, blockStateCalls: HUGE, to: HUGE },
  true,
];
const CLIENT_CODES = new Set([-32602, -32000, -32601, -32005, 3]);

describe('every method with parameters that cannot be meant', () => {
  const withParameters = [...METHODS.values()].filter(({ params }) => params.length > 0);

  test('the table is as long as it should be', () => {
    expect(withParameters.length * HOSTILE.length).toBeGreaterThanOrEqual(150);
  });

  test.each(withParameters.map(({ name }) => name))('%s', async (name) => {
    const rest = METHODS.get(name)!
      .params.slice(1)
      .map(() => null);
    for (const [index, hostile] of HOSTILE.entries()) {
      const { error, result } = await chain.request(name, [hostile, ...rest]);
      // Some of it is a value after all for the few methods whose parameters may be anything.
      if (error === undefined) {
        expect([name, index, JSON.stringify(result).length < 100_000]).toEqual([name, index, true]);
        continue;
      }
      expect([name, index, CLIENT_CODES.has(error.code)]).toEqual([name, index, true]);
      expect(error.message.length).toBeLessThan(600);
    }
  });

  test('every method with too many, and with none where one is needed', async () => {
    for (const { name, params } of METHODS.values()) {
      if (name.startsWith('admin_')) continue;
      const many = await chain.request(name, new Array(params.length + 1).fill(null));
      expect([name, many.error?.code]).toEqual([name, -32602]);
      if (params[0]?.required === true) expect((await chain.request(name)).error.code).toBe(-32602);
    }
  });
});

describe('work without end', () => {
  const call = (functionName: string, args: readonly unknown[] = []) => ({
    from: ALICE.address,
    to: chain.probeAddress,
    data: chain.encode(functionName, args),
    gas: '0x2faf080',
  });

  test('an infinite loop ends with its gas or its time, and others are served meanwhile', async () => {
    const loops = Array.from({ length: 6 }, () => chain.request('eth_call', [call('spin')]));
    for (let i = 0; i < 20; i++) {
      const startedMs = performance.now();
      expect(await chain.result('eth_blockNumber')).toMatch(/^0x/);
      expect(performance.now() - startedMs).toBeLessThan(1_500);
    }
    for (const { error } of await Promise.all(loops)) expect([-32000, -32002, -32005]).toContain(error.code);
  }, 60_000);

  test.each(['eth_estimateGas', 'eth_createAccessList', 'debug_traceCall'])(
    '%s of a loop',
    async (method) => {
      const { error, result } = await chain.request(method, [call('spin'), 'latest']);
      if (result !== undefined) expect(result.error ?? result.structLogs?.at(-1).error).toBe('out of gas');
      else expect([-32000, -32002, -32003]).toContain(error.code);
    },
    60_000,
  );

  test('memory without bound in a call and in its trace', async () => {
    expect((await chain.request('eth_call', [call('grow', [10_000_000n])])).error.code).toBe(-32000);
    const traced = await chain.request('debug_traceCall', [
      call('grow', [100_000n]),
      'latest',
      { enableMemory: true },
    ]);
    expect([-32000, -32003]).toContain(traced.error.code);
  }, 60_000);

  test('calls nested to the limit of the stack', async () => {
    const { error, result } = await chain.request('debug_traceCall', [
      call('nest', [900n]),
      'latest',
      { tracer: 'callTracer' },
    ]);
    expect(error ?? result.type).toBeDefined();
  }, 60_000);

  test('a simulation of many blocks full of loops', async () => {
    const calls = Array.from({ length: 50 }, () => call('spin'));
    const blockStateCalls = Array.from({ length: 200 }, () => ({ calls }));
    const { error } = await chain.request('eth_simulateV1', [{ blockStateCalls }, 'latest']);
    expect([-32000, -32602, -38013, -38015]).toContain(error.code);
  }, 60_000);

  test('overrides without bound', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [
        `0x${index.toString(16).padStart(40, '0')}`,
        { balance: '0x1' },
      ]),
    );
    expect((await chain.request('eth_call', [call('pings'), 'latest', many])).error.code).toBe(-32602);
    const stateDiff = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [
        `0x${index.toString(16).padStart(64, '0')}`,
        `0x${'1'.padStart(64, '0')}`,
      ]),
    );
    const state = { [ALICE.address]: { stateDiff } };
    expect((await chain.request('eth_call', [call('pings'), 'latest', state])).error.code).toBe(-32602);
  });
});

describe('requests and connections without end', () => {
  test('a body of 100 MB', async () => {
    const answer = await chain.post('x'.repeat(100 * 1024 * 1024)).catch(() => null);
    if (answer !== null) expect(answer.status).toBe(413);
  });

  test('a batch without end, and one of the most expensive requests', async () => {
    const item = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
    const endless = JSON.parse((await chain.rawPost(`[${new Array(20_000).fill(item).join(',')}]`)).text);
    expect(endless.error.code).toBe(-32600);
    const trace = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'debug_traceBlockByNumber',
      params: ['0x5'],
    });
    const answers: Answer[] = JSON.parse(
      (await chain.rawPost(`[${new Array(100).fill(trace).join(',')}]`)).text,
    );
    expect(answers).toHaveLength(100);
    expect(answers.at(-1).error?.code ?? -32003).toBe(-32003);
  }, 60_000);

  /** Writes what it is given and tells when the server closes. */
  const open = async (): Promise<{ readonly socket: Socket; readonly closed: Promise<void> }> => {
    const socket = connect(chain.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    return { socket, closed };
  };

  test.each([
    ['headers that never end', 'POST / HTTP/1.1\r\nhost: x\r\nx-a: '],
    [
      'a body that never comes',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
    ],
    [
      'chunks that never end',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n',
    ],
    ['no HTTP at all', '\u0016\u0003\u0001\u0002\u0000'],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a header of 1 MB', `POST / HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(1024 * 1024)}`],
    ['half a WebSocket', 'GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'],
  ])(
    '%s: cut off',
    async (_name, bytes) => {
      const { socket, closed } = await open();
      socket.write(bytes);
      await closed;
    },
    20_000,
  );

  test('a socket that is half closed gets its answer, and is closed', async () => {
    const { socket, closed } = await open();
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
    socket.end(
      `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await closed;
    expect(answer).toContain('0xa5b8');
  });

  test('filters that are never polled make place for others', async () => {
    const first = await chain.result('eth_newBlockFilter');
    for (let i = 0; i < 1_100; i++) await chain.result('eth_newBlockFilter');
    expect((await chain.request('eth_getFilterChanges', [first])).error).toEqual({
      code: -32000,
      message: 'filter not found',
    });
  }, 60_000);
});
