/**
 * How far everybody is: tells peers our head, and remembers theirs.
 *
 * Owns one number per connected peer and at most one announcement on its way to each; a newer head replaces an older
 * one that waits, one that failed is sent again at the next `retry`, and a peer that said nothing for a while is asked,
 * so that no claim goes stale. A peer's number is a claim: it decides whom to ask, never what is true. One that was
 * not served is refuted: the peer may not claim as much again for a time that doubles.
 */
import type { Address } from '#consensus/primitives.ts';
import type { Network, Peer } from '#node/network/network.ts';
import { decodeHead, encodeHead, SyncCodecError } from '#node/sync/blockCodec.ts';

export const HEAD_PROTOCOL = '/causeway/head/1';
const ANNOUNCE_TIMEOUT_MS = 3_000;
const STALE_MS = 5_000;
const REFUTED_MS = 10_000;
const MAX_REFUTED_MS = 300_000;

export type HeadsOptions = {
  readonly network: Pick<
    Network,
    'request' | 'handleRequest' | 'peers' | 'onPeerConnected' | 'onPeerDisconnected' | 'reportFault'
  >;
  readonly ownHeight: () => bigint;
  readonly nowMs: () => number;
  /** A peer's claim grew. */
  readonly onClaim: (peerId: string, height: bigint) => void;
};

export type Heads = {
  start(): void;
  stop(): void;
  /** Our head has moved. */
  announce(): void;
  /** Announcements that did not arrive, and peers that were silent for long. */
  retry(): void;
  claimOf(peerId: string): bigint;
  raise(peerId: string, height: bigint): void;
  /** The peer claimed more than this and did not deliver it. */
  refute(peerId: string, height: bigint): void;
  highest(): bigint;
  /** Claims of those peers that proved a consensus key. */
  validatorClaims(): readonly ValidatorClaim[];
};

export type ValidatorClaim = { readonly validator: Address; readonly height: bigint };

type PeerHead = {
  readonly validator: Address | null;
  claim: bigint;
  told: bigint;
  telling: boolean;
  /** When it last said its head. */
  heardMs: number;
  refutations: number;
  /** Until then nothing above `claim` at that moment is believed. */
  refutedUntilMs: number;
};

export const createHeads = ({ network, ownHeight, onClaim, nowMs }: HeadsOptions): Heads => {
  const peers = new Map<string, PeerHead>();
  const unsubscribe: (() => void)[] = [];
  let stopped = false;

  const raise = (peerId: string, height: bigint): void => {
    const known = peers.get(peerId);
    if (known === undefined) return;
    known.heardMs = nowMs();
    if (height <= known.claim || known.refutedUntilMs > nowMs()) return;
    known.claim = height;
    onClaim(peerId, height);
  };

  const isStale = ({ heardMs }: PeerHead): boolean => nowMs() - heardMs >= STALE_MS;

  const tell = async (peerId: string, head: PeerHead): Promise<void> => {
    head.telling = true;
    try {
      while (!stopped && peers.get(peerId) === head && (head.told < ownHeight() || isStale(head))) {
        const height = ownHeight();
        const answer = await network.request(peerId, HEAD_PROTOCOL, encodeHead(height), {
          timeoutMs: ANNOUNCE_TIMEOUT_MS,
          maxAnswerBytes: 8,
        });
        head.told = height;
        head.heardMs = nowMs();
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

  const join = ({ peerId, validator }: Peer): void => {
    if (peers.has(peerId)) return;
    const head: PeerHead = {
      validator,
      claim: 0n,
      told: -1n,
      telling: false,
      heardMs: nowMs(),
      refutations: 0,
      refutedUntilMs: 0,
    };
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
        network.onPeerConnected(join),
        network.onPeerDisconnected(({ peerId }) => peers.delete(peerId)),
      );
      for (const peer of network.peers()) join(peer);
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
    refute(peerId, height) {
      const known = peers.get(peerId);
      if (known === undefined || known.claim <= height) return;
      known.claim = height;
      known.refutedUntilMs = nowMs() + Math.min(MAX_REFUTED_MS, REFUTED_MS * 2 ** known.refutations);
      known.refutations = Math.min(known.refutations + 1, 10);
    },
    highest: () => [...peers.values()].reduce((most, { claim }) => (claim > most ? claim : most), 0n),
    validatorClaims: () =>
      [...peers.values()].flatMap(({ validator, claim }) =>
        validator === null ? [] : [{ validator, height: claim }],
      ),
  };
};
