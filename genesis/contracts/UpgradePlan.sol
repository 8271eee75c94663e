// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorSet} from "./ValidatorSet.sol";

/// @title Which rules apply from which height, a predeploy at 0x…1005
/// @notice One upgrade may be scheduled ahead. A node reads the plan from the parent state and halts before a height
/// whose rules its release does not know; the others go on.
///
/// Storage is part of the chain's format (genesis/upgradePlanSlot.ts): slot 0, from the low end, uint64 version in
/// force before `nextHeight`, uint64 nextHeight (zero: none), uint64 nextVersion.
///
/// Invariants: only Governance schedules; versions grow; no height of the current epoch or before it ever gets other
/// rules, so what was executed stays executed under the same rules.
contract UpgradePlan {
    address private constant GOVERNANCE = address(0x1002);
    ValidatorSet private constant VALIDATOR_SET = ValidatorSet(address(0x1000));

    uint64 private _version;
    uint64 private _nextHeight;
    uint64 private _nextVersion;

    event UpgradeScheduled(uint64 indexed height, uint64 version);
    event UpgradeCancelled(uint64 indexed height, uint64 version);

    error NotGovernance(address caller);
    /// @notice An upgrade begins after the current epoch at the earliest.
    error TooEarly(uint64 afterHeight, uint64 found);
    /// @notice The version is not above the one in force.
    error VersionNotAbove(uint64 inForce, uint64 found);
    error NothingScheduled();

    /// @notice The version in force in this block, and what is scheduled after it (zeros: nothing).
    function plan() public view returns (uint64 version, uint64 nextHeight, uint64 nextVersion) {
        if (_nextHeight != 0 && block.number >= _nextHeight) return (_nextVersion, 0, 0);
        return (_version, _nextHeight, _nextVersion);
    }

    /// @notice Reverts when `version` may not be scheduled for `height`; height zero cancels what is scheduled.
    function requireSchedulable(uint64 height, uint64 version) public view returns (uint64 inForce) {
        uint64 scheduled;
        (inForce, scheduled, ) = plan();
        uint64 epochEnd = VALIDATOR_SET.epochEnd();
        if (height == 0) {
            if (scheduled == 0) revert NothingScheduled();
            if (scheduled <= epochEnd) revert TooEarly(epochEnd, scheduled);
            return inForce;
        }
        if (scheduled != 0 && scheduled <= epochEnd) revert TooEarly(epochEnd, scheduled);
        if (height <= epochEnd) revert TooEarly(epochEnd, height);
        if (version <= inForce) revert VersionNotAbove(inForce, version);
    }

    /// @notice Replaces what is scheduled. @param height zero cancels
    function schedule(uint64 height, uint64 version) external {
        if (msg.sender != GOVERNANCE) revert NotGovernance(msg.sender);
        uint64 inForce = requireSchedulable(height, version);
        if (height == 0) {
            emit UpgradeCancelled(_nextHeight, _nextVersion);
            (_version, _nextHeight, _nextVersion) = (inForce, 0, 0);
            return;
        }
        (_version, _nextHeight, _nextVersion) = (inForce, height, version);
        emit UpgradeScheduled(height, version);
    }
}
