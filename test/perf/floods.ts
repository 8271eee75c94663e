/**
 * Five ways to flood a validator at full speed, with real libp2p and the keys that the attacker would have.
 *
 * Owns who connects, and how fast. Each flood is endless and reconnects whenever it is thrown out. The loud ones have
 * no throttle of their own: what slows them down is the other side and the processor. The quiet ones stay below
 * everything that counts as a fault, so that they are never banned: well-formed, useless, at the highest rates that
 * the budgets allow.
 */
import { connect } from 'node:net';
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, PrivateKey, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { type Address, concatBytes } from '#consensus/primitives.ts';
import { type Signer, signRequestDigest } from '#consensus/signer.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import { CONSENSUS_REQUEST_PROTOCOL } from '#node/consensus/asking.ts';
import { encodeRequest } from '#node/consensus/messages.ts';
import { FORK_PLAN_HASH } from '#node/network/forkPlan.ts';
import { encodeFrame } from '#node/network/frames.ts';
import { HANDSHAKE_PROTOCOL, performHandshake } from '#node/network/handshake.ts';
import {
  BULK_PROTOCOL,
  DEFAULT_TUNING,
  PING_PROTOCOL,
  PROTOCOL_VERSION,
  TRANSACTIONS_PROTOCOL,
  URGENT_PROTOCOL,
} from '#node/network/networkOptions.ts';
import { ask, MAX_ANSWER_BYTES } from '#node/network/requests.ts';
import { createTokenBucket } from '#node/network/tokenBucket.ts';
import { encodeBatch } from '#node/network/transactionBatch.ts';
import { encodeBlockRequest, encodeHead } from '#node/sync/blockCodec.ts';
import { BLOCKS_PROTOCOL, HEADERS_PROTOCOL } from '#node/sync/blockServer.ts';
import { HEAD_PROTOCOL } from '#node/sync/heads.ts';
import {
  filled,
  forgedVote,
  invalidEvidence,
  junkTransaction,
  payloadOf,
  proposalOf,
  randomHash,
  type Speaker,
  uselessVotes,
  voteOf,
} from './junk.ts';

export type FloodTarget = {
  readonly host: string;
  readonly port: number;
  readonly peerId: string;
  readonly validator: Address;
};

export type FloodInput = {
  readonly domain: ConsensusDomain;
  readonly targets: readonly FloodTarget[];
  readonly nodeSeed: Uint8Array | null;
  readonly consensusKey: Uint8Array | null;
  /** Where the chain is, so that votes are for the height that counts. */
  readonly height: () => bigint;
  readonly sent: (what: string, count: number) => void;
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const createNode = async (privateKey: PrivateKey): Promise<Libp2p> =>
  createLibp2p({
    privateKey,
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: 1_024 })],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { maxConnections: 10_000, maxParallelDials: 1_000, reconnectRetries: 0 },
  });

const dial = (node: Libp2p, { host, port }: FloodTarget): Promise<Connection> =>
  node.dial(multiaddr(`/ip4/${host}/tcp/${port}`), { force: true, signal: AbortSignal.timeout(3_000) });

/** For ever, and never faster than the loop can turn. */
const forEver = async (work: () => Promise<void>): Promise<never> => {
  for (;;) {
    await work().catch(() => undefined);
    await turn();
  }
};
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

// ── a stranger ─────────────────────────────────────────────────────────────────────────────────────────────────

const rawConnection = (target: FloodTarget, sent: FloodInput['sent']): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(target.port, target.host, () => {
      sent('tcp connections', 1);
      socket.write(filled(256));
    });
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.resume();
  });

/** Raw connections with garbage, noise handshakes of ever new PeerIds, and garbage for a handshake. */
const floodAsStranger = async ({ targets, sent }: FloodInput): Promise<void> => {
  const garbageHandshakes = async (target: FloodTarget): Promise<void> => {
    const node = await createNode(await generateKeyPair('Ed25519'));
    for (let i = 0; i < 20; i++) {
      try {
        const connection = await dial(node, target);
        sent('noise handshakes', 1);
        const stream = await connection.newStream(HANDSHAKE_PROTOCOL, { signal: AbortSignal.timeout(1_000) });
        stream.send(encodeFrame(filled(900)));
        sent('garbage handshakes', 1);
      } catch {
        // refused: again
      }
    }
    await node.stop();
  };
  await Promise.all(
    targets.flatMap((target) => [
      ...times(24, () => forEver(() => rawConnection(target, sent))),
      ...times(4, () => forEver(() => garbageHandshakes(target))),
    ]),
  );
};

