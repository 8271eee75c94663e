/** Validators with real keys, in ascending order of their addresses. */
import { privateKeyToAddress, signDigest } from '#consensus/crypto/secp256k1.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import type { Address } from '#consensus/primitives.ts';
import type { ConsensusDomain, Proposal, SignedProposal, SignedVote, Vote } from '#consensus/types.ts';
import { createValidatorSet, type ValidatorSet } from '#consensus/validatorSet.ts';

export type KeyPair = { readonly privateKey: Uint8Array; readonly address: Address };

export const createKeyPairs = (count: number): readonly KeyPair[] =>
  Array.from({ length: count }, (_, index) => {
    const privateKey = new Uint8Array(32).fill(index + 1);
    return { privateKey, address: privateKeyToAddress(privateKey) };
  }).sort((a, b) => (a.address < b.address ? -1 : 1));

export const setOfKeys = (keys: readonly KeyPair[], powers?: readonly bigint[]): ValidatorSet =>
  createValidatorSet(keys.map(({ address }, index) => ({ address, power: powers?.[index] ?? 1n })));

export const signVote = (domain: ConsensusDomain, key: KeyPair, vote: Vote): SignedVote => ({
  ...vote,
  validator: key.address,
  signature: signDigest(voteDigest(domain, vote), key.privateKey),
  payloadHash: null,
});

export const signProposal = (domain: ConsensusDomain, key: KeyPair, proposal: Proposal): SignedProposal => ({
  ...proposal,
  proposer: key.address,
  signature: signDigest(proposalDigest(domain, proposal), key.privateKey),
});
