/**
 * What one peer may cost: messages and recoveries per second, and a bounded buffer for the height that comes next.
 *
 * Per peer and never shared, so that one peer uses up its own share only. Bounded in peers as well.
 */
import type { Clock } from '#node/consensus/clock.ts';
import { createTokenBucket, type TokenBucket } from '#node/network/tokenBucket.ts';

/** One token is one signature recovery, or 64 KiB of payload to hash. */
const RATE = { perSecond: 2_000, burst: 8_000 };
const PAYLOAD_TOKEN_BYTES = 64 * 1024;
const MAX_PEERS = 1_024;
export const MAX_FUTURE_MESSAGES = 512;
export const MAX_FUTURE_BYTES = 3 * 1024 * 1024;

export class PeerBudgets {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(peerId: string, messageBytes: number): boolean {
    let bucket = this.#buckets.get(peerId);
    if (bucket === undefined) {
      if (this.#buckets.size >= MAX_PEERS) this.#buckets.delete(this.#buckets.keys().next().value!);
      bucket = createTokenBucket(RATE, () => this.#clock.monotonicMs());
      this.#buckets.set(peerId, bucket);
    }
    return bucket.take(1 + Math.floor(messageBytes / PAYLOAD_TOKEN_BYTES));
  }
}

type FutureEntry<P> = { readonly peer: P; readonly height: bigint; readonly message: Uint8Array };

/** Messages of the next height, which some peers reach a moment before us. */
export class FutureMessages<P extends { readonly peerId: string }> {
  readonly #byPeer = new Map<string, FutureEntry<P>[]>();

  /** Drops what does not fit in the peer's share. */
  add(peer: P, height: bigint, message: Uint8Array): void {
    const own = this.#byPeer.get(peer.peerId) ?? [];
    const bytes = own.reduce((sum, entry) => sum + entry.message.length, message.length);
    if (own.length >= MAX_FUTURE_MESSAGES || bytes > MAX_FUTURE_BYTES || this.#byPeer.size >= MAX_PEERS)
      return;
    this.#byPeer.set(peer.peerId, [...own, { peer, height, message }]);
  }

  /** Takes out what was for this height; what is older goes as well. */
  take(height: bigint): readonly FutureEntry<P>[] {
    const due: FutureEntry<P>[] = [];
    for (const [peerId, own] of this.#byPeer) {
      due.push(...own.filter((entry) => entry.height === height));
      const later = own.filter((entry) => entry.height > height);
      if (later.length === 0) this.#byPeer.delete(peerId);
      else this.#byPeer.set(peerId, later);
    }
    return due;
  }
}