// ── a peer ─────────────────────────────────────────────────────────────────────────────────────────────────────

const drained = (stream: Stream): Promise<void> =>
  new Promise((resolve) => {
    const go = (): void => {
      stream.removeEventListener('drain', go);
      stream.removeEventListener('close', go);
      resolve();
    };
    stream.addEventListener('drain', go);
    stream.addEventListener('close', go);
    setTimeout(go, 500);
  });

/** Sends between two turns of the loop, so that sockets are written and closings are noticed. */
const SENDS_AT_ONCE = 32;

/** Sends as long as the other side takes it, waiting for nothing else; resolves when the stream is over. */
const pour = async (stream: Stream, next: () => Uint8Array): Promise<void> => {
  while (stream.status === 'open') {
    for (let i = 0; i < SENDS_AT_ONCE && stream.status === 'open' && !stream.writableNeedsDrain; i++)
      stream.send(next());
    await (stream.writableNeedsDrain ? drained(stream) : turn());
  }
};

/** As often as the budget has it, for as long as the connection lasts. */
const atRate = async (connection: Connection, perSecond: number, work: () => void): Promise<void> => {
  const budget = createTokenBucket({ perSecond, burst: perSecond / 2 }, () => performance.now());
  while (connection.status === 'open') {
    while (budget.take(1)) work();
    await turn();
  }
};

const openStream = (connection: Connection, protocol: string): Promise<Stream> =>
  connection.newStream(protocol, { signal: AbortSignal.timeout(2_000) });

const shakeHands = async (
  connection: Connection,
  { domain, consensusKey }: FloodInput,
  target: FloodTarget,
  peerId: string,
): Promise<void> => {
  const signer: Signer | null =
    consensusKey === null
      ? null
      : {
          address: privateKeyToAddress(consensusKey),
          sign: async (request) => signDigest(signRequestDigest(request), consensusKey),
        };
  await performHandshake(
    await openStream(connection, HANDSHAKE_PROTOCOL),
    { protocolVersion: PROTOCOL_VERSION, domain, forkPlanHash: FORK_PLAN_HASH, peerId, signer },
    { peerId: target.peerId, validator: target.validator, accepts: () => true },
    AbortSignal.timeout(3_000),
  );
};

type Leg = (connection: Connection) => Promise<unknown>;

/** One life after the other on each of several connections: shake hands, then all legs at once until it is over. */
const floodAsPeer = async (input: FloodInput, lives: number, legs: () => readonly Leg[]): Promise<void> => {
  const node = await createNode(await generateKeyPairFromSeed('Ed25519', input.nodeSeed!));
  await node.handle(PING_PROTOCOL, (stream) => {
    stream.addEventListener('message', () => {
      if (stream.writeStatus === 'writable') stream.send(new Uint8Array(4));
    });
  });
  const live = async (target: FloodTarget): Promise<void> => {
    // one that is banned goes on knocking: that is its flood then
    input.sent('dials', 1);
    const connection = await dial(node, target);
    try {
      await shakeHands(connection, input, target, node.peerId.toString());
      input.sent('handshakes done', 1);
      await Promise.allSettled(legs().map((leg) => leg(connection)));
    } finally {
      connection.abort(new Error('again'));
    }
  };
  await Promise.all(input.targets.flatMap((target) => times(lives, () => forEver(() => live(target)))));
};

/** Ever other ones, whose transactions cost a recovery each. */
const batchesOf = (transactions: readonly Uint8Array[], size: number) => {
  let at = 0;
  return (): Uint8Array => {
    at = (at + size) % (transactions.length - size);
    return encodeFrame(encodeBatch([], transactions.slice(at, at + size)));
  };
};

const pourCounted =
  (input: FloodInput, protocol: string, what: string, count: number, next: () => Uint8Array): Leg =>
  async (connection) =>
    pour(await openStream(connection, protocol), () => {
      input.sent(what, count);
      return next();
    });

