/**
 * Who a request comes from: by an API key (header `x-api-key` or the path `/key/…`), by a JWT (`authorization: Bearer`),
 * or by its address alone.
 *
 * A key or token that does not hold is refused rather than treated as none. Keys are compared by their hash; tokens must
 * be signed with RS256, ES256 or EdDSA by a key of the issuer's set, and name issuer, audience, expiry and a role.
 */
import { createHash } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { GRANTED_ROLES, type GrantedRole, type Role } from '#node/rpc/roles.ts';
import type { ApiKey, JwtOptions, RpcAccess } from '#node/rpc/rpcOptions.ts';

export type Identity = {
  /** Whose bucket and whose turn it is. */
  readonly client: string;
  readonly role: Role;
  /** When a token ends; null for what does not. */
  readonly expiresAtMs: number | null;
};

export type IdentityCode = 'BAD_KEY' | 'BAD_TOKEN' | 'NO_TOKENS' | 'ISSUER_UNREACHABLE';

export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly code: IdentityCode;
  constructor(code: IdentityCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export type Credentials = {
  readonly ip: string;
  readonly apiKey: string | undefined;
  readonly authorization: string | undefined;
};

export type Identify = (credentials: Credentials) => Promise<Identity>;

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];
const JWKS_CACHE_MS = 10 * 60_000;
const JWKS_COOLDOWN_MS = 30_000;
const JWKS_TIMEOUT_MS = 5_000;
const CLOCK_TOLERANCE_S = 5;
const MAX_CREDENTIAL_CHARACTERS = 8_192;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const isGranted = (role: unknown): role is GrantedRole => GRANTED_ROLES.includes(role as GrantedRole);

/** Identify @throws IdentityError */
export const createIdentify = ({ anonymousRole, apiKeys, jwt }: RpcAccess): Identify => {
  const keys = new Map<string, ApiKey>(apiKeys.map((key) => [key.sha256, key]));
  const verify = jwt === null ? null : createTokenCheck(jwt);
  return async ({ ip, apiKey, authorization }) => {
    const sizes = [apiKey, authorization].map((text) => text?.length ?? 0);
    if (Math.max(...sizes) > MAX_CREDENTIAL_CHARACTERS)
      throw new IdentityError(
        'BAD_KEY',
        `expected a credential of at most ${MAX_CREDENTIAL_CHARACTERS} characters`,
      );
    if (apiKey !== undefined) {
      const known = keys.get(sha256(apiKey));
      if (known === undefined) throw new IdentityError('BAD_KEY', 'the API key is not known here');
      return { client: `key:${known.name}`, role: known.role, expiresAtMs: null };
    }
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (authorization !== undefined && token === undefined)
      throw new IdentityError('BAD_TOKEN', 'expected "authorization: Bearer <token>"');
    if (token === undefined) return { client: ip, role: anonymousRole, expiresAtMs: null };
    if (verify === null)
      throw new IdentityError('NO_TOKENS', 'this server takes no tokens: leave the header out');
    return verify(token);
  };
};

const createTokenCheck = ({ issuer, audience, jwksUrl, roleClaim }: JwtOptions) => {
  const keySet = createRemoteJWKSet(new URL(jwksUrl), {
    cacheMaxAge: JWKS_CACHE_MS,
    cooldownDuration: JWKS_COOLDOWN_MS,
    timeoutDuration: JWKS_TIMEOUT_MS,
  });
  return async (token: string): Promise<Identity> => {
    try {
      const { payload } = await jwtVerify(token, keySet, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_S,
      });
      const role = payload[roleClaim];
      if (!isGranted(role))
        throw new IdentityError('BAD_TOKEN', `expected a role in the claim "${roleClaim}" of the token`);
      return { client: `token:${payload.sub}`, role, expiresAtMs: payload.exp! * 1_000 };
    } catch (error) {
      if (error instanceof IdentityError) throw error;
      const code = (error as { code?: unknown }).code;
      if (code === 'ERR_JWKS_TIMEOUT' || !String(code).startsWith('ERR_J'))
        throw new IdentityError('ISSUER_UNREACHABLE', "the issuer's keys cannot be read: try again later", {
          cause: error,
        });
      throw new IdentityError(
        'BAD_TOKEN',
        'the token does not hold: expired, for another server, or not signed by the issuer',
        {
          cause: error,
        },
      );
    }
  };
};
