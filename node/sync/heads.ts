/**
 * How far everybody is: tells peers our head, and remembers theirs.
 *
 * Owns one number per connected peer and at most one announcement on its way to each; a newer head replaces an older
 * one that waits, and one that failed is sent again at the next `retry`. A peer's number is a claim: it decides whom
 * to ask, never what is true.
 */
import type { Network } from '#node/network/network.ts';
import { decodeHead, encodeHead, SyncCodecError } from '#node/sync/blockCodec.ts';

export const HEAD_PROTOCOL = '/causeway/head/1';
const ANNOUNCE_TIMEOUT_MS = 3_000;

export type HeadsOptions = {
  readonly network: Pick<
    Network,
    'request' | 'handleRequest' | 'peers' | 'onPeerConnected' | 'onPeerDisconnected' | 'reportFault'
  >;
  readonly ownHeight: () => bigint;
  /** A peer's claim grew. */
  readonly onClaim: (peerId: string, height: bigint) => void;
};

export type Heads = {
  start(): void;
  stop(): void;
  /** Our head has moved. */
  announce(): void;
  /** Announcements that did not arrive. */
  retry(): void;
  claimOf(peerId: string): bigint;
  raise(peerId: string, height: bigint): void;
  /** What the peer claimed and did not have. */
  lower(peerId: string, height: bigint): void;
  highest(): bigint;
};

type PeerHead = { claim: bigint; told: bigint; telling: boolean };

export const createHeads = ({ network, ownHeight, onClaim }: HeadsOptions): Heads => {
  const peers = new Map<string, PeerHead>();
  const unsubscribe: (() => void)[] = [];
  let stopped = false;

  const raise = (peerId: string, height: bigint): void => {
    const known = peers.get(peerId);
    if (known === undefined || height <= known.claim) return;
    known.claim = height;
    onClaim(peerId, height);
  };

  const tell = async (peerId: string, head: PeerHead): Promise<void> => {
    head.telling = true;
    try {
      while (!stopped && peers.get(peerId) === head && head.told < ownHeight()) {
        const height = ownHeight();
        const answer = await network.request(peerId, HEAD_PROTOCOL, encodeHead(height), {
          timeoutMs: ANNOUNCE_TIMEOUT_MS,
          maxAnswerBytes: 8,
        });
        head.told = height;
        raise(peerId, decodeHead(answer));
      }
    } catch (error) {
      if (error instanceof SyncCodecError) network.reportFault(peerId, 'malformed', error.message);
      // otherwise the peer is away or slow: `retry` comes back to it
    } finally {
      head.telling = false;
    }
  };

  const tellAll = (): void => {
    for (const [peerId, head] of peers) if (!head.telling) void tell(peerId, head);
  };

  const join = (peerId: string): void => {
    if (peers.has(peerId)) return;
    const head = { claim: 0n, told: -1n, telling: false };
    peers.set(peerId, head);
    void tell(peerId, head);
  };

  return {
    start() {
      network.handleRequest(HEAD_PROTOCOL, async (peer, bytes) => {
        try {
          raise(peer.peerId, decodeHead(bytes));
        } catch (error) {
          network.reportFault(peer.peerId, 'malformed', (error as Error).message);
          throw error;
        }
        return encodeHead(ownHeight());
      });
      unsubscribe.push(
        network.onPeerConnected(({ peerId }) => join(peerId)),
        network.onPeerDisconnected(({ peerId }) => peers.delete(peerId)),
      );
      for (const { peerId } of network.peers()) join(peerId);
    },
    stop() {
      stopped = true;
      for (const leave of unsubscribe) leave();
      peers.clear();
    },
    announce: tellAll,
    retry: tellAll,
    claimOf: (peerId) => peers.get(peerId)?.claim ?? 0n,
    raise,
    lower(peerId, height) {
      const known = peers.get(peerId);
      if (known !== undefined && known.claim > height) known.claim = height;
    },
    highest: () => [...peers.values()].reduce((most, { claim }) => (claim > most ? claim : most), 0n),
  };
};
