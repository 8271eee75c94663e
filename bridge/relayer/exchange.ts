/**
 * How relayers get each other's attestations: each serves what it knows, each pulls from the others.
 *
 * Owns the HTTP port, the wire form and its limits. A signature authenticates itself, so whoever passes it on does
 * not matter, and one path between any two relayers suffices. Invariants: only reads are served; a body, a list and
 * a wait are bounded; what a peer claims enters the pool only if this node already holds the value true.
 */
import fastify from 'fastify';
import { z } from 'zod';
import { type Clock, describeFault, type Logger } from '#bridge/l1/ports.ts';
import type { AttestationPool, Attested } from '#bridge/relayer/attestations.ts';
import { type Address, type Hash, parseHash, parseSignature } from '#consensus/primitives.ts';

export const MAX_LISTED = 128;
const MAX_BODY_BYTES = 512 * 1024;
const MAX_SIGNERS = 255;

const decimal = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,19})$/)
  .transform(BigInt);
const attested = z.object({
  key: decimal,
  value: z.string().transform((text, context) => parsed(() => parseHash(text), context)),
  relayerEpoch: decimal,
  signatures: z
    .array(z.string().transform((text, context) => parsed(() => parseSignature(text), context)))
    .max(MAX_SIGNERS),
});
const listing = z.object({
  deposits: z.array(attested).max(MAX_LISTED),
  anchors: z.array(attested).max(MAX_LISTED),
});

const parsed = <T>(parse: () => T, context: z.RefinementCtx): T => {
  try {
    return parse();
  } catch (fault) {
    context.addIssue({ code: 'custom', message: (fault as Error).message });
    return z.NEVER;
  }
};

type Listed = z.infer<typeof attested>;

const toWire = ({ key, value, relayerEpoch, signatures }: Attested) => ({
  key: String(key),
  value,
  relayerEpoch: String(relayerEpoch),
  signatures: [...signatures.values()],
});

export type ExchangePools = { readonly deposits: AttestationPool; readonly anchors: AttestationPool };

export interface ExchangeServer {
  /** @returns the port, which differs from the one asked for when that was 0 */
  listen(host: string, port: number): Promise<number>;
  close(): Promise<void>;
}

/** @param status what `GET /v1/status` answers */
export const createExchangeServer = (pools: ExchangePools, status: () => object): ExchangeServer => {
  const server = fastify({
    logger: false,
    bodyLimit: 1_024,
    connectionTimeout: 10_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
    forceCloseConnections: true,
  });
  const lookUp = (pool: AttestationPool) => (key: string) => {
    const read = decimal.safeParse(key);
    if (!read.success) return { code: 400, body: { code: 'BAD_KEY', message: 'expected a decimal number' } };
    const found = pool.get(read.data);
    return found === null
      ? { code: 404, body: { code: 'UNKNOWN', message: 'nothing attested under this key' } }
      : { code: 200, body: toWire(found) };
  };
  server.get('/v1/attestations', async () => ({
    deposits: pools.deposits.all().slice(0, MAX_LISTED).map(toWire),
    anchors: pools.anchors.all().slice(0, MAX_LISTED).map(toWire),
  }));
  for (const [name, pool] of Object.entries(pools)) {
    const read = lookUp(pool);
    server.get<{ Params: { key: string } }>(`/v1/attestations/${name}/:key`, async (request, reply) => {
      const { code, body } = read(request.params.key);
      return reply.code(code).send(body);
    });
  }
  server.get('/v1/status', async () => status());
  return {
    listen: async (host, port) => {
      await server.listen({ host, port });
      const address = server.server.address();
      return typeof address === 'object' && address !== null ? address.port : port;
    },
    close: () => server.close(),
  };
};

/** At most `maxBytes` of a response, as text. @throws Error when it is longer */
const readBounded = async (response: Response, maxBytes: number): Promise<string> => {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of response.body ?? []) {
    sizeBytes += part.length;
    if (sizeBytes > maxBytes) throw new Error(`expected at most ${maxBytes} bytes, found more`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
};

export type ExchangePeer = { readonly address: Address; readonly url: string };

export type PullModules = {
  readonly pools: ExchangePools;
  /** The deposit chain's hash after n in the own finalised view, and what is imported already. */
  readonly depositHashAt: (n: bigint) => Hash | null;
  readonly clock: Clock;
  readonly logger: Logger;
};

export interface ExchangeClient {
  /** Asks every peer once, all at the same time. Never rejects: a silent peer is noted. */
  pull(): Promise<void>;
  /** When each peer last answered; null: not in this life. */
  lastAnswerMs(): ReadonlyMap<Address, number | null>;
}

/** Deposit counts of others that this node will hold at the same time. */
const MAX_FOREIGN_COUNTS = 64;

export const createExchangeClient = (
  peers: readonly ExchangePeer[],
  { pools, depositHashAt, clock, logger }: PullModules,
  timeoutMs = 2_000,
): ExchangeClient => {
  const answered = new Map<Address, number | null>(peers.map(({ address }) => [address, null]));
  const silent = new Set<Address>();

  const takeDeposit = ({ key, value, relayerEpoch, signatures }: Listed): void => {
    if (depositHashAt(key) !== value) return; // not on our L1, or not final here yet
    if (pools.deposits.get(key) === null) {
      if (pools.deposits.all().length >= MAX_FOREIGN_COUNTS) return;
      pools.deposits.openIfSigned(key, value, relayerEpoch, signatures);
    }
    takeSignatures(pools.deposits, { key, value, relayerEpoch, signatures });
  };

  const takeSignatures = (pool: AttestationPool, { key, value, relayerEpoch, signatures }: Listed): void => {
    const own = pool.get(key);
    if (own === null || own.value !== value || own.relayerEpoch !== relayerEpoch) return;
    for (const signature of signatures) pool.add(key, signature);
  };

  const warnOfConflict = (peer: ExchangePeer, { key, value }: Listed): void => {
    const own = pools.anchors.get(key);
    if (own !== null && own.value !== value)
      logger.warn(
        { peer: peer.address, height: key, theirs: value, ours: own.value },
        'a relayer attests another checkpoint for a height than was executed here',
      );
  };

  const ask = async (peer: ExchangePeer): Promise<void> => {
    try {
      const response = await fetch(new URL('/v1/attestations', peer.url), {
        signal: AbortSignal.timeout(timeoutMs),
        redirect: 'error',
      });
      const text = await readBounded(response, MAX_BODY_BYTES);
      if (!response.ok) throw new Error(`expected status 200, found ${response.status}`);
      const { deposits, anchors } = listing.parse(JSON.parse(text));
      for (const item of deposits) takeDeposit(item);
      for (const item of anchors) {
        warnOfConflict(peer, item);
        takeSignatures(pools.anchors, item);
      }
      answered.set(peer.address, clock.nowMs());
      if (silent.delete(peer.address)) logger.info({ peer: peer.address }, 'relayer answers again');
    } catch (fault) {
      if (!silent.has(peer.address))
        logger.warn({ peer: peer.address, reason: describeFault(fault) }, 'relayer does not answer');
      silent.add(peer.address);
    }
  };

  return {
    pull: async () => {
      await Promise.all(peers.map(ask));
    },
    lastAnswerMs: () => answered,
  };
};
