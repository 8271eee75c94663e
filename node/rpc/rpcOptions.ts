/**
 * The [rpc] section of a node's configuration: where it listens, who may come, as whom, and how much.
 *
 * Owns the format and the defaults. Default is deny: a caller without a key or token has the role `public`.
 */
import { z } from 'zod';
import { GRANTED_ROLES, type GrantedRole } from '#node/rpc/roles.ts';

export type ApiKey = {
  readonly name: string;
  readonly role: GrantedRole;
  /** Of the key, lower-case hex: the key itself is nowhere on this machine. */
  readonly sha256: string;
};

export type JwtOptions = {
  readonly issuer: string;
  readonly audience: string;
  /** Where the issuer's public keys are; read again when a token names one that is not known. */
  readonly jwksUrl: string;
  /** The claim that holds the role. */
  readonly roleClaim: string;
};

/** Units of cost that a client may use; the README's table has what a method costs. */
export type Rate = { readonly perSecond: number; readonly burst: number };

export type RpcAccess = {
  readonly anonymousRole: GrantedRole;
  readonly apiKeys: readonly ApiKey[];
  readonly jwt: JwtOptions | null;
  /** Null: unlimited. */
  readonly rates: Readonly<Record<GrantedRole, Rate | null>>;
  readonly corsOrigins: readonly string[];
  /** Names in the Host header, null for any; an IP address always passes. */
  readonly allowedHosts: readonly string[] | null;
  /** Proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** A Unix socket for the methods of class `admin`, null for none. */
  readonly adminSocket: string | null;
};

export type RpcConfig = RpcAccess & { readonly host: string; readonly port: number };

const text = z.string({ error: 'expected text in quotes' }).min(1, 'expected text, found an empty one');
const role = z.enum(GRANTED_ROLES, { error: `expected one of ${GRANTED_ROLES.join(', ')}` });
const perSecond = z
  .number({ error: 'expected units per second, 0 for no limit' })
  .int('expected a whole number')
  .min(0, 'expected 0 (no limit) or more')
  .max(1_000_000_000);

/** How long a client may use twice its rate. */
const BURST_SECONDS = 5;
/** An eth_call costs 10 units, a receipt 3, a log query 30. */
const DEFAULT_RATES: Readonly<Record<GrantedRole, number>> = {
  public: 2_000,
  dapp: 10_000,
  indexer: 50_000,
  auditor: 10_000,
  operator: 0,
};

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host);

export const rpcSchema = z
  .strictObject({
    host: text,
    port: z
      .number({ error: 'expected a port as a number' })
      .int('expected a whole number')
      .min(0, 'expected a port from 0 (any free one) to 65535')
      .max(65_535, 'expected a port from 0 (any free one) to 65535'),
    anonymous_role: role.default('public'),
    cors_origins: z.array(text).max(1_000).default(['*']),
    allowed_hosts: z.array(text).max(1_000).optional(),
    trusted_proxies: z.array(text).max(100).default([]),
    admin_socket: text.optional(),
    api_keys: z
      .array(
        z.strictObject({
          name: text,
          role,
          sha256: text.regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the key as 64 lower-case hex digits'),
        }),
      )
      .max(10_000)
      .refine((keys) => new Set(keys.map(({ name }) => name)).size === keys.length, 'expected distinct names')
      .default([]),
    jwt: z
      .strictObject({
        issuer: text,
        audience: text,
        jwks_url: text.refine(
          (url) => URL.canParse(url) && /^https?:/.test(url),
          'expected an http or https URL',
        ),
        role_claim: text.default('role'),
      })
      .optional(),
    rates: z
      .strictObject({
        public: perSecond.default(DEFAULT_RATES.public),
        dapp: perSecond.default(DEFAULT_RATES.dapp),
        indexer: perSecond.default(DEFAULT_RATES.indexer),
        auditor: perSecond.default(DEFAULT_RATES.auditor),
        operator: perSecond.default(DEFAULT_RATES.operator),
      })
      .optional(),
  })
  .transform((value): RpcConfig => {
    const rates = value.rates ?? DEFAULT_RATES;
    const rateOf = (wanted: number): Rate | null =>
      wanted === 0 ? null : { perSecond: wanted, burst: wanted * BURST_SECONDS };
    return {
      host: value.host,
      port: value.port,
      anonymousRole: value.anonymous_role,
      corsOrigins: value.cors_origins,
      // A name that leads to a loopback address is DNS rebinding.
      allowedHosts: value.allowed_hosts ?? (isLoopback(value.host) ? ['localhost'] : null),
      trustedProxies: value.trusted_proxies,
      adminSocket: value.admin_socket ?? null,
      apiKeys: value.api_keys,
      jwt:
        value.jwt === undefined
          ? null
          : {
              issuer: value.jwt.issuer,
              audience: value.jwt.audience,
              jwksUrl: value.jwt.jwks_url,
              roleClaim: value.jwt.role_claim,
            },
      rates: {
        public: rateOf(rates.public),
        dapp: rateOf(rates.dapp),
        indexer: rateOf(rates.indexer),
        auditor: rateOf(rates.auditor),
        operator: rateOf(rates.operator),
      },
    };
  });

/** For those who give no configuration: everything public, nothing limited. */
export const OPEN_ACCESS: RpcAccess = {
  anonymousRole: 'public',
  apiKeys: [],
  jwt: null,
  rates: { public: null, dapp: null, indexer: null, auditor: null, operator: null },
  corsOrigins: ['*'],
  allowedHosts: null,
  trustedProxies: [],
  adminSocket: null,
};