// ── loud ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Connections that are kept flooding at each target, of the four that a PeerId may have. */
const LOUD_LIVES = 3;
const REQUESTS = [
  HEAD_PROTOCOL,
  BLOCKS_PROTOCOL,
  HEADERS_PROTOCOL,
  CONSENSUS_REQUEST_PROTOCOL,
  PING_PROTOCOL,
];

/** Garbage for every protocol, and of none, 32 under way at a time. */
const floodRequests =
  ({ sent }: FloodInput): Leg =>
  (connection) =>
    Promise.all(
      times(32, async (i) => {
        while (connection.status === 'open') {
          const protocol = REQUESTS[i % (REQUESTS.length + 1)] ?? '/nobody/serves/this/1';
          try {
            const stream = await openStream(connection, protocol);
            stream.send(encodeFrame(protocol === PING_PROTOCOL ? new Uint8Array(0) : filled(16)));
            sent('requests', 1);
            await turn();
            stream.abort(new Error('next'));
          } catch {
            await turn();
          }
        }
      }),
    );

/** In this part of its lives: what ends a connection soon would hide the rest otherwise. */
const sometimes = (share: number, ...legs: readonly Leg[]): readonly Leg[] =>
  Math.random() < share ? legs : [];

const loudGossip = (input: FloodInput): (() => readonly Leg[]) => {
  const { chainId } = input.domain;
  const recovering = batchesOf(
    times(2_048, () => junkTransaction(chainId, true)),
    500,
  );
  const forged = batchesOf(
    times(600, () => junkTransaction(chainId, false)),
    500,
  );
  return () => [
    pourCounted(input, TRANSACTIONS_PROTOCOL, 'gossiped transactions', 500, recovering),
    ...sometimes(0.3, pourCounted(input, TRANSACTIONS_PROTOCOL, 'forged transactions', 500, forged)),
  ];
};

const oversized = new Uint8Array(2 * 1024 * 1024).fill(0xee);

/** An allow-listed node without a consensus key. */
const floodAsFullNode = (input: FloodInput): Promise<void> => {
  const gossip = loudGossip(input);
  const forbidden = encodeFrame(filled(300));
  return floodAsPeer(input, LOUD_LIVES, () => [
    ...gossip(),
    ...sometimes(0.3, floodRequests(input)),
    ...sometimes(
      0.3,
      pourCounted(input, HEAD_PROTOCOL, 'oversized requests', 1, () => oversized),
    ),
    ...sometimes(
      0.3,
      pourCounted(input, URGENT_PROTOCOL, 'forbidden messages', 1, () => forbidden),
    ),
  ]);
};

const speakerOf = ({ domain, consensusKey }: FloodInput): Speaker => ({ domain, key: consensusKey! });

/** A validator gone bad: signed votes for many rounds and values, forged ones, junk proposals, evidence, payloads. */
const floodAsValidator = (input: FloodInput): Promise<void> => {
  const speaker = speakerOf(input);
  const gossip = loudGossip(input);
  const next = (): bigint => input.height() + 1n;
  const votes = (): Uint8Array => concatBytes(...times(16, () => voteOf(speaker, next())));
  return floodAsPeer(input, LOUD_LIVES, () => [
    ...gossip(),
    pourCounted(input, URGENT_PROTOCOL, 'votes', 16, votes),
    pourCounted(input, URGENT_PROTOCOL, 'proposals', 1, () => proposalOf(speaker, next())),
    pourCounted(input, BULK_PROTOCOL, 'payloads', 1, () => payloadOf(speaker, next())),
    ...sometimes(0.3, floodRequests(input)),
    // a fault each, which end in a ban
    ...sometimes(
      0.3,
      pourCounted(input, URGENT_PROTOCOL, 'forged votes', 1, () => forgedVote(next())),
    ),
    ...sometimes(
      0.3,
      pourCounted(input, URGENT_PROTOCOL, 'invalid evidence', 1, () =>
        invalidEvidence(speaker, input.height()),
      ),
    ),
  ]);
};

// ── quiet ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** What of a budget a quiet flood uses: all of it but what its ordinary requests and clock differences take. */
const SHARE = 0.9;
const { budgets } = DEFAULT_TUNING;
const ADMISSIBLE_BATCH = 16;

