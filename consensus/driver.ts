/**
 * What follows from all that is known: joins votes, proposals, derived values and verdicts into the round machine's
 * inputs, and asks the host for what is missing.
 *
 * Each rule below looks at the state and says what happens next, or null. `settle` takes the first rule that applies,
 * again and again, until none does. Every rule that applies changes the state so that it does not apply again.
 * README.md has the truth table.
 */

import { buildCommitCertificate } from '#consensus/certificate.ts';
import type { Effect } from '#consensus/engine.ts';
import {
  type HeightState,
  hasAnyPolka,
  hasPolka,
  horizonOf,
  isAccepted,
  isSelfMember,
  payloadOf,
  powerIn,
} from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import { pruneProposals } from '#consensus/proposalKeeper.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { forgetAskedBefore, isAsked, noteAsked, type Request } from '#consensus/requests.ts';
import { applyRound, isStepAtLeast, type RoundInput, type RoundOutput } from '#consensus/roundMachine.ts';
import { type Tally, votesFor } from '#consensus/tally.ts';
import { type CommitCertificate, NIL, type SignedProposal, type VoteType } from '#consensus/types.ts';
import { isHonestMinority, isQuorum } from '#consensus/validatorSet.ts';
import {
  hasQuorumFor,
  hasQuorumOfAny,
  KEPT_ROUNDS,
  prune,
  roundToSkipTo,
  tallyOf,
} from '#consensus/voteKeeper.ts';

export type Transition = { readonly state: HeightState; readonly effects: readonly Effect[] };

type Rule = (state: HeightState) => Transition | null;

/** Far above the number of rules that one input can set off; reaching it means that a rule does not consume itself. */
const MAX_STEPS = 100_000;

