/**
 * Everything one height knows: the round machine's state, votes, proposals, derived values, verdicts.
 *
 * Owns the shape, its creation, and questions about it. Plain data, never changed in place: `handle`
 * (heightMachine.ts) returns a new one that shares what did not change. Bounded: votes by voteKeeper.ts, proposals
 * by proposalKeeper.ts, the rest by `MAX_VALUES` and by being cleared with the rounds.
 */
import type { DerivedValue } from '#consensus/engine.ts';
import type { Address, Hash } from '#consensus/primitives.ts';
import { EMPTY_PROPOSALS, type ProposalKeeper } from '#consensus/proposalKeeper.ts';
import type { AskedRequests } from '#consensus/requests.ts';
import { createRoundState, type Lock, type RoundState } from '#consensus/roundMachine.ts';
import { votesFor, votesIn } from '#consensus/tally.ts';
import type { CommitCertificate, ConsensusDomain, SignedVote, VoteType } from '#consensus/types.ts';
import type { ValidatorSet } from '#consensus/validatorSet.ts';
import { EMPTY_KEEPER, type Horizon, hasQuorumFor, tallyOf, type VoteKeeper } from '#consensus/voteKeeper.ts';

/** What does not change within a height. */
export type HeightContext = {
  readonly height: bigint;
  readonly set: ValidatorSet;
  readonly domain: ConsensusDomain;
  /** Our consensus address; null, or not in the set: we follow without signing. */
  readonly self: Address | null;
  readonly powers: ReadonlyMap<Address, bigint>;
  /** What a restart found as the lock; until its payload is here, it is asked for. */
  readonly restoredLock: Lock | null;
};

/** A positive subjective verdict on a fresh payload in a round; a negative one is the absence of this. */
export type Acceptance = { readonly round: number; readonly payloadHash: Hash };

export type HeightState = {
  readonly context: HeightContext;
  readonly round: RoundState;
  readonly votes: VoteKeeper;
  readonly proposals: ProposalKeeper;
  readonly derived: ReadonlyMap<Hash, DerivedValue>;
  /** A payload here that derives to the value. */
  readonly payloads: ReadonlyMap<Hash, Hash>;
  /** Of the current and later rounds. */
  readonly accepted: readonly Acceptance[];
  readonly built: { readonly round: number; readonly payloadHash: Hash } | null;
  /** The last round for which we asked to sign a proposal, −1 before. */
  readonly proposedRound: number;
  readonly asked: AskedRequests;
  /** A verified certificate that waits for its payload. */
  readonly certificate: CommitCertificate | null;
};

export type HeightOptions = {
  readonly height: bigint;
  /** The set that votes on this height. */
  readonly set: ValidatorSet;
  readonly domain: ConsensusDomain;
  readonly self: Address | null;
  /** max(WAL, guard) of this height (RULES 13): the last non-nil precommit. */
  readonly lock?: Lock | null;
};

/** How many derived payloads a height remembers, beside those of the lock and the valid value. */
export const MAX_VALUES = 256;

export const createHeight = ({ height, set, domain, self, lock = null }: HeightOptions): HeightState => ({
  context: {
    height,
    set,
    domain,
    self,
    powers: new Map(set.validators.map(({ address, power }) => [address, power])),
    restoredLock: lock,
  },
  round: createRoundState(lock),
  votes: EMPTY_KEEPER,
  proposals: EMPTY_PROPOSALS,
  derived: new Map(),
  payloads: new Map(),
  accepted: [],
  built: null,
  proposedRound: -1,
  asked: new Map(),
  certificate: null,
});

export const isAccepted = (state: HeightState, round: number, payloadHash: Hash): boolean =>
  state.accepted.some((verdict) => verdict.round === round && verdict.payloadHash === payloadHash);

export const powerIn = (state: HeightState, validator: Address): bigint =>
  state.context.powers.get(validator) ?? 0n;

export const isSelfMember = ({ context }: HeightState): boolean =>
  context.self !== null && context.powers.has(context.self);

/** valid(v) of lines 29, 36 and 50: some payload here was executed and gave this value. */
export const payloadOf = (state: HeightState, valueId: Hash): Hash | null =>
  state.payloads.get(valueId) ?? null;

const isLock = (lock: Lock | null, round: number, valueId: Hash): boolean =>
  lock !== null && lock.round === round && lock.valueId === valueId;

/** 2f+1 prevotes for the value in that round; our own lock is proof that there were, even after a restart. */
export const hasPolka = (state: HeightState, round: number, valueId: Hash): boolean =>
  isLock(state.round.locked, round, valueId) ||
  isLock(state.round.valid, round, valueId) ||
  hasQuorumFor(state.votes, state.context.set, round, 'prevote', valueId);

export const hasAnyPolka = (state: HeightState, valueId: Hash): boolean => {
  const { locked, valid } = state.round;
  return (
    locked?.valueId === valueId ||
    valid?.valueId === valueId ||
    [...state.votes.rounds.keys()].some((round) => hasPolka(state, round, valueId))
  );
};

/** Rounds whose votes are kept however old they get. */
export const horizonOf = ({ round, proposals }: HeightState): Horizon => {
  const proposal = proposals.get(round.round)?.first;
  const pinned = [round.locked?.round, round.valid?.round, proposal?.polRound];
  return { round: round.round, pinned: pinned.filter((at) => at !== undefined && at >= 0) as number[] };
};

/** For relaying to peers and for have-bitmaps (RULES 16). */
export const keptVotes = (state: HeightState, round: number, type: VoteType): readonly SignedVote[] =>
  votesIn(tallyOf(state.votes, round, type));

export const keptRounds = (state: HeightState): readonly number[] => [...state.votes.rounds.keys()];

/**
 * The prevotes that prove a polka for the value in the latest round that has one: what the sign guard asks for
 * before a prevote that leaves the lock (RULES 13), and what a peer asks for that lacks the polka of a re-proposal.
 */
export const polkaFor = (
  state: HeightState,
  valueId: Hash,
): { readonly round: number; readonly prevotes: readonly SignedVote[] } | null => {
  const { set } = state.context;
  const rounds = [...state.votes.rounds.keys()].filter((round) =>
    hasQuorumFor(state.votes, set, round, 'prevote', valueId),
  );
  if (rounds.length === 0) return null;
  const round = Math.max(...rounds);
  return { round, prevotes: votesFor(tallyOf(state.votes, round, 'prevote'), valueId) };
};
