/**
 * What validators talk about: checkpoints, payloads, proposals, votes, certificates.
 *
 * Owns the shapes. Does not own their digests (digests.ts), their bytes on the wire (node/consensus/), or the
 * rules for moving between them (the round machine).
 */
import { type Address, type Hash, type Signature, ZERO_HASH } from '#consensus/primitives.ts';

/** The value that validators vote on; `valueId` is its EIP-712 hashStruct (RULES 28, 46). */
export type Checkpoint = {
  readonly height: bigint;
  readonly blockHash: Hash;
  readonly stateRoot: Hash;
  readonly outboxRoot: Hash;
  readonly outboxCount: bigint;
  readonly importedCount: bigint;
  readonly importedHash: Hash;
  readonly nextValidatorsHash: Hash;
};

/** What a proposer sends; every validator derives the block from it (RULES 1, 2). */
export type Payload = {
  readonly parentHash: Hash;
  /** Whole seconds. */
  readonly timestamp: bigint;
  readonly feeRecipient: Address;
  /** Signed transactions, EIP-2718 bytes, in order. */
  readonly transactions: readonly Uint8Array[];
};

/** Neither of the two vote types votes for a value: it votes that the round should end without one. */
export const NIL: Hash = ZERO_HASH;

export type VoteType = 'prevote' | 'precommit';

export type Vote = {
  readonly type: VoteType;
  readonly height: bigint;
  readonly round: number;
  /** `NIL` for nil. */
  readonly valueId: Hash;
};

/** A vote whose signature recovered to `validator`; made only by `authenticateVote` or by our own signer. */
export type SignedVote = Vote & {
  readonly validator: Address;
  readonly signature: Signature;
  /** Unsigned hint that explains divergence (RULES 19); null for nil votes. */
  readonly payloadHash: Hash | null;
};

export type Proposal = {
  readonly height: bigint;
  readonly round: number;
  /** The round whose polka justifies a re-proposal, or −1 for a fresh payload. */
  readonly polRound: number;
  readonly payloadHash: Hash;
  /** `NIL` if and only if polRound is −1 (RULES 8). */
  readonly valueId: Hash;
};

/** A proposal whose signature recovered to `proposer`. */
export type SignedProposal = Proposal & { readonly proposer: Address; readonly signature: Signature };

export type SealSignature = { readonly validator: Address; readonly signature: Signature };

/** More than 2/3 of the power precommitted `valueId` in `round`: the block is final. */
export type CommitCertificate = {
  readonly height: bigint;
  readonly round: number;
  readonly valueId: Hash;
  /** Strictly ascending by validator address. */
  readonly signatures: readonly SealSignature[];
};

/** What EIP-712 digests of votes and proposals are bound to (RULES 8). */
export type ConsensusDomain = { readonly chainId: bigint; readonly genesisHash: Hash };
