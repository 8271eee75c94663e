/**
 * Before the first signature after a start: what did this key sign that we no longer know of? (RULES 14)
 *
 * A folder restored from a backup, or wiped, looks like any other from inside, so every start asks. Owns when enough
 * has been heard. Does not own the asking (ownVotes.ts) or the guard (guard.ts). Its invariants:
 *
 * - A validator answers only for the height that it works on, and those above that are still to come: it counts when
 *   it said where it is and is not above us.
 * - While more than 1/3 of the power claims to be above us, or for a while a single one two heights above, nothing is
 *   complete: sync brings the blocks if it is true. What was answered before sync moved us, or before another set took
 *   over, is asked again.
 * - More than 1/3 of the power (one of them is honest), or with us a quorum, must answer. Less is enough only for a
 *   guard that is as new as the chain here, and only after a long wait for the others, so that a node with a single
 *   link is not kept from voting (RULES 16). Unless all have answered, the rest get a second: an honest validator may
 *   have missed the very vote.
 *
 * Claims and silence cost time at most, never the first signature for good, unless they are those of more than 1/3 of
 * the power. Answers carry the vote's signature and prove themselves.
 */
import { authenticateVote } from '#consensus/authenticate.ts';
import { voteDigest } from '#consensus/digests.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { type ConsensusDomain, NIL, type SignedVote } from '#consensus/types.ts';
import { isHonestMinority, isQuorum, powerOf, type ValidatorSet } from '#consensus/validatorSet.ts';
import type { VoteMessage } from '#node/consensus/fields.ts';
import { compareSigningOrder, type GuardState } from '#node/consensus/guard.ts';

export const voteToGuardState = (domain: ConsensusDomain, vote: SignedVote): GuardState => ({
  height: vote.height,
  round: vote.round,
  step: vote.type,
  valueId: vote.valueId,
  digest: voteDigest(domain, vote),
  signature: vote.signature,
  lock:
    vote.type === 'precommit' && vote.valueId !== NIL ? { round: vote.round, valueId: vote.valueId } : null,
});

/** How long the others may still answer when enough have. */
export const LOOK_BACK_GRACE_MS = 1_000;
/** How long one validator's word is waited on: that it is far ahead, or, alone, that it knows nothing. */
export const LONE_CLAIM_MS = 10_000;

/** What would be signed first. */
export type FirstSignature = {
  readonly set: ValidatorSet;
  readonly height: bigint;
  /** Of the newest signature that the guard knows, 0 when it knows none. */
  readonly guardHeight: bigint;
};

export class LookBack {
  readonly #domain: ConsensusDomain;
  readonly #self: Address;
  /** Since when each validator has an answer that still counts. */
  readonly #answeredMs = new Map<Address, number>();
  /** The height that each connected validator said it works on. */
  readonly #heights = new Map<Address, bigint>();
  /** Since when each claims to be two heights above ours; it survives a reconnection, so that nobody gets this time twice. */
  readonly #aheadMs = new Map<Address, number>();
  #newest: GuardState | null = null;
  #at: { readonly height: bigint; readonly setHash: Hash } | null = null;
  /** Since when everybody is asked. */
  #sinceMs: number;

  constructor(domain: ConsensusDomain, self: Address, nowMs: number) {
    this.#domain = domain;
    this.#self = self;
    this.#sinceMs = nowMs;
  }

  /** @returns false when the answer is not a vote of ours: the peer is at fault */
  note(validator: Address, answer: VoteMessage | null, nowMs: number): boolean {
    if (answer !== null) {
      const vote = authenticateVote(this.#domain, answer, answer.signature, null);
      if (vote?.validator !== this.#self) return false;
      const found = voteToGuardState(this.#domain, vote);
      if (this.#newest === null || compareSigningOrder(found, this.#newest) > 0) this.#newest = found;
    }
    if (!this.#answeredMs.has(validator)) this.#answeredMs.set(validator, nowMs);
    return true;
  }

  /** In a summary. @returns true when it is the first of this connection */
  noteHeight(validator: Address, height: bigint, nowMs: number): boolean {
    const known = this.#heights.get(validator);
    if (known === undefined || height > known) this.#heights.set(validator, height);
    this.#noteAhead(validator, nowMs);
    return known === undefined;
  }

  /** Its last connection is closed: what it claims does not stand any more. */
  forget(validator: Address): void {
    this.#heights.delete(validator);
  }

  /** The head is below this height now. @returns true when everybody is to be asked again */
  enter(set: ValidatorSet, height: bigint, nowMs: number): boolean {
    const before = this.#at;
    this.#at = { height, setHash: set.hash };
    if (before?.height !== height) {
      this.#aheadMs.clear();
      for (const validator of this.#heights.keys()) this.#noteAhead(validator, nowMs);
    }
    if (before === null) return false;
    const isCaughtUp = height > before.height + 1n || this.isBehind(set, height, nowMs);
    if (set.hash === before.setHash && !isCaughtUp) return false;
    this.#answeredMs.clear();
    this.#sinceMs = nowMs;
    return true;
  }

  #noteAhead(validator: Address, nowMs: number): void {
    if (this.#at === null || this.#aheadMs.has(validator)) return;
    if (isFarAbove(this.#heights.get(validator)!, this.#at.height)) this.#aheadMs.set(validator, nowMs);
  }

  /** Others claim to work above this height: its votes are forgotten there, and sync brings its block if it is true. */
  isBehind(set: ValidatorSet, height: bigint, nowMs: number): boolean {
    let power = 0n;
    for (const [validator, at] of this.#heights) {
      if (at > height) power += powerOf(set, validator);
      const sinceMs = this.#aheadMs.get(validator) ?? nowMs;
      if (isFarAbove(at, height) && nowMs - sinceMs < LONE_CLAIM_MS) return true;
    }
    return isHonestMinority(set, power);
  }

  isComplete(first: FirstSignature, nowMs: number): boolean {
    const { set, height, guardHeight } = first;
    if (this.isBehind(set, height, nowMs)) return false;
    const own = powerOf(set, this.#self);
    const answers = this.#answers(height);
    const firstMs = answers[0]?.[1] ?? null;
    let power = 0n;
    let enoughMs: number | null = null;
    for (const [validator, answeredMs] of answers) {
      power += powerOf(set, validator);
      if (isHonestMinority(set, power) || isQuorum(set, power + own)) enoughMs ??= answeredMs;
    }
    if (power + own === set.totalPower) return true;
    if (enoughMs !== null) return nowMs - enoughMs >= LOOK_BACK_GRACE_MS;
    if (isQuorum(set, own)) return nowMs - this.#sinceMs >= LONE_CLAIM_MS;
    const isOld = guardHeight === 0n || guardHeight < height - 1n;
    return !isOld && firstMs !== null && nowMs - firstMs >= LONE_CLAIM_MS;
  }

  /** Those that count, in order of time. */
  #answers(height: bigint): readonly (readonly [Address, number])[] {
    return [...this.#answeredMs]
      .filter(
        ([validator]) => validator !== this.#self && (this.#heights.get(validator) ?? height + 1n) <= height,
      )
      .sort(([, a], [, b]) => a - b);
  }

  /** Whatever became of who told us: it is signed. */
  newest(): GuardState | null {
    return this.#newest;
  }
}

const isFarAbove = (at: bigint, height: bigint): boolean => at > height + 1n;
