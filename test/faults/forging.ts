/** What a validator can sign with its own key, and nonsense to sign. */
import { authenticateProposal, authenticateVote } from '#consensus/authenticate.ts';
import { signDigest } from '#consensus/crypto/secp256k1.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import { bytesToHex, type Hash } from '#consensus/primitives.ts';
import type { ConsensusDomain, Proposal, Vote } from '#consensus/types.ts';
import type { ProposalMessage, VoteMessage } from '#node/consensus/fields.ts';
import { encodeMessage } from '#node/consensus/messages.ts';
import type { FaultTools } from '#test/faults/fault.ts';

type Signs = Pick<FaultTools, 'key' | 'domain'>;

export const signVote = (
  { key, domain }: Signs,
  { type, height, round, valueId }: Vote,
  payloadHash: Hash | null = null,
): VoteMessage => {
  const vote = { type, height, round, valueId };
  return { ...vote, payloadHash, signature: signDigest(voteDigest(domain, vote), key.privateKey) };
};

export const signProposal = (
  { key, domain }: Signs,
  { height, round, polRound, payloadHash, valueId }: Proposal,
): ProposalMessage => {
  const proposal = { height, round, polRound, payloadHash, valueId };
  return { ...proposal, signature: signDigest(proposalDigest(domain, proposal), key.privateKey) };
};

export const isOwnVote = ({ key, domain }: Signs, vote: VoteMessage): boolean =>
  authenticateVote(domain, vote, vote.signature, null)?.validator === key.address;

export const isOwnProposal = ({ key, domain }: Signs, proposal: ProposalMessage): boolean =>
  authenticateProposal(domain, proposal, proposal.signature)?.proposer === key.address;

/** Another chain whose votes look like ours. */
export const foreignDomain = ({ chainId, genesisHash }: ConsensusDomain): ConsensusDomain => ({
  chainId: chainId + 1n,
  genesisHash,
});

export const randomBytes = (random: () => number, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => Math.floor(random() * 256));

export const randomHash = (random: () => number): Hash => bytesToHex(randomBytes(random, 32)) as Hash;

export const voteBytes = (vote: VoteMessage): Uint8Array => encodeMessage({ type: 'vote', vote });
export const proposalBytes = (proposal: ProposalMessage): Uint8Array =>
  encodeMessage({ type: 'proposal', proposal });
