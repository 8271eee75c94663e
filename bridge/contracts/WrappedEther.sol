// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Ether as a token, for recipients that cannot receive ether
/// @notice Made with the peg, so that its code follows from the genesis on every L1. Invariant: balance ≥ totalSupply.
contract WrappedEther is ERC20 {
    event Deposit(address indexed account, uint256 amount);
    event Withdrawal(address indexed account, uint256 amount);

    error TransferFailed(address to, uint256 amount);

    constructor() ERC20("Wrapped Ether", "WETH") {}

    receive() external payable {
        deposit();
    }

    /// @notice Ether out, back to the caller.
    function withdraw(uint256 amount) external {
        _burn(msg.sender, amount);
        emit Withdrawal(msg.sender, amount);
        bool sent;
        assembly ("memory-safe") {
            sent := call(gas(), caller(), amount, 0, 0, 0, 0)
        }
        if (!sent) revert TransferFailed(msg.sender, amount);
    }

    /// @notice Ether in, tokens to the caller.
    function deposit() public payable {
        _mint(msg.sender, msg.value);
        emit Deposit(msg.sender, msg.value);
    }
}
