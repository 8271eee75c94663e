/**
 * The libp2p node under the network: TCP, noise, yamux, gossipsub, and nothing that finds peers by itself.
 *
 * Owns the library's settings. Both services see a registrar that waits for the handshake (gatedRegistrar.ts).
 */
import { noise } from '@chainsafe/libp2p-noise';
import { type GossipSub, gossipsub, StrictNoSign, type TopicValidatorResult } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2p } from 'libp2p';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHex } from '#consensus/primitives.ts';
import { addressOf, type BoundedTcpParts, boundedTcp } from '#node/network/boundedTcp.ts';
import { createGatedRegistrar, type Gate, type PeerAnnouncer } from '#node/network/gatedRegistrar.ts';
import { MAX_BATCH_BYTES } from '#node/network/gossip.ts';
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
  readonly validateBatch: (
    source: PeerId,
    data: Uint8Array,
  ) => TopicValidatorResult | Promise<TopicValidatorResult>;
};

export type Libp2pNode = {
  readonly node: Libp2p;
  readonly pubsub: GossipSub;
  /** Tells gossipsub who is there. */
  readonly announcer: PeerAnnouncer;
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
        const pubsub = gossipsub({
          globalSignaturePolicy: StrictNoSign,
          msgIdFn: (message) => keccak256(message.data),
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
        pubsub.topicValidators.set(topic, (source, message) => validateBatch(source, message.data));
        services.pubsub = pubsub;
        services.announcer = registrar;
        return pubsub;
      },
    },
  });
  return { node, pubsub: services.pubsub!, announcer: services.announcer! };
};
