/**
 * The whole engine of one height: `handle(state, input) → {state, effects}`.
 *
 * Takes an input in (is it of this height, from a member, from the proposer, well formed?), records what it says, and
 * lets the driver draw the conclusions. No clock, no randomness, no await: the same inputs give the same effects, so
 * a log of inputs replays a run. `state` is plain data that is never changed in place. After `decide` the height is
 * over: only our own late messages still leave.
 *
 * Source: arXiv 1807.04938; RULES B. The language of inputs and effects is engine.ts.
 */
import { isWellFormedProposal } from '#consensus/authenticate.ts';
import { checkCertificateMembers } from '#consensus/certificate.ts';
import { advance, settle, type Transition } from '#consensus/driver.ts';
import type { DerivedValue, Effect, Input } from '#consensus/engine.ts';
import { type HeightState, horizonOf, isAccepted, MAX_VALUES, powerIn } from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import { addProposal, type ProposalKeeper } from '#consensus/proposalKeeper.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { forgetAsked } from '#consensus/requests.ts';
import type { CommitCertificate, SignedProposal, SignedVote } from '#consensus/types.ts';
import { addVote, noteHeard, type VoteKeeper } from '#consensus/voteKeeper.ts';

export const handle = (state: HeightState, input: Input): Transition =>
  state.round.step === 'decided' ? afterDecision(state, input) : settle(record(state, input));

const unchanged = (state: HeightState): Transition => ({ state, effects: [] });

/** Peers that are still deciding may need the vote that was being signed meanwhile. */
const afterDecision = (state: HeightState, input: Input): Transition =>
  input.type === 'ownVote' && input.vote.height === state.context.height
    ? { state, effects: [{ type: 'broadcastVote', vote: input.vote }] }
    : unchanged(state);

const record = (state: HeightState, input: Input): Transition => {
  switch (input.type) {
    case 'start':
      return advance(state, { type: 'startRound', round: 0 });
    case 'built':
      return unchanged({ ...state, built: { round: input.round, payloadHash: input.payloadHash } });
    case 'proposal':
      return recordProposal(state, input.proposal);
    case 'vote':
      return recordVote(state, input.vote);
    case 'certificate':
      return recordCertificate(state, input.certificate);
    case 'derived':
      return unchanged(recordDerived(state, input.payloadHash, input.value));
    case 'judged':
      return unchanged(recordVerdict(state, input));
    case 'ownProposal':
      return recordOwnProposal(state, input.proposal);
    case 'ownVote':
      return recordOwnVote(state, input.vote);
    case 'timeout': {
      const { kind, height, round } = input.timeout;
      return height === state.context.height
        ? advance(state, { type: 'timeout', kind, round })
        : unchanged(state);
    }
  }
};

const recordProposal = (state: HeightState, proposal: SignedProposal): Transition => {
  const { height, set } = state.context;
  const { round, proposer } = proposal;
  if (proposal.height !== height || !isWellFormedProposal(proposal)) return unchanged(state);
  if (proposerAt(set, height, round) !== proposer) return unchanged(state);
  const { proposals, conflict } = addProposal(state.proposals, proposal, state.round.round);
  return {
    state: withHeard(state, proposals, noteHeard(state.votes, proposer, round)),
    effects:
      conflict === null ? [] : [{ type: 'evidence', evidence: { type: 'duplicateProposal', ...conflict } }],
  };
};

const recordVote = (state: HeightState, vote: SignedVote): Transition => {
  const { height, set, self } = state.context;
  const power = powerIn(state, vote.validator);
  if (vote.height !== height || power === 0n) return unchanged(state);
  const { keeper, conflict } = addVote(state.votes, set, vote, power, horizonOf(state));
  const counted: Transition = {
    state: withHeard(state, state.proposals, keeper),
    effects:
      conflict === null ? [] : [{ type: 'evidence', evidence: { type: 'duplicateVote', ...conflict } }],
  };
  return vote.validator === self ? then(counted, (next) => adoptVote(next, vote)) : counted;
};

/** The same state when nothing is new: what changes nothing is not logged, however often it is sent. */
const withHeard = (state: HeightState, proposals: ProposalKeeper, votes: VoteKeeper): HeightState =>
  proposals === state.proposals && votes === state.votes ? state : { ...state, proposals, votes };

/** Our own vote, whoever sends it back to us, binds us: a restart may have forgotten it. */
const adoptVote = (state: HeightState, { type, round, valueId }: SignedVote): Transition =>
  advance(state, { type: 'ownVote', voteType: type, round, valueId });

const recordOwnVote = (state: HeightState, vote: SignedVote): Transition =>
  vote.height === state.context.height
    ? then(recordVote(state, vote), (next) => emit(next, { type: 'broadcastVote', vote }))
    : unchanged(state);

/** A proposal of ours from before a restart brings us back to its round; there we propose nothing else. */
const recordOwnProposal = (state: HeightState, proposal: SignedProposal): Transition => {
  if (proposal.height !== state.context.height) return unchanged(state);
  const proposedRound = Math.max(state.proposedRound, proposal.round);
  const begun = advance({ ...state, proposedRound }, { type: 'startRound', round: proposal.round });
  const recorded = then(begun, (next) => recordProposal(next, proposal));
  return then(recorded, (next) => emit(next, { type: 'broadcastProposal', proposal }));
};

/** Its signatures have been verified; whether it is for this height and set is checked here once more. */
const recordCertificate = (state: HeightState, certificate: CommitCertificate): Transition => {
  const { height, set } = state.context;
  const isOurs = certificate.height === height && checkCertificateMembers(set, certificate).valid;
  return unchanged(isOurs && state.certificate === null ? { ...state, certificate } : state);
};

const recordDerived = (state: HeightState, payloadHash: Hash, value: DerivedValue): HeightState => {
  if (state.derived.has(payloadHash)) return state;
  const derived = new Map(state.derived).set(payloadHash, value);
  const payloads =
    value.valid && !state.payloads.has(value.valueId)
      ? new Map(state.payloads).set(value.valueId, payloadHash)
      : state.payloads;
  return derived.size > MAX_VALUES
    ? forgetOldest({ ...state, derived, payloads })
    : { ...state, derived, payloads };
};

/** Only after hundreds of rounds; what was forgotten is asked for again when it is proposed again. */
const forgetOldest = (state: HeightState): HeightState => {
  const { locked, valid } = state.round;
  const needed = [locked, valid].map((lock) => lock && state.payloads.get(lock.valueId));
  const oldest = [...state.derived.keys()].find((payloadHash) => !needed.includes(payloadHash));
  if (oldest === undefined) return state;
  const derived = new Map(state.derived);
  derived.delete(oldest);
  const asked = forgetAsked(state.asked, { type: 'derive', payloadHash: oldest });
  return {
    ...state,
    derived,
    asked,
    payloads: new Map([...state.payloads].filter(([, hash]) => hash !== oldest)),
  };
};

/** A positive verdict sticks, a negative one may turn (RULES 9). */
const recordVerdict = (
  state: HeightState,
  { round, payloadHash, accepted }: Extract<Input, { type: 'judged' }>,
): HeightState => {
  const isNews = accepted && round >= state.round.round && !isAccepted(state, round, payloadHash);
  return isNews ? { ...state, accepted: [...state.accepted, { round, payloadHash }] } : state;
};

const emit = (state: HeightState, effect: Effect): Transition => ({ state, effects: [effect] });

const then = (first: Transition, next: (state: HeightState) => Transition): Transition => {
  const second = next(first.state);
  return { state: second.state, effects: [...first.effects, ...second.effects] };
};
