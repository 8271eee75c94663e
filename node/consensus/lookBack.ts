/**
 * Before the first signature after a start: what did this key sign that we no longer know of? (RULES 14)
 *
 * A guard restored from a backup, or a wiped disk, looks like any other from inside, so every start asks. Peers with
 * more than 1/3 of the power (one of them is honest), or with us a quorum, must answer; fewer could not commit with us
 * anyway, so waiting costs no progress. Answers carry the vote's signature and prove themselves.
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
  digest: voteDigest(domain, vote),
  signature: vote.signature,
  lock:
    vote.type === 'precommit' && vote.valueId !== NIL ? { round: vote.round, valueId: vote.valueId } : null,
});

export class LookBack {
  readonly #domain: ConsensusDomain;
  readonly #self: Address;
  readonly #answered = new Map<Address, GuardState | null>();

  constructor(domain: ConsensusDomain, self: Address) {
    this.#domain = domain;
    this.#self = self;
  }

  /** @returns false when the answer is not a vote of ours: the peer is at fault */
  note(validator: Address, answer: VoteMessage | null): boolean {
    if (answer === null) {
      if (!this.#answered.has(validator)) this.#answered.set(validator, null);
      return true;
    }
    const vote = authenticateVote(this.#domain, answer, answer.signature, null);
    if (vote?.validator !== this.#self) return false;
    this.#answered.set(validator, voteToGuardState(this.#domain, vote));
    return true;
  }

  isComplete(set: ValidatorSet): boolean {
    let power = 0n;
    for (const validator of this.#answered.keys())
      if (validator !== this.#self) power += powerOf(set, validator);
    return isHonestMinority(set, power) || isQuorum(set, power + powerOf(set, this.#self));
  }

  newest(): GuardState | null {
    let newest: GuardState | null = null;
    for (const found of this.#answered.values())
      if (found !== null && (newest === null || compareSigningOrder(found, newest) > 0)) newest = found;
    return newest;
  }
}
