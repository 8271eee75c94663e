/** What a path leads to: JSON-RPC by POST or WebSocket at / and /key/…, health pages, metrics. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { serveConnection } from '#node/rpc/connection.ts';
import type { RpcContext } from '#node/rpc/context.ts';
import { type Dispatcher, encodeError, type RpcLogger } from '#node/rpc/dispatcher.ts';
import { RPC_CODES, RpcError } from '#node/rpc/errors.ts';
import { type Credentials, type Identify, type Identity, IdentityError } from '#node/rpc/identity.ts';
import type { RpcLimits } from '#node/rpc/limits.ts';
import type { SubscriptionHub } from '#node/rpc/subscriptions.ts';
import { stageMetrics } from '#node/telemetry/stages.ts';

export type RouteDependencies = {
  readonly context: RpcContext;
  readonly dispatcher: Dispatcher;
  readonly hub: SubscriptionHub;
  readonly limits: RpcLimits;
  readonly logger: RpcLogger;
  readonly ready: () => boolean;
  readonly identify: Identify;
  readonly nowMs: () => number;
};

const NO_BODY = new Uint8Array();
const TRY_AGAIN_LATER = 1013;
const PATHS = ['/', '/key/:key'] as const;

/** The key is in the path, where explorers can put it, or in a header. */
const credentialsOf = (request: FastifyRequest): Credentials => {
  const { key } = request.params as { key?: string };
  const header = request.headers['x-api-key'];
  return {
    ip: request.ip,
    apiKey: key ?? (typeof header === 'string' ? header : undefined),
    authorization: request.headers.authorization,
  };
};

export const installRoutes = (app: FastifyInstance, dependencies: RouteDependencies): void => {
  const { dispatcher, limits, identify, context } = dependencies;
  const identities = new WeakMap<FastifyRequest, Identity>();

  /** Before a body is read, and before a WebSocket is opened. */
  const authenticate = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    if (request.method !== 'POST' && !request.ws) return;
    try {
      identities.set(request, await identify(credentialsOf(request)));
      return;
    } catch (error) {
      if (!(error instanceof IdentityError)) throw error;
      context.security('BAD_CREDENTIAL', { client: request.ip, code: error.code });
      const status = error.code === 'ISSUER_UNREACHABLE' ? 503 : 401;
      const refusal = encodeError(null, new RpcError(RPC_CODES.invalidRequest, error.message));
      return reply.code(status).header('www-authenticate', 'Bearer').type('application/json').send(refusal);
    }
  };
  const identityOf = (request: FastifyRequest): Identity => {
    const identity = identities.get(request);
    if (identity === undefined) throw new TypeError('expected a request with an identity, found one without');
    return identity;
  };

  // Inside register, so that the WebSocket plug-in is there before the routes are.
  app.register(async (routes) => {
    routes.addHook('onRequest', authenticate);
    for (const url of PATHS) {
      routes.post(url, async (request, reply) => {
        const body = request.body instanceof Uint8Array ? request.body : NO_BODY;
        const answer = await dispatcher.handle(body, { ...identityOf(request), subscriptions: null });
        return reply.type('application/json').send(answer ?? '');
      });
      routes.route({
        method: 'GET',
        url,
        handler: async (_request, reply) =>
          reply.type('text/plain').send('Causeway JSON-RPC: POST requests here, or open a WebSocket.\n'),
        wsHandler: (socket, request) => {
          if (app.websocketServer.clients.size > limits.maxWebSockets)
            socket.close(TRY_AGAIN_LATER, 'too many connections');
          else serveConnection(socket, dependencies, identityOf(request));
        },
      });
    }
    installHealth(routes, dependencies);
  });
};

/** A whole number from a query, null if there is none. */
const numberOf = (query: unknown, name: string): number | null => {
  const value = (query as Record<string, unknown>)[name];
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : null;
};

/** For supervisors and load balancers: alive says that the process answers, ready that it may be sent work. */
const installHealth = (routes: FastifyInstance, { context, ready }: RouteDependencies): void => {
  routes.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4').send(stageMetrics()),
  );
  routes.get('/livez', async () => ({ alive: true }));
  routes.get('/readyz', async (request, reply) => {
    const maxBehind = numberOf(request.query, 'maxBehind');
    const minPeers = numberOf(request.query, 'minPeers');
    const progress = context.syncing();
    const behind = progress === null ? 0 : Number(progress.highestHeight - progress.currentHeight);
    const peers = context.network.peers().length;
    const isReady =
      ready() && (maxBehind === null || behind <= maxBehind) && (minPeers === null || peers >= minPeers);
    return reply.code(isReady ? 200 : 503).send({
      ready: isReady,
      height: Number(context.chain.head().block.height),
      finalizedHeight: Number(context.finalizedHeight()),
      behind,
      peers,
    });
  });
};
