import { connect } from 'node:net';
import { openSocket, startServer, type TestServer } from '#test/unit/node/rpc/fakes/server.ts';

const REQUEST = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  server.append();
});
afterAll(() => server.stop());

/** Sends bytes as they are and answers what came back until the server closed, with the time that it took. */
const sendRaw = (port: number, text: string): Promise<{ answer: string; ms: number }> =>
  new Promise((resolve) => {
    const startedMs = Date.now();
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve({ answer, ms: Date.now() - startedMs }));
  });

test('a content type that is JSON or missing is accepted, another is refused with 415', async () => {
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON-RPC'])
    expect((await server.post(REQUEST, { 'content-type': type })).status).toBe(200);
  const missing = await sendRaw(
    server.port,
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${REQUEST.length}\r\n\r\n${REQUEST}`,
  );
  expect(missing.answer).toMatch(/^HTTP\/1.1 200/);
  expect(missing.answer).toContain('0xa5b8');
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
    expect((await server.post(REQUEST, { 'content-type': type })).status).toBe(415);
});

test('a body above 5 MiB is refused with 413, one below is read', async () => {
  const padded = (bytes: number) => REQUEST + ' '.repeat(bytes - REQUEST.length);
  const large = await server.post(padded(5 * 1024 * 1024 + 1));
  expect(large.status).toBe(413);
  expect(await large.json()).toMatchObject({ error: { code: -32600 } });
  const full = await server.post(padded(5 * 1024 * 1024));
  expect(full.status).toBe(200);
  expect(await full.json()).toMatchObject({ result: '0xa5b8' });
});

test('web pages may ask: preflight and answers carry CORS headers', async () => {
  const preflight = await fetch(server.url, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://dapp.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-custom',
      'access-control-request-private-network': 'true',
    },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
  expect(preflight.headers.get('access-control-allow-methods')).toContain('POST');
  expect(preflight.headers.get('access-control-allow-headers')).toBe('content-type,x-custom');
  expect(preflight.headers.get('access-control-allow-private-network')).toBe('true');
  const answer = await server.post(REQUEST, { origin: 'https://dapp.example' });
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  expect(answer.headers.get('content-type')).toContain('application/json');
});

test('with listed origins only those pages may ask, over HTTP and WebSocket', async () => {
  const own = await startServer({ access: { corsOrigins: ['https://ours.example'] } });
  try {
    const ours = await own.post(REQUEST, { origin: 'https://ours.example' });
    expect(ours.headers.get('access-control-allow-origin')).toBe('https://ours.example');
    expect((await own.post(REQUEST, { origin: 'https://theirs.example' })).status).toBe(403);
    expect((await own.post(REQUEST)).status).toBe(200);
    await expect(
      openSocket(own.webSocketUrl, { headers: { origin: 'https://theirs.example' } }),
    ).rejects.toThrow(/403/);
    const socket = await openSocket(own.webSocketUrl, { headers: { origin: 'https://ours.example' } });
    expect((await socket.request('eth_chainId')).result).toBe('0xa5b8');
    await socket.close();
  } finally {
    await own.stop();
  }
});

test('with listed host names another name in the Host header is refused, an IP address is not', async () => {
  const own = await startServer({ access: { allowedHosts: ['localhost'] } });
  const statusFor = async (host: string) => {
    const { answer } = await sendRaw(
      own.port,
      `GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    return answer.slice(9, 12);
  };
  try {
    expect(await statusFor('localhost:8545')).toBe('200');
    expect(await statusFor('127.0.0.1')).toBe('200');
    expect(await statusFor('[::1]:8545')).toBe('200');
    expect(await statusFor('evil.example')).toBe('403');
  } finally {
    await own.stop();
  }
});

test('health pages say whether the node lives and is ready', async () => {
  let isReady = true;
  const own = await startServer({ ready: () => isReady });
  try {
    expect((await fetch(`${own.url}/livez`)).status).toBe(200);
    const ready = await fetch(`${own.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ ready: true, height: 0, finalizedHeight: 0, behind: 0, peers: 3 });
    isReady = false;
    expect((await fetch(`${own.url}/readyz`)).status).toBe(503);
    expect((await fetch(own.url)).status).toBe(200);
    expect((await fetch(`${own.url}/nothing`)).status).toBe(404);
  } finally {
    await own.stop();
  }
});

test('a client that never ends its headers or its body is cut off', async () => {
  const own = await startServer({ limits: { headersTimeoutMs: 200, requestTimeoutMs: 300 } });
  try {
    const headers = await sendRaw(own.port, 'POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const body = await sendRaw(
      own.port,
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    for (const { answer, ms } of [headers, body]) {
      expect(answer).toMatch(/^HTTP\/1.1 408/);
      expect(ms).toBeLessThan(5_000);
    }
    expect(await own.result('eth_chainId')).toBe('0xa5b8');
  } finally {
    await own.stop();
  }
});

test('connections beyond the limit are dropped, and free places are taken again', async () => {
  const own = await startServer({ limits: { maxConnections: 2 } });
  const open = () =>
    new Promise<import('node:net').Socket>((resolve) => {
      const socket = connect(own.port, '127.0.0.1', () => resolve(socket));
      socket.on('error', () => {});
    });
  try {
    const held = [await open(), await open()];
    const refused = await open();
    await new Promise<void>((resolve) => {
      if (refused.destroyed) resolve();
      refused.once('close', () => resolve());
      refused.resume();
    });
    for (const socket of held) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await own.result('eth_chainId')).toBe('0xa5b8');
  } finally {
    await own.stop();
  }
});

test('a busy port is an error that names itself', async () => {
  await expect(startServer({ port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
