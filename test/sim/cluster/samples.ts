/** Messages, records and states to encode: signed where a signature is looked at, filled where only bytes matter. */

import { signDigest } from '#consensus/crypto/secp256k1.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import { type Address, type Hash, parseHash, type Signature } from '#consensus/primitives.ts';
import {
  NIL,
  type Payload,
  type Proposal,
  type SignedProposal,
  type SignedVote,
  type Vote,
} from '#consensus/types.ts';
import { createKeys, DOMAIN } from './cluster.ts';

export const hashOf = (byte: number): Hash => parseHash(`0x${byte.toString(16).padStart(2, '0').repeat(32)}`);
export const KEYS = createKeys(4);

export const signedVote = (vote: Vote, index = 0, payloadHash: Hash | null = null): SignedVote => ({
  ...vote,
  validator: KEYS[index]!.address,
  signature: signDigest(voteDigest(DOMAIN, vote), KEYS[index]!.privateKey),
  payloadHash: vote.valueId === NIL ? null : payloadHash,
});

export const signedProposal = (proposal: Proposal, index = 0): SignedProposal => ({
  ...proposal,
  proposer: KEYS[index]!.address,
  signature: signDigest(proposalDigest(DOMAIN, proposal), KEYS[index]!.privateKey),
});

export const PAYLOAD: Payload = {
  parentHash: hashOf(1),
  timestamp: 1_800_000_000n,
  feeRecipient: `0x${'22'.repeat(20)}` as Address,
  transactions: [Uint8Array.of(1, 2, 3), new Uint8Array(300).fill(7), new Uint8Array(0)],
};

export const SIGNATURE = `0x${'33'.repeat(64)}1b` as Signature;
