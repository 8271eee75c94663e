// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Leaf, Leaves} from "./Leaves.sol";
import {NetFlow} from "./NetFlow.sol";
import {OutboxTree} from "./OutboxTree.sol";
import {PegVerifier} from "./PegVerifier.sol";
import {VaultGuards} from "./VaultGuards.sol";
import {WrappedEther} from "./WrappedEther.sol";

/// @notice What the vault is born with; nothing of it but the cap and the sentries can be changed by anybody.
/// @param etherCap What of ether may leave at once, and within a day; `mostEtherCap` is the most that governance may set.
struct VaultConfig {
    PegVerifier verifier;
    address council;
    address timelock;
    address escape;
    WrappedEther weth;
    uint256 sidechainId;
    uint256 backed;
    uint112 etherCap;
    uint112 mostEtherCap;
    address[] sentries;
}

/// @title Holds what circulates on the sidechain
/// @notice Locks deposits and releases withdrawals that were burned on the anchored sidechain. No owner, no proxy, no
/// initialiser; the only ways out are a Merkle proof against a root that PegVerifier accepted and, once the escape is
/// active, PegEscape's proofs against the last accepted state.
///
/// Invariants, per token (zero is ether):
///  - balance ≥ locked = backed + deposited − released; what is forced in only adds surplus and is never counted;
///  - each withdrawal nonce is paid at most once, and only below the accepted root's count;
///  - deposits are numbered without gaps, and `depositHash` commits to all of them in order;
///  - nothing is taken for a recipient to whom it could not be credited, and no token of which less arrives than sent.
contract PegVault is VaultGuards, ReentrancyGuardTransient {
    using NetFlow for NetFlow.Bucket;
    using SafeERC20 for IERC20;

    /// @notice What a claim would do now.
    enum Outlook {
        PAYS,
        QUEUES,
        QUEUED,
        VETOED,
        PAUSED,
        CLAIMED
    }

    /// @notice PegGateway, at the same address on every Causeway sidechain.
    address public constant GATEWAY = 0x0000000000000000000000000000000000001001;
    /// @notice The code of which a listed token's clone is made, on the sidechain.
    address public constant WRAPPED_TOKEN = 0x0000000000000000000000000000000000001007;
    /// @notice Smallest deposit, wei; the smallest burn is the same.
    uint256 public constant MIN_AMOUNT = 0.00001 ether;
    /// @notice Gas that a recipient gets when somebody else claims for it.
    uint256 public constant PAYOUT_GAS = 50_000;
    /// @dev What must be left before the payout, so that the recipient gets PAYOUT_GAS whole: 63/64 rule, value
    /// transfer (9,000), new account (25,000), cold access (2,600), and a margin. With too little for the wrapped
    /// ether that may have to follow, the whole claim reverts.
    uint256 private constant PAYOUT_GAS_FLOOR = PAYOUT_GAS + PAYOUT_GAS / 63 + 40_000;
    uint256 private constant MOST_NAME_BYTES = 64;
    uint256 private constant MOST_SYMBOL_BYTES = 32;

    address public immutable ESCAPE;
    WrappedEther public immutable WETH;
    uint256 public immutable SIDECHAIN_ID;

    /// @notice A listed token's clone on the sidechain, as the token described itself when it was first listed.
    mapping(address token => address wrapped) public wrappedOf;

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
    /// @notice The preimage of a leaf's dataHash, for leaves that have one.
    event DepositData(uint64 indexed nonce, bytes data);
    /// @param recipient Who was paid: the leaf's recipient, or where that recipient redirected it.
    event Claimed(uint64 indexed index, bytes32 indexed leaf, address indexed recipient, address token, uint256 amount);
    /// @notice The recipient did not take ether and got wrapped ether.
    event PaidWrapped(address indexed recipient, uint256 amount);
    event EscapePaid(address indexed token, address indexed recipient, uint256 amount);
    /// @param wrapped The token's address on the sidechain.
    event TokenListed(address indexed token, address wrapped);
    event TokenDelisted(address indexed token);

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
    error NotListed(address token);
    error AlreadyListed(address token);
    /// @notice No contract, one of the peg's own, or a name or symbol that is too long.
    error TokenRefused(address token);
    /// @notice The token moved another amount than asked: fees on transfer and rebases are not supported.
    error WrongTransfer(uint256 expected, uint256 found);
    /// @notice The token took away what the vault held: it stands still until it is made good.
    error TokenShort(address token, uint256 held, uint256 locked);
    error NotEscape(address caller);
    error NotVerifier(address caller);

    /// @dev Checks what was sent, never the balance: a single wei sent here beforehand must not block the creation.
    constructor(
        VaultConfig memory config
    ) payable VaultGuards(config.verifier, config.timelock, config.council, config.sentries) {
        if (address(config.verifier) == address(0)) revert ZeroVerifier();
        if (msg.value != config.backed) revert WrongBacking(config.backed, msg.value);
        ESCAPE = config.escape;
        WETH = config.weth;
        SIDECHAIN_ID = config.sidechainId;
        Asset storage ether_ = _assets[address(0)];
        // The specification bounds the backed sum to 128 bits.
        ether_.locked = uint128(config.backed);
        ether_.listing = Listing.LISTED;
        ether_.mostCap = config.mostEtherCap;
        _setLimit(address(0), config.etherCap);
    }

    // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Locks the ether sent; the same amount is minted to `recipient` on the sidechain.
    function deposit(address recipient) external payable nonReentrant returns (uint64 nonce) {
        _requireDepositable(address(0), recipient, MIN_AMOUNT, msg.value);
        nonce = _take(Leaves.KIND_NATIVE, address(0), recipient, msg.value);
    }

    /// @notice Locks `amount` of a listed token that the caller has approved; the same amount of its clone is minted.
    function depositToken(
        address token,
        address recipient,
        uint256 amount
    ) external nonReentrant returns (uint64 nonce) {
        nonce = _depositToken(token, recipient, amount);
    }

    /// @notice The same with an EIP-2612 permit of the caller. Whoever uses the permit first, the deposit goes through:
    /// its outcome is ignored, and tokens are only ever pulled from the caller.
    function depositTokenWithPermit(
        address token,
        address recipient,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (uint64 nonce) {
        if (_assets[token].listing != Listing.LISTED) revert NotListed(token);
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        nonce = _depositToken(token, recipient, amount);
    }

    // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Pays a withdrawal to its recipient. Anyone may call.
    /// @param index The leaf's place in the outbox tree.
    /// @param proof Its 32 siblings under `outboxRoot`, from the leaf's level upwards.
    /// @param outboxRoot Any root that PegVerifier has accepted and that covers the index.
    /// @return paid False if it is above the limit and was queued: claim again a day later.
    function claim(
        Leaf calldata leaf,
        uint64 index,
        bytes32[32] calldata proof,
        bytes32 outboxRoot
    ) external nonReentrant returns (bool paid) {
        paid = _claim(leaf, index, proof, outboxRoot, leaf.recipient);
    }

    /// @notice The recipient itself redirects the payment, for instance because the token does not serve it.
    function claimTo(
        Leaf calldata leaf,
        uint64 index,
        bytes32[32] calldata proof,
        bytes32 outboxRoot,
        address to
    ) external nonReentrant returns (bool paid) {
        if (msg.sender != leaf.recipient) revert NotRecipient(leaf.recipient, msg.sender);
        _requireRecipient(to);
        paid = _claim(leaf, index, proof, outboxRoot, to);
    }

    /// @notice Pays what PegEscape has proven. The books bound it as they bound everything.
    function payEscape(address token, address to, uint256 amount) external nonReentrant {
        if (msg.sender != ESCAPE) revert NotEscape(msg.sender);
        _release(token, amount);
        emit EscapePaid(token, to, amount);
        if (token == address(0)) _payEther(to, amount, false);
        else _payToken(token, to, amount);
    }

    // ── governance ──────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Lets a token cross. Its first listing travels in the deposit chain, and the sidechain makes its clone.
    /// @param minimum Smallest deposit, in the token's units.
    /// @param cap What may leave at once, and within a day; zero queues every claim.
    /// @param mostCap What governance may ever raise the cap to; fixed by the first listing.
    function listToken(address token, uint128 minimum, uint112 cap, uint112 mostCap) external onlyTimelock {
        Asset storage asset = _assets[token];
        if (asset.listing == Listing.LISTED) revert AlreadyListed(token);
        if (minimum == 0) revert AmountOutOfRange(1, type(uint128).max, 0);
        asset.minimum = minimum;
        if (asset.listing == Listing.UNKNOWN) {
            asset.mostCap = mostCap;
            _announceToken(token);
        }
        asset.listing = Listing.LISTED;
        _setLimit(token, cap);
    }

    /// @notice No more deposits. What is out can always come back: claims go on.
    function delistToken(address token) external onlyTimelock {
        if (token == address(0) || _assets[token].listing != Listing.LISTED) revert NotListed(token);
        _assets[token].listing = Listing.DELISTED;
        emit TokenDelisted(token);
    }

    /// @notice PegVerifier tells the sidechain of other relayers.
    function appendRelayerSet(uint64 relayerEpoch, bytes calldata relayers) external {
        if (msg.sender != address(VERIFIER)) revert NotVerifier(msg.sender);
        _appendData(Leaves.KIND_RELAYER_SET, address(0), relayerEpoch, relayers);
    }

    // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Backed + deposited − released, by token; token zero is ether.
    function locked(address token) public view returns (uint256) {
        return _assets[token].locked;
    }

    /// @return listing Whether it may be deposited; `minimum` its smallest deposit; `mostCap` the bound of its limit.
    function assetOf(
        address token
    ) external view returns (Listing listing, uint64 pausedUntil_, uint128 minimum, uint112 mostCap) {
        Asset storage asset = _assets[token];
        return (asset.listing, asset.pausedUntil, asset.minimum, asset.mostCap);
    }

    /// @notice Whether a withdrawal of so much, claimed now, would wait a day, all else being well.
    function wouldQueue(address token, uint256 amount) external view returns (bool) {
        NetFlow.Bucket memory bucket = _assets[token].bucket;
        return amount > bucket.level();
    }

    /// @notice What a claim of this leaf would do now, its proof being good.
    /// @return outlook What it would do.
    /// @return until When that ends, seconds; zero where there is nothing to wait for.
    function previewClaim(Leaf calldata leaf) external view returns (Outlook outlook, uint64 until) {
        if (isClaimed(leaf.nonce)) return (Outlook.CLAIMED, 0);
        if (VERIFIER.isEscaping()) return (Outlook.PAYS, 0);
        until = _assets[leaf.token].pausedUntil;
        if (pausedUntil > until) until = pausedUntil;
        if (block.timestamp < until) return (Outlook.PAUSED, until);
        Hold memory hold = holdOf[withdrawalHash(leaf)];
        until = _vetoedUntil(hold);
        if (block.timestamp < until) return (Outlook.VETOED, until);
        NetFlow.Bucket memory bucket = _assets[leaf.token].bucket;
        if (leaf.amount <= bucket.level()) return (Outlook.PAYS, 0);
        if (hold.queuedAt == 0) return (Outlook.QUEUES, uint64(block.timestamp + QUEUE_DELAY));
        until = uint64(hold.queuedAt + QUEUE_DELAY);
        return block.timestamp < until ? (Outlook.QUEUED, until) : (Outlook.PAYS, uint64(0));
    }

    function isClaimed(uint64 index) public view returns (bool) {
        return (_claimed[index >> 8] >> (index & 0xff)) & 1 == 1;
    }

    /// @notice The hash of a withdrawal leaf, as the outbox tree holds it.
    function withdrawalHash(Leaf memory leaf) public view returns (bytes32) {
        return Leaves.hash(leaf, SIDECHAIN_ID, block.chainid, GATEWAY, address(this));
    }

    /// @notice Where a token's clone would be on the sidechain, as the token describes itself now.
    function wrappedAddress(address token) public view returns (address) {
        IERC20Metadata metadata = IERC20Metadata(token);
        return
            Clones.predictDeterministicAddressWithImmutableArgs(
                WRAPPED_TOKEN,
                abi.encode(token, metadata.decimals(), metadata.name(), metadata.symbol()),
                bytes32(uint256(uint160(token))),
                GATEWAY
            );
    }

    // ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────

    function _depositToken(address token, address recipient, uint256 amount) private returns (uint64 nonce) {
        Asset storage asset = _assets[token];
        if (token == address(0) || asset.listing != Listing.LISTED) revert NotListed(token);
        _requireDepositable(token, recipient, asset.minimum, amount);
        uint256 before = IERC20(token).balanceOf(address(this));
        if (before < asset.locked) revert TokenShort(token, before, asset.locked);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 found = IERC20(token).balanceOf(address(this));
        if (found != before + amount) revert WrongTransfer(amount, found - before);
        nonce = _take(Leaves.KIND_ERC20, token, recipient, amount);
    }

    /// @dev Keeps: deposits stop while the peg stands still, the escape is announced, or the token is paused.
    function _requireDepositable(address token, address recipient, uint256 minimum, uint256 amount) private view {
        _requireRecipient(recipient);
        uint256 maximum = type(uint128).max - _assets[token].locked;
        if (amount < minimum || amount > maximum) revert AmountOutOfRange(minimum, maximum, amount);
        _requireNotPaused(token);
        VERIFIER.requireOpen();
    }

    function _take(uint8 kind, address token, address recipient, uint256 amount) private returns (uint64 nonce) {
        Asset storage asset = _assets[token];
        // Both and their sum fit: _requireDepositable.
        asset.locked += uint128(amount);
        asset.bucket.credit(amount);
        nonce = _append(Leaf(kind, depositCount, token, msg.sender, recipient, amount, 0, 0));
    }

    function _append(Leaf memory leaf) private returns (uint64) {
        bytes32 leafHash = Leaves.hash(leaf, block.chainid, SIDECHAIN_ID, address(this), GATEWAY);
        bytes32 chainHash = Leaves.chain(depositHash, leafHash);
        depositCount = leaf.nonce + 1;
        depositHash = chainHash;
        emit Deposited(
            leaf.nonce,
            leaf.sender,
            leaf.recipient,
            leaf.kind,
            leaf.token,
            leaf.amount,
            leaf.fee,
            leaf.dataHash,
            leafHash,
            chainHash
        );
        return leaf.nonce;
    }

    /// @dev A leaf that moves nothing and tells the sidechain something; its sender is this contract.
    function _appendData(uint8 kind, address token, uint256 amount, bytes memory data) private {
        uint64 nonce = _append(Leaf(kind, depositCount, token, address(this), address(0), amount, 0, keccak256(data)));
        emit DepositData(nonce, data);
    }

    function _announceToken(address token) private {
        if (token.code.length == 0 || _isPeg(token)) revert TokenRefused(token);
        IERC20Metadata metadata = IERC20Metadata(token);
        (string memory name, string memory symbol) = (metadata.name(), metadata.symbol());
        if (bytes(name).length > MOST_NAME_BYTES || bytes(symbol).length > MOST_SYMBOL_BYTES) {
            revert TokenRefused(token);
        }
        address wrapped = wrappedAddress(token);
        ++tokenCount;
        wrappedOf[token] = wrapped;
        _refused[token] = true;
        _refused[wrapped] = true;
        _appendData(Leaves.KIND_LIST, token, 0, abi.encode(metadata.decimals(), name, symbol));
        emit TokenListed(token, wrapped);
    }

    /// @dev The nullifier and the books are written before anything is paid; a failed payment takes both back.
    function _claim(
        Leaf calldata leaf,
        uint64 index,
        bytes32[32] calldata proof,
        bytes32 outboxRoot,
        address to
    ) private returns (bool) {
        (bytes32 leafHash, bool escaping) = _requireProven(leaf, index, proof, outboxRoot);
        if (isClaimed(index)) revert AlreadyClaimed(index);
        _requireCovered(leaf.token, leaf.amount, escaping);
        if (!escaping && !_admit(leaf.token, leaf.amount, leafHash)) return false;

        _claimed[index >> 8] |= 1 << (index & 0xff);
        _release(leaf.token, leaf.amount);
        emit Claimed(index, leafHash, to, leaf.token, leaf.amount);
        if (leaf.token == address(0)) _payEther(to, leaf.amount, msg.sender == leaf.recipient);
        else _payToken(leaf.token, to, leaf.amount);
        return true;
    }

    function _requireProven(
        Leaf calldata leaf,
        uint64 index,
        bytes32[32] calldata proof,
        bytes32 outboxRoot
    ) private view returns (bytes32 leafHash, bool escaping) {
        uint64 count;
        (count, escaping) = VERIFIER.claimable(outboxRoot);
        if (index >= count) revert NotCovered(index, count);
        if (leaf.nonce != index) revert WrongIndex(leaf.nonce, index);
        bool isToken = leaf.kind == Leaves.KIND_ERC20 && leaf.token != address(0);
        if (!isToken && (leaf.kind != Leaves.KIND_NATIVE || leaf.token != address(0))) {
            revert UnsupportedKind(leaf.kind);
        }
        leafHash = withdrawalHash(leaf);
        bytes32 found = OutboxTree.rootOf(leafHash, index, proof);
        if (found != outboxRoot) revert ProofInvalid(outboxRoot, found);
    }

    /// @dev Who comes first must not take what others are short of; once escaping nobody is left to make it good.
    function _requireCovered(address token, uint256 amount, bool escaping) private view {
        uint256 books = _assets[token].locked;
        if (amount > books) revert LockedTooLow(books, amount);
        if (token == address(0) || escaping) return;
        uint256 held = IERC20(token).balanceOf(address(this));
        if (held < books) revert TokenShort(token, held, books);
    }

    function _release(address token, uint256 amount) private {
        uint256 books = _assets[token].locked;
        if (amount > books) revert LockedTooLow(books, amount);
        // The difference of a 128-bit number and a smaller one.
        _assets[token].locked = uint128(books - amount);
    }

    /// @dev Exactly the amount leaves, or nothing does and the claim stays open.
    function _payToken(address token, address to, uint256 amount) private {
        uint256 held = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransfer(to, amount);
        uint256 left = IERC20(token).balanceOf(address(this));
        if (left + amount != held) revert WrongTransfer(amount, held - left);
    }

    /// @dev A recipient that calls gives all the gas; for others it is bounded, and a caller who sends too little is told
    /// so. Whoever does not take ether gets it wrapped. What a recipient returns is never copied.
    function _payEther(address to, uint256 amount, bool recipientCalls) private {
        uint256 stipend = gasleft();
        if (!recipientCalls) {
            if (stipend < PAYOUT_GAS_FLOOR) revert NotEnoughGas(PAYOUT_GAS_FLOOR, stipend);
            stipend = PAYOUT_GAS;
        }
        bool paid;
        assembly ("memory-safe") {
            paid := call(stipend, to, amount, 0, 0, 0, 0)
        }
        if (paid) return;
        WETH.deposit{value: amount}();
        IERC20(address(WETH)).safeTransfer(to, amount);
        emit PaidWrapped(to, amount);
    }

    function _requireRecipient(address recipient) private view {
        // Without a token nobody else is refused, and looking is not free.
        bool isToken = tokenCount != 0 && _refused[recipient];
        if (uint160(recipient) < 2 ** 16 || _isPeg(recipient) || isToken) {
            revert RecipientRefused(recipient);
        }
    }

    /// @dev Contracts of the peg, and system contracts that exist on both chains and take no ether. Below 2^16 lie zero,
    /// the precompiles and the predeploys.
    function _isPeg(address account) private view returns (bool) {
        return
            account == address(this) ||
            account == address(VERIFIER) ||
            account == COUNCIL ||
            account == TIMELOCK ||
            account == ESCAPE ||
            account == address(WETH) ||
            account == 0x4e59b44847b379578588920cA78FbF26c0B4956C ||
            account == 0x0000F90827F1C53a10cb7A02335B175320002935 ||
            account == 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02;
    }
}
