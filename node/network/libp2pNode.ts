/**
 * The libp2p node under the network: TCP, noise, yamux, gossipsub, and nothing that finds peers by itself.
 *
 * Owns the library's settings. Both services see a registrar that waits for the handshake (gatedRegistrar.ts).
 * Invariant: a batch that was not read for its sender's budget is not "seen": gossipsub would drop the same bytes from
 * everybody else then, and a flooder that repeats others' batches first would silence them.
 */
import { noise } from '@chainsafe/libp2p-noise';
import {
  type GossipSub,
  gossipsub,
  type Message,
  StrictNoSign,
  TopicValidatorResult,
} from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2p } from 'libp2p';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHex } from '#consensus/primitives.ts';
import { addressOf, type BoundedTcpParts, boundedTcp } from '#node/network/boundedTcp.ts';
import { createGatedRegistrar, type Gate, type PeerAnnouncer } from '#node/network/gatedRegistrar.ts';
import { MAX_BATCH_BYTES } from '#node/network/gossip.ts';
import type { BatchVerdict } from '#node/network/network.ts';
import { NetworkError } from '#node/network/networkError.ts';
import { MIB } from '#node/network/networkOptions.ts';

export type Libp2pNodeOptions = {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly maxConnections: number;
  readonly tcp: BoundedTcpParts;
  readonly upgradeTimeoutMs: number;
  readonly topic: string;
  readonly gate: Gate;
  readonly denyDial: (peerId: PeerId) => boolean;
  /** Asked when noise has proven the PeerId, before anything else is exchanged. */
  readonly denyProven: (peerId: PeerId, direction: 'inbound' | 'outbound', address: string) => boolean;
  /** Asked before a batch is forwarded. */
  readonly validateBatch: (source: PeerId, data: Uint8Array) => BatchVerdict | Promise<BatchVerdict>;
};

export type Libp2pNode = {
  readonly node: Libp2p;
  readonly pubsub: GossipSub;
  /** Tells gossipsub who is there. */
  readonly announcer: PeerAnnouncer;
};

/** Ids of messages that gossipsub has seen; it has no public way to forget one. */
const seenBy = (pubsub: GossipSub): Map<string, unknown> => {
  const { seenCache } = pubsub as { readonly seenCache?: { readonly entries?: unknown } };
  if (seenCache?.entries instanceof Map) return seenCache.entries;
  throw new NetworkError(
    'BAD_OPTIONS',
    'expected @libp2p/gossipsub to keep seen ids in seenCache.entries, found another structure: use the version of package-lock.json',
  );
};

const RESULTS: Record<BatchVerdict, TopicValidatorResult> = {
  forward: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
  unread: TopicValidatorResult.Ignore,
};

/** Not started. */
export const createLibp2pNode = async (options: Libp2pNodeOptions): Promise<Libp2pNode> => {
  const {
    privateKey,
    listen,
    maxConnections,
    upgradeTimeoutMs,
    topic,
    gate,
    denyDial,
    denyProven,
    validateBatch,
  } = options;
  const services: { pubsub?: GossipSub; announcer?: PeerAnnouncer } = {};
  const node = await createLibp2p({
    privateKey,
    start: false,
    addresses: { listen: [...listen] },
    transports: [boundedTcp(options.tcp)],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: 256,
        maxOutboundStreams: 512,
        // what a vote can wait for on a slow line is what a payload may have in flight
        streamOptions: { maxStreamWindowSize: MIB },
      }),
    ],
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections,
      // addressGate.ts asks earlier, and by address
      inboundConnectionThreshold: 10_000,
      maxIncomingPendingConnections: maxConnections,
      inboundUpgradeTimeout: upgradeTimeoutMs,
      reconnectRetries: 0,
    },
    connectionGater: {
      denyDialPeer: denyDial,
      denyDialMultiaddr: () => false,
      denyInboundEncryptedConnection: (peerId, connection) =>
        denyProven(peerId, 'inbound', addressOf(connection)),
      denyOutboundEncryptedConnection: (peerId, connection) =>
        denyProven(peerId, 'outbound', addressOf(connection)),
    },
    services: {
      identify: (components) =>
        identify({ runOnConnectionOpen: false })({
          peerId: components.peerId,
          privateKey: components.privateKey,
          peerStore: components.peerStore,
          registrar: createGatedRegistrar(components.registrar, gate),
          addressManager: components.addressManager,
          events: components.events,
          logger: components.logger,
          nodeInfo: components.nodeInfo,
        }),
      pubsub: (components) => {
        const registrar = createGatedRegistrar(components.registrar, gate);
        const ids = new WeakMap<Message, Uint8Array>();
        const pubsub = gossipsub({
          globalSignaturePolicy: StrictNoSign,
          msgIdFn: (message) => {
            const id = keccak256(message.data);
            ids.set(message, id);
            return id;
          },
          msgIdToStrFn: bytesToHex,
          allowPublishToZeroTopicPeers: true,
          ignoreDuplicatePublishError: true,
          fallbackToFloodsub: false,
          emitSelf: false,
          tagMeshPeers: false,
          allowedTopics: [topic],
          canRelayMessage: false,
          maxInboundDataLength: 4 * MAX_BATCH_BYTES,
          maxOutboundBufferSize: 4 * MIB,
          maxInboundStreams: 4,
          maxOutboundStreams: 4,
          // peers are known by name here, and many of them may share one address
          scoreParams: { IPColocationFactorWeight: 0 },
        })({
          privateKey: components.privateKey,
          peerId: components.peerId,
          peerStore: components.peerStore,
          registrar,
          connectionManager: components.connectionManager,
          logger: components.logger,
        });
        const seen = seenBy(pubsub);
        pubsub.topicValidators.set(topic, async (source, message) => {
          const verdict = await validateBatch(source, message.data);
          const id = ids.get(message);
          if (verdict === 'unread' && id !== undefined) seen.delete(bytesToHex(id));
          return RESULTS[verdict];
        });
        services.pubsub = pubsub;
        services.announcer = registrar;
        return pubsub;
      },
    },
  });
  return { node, pubsub: services.pubsub!, announcer: services.announcer! };
};
