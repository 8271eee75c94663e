// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PegTimelock} from "./PegTimelock.sol";
import {PegVault} from "./PegVault.sol";
import {SignerSets} from "./SignerSets.sol";

/// @notice The council's word: its packed members, who of them signed, and their signatures.
struct Approval {
    bytes members;
    uint256 bitmap;
    bytes signatures;
}

/// @title The organisations' governance keys on the L1
/// @notice Two thirds of them or more, by signatures that anyone may bring, propose to and cancel in the timelock,
/// and uphold a sentry's veto. Invariants: the members are fixed for good; a decision counts once, in its order; the
/// council holds nothing and can call nothing but these three.
contract PegCouncil {
    bytes32 private constant DECISION_TYPEHASH = keccak256(
        "CouncilDecision(uint8 action,bytes32 subject,uint64 nonce)"
    );
    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    );
    bytes32 private constant NAME_HASH = keccak256("Causeway");
    bytes32 private constant VERSION_HASH = keccak256("1");

    uint8 public constant SCHEDULE = 0;
    uint8 public constant CANCEL = 1;
    uint8 public constant UPHOLD_VETO = 2;

    PegTimelock public immutable TIMELOCK;
    PegVault public immutable VAULT;
    bytes32 public immutable GENESIS_HASH;
    /// @notice keccak of the packed members, 20 bytes each, ascending.
    bytes32 public immutable MEMBERS_HASH;

    /// @notice Of the next decision.
    uint64 public nonce;

    /// @param subject The timelock's operation, or the leaf whose veto is upheld.
    event Decided(uint64 indexed nonce, uint8 indexed action, bytes32 indexed subject);

    error WrongMembers(bytes32 expected, bytes32 found);

    constructor(PegTimelock timelock, PegVault vault, bytes32 genesisHash, bytes memory members) {
        SignerSets.requireMembers(members);
        TIMELOCK = timelock;
        VAULT = vault;
        GENESIS_HASH = genesisHash;
        MEMBERS_HASH = keccak256(members);
    }

    /// @notice Starts the delay of a batch of calls without value.
    function schedule(
        address[] calldata targets,
        bytes[] calldata payloads,
        bytes32 predecessor,
        bytes32 salt,
        Approval calldata approval
    ) external returns (bytes32 operation) {
        uint256[] memory values = new uint256[](targets.length);
        operation = TIMELOCK.hashOperationBatch(targets, values, payloads, predecessor, salt);
        _decide(SCHEDULE, operation, approval);
        TIMELOCK.scheduleBatch(targets, values, payloads, predecessor, salt, TIMELOCK.getMinDelay());
    }

    /// @notice Takes back what was proposed and is not executed yet.
    function cancel(bytes32 operation, Approval calldata approval) external {
        _decide(CANCEL, operation, approval);
        TIMELOCK.cancel(operation);
    }

    /// @notice Keeps a vetoed leaf unpaid beyond the veto's seven days.
    function upholdVeto(bytes32 leaf, Approval calldata approval) external {
        _decide(UPHOLD_VETO, leaf, approval);
        VAULT.upholdVeto(leaf);
    }

    /// @notice What members sign, EIP-712: the domain is this contract on this chain, salted by the sidechain's genesis.
    function decisionDigest(uint8 action, bytes32 subject, uint64 atNonce) public view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this), GENESIS_HASH)
        );
        bytes32 struct_ = keccak256(abi.encode(DECISION_TYPEHASH, action, subject, atNonce));
        return keccak256(abi.encodePacked(hex"1901", separator, struct_));
    }

    function _decide(uint8 action, bytes32 subject, Approval calldata approval) private {
        bytes32 found = keccak256(approval.members);
        if (found != MEMBERS_HASH) revert WrongMembers(MEMBERS_HASH, found);
        uint64 current = nonce;
        SignerSets.requireTwoThirds(
            decisionDigest(action, subject, current),
            approval.members,
            approval.bitmap,
            approval.signatures
        );
        nonce = current + 1;
        emit Decided(current, action, subject);
    }
}
