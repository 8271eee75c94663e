// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A listed L1 token on the sidechain
/// @notice The code at 0x…1007, of which PegGateway makes one clone a listed token. What a clone is (L1 token,
/// decimals, name, symbol) are immutable arguments in its own code: no initialiser, and its address commits to them.
///
/// Invariants: only the gateway mints and burns, so totalSupply = deposited and imported − withdrawn; `_balances` is
/// at slot 0, where the escape proves it (a test pins it).
contract WrappedToken is ERC20 {
    address private constant GATEWAY = 0x0000000000000000000000000000000000001001;

    error NotGateway(address caller);

    modifier onlyGateway() {
        if (msg.sender != GATEWAY) revert NotGateway(msg.sender);
        _;
    }

    /// @dev Never runs: the genesis writes the runtime code, and clones have no constructor.
    constructor() ERC20("", "") {}

    function mint(address to, uint256 amount) external onlyGateway {
        _mint(to, amount);
    }

    /// @dev The gateway burns from who called it, without an allowance.
    function burn(address from, uint256 amount) external onlyGateway {
        _burn(from, amount);
    }

    /// @notice The token on the L1 that this one stands for.
    function l1Token() external view returns (address token) {
        (token, , , ) = _arguments();
    }

    function decimals() public view override returns (uint8 decimals_) {
        (, decimals_, , ) = _arguments();
    }

    function name() public view override returns (string memory name_) {
        (, , name_, ) = _arguments();
    }

    function symbol() public view override returns (string memory symbol_) {
        (, , , symbol_) = _arguments();
    }

    function _arguments() private view returns (address, uint8, string memory, string memory) {
        return abi.decode(Clones.fetchCloneArgs(address(this)), (address, uint8, string, string));
    }
}
