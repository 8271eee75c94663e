/**
 * The one way to sign: a typed message, never a bare digest.
 *
 * Owns the interface and the digest of each kind. node/keys/ implements signers; whoever holds one was given it.
 */
import { type CeremonyDomain, type CeremonyStatement, ceremonyDigest } from '#consensus/ceremonyDigests.ts';
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import {
  type AnchorAttestation,
  anchorAttestationDigest,
  type BridgeDomain,
  type DepositAttestation,
  depositAttestationDigest,
  type PeerBinding,
  peerBindingDigest,
  proposalDigest,
  readyDigest,
  voteDigest,
} from '#consensus/digests.ts';
import type { Address, Hash, Signature } from '#consensus/primitives.ts';
import type { ConsensusDomain, Proposal, Vote } from '#consensus/types.ts';

export type SignRequest =
  | { readonly kind: 'vote'; readonly domain: ConsensusDomain; readonly vote: Vote }
  | { readonly kind: 'proposal'; readonly domain: ConsensusDomain; readonly proposal: Proposal }
  | { readonly kind: 'peerBinding'; readonly domain: ConsensusDomain; readonly binding: PeerBinding }
  | { readonly kind: 'ready'; readonly domain: ConsensusDomain; readonly epoch: bigint }
  | {
      readonly kind: 'depositAttestation';
      readonly domain: BridgeDomain;
      readonly attestation: DepositAttestation;
    }
  | {
      readonly kind: 'anchorAttestation';
      readonly domain: BridgeDomain;
      readonly attestation: AnchorAttestation;
    }
  /** Before there is a genesis: possession of a key, an enrolment, an approval (RULES 45). */
  | { readonly kind: 'ceremony'; readonly domain: CeremonyDomain; readonly statement: CeremonyStatement }
  /** An unsigned EIP-2718 transaction (type byte and RLP), or the RLP of an EIP-155 legacy one. */
  | { readonly kind: 'transaction'; readonly unsigned: Uint8Array };

export interface Signer {
  readonly address: Address;
  /** The sign guard, where one is needed, stands before this call. @throws SignerError */
  sign(request: SignRequest): Promise<Signature>;
}

export const signRequestDigest = (request: SignRequest): Hash => {
  switch (request.kind) {
    case 'vote':
      return voteDigest(request.domain, request.vote);
    case 'proposal':
      return proposalDigest(request.domain, request.proposal);
    case 'peerBinding':
      return peerBindingDigest(request.domain, request.binding);
    case 'ready':
      return readyDigest(request.domain, request.epoch);
    case 'depositAttestation':
      return depositAttestationDigest(request.domain, request.attestation);
    case 'anchorAttestation':
      return anchorAttestationDigest(request.domain, request.attestation);
    case 'ceremony':
      return ceremonyDigest(request.domain, request.statement);
    case 'transaction':
      return keccak256Hex(request.unsigned);
  }
};
