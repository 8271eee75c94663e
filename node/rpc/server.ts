/**
 * JSON-RPC over HTTP and WebSocket on one port.
 *
 * Owns the transport: the port, its limits and time-outs, health pages. What is answered is decided by dispatcher.ts
 * and the methods; the head moves only through the chain's commits. Bad input costs its sender an error or the
 * connection, nothing more.
 */
import { readFileSync } from 'node:fs';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Genesis } from '#genesis/spec.ts';
import type { CallRunner, Chain } from '#node/chain.ts';
import type { KeptEvidence } from '#node/consensus/evidence/evidencePool.ts';
import type { Mempool, PoolView } from '#node/mempool/mempool.ts';
import { installAccessRules } from '#node/rpc/access.ts';
import { serveConnection } from '#node/rpc/connection.ts';
import type { Caller, RpcContext, SyncProgress } from '#node/rpc/context.ts';
import { createDispatcher, type Dispatcher, encodeError, type RpcLogger } from '#node/rpc/dispatcher.ts';
import { invalidRequest } from '#node/rpc/errors.ts';
import { createFilterRegistry } from '#node/rpc/filters.ts';
import { createGate } from '#node/rpc/gate.ts';
import { JsonText } from '#node/rpc/jsonText.ts';
import { DEFAULT_RPC_LIMITS, type RpcLimits } from '#node/rpc/limits.ts';
import { METHODS, MODULES } from '#node/rpc/methods.ts';
import { createOpenRpcDocument } from '#node/rpc/openRpc.ts';
import type { GrantedRole } from '#node/rpc/roles.ts';
import { createSubscriptionHub, type SubscriptionHub } from '#node/rpc/subscriptions.ts';
import { stageMetrics } from '#node/telemetry/stages.ts';

export type RpcServerOptions = {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly chain: Chain;
  readonly calls: CallRunner;
  readonly mempool: Mempool & PoolView;
  readonly genesis: Genesis;
  readonly finalizedHeight: () => bigint;
  /** For causeway_status; bigints become quantities. */
  readonly status: () => unknown;
  /** For causeway_evidence; null, the default, on a node that keeps none. */
  readonly evidence?: () => readonly KeptEvidence[] | null;
  readonly network: { peers(): readonly unknown[] };
  readonly logger: RpcLogger;
  /** Null, the default, when the node is not behind its peers. */
  readonly syncing?: () => SyncProgress | null;
  /** For /readyz; true by default. */
  readonly ready?: () => boolean;
  readonly limits?: Partial<RpcLimits>;
  /** Default `['*']`. */
  readonly corsOrigins?: readonly string[];
  /** Default null: any. */
  readonly allowedHosts?: readonly string[] | null;
  /** Of callers without a key or token; by default `public`. */
  readonly anonymousRole?: GrantedRole;
  readonly nowMs?: () => number;
};

export type RpcServer = {
  /** @returns the port that it listens on. @throws the system's error if it cannot (EADDRINUSE, EACCES) */
  start(): Promise<{ readonly port: number }>;
  /** Ends every connection and subscription. */
  stop(): Promise<void>;
};

export const createRpcServer = (options: RpcServerOptions): RpcServer => {
  const limits: RpcLimits = { ...DEFAULT_RPC_LIMITS, ...options.limits };
  const context = createContext(options, limits);
  const { logger } = options;
  const dispatcher = createDispatcher({ context, methods: METHODS, logger });
  const hub = createSubscriptionHub({
    chain: options.chain,
    mempool: options.mempool,
    onFault: (error) => logger.error({ err: error }, 'RPC subscription failed'),
  });
  const leaveMempool = options.mempool.onAdmitted(({ hash }) => context.filters.recordPending(hash));
  const app = createApp(limits);
  installAccessRules(app, {
    corsOrigins: options.corsOrigins ?? ['*'],
    allowedHosts: options.allowedHosts ?? null,
  });
  installBodyParsing(app, limits);
  installRoutes(app, {
    context,
    dispatcher,
    hub,
    limits,
    logger,
    ready: options.ready ?? (() => true),
    identify: (request) => ({ client: request.ip, role: options.anonymousRole ?? 'public' }),
  });

  return {
    async start() {
      await app.listen({ host: options.host, port: options.port });
      const address = app.server.address();
      if (address === null || typeof address === 'string')
        throw new TypeError(`expected a TCP address, found ${address}`);
      logger.info({ host: options.host, port: address.port }, 'JSON-RPC listens');
      return { port: address.port };
    },
    async stop() {
      hub.stop();
      leaveMempool();
      for (const client of app.websocketServer?.clients ?? []) client.terminate();
      await app.close();
    },
  };
};

