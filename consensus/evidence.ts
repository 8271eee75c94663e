/**
 * Proof that a validator signed two different messages where it may sign one.
 *
 * A conflict means different digests, never different bytes of a signature over one digest (RULES 8). Evidence needs
 * nothing executed: anybody who knows the set of the height can judge it.
 */
import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { Evidence } from '#consensus/engine.ts';
import type { Address } from '#consensus/primitives.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import { isMember, type ValidatorSet } from '#consensus/validatorSet.ts';

export type EvidenceFault = 'SAME_MESSAGE' | 'NOT_COMPARABLE' | 'BAD_SIGNATURE' | 'NOT_A_MEMBER';

export type EvidenceResult =
  | { readonly valid: true; readonly offender: Address }
  | { readonly valid: false; readonly code: EvidenceFault };

const refuse = (code: EvidenceFault): EvidenceResult => ({ valid: false, code });

/** @param set the set of the height at which the messages were signed */
export const verifyEvidence = (
  domain: ConsensusDomain,
  set: ValidatorSet,
  evidence: Evidence,
): EvidenceResult => {
  const { first, second } = evidence;
  if (first.height !== second.height || first.round !== second.round) return refuse('NOT_COMPARABLE');
  return evidence.type === 'duplicateVote'
    ? verifyDuplicateVote(domain, set, evidence)
    : verifyDuplicateProposal(domain, set, evidence);
};

const verifyDuplicateVote = (
  domain: ConsensusDomain,
  set: ValidatorSet,
  { first, second }: Extract<Evidence, { type: 'duplicateVote' }>,
): EvidenceResult => {
  if (first.type !== second.type || first.validator !== second.validator) return refuse('NOT_COMPARABLE');
  if (!isMember(set, first.validator)) return refuse('NOT_A_MEMBER');
  for (const vote of [first, second])
    if (authenticateVote(domain, vote, vote.signature, null)?.validator !== vote.validator)
      return refuse('BAD_SIGNATURE');
  if (voteDigest(domain, first) === voteDigest(domain, second)) return refuse('SAME_MESSAGE');
  return { valid: true, offender: first.validator };
};

const verifyDuplicateProposal = (
  domain: ConsensusDomain,
  set: ValidatorSet,
  { first, second }: Extract<Evidence, { type: 'duplicateProposal' }>,
): EvidenceResult => {
  if (first.proposer !== second.proposer) return refuse('NOT_COMPARABLE');
  if (!isMember(set, first.proposer)) return refuse('NOT_A_MEMBER');
  for (const proposal of [first, second])
    if (authenticateProposal(domain, proposal, proposal.signature)?.proposer !== proposal.proposer)
      return refuse('BAD_SIGNATURE');
  if (proposalDigest(domain, first) === proposalDigest(domain, second)) return refuse('SAME_MESSAGE');
  return { valid: true, offender: first.proposer };
};
