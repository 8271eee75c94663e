/**
 * From a message and a signature to a message with a known author, or to nothing.
 *
 * Owns: the ranges of the fields, the form of a proposal (RULES 8), the strict form of a signature (RULES 46), the
 * recovery of its author. Does not own whether that author is a member or the proposer: the height machine asks.
 * Bad input is an answer (null), never an exception.
 */
import { recoverAddress } from '#consensus/crypto/secp256k1.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { Hash, Signature } from '#consensus/primitives.ts';
import {
  type ConsensusDomain,
  NIL,
  type Proposal,
  type SignedProposal,
  type SignedVote,
  type Vote,
} from '#consensus/types.ts';

const MAX_UINT64 = 2n ** 64n - 1n;
const MAX_UINT32 = 2 ** 32 - 1;

/** Heights start at 1: block 0 is the genesis and nobody votes on it. */
export const isVotableHeight = (height: bigint): boolean => height >= 1n && height <= MAX_UINT64;
export const isRound = (round: number): boolean =>
  Number.isInteger(round) && round >= 0 && round <= MAX_UINT32;

/**
 * A proposal that can mean something: polRound is −1 or an earlier round, and names a value only in the latter
 * case (RULES 8).
 */
export const isWellFormedProposal = ({ height, round, polRound, valueId }: Proposal): boolean =>
  isVotableHeight(height) &&
  isRound(round) &&
  (polRound === -1 ? valueId === NIL : isRound(polRound) && polRound < round && valueId !== NIL);

/** @param payloadHash the unsigned hint of RULES 19; a nil vote has none. */
export const authenticateVote = (
  domain: ConsensusDomain,
  vote: Vote,
  signature: Signature,
  payloadHash: Hash | null,
): SignedVote | null => {
  const { type, height, round, valueId } = vote;
  if (!isVotableHeight(height) || !isRound(round)) return null;
  const validator = recoverAddress(voteDigest(domain, vote), signature);
  if (validator === null) return null;
  return {
    type,
    height,
    round,
    valueId,
    validator,
    signature,
    payloadHash: valueId === NIL ? null : payloadHash,
  };
};

export const authenticateProposal = (
  domain: ConsensusDomain,
  proposal: Proposal,
  signature: Signature,
): SignedProposal | null => {
  if (!isWellFormedProposal(proposal)) return null;
  const { height, round, polRound, payloadHash, valueId } = proposal;
  const proposer = recoverAddress(proposalDigest(domain, proposal), signature);
  return proposer && { height, round, polRound, payloadHash, valueId, proposer, signature };
};
