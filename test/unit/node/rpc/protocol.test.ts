import { startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  server.append();
});
afterAll(() => server.stop());

const call = (method: string, id: unknown = 1, params: unknown = []) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});
const send = async (body: unknown) => {
  const { status, text } = await server.rawPost(typeof body === 'string' ? body : JSON.stringify(body));
  return { status, answer: text === '' ? null : JSON.parse(text) };
};

test('a request is answered with its id, whatever kind of id it is', async () => {
  for (const id of ['abc', 7, 0, null, -1.5, '']) {
    const { answer } = await send(call('eth_blockNumber', id));
    expect(answer).toEqual({ jsonrpc: '2.0', id, result: '0x1' });
  }
});

test('an unknown method is refused with -32601 over HTTP 200', async () => {
  const { status, answer } = await send(call('eth_mine'));
  expect(status).toBe(200);
  expect(answer.error).toEqual({
    code: -32601,
    message: 'the method eth_mine does not exist/is not available',
  });
});

test('a notification is run and not answered', async () => {
  expect(await send({ jsonrpc: '2.0', method: 'eth_blockNumber' })).toEqual({ status: 200, answer: null });
  expect(await send([{ jsonrpc: '2.0', method: 'eth_blockNumber' }])).toEqual({ status: 200, answer: null });
  expect(await send([{ jsonrpc: '2.0', method: 'eth_nothing' }])).toEqual({ status: 200, answer: null });
});

test('a batch is answered in its order, notifications left out, faults in their places', async () => {
  const { answer } = await send([
    call('eth_chainId', 'a'),
    { jsonrpc: '2.0', method: 'eth_blockNumber' },
    call('eth_mine', 'b'),
    5,
    call('net_version', 'c'),
  ]);
  expect(answer).toEqual([
    { jsonrpc: '2.0', id: 'a', result: '0xa5b8' },
    expect.objectContaining({ id: 'b', error: expect.objectContaining({ code: -32601 }) }),
    expect.objectContaining({ id: null, error: { code: -32600, message: 'invalid request' } }),
    { jsonrpc: '2.0', id: 'c', result: '42424' },
  ]);
});

test('a batch of 1,000 is answered, one more is refused, an empty one too', async () => {
  const batch = Array.from({ length: 1_000 }, (_, id) => call('eth_blockNumber', id));
  const { answer } = await send(batch);
  expect(answer).toHaveLength(1_000);
  expect(answer.map(({ id }: { id: number }) => id)).toEqual(batch.map(({ id }) => id));
  expect((await send([...batch, call('eth_blockNumber')])).answer.error).toEqual({
    code: -32600,
    message: 'batch too large',
  });
  expect((await send([])).answer).toEqual({
    jsonrpc: '2.0',
    id: null,
    error: { code: -32600, message: 'empty batch' },
  });
});

test('parameters are refused in the words of geth', async () => {
  const messageOf = async (method: string, params: unknown) => {
    const error = await server.error(method, params);
    expect(error.code).toBe(-32602);
    return error.message;
  };
  expect(await messageOf('eth_getBalance', [])).toBe('missing value for required argument 0');
  expect(await messageOf('eth_chainId', [1])).toBe('too many arguments, want at most 0');
  expect(await messageOf('eth_chainId', { a: 1 })).toBe('non-array args');
  expect(await messageOf('eth_getBlockByNumber', ['0x01', false])).toBe(
    'invalid argument 0: hex number with leading zero digits',
  );
  expect(await messageOf('eth_getBlockByNumber', ['1', false])).toBe(
    'invalid argument 0: hex string without 0x prefix',
  );
  expect(await messageOf('eth_getBlockByNumber', ['0xffffffffffffffff', false])).toBe(
    'invalid argument 0: block number larger than int64',
  );
  expect(await messageOf('eth_getBlockByHash', ['0x12', false])).toMatch(/32-byte hash/);
});

test('a method that takes too long is answered with a time-out, and a fault with an internal error', async () => {
  const slow = await startServer({ limits: { callTimeoutMs: 50 } });
  try {
    slow.fakeCalls.answerWith(() => new Promise(() => {}));
    expect(await slow.error('eth_call', [{}])).toEqual({ code: -32002, message: 'request timed out' });
    slow.fakeCalls.answerWith(() => Promise.reject(new Error('secret path')));
    expect(await slow.error('eth_call', [{}])).toEqual({ code: -32603, message: 'internal error' });
  } finally {
    await slow.stop();
  }
});

test('an answer above the size limit is replaced, alone and in a batch', async () => {
  const small = await startServer({ limits: { maxResponseBytes: 1_000 } });
  try {
    expect((await small.error('eth_getBlockByNumber', ['latest', false])).code).toBe(-32003);
    const batch = Array.from({ length: 40 }, (_, id) => call('eth_chainId', id));
    const answers = JSON.parse((await small.rawPost(JSON.stringify(batch))).text);
    expect(answers).toHaveLength(40);
    expect(answers[0].result).toBe('0xa5b8');
    expect(answers[39]).toEqual({
      jsonrpc: '2.0',
      id: 39,
      error: { code: -32003, message: 'response too large' },
    });
  } finally {
    await small.stop();
  }
});

test('more requests at one time than allowed are refused, and the server goes on', async () => {
  const busy = await startServer({ limits: { maxInFlight: 2, callTimeoutMs: 5_000 } });
  try {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    busy.fakeCalls.answerWith(async () => {
      await held;
      return { status: 'success', data: '0x01', gasUsed: 1n };
    });
    const running = [busy.result('eth_call', [{}]), busy.result('eth_call', [{}])];
    while (busy.fakeCalls.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await busy.error('eth_chainId')).code).toBe(-32005);
    release();
    expect(await Promise.all(running)).toEqual(['0x01', '0x01']);
    expect(await busy.result('eth_chainId')).toBe('0xa5b8');
  } finally {
    await busy.stop();
  }
});

test('what is left of a batch whose time is over is not started', async () => {
  const slow = await startServer({ limits: { callTimeoutMs: 50 } });
  try {
    slow.fakeCalls.answerWith(() => new Promise(() => {}));
    const batch = Array.from({ length: 20 }, (_, id) => call('eth_call', id, [{}]));
    const answers = JSON.parse((await slow.rawPost(JSON.stringify(batch))).text);
    expect(answers.map(({ error }: { error: { code: number } }) => error.code)).toEqual(
      new Array(20).fill(-32002),
    );
    expect(slow.fakeCalls.asked).toHaveLength(1);
  } finally {
    await slow.stop();
  }
});

test('calls that occupy the runner beyond their time-out are bounded', async () => {
  const full = await startServer({ limits: { callTimeoutMs: 50, maxCalls: 2, maxWaitingCalls: 1 } });
  try {
    full.fakeCalls.answerWith(() => new Promise(() => {}));
    for (let i = 0; i < 3; i++) expect((await full.error('eth_call', [{}])).code).toBe(-32002);
    expect((await full.error('eth_call', [{}])).code).toBe(-32005);
    expect(full.fakeCalls.asked).toHaveLength(2);
  } finally {
    await full.stop();
  }
});