export const settle = (start: Transition): Transition => {
  let { state } = start;
  const effects = [...start.effects];
  for (let steps = 0; state.round.step !== 'decided'; steps++) {
    if (steps > MAX_STEPS) throw new Error(`the rules of height ${state.context.height} do not come to rest`);
    const next = firstThatApplies(state);
    if (next === null) break;
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
};

const firstThatApplies = (state: HeightState): Transition | null => {
  for (const rule of RULES) {
    const next = rule(state);
    if (next !== null) return next;
  }
  return null;
};

/** Lines 49–51, for any round; by a quorum of precommits or by a peer's certificate. */
const decide: Rule = (state) => {
  const certificate = findCommit(state);
  if (certificate === null) return null;
  const { round, valueId } = certificate;
  const payloadHash = payloadOf(state, valueId);
  if (payloadHash === null) return ask(state, { type: 'fetchValue', round, valueId });
  return extend(advance(state, { type: 'commit', round, valueId }), [
    { type: 'decide', certificate, payloadHash },
  ]);
};

const findCommit = ({ votes, certificate, context }: HeightState): CommitCertificate | null => {
  if (certificate !== null) return certificate;
  for (const { precommit } of votes.rounds.values())
    for (const [valueId, power] of precommit.powerByValue)
      if (valueId !== NIL && isQuorum(context.set, power))
        return buildCommitCertificate(votesFor(precommit, valueId));
  return null;
};

/** Lines 55–56; before round 0, the f+1 who began it take us along. */
const skipRound: Rule = (state) => {
  const round = roundToSkipTo(
    state.votes,
    state.context.set,
    (validator) => powerIn(state, validator),
    state.round.round,
  );
  return round === null ? null : advance(state, { type: 'startRound', round });
};

/** Lines 14–19: a known valid value is proposed again, otherwise a fresh payload is built. */
const propose: Rule = (state) => {
  const { round, context } = state;
  if (round.step !== 'propose' || state.proposedRound >= round.round || !isSelfMember(state)) return null;
  if (proposerAt(context.set, context.height, round.round) !== context.self) return null;
  if (round.valid !== null) {
    const { round: polRound, valueId } = round.valid;
    const payloadHash = payloadOf(state, valueId);
    if (payloadHash === null) return ask(state, { type: 'fetchValue', round: polRound, valueId });
    return signProposal(state, polRound, payloadHash, valueId); // line 16
  }
  if (state.built?.round !== round.round) return ask(state, { type: 'build', round: round.round }); // line 18
  return signProposal(state, -1, state.built.payloadHash, NIL);
};

const signProposal = (state: HeightState, polRound: number, payloadHash: Hash, valueId: Hash): Transition => {
  const { round } = state.round;
  const { height } = state.context;
  return {
    state: { ...state, proposedRound: round },
    effects: [{ type: 'signProposal', proposal: { height, round, polRound, payloadHash, valueId } }], // line 19
  };
};

/** Lines 22–33: the answer to this round's first proposal. */
const answerProposal: Rule = (state) => {
  if (state.round.step !== 'propose') return null;
  const proposal = state.proposals.get(state.round.round)?.first;
  if (proposal === undefined) return null;
  return proposal.polRound === -1 ? answerFresh(state, proposal) : answerReproposal(state, proposal);
};

const answerFresh = (state: HeightState, { round, payloadHash }: SignedProposal): Transition | null => {
  const value = state.derived.get(payloadHash);
  if (value === undefined) return ask(state, { type: 'derive', payloadHash });
  if (!value.valid) return advance(state, { type: 'freshProposal', valueId: null });
  const { locked } = state.round;
  const needsVerdict = locked === null && !hasAnyPolka(state, value.valueId); // RULES 9
  if (needsVerdict && !isAccepted(state, round, payloadHash))
    return ask(state, { type: 'judge', round, payloadHash });
  return advance(state, { type: 'freshProposal', valueId: value.valueId });
};

const answerReproposal = (state: HeightState, proposal: SignedProposal): Transition | null => {
  const { polRound, payloadHash, valueId } = proposal;
  const fetch: Request = { type: 'fetchValue', round: polRound, valueId };
  const isHere = payloadOf(state, valueId) !== null;
  const isUntried = !isHere && !state.derived.has(payloadHash);
  return (
    (isUntried ? ask(state, { type: 'derive', payloadHash }) : null) ??
    (hasPolka(state, polRound, valueId) && isHere
      ? advance(state, { type: 'reproposal', valueId, polRound })
      : ask(state, fetch))
  );
};

/** Lines 36–43 in this round, 42–43 for an earlier one whose value was derived late. */
const followPolka: Rule = (state) => {
  const { round } = state;
  for (const [at, { prevote }] of state.votes.rounds) {
    if (at > round.round || !isNewPolka(state, at)) continue;
    const valueId = quorumValue(state, prevote);
    if (valueId !== null && payloadOf(state, valueId) !== null)
      return advance(state, { type: 'polka', round: at, valueId });
  }
  return null;
};

const isNewPolka = ({ round }: HeightState, at: number): boolean =>
  at === round.round && round.step === 'prevote'
    ? true
    : (at < round.round || isStepAtLeast(round, 'prevote')) && at > (round.valid?.round ?? -1);

const quorumValue = (state: HeightState, tally: Tally): Hash | null => {
  for (const [valueId, power] of tally.powerByValue)
    if (valueId !== NIL && isQuorum(state.context.set, power)) return valueId;
  return null;
};

/** Lines 44–46. */
const followNilPolka: Rule = (state) => {
  const { round, votes, context } = state;
  return round.step === 'prevote' && hasQuorumFor(votes, context.set, round.round, 'prevote', NIL)
    ? advance(state, { type: 'nilPolka' })
    : null;
};

/** Lines 34–35. */
const schedulePrevoteTimeout: Rule = (state) => {
  const { round, votes, context } = state;
  return round.step === 'prevote' &&
    !round.prevoteTimeoutScheduled &&
    hasQuorumOfAny(votes, context.set, round.round, 'prevote')
    ? advance(state, { type: 'prevoteQuorum' })
    : null;
};

/** Lines 47–48. */
const schedulePrecommitTimeout: Rule = (state) => {
  const { round, votes, context } = state;
  return round.step !== 'waiting' &&
    !round.precommitTimeoutScheduled &&
    hasQuorumOfAny(votes, context.set, round.round, 'precommit')
    ? advance(state, { type: 'precommitQuorum' })
    : null;
};

/** RULES 15: a value with f+1 votes that no payload here derives to; and the value of a lock found at the start. */
const fetchSupported: Rule = (state) => {
  const { restoredLock, set } = state.context;
  if (
    restoredLock !== null &&
    state.round.step !== 'waiting' &&
    payloadOf(state, restoredLock.valueId) === null
  ) {
    const asked = ask(state, { type: 'fetchValue', ...restoredLock });
    if (asked !== null) return asked;
  }
  for (const [round, votes] of state.votes.rounds)
    for (const type of ['prevote', 'precommit'] as const)
      for (const [valueId, power] of votes[type].powerByValue) {
        if (valueId === NIL || !isHonestMinority(set, power) || payloadOf(state, valueId) !== null) continue;
        if (isBeingDerived(state, round, type, valueId)) continue;
        const asked = ask(state, { type: 'fetchValue', round, valueId });
        if (asked !== null) return asked;
      }
  return null;
};

/**
 * Execution here is merely slower than elsewhere: until this round's prevotes are over, the payload that the voters
 * name is not asked for a second time. The hint is unsigned, so it delays the request and nothing else.
 */
const isBeingDerived = (state: HeightState, at: number, type: VoteType, valueId: Hash): boolean => {
  const { round, step } = state.round;
  if (at !== round || step === 'precommit') return false;
  return votesFor(tallyOf(state.votes, at, type), valueId).some(
    ({ payloadHash }) =>
      payloadHash !== null &&
      isAsked(state.asked, { type: 'derive', payloadHash }) &&
      !state.derived.has(payloadHash),
  );
};

const RULES: readonly Rule[] = [
  decide,
  skipRound,
  propose,
  answerProposal,
  followPolka,
  followNilPolka,
  schedulePrevoteTimeout,
  schedulePrecommitTimeout,
  fetchSupported,
];

/** Each request goes out once; null when it did already. */
const ask = (state: HeightState, request: Request): Transition | null =>
  isAsked(state.asked, request)
    ? null
    : {
        state: { ...state, asked: noteAsked(state.asked, request, state.round.round) },
        effects: [request],
      };

/** Gives the round machine one input and turns what comes out into effects. */
export const advance = (state: HeightState, input: RoundInput): Transition => {
  const { state: round, outputs } = applyRound(state.round, input);
  if (round === state.round && outputs.length === 0) return { state, effects: [] };
  const moved: HeightState = { ...state, round };
  return {
    state: round.round > state.round.round ? forgetOldRounds(moved) : moved,
    effects: outputs.flatMap((output) => outputToEffects(moved, output)),
  };
};

const extend = ({ state, effects }: Transition, more: readonly Effect[]): Transition => ({
  state,
  effects: [...effects, ...more],
});

const outputToEffects = (state: HeightState, output: RoundOutput): readonly Effect[] => {
  const { height } = state.context;
  switch (output.type) {
    case 'roundStarted':
      return [output];
    case 'schedule':
      return [{ type: 'schedule', timeout: { kind: output.kind, height, round: output.round } }];
    case 'vote': {
      if (!isSelfMember(state)) return [];
      const { voteType, round, valueId } = output;
      const payloadHash = valueId === NIL ? null : payloadOf(state, valueId);
      return [{ type: 'signVote', vote: { type: voteType, height, round, valueId }, payloadHash }];
    }
  }
};

const forgetOldRounds = (state: HeightState): HeightState => {
  const { round } = state.round;
  const proposals = pruneProposals(state.proposals, round);
  const pruned = { ...state, proposals };
  return {
    ...pruned,
    votes: prune(state.votes, horizonOf(pruned)),
    asked: forgetAskedBefore(state.asked, round - KEPT_ROUNDS),
    accepted: state.accepted.filter((verdict) => verdict.round >= round),
  };
};
