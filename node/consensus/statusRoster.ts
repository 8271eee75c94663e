/**
 * Who was heard, when, and where each validator is: what the status knows of the others.
 *
 * Owns the newest vote, summary and session of each validator, bounded by the set, and the verdict on who is alive. A
 * direct link speaks every second, so its silence tells soon; a validator behind other nodes is heard only by its
 * relayed votes, of which an idle chain has one for each empty block. Reports only: nothing in consensus depends on it.
 */
import type { Address } from '#consensus/primitives.ts';
import type { SignedVote } from '#consensus/types.ts';
import { isMember, type ValidatorSet } from '#consensus/validatorSet.ts';
import { compareSigningOrder } from '#node/consensus/guard.ts';
import type { RoundSummary } from '#node/consensus/messages.ts';
import type { Absence } from '#node/consensus/statusTypes.ts';

/** Five summaries in a row. */
export const SILENCE_MS = 5_000;
/** A vote later than this after the last summary did not come over the same link. */
const RELAYED_AFTER_MS = 1_500;
/** A late voter misses a height now and then; one that signs nothing misses all of them. */
const HEIGHTS_WITHOUT_VOTE = 3n;

type HeardVote = { readonly vote: SignedVote; readonly atMs: number };
type HeardSummary = {
  readonly height: bigint;
  readonly round: number;
  readonly step: string;
  readonly atMs: number;
};
type Entry = { vote: HeardVote | null; summary: HeardSummary | null; sessionMs: number | null };

export type RosterPosition = {
  readonly nowMs: number;
  readonly set: ValidatorSet;
  readonly height: bigint;
  /** The first height of this run: nobody can have been heard before. */
  readonly firstHeight: bigint;
  readonly emptyBlockIntervalMs: number;
};

const isSet = (bitmap: Uint8Array, index: number): boolean =>
  ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;

/** A validator's own bits tell its step; of a round that it knows nothing of, it has at most seen the beginning. */
const stepIn = (round: number, summary: RoundSummary | undefined, index: number): string => {
  if (index < 0) return 'unknown';
  if (summary === undefined) return round === 0 ? 'waiting' : 'propose';
  if (isSet(summary.precommits, index)) return 'precommit';
  return isSet(summary.prevotes, index) ? 'prevote' : 'propose';
};

const orderOf = ({ height, round, type }: SignedVote) => ({ height, round, step: type });

export class Roster {
  readonly #entries = new Map<Address, Entry>();

  noteVote(vote: SignedVote, set: ValidatorSet, nowMs: number): void {
    const entry = this.#entry(vote.validator, set);
    const known = entry.vote?.vote;
    if (known === undefined || compareSigningOrder(orderOf(vote), orderOf(known)) > 0)
      entry.vote = { vote, atMs: nowMs };
  }

  noteSummary(
    validator: Address,
    said: { readonly height: bigint; readonly round: number; readonly rounds: readonly RoundSummary[] },
    set: ValidatorSet,
    nowMs: number,
  ): void {
    const { height, round } = said;
    const index = set.validators.findIndex(({ address }) => address === validator);
    const ofRound = said.rounds.find((summary) => summary.round === round);
    const step = stepIn(round, ofRound, index);
    this.#entry(validator, set).summary = { height, round, step, atMs: nowMs };
  }

  /** It says that it signs. */
  noteSession(validator: Address, set: ValidatorSet, nowMs: number): void {
    this.#entry(validator, set).sessionMs = nowMs;
  }

  newestVote(validator: Address): HeardVote | null {
    return this.#entries.get(validator)?.vote ?? null;
  }

  heardMs(validator: Address): number | null {
    const entry = this.#entries.get(validator);
    const times = [entry?.vote?.atMs, entry?.summary?.atMs].filter((atMs) => atMs !== undefined);
    return times.length === 0 ? null : Math.max(...times);
  }

  /** By its newest summary or its newest vote, whichever is further. */
  whereabouts(validator: Address): { height: bigint; round: number; step: string } | null {
    const { vote, summary } = this.#entries.get(validator) ?? { vote: null, summary: null };
    const byVote =
      vote === null ? null : { height: vote.vote.height, round: vote.vote.round, step: vote.vote.type };
    if (summary === null || byVote === null) return summary ?? byVote;
    const isVoteFurther =
      byVote.height > summary.height || (byVote.height === summary.height && byVote.round >= summary.round);
    return isVoteFurther ? byVote : summary;
  }

  /** The height that each validator claimed in a summary not long ago. */
  claimedHeights(nowMs: number): ReadonlyMap<Address, bigint> {
    const claims = new Map<Address, bigint>();
    for (const [validator, { summary }] of this.#entries)
      if (summary !== null && nowMs - summary.atMs < SILENCE_MS) claims.set(validator, summary.height);
    return claims;
  }

  /** Why another validator does not count as alive, null when it does; without `mute`, which the round tells. */
  absenceOf(validator: Address, connected: boolean, position: RosterPosition): Absence | null {
    const entry = this.#entries.get(validator);
    if (!connected) return this.#isRelayed(entry, position) ? null : 'disconnected';
    const heardMs = this.heardMs(validator);
    if (heardMs === null || position.nowMs - heardMs >= SILENCE_MS) return 'silent';
    return this.#isSigning(entry!, position) ? null : 'notSigning';
  }

  #isRelayed(entry: Entry | undefined, { nowMs, emptyBlockIntervalMs }: RosterPosition): boolean {
    if (entry === undefined || entry.vote === null) return false;
    const direct = (entry.summary?.atMs ?? Number.NEGATIVE_INFINITY) + RELAYED_AFTER_MS;
    return entry.vote.atMs > direct && nowMs - entry.vote.atMs < emptyBlockIntervalMs + SILENCE_MS;
  }

  #isSigning({ sessionMs, vote }: Entry, { nowMs, height, firstHeight }: RosterPosition): boolean {
    if (sessionMs !== null) return nowMs - sessionMs < SILENCE_MS;
    const newest = vote?.vote.height ?? firstHeight - 1n;
    return height - newest <= HEIGHTS_WITHOUT_VOTE;
  }

  #entry(validator: Address, set: ValidatorSet): Entry {
    const known = this.#entries.get(validator);
    if (known !== undefined) return known;
    const entry: Entry = { vote: null, summary: null, sessionMs: null };
    this.#entries.set(validator, entry);
    if (this.#entries.size > 4 * set.validators.length)
      for (const other of this.#entries.keys())
        if (!isMember(set, other) && other !== validator) this.#entries.delete(other);
    return entry;
  }
}
