// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {Deposit, Leaf, Leaves} from "./Leaves.sol";
import {PegVault} from "./PegVault.sol";
import {PegVerifier} from "./PegVerifier.sol";

/// @notice Whose assets are claimed, and why they may go where they go.
/// @param accountProof The account under the state root. Empty if the state has no such account: then the account's
/// own key must call, which shows that no contract lives there.
/// @param delegate For an account with an EIP-7702 delegation, to whom; zero otherwise.
/// @param exitProof For a contract: its exitRecipient under PegGateway's storage root; empty otherwise.
struct Owner {
    address account;
    bytes[] accountProof;
    address delegate;
    bytes[] exitProof;
}

/// @title The exit that needs nobody's permission
/// @notice Once PegVerifier's escape is active, everybody is paid by the last accepted checkpoint: withdrawals below
/// its outbox count by PegVault.claim as ever, and here deposits that it had not imported, balances of ether and of
/// tokens, and parked credits. Anyone may claim for anyone.
///
/// Invariants: nothing is paid before the escape is active, nor twice for one (account, token), one parked credit or
/// one deposit; balances go to the account itself where a key holds it, otherwise only where the contract itself said;
/// PegGateway's own balance, which backs nothing, is never paid.
contract PegEscape is ReentrancyGuardTransient {
    address private constant GATEWAY = 0x0000000000000000000000000000000000001001;
    /// @dev Storage of PegGateway and of WrappedToken; tests hold the compiler's layout against these.
    uint256 private constant PARKED_SLOT = 11;
    uint256 private constant EXIT_RECIPIENT_SLOT = 44;
    uint256 private constant BALANCES_SLOT = 0;
    bytes32 private constant NO_CODE = keccak256("");
    uint8 private constant BALANCE = 0;
    uint8 private constant PARKED = 1;
    /// @dev What must be left before each refund, so that no stinginess, and no wallet's gas estimate, makes a payment
    /// fail that would go through: wrapped ether or a token's transfer takes less.
    uint256 private constant REFUND_GAS_FLOOR = 300_000;

    PegVault public immutable VAULT;
    PegVerifier public immutable VERIFIER;
    uint256 public immutable SIDECHAIN_ID;

    /// @notice Proven storage roots of sidechain contracts: the gateway's, and each clone's.
    mapping(address account => bytes32 root) public storageRootOf;
    /// @notice Deposits from here on are refunded; meaningless before the first refund.
    uint64 public unwoundTo;
    bool private _unwinding;
    bytes32 private _unwoundHash;
    mapping(bytes32 key => bool paid) private _paid;
    /// @notice Refunds that the token did not let through; the depositor collects them to anywhere.
    mapping(address account => mapping(address token => uint256 amount)) public owed;

    event StorageProven(address indexed account, bytes32 root);
    event Escaped(address indexed account, address indexed token, address indexed to, uint256 amount, bool parked);
    event Refunded(uint64 indexed nonce, address indexed sender, address token, uint256 amount, bool paid);

    error NotEscaping();
    error AlreadyPaid(address account, address token);
    error NothingOwed(address account, address token);
    /// @notice The gateway's balance is the pre-funded one: it belongs to nobody.
    error Excluded(address account);
    /// @notice The state has no such account: only its own key may claim, by a plain call.
    error KeyMustCall(address account);
    /// @notice A contract without an exitRecipient: what it owns stays locked.
    error NoExitRecipient(address account);
    error StorageNotProven(address account);
    /// @notice Every deposit that was not imported is refunded already.
    error NothingToRefund(uint64 importedCount);
    /// @notice The deposits do not lead to the vault's hash chain; give the newest one first.
    error WrongDeposit(uint64 nonce);
    error NotEnoughGas(uint256 needed, uint256 left);

    modifier whileEscaping() {
        if (!VERIFIER.isEscaping()) revert NotEscaping();
        _;
    }

    constructor(PegVault vault, PegVerifier verifier, uint256 sidechainId) {
        VAULT = vault;
        VERIFIER = verifier;
        SIDECHAIN_ID = sidechainId;
    }

    /// @notice Proves a contract's storage root once, for all claims that need it: the gateway's, or a clone's.
    function proveStorage(address account, bytes[] calldata accountProof) external whileEscaping {
        (, , bytes32 root, ) = _account(account, accountProof);
        storageRootOf[account] = root;
        emit StorageProven(account, root);
    }

    /// @notice An account's ether.
    function claimEther(Owner calldata owner) external nonReentrant whileEscaping {
        if (owner.accountProof.length == 0) revert NothingOwed(owner.account, address(0));
        (, uint256 amount, , ) = _account(owner.account, owner.accountProof);
        _settle(owner, BALANCE, address(0), amount);
    }

    /// @notice An account's balance of a listed token.
    /// @param balanceProof Of the clone's balance under its proven storage root.
    function claimToken(
        address token,
        Owner calldata owner,
        bytes[] calldata balanceProof
    ) external nonReentrant whileEscaping {
        address clone = VAULT.wrappedOf(token);
        uint256 amount = _word(clone, _mapped(owner.account, bytes32(BALANCES_SLOT)), balanceProof);
        _settle(owner, BALANCE, token, amount);
    }

    /// @notice Ether that the gateway parked because its recipient did not take it.
    function claimParked(Owner calldata owner, bytes[] calldata parkedProof) external nonReentrant whileEscaping {
        bytes32 byAccount = _mapped(address(0), bytes32(PARKED_SLOT));
        uint256 amount = _word(GATEWAY, _mapped(owner.account, byAccount), parkedProof);
        _settle(owner, PARKED, address(0), amount);
    }

    /// @notice Refunds deposits that were not imported, by unwinding the vault's hash chain from its head.
    /// @param latestFirst The newest deposit that is not refunded yet, then the one before it, and so on.
    /// @param before For each, the chain's hash before it.
    function refund(Deposit[] calldata latestFirst, bytes32[] calldata before) external nonReentrant whileEscaping {
        uint64 imported = VERIFIER.latestImportedCount();
        (uint64 count, bytes32 hash) = _unwinding
            ? (unwoundTo, _unwoundHash)
            : (VAULT.depositCount(), VAULT.depositHash());
        for (uint256 i = 0; i < latestFirst.length; ++i) {
            if (count == imported) revert NothingToRefund(imported);
            --count;
            Deposit calldata d = latestFirst[i];
            Leaf memory leaf = Leaf(d.kind, count, d.token, d.sender, d.recipient, d.amount, d.fee, d.dataHash);
            bytes32 leafHash = Leaves.hash(leaf, block.chainid, SIDECHAIN_ID, address(VAULT), GATEWAY);
            if (Leaves.chain(before[i], leafHash) != hash) revert WrongDeposit(count);
            hash = before[i];
            if (d.kind <= Leaves.KIND_ERC20) _refund(count, d);
        }
        (_unwinding, unwoundTo, _unwoundHash) = (true, count, hash);
    }

    /// @notice What a refund could not pay, to anywhere.
    function collect(address token, address to) external nonReentrant {
        uint256 amount = owed[msg.sender][token];
        if (amount == 0) revert NothingOwed(msg.sender, token);
        delete owed[msg.sender][token];
        VAULT.payEscape(token, to, amount);
    }

    function isPaid(address account, address token, bool parked) external view returns (bool) {
        return _paid[_key(parked ? PARKED : BALANCE, account, token)];
    }

    /// @dev One depositor's refusal must not stop those behind it in the chain.
    function _refund(uint64 nonce, Deposit calldata d) private {
        if (gasleft() < REFUND_GAS_FLOOR) revert NotEnoughGas(REFUND_GAS_FLOOR, gasleft());
        bool paid = true;
        try VAULT.payEscape(d.token, d.sender, d.amount) {} catch {
            // solhint-disable-previous-line no-empty-blocks
            paid = false;
            owed[d.sender][d.token] += d.amount;
        }
        emit Refunded(nonce, d.sender, d.token, d.amount, paid);
    }

    /// @dev The nullifier comes first; the vault's guard and ours keep everything else out while it pays.
    function _settle(Owner calldata owner, uint8 kind, address token, uint256 amount) private {
        if (owner.account == GATEWAY) revert Excluded(owner.account);
        if (amount == 0) revert NothingOwed(owner.account, token);
        bytes32 key = _key(kind, owner.account, token);
        if (_paid[key]) revert AlreadyPaid(owner.account, token);
        _paid[key] = true;
        address to = _payee(owner);
        emit Escaped(owner.account, token, to, amount, kind == PARKED);
        VAULT.payEscape(token, to, amount);
    }

    /// @dev Keys own the same address on both chains; a contract's address on the L1 may be anybody's or nobody's.
    function _payee(Owner calldata owner) private view returns (address) {
        if (owner.accountProof.length == 0) {
            // solhint-disable-next-line avoid-tx-origin
            if (msg.sender != owner.account || tx.origin != msg.sender) revert KeyMustCall(owner.account);
            return owner.account;
        }
        (, , , bytes32 codeHash) = _account(owner.account, owner.accountProof);
        if (codeHash == NO_CODE) return owner.account;
        if (codeHash == keccak256(abi.encodePacked(hex"ef0100", owner.delegate))) return owner.account;
        if (owner.exitProof.length == 0) revert NoExitRecipient(owner.account);
        uint256 recipient = _word(GATEWAY, _mapped(owner.account, bytes32(EXIT_RECIPIENT_SLOT)), owner.exitProof);
        return address(uint160(recipient));
    }

    function _account(
        address account,
        bytes[] calldata proof
    ) private view returns (uint256 nonce, uint256 balance, bytes32 storageRoot, bytes32 codeHash) {
        bytes memory value = TrieProof.traverse(
            VERIFIER.escapeStateRoot(),
            abi.encodePacked(keccak256(abi.encodePacked(account))),
            proof
        );
        Memory.Slice[] memory fields = RLP.decodeList(value);
        nonce = RLP.readUint256(fields[0]);
        balance = RLP.readUint256(fields[1]);
        storageRoot = RLP.readBytes32(fields[2]);
        codeHash = RLP.readBytes32(fields[3]);
    }

    /// @dev A storage word, which is not zero: the trie holds no others.
    function _word(address account, bytes32 slot, bytes[] calldata proof) private view returns (uint256) {
        bytes32 root = storageRootOf[account];
        if (root == 0) revert StorageNotProven(account);
        return RLP.decodeUint256(TrieProof.traverse(root, abi.encodePacked(keccak256(abi.encode(slot))), proof));
    }

    function _mapped(address key, bytes32 slot) private pure returns (bytes32) {
        return keccak256(abi.encode(key, slot));
    }

    function _key(uint8 kind, address account, address token) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, account, token));
    }
}
