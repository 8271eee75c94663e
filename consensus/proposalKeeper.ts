/**
 * The first proposal of each round; a second, different one is evidence.
 *
 * The first is the one that lines 22 and 28 answer. Another one that gathers f+1 votes is found through those votes
 * (RULES 15), so it need not be kept. Bounded as votes are: a window behind, and for each proposer a few rounds ahead.
 */
import type { SignedProposal } from '#consensus/types.ts';
import { AHEAD_ROUNDS, KEPT_ROUNDS } from '#consensus/voteKeeper.ts';

export type KeptProposal = { readonly first: SignedProposal; readonly isConflictReported: boolean };
export type ProposalKeeper = ReadonlyMap<number, KeptProposal>;

export const EMPTY_PROPOSALS: ProposalKeeper = new Map();

export type ProposalChange = {
  readonly proposals: ProposalKeeper;
  readonly conflict: { readonly first: SignedProposal; readonly second: SignedProposal } | null;
};

export const addProposal = (
  proposals: ProposalKeeper,
  proposal: SignedProposal,
  currentRound: number,
): ProposalChange => {
  const kept = proposals.get(proposal.round);
  if (kept !== undefined) return noteConflict(proposals, kept, proposal);
  if (proposal.round < currentRound - KEPT_ROUNDS) return { proposals, conflict: null };
  return { proposals: insert(proposals, proposal, currentRound), conflict: null };
};

const noteConflict = (
  proposals: ProposalKeeper,
  kept: KeptProposal,
  second: SignedProposal,
): ProposalChange => {
  const { first, isConflictReported } = kept;
  if (isConflictReported || isSameProposal(first, second)) return { proposals, conflict: null };
  return {
    proposals: new Map(proposals).set(second.round, { first, isConflictReported: true }),
    conflict: { first, second },
  };
};

const isSameProposal = (a: SignedProposal, b: SignedProposal): boolean =>
  a.polRound === b.polRound && a.payloadHash === b.payloadHash && a.valueId === b.valueId;

/** A proposer's lowest round ahead makes place for its newest; a new one that is the lowest itself has no place. */
const insert = (
  proposals: ProposalKeeper,
  proposal: SignedProposal,
  currentRound: number,
): ProposalKeeper => {
  const added = new Map(proposals).set(proposal.round, { first: proposal, isConflictReported: false });
  const ahead = [...added]
    .filter(([round, { first }]) => round > currentRound + 1 && first.proposer === proposal.proposer)
    .map(([round]) => round);
  if (ahead.length > AHEAD_ROUNDS) {
    const lowest = Math.min(...ahead);
    if (lowest === proposal.round) return proposals;
    added.delete(lowest);
  }
  return added;
};

export const pruneProposals = (proposals: ProposalKeeper, currentRound: number): ProposalKeeper =>
  new Map([...proposals].filter(([round]) => round >= currentRound - KEPT_ROUNDS));
