// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The validator set, a predeploy at 0x…1000
/// @notice Views over two lists that the genesis writes and the node reads directly: `active` votes on the next
/// height, `pending` replaces it at the epoch's last block, copied by the node itself before the state root.
///
/// Storage is part of the chain's format (genesis/validatorSetSlots.ts): slot 0 is `active`, slot 1 is `pending`, an
/// element is one word, address << 96 | uint64 power, strictly ascending by address. Nothing here changes them.
contract ValidatorSet {
    uint256[] private _active;
    uint256[] private _pending;

    struct Validator {
        address account;
        uint64 power;
    }

    /// @notice The set that votes on the next height, ascending by address.
    function active() external view returns (Validator[] memory) {
        return _decode(_active);
    }

    /// @notice The set that becomes active at the end of the epoch.
    function pending() external view returns (Validator[] memory) {
        return _decode(_pending);
    }

    /// @notice keccak of the packed (address ‖ uint64 power) list of the active set.
    function activeHash() external view returns (bytes32) {
        return _hash(_active);
    }

    /// @notice keccak of the packed (address ‖ uint64 power) list of the pending set.
    function pendingHash() external view returns (bytes32) {
        return _hash(_pending);
    }

    function _decode(uint256[] memory words) private pure returns (Validator[] memory validators) {
        validators = new Validator[](words.length);
        for (uint256 i = 0; i < words.length; ++i) {
            validators[i] = Validator(address(uint160(words[i] >> 96)), uint64(words[i]));
        }
    }

    function _hash(uint256[] memory words) private pure returns (bytes32) {
        bytes memory packed = new bytes(words.length * 28);
        for (uint256 i = 0; i < words.length; ++i) {
            bytes28 entry = bytes28((bytes32(words[i] >> 96) << 96) | (bytes32(uint256(uint64(words[i]))) << 32));
            assembly ("memory-safe") {
                let place := add(add(packed, 32), mul(i, 28))
                // The last entry's word would run 4 bytes past the data: keep what is there.
                let kept := and(mload(place), 0xffffffff)
                mstore(place, or(entry, kept))
            }
        }
        return keccak256(packed);
    }
}
