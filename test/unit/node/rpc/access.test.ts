/** Who may ask, as whom, and how much: keys, tokens, roles, rates, the local socket. */
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, SignJWT } from 'jose';
import { METHODS } from '#node/rpc/methods.ts';
import { mayCall, ROLES } from '#node/rpc/roles.ts';
import { OPEN_ACCESS, type RpcAccess, rpcSchema } from '#node/rpc/rpcOptions.ts';
import {
  type Answer,
  openSocket,
  SILENT,
  startServer,
  type TestServer,
} from '#test/unit/node/rpc/fakes/server.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const KEYS = {
  explorer: 'k-explorer-3f1c',
  auditor: 'k-auditor-77aa',
} as const;
const API_KEYS: RpcAccess['apiKeys'] = [
  { name: 'explorer', role: 'indexer', sha256: sha256(KEYS.explorer) },
  { name: 'auditor', role: 'auditor', sha256: sha256(KEYS.auditor) },
];

const servers: { stop(): Promise<void> }[] = [];
const start = async (access: Partial<RpcAccess>, others: object = {}): Promise<TestServer> => {
  const server = await startServer({ access: { anonymousRole: 'public', ...access }, ...others });
  servers.push(server);
  return server;
};
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const call = (method: string, params: unknown[] = []): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
const ask = async (url: string, body: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: answer.status, json: (await answer.json()) as Answer };
};

describe('roles', () => {
  test('whatever is not public is denied to a caller without a key, with the remedy', async () => {
    const server = await start({ apiKeys: API_KEYS });
    for (const { name, access } of METHODS.values()) {
      const { json } = await ask(server.url, call(name));
      const isDenied = json.error?.code === -32601 && json.error.message.includes('needs a key');
      expect([name, isDenied]).toEqual([name, access !== 'public']);
    }
  });

  test('no role but admin reaches the admin methods, and each method has a role that does', () => {
    for (const { access } of METHODS.values()) expect(ROLES.some((role) => mayCall(role, access))).toBe(true);
    for (const role of ROLES.filter((one) => one !== 'admin')) expect(mayCall(role, 'admin')).toBe(false);
  });

  test('every item of a batch is authorised by itself', async () => {
    const server = await start({});
    const { json } = await ask(
      server.url,
      `[${call('eth_chainId')},${call('debug_getRawHeader', ['latest'])}]`,
    );
    expect(json[0].result).toBe('0xa5b8');
    expect(json[1].error.code).toBe(-32601);
  });
});

describe('API keys', () => {
  test('a key opens what its role may, in the header or in the path, over HTTP and WebSocket', async () => {
    const server = await start({ apiKeys: API_KEYS });
    const body = call('debug_getRawHeader', ['latest']);
    const byHeader = await ask(server.url, body, { 'x-api-key': KEYS.explorer });
    expect(byHeader.json.result).toMatch(/^0x/);
    expect((await ask(`${server.url}/key/${KEYS.explorer}`, body)).json.result).toBe(byHeader.json.result);
    const socket = await openSocket(`${server.webSocketUrl}/key/${KEYS.explorer}`);
    expect((await socket.request('debug_getRawHeader', ['latest'])).result).toBe(byHeader.json.result);
    await socket.close();
  });

  test('a wrong key is refused rather than taken for none, and says nothing of others', async () => {
    const server = await start({ apiKeys: API_KEYS });
    for (const key of ['wrong', sha256(KEYS.explorer), KEYS.explorer.toUpperCase(), 'x'.repeat(10_000)]) {
      const { status, json } = await ask(server.url, call('eth_chainId'), { 'x-api-key': key });
      expect(status).toBe(401);
      expect(json.error.message).not.toContain('explorer');
    }
    await expect(openSocket(`${server.webSocketUrl}/key/wrong`)).rejects.toThrow(/401/);
  });
});

