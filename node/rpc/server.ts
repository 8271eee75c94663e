/**
 * JSON-RPC over HTTP and WebSocket on one port.
 *
 * Owns the transport: the port, its limits and time-outs, health pages. What is answered is decided by dispatcher.ts
 * and the methods; the head moves only through the chain's commits. Bad input costs its sender an error or the
 * connection, nothing more.
 */
import { readFileSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Genesis } from '#genesis/spec.ts';
import type { CallRunner, Chain } from '#node/chain.ts';
import type { KeptEvidence } from '#node/consensus/evidence/evidencePool.ts';
import type { Mempool, PoolView } from '#node/mempool/mempool.ts';
import { installAccessRules } from '#node/rpc/access.ts';
import { createCharge } from '#node/rpc/charging.ts';
import type { RpcContext, SyncProgress } from '#node/rpc/context.ts';
import { createDispatcher, encodeError, type RpcLogger } from '#node/rpc/dispatcher.ts';
import { invalidRequest } from '#node/rpc/errors.ts';
import { createFilterRegistry } from '#node/rpc/filters.ts';
import { createGate } from '#node/rpc/gate.ts';
import { createIdentify, type Identity } from '#node/rpc/identity.ts';
import { JsonText } from '#node/rpc/jsonText.ts';
import { DEFAULT_RPC_LIMITS, type RpcLimits } from '#node/rpc/limits.ts';
import { METHODS, MODULES } from '#node/rpc/methods.ts';
import { createOpenRpcDocument } from '#node/rpc/openRpc.ts';
import { installRoutes, type RouteDependencies } from '#node/rpc/routes.ts';
import { OPEN_ACCESS, type RpcAccess } from '#node/rpc/rpcOptions.ts';
import { createSecurityLog, type SecurityLog } from '#node/rpc/securityLog.ts';
import { createSubscriptionHub } from '#node/rpc/subscriptions.ts';

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
  /** Whatever is not said is as in `OPEN_ACCESS`: public methods for everybody, without limits of rate. */
  readonly access?: Partial<RpcAccess>;
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
  const { access, security } = context;
  const ready = options.ready ?? (() => true);
  const routed = { context, dispatcher, hub, limits, logger, ready, nowMs: context.nowMs };
  const app = createApp(limits, access.trustedProxies);
  limitConnections(app, limits, security);
  installAccessRules(app, access, security);
  installBodyParsing(app, limits);
  installRoutes(app, { ...routed, identify: createIdentify(access) });
  const admin = access.adminSocket === null ? null : createAdminApp(limits, routed);

  return {
    async start() {
      await app.listen({ host: options.host, port: options.port });
      const address = app.server.address();
      if (address === null || typeof address === 'string')
        throw new TypeError(`expected a TCP address, found ${address}`);
      logger.info(
        { host: options.host, port: address.port, anonymousRole: access.anonymousRole },
        'JSON-RPC listens',
      );
      if (admin !== null && access.adminSocket !== null) await listenLocally(admin, access.adminSocket);
      return { port: address.port };
    },
    async stop() {
      hub.stop();
      leaveMempool();
      for (const client of app.websocketServer?.clients ?? []) client.terminate();
      for (const client of admin?.websocketServer?.clients ?? []) client.terminate();
      await admin?.close();
      await app.close();
    },
  };
};

/** Whoever may open the socket's file is an administrator; nobody else can be. */
const createAdminApp = (limits: RpcLimits, routed: Omit<RouteDependencies, 'identify'>): FastifyInstance => {
  const app = createApp(limits, []);
  installBodyParsing(app, limits);
  const identity: Identity = { client: 'admin', role: 'admin', expiresAtMs: null };
  installRoutes(app, { ...routed, identify: async () => identity });
  return app;
};

const OWNER_ONLY = 0o600;

/** A file that a crash left is replaced; the owner alone may use the new one. */
const listenLocally = async (app: FastifyInstance, path: string): Promise<void> => {
  await rm(path, { force: true });
  await app.listen({ path });
  await chmod(path, OWNER_ONLY);
};

const isLocal = (address: string | undefined): boolean =>
  address === undefined || address === '::1' || /^(::ffff:)?127\./.test(address);

const limitConnections = (app: FastifyInstance, limits: RpcLimits, security: SecurityLog): void => {
  const open = new Map<string, number>();
  app.server.on('connection', (socket) => {
    const address = socket.remoteAddress;
    if (address === undefined || isLocal(address)) return;
    const count = open.get(address) ?? 0;
    if (count >= limits.maxConnectionsPerAddress) {
      security('TOO_MANY_CONNECTIONS', { client: address });
      socket.destroy();
      return;
    }
    open.set(address, count + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
};

const createContext = (
  options: RpcServerOptions,
  limits: RpcLimits,
): RpcContext & { readonly access: RpcAccess } => {
  const nowMs = options.nowMs ?? Date.now;
  const access: RpcAccess = { ...OPEN_ACCESS, ...options.access };
  const { maxWaitingPerClient } = limits;
  let openRpc: JsonText | null = null;
  return {
    access,
    charge: createCharge(access.rates, nowMs),
    security: createSecurityLog(options.logger, nowMs),
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

const createApp = (limits: RpcLimits, trustedProxies: readonly string[]): FastifyInstance => {
  const app = Fastify({
    bodyLimit: limits.maxBodyBytes,
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
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
