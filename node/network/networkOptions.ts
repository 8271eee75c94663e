/** What a network is made with: identity, peers, and the numbers that bound it. */
import { multiaddr } from '@multiformats/multiaddr';
import type { Hash } from '#consensus/primitives.ts';
import type { Signer } from '#consensus/signer.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import { type AddressLimits, DEFAULT_ADDRESS_LIMITS } from '#node/network/addressGate.ts';
import type { ChainMembers } from '#node/network/allowList.ts';
import type { Logger } from '#node/network/logger.ts';
import { NetworkError } from '#node/network/networkError.ts';
import type { PeerLimits } from '#node/network/peerBudgets.ts';
import { DEFAULT_SCORE, type ScoreOptions } from '#node/network/peerScore.ts';
import type { AllowedPeer } from '#node/network/peerTable.ts';

export const PROTOCOL_VERSION = 2;
export const URGENT_PROTOCOL = '/causeway/consensus-urgent/1';
export const BULK_PROTOCOL = '/causeway/consensus-bulk/1';
export const TRANSACTIONS_PROTOCOL = '/causeway/transactions/1';
export const PING_PROTOCOL = '/causeway/ping/1';
/** Votes, proposals without their transactions and bitmaps are smaller, payloads mostly larger. */
export const URGENT_MESSAGE_BYTES = 8 * 1024;

export type NetworkTuning = {
  readonly handshakeTimeoutMs: number;
  readonly dialTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly retireAfterMs: number;
  /** How long a peer may leave a full stream unread. */
  readonly stallMs: number;
  readonly urgentQueueBytes: number;
  readonly bulkQueueBytes: number;
  readonly transactionsQueueBytes: number;
  /** What an inbound or outbound connection may send before its handshake is done. */
  readonly beforeHandshakeBytes: number;
  /** Processor time for one peer at a stretch. */
  readonly sliceMs: number;
  readonly addresses: AddressLimits;
  readonly budgets: PeerLimits;
  readonly score: ScoreOptions;
};

export const MIB = 1024 * 1024;

/** What each thing of use may have cost to read, generously: milliseconds of processor time. */
export const USES_MS = {
  vote: 1,
  proposal: 3,
  payload: 3,
  transaction: 0.2,
  answer: 1,
  per64Kib: 3,
} as const;
export const useMs = (use: keyof typeof USES_MS, sizeBytes = 0): number =>
  USES_MS[use] + (USES_MS.per64Kib * sizeBytes) / (64 * 1024);

export const DEFAULT_TUNING: NetworkTuning = {
  handshakeTimeoutMs: 5_000,
  dialTimeoutMs: 3_000,
  requestTimeoutMs: 5_000,
  pingIntervalMs: 2_000,
  pingTimeoutMs: 4_000,
  retireAfterMs: 1_000,
  stallMs: 5_000,
  urgentQueueBytes: 4 * MIB,
  bulkQueueBytes: 16 * MIB,
  transactionsQueueBytes: MIB,
  beforeHandshakeBytes: 256 * 1024,
  sliceMs: 2,
  addresses: DEFAULT_ADDRESS_LIMITS,
  budgets: {
    // fifty validators' votes, relayed by one of them, at four heights a second; below consensus/budgets.ts's rate
    messages: { perSecond: 1_000, burst: 4_000 },
    // four payloads a second and blocks for one that catches up
    bytes: { perSecond: 16 * MIB, burst: 48 * MIB },
    validatorCpuMs: { perSecond: 150, burst: 450 },
    fullNodeCpuMs: { perSecond: 75, burst: 300 },
    validatorUselessCpuMs: { perSecond: 25, burst: 250 },
    fullNodeUselessCpuMs: { perSecond: 20, burst: 200 },
    requests: { perSecond: 200, burst: 800 },
    pings: { perSecond: 10, burst: 40 },
    answerBytes: { perSecond: MIB, burst: 32 * MIB },
    gossipMessages: { perSecond: 1_000, burst: 4_000 },
    gossipBytes: { perSecond: 4 * MIB, burst: 16 * MIB },
  },
  score: DEFAULT_SCORE,
};

export type Libp2pNetworkOptions = {
  /** Ed25519 seed, 32 bytes: the node's identity. */
  readonly privateKeySeed: Uint8Array;
  /** Multiaddrs, as "/ip4/127.0.0.1/tcp/26656". */
  readonly listen: readonly string[];
  /** Where peers can be dialled. Without `members`, each must be on the allow-list. */
  readonly peers: readonly { readonly peerId: string; readonly address: string }[];
  readonly allowList: readonly AllowedPeer[];
  /** The chain's validators, whom no list keeps out; null or absent: the allow-list alone decides. */
  readonly members?: ChainMembers | null;
  readonly domain: ConsensusDomain;
  readonly forkPlanHash?: Hash;
  readonly protocolVersion?: number;
  /** The consensus key, which vouches for our PeerId; null for a full node. */
  readonly signer: Signer | null;
  readonly logger: Logger;
  readonly tuning?: Partial<NetworkTuning>;
};

/** @throws NetworkError BAD_OPTIONS */
export const checkOptions = ({ privateKeySeed, peers, allowList, members }: Libp2pNetworkOptions): void => {
  if (privateKeySeed.length !== 32)
    throw new NetworkError(
      'BAD_OPTIONS',
      `expected a node key seed of 32 bytes, found ${privateKeySeed.length}`,
    );
  const listed = new Set(allowList.map(({ peerId }) => peerId));
  if (listed.size !== allowList.length)
    throw new NetworkError('BAD_OPTIONS', 'expected every PeerId once in the allow-list, found one twice');
  for (const { peerId, address } of peers) {
    if (!listed.has(peerId) && (members ?? null) === null)
      throw new NetworkError(
        'BAD_OPTIONS',
        `expected only PeerIds of the specification under [[p2p.peers]], found ${peerId}: remove it or correct it`,
      );
    try {
      multiaddr(address);
    } catch {
      throw new NetworkError(
        'BAD_OPTIONS',
        `expected an address such as /ip4/10.0.0.1/tcp/26656, found "${address}"`,
      );
    }
  }
};
