/**
 * The libp2p node under the network: TCP, noise, yamux, and nothing that finds peers or talks by itself.
 *
 * Owns the library's settings.
 */
import { noise } from '@chainsafe/libp2p-noise';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { createLibp2p, type Libp2p } from 'libp2p';
import { addressOf, type BoundedTcpParts, boundedTcp } from '#node/network/boundedTcp.ts';
import { MIB } from '#node/network/networkOptions.ts';
import { thriftyYamux } from '#node/network/thriftyYamux.ts';

export type Libp2pNodeOptions = {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly maxConnections: number;
  readonly tcp: BoundedTcpParts;
  readonly upgradeTimeoutMs: number;
  readonly denyDial: (peerId: PeerId) => boolean;
  /** Asked when noise has proven the PeerId, before anything else is exchanged. */
  readonly denyProven: (peerId: PeerId, direction: 'inbound' | 'outbound', address: string) => boolean;
};

/** Not started. */
export const createLibp2pNode = ({
  privateKey,
  listen,
  maxConnections,
  tcp,
  upgradeTimeoutMs,
  denyDial,
  denyProven,
}: Libp2pNodeOptions): Promise<Libp2p> =>
  createLibp2p({
    privateKey,
    start: false,
    addresses: { listen: [...listen] },
    transports: [boundedTcp(tcp)],
    connectionEncrypters: [noise()],
    streamMuxers: [
      thriftyYamux({
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
  });
