/**
 * EIP-712 hashes of everything that validators and relayers sign (RULES 8, 27, 46).
 *
 * Encoded by hand, because votes are hashed on the hot path; `test/unit/consensus/digests.test.ts` holds each
 * against viem's general implementation. Does not sign and does not judge.
 */
import { keccak256, keccak256Hex } from '#consensus/crypto/keccak.ts';
import { type Address, concatBytes, type Hash, hexToBytes, toBigEndian } from '#consensus/primitives.ts';
import type { Checkpoint, ConsensusDomain, Payload, Proposal, Vote } from '#consensus/types.ts';

const utf8 = new TextEncoder();
const typeHash = (type: string): Uint8Array => keccak256(utf8.encode(type));
const uint = (value: bigint | number): Uint8Array => toBigEndian(BigInt(value), 32);
const address = (value: Address): Uint8Array => concatBytes(new Uint8Array(12), hexToBytes(value));

const CHECKPOINT = typeHash(
  'Checkpoint(uint64 height,bytes32 blockHash,bytes32 stateRoot,bytes32 outboxRoot,uint64 outboxCount,uint64 importedCount,bytes32 importedHash,bytes32 nextValidatorsHash)',
);
const PAYLOAD = typeHash(
  'Payload(bytes32 parentHash,uint64 timestamp,address feeRecipient,bytes32 transactionsHash)',
);
const PROPOSAL = typeHash(
  'Proposal(uint64 height,uint32 round,int64 polRound,bytes32 payloadHash,bytes32 valueId)',
);
const VOTE = {
  prevote: typeHash('Prevote(uint64 height,uint32 round,bytes32 valueId)'),
  precommit: typeHash('Precommit(uint64 height,uint32 round,bytes32 valueId)'),
};
const DEPOSIT_ATTESTATION = typeHash(
  'DepositAttestation(uint256 l1ChainId,address vault,uint64 n,bytes32 hash,uint64 relayerEpoch)',
);
const ANCHOR_ATTESTATION = typeHash('AnchorAttestation(bytes32 valueId,uint64 relayerEpoch)');

const READY = typeHash('Ready(uint64 epoch)');
const PEER_BINDING = typeHash('PeerBinding(string peerId,bytes32 challenge)');

const NAME = keccak256(utf8.encode('Causeway'));
const VERSION = keccak256(utf8.encode('1'));
const CONSENSUS_DOMAIN = typeHash('EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)');
const BRIDGE_DOMAIN = typeHash(
  'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)',
);

/** The id of the value that validators vote on: hashStruct, not bound to a domain. */
export const checkpointToValueId = (checkpoint: Checkpoint): Hash =>
  keccak256Hex(
    concatBytes(
      CHECKPOINT,
      uint(checkpoint.height),
      hexToBytes(checkpoint.blockHash),
      hexToBytes(checkpoint.stateRoot),
      hexToBytes(checkpoint.outboxRoot),
      uint(checkpoint.outboxCount),
      uint(checkpoint.importedCount),
      hexToBytes(checkpoint.importedHash),
      hexToBytes(checkpoint.nextValidatorsHash),
    ),
  );

/** hashStruct of the payload; transactionsHash is the keccak of the concatenated transaction hashes. */
export const payloadToHash = (payload: Payload): Hash =>
  keccak256Hex(
    concatBytes(
      PAYLOAD,
      hexToBytes(payload.parentHash),
      uint(payload.timestamp),
      address(payload.feeRecipient),
      keccak256(concatBytes(...payload.transactions.map(keccak256))),
    ),
  );

const separators = new Map<string, Uint8Array>();
export const consensusSeparator = ({ chainId, genesisHash }: ConsensusDomain): Uint8Array => {
  const key = `${chainId}:${genesisHash}`;
  const known = separators.get(key);
  if (known !== undefined) return known;
  const separator = keccak256(
    concatBytes(CONSENSUS_DOMAIN, NAME, VERSION, uint(chainId), hexToBytes(genesisHash)),
  );
  if (separators.size >= 16) separators.clear();
  separators.set(key, separator);
  return separator;
};

const PREFIX = Uint8Array.of(0x19, 0x01);
export const typedDataDigest = (separator: Uint8Array, struct: Uint8Array): Hash =>
  keccak256Hex(concatBytes(PREFIX, separator, keccak256(struct)));

export const voteDigest = (domain: ConsensusDomain, vote: Vote): Hash =>
  typedDataDigest(
    consensusSeparator(domain),
    concatBytes(VOTE[vote.type], uint(vote.height), uint(vote.round), hexToBytes(vote.valueId)),
  );

export const proposalDigest = (domain: ConsensusDomain, proposal: Proposal): Hash =>
  typedDataDigest(
    consensusSeparator(domain),
    concatBytes(
      PROPOSAL,
      uint(proposal.height),
      uint(proposal.round),
      uint(proposal.polRound),
      hexToBytes(proposal.payloadHash),
      hexToBytes(proposal.valueId),
    ),
  );

/** A consensus key vouches for a PeerId, in answer to the challenge of the peer that asks. */
export type PeerBinding = { readonly peerId: string; readonly challenge: Hash };

export const peerBindingDigest = (domain: ConsensusDomain, binding: PeerBinding): Hash =>
  typedDataDigest(
    consensusSeparator(domain),
    concatBytes(PEER_BINDING, keccak256(utf8.encode(binding.peerId)), hexToBytes(binding.challenge)),
  );

/** An approved validator is in sync and enters at the end of this epoch; ValidatorSet verifies it (RULES 21). */
export const readyDigest = (domain: ConsensusDomain, epoch: bigint): Hash =>
  typedDataDigest(consensusSeparator(domain), concatBytes(READY, uint(epoch)));

/** What a bridge attestation is bound to: the chain and contract that check it, and what identifies the sidechain. */
export type BridgeDomain = {
  readonly chainId: bigint;
  readonly verifyingContract: Address;
  /** specHash for the gateway, genesisHash for PegVerifier (RULES 27). */
  readonly salt: Hash;
};

const bridgeSeparator = ({ chainId, verifyingContract, salt }: BridgeDomain): Uint8Array =>
  keccak256(
    concatBytes(BRIDGE_DOMAIN, NAME, VERSION, uint(chainId), address(verifyingContract), hexToBytes(salt)),
  );

export type DepositAttestation = {
  readonly l1ChainId: bigint;
  readonly vault: Address;
  /** How many deposits the hash chain covers. */
  readonly n: bigint;
  readonly hash: Hash;
  readonly relayerEpoch: bigint;
};

export const depositAttestationDigest = (domain: BridgeDomain, attestation: DepositAttestation): Hash =>
  typedDataDigest(
    bridgeSeparator(domain),
    concatBytes(
      DEPOSIT_ATTESTATION,
      uint(attestation.l1ChainId),
      address(attestation.vault),
      uint(attestation.n),
      hexToBytes(attestation.hash),
      uint(attestation.relayerEpoch),
    ),
  );

export type AnchorAttestation = { readonly valueId: Hash; readonly relayerEpoch: bigint };

export const anchorAttestationDigest = (domain: BridgeDomain, attestation: AnchorAttestation): Hash =>
  typedDataDigest(
    bridgeSeparator(domain),
    concatBytes(ANCHOR_ATTESTATION, hexToBytes(attestation.valueId), uint(attestation.relayerEpoch)),
  );
