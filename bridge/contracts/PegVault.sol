// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Leaf, Leaves} from "./Leaves.sol";
import {OutboxTree} from "./OutboxTree.sol";
import {PegVerifier} from "./PegVerifier.sol";

/// @title Holds what circulates on the sidechain
/// @notice Locks deposits and releases withdrawals that were burned on the anchored sidechain. No owner, no proxy, no
/// initialiser; the only way out is a Merkle proof against a root that PegVerifier accepted.
///
/// Invariants:
///  - balance ≥ locked(0) = backed + deposited − released; ether forced in only adds surplus and is never counted;
///  - each withdrawal nonce is paid at most once, and only below the accepted root's count;
///  - deposits are numbered without gaps, and `depositHash` commits to all of them in order;
///  - nothing is taken for a recipient to whom it could not be credited.
contract PegVault is ReentrancyGuardTransient {
    /// @notice PegGateway, at the same address on every Causeway sidechain.
    address public constant GATEWAY = 0x0000000000000000000000000000000000001001;
    /// @notice Smallest deposit, wei; the smallest burn is the same.
    uint256 public constant MIN_AMOUNT = 0.00001 ether;
    /// @notice Gas that a recipient gets when somebody else claims for it.
    uint256 public constant PAYOUT_GAS = 50_000;
    /// @dev What must be left before the payout, so that the recipient gets PAYOUT_GAS whole: 63/64 rule, value
    /// transfer (9,000), new account (25,000), cold access (2,600), and a margin.
    uint256 private constant PAYOUT_GAS_FLOOR = PAYOUT_GAS + PAYOUT_GAS / 63 + 40_000;

    PegVerifier public immutable VERIFIER;
    uint256 public immutable SIDECHAIN_ID;

    /// @notice How many deposits were taken; also the next nonce.
    uint64 public depositCount;
    /// @notice Hash chain over all deposit leaves: h₀ = 0, h = keccak(abi.encode(h, leaf)).
    bytes32 public depositHash;
    /// @notice Backed + deposited − released, by token; token zero is ether.
    mapping(address token => uint256 amount) public locked;
    mapping(uint256 word => uint256 bits) private _claimed;

    /// @param chainHash `depositHash` after this leaf.
    event Deposited(
        uint64 indexed nonce,
        address indexed sender,
        address indexed recipient,
        uint8 kind,
        address token,
        uint256 amount,
        uint256 fee,
        bytes32 dataHash,
        bytes32 leaf,
        bytes32 chainHash
    );
    /// @param recipient Who was paid: the leaf's recipient, or where that recipient redirected it.
    event Claimed(uint64 indexed index, bytes32 indexed leaf, address indexed recipient, address token, uint256 amount);

    /// @notice The value sent differs from the sum that the genesis balances need as backing.
    error WrongBacking(uint256 expected, uint256 found);
    error ZeroVerifier();
    /// @notice Nothing could be credited or paid there: a reserved address or a contract of the peg.
    error RecipientRefused(address recipient);
    error AmountOutOfRange(uint256 minimum, uint256 maximum, uint256 found);
    /// @notice No accepted root covers this index; a later checkpoint may.
    error NotCovered(uint64 index, uint64 count);
    /// @notice A withdrawal's nonce is its place in the outbox tree.
    error WrongIndex(uint64 nonce, uint64 index);
    error UnsupportedKind(uint8 kind);
    error ProofInvalid(bytes32 expected, bytes32 found);
    error AlreadyClaimed(uint64 index);
    error LockedTooLow(uint256 locked, uint256 amount);
    /// @notice Only the leaf's recipient may redirect its payment.
    error NotRecipient(address recipient, address caller);
    error NotEnoughGas(uint256 needed, uint256 left);
    /// @notice The recipient refused the ether; the claim stays open, and the recipient may claim to another address.
    error PayoutFailed(address recipient, uint256 amount);

    /// @dev Checks what was sent, never the balance: a single wei sent here beforehand must not block the creation.
    constructor(PegVerifier verifier, uint256 sidechainId, uint256 backed) payable {
        if (address(verifier) == address(0)) revert ZeroVerifier();
        if (msg.value != backed) revert WrongBacking(backed, msg.value);
        VERIFIER = verifier;
        SIDECHAIN_ID = sidechainId;
        locked[address(0)] = backed;
    }

    /// @notice Locks the ether sent; the same amount is minted to `recipient` on the sidechain.
    function deposit(address recipient) external payable nonReentrant returns (uint64 nonce) {
        _requireRecipient(recipient);
        if (msg.value < MIN_AMOUNT || msg.value > type(uint128).max) {
            revert AmountOutOfRange(MIN_AMOUNT, type(uint128).max, msg.value);
        }
        nonce = depositCount;
        Leaf memory leaf = Leaf(Leaves.KIND_NATIVE, nonce, address(0), msg.sender, recipient, msg.value, 0, 0);
        bytes32 leafHash = Leaves.hash(leaf, block.chainid, SIDECHAIN_ID, address(this), GATEWAY);
        bytes32 chainHash = Leaves.chain(depositHash, leafHash);

        depositCount = nonce + 1;
        depositHash = chainHash;
        locked[address(0)] += msg.value;
        emit Deposited(nonce, msg.sender, recipient, leaf.kind, address(0), msg.value, 0, 0, leafHash, chainHash);
    }

    /// @notice Pays a withdrawal to its recipient. Anyone may call.
    /// @param index The leaf's place in the outbox tree.
    /// @param proof Its 32 siblings under `outboxRoot`, from the leaf's level upwards.
    /// @param outboxRoot Any root that PegVerifier has accepted and that covers the index.
    function claim(
        Leaf calldata leaf,
        uint64 index,
        bytes32[32] calldata proof,
        bytes32 outboxRoot
    ) external nonReentrant {
        _claim(leaf, index, proof, outboxRoot, leaf.recipient);
    }

    /// @notice The recipient itself redirects the payment, for instance because it cannot receive ether.
    function claimTo(
        Leaf calldata leaf,
        uint64 index,
        bytes32[32] calldata proof,
        bytes32 outboxRoot,
        address to
    ) external nonReentrant {
        if (msg.sender != leaf.recipient) revert NotRecipient(leaf.recipient, msg.sender);
        _requireRecipient(to);
        _claim(leaf, index, proof, outboxRoot, to);
    }

    function isClaimed(uint64 index) public view returns (bool) {
        return (_claimed[index >> 8] >> (index & 0xff)) & 1 == 1;
    }

    /// @notice The hash of a withdrawal leaf, as the outbox tree holds it.
    function withdrawalHash(Leaf memory leaf) public view returns (bytes32) {
        return Leaves.hash(leaf, SIDECHAIN_ID, block.chainid, GATEWAY, address(this));
    }

    /// @dev The nullifier and the books are written before anything is paid; a failed payment takes both back.
    function _claim(
        Leaf calldata leaf,
        uint64 index,
        bytes32[32] calldata proof,
        bytes32 outboxRoot,
        address to
    ) private {
        bytes32 leafHash = _requireProven(leaf, index, proof, outboxRoot);
        if (isClaimed(index)) revert AlreadyClaimed(index);
        uint256 available = locked[leaf.token];
        if (leaf.amount > available) revert LockedTooLow(available, leaf.amount);

        _claimed[index >> 8] |= 1 << (index & 0xff);
        locked[leaf.token] = available - leaf.amount;
        emit Claimed(index, leafHash, to, leaf.token, leaf.amount);
        _pay(to, leaf.amount, msg.sender == leaf.recipient);
    }

    function _requireProven(
        Leaf calldata leaf,
        uint64 index,
        bytes32[32] calldata proof,
        bytes32 outboxRoot
    ) private view returns (bytes32 leafHash) {
        uint64 count = VERIFIER.outboxCountOf(outboxRoot);
        if (index >= count) revert NotCovered(index, count);
        if (leaf.nonce != index) revert WrongIndex(leaf.nonce, index);
        if (leaf.kind != Leaves.KIND_NATIVE || leaf.token != address(0)) revert UnsupportedKind(leaf.kind);
        leafHash = withdrawalHash(leaf);
        bytes32 found = OutboxTree.rootOf(leafHash, index, proof);
        if (found != outboxRoot) revert ProofInvalid(outboxRoot, found);
    }

    /// @dev A recipient that claims for itself gets all the gas; for others it is bounded, and a caller who sends too
    /// little is told so instead of making the payment fail. What the recipient returns is never copied.
    function _pay(address to, uint256 amount, bool recipientCalls) private {
        uint256 stipend = gasleft();
        if (!recipientCalls) {
            if (stipend < PAYOUT_GAS_FLOOR) revert NotEnoughGas(PAYOUT_GAS_FLOOR, stipend);
            stipend = PAYOUT_GAS;
        }
        bool paid;
        assembly ("memory-safe") {
            paid := call(stipend, to, amount, 0, 0, 0, 0)
        }
        if (!paid) revert PayoutFailed(to, amount);
    }

    /// @dev Below 2^16 lie zero, the precompiles and the predeploys; the others are contracts of the peg, and system
    /// contracts that exist on both chains and take no ether.
    function _requireRecipient(address recipient) private view {
        if (
            uint160(recipient) < 2 ** 16 ||
            recipient == address(this) ||
            recipient == address(VERIFIER) ||
            recipient == 0x4e59b44847b379578588920cA78FbF26c0B4956C ||
            recipient == 0x0000F90827F1C53a10cb7A02335B175320002935 ||
            recipient == 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02
        ) revert RecipientRefused(recipient);
    }
}