const createContext = (options: RpcServerOptions, limits: RpcLimits): RpcContext => {
  const nowMs = options.nowMs ?? Date.now;
  const { maxWaitingPerClient } = limits;
  let openRpc: JsonText | null = null;
  return {
    chain: options.chain,
    calls: options.calls,
    mempool: options.mempool,
    genesis: options.genesis,
    finalizedHeight: options.finalizedHeight,
    status: options.status,
    evidence: options.evidence ?? (() => null),
    syncing: options.syncing ?? (() => null),
    network: options.network,
    filters: createFilterRegistry({ maxFilters: limits.maxFilters, expiryMs: limits.filterExpiryMs, nowMs }),
    logScans: createGate(
      { maxRunning: limits.maxLogScans, maxWaiting: limits.maxWaitingLogScans, maxWaitingPerClient },
      'log queries',
    ),
    callGate: createGate(
      { maxRunning: limits.maxCalls, maxWaiting: limits.maxWaitingCalls, maxWaitingPerClient },
      'calls',
    ),
    limits,
    clientVersion: clientVersion(),
    modules: () => MODULES,
    discover: () => {
      openRpc ??= new JsonText(JSON.stringify(createOpenRpcDocument(METHODS.values(), packageVersion())));
      return openRpc;
    },
    nowMs,
  };
};

const packageVersion = (): string =>
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;

/** `causeway/v0.1.0/linux-x64/node24.1.0`, in the form that geth uses. */
const clientVersion = (): string =>
  `causeway/v${packageVersion()}/${process.platform}-${process.arch}/node${process.versions.node}`;

const CONNECTION_CHECK_MS = 1_000;

const createApp = (limits: RpcLimits): FastifyInstance => {
  const app = Fastify({
    bodyLimit: limits.maxBodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.idleTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    http: {
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(CONNECTION_CHECK_MS, limits.headersTimeoutMs),
    },
  });
  app.server.maxConnections = limits.maxConnections;
  app.register(websocket, { options: { maxPayload: limits.maxBodyBytes, perMessageDeflate: false } });
  return app;
};

const JSON_TYPES = ['application/json', 'application/json-rpc', 'application/jsonrequest'];

const isJsonType = (request: FastifyRequest): boolean => {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
  return type === '' || JSON_TYPES.includes(type);
};

/** Bodies arrive as bytes; the dispatcher parses them. A missing content type counts as JSON, as in geth. */
const installBodyParsing = (app: FastifyInstance, limits: RpcLimits): void => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('preParsing', async (request, reply) => {
    if (request.method === 'POST' && !isJsonType(request))
      return reply.code(415).send('invalid content type, only application/json is supported\n');
  });
  app.setErrorHandler<FastifyError>((error, _request, reply) => {
    const status = error.statusCode ?? 500;
    const message =
      status === 413
        ? `request body too large: at most ${limits.maxBodyBytes} bytes`
        : status < 500
          ? 'invalid request'
          : 'internal error';
    return reply
      .code(status)
      .type('application/json')
      .send(encodeError(null, invalidRequest(message)));
  });
};

type RouteDependencies = {
  readonly context: RpcContext;
  readonly dispatcher: Dispatcher;
  readonly hub: SubscriptionHub;
  readonly limits: RpcLimits;
  readonly logger: RpcLogger;
  readonly ready: () => boolean;
  readonly identify: (request: FastifyRequest) => Pick<Caller, 'client' | 'role'>;
};

const NO_BODY = new Uint8Array();
const TRY_AGAIN_LATER = 1013;

const installRoutes = (app: FastifyInstance, dependencies: RouteDependencies): void => {
  const { context, dispatcher, limits, ready, identify } = dependencies;
  // Inside register, so that the WebSocket plug-in is there before the routes are.
  app.register(async (routes) => {
    routes.post('/', async (request, reply) => {
      const body = request.body instanceof Uint8Array ? request.body : NO_BODY;
      const answer = await dispatcher.handle(body, { ...identify(request), subscriptions: null });
      return reply.type('application/json').send(answer ?? '');
    });
    routes.route({
      method: 'GET',
      url: '/',
      handler: async (_request, reply) =>
        reply.type('text/plain').send('Causeway JSON-RPC: POST requests here, or open a WebSocket.\n'),
      wsHandler: (socket, request) => {
        if (app.websocketServer.clients.size > limits.maxWebSockets)
          socket.close(TRY_AGAIN_LATER, 'too many connections');
        else serveConnection(socket, dependencies, identify(request));
      },
    });
    routes.get('/metrics', async (_request, reply) =>
      reply.type('text/plain; version=0.0.4').send(stageMetrics()),
    );
    routes.get('/livez', async () => ({ alive: true }));
    routes.get('/readyz', async (_request, reply) => {
      const isReady = ready();
      return reply.code(isReady ? 200 : 503).send({
        ready: isReady,
        height: Number(context.chain.head().block.height),
        finalizedHeight: Number(context.finalizedHeight()),
        peers: context.network.peers().length,
      });
    });
  });
};
