/**
 * The payloads of one height: their bytes, and what they derived to.
 *
 * Owns which payloads are kept. A payload is taken when a kept proposal names it or a fetch asked for it; one that
 * comes before its proposal waits, two for each peer. Bounded by count and bytes. Does not execute.
 */
import type { Hash } from '#consensus/primitives.ts';
import type { Payload } from '#consensus/types.ts';
import type { Derivation } from '#node/chain.ts';

export const MAX_PAYLOADS = 256;
export const MAX_PAYLOAD_BYTES = 96 * 1024 * 1024;
const MAX_EARLY_PER_PEER = 2;
const MAX_EARLY_PEERS = 128;

export const payloadSizeBytes = (payload: Payload): number =>
  payload.transactions.reduce((sum, raw) => sum + raw.length, 128);

type Kept = { readonly payload: Payload; readonly sizeBytes: number; readonly receivedMs: number };

export class PayloadStore {
  readonly #kept = new Map<Hash, Kept>();
  readonly #derivations = new Map<Hash, Derivation>();
  readonly #early = new Map<string, { readonly payloadHash: Hash; readonly payload: Payload }[]>();
  #bytes = 0;

  get(payloadHash: Hash): Payload | null {
    return this.#kept.get(payloadHash)?.payload ?? null;
  }

  has(payloadHash: Hash): boolean {
    return this.#kept.has(payloadHash);
  }

  /** Those that came before their proposal included. */
  count(): number {
    let early = 0;
    for (const waiting of this.#early.values()) early += waiting.length;
    return this.#kept.size + early;
  }

  /** Host milliseconds when it was complete; null when it is not here. */
  receivedMs(payloadHash: Hash): number | null {
    return this.#kept.get(payloadHash)?.receivedMs ?? null;
  }

  /** @param isNeeded payloads that must stay: those of the lock, the valid value, and current proposals */
  add(payloadHash: Hash, payload: Payload, nowMs: number, isNeeded: (payloadHash: Hash) => boolean): void {
    if (this.#kept.has(payloadHash)) return;
    const sizeBytes = payloadSizeBytes(payload);
    this.#kept.set(payloadHash, { payload, sizeBytes, receivedMs: nowMs });
    this.#bytes += sizeBytes;
    for (const [oldest, { sizeBytes: freed }] of this.#kept) {
      if (this.#kept.size <= MAX_PAYLOADS && this.#bytes <= MAX_PAYLOAD_BYTES) break;
      if (oldest === payloadHash || isNeeded(oldest)) continue;
      this.#kept.delete(oldest);
      this.#derivations.delete(oldest);
      this.#bytes -= freed;
    }
  }

  addEarly(peerId: string, payloadHash: Hash, payload: Payload): void {
    if (!this.#early.has(peerId) && this.#early.size >= MAX_EARLY_PEERS) return;
    const early = (this.#early.get(peerId) ?? []).filter((entry) => entry.payloadHash !== payloadHash);
    this.#early.set(peerId, [...early, { payloadHash, payload }].slice(-MAX_EARLY_PER_PEER));
  }

  takeEarly(payloadHash: Hash): Payload | null {
    for (const [peerId, early] of this.#early) {
      const found = early.find((entry) => entry.payloadHash === payloadHash);
      if (found === undefined) continue;
      this.#early.set(
        peerId,
        early.filter((entry) => entry !== found),
      );
      return found.payload;
    }
    return null;
  }

  derivation(payloadHash: Hash): Derivation | null {
    return this.#derivations.get(payloadHash) ?? null;
  }

  setDerivation(derivation: Derivation): void {
    this.#derivations.set(derivation.payloadHash, derivation);
  }

  derivations(): readonly Derivation[] {
    return [...this.#derivations.values()];
  }
}
