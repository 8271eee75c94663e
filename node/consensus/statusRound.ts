/**
 * What the current round waits for, in one sentence: the proposal, its payload, its execution, votes, or agreement.
 *
 * Pure. A table over the round machine's steps; each case names who or what is missing.
 */
import { hasPolka, isAccepted, keptRounds, payloadOf } from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import { proposerAt } from '#consensus/proposer.ts';
import { powerFor, type Tally, votesFor } from '#consensus/tally.ts';
import { NIL, type SignedProposal, type VoteType } from '#consensus/types.ts';
import { isQuorum } from '#consensus/validatorSet.ts';
import { tallyOf } from '#consensus/voteKeeper.ts';
import type { ProgressFacts } from '#node/consensus/statusReport.ts';
import type { ProgressCode } from '#node/consensus/statusTypes.ts';
import {
  describeEach,
  describePresence,
  formatDuration,
  listNames,
  nameValue,
  shortHash,
} from '#node/consensus/statusWords.ts';

export type RoundReport = {
  readonly code: ProgressCode;
  readonly sentence: string;
  readonly remedy: string | null;
};

export const explainRound = (facts: ProgressFacts): RoundReport => {
  const { state } = facts;
  const { round, step } = state.round;
  if (step === 'decided')
    return {
      code: 'STORING',
      sentence: `Block ${state.context.height} is decided and being stored`,
      remedy: null,
    };
  if (state.certificate !== null) return explainValue(facts, state.certificate.valueId, 'which is decided');
  const polka = quorumValue(facts, tallyOf(state.votes, round, 'prevote'));
  if (polka !== null && polka !== NIL && payloadOf(state, polka) === null)
    return explainValue(facts, polka, `which a quorum prevoted in round ${round}`);
  switch (step) {
    case 'waiting':
    case 'propose':
      return explainPropose(facts);
    case 'prevote':
    case 'precommit':
      return explainVotes(facts, step);
  }
};

/** A value that validators voted for; which payload gives it, their votes and proposals name. */
const explainValue = (facts: ProgressFacts, valueId: Hash, what: string): RoundReport => {
  const { state } = facts;
  const proposed = [...state.proposals.values()].filter(({ first }) => first.valueId === valueId);
  const named = keptRounds(state)
    .flatMap((round) => votesFor(tallyOf(state.votes, round, 'prevote'), valueId))
    .flatMap(({ payloadHash }) => payloadHash ?? []);
  return explainPayload(facts, [valueId, ...proposed.map(({ first }) => first.payloadHash), ...named], what);
};

const explainPayload = (facts: ProgressFacts, hashes: readonly Hash[], what: string): RoundReport => {
  const { here, derivingSinceMs, asked } = facts.payloadFacts([...new Set(hashes)]);
  const payload = `payload of ${shortHash(hashes[0]!)}, ${what},`;
  if (derivingSinceMs !== null)
    return {
      code: 'DERIVING',
      sentence: `Executes the ${payload} since ${formatDuration(facts.nowMs - derivingSinceMs)}`,
      remedy: null,
    };
  if (here)
    return {
      code: 'JUDGING',
      sentence: `The ${payload} is here and about to be executed or judged`,
      remedy: null,
    };
  const whom = asked.length === 0 ? 'nobody was asked for it yet' : `asked ${listNames(asked)}`;
  return {
    code: 'PAYLOAD_MISSING',
    sentence: `The ${payload} is not here: ${whom}`,
    remedy: 'If it does not come, check the links to the validators that voted for it.',
  };
};

const quorumValue = ({ state }: ProgressFacts, tally: Tally): Hash | null => {
  for (const [valueId, power] of tally.powerByValue) if (isQuorum(state.context.set, power)) return valueId;
  return null;
};

// ── propose ───────────────────────────────────────────────────────────────────────────────────────────────────

const explainPropose = (facts: ProgressFacts): RoundReport => {
  const { state } = facts;
  const { round } = state.round;
  const proposal = state.proposals.get(round)?.first;
  return proposal === undefined ? explainProposer(facts) : explainProposal(facts, proposal);
};

const explainProposer = ({
  state,
  self,
  signing,
  nameOf,
  nowMs,
  roundSinceMs,
  validators,
}: ProgressFacts): RoundReport => {
  const { round } = state.round;
  const proposer = proposerAt(state.context.set, state.context.height, round);
  const since = formatDuration(nowMs - roundSinceMs);
  if (proposer === self && signing.reason !== null)
    return {
      code: 'NOT_SIGNING',
      sentence: `Round ${round} waits for this validator’s proposal, and it does not sign: ${signing.reason}`,
      remedy: 'The other validators go on with the next round without it.',
    };
  if (proposer === self)
    return {
      code: 'BUILDING',
      sentence: `This validator builds its proposal for round ${round} since ${since}`,
      remedy: null,
    };
  const status = validators.find(({ address }) => address === proposer);
  const presence = status === undefined ? '' : ` (${describePresence(status)})`;
  return {
    code: 'PROPOSER_SILENT',
    sentence: `Round ${round} waits since ${since} for the proposal of ${nameOf(proposer)}${presence}`,
    remedy:
      'When its time is up the next validator proposes; if this one stays away, start it or restore its link.',
  };
};

