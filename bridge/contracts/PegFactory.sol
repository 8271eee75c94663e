// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Creates the peg's contracts at addresses known before the genesis
/// @notice The deployer's first creation (nonce 0) is this contract; what it creates sits at CREATE(factory, 1), (2) …
/// in the order given. Its own creation has nothing that could fail, because a reverted creation would consume the
/// deployer's nonce and move every address.
///
/// Invariants: only the deployer may call; creation is all or nothing, and a failed attempt may be repeated, because
/// a revert also takes back the factory's nonces; it succeeds once, after which nobody has any power here.
contract PegFactory {
    address public immutable DEPLOYER;
    bool public deployed;

    /// @notice Everything was created, in the order given.
    event Deployed(address[] contracts);

    error NotDeployer(address caller);
    error AlreadyDeployed();
    /// @notice Each init code needs one value, and the values must add up to what was sent.
    error ValueMismatch(uint256 expected, uint256 found);
    error CreationFailed(uint256 index, bytes reason);

    constructor() {
        DEPLOYER = msg.sender;
    }

    /// @notice Creates `initCodes[i]` with `values[i]` wei, for every i.
    function deployAll(
        bytes[] calldata initCodes,
        uint256[] calldata values
    ) external payable returns (address[] memory contracts) {
        if (msg.sender != DEPLOYER) revert NotDeployer(msg.sender);
        if (deployed) revert AlreadyDeployed();
        deployed = true;
        if (values.length != initCodes.length) revert ValueMismatch(initCodes.length, values.length);
        contracts = new address[](initCodes.length);
        uint256 sum = 0;
        for (uint256 index = 0; index < initCodes.length; ++index) {
            sum += values[index];
            contracts[index] = _create(initCodes[index], values[index], index);
        }
        if (sum != msg.value) revert ValueMismatch(sum, msg.value);
        emit Deployed(contracts);
    }

    function _create(bytes memory initCode, uint256 value, uint256 index) private returns (address created) {
        assembly ("memory-safe") {
            created := create(value, add(initCode, 32), mload(initCode))
        }
        if (created == address(0)) revert CreationFailed(index, _returnData());
    }

    function _returnData() private pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, returndatasize())
            returndatacopy(add(data, 32), 0, returndatasize())
            mstore(0x40, and(add(add(data, returndatasize()), 63), not(31)))
        }
    }
}