describe('tokens', () => {
  const ISSUER = 'https://issuer.example';
  const AUDIENCE = 'causeway';
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: generateKeyPairSync('ed25519'),
  } as const;
  let jwks: Server;
  let access: Partial<RpcAccess>;
  beforeAll(async () => {
    const keys = await Promise.all(
      Object.entries(pairs).map(async ([alg, { publicKey }]) => ({
        ...(await exportJWK(publicKey)),
        alg,
        kid: alg,
      })),
    );
    jwks = createServer((_request, answer) => answer.end(JSON.stringify({ keys })));
    await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve));
    const { port } = jwks.address() as AddressInfo;
    access = {
      jwt: {
        issuer: ISSUER,
        audience: AUDIENCE,
        jwksUrl: `http://127.0.0.1:${port}/jwks`,
        roleClaim: 'role',
      },
    };
  });
  afterAll(() => void jwks.close());

  type Claims = { role?: unknown; issuer?: string; audience?: string; expires?: string | number | null };
  const sign = (alg: string, key: KeyObject | Uint8Array, claims: Claims = {}): Promise<string> => {
    const token = new SignJWT({ role: claims.role === undefined ? 'indexer' : claims.role })
      .setProtectedHeader({ alg, kid: alg })
      .setSubject('graph-node')
      .setIssuer(claims.issuer ?? ISSUER)
      .setAudience(claims.audience ?? AUDIENCE);
    if (claims.expires !== null) token.setExpirationTime(claims.expires ?? '1h');
    return token.sign(key);
  };
  const askWith = (server: TestServer, token: string) =>
    ask(server.url, call('debug_getRawHeader', ['latest']), { authorization: `Bearer ${token}` });

  test.each(Object.keys(pairs) as (keyof typeof pairs)[])('%s is accepted', async (alg) => {
    const server = await start(access);
    expect((await askWith(server, await sign(alg, pairs[alg].privateKey))).json.result).toMatch(/^0x/);
  });

  test('forged, foreign, expired, endless and roleless tokens are refused', async () => {
    const server = await start(access);
    const { privateKey } = pairs.ES256;
    const [header, , signature] = (await sign('ES256', privateKey)).split('.');
    const other = Buffer.from(JSON.stringify({ role: 'operator', sub: 'x', exp: 9e9 })).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const hostile = [
      `${header}.${other}.${signature}`,
      `${none}.${other}.`,
      await sign('HS256', new TextEncoder().encode('x'.repeat(32))),
      await sign('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      await sign('ES256', privateKey, { issuer: 'https://other.example' }),
      await sign('ES256', privateKey, { audience: 'other' }),
      await sign('ES256', privateKey, { expires: Math.floor(Date.now() / 1_000) - 60 }),
      await sign('ES256', privateKey, { expires: null }),
      await sign('ES256', privateKey, { role: 'admin' }),
      await sign('ES256', privateKey, { role: ['operator'] }),
      'x',
      'a.b.c',
    ];
    for (const [index, token] of hostile.entries())
      expect([index, (await askWith(server, token)).status]).toEqual([index, 401]);
    expect((await ask(server.url, call('eth_chainId'), { authorization: 'Basic eDp5' })).status).toBe(401);
  });

  test('a WebSocket ends with its token', async () => {
    let nowMs = Date.now();
    const server = await start(access, { nowMs: () => nowMs });
    const authorization = `Bearer ${await sign('ES256', pairs.ES256.privateKey)}`;
    const socket = await openSocket(server.webSocketUrl, { headers: { authorization } });
    expect((await socket.request('ots_getApiLevel')).result).toBe(8);
    nowMs += 2 * 3_600_000;
    socket.socket.send(call('ots_getApiLevel'));
    expect(await socket.closed).toBe(1008);
  });

  test('without an issuer no token is accepted, and one that cannot be reached is not held against the caller', async () => {
    const token = await sign('ES256', pairs.ES256.privateKey);
    expect((await askWith(await start({}), token)).status).toBe(401);
    const gone = await start({ jwt: { ...access.jwt!, jwksUrl: 'http://127.0.0.1:1/jwks' } });
    expect((await askWith(gone, token)).status).toBe(503);
    expect((await ask(gone.url, call('eth_chainId'))).json.result).toBe('0xa5b8');
  });
});

describe('rates', () => {
  const rates: RpcAccess['rates'] = { ...OPEN_ACCESS.rates, public: { perSecond: 10, burst: 100 } };

  test('each method takes its cost, every item of a batch too, and the bucket refills', async () => {
    let nowMs = 1_000_000;
    const server = await start({ rates }, { nowMs: () => nowMs });
    const batch = `[${Array.from({ length: 120 }, () => call('eth_chainId')).join(',')}]`;
    const { json } = await ask(server.url, batch);
    const codes: (number | undefined)[] = json.map(({ error }: Answer) => error?.code);
    expect(codes.slice(0, 100).every((code) => code === undefined)).toBe(true);
    expect(codes.slice(100).every((code) => code === -32005)).toBe(true);
    nowMs += 1_000;
    expect((await ask(server.url, call('eth_getBalance', [`0x${'11'.repeat(20)}`]))).json.result).toBe('0x0');
    nowMs += 500;
    // 13 left; an estimate costs 30.
    expect((await ask(server.url, call('eth_estimateGas', [{}]))).json.error.code).toBe(-32005);
  });

  test('what is not understood is charged too, and one client does not use up another', async () => {
    const server = await start({ rates, apiKeys: API_KEYS }, { nowMs: () => 1_000_000 });
    for (let i = 0; i < 100; i++) await ask(server.url, i % 2 === 0 ? '{' : '{}');
    expect((await ask(server.url, call('eth_chainId'))).json.error.code).toBe(-32005);
    expect((await ask(server.url, call('eth_chainId'), { 'x-api-key': KEYS.explorer })).json.result).toBe(
      '0xa5b8',
    );
  });
});

