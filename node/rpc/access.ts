/**
 * Which web pages and host names may use the server: CORS with preflight, the same rule for WebSocket origins, and an
 * optional check of the Host header (against DNS rebinding).
 *
 * A request without an Origin does not come from a web page and is not refused by its origin.
 */
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { SecurityLog } from '#node/rpc/securityLog.ts';

export type AccessRules = {
  /** Origins of web pages, `*` for any. */
  readonly corsOrigins: readonly string[];
  /** Names in the Host header, null for any; an IP address always passes. */
  readonly allowedHosts: readonly string[] | null;
};

const PREFLIGHT_SECONDS = 600;

export const installAccessRules = (
  app: FastifyInstance,
  rules: AccessRules,
  security: SecurityLog = () => {},
): void => {
  app.addHook('onRequest', async (request, reply) => {
    if (!isAllowedHost(rules, request.headers.host)) {
      security('HOST_REFUSED', { client: request.ip, host: request.headers.host?.slice(0, 256) });
      return reply.code(403).type('text/plain').send('invalid host specified\n');
    }
    const { origin } = request.headers;
    if (origin !== undefined) {
      const isAllowed = rules.corsOrigins.includes('*') || rules.corsOrigins.includes(origin);
      if (isAllowed) allowOrigin(rules, request, reply, origin);
      else if (request.ws || request.method === 'POST') {
        security('ORIGIN_REFUSED', { client: request.ip, origin: origin.slice(0, 256) });
        return reply.code(403).type('text/plain').send('origin not allowed\n');
      }
    }
    if (request.method === 'OPTIONS') return reply.code(204).send();
  });
};

const allowOrigin = (
  rules: AccessRules,
  request: FastifyRequest,
  reply: FastifyReply,
  origin: string,
): void => {
  reply.header('access-control-allow-origin', rules.corsOrigins.includes('*') ? '*' : origin);
  reply.header('vary', 'Origin');
  if (request.method !== 'OPTIONS') return;
  reply.header('access-control-allow-methods', 'POST, GET, OPTIONS');
  reply.header(
    'access-control-allow-headers',
    request.headers['access-control-request-headers'] ?? 'content-type',
  );
  reply.header('access-control-max-age', PREFLIGHT_SECONDS);
  if (request.headers['access-control-request-private-network'] === 'true')
    reply.header('access-control-allow-private-network', 'true');
};

const isAllowedHost = ({ allowedHosts }: AccessRules, host: string | undefined): boolean => {
  if (allowedHosts === null || host === undefined) return true;
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return isIP(name) !== 0 || allowedHosts.includes(name.toLowerCase());
};
