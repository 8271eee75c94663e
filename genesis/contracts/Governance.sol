// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {UpgradePlan} from "./UpgradePlan.sol";
import {ValidatorSet} from "./ValidatorSet.sol";

/// @notice What organisations can decide on.
enum Action {
    APPROVE_VALIDATOR,
    REMOVE_VALIDATOR,
    SET_POWER,
    SCHEDULE_UPGRADE
}

/// @param account The validator; zero for an upgrade.
/// @param value The validator's power, or the version of the rules; zero for a removal and a cancelled upgrade.
/// @param height Where an upgrade begins, zero to cancel it; zero for validators.
struct Change {
    Action action;
    address account;
    uint64 value;
    uint64 height;
}

/// @title The organisations' votes, a predeploy at 0x…1002
/// @notice One organisation, one vote. What two thirds or more of them voted for within seven days, anyone may
/// execute in that time.
///
/// Storage is part of the chain's format (genesis/governanceSlots.ts): slot 0 is the list of governors, fixed by the
/// genesis and strictly ascending.
///
/// Invariants: a governor counts once a proposal; a proposal is executed at most once, never after it expired, and only
/// if its target accepts it both when proposed and when executed; there is no administrator, no other way in, and no
/// target but ValidatorSet and UpgradePlan.
contract Governance {
    ValidatorSet private constant VALIDATOR_SET = ValidatorSet(address(0x1000));
    UpgradePlan private constant UPGRADE_PLAN = UpgradePlan(address(0x1005));
    uint256 private constant PROPOSAL_LIFETIME = 7 days;

    struct Proposal {
        Change change;
        uint64 expiresAt;
        bool executed;
        /// @dev Bit i is the vote of governor i.
        uint256 votes;
    }

    address[] private _governors;
    Proposal[] private _proposals;

    event Proposed(
        uint256 indexed id,
        address indexed governor,
        Action action,
        address account,
        uint64 value,
        uint64 height,
        uint64 expiresAt
    );
    event Voted(uint256 indexed id, address indexed governor);
    event Executed(uint256 indexed id);

    error NotAGovernor(address caller);
    error UnknownProposal(uint256 id);
    error Expired(uint256 id, uint64 expiresAt);
    error AlreadyVoted(uint256 id, address governor);
    error AlreadyExecuted(uint256 id);
    /// @notice Fewer than two thirds of the organisations voted for it.
    error NotEnoughVotes(uint256 needed, uint256 found);
    /// @notice A field that the action does not use is not zero: people might vote for what it seems to say.
    error UnusedField();

    /// @notice The organisations' keys, ascending.
    function governors() external view returns (address[] memory) {
        return _governors;
    }

    function proposalCount() external view returns (uint256) {
        return _proposals.length;
    }

    /// @notice How many organisations make two thirds.
    function votesNeeded() public view returns (uint256) {
        return (2 * _governors.length + 2) / 3;
    }

    /// @param votes How many organisations voted for it.
    function proposal(
        uint256 id
    ) external view returns (Change memory change, uint64 expiresAt, bool executed, uint256 votes) {
        Proposal storage found = _get(id);
        return (found.change, found.expiresAt, found.executed, _count(found.votes));
    }

    function hasVoted(uint256 id, address governor) external view returns (bool) {
        return (_get(id).votes >> _indexOf(governor)) & 1 == 1;
    }

    /// @notice Proposes a change and votes for it. Reverts with the target's error when it would not be accepted now.
    function propose(Change calldata change) external returns (uint256 id) {
        uint256 index = _indexOf(msg.sender);
        _requireAcceptable(change);
        id = _proposals.length;
        uint64 expiresAt = uint64(block.timestamp + PROPOSAL_LIFETIME);
        _proposals.push(Proposal(change, expiresAt, false, 1 << index));
        emit Proposed(id, msg.sender, change.action, change.account, change.value, change.height, expiresAt);
        emit Voted(id, msg.sender);
    }

    /// @notice An organisation's vote for a proposal; not to vote is to be against.
    function vote(uint256 id) external {
        uint256 bit = 1 << _indexOf(msg.sender);
        Proposal storage found = _open(id);
        if (found.votes & bit != 0) revert AlreadyVoted(id, msg.sender);
        found.votes |= bit;
        emit Voted(id, msg.sender);
    }

    /// @notice Anyone may execute what two thirds voted for.
    function execute(uint256 id) external {
        Proposal storage found = _open(id);
        uint256 votes = _count(found.votes);
        uint256 needed = votesNeeded();
        if (votes < needed) revert NotEnoughVotes(needed, votes);
        found.executed = true;
        emit Executed(id);
        Change memory change = found.change;
        if (change.action == Action.APPROVE_VALIDATOR) VALIDATOR_SET.approve(change.account, change.value);
        else if (change.action == Action.REMOVE_VALIDATOR) VALIDATOR_SET.remove(change.account);
        else if (change.action == Action.SET_POWER) VALIDATOR_SET.setPower(change.account, change.value);
        else UPGRADE_PLAN.schedule(change.height, change.value);
    }

    /// @dev The targets' own judgement, without effect.
    function _requireAcceptable(Change calldata change) private view {
        if (change.action == Action.SCHEDULE_UPGRADE) {
            if (change.account != address(0) || (change.height == 0 && change.value != 0)) revert UnusedField();
            UPGRADE_PLAN.requireSchedulable(change.height, change.value);
            return;
        }
        if (change.height != 0) revert UnusedField();
        if (change.action == Action.APPROVE_VALIDATOR) VALIDATOR_SET.pendingWith(change.account, change.value);
        else if (change.action == Action.SET_POWER) VALIDATOR_SET.pendingWithPower(change.account, change.value);
        else {
            if (change.value != 0) revert UnusedField();
            VALIDATOR_SET.pendingWithout(change.account);
        }
    }

    function _get(uint256 id) private view returns (Proposal storage) {
        if (id >= _proposals.length) revert UnknownProposal(id);
        return _proposals[id];
    }

    function _open(uint256 id) private view returns (Proposal storage found) {
        found = _get(id);
        if (found.executed) revert AlreadyExecuted(id);
        if (found.expiresAt < block.timestamp) revert Expired(id, found.expiresAt);
    }

    function _indexOf(address account) private view returns (uint256) {
        for (uint256 i = 0; i < _governors.length; ++i) {
            if (_governors[i] == account) return i;
        }
        revert NotAGovernor(account);
    }

    function _count(uint256 votes) private pure returns (uint256 count) {
        for (; votes != 0; votes &= votes - 1) ++count;
    }
}
