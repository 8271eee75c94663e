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
/// @param genesisTimestamp Of block 0, seconds: the escape's clock starts there, so that the storage that a deployment
/// leaves does not depend on when it was made.
/// @param validators The packed set of epoch 1, whose hash the genesis checkpoint carries.
/// @param relayers The packed set of relayer epoch 1.
struct VerifierConfig {
    PegVault vault;
    address timelock;
    uint256 sidechainId;
    bytes32 genesisHash;
    uint64 genesisTimestamp;
    uint64 epochLength;
    Checkpoint genesisCheckpoint;
    bytes validators;
    bytes relayers;
}

/// @notice One side of an equivocation: the precommits of a quorum for one value in one round.
struct Quorum {
    uint32 round;
    bytes32 valueId;
    uint256 bitmap;
    bytes signatures;
}

/// @title Accepts checkpoints of the sidechain, behind two independent locks
/// @notice A checkpoint is accepted only with the precommits of more than two thirds of the validators' power AND the
/// attestations of the threshold of relayers. There is no owner, no initialiser, no upgrade and no timer that weakens
/// either lock. Governance, the timelock alone, replaces relayers and ends the halt that proven equivocation began;
/// it can touch neither validators nor roots. When checkpoints stop, anyone announces the escape, and seven days later
/// anyone activates it: then the last accepted checkpoint is what everybody is paid by, for good.
///
/// Invariants:
///  - heights grow; outboxCount and importedCount never fall; importedCount never exceeds the vault's depositCount;
///  - a height is judged only by the validator set of its epoch, which the last checkpoint of the epoch before named,
///    so each epoch's last block must be submitted and an older set can sign nothing;
///  - an accepted outbox root stays valid for ever: no rotation strands a withdrawal;
///  - zero is never an accepted root;
///  - two quorums for different values at one height stop claims, deposits and checkpoints by themselves;
///  - once escaping, nothing here ever changes again.
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

    /// @notice Without an accepted checkpoint for so long, the escape may be announced; so long after that, activated.
    uint256 public constant ESCAPE_DELAY = 7 days;
    /// @notice For so long after a hand-over the set before can still be shown to have equivocated.
    uint256 public constant EVIDENCE_WINDOW = 7 days;

    PegVault public immutable VAULT;
    address public immutable TIMELOCK;
    uint256 public immutable SIDECHAIN_ID;
    bytes32 public immutable GENESIS_HASH;
    /// @notice Height e·EPOCH_LENGTH is the last of epoch e; heights 1 … EPOCH_LENGTH are epoch 1.
    uint64 public immutable EPOCH_LENGTH;
    bytes32 private immutable CONSENSUS_SEPARATOR;

    uint64 public latestHeight;
    uint64 public latestOutboxCount;
    uint64 public latestImportedCount;
    /// @notice Seconds; before the first checkpoint the genesis block's timestamp.
    uint64 public latestAcceptedAt;
    /// @notice Bound into every attestation, so that those of an earlier relayer set mean nothing.
    uint64 public relayerEpoch;
    /// @notice Seconds; zero while the escape is not announced.
    uint64 public escapeAnnouncedAt;
    /// @notice When the set that judges now took over from another, seconds; zero while it is the first.
    uint64 public handedOverAt;
    /// @notice The height for which equivocation was proven; while it is not zero the peg stands still.
    uint64 public equivocatedHeight;
    /// @notice Stands for the whole latest checkpoint: its fields follow from a preimage.
    bytes32 public latestValueId;
    /// @notice keccak of the packed relayer set of `relayerEpoch`.
    bytes32 public relayersHash;
    /// @notice keccak of the packed validator set of an epoch; zero while the hand-over to it is not accepted.
    mapping(uint64 epoch => bytes32 hash) public validatorsHashOf;
    /// @notice How many leaves an accepted outbox root covers; zero for a root that was never accepted.
    mapping(bytes32 root => uint64 count) public outboxCountOf;
    /// @notice The state that the escape pays by; zero while it is not activated.
    bytes32 public escapeStateRoot;
    /// @notice Governance resumed after equivocation up to this height; evidence of it is spent.
    uint64 public forgivenThrough;
    /// @notice The set that judged before `handedOverAt`.
    bytes32 public previousValidatorsHash;

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
    /// @param relayers The packed set.
    event RelayersRotated(uint64 indexed relayerEpoch, bytes relayers);
    event EquivocationProven(uint64 indexed height, bytes32 firstValueId, bytes32 secondValueId);
    event Resumed(uint64 indexed forgivenThrough);
    event EscapeAnnounced(uint64 activatableAt);
    event EscapeCancelled();
    event EscapeActivated(uint64 indexed height, bytes32 stateRoot);

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
    error NotTimelock(address caller);
    /// @notice Validators equivocated at this height: governance has to look, or the escape follows.
    error HaltedByEquivocation(uint64 height);
    error NotHalted();
    /// @notice Two quorums for one value, or for nil, prove nothing.
    error NoConflict();
    /// @notice The height was neither the current set's to judge nor, within the window, its predecessor's.
    error EvidenceTooOld(uint64 epoch, uint64 current);
    error EvidenceForgiven(uint64 throughHeight);
    error TooEarly(uint256 from, uint256 now_);
    error EscapeNotAnnounced();
    /// @notice The escape is announced: nothing more is taken in unless a checkpoint cancels it.
    error EscapeUnderway(uint64 announcedAt);
    /// @notice The escape is active, and nothing but being paid is possible any more.
    error Escaping();
    /// @notice The checkpoint is not the latest accepted one.
    error NotLatest(bytes32 expected, bytes32 found);

    modifier onlyTimelock() {
        if (msg.sender != TIMELOCK) revert NotTimelock(msg.sender);
        if (isEscaping()) revert Escaping();
        _;
    }

    constructor(VerifierConfig memory config) {
        Checkpoint memory genesis = config.genesisCheckpoint;
        if (address(config.vault) == address(0)) revert BadConfig("vault");
        if (config.timelock == address(0)) revert BadConfig("timelock");
        if (config.genesisTimestamp == 0) revert BadConfig("genesisTimestamp");
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
        TIMELOCK = config.timelock;
        SIDECHAIN_ID = config.sidechainId;
        GENESIS_HASH = config.genesisHash;
        EPOCH_LENGTH = config.epochLength;
        CONSENSUS_SEPARATOR = keccak256(
            abi.encode(CONSENSUS_DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, config.sidechainId, config.genesisHash)
        );
        latestAcceptedAt = config.genesisTimestamp;
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
        if (isEscaping()) revert Escaping();
        if (equivocatedHeight != 0) revert HaltedByEquivocation(equivocatedHeight);
        _requireProgress(c);
        bytes32 valueId = hashCheckpoint(c);
        _requireValidators(c.height, validators);
        _requireQuorum(c.height, validators, Quorum(round, valueId, validatorBitmap, validatorSignatures));
        _requireRelayerLock(valueId, relayers, relayerBitmap, relayerSignatures);
        _accept(c, valueId);
    }

    /// @notice Anyone may prove that validators finalised two values at one height, in whatever rounds. It stops claims,
    /// deposits and checkpoints until governance resumes or the escape follows.
    function reportEquivocation(
        uint64 height,
        bytes calldata validators,
        Quorum calldata first,
        Quorum calldata second
    ) external {
        if (isEscaping()) revert Escaping();
        if (equivocatedHeight != 0) revert HaltedByEquivocation(equivocatedHeight);
        // Precommits for nil in one round and for a value in the next are how consensus works.
        if (first.valueId == second.valueId || first.valueId == 0 || second.valueId == 0) revert NoConflict();
        if (height == 0 || height <= forgivenThrough) revert EvidenceForgiven(forgivenThrough);
        _requireValidators(height, validators);
        _requireRecent(epochOf(height));
        _requireQuorum(height, validators, first);
        _requireQuorum(height, validators, second);
        equivocatedHeight = height;
        emit EquivocationProven(height, first.valueId, second.valueId);
    }

    /// @notice Ends the halt. Evidence of that height and of those below is spent; of later ones it is not.
    function resume() external onlyTimelock {
        uint64 height = equivocatedHeight;
        if (height == 0) revert NotHalted();
        equivocatedHeight = 0;
        forgivenThrough = height;
        emit Resumed(height);
    }

    /// @notice Replaces the relayers. Accepted roots stay; attestations of the old set mean nothing from here on, and
    /// the sidechain learns of the new one by a leaf of the deposit chain.
    /// @param relayers The packed set: threshold byte, 20 bytes each, ascending; m ≥ 2, 2m > n.
    function rotateRelayers(bytes calldata relayers) external onlyTimelock {
        SignerSets.requireRelayers(relayers);
        uint64 next = relayerEpoch + 1;
        relayerEpoch = next;
        relayersHash = keccak256(relayers);
        emit RelayersRotated(next, relayers);
        VAULT.appendRelayerSet(next, relayers);
    }

    /// @notice Closes deposits. The next accepted checkpoint cancels it.
    function announceEscape() external {
        if (isEscaping()) revert Escaping();
        if (escapeAnnouncedAt != 0) revert EscapeUnderway(escapeAnnouncedAt);
        _requireFrom(latestAcceptedAt + ESCAPE_DELAY);
        escapeAnnouncedAt = uint64(block.timestamp);
        emit EscapeAnnounced(uint64(block.timestamp + ESCAPE_DELAY));
    }

    /// @notice Irreversible.
    /// @param latest The latest accepted checkpoint.
    function activateEscape(Checkpoint calldata latest) external {
        if (isEscaping()) revert Escaping();
        if (escapeAnnouncedAt == 0) revert EscapeNotAnnounced();
        _requireFrom(escapeAnnouncedAt + ESCAPE_DELAY);
        bytes32 valueId = hashCheckpoint(latest);
        if (valueId != latestValueId) revert NotLatest(latestValueId, valueId);
        escapeStateRoot = latest.stateRoot;
        emit EscapeActivated(latest.height, latest.stateRoot);
    }

    function isEscaping() public view returns (bool) {
        return escapeStateRoot != 0;
    }

    /// @notice What the vault asks before it pays.
    /// @return count How many leaves the root covers; zero if it was never accepted.
    /// @return escaping Whether limits, queue, vetoes and pauses have ended.
    function claimable(bytes32 root) external view returns (uint64 count, bool escaping) {
        escaping = isEscaping();
        if (!escaping && equivocatedHeight != 0) revert HaltedByEquivocation(equivocatedHeight);
        count = outboxCountOf[root];
    }

    /// @notice What the vault asks before it takes anything. An announced escape closes deposits, an active one too.
    function requireOpen() external view {
        if (escapeAnnouncedAt != 0) revert EscapeUnderway(escapeAnnouncedAt);
        if (equivocatedHeight != 0) revert HaltedByEquivocation(equivocatedHeight);
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

    function _requireFrom(uint256 from) private view {
        if (block.timestamp < from) revert TooEarly(from, block.timestamp);
    }

    /// @dev Keys are destroyed some time after a hand-over; older evidence could be made by whoever finds them.
    function _requireRecent(uint64 epoch) private view {
        uint64 current = latestHeight / EPOCH_LENGTH + 1;
        bytes32 set = validatorsHashOf[epoch];
        bool isPrevious = set == previousValidatorsHash && block.timestamp <= handedOverAt + EVIDENCE_WINDOW;
        if (set != validatorsHashOf[current] && !isPrevious) revert EvidenceTooOld(epoch, current);
    }

    /// @dev Lock one: the set of the height's epoch, as it was handed over.
    function _requireValidators(uint64 height, bytes calldata validators) private view {
        uint64 epoch = epochOf(height);
        bytes32 expected = validatorsHashOf[epoch];
        if (expected == 0) revert UnknownEpoch(epoch);
        bytes32 found = keccak256(validators);
        if (found != expected) revert WrongValidators(expected, found);
    }

    /// @dev Lock one: the seal is the precommit itself, in the sidechain's own domain.
    function _requireQuorum(uint64 height, bytes memory validators, Quorum memory quorum) private view {
        bytes32 struct_ = keccak256(abi.encode(PRECOMMIT_TYPEHASH, height, quorum.round, quorum.valueId));
        SignerSets.requireQuorum(_digest(CONSENSUS_SEPARATOR, struct_), validators, quorum.bitmap, quorum.signatures);
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
        latestAcceptedAt = uint64(block.timestamp);
        latestValueId = valueId;
        if (escapeAnnouncedAt != 0) {
            escapeAnnouncedAt = 0;
            emit EscapeCancelled();
        }
        if (c.height % EPOCH_LENGTH == 0) {
            uint64 next = c.height / EPOCH_LENGTH + 1;
            bytes32 current = validatorsHashOf[next - 1];
            if (current != c.nextValidatorsHash)
                (previousValidatorsHash, handedOverAt) = (current, uint64(block.timestamp));
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
