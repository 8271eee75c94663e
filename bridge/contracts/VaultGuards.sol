// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NetFlow} from "./NetFlow.sol";
import {PauseLedger} from "./PauseLedger.sol";
import {PegVerifier} from "./PegVerifier.sol";

/// @title What slows or stops payments out of the vault, and who may
/// @notice Net-flow limits and the queue above them, sentries' pauses and vetoes, and what governance may change of it.
///
/// Invariants:
///  - a claim above the limit is queued for a day, never refused; the queue is keyed by leaf, so that a forged leaf
///    holds up no honest one;
///  - a sentry pauses once, for 72 hours at most, until governance re-arms it; nothing is paused for more than 7 of any
///    30 days, and nobody but governance ends a pause before its time;
///  - a leaf is vetoed once, and for 7 days, unless the council upholds it;
///  - a limit never exceeds what its token was listed with;
///  - once the verifier is escaping, none of it applies any more.
abstract contract VaultGuards {
    using NetFlow for NetFlow.Bucket;
    using PauseLedger for PauseLedger.Span[];

    enum Listing {
        UNKNOWN,
        LISTED,
        DELISTED
    }

    enum Sentry {
        NONE,
        ARMED,
        SPENT
    }

    struct Asset {
        uint128 locked;
        uint64 pausedUntil;
        Listing listing;
        NetFlow.Bucket bucket;
        uint128 minimum;
        uint112 mostCap;
    }

    /// @dev Times in seconds, zero for never.
    struct Hold {
        uint64 queuedAt;
        uint64 vetoedAt;
        bool upheld;
    }

    /// @notice The scope of a pause that is not one token's.
    address public constant EVERYTHING = address(type(uint160).max);
    uint256 public constant QUEUE_DELAY = 1 days;
    uint256 public constant VETO_PERIOD = 7 days;

    PegVerifier public immutable VERIFIER;
    address public immutable TIMELOCK;
    address public immutable COUNCIL;

    /// @notice How many deposits were taken; also the next nonce.
    uint64 public depositCount;
    /// @notice Nothing is paid or taken before; seconds.
    uint64 public pausedUntil;
    /// @notice How many tokens were ever listed.
    uint32 public tokenCount;
    /// @notice Hash chain over all deposit leaves: h₀ = 0, h = keccak(abi.encode(h, leaf)).
    bytes32 public depositHash;
    mapping(address token => Asset asset) internal _assets;
    mapping(uint256 word => uint256 bits) internal _claimed;
    mapping(bytes32 leaf => Hold hold) public holdOf;
    mapping(address account => Sentry state) public sentryOf;
    mapping(address scope => PauseLedger.Span[] spans) private _pauses;
    /// @dev Listed tokens and what stands for them on the sidechain: nothing could be credited or paid there.
    mapping(address account => bool refused) internal _refused;

    event ClaimQueued(bytes32 indexed leaf, address indexed token, uint256 amount, uint64 payableAt);
    event Paused(address indexed sentry, address indexed scope, uint64 until);
    event PauseLifted(address indexed scope);
    event Vetoed(address indexed sentry, bytes32 indexed leaf, uint64 until);
    event VetoUpheld(bytes32 indexed leaf);
    event VetoReleased(bytes32 indexed leaf);
    event SentrySet(address indexed sentry, bool armed);
    event LimitSet(address indexed token, uint256 cap);

    error NotTimelock(address caller);
    error NotCouncil(address caller);
    /// @notice Not a sentry, or its one pause is spent until governance re-arms it.
    error NotArmed(address caller);
    error NotASentry(address caller);
    error EscapeIsActive();
    error IsPaused(address scope, uint64 until);
    /// @notice Above the limit: payable from then on, or earlier if the limit has room again.
    error StillQueued(uint64 payableAt);
    /// @notice A sentry stopped this leaf; `until` is the largest number while the council upholds it.
    error IsVetoed(uint64 until);
    error AlreadyVetoed(bytes32 leaf);
    error NotVetoed(bytes32 leaf);
    error UnknownToken(address token);
    error LimitTooHigh(uint256 most, uint256 found);

    modifier onlyTimelock() {
        if (msg.sender != TIMELOCK) revert NotTimelock(msg.sender);
        _requireNoEscape();
        _;
    }

    constructor(PegVerifier verifier, address timelock, address council, address[] memory sentries) {
        VERIFIER = verifier;
        TIMELOCK = timelock;
        COUNCIL = council;
        for (uint256 i = 0; i < sentries.length; ++i) {
            _setSentry(sentries[i], true);
        }
    }

    /// @notice A sentry stops payments and deposits, of one token (zero is ether) or of EVERYTHING.
    function pause(address scope, uint64 duration) external {
        if (sentryOf[msg.sender] != Sentry.ARMED) revert NotArmed(msg.sender);
        _requireNoEscape();
        if (scope != EVERYTHING) _requireKnown(scope);
        sentryOf[msg.sender] = Sentry.SPENT;
        uint64 until = _pauses[scope].extend(_pauses[EVERYTHING], duration);
        _setPausedUntil(scope, until);
        emit Paused(msg.sender, scope, until);
    }

    /// @notice A sentry stops one leaf, once.
    function veto(bytes32 leaf) external {
        if (sentryOf[msg.sender] == Sentry.NONE) revert NotASentry(msg.sender);
        Hold storage hold = holdOf[leaf];
        if (hold.vetoedAt != 0) revert AlreadyVetoed(leaf);
        hold.vetoedAt = uint64(block.timestamp);
        emit Vetoed(msg.sender, leaf, uint64(block.timestamp + VETO_PERIOD));
    }

    /// @notice The council keeps a vetoed leaf unpaid. It comes directly: the timelock's shortest delay is the veto's life.
    function upholdVeto(bytes32 leaf) external {
        if (msg.sender != COUNCIL) revert NotCouncil(msg.sender);
        Hold storage hold = holdOf[leaf];
        if (hold.vetoedAt == 0 || block.timestamp >= hold.vetoedAt + VETO_PERIOD) revert NotVetoed(leaf);
        hold.upheld = true;
        emit VetoUpheld(leaf);
    }

    /// @notice Governance lets a leaf be paid whose veto was upheld.
    function releaseVeto(bytes32 leaf) external onlyTimelock {
        if (!holdOf[leaf].upheld) revert NotVetoed(leaf);
        holdOf[leaf].upheld = false;
        emit VetoReleased(leaf);
    }

    function liftPause(address scope) external onlyTimelock {
        _pauses[scope].lift();
        _setPausedUntil(scope, _pauses[scope].end());
        emit PauseLifted(scope);
    }

    /// @notice Appoints, re-arms, or dismisses.
    function setSentry(address sentry, bool armed) external onlyTimelock {
        _setSentry(sentry, armed);
    }

    /// @notice Changes what may leave within a day, never above what the token was listed with.
    function setLimit(address token, uint112 cap) external onlyTimelock {
        _requireKnown(token);
        _setLimit(token, cap);
    }

    /// @notice What of a token could leave at once now, and when its bucket is full.
    function capacity(address token) external view returns (uint256 level, uint256 cap) {
        NetFlow.Bucket memory bucket = _assets[token].bucket;
        return (bucket.level(), bucket.cap);
    }

    /// @dev Keeps: a leaf that is paused, vetoed or queued pays nothing; each queued leaf waits a day at most.
    /// @return admitted False when it was queued just now.
    function _admit(address token, uint256 amount, bytes32 leaf) internal returns (bool admitted) {
        _requireNotPaused(token);
        Hold memory hold = holdOf[leaf];
        _requireNotVetoed(hold);
        if (hold.queuedAt != 0 && block.timestamp >= hold.queuedAt + QUEUE_DELAY) return true;
        if (_assets[token].bucket.tryDebit(amount)) return true;
        if (hold.queuedAt != 0) revert StillQueued(uint64(hold.queuedAt + QUEUE_DELAY));
        holdOf[leaf].queuedAt = uint64(block.timestamp);
        emit ClaimQueued(leaf, token, amount, uint64(block.timestamp + QUEUE_DELAY));
    }

    function _requireNotPaused(address token) internal view {
        if (block.timestamp < pausedUntil) revert IsPaused(EVERYTHING, pausedUntil);
        uint64 until = _assets[token].pausedUntil;
        if (block.timestamp < until) revert IsPaused(token, until);
    }

    function _setLimit(address token, uint112 cap) internal {
        Asset storage asset = _assets[token];
        if (cap > asset.mostCap) revert LimitTooHigh(asset.mostCap, cap);
        asset.bucket.setCap(cap);
        emit LimitSet(token, cap);
    }

    function _requireKnown(address token) internal view {
        if (_assets[token].listing == Listing.UNKNOWN) revert UnknownToken(token);
    }

    /// @return until When the veto ends: zero without one, the largest number while it is upheld.
    function _vetoedUntil(Hold memory hold) internal pure returns (uint64 until) {
        if (hold.upheld) return type(uint64).max;
        return hold.vetoedAt == 0 ? 0 : uint64(hold.vetoedAt + VETO_PERIOD);
    }

    function _requireNotVetoed(Hold memory hold) private view {
        uint64 until = _vetoedUntil(hold);
        if (block.timestamp < until) revert IsVetoed(until);
    }

    function _requireNoEscape() private view {
        if (VERIFIER.isEscaping()) revert EscapeIsActive();
    }

    function _setPausedUntil(address scope, uint64 until) private {
        if (scope == EVERYTHING) pausedUntil = until;
        else _assets[scope].pausedUntil = until;
    }

    function _setSentry(address sentry, bool armed) private {
        sentryOf[sentry] = armed ? Sentry.ARMED : Sentry.NONE;
        emit SentrySet(sentry, armed);
    }
}
