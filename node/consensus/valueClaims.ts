/**
 * Which peer said that a value comes from which payload, and whether execution bore it out (RULES 15).
 *
 * Owns whom not to ask again within a height: a peer whose claim was refuted, or whose payload is still to be
 * executed. One claim for each peer and value, so that an answer buys one execution at most. Bounded by `MAX_CLAIMS`,
 * the oldest make room. Does not own what a refuted claim costs.
 */
import type { Hash } from '#consensus/primitives.ts';
import type { PayloadClaim } from '#node/consensus/divergence.ts';

export type ValueClaim = PayloadClaim & { readonly peerId: string };

export const MAX_CLAIMS = 4_096;

const keyOf = (peerId: string, valueId: Hash): string => `${peerId} ${valueId}`;

export class ValueClaims {
  readonly #claims = new Map<string, ValueClaim>();
  readonly #refuted = new Set<string>();

  add(claim: ValueClaim): void {
    const key = keyOf(claim.peerId, claim.valueId);
    if (this.#refuted.has(key)) return;
    this.#claims.delete(key);
    this.#claims.set(key, claim);
    if (this.#claims.size <= MAX_CLAIMS) return;
    const [oldest] = this.#claims.keys();
    this.#claims.delete(oldest!);
    this.#refuted.delete(oldest!);
  }

  /** The peer's claim for this value is wrong, whatever it derives to. */
  refute({ peerId, valueId }: Pick<ValueClaim, 'peerId' | 'valueId'>): void {
    const key = keyOf(peerId, valueId);
    if (this.#claims.has(key)) this.#refuted.add(key);
  }

  /** @param derived what the payload derives to, null if it is invalid @returns the claims that this refutes */
  settle(payloadHash: Hash, derived: Hash | null): readonly ValueClaim[] {
    const wrong = [...this.#claims.values()].filter(
      (claim) =>
        claim.payloadHash === payloadHash &&
        claim.valueId !== derived &&
        !this.#refuted.has(keyOf(claim.peerId, claim.valueId)),
    );
    for (const claim of wrong) this.refute(claim);
    return wrong;
  }

  valuesOf(payloadHash: Hash): readonly Hash[] {
    return this.all().flatMap((claim) => (claim.payloadHash === payloadHash ? [claim.valueId] : []));
  }

  /** @param isHere whether a payload's bytes are here, so that they need not be asked for again */
  mayAsk(peerId: string, valueId: Hash, isHere: (payloadHash: Hash) => boolean): boolean {
    const key = keyOf(peerId, valueId);
    const claim = this.#claims.get(key);
    return claim === undefined || !(this.#refuted.has(key) || isHere(claim.payloadHash));
  }

  all(): readonly ValueClaim[] {
    return [...this.#claims.values()];
  }
}
