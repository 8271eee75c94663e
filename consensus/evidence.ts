/**
 * Proof of misbehaviour: two different messages of one validator where it may sign one, or two commit certificates
 * for one height.
 *
 * A conflict means different digests, never different bytes of a signature over one digest (RULES 8). Evidence needs
 * nothing executed: anybody who knows the set of the height can judge it. Two certificates of different rounds convict
 * the set, not its members: whoever signed both may have seen a polka in between, but more than 1/3 has lied (RULES 29).
 */
import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { Evidence } from '#consensus/engine.ts';
import type { Address } from '#consensus/primitives.ts';
import type { CommitCertificate, ConsensusDomain, SignedProposal, SignedVote } from '#consensus/types.ts';
import { isMember, type ValidatorSet } from '#consensus/validatorSet.ts';

/** More than 2/3 of one set precommitted two values at one height, in any rounds: final was not final. */
export type ConflictingCommit = {
  readonly type: 'conflictingCommit';
  readonly first: CommitCertificate;
  readonly second: CommitCertificate;
};

/** Everything that can be proven: what the engine notices within a height, and what only shows beside a block. */
export type Misbehaviour = Evidence | ConflictingCommit;

export type EvidenceFault =
  | 'SAME_MESSAGE'
  | 'NOT_COMPARABLE'
  | 'BAD_SIGNATURE'
  | 'NOT_A_MEMBER'
  | 'BAD_CERTIFICATE';

export type EvidenceResult =
  | { readonly valid: true; readonly offender: Address }
  | { readonly valid: false; readonly code: EvidenceFault };

export type MisbehaviourResult =
  /** `offenders` in ascending order; empty when nobody can be convicted alone. */
  | { readonly valid: true; readonly offenders: readonly Address[] }
  | { readonly valid: false; readonly code: EvidenceFault };

type Refusal = { readonly valid: false; readonly code: EvidenceFault };
const refuse = (code: EvidenceFault): Refusal => ({ valid: false, code });

/** @param set the set of the height at which the messages were signed */
export const verifyMisbehaviour = (
  domain: ConsensusDomain,
  set: ValidatorSet,
  item: Misbehaviour,
): MisbehaviourResult => {
  if (item.type === 'conflictingCommit') return verifyConflictingCommit(domain, set, item);
  const result = verifyEvidence(domain, set, item);
  return result.valid ? { valid: true, offenders: [result.offender] } : result;
};

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
  if (voteDigest(domain, first) === voteDigest(domain, second)) return refuse('SAME_MESSAGE');
  for (const vote of [first, second])
    if (authenticateVote(domain, vote, vote.signature, null)?.validator !== vote.validator)
      return refuse('BAD_SIGNATURE');
  return { valid: true, offender: first.validator };
};

const verifyDuplicateProposal = (
  domain: ConsensusDomain,
  set: ValidatorSet,
  { first, second }: Extract<Evidence, { type: 'duplicateProposal' }>,
): EvidenceResult => {
  if (first.proposer !== second.proposer) return refuse('NOT_COMPARABLE');
  if (!isMember(set, first.proposer)) return refuse('NOT_A_MEMBER');
  if (proposalDigest(domain, first) === proposalDigest(domain, second)) return refuse('SAME_MESSAGE');
  for (const proposal of [first, second])
    if (authenticateProposal(domain, proposal, proposal.signature)?.proposer !== proposal.proposer)
      return refuse('BAD_SIGNATURE');
  return { valid: true, offender: first.proposer };
};

const verifyConflictingCommit = (
  domain: ConsensusDomain,
  set: ValidatorSet,
  item: ConflictingCommit,
): MisbehaviourResult => {
  const { first, second } = item;
  if (first.height !== second.height) return refuse('NOT_COMPARABLE');
  if (first.valueId === second.valueId) return refuse('SAME_MESSAGE');
  for (const certificate of [first, second])
    if (!verifyCommitCertificate(domain, set, certificate).valid) return refuse('BAD_CERTIFICATE');
  return { valid: true, offenders: first.round === second.round ? signersOfBoth(item) : [] };
};

/** In ascending order. In one round each of them signed two precommits; in different rounds this is a list to ask. */
export const signersOfBoth = ({ first, second }: ConflictingCommit): readonly Address[] => {
  const other = new Set(second.signatures.map(({ validator }) => validator));
  return first.signatures.map(({ validator }) => validator).filter((validator) => other.has(validator));
};

/**
 * One form for one conflict, whoever noticed it and in whichever order: the smaller digest (or round, then value)
 * first, and no unsigned hints.
 */
export const canonicalMisbehaviour = (domain: ConsensusDomain, item: Misbehaviour): Misbehaviour => {
  switch (item.type) {
    case 'duplicateVote': {
      const withoutHint = (vote: SignedVote): SignedVote => ({ ...vote, payloadHash: null });
      const [first, second] = inOrder(item, (vote) => voteDigest(domain, vote));
      return { type: item.type, first: withoutHint(first), second: withoutHint(second) };
    }
    case 'duplicateProposal': {
      const [first, second] = inOrder<SignedProposal>(item, (proposal) => proposalDigest(domain, proposal));
      return { type: item.type, first, second };
    }
    case 'conflictingCommit': {
      const [first, second] = inOrder(
        item,
        ({ round, valueId }) => `${String(round).padStart(10, '0')}${valueId}`,
      );
      return { type: item.type, first, second };
    }
  }
};

const inOrder = <T>(
  { first, second }: { readonly first: T; readonly second: T },
  keyOf: (message: T) => string,
): readonly [T, T] => (keyOf(first) <= keyOf(second) ? [first, second] : [second, first]);
