// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The peg's only governor: what the council decided, at least seven days later
/// @notice Invariants: PegCouncil alone proposes and cancels, anyone executes, there is no administrator, roles can
/// never change, and the delay never falls below seven days.
contract PegTimelock is TimelockController {
    uint256 public constant LEAST_DELAY = 7 days;

    error DelayTooShort(uint256 least, uint256 found);
    error RolesAreFixed();

    constructor(address council) TimelockController(LEAST_DELAY, _only(council), _only(address(0)), address(0)) {}

    function updateDelay(uint256 newDelay) public override {
        if (newDelay < LEAST_DELAY) revert DelayTooShort(LEAST_DELAY, newDelay);
        super.updateDelay(newDelay);
    }

    function grantRole(bytes32, address) public pure override {
        revert RolesAreFixed();
    }

    function revokeRole(bytes32, address) public pure override {
        revert RolesAreFixed();
    }

    function renounceRole(bytes32, address) public pure override {
        revert RolesAreFixed();
    }

    function _only(address account) private pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = account;
    }
}
