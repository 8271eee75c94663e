/** A peer that speaks libp2p with the right key and follows no rule that the test does not make it follow. */
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import { FORK_PLAN_HASH } from '#node/network/forkPlan.ts';
import { HANDSHAKE_PROTOCOL, performHandshake } from '#node/network/handshake.ts';
import { PROTOCOL_VERSION } from '#node/network/networkOptions.ts';
import { DOMAIN, type Identity, type TestNode } from './networkFixture.ts';

export type RawPeer = {
  readonly node: Libp2p;
  /** A new connection each time, without a handshake. */
  connect(): Promise<Connection>;
  shakeHands(connection: Connection): Promise<void>;
  open(connection: Connection, protocol: string): Promise<Stream>;
  /** Answers the keep-alive of the other side. */
  answerPings(): Promise<void>;
};

export const createRawPeer = async (identity: Identity, target: TestNode): Promise<RawPeer> => {
  const node = await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', identity.seed),
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false },
  });
  return {
    node,
    connect: () => node.dial(multiaddr(target.network.addresses()[0]!), { force: true }),
    async shakeHands(connection) {
      const stream = await connection.newStream(HANDSHAKE_PROTOCOL);
      await performHandshake(
        stream,
        {
          protocolVersion: PROTOCOL_VERSION,
          domain: DOMAIN,
          forkPlanHash: FORK_PLAN_HASH,
          peerId: identity.peerId,
          signer: identity.signer,
        },
        { peerId: target.identity.peerId, validator: target.identity.validator },
        AbortSignal.timeout(5_000),
      );
    },
    open: (connection, protocol) => connection.newStream(protocol),
    answerPings: () =>
      node.handle('/causeway/ping/1', async (stream) => {
        stream.addEventListener('message', () => {
          if (stream.writeStatus === 'writable') stream.send(new Uint8Array(4));
        });
      }),
  };
};

export const closed = (connection: Connection): Promise<void> =>
  connection.status === 'open'
    ? new Promise((resolve) => connection.addEventListener('close', () => resolve()))
    : Promise.resolve();
