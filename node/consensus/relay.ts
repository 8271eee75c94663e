/**
 * Have-bitmaps: what a node has of a height, and what a peer lacks (RULES 16).
 *
 * Pure. A connected graph suffices for every vote to reach everybody, and a restarted node gets its rounds back.
 * Bounded: the rounds of one summary, the votes and payloads of one answer; what does not fit goes with the next
 * summary, a second later.
 */
import { type HeightState, keptRounds, keptVotes } from '#consensus/heightState.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { Payload, SignedVote, VoteType } from '#consensus/types.ts';
import { type ConsensusMessage, MAX_SUMMARY_ROUNDS, type RoundSummary } from '#node/consensus/messages.ts';

export const MAX_VOTES_PER_ANSWER = 1_024;

const isSet = (bitmap: Uint8Array, index: number): boolean =>
  ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;

const bitmapOf = (state: HeightState, votes: readonly SignedVote[]): Uint8Array => {
  const { validators } = state.context.set;
  const bitmap = new Uint8Array(Math.ceil(validators.length / 8));
  const voted = new Set(votes.map(({ validator }) => validator));
  validators.forEach(({ address }, index) => {
    if (voted.has(address)) bitmap[index >> 3]! |= 1 << (index & 7);
  });
  return bitmap;
};

/** Left for rounds ahead when the rounds behind would fill a summary. */
const AHEAD_SUMMARY_ROUNDS = 8;

/**
 * The rounds that a lock or a valid value rests on, whatever their age; then those up to the next one, newest first;
 * then those ahead, nearest first: whoever signs for rounds far ahead cannot crowd out the one that is decided now.
 */
const relayedRounds = (state: HeightState): readonly number[] => {
  const { round, locked, valid } = state.round;
  const all = [...new Set([...keptRounds(state), ...state.proposals.keys()])].sort((a, b) => b - a);
  const pinned = all.filter((at) => at === locked?.round || at === valid?.round);
  const reached = all.filter((at) => at <= round + 1 && !pinned.includes(at));
  const ahead = all.filter((at) => at > round + 1 && !pinned.includes(at)).reverse();
  const room = MAX_SUMMARY_ROUNDS - pinned.length - Math.min(ahead.length, AHEAD_SUMMARY_ROUNDS);
  return [...pinned, ...reached.slice(0, room), ...ahead].slice(0, MAX_SUMMARY_ROUNDS);
};

export type HasPayload = (payloadHash: Hash) => boolean;

export const summarize = (state: HeightState, hasPayload: HasPayload): ConsensusMessage => ({
  type: 'summary',
  height: state.context.height,
  round: Math.max(0, state.round.round),
  rounds: relayedRounds(state).map((round): RoundSummary => {
    const proposal = state.proposals.get(round)?.first;
    return {
      round,
      proposal: proposal !== undefined,
      payload: proposal !== undefined && hasPayload(proposal.payloadHash),
      prevotes: bitmapOf(state, keptVotes(state, round, 'prevote')),
      precommits: bitmapOf(state, keptVotes(state, round, 'precommit')),
    };
  }),
});

const NOTHING = new Uint8Array(0);

/** An equivocator's further votes have no bit: they go out every time, and the receiver drops what it knows. */
const missingVotes = (
  state: HeightState,
  round: number,
  type: VoteType,
  bitmap: Uint8Array,
): readonly SignedVote[] => {
  const index = new Map(state.context.set.validators.map(({ address }, at) => [address, at]));
  const seen = new Set<string>();
  return keptVotes(state, round, type).filter(({ validator }) => {
    const isExtra = seen.has(validator);
    seen.add(validator);
    return isExtra || !isSet(bitmap, index.get(validator)!);
  });
};

/** What to send a peer that is at the same height and reports this. Proposals go before their payloads. */
export const missingFor = (
  state: HeightState,
  reported: readonly RoundSummary[],
  payloadOf: (payloadHash: Hash) => Payload | null,
): readonly ConsensusMessage[] => {
  const byRound = new Map(reported.map((summary) => [summary.round, summary]));
  const { height } = state.context;
  const votes: ConsensusMessage[] = [];
  const proposals: ConsensusMessage[] = [];
  const payloads: ConsensusMessage[] = [];
  for (const round of relayedRounds(state)) {
    const peer = byRound.get(round);
    const proposal = state.proposals.get(round)?.first;
    if (proposal !== undefined && !peer?.proposal) proposals.push({ type: 'proposal', proposal });
    const payload = proposal !== undefined && !peer?.payload ? payloadOf(proposal.payloadHash) : null;
    if (payload !== null && payloads.length === 0) payloads.push({ type: 'payload', height, payload });
    for (const type of ['prevote', 'precommit'] as const) {
      const bitmap = (type === 'prevote' ? peer?.prevotes : peer?.precommits) ?? NOTHING;
      for (const vote of missingVotes(state, round, type, bitmap)) votes.push({ type: 'vote', vote });
    }
  }
  return [...proposals, ...votes.slice(0, MAX_VOTES_PER_ANSWER), ...payloads];
};