test('refusals are logged as security events, and a flood of them is counted', async () => {
  const lines: Answer[] = [];
  let nowMs = 1_000_000;
  const logger = { ...SILENT, warn: (fields: object) => void lines.push(fields) };
  const access = { allowedHosts: ['rpc.example.org'], corsOrigins: ['https://ours.example'] };
  const server = await start(access, { logger, nowMs: () => nowMs });
  await server.request('debug_getRawHeader', ['latest']);
  await ask(server.url, call('eth_chainId'), { 'x-api-key': 'wrong' });
  await server.post(call('eth_chainId'), { origin: 'https://other.example' });
  expect(lines.map(({ event }) => event)).toEqual(['NOT_GRANTED', 'BAD_CREDENTIAL', 'ORIGIN_REFUSED']);
  for (let i = 0; i < 100; i++) await server.request('debug_getRawHeader', ['latest']);
  expect(lines.length).toBeLessThan(30);
  nowMs += 60_000;
  await server.request('debug_getRawHeader', ['latest']);
  expect(lines.some(({ suppressed }) => suppressed === 81)).toBe(true);
});

test('admin methods answer on the local socket alone, whose file only its owner may open', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-admin-'));
  const adminSocket = join(folder, 'admin.sock');
  const server = await start({ adminSocket, anonymousRole: 'operator' });
  const askAdmin = (): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const request = httpRequest(
        { socketPath: adminSocket, method: 'POST', path: '/', headers },
        (answer) => {
          let text = '';
          answer.on('data', (chunk) => {
            text += chunk;
          });
          answer.on('end', () => resolve(JSON.parse(text)));
        },
      );
      request.on('error', reject);
      request.end(call('admin_rpcUsage'));
    });
  try {
    expect((await server.request('admin_rpcUsage')).error.code).toBe(-32601);
    expect((await askAdmin()).result).toMatchObject({ filters: 0 });
    expect((await stat(adminSocket)).mode & 0o777).toBe(0o600);
  } finally {
    await Promise.all(servers.splice(0).map((one) => one.stop()));
    await rm(folder, { recursive: true, force: true });
  }
});

test('ready means what the load balancer asks for', async () => {
  let highestHeight = 30n;
  const syncing = () => ({ startingHeight: 0n, currentHeight: 20n, highestHeight });
  const server = await start({}, { syncing });
  const status = async (query: string): Promise<number> =>
    (await fetch(`${server.url}/readyz${query}`)).status;
  expect(await status('')).toBe(200);
  expect(await status('?maxBehind=5')).toBe(503);
  expect(await status('?maxBehind=10&minPeers=3')).toBe(200);
  expect(await status('?minPeers=4')).toBe(503);
  highestHeight = 22n;
  expect(await status('?maxBehind=5')).toBe(200);
  expect(await status('?maxBehind=x')).toBe(200);
});

describe('configuration', () => {
  test('the default is to deny: public methods alone, limited, and no name that leads to this machine', () => {
    const parsed = rpcSchema.parse({ host: '127.0.0.1', port: 8_545 });
    expect(parsed).toMatchObject({
      anonymousRole: 'public',
      apiKeys: [],
      jwt: null,
      allowedHosts: ['localhost'],
    });
    expect(parsed.rates.public).toEqual({ perSecond: 2_000, burst: 10_000 });
    expect(rpcSchema.parse({ host: '0.0.0.0', port: 0 }).allowedHosts).toBeNull();
  });

  test('what cannot be meant is refused', () => {
    const refused = (section: object) =>
      expect(rpcSchema.safeParse({ host: 'h', port: 1, ...section }).success).toBe(false);
    refused({ anonymous_role: 'admin' });
    refused({ api_keys: [{ name: 'a', role: 'dapp', sha256: 'secret' }] });
    const key = { name: 'a', role: 'dapp', sha256: '0'.repeat(64) };
    refused({ api_keys: [key, key] });
    refused({ jwt: { issuer: 'i', audience: 'a', jwks_url: 'file:///x' } });
    refused({ rates: { public: -1 } });
    refused({ unknown: 1 });
  });
});
