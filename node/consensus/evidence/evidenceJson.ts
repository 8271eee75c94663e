/**
 * Evidence as a contract, or anybody with an EIP-712 library, needs it: nothing but this JSON is needed to check it.
 *
 * Owns that form. Two messages come as EIP-712 typed data, in the form that eth_signTypedData_v4 takes (numbers as
 * decimal strings), each with its 65-byte signature r ‖ s ‖ v. Two certificates come as PegVerifier takes precommits:
 * the packed set, a bitmap over it and the signatures in its order; with the checkpoint whose hashStruct the value is
 * where this node knows it, which is the one that it committed. Every other number is a quantity.
 */
import { packSignatures } from '#bridge/encoding/signatureBitmap.ts';
import { proposalDigest, voteDigest } from '#consensus/digests.ts';
import { signersOfBoth } from '#consensus/evidence.ts';
import { type Address, bytesToHex, type Hash, type Hex, type Signature } from '#consensus/primitives.ts';
import type { Checkpoint, CommitCertificate, ConsensusDomain, Proposal, Vote } from '#consensus/types.ts';
import { packValidators, type ValidatorSet } from '#consensus/validatorSet.ts';
import { subjectOf } from '#node/consensus/evidence/evidenceCodec.ts';
import type { KeptEvidence } from '#node/consensus/evidence/evidencePool.ts';

type Field = { readonly name: string; readonly type: string };

const VOTE_FIELDS: readonly Field[] = [
  { name: 'height', type: 'uint64' },
  { name: 'round', type: 'uint32' },
  { name: 'valueId', type: 'bytes32' },
];
const PROPOSAL_FIELDS: readonly Field[] = [
  { name: 'height', type: 'uint64' },
  { name: 'round', type: 'uint32' },
  { name: 'polRound', type: 'int64' },
  { name: 'payloadHash', type: 'bytes32' },
  { name: 'valueId', type: 'bytes32' },
];

const quantity = (value: bigint | number): Hex => `0x${value.toString(16)}`;

/** What the set of the height and the chain say beside the evidence itself. */
export type EvidenceContext = {
  readonly domain: ConsensusDomain;
  /** The set of the evidence's height. */
  readonly set: ValidatorSet;
  /** The committed block of that height, null when there is none yet. */
  readonly committed: { readonly valueId: Hash; readonly checkpoint: Checkpoint } | null;
};

export type SignedMessageJson = {
  readonly message: Readonly<Record<string, string>>;
  /** What was signed: the EIP-712 digest. */
  readonly digest: Hash;
  readonly signature: Signature;
};

export type CertificateJson = {
  readonly round: Hex;
  readonly valueId: Hash;
  readonly digest: Hash;
  /** Bit i stands for entry i of `validators`. */
  readonly bitmap: Hex;
  readonly signatures: Hex;
  /** Null where this node does not know it. */
  readonly checkpoint: Readonly<Record<keyof Checkpoint, string>> | null;
};

type Common = {
  readonly height: Hex;
  /** Of the block of that height, or of the head when it was found; seconds. */
  readonly timestamp: Hex;
  readonly validatorsHash: Hash;
  readonly typedData: {
    readonly domain: {
      readonly name: 'Causeway';
      readonly version: '1';
      readonly chainId: string;
      readonly salt: Hash;
    };
    readonly primaryType: 'Prevote' | 'Precommit' | 'Proposal';
    readonly types: Readonly<Record<string, readonly Field[]>>;
  };
};

export type EvidenceJson =
  | (Common & {
      readonly kind: 'duplicateVote' | 'duplicateProposal';
      readonly offender: Address;
      readonly round: Hex;
      readonly first: SignedMessageJson;
      readonly second: SignedMessageJson;
    })
  | (Common & {
      readonly kind: 'conflictingCommit';
      /** Convicted: both certificates are of one round. */
      readonly offenders: readonly Address[];
      /** Whoever signed both, whatever the rounds. */
      readonly signersOfBoth: readonly Address[];
      /** Packed, address ‖ uint64 power each, as PegVerifier takes it. */
      readonly validators: Hex;
      readonly first: CertificateJson;
      readonly second: CertificateJson;
    });

const PRIMARY_TYPES = { prevote: 'Prevote', precommit: 'Precommit', proposal: 'Proposal' } as const;

const decimal = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));

const voteJson = (domain: ConsensusDomain, vote: Vote & { signature: Signature }): SignedMessageJson => {
  const { height, round, valueId, signature } = vote;
  return { message: decimal({ height, round, valueId }), digest: voteDigest(domain, vote), signature };
};

const proposalJson = (
  domain: ConsensusDomain,
  proposal: Proposal & { signature: Signature },
): SignedMessageJson => {
  const { height, round, polRound, payloadHash, valueId, signature } = proposal;
  return {
    message: decimal({ height, round, polRound, payloadHash, valueId }),
    digest: proposalDigest(domain, proposal),
    signature,
  };
};

const certificateJson = (
  { domain, set, committed }: EvidenceContext,
  { height, round, valueId, signatures }: CommitCertificate,
): CertificateJson => {
  const bySigner = new Map(signatures.map(({ validator, signature }) => [validator, signature]));
  const packed = packSignatures(
    set.validators.map(({ address }) => address),
    bySigner,
  );
  return {
    round: quantity(round),
    valueId,
    digest: voteDigest(domain, { type: 'precommit', height, round, valueId }),
    bitmap: quantity(packed.bitmap),
    signatures: packed.signatures,
    checkpoint:
      committed?.valueId === valueId
        ? (decimal(committed.checkpoint) as CertificateJson['checkpoint'])
        : null,
  };
};

/** @throws SignatureBitmapError NOT_A_MEMBER when `set` is not the one of the evidence's height */
export const evidenceToJson = (
  { item, atSeconds, offenders }: KeptEvidence,
  context: EvidenceContext,
): EvidenceJson => {
  const { domain, set } = context;
  const { step } = subjectOf(item);
  const primaryType = step === 'commit' ? 'Precommit' : PRIMARY_TYPES[step];
  const common: Common = {
    height: quantity(item.first.height),
    timestamp: quantity(atSeconds),
    validatorsHash: set.hash,
    typedData: {
      domain: {
        name: 'Causeway',
        version: '1',
        chainId: String(domain.chainId),
        salt: domain.genesisHash,
      },
      primaryType,
      types: { [primaryType]: step === 'proposal' ? PROPOSAL_FIELDS : VOTE_FIELDS },
    },
  };
  switch (item.type) {
    case 'duplicateVote':
      return {
        kind: item.type,
        offender: item.first.validator,
        ...common,
        round: quantity(item.first.round),
        first: voteJson(domain, item.first),
        second: voteJson(domain, item.second),
      };
    case 'duplicateProposal':
      return {
        kind: item.type,
        offender: item.first.proposer,
        ...common,
        round: quantity(item.first.round),
        first: proposalJson(domain, item.first),
        second: proposalJson(domain, item.second),
      };
    case 'conflictingCommit':
      return {
        kind: item.type,
        offenders,
        signersOfBoth: signersOfBoth(item),
        ...common,
        validators: bytesToHex(packValidators(set.validators)),
        first: certificateJson(context, item.first),
        second: certificateJson(context, item.second),
      };
  }
};
