/**
 * Before the first signature after a start: what did this key sign that we no longer know of? (RULES 14)
 *
 * A folder restored from a backup, or wiped, looks like any other from inside, so every start asks. When the guard is
 * new or older than the chain, or a peer turns out to be heights ahead, peers with more than 1/3 of the power (one of
 * them is honest), or with us a quorum, must answer; otherwise one is enough, so that a node with a single link is not
 * kept from voting. What was signed in heights that are decided since, peers forget: such a start signs nothing before
 * it has caught up with them. Unless all have answered, those that are connected get a second after the first: an honest
 * validator may have missed the very vote. Answers carry the vote's signature and prove themselves.
 */
import { authenticateVote } from '#consensus/authenticate.ts';
import { voteDigest } from '#consensus/digests.ts';
import type { Address } from '#consensus/primitives.ts';
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

/** How long after the first answer the others may still answer. */
export const LOOK_BACK_GRACE_MS = 1_000;

export class LookBack {
  readonly #domain: ConsensusDomain;
  readonly #self: Address;
  readonly #answered = new Map<Address, GuardState | null>();
  /** The height that each validator said it works on. */
  readonly #heights = new Map<Address, bigint>();
  #isStrict: boolean;
  #firstAnswerMs: number | null = null;

  /** @param isStrict true if the guard is new, or older than the chain here */
  constructor(domain: ConsensusDomain, self: Address, isStrict: boolean) {
    this.#domain = domain;
    this.#self = self;
    this.#isStrict = isStrict;
  }

  /** A peer works heights above ours: what is here may be an old backup. */
  requireMany(): void {
    this.#isStrict = true;
  }

  /** @returns false when the answer is not a vote of ours: the peer is at fault */
  note(validator: Address, answer: VoteMessage | null, nowMs: number): boolean {
    if (answer === null) {
      this.#firstAnswerMs ??= nowMs;
      if (!this.#answered.has(validator)) this.#answered.set(validator, null);
      return true;
    }
    const vote = authenticateVote(this.#domain, answer, answer.signature, null);
    if (vote?.validator !== this.#self) return false;
    this.#firstAnswerMs ??= nowMs;
    this.#answered.set(validator, voteToGuardState(this.#domain, vote));
    return true;
  }

  /** In a summary. A height is a claim: only those of more than 1/3 of the power together count. */
  noteHeight(validator: Address, height: bigint): void {
    if (height > (this.#heights.get(validator) ?? 0n)) this.#heights.set(validator, height);
  }

  /** @param height the height that would be signed */
  isComplete(set: ValidatorSet, height: bigint, nowMs: number): boolean {
    if (this.#isStrict && this.#isDecided(set, height)) return false;
    const own = powerOf(set, this.#self);
    let power = 0n;
    for (const validator of this.#answered.keys())
      if (validator !== this.#self && this.#counts(validator)) power += powerOf(set, validator);
    if (power + own === set.totalPower) return true;
    const isEnough = isHonestMinority(set, power) || isQuorum(set, power + own) || !this.#isStrict;
    return isEnough && this.#firstAnswerMs !== null && nowMs - this.#firstAnswerMs >= LOOK_BACK_GRACE_MS;
  }

  /** Who has not said where it is cannot be behind us, for all we know. */
  #counts(validator: Address): boolean {
    return !this.#isStrict || this.#heights.has(validator);
  }

  /** More than 1/3 of the power works above this height: nobody answers for it any more, and sync brings its block. */
  #isDecided(set: ValidatorSet, height: bigint): boolean {
    let power = 0n;
    for (const [validator, at] of this.#heights) if (at > height) power += powerOf(set, validator);
    return isHonestMinority(set, power);
  }

  newest(): GuardState | null {
    let newest: GuardState | null = null;
    for (const found of this.#answered.values())
      if (found !== null && (newest === null || compareSigningOrder(found, newest) > 0)) newest = found;
    return newest;
  }
}
