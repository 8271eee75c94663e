// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PegVault} from "./PegVault.sol";
import {SignerSets} from "./SignerSets.sol";

/// @notice What validators finalise with a block; its EIP-712 hashStruct is the valueId that they precommit.
struct Checkpoint {
    uint64 height;
    bytes32 blockHash;
    bytes32 stateRoot;
    bytes32 outboxRoot;
    uint64 outboxCount;
    uint64 importedCount;
    bytes32 importedHash;
    bytes32 nextValidatorsHash;
}

/// @notice What the verifier is born with; nothing of it can be changed by anybody.
/// @param validators The packed set of epoch 1, whose hash the genesis checkpoint carries.
/// @param relayers The packed set of relayer epoch 1.
struct VerifierConfig {
    PegVault vault;
    uint256 sidechainId;
    bytes32 genesisHash;
    uint64 epochLength;
    Checkpoint genesisCheckpoint;
    bytes validators;
    bytes relayers;
}

/// @title Accepts checkpoints of the sidechain, behind two independent locks
/// @notice A checkpoint is accepted only with the precommits of more than two thirds of the validators' power AND the
/// attestations of the threshold of relayers. There is no owner, no initialiser, no upgrade and no timer that weakens
/// either lock.
///
/// Invariants:
///  - heights grow; outboxCount and importedCount never fall; importedCount never exceeds the vault's depositCount;
///  - a height is judged only by the validator set of its epoch, which the last checkpoint of the epoch before named,
///    so each epoch's last block must be submitted and an older set can sign nothing;
///  - an accepted outbox root stays valid for ever: no rotation strands a withdrawal;
///  - zero is never an accepted root.
contract PegVerifier {
    bytes32 private constant CHECKPOINT_TYPEHASH = keccak256(
        "Checkpoint(uint64 height,bytes32 blockHash,bytes32 stateRoot,bytes32 outboxRoot,uint64 outboxCount,uint64 importedCount,bytes32 importedHash,bytes32 nextValidatorsHash)"
    );
    bytes32 private constant PRECOMMIT_TYPEHASH = keccak256("Precommit(uint64 height,uint32 round,bytes32 valueId)");
    bytes32 private constant ANCHOR_TYPEHASH = keccak256("AnchorAttestation(bytes32 valueId,uint64 relayerEpoch)");
    bytes32 private constant CONSENSUS_DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)"
    );
    bytes32 private constant BRIDGE_DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    );
    bytes32 private constant NAME_HASH = keccak256("Causeway");
    bytes32 private constant VERSION_HASH = keccak256("1");

    PegVault public immutable VAULT;
    uint256 public immutable SIDECHAIN_ID;
    bytes32 public immutable GENESIS_HASH;
    /// @notice Height e·EPOCH_LENGTH is the last of epoch e; heights 1 … EPOCH_LENGTH are epoch 1.
    uint64 public immutable EPOCH_LENGTH;
    bytes32 private immutable CONSENSUS_SEPARATOR;

    uint64 public latestHeight;
    uint64 public latestOutboxCount;
    uint64 public latestImportedCount;
    /// @notice Bound into every attestation, so that those of an earlier relayer set mean nothing.
    uint64 public relayerEpoch;
    /// @notice Stands for the whole latest checkpoint: its fields follow from a preimage.
    bytes32 public latestValueId;
    /// @notice keccak of the packed relayer set of `relayerEpoch`.
    bytes32 public relayersHash;
    /// @notice keccak of the packed validator set of an epoch; zero while the hand-over to it is not accepted.
    mapping(uint64 epoch => bytes32 hash) public validatorsHashOf;
    /// @notice How many leaves an accepted outbox root covers; zero for a root that was never accepted.
    mapping(bytes32 root => uint64 count) public outboxCountOf;

    event CheckpointAccepted(
        uint64 indexed height,
        bytes32 indexed valueId,
        bytes32 outboxRoot,
        uint64 outboxCount,
        uint64 importedCount,
        bytes32 importedHash,
        bytes32 nextValidatorsHash
    );
    event ValidatorsHandedOver(uint64 indexed epoch, bytes32 validatorsHash);

    /// @notice The configuration contradicts itself; `field` names where.
    error BadConfig(string field);
    error HeightNotAbove(uint64 latest, uint64 found);
    /// @notice A root or hash of the checkpoint is zero.
    error ZeroField();
    /// @notice A count lies below the latest accepted one.
    error CountFell(uint64 latest, uint64 found);
    /// @notice The checkpoint imports deposits that the vault never took.
    error ImportedAboveDeposits(uint64 deposits, uint64 imported);
    /// @notice The last checkpoint of the epoch before has not been accepted: submit it first.
    error UnknownEpoch(uint64 epoch);
    error WrongValidators(bytes32 expected, bytes32 found);
    error WrongRelayers(bytes32 expected, bytes32 found);
    /// @notice The root was accepted with another count, or the count with another root.
    error OutboxRewritten(bytes32 root, uint64 count);

    constructor(VerifierConfig memory config) {
        Checkpoint memory genesis = config.genesisCheckpoint;
        if (address(config.vault) == address(0)) revert BadConfig("vault");
        if (config.epochLength == 0) revert BadConfig("epochLength");
        if (genesis.height != 0) revert BadConfig("height");
        if (genesis.blockHash != config.genesisHash) revert BadConfig("blockHash");
        if (genesis.outboxCount != 0) revert BadConfig("outboxCount");
        if (genesis.importedCount != 0 || genesis.importedHash != 0) revert BadConfig("imported");
        if (genesis.nextValidatorsHash != keccak256(config.validators)) revert BadConfig("validators");
        _requireRoots(genesis);
        SignerSets.requireValidators(config.validators);
        SignerSets.requireRelayers(config.relayers);

        VAULT = config.vault;
        SIDECHAIN_ID = config.sidechainId;
        GENESIS_HASH = config.genesisHash;
        EPOCH_LENGTH = config.epochLength;
        CONSENSUS_SEPARATOR = keccak256(
            abi.encode(CONSENSUS_DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, config.sidechainId, config.genesisHash)
        );
        relayerEpoch = 1;
        relayersHash = keccak256(config.relayers);
        validatorsHashOf[1] = genesis.nextValidatorsHash;
        latestValueId = hashCheckpoint(genesis);
    }

    /// @notice Anyone may submit a checkpoint above the latest height. Heights in between may be left out, except the
    /// last of each epoch: any later root proves every earlier burn.
    /// @param round The consensus round whose precommits these are.
    /// @param validators The packed set of the height's epoch: 28 bytes each, address ‖ uint64 power.
    /// @param relayers The packed set of the current relayer epoch: threshold byte, 20 bytes each.
    function submitCheckpoint(
        Checkpoint calldata c,
        uint32 round,
        bytes calldata validators,
        uint256 validatorBitmap,
        bytes calldata validatorSignatures,
        bytes calldata relayers,
        uint256 relayerBitmap,
        bytes calldata relayerSignatures
    ) external {
        _requireProgress(c);
        bytes32 valueId = hashCheckpoint(c);
        _requireValidatorLock(c.height, round, valueId, validators, validatorBitmap, validatorSignatures);
        _requireRelayerLock(valueId, relayers, relayerBitmap, relayerSignatures);
        _accept(c, valueId);
    }

    /// @notice hashStruct of a checkpoint.
    function hashCheckpoint(Checkpoint memory c) public pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    CHECKPOINT_TYPEHASH,
                    c.height,
                    c.blockHash,
                    c.stateRoot,
                    c.outboxRoot,
                    c.outboxCount,
                    c.importedCount,
                    c.importedHash,
                    c.nextValidatorsHash
                )
            );
    }

    /// @notice The epoch whose validators judge a height above 0.
    function epochOf(uint64 height) public view returns (uint64) {
        return (height - 1) / EPOCH_LENGTH + 1;
    }

    function _requireRoots(Checkpoint memory c) private pure {
        if (c.blockHash == 0 || c.stateRoot == 0 || c.outboxRoot == 0 || c.nextValidatorsHash == 0) revert ZeroField();
    }

    /// @dev Keeps: heights grow, counts never fall, nothing is imported that was not deposited.
    function _requireProgress(Checkpoint calldata c) private view {
        if (c.height <= latestHeight) revert HeightNotAbove(latestHeight, c.height);
        _requireRoots(c);
        if (c.outboxCount < latestOutboxCount) revert CountFell(latestOutboxCount, c.outboxCount);
        if (c.importedCount < latestImportedCount) revert CountFell(latestImportedCount, c.importedCount);
        uint64 deposits = VAULT.depositCount();
        if (c.importedCount > deposits) revert ImportedAboveDeposits(deposits, c.importedCount);
    }

    /// @dev Lock one. The seal is the precommit itself, in the sidechain's own domain.
    function _requireValidatorLock(
        uint64 height,
        uint32 round,
        bytes32 valueId,
        bytes memory validators,
        uint256 bitmap,
        bytes memory signatures
    ) private view {
        uint64 epoch = epochOf(height);
        bytes32 expected = validatorsHashOf[epoch];
        if (expected == 0) revert UnknownEpoch(epoch);
        bytes32 found = keccak256(validators);
        if (found != expected) revert WrongValidators(expected, found);
        bytes32 struct_ = keccak256(abi.encode(PRECOMMIT_TYPEHASH, height, round, valueId));
        SignerSets.requireQuorum(_digest(CONSENSUS_SEPARATOR, struct_), validators, bitmap, signatures);
    }

    /// @dev Lock two. The domain is computed at each call, so that a fork of the L1 with another id accepts nothing.
    function _requireRelayerLock(
        bytes32 valueId,
        bytes memory relayers,
        uint256 bitmap,
        bytes memory signatures
    ) private view {
        bytes32 found = keccak256(relayers);
        if (found != relayersHash) revert WrongRelayers(relayersHash, found);
        bytes32 separator = keccak256(
            abi.encode(BRIDGE_DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this), GENESIS_HASH)
        );
        bytes32 struct_ = keccak256(abi.encode(ANCHOR_TYPEHASH, valueId, relayerEpoch));
        SignerSets.requireRelayerThreshold(_digest(separator, struct_), relayers, bitmap, signatures);
    }

    function _accept(Checkpoint calldata c, bytes32 valueId) private {
        _acceptRoot(c.outboxRoot, c.outboxCount);
        latestHeight = c.height;
        latestOutboxCount = c.outboxCount;
        latestImportedCount = c.importedCount;
        latestValueId = valueId;
        if (c.height % EPOCH_LENGTH == 0) {
            uint64 next = c.height / EPOCH_LENGTH + 1;
            validatorsHashOf[next] = c.nextValidatorsHash;
            emit ValidatorsHandedOver(next, c.nextValidatorsHash);
        }
        emit CheckpointAccepted(
            c.height,
            valueId,
            c.outboxRoot,
            c.outboxCount,
            c.importedCount,
            c.importedHash,
            c.nextValidatorsHash
        );
    }

    /// @dev Keeps: one root, one count, and with the count unchanged the root is too. Accepted roots are never removed.
    function _acceptRoot(bytes32 root, uint64 count) private {
        uint64 known = outboxCountOf[root];
        if (known == count) return;
        if (known != 0 || count == latestOutboxCount) revert OutboxRewritten(root, count);
        outboxCountOf[root] = count;
    }

    function _digest(bytes32 separator, bytes32 struct_) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, struct_));
    }
}
