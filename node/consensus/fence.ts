/**
 * The fence: a second process with a validator's key must not sign (scenario 26).
 *
 * Owns the verdict on what peers say of other sessions with our key, before the first signature after a start. One
 * peer proves nothing: to refuse, peers with more than 1/3 of the power (one of them honest) must have heard the other
 * session after we began to ask; and once any peer names one, to go on takes as much power that hears none. So a
 * liar neither stops us nor talks us past a live process, as long as more than 1/3 honest power is connected.
 *
 * Does not fence a process that the peers cannot hear: behind a partition, or stopped for longer than the silence
 * after which a session counts as gone. There the operator is the fence; see README.md, "Moving a key".
 */
import type { Address } from '#consensus/primitives.ts';
import { isHonestMinority, isQuorum, powerOf, type ValidatorSet } from '#consensus/validatorSet.ts';

/**
 * `taken` is for good: the other session lives. `wait` ends with its silence, or becomes `taken`.
 */
export type FenceVerdict = 'clear' | 'wait' | 'taken';

/** What a killed process had sent may still be read; what was heard later than this is a live one. */
export const LIVE_AFTER_MS = 1_500;

type Report = 'none' | 'heard' | 'alive';

export class Fence {
  readonly #self: Address;
  readonly #firstAskedMs = new Map<Address, number>();
  readonly #reports = new Map<Address, Report>();

  constructor(self: Address) {
    this.#self = self;
  }

  /**
   * @param heardAgoMs how long before its answer this validator heard another session with our key; null: it hears none
   * @param askedMs when this question left, by our clock
   */
  note(validator: Address, heardAgoMs: number | null, askedMs: number): void {
    if (validator === this.#self) return;
    const firstAskedMs = this.#firstAskedMs.get(validator) ?? askedMs;
    this.#firstAskedMs.set(validator, firstAskedMs);
    const report =
      heardAgoMs === null ? 'none' : askedMs - heardAgoMs > firstAskedMs + LIVE_AFTER_MS ? 'alive' : 'heard';
    this.#reports.set(validator, report);
  }

  /** Another set decides now, or sync has moved the chain: who was asked before is asked again. */
  reset(): void {
    this.#firstAskedMs.clear();
    this.#reports.clear();
  }

  /** @param set the one that votes now, of which no old head may be the judge: see `LookBack.isBehind` */
  verdict(set: ValidatorSet): FenceVerdict {
    const power = { none: 0n, heard: 0n, alive: 0n };
    for (const [validator, report] of this.#reports) power[report] += powerOf(set, validator);
    if (isHonestMinority(set, power.alive)) return 'taken';
    if (power.alive + power.heard === 0n) return 'clear';
    const isOutvoted =
      isHonestMinority(set, power.none) || isQuorum(set, power.none + powerOf(set, this.#self));
    return isOutvoted ? 'clear' : 'wait';
  }
}