const explainProposal = (facts: ProgressFacts, proposal: SignedProposal): RoundReport => {
  const { state, nameOf } = facts;
  const { payloadHash, polRound, valueId, proposer } = proposal;
  const whose = `proposed by ${nameOf(proposer)} in round ${proposal.round}`;
  if (!state.derived.has(payloadHash)) return explainPayload(facts, [payloadHash], whose);
  if (polRound >= 0 && !hasPolka(state, polRound, valueId))
    return {
      code: 'POLKA_MISSING',
      sentence: `The value ${shortHash(valueId)} ${whose} rests on the prevotes of round ${polRound}, which are not here yet: they are asked for`,
      remedy: 'If they do not come, check the links to the other validators.',
    };
  if (facts.refusal?.round === proposal.round && !isAccepted(state, proposal.round, payloadHash)) {
    const sentence = `This validator does not accept the payload ${whose}, and votes nil when the round’s time is up`;
    return explainRefusal(sentence, facts.refusal.reason);
  }
  return { code: 'JUDGING', sentence: `Judges the value ${whose}`, remedy: null };
};

// ── votes ─────────────────────────────────────────────────────────────────────────────────────────────────────

const explainVotes = (facts: ProgressFacts, type: VoteType): RoundReport => {
  const { state, validators, signing } = facts;
  const { set } = state.context;
  const { round } = state.round;
  const tally = tallyOf(state.votes, round, type);
  if (isQuorum(set, tally.power)) return explainDisagreement(facts, tally, type);
  const missing = validators.filter(({ address }) => !tally.first.has(address));
  const own =
    signing.reason !== null && missing.some(({ self }) => self)
      ? `; this validator does not sign: ${signing.reason}`
      : '';
  return {
    code: type === 'prevote' ? 'NO_PREVOTE_QUORUM' : 'NO_PRECOMMIT_QUORUM',
    sentence: `Round ${round} has ${type}s of ${tally.power} of ${set.totalPower} power, and a quorum is ${facts.margin.quorumPower}; missing ${describeEach(missing, validators)}${own}`,
    remedy: 'Start the validators that are missing, or restore their links.',
  };
};

const describeSplit = ({ nameOf, state }: ProgressFacts, tally: Tally): string =>
  [...tally.powerByValue]
    .sort(([, a], [, b]) => (a < b ? 1 : -1))
    .slice(0, 4)
    .map(([valueId]) => {
      const who = votesFor(tally, valueId).map(({ validator }) => nameOf(validator));
      return `${powerFor(tally, valueId)} of ${state.context.set.totalPower} power for ${nameValue(valueId)} (${listNames(who)})`;
    })
    .join(', ');

/** A quorum voted, but not for one value. */
const explainDisagreement = (facts: ProgressFacts, tally: Tally, type: VoteType): RoundReport => {
  const { state, refusal } = facts;
  const { round, locked } = state.round;
  const split = `Round ${round} has no quorum for one value: ${type}s of ${describeSplit(facts, tally)}`;
  const isElsewhere = [...tally.powerByValue.keys()].some((id) => id !== NIL && id !== locked?.valueId);
  if (locked !== null && isElsewhere)
    return {
      code: 'LOCKED',
      sentence: `${split}; this validator is locked on ${shortHash(locked.valueId)} since round ${locked.round}`,
      remedy:
        'None is needed: a later round brings the lock’s prevotes to everybody, or a newer polka frees it.',
    };
  if (refusal !== null && refusal.round === round)
    return explainRefusal(`${split}; this validator voted nil`, refusal.reason);
  return {
    code: 'NO_AGREEMENT',
    sentence: `${split}; the next round comes with its timeout`,
    remedy: null,
  };
};

const explainRefusal = (what: string, reason: string): RoundReport => {
  const sentence = `${what}: ${reason}`;
  if (/L1 view/.test(reason))
    return {
      code: 'L1_BEHIND',
      sentence,
      remedy:
        'Check this node’s L1 endpoints: its view of the L1 is behind that of others, or differs from it.',
    };
  if (/clock/.test(reason))
    return { code: 'CLOCK', sentence, remedy: 'Check the clock of this machine and of the proposer (NTP).' };
  return { code: 'PROPOSAL_REFUSED', sentence, remedy: null };
};
