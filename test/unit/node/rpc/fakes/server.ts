/** A real server on a free port over fake parts, and ways to talk to it. */
import { WebSocket } from 'ws';
import { createRpcServer, type RpcServerOptions } from '#node/rpc/server.ts';
import { createFakeCalls } from '#test/unit/node/rpc/fakes/calls.ts';
import { createFakeChain } from '#test/unit/node/rpc/fakes/chain.ts';
import { createFakeGenesis } from '#test/unit/node/rpc/fakes/genesis.ts';
import { createFakeMempool } from '#test/unit/node/rpc/fakes/mempool.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are judged by the tests, not typed
export type Answer = any;

export const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export const startServer = async (overrides: Partial<RpcServerOptions> = {}) => {
  const fakeChain = createFakeChain();
  const fakeMempool = createFakeMempool();
  const fakeCalls = createFakeCalls(overrides.chain ?? fakeChain.chain);
  let finalized = 0n;
  const server = createRpcServer({
    host: '127.0.0.1',
    port: 0,
    chain: fakeChain.chain,
    calls: fakeCalls.calls,
    mempool: fakeMempool.mempool,
    genesis: createFakeGenesis(),
    finalizedHeight: () => finalized,
    status: () => ({ name: 'validator-1', height: fakeChain.chain.head().block.height }),
    network: { peers: () => [1, 2, 3] },
    logger: SILENT,
    ...overrides,
    access: { anonymousRole: 'operator', ...overrides.access },
  });
  const { port } = await server.start();
  const url = `http://127.0.0.1:${port}`;

  const post = (
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
  const request = async (method: string, params: unknown = []): Promise<Answer> => {
    const answer = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
    return answer.json();
  };

  return {
    url,
    port,
    webSocketUrl: `ws://127.0.0.1:${port}`,
    ...fakeChain,
    fakeMempool,
    fakeCalls,
    server,
    stop: () => server.stop(),
    setFinalized: (height: bigint) => {
      finalized = height;
    },
    post,
    /** The whole answer. */
    request,
    /** The result. @throws if the answer is an error */
    result: async (method: string, params: unknown = []): Promise<Answer> => {
      const answer = await request(method, params);
      if (answer.error !== undefined) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
      return answer.result;
    },
    /** The error. @throws if the answer is a result */
    error: async (method: string, params: unknown = []): Promise<Answer> => {
      const answer = await request(method, params);
      if (answer.error === undefined) throw new Error(`${method}: expected an error, found ${answer.result}`);
      return answer.error;
    },
    rawPost: async (body: string | Uint8Array<ArrayBuffer>): Promise<{ status: number; text: string }> => {
      const answer = await post(body);
      return { status: answer.status, text: await answer.text() };
    },
  };
};

export type TestServer = Awaited<ReturnType<typeof startServer>>;

/** A WebSocket that keeps what it received. */
export const openSocket = async (url: string, options: { headers?: Record<string, string> } = {}) => {
  const socket = new WebSocket(url, options);
  const received: Answer[] = [];
  const waiting: { wanted: (message: Answer) => boolean; resolve: (message: Answer) => void }[] = [];
  socket.on('message', (message) => {
    const parsed = JSON.parse(message.toString());
    received.push(parsed);
    const index = waiting.findIndex(({ wanted }) => wanted(parsed));
    if (index >= 0) waiting.splice(index, 1)[0]!.resolve(parsed);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  let nextId = 1;
  const next = (wanted: (message: Answer) => boolean): Promise<Answer> => {
    const known = received.find(wanted);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => waiting.push({ wanted, resolve }));
  };
  return {
    socket,
    received,
    next,
    request: (method: string, params: unknown[] = []): Promise<Answer> => {
      const id = nextId++;
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      return next((message) => message.id === id);
    },
    closed: new Promise<number>((resolve) => socket.once('close', (code) => resolve(code))),
    close: async (): Promise<void> => {
      if (socket.readyState === WebSocket.CLOSED) return;
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.close();
      await closed;
    },
  };
};
