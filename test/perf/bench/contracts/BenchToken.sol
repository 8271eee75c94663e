// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice OpenZeppelin's ERC-20, unchanged; whoever asks may fill accounts, so that a benchmark can begin.
contract BenchToken is ERC20 {
    constructor() ERC20("Bench", "BENCH") {}

    /// @param holders each gets a million tokens of 18 decimals
    function seed(address[] calldata holders) external {
        for (uint256 i = 0; i < holders.length; i++) _mint(holders[i], 1e24);
    }
}