/** Well-formed requests, the dearest there are, whose answers are read. */
const usefulLooking =
  (input: FloodInput, protocols: readonly string[]): Leg =>
  async (connection) => {
    const bodies: Readonly<Record<string, () => Uint8Array>> = {
      [HEAD_PROTOCOL]: () => encodeHead(input.height()),
      [BLOCKS_PROTOCOL]: () => encodeBlockRequest({ from: 1n, count: 1_000 }),
      [HEADERS_PROTOCOL]: () => encodeBlockRequest({ from: 1n, count: 1_000 }),
      [CONSENSUS_REQUEST_PROTOCOL]: () =>
        encodeRequest({ type: 'valueByPayload', height: input.height() + 1n, payloadHash: randomHash() }),
    };
    const ended = new AbortController();
    let underWay = 0;
    let at = 0;
    const askOne = async (): Promise<void> => {
      // four are answered at once, and more than sixty-four waiting would be a fault
      if (underWay >= 32) return;
      underWay++;
      const protocol = protocols[at++ % protocols.length]!;
      try {
        input.sent('well-formed requests', 1);
        await ask(connection, protocol, bodies[protocol]!(), {
          timeoutMs: 5_000,
          maxAnswerBytes: MAX_ANSWER_BYTES,
          signal: ended.signal,
        });
      } catch {
        // refused: the next
      } finally {
        underWay--;
      }
    };
    await atRate(connection, SHARE * budgets.requests.perSecond, () => void askOne());
    ended.abort();
  };

/** Transactions of accounts without money: each takes a recovery and a read of the state, and none is a fault. */
const quietGossip = (input: FloodInput): Leg => {
  const batch = batchesOf(
    times(1_024, () => junkTransaction(input.domain.chainId, true)),
    ADMISSIBLE_BATCH,
  );
  return async (connection) => {
    const stream = await openStream(connection, TRANSACTIONS_PROTOCOL);
    await atRate(connection, SHARE * budgets.gossipMessages.perSecond, () => {
      if (stream.status !== 'open' || stream.writableNeedsDrain) return;
      stream.send(batch());
      input.sent('gossiped transactions', ADMISSIBLE_BATCH);
    });
  };
};

const floodAsQuietFullNode = (input: FloodInput): Promise<void> => {
  const gossip = quietGossip(input);
  return floodAsPeer(input, 1, () => [
    gossip,
    usefulLooking(input, [HEAD_PROTOCOL, BLOCKS_PROTOCOL, HEADERS_PROTOCOL]),
  ]);
};

/** Signs nothing twice and says nothing wrong; what it says is of no use to anybody. */
const floodAsQuietValidator = (input: FloodInput): Promise<void> => {
  const speaker = speakerOf(input);
  const gossip = quietGossip(input);
  let votes: readonly Uint8Array[] = [];
  let votesFor = -1n;
  let at = 0;
  const nextVote = (): Uint8Array => {
    if (votesFor !== input.height() + 1n) {
      votesFor = input.height() + 1n;
      votes = uselessVotes(speaker, votesFor);
    }
    return votes[at++ % votes.length]!;
  };
  const voting: Leg = async (connection) => {
    const stream = await openStream(connection, URGENT_PROTOCOL);
    await atRate(connection, SHARE * budgets.messages.perSecond, () => {
      if (stream.status !== 'open' || stream.writableNeedsDrain) return;
      stream.send(nextVote());
      input.sent('useless votes', 1);
    });
  };
  return floodAsPeer(input, 1, () => [
    gossip,
    voting,
    usefulLooking(input, [HEAD_PROTOCOL, BLOCKS_PROTOCOL, HEADERS_PROTOCOL, CONSENSUS_REQUEST_PROTOCOL]),
  ]);
};

export type FloodName = 'stranger' | 'fullNode' | 'quietFullNode' | 'validator' | 'quietValidator';
export const FLOODS: Record<FloodName, (input: FloodInput) => Promise<void>> = {
  stranger: floodAsStranger,
  fullNode: floodAsFullNode,
  quietFullNode: floodAsQuietFullNode,
  validator: floodAsValidator,
  quietValidator: floodAsQuietValidator,
};
