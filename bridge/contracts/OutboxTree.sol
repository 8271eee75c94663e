// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @title Append-only Merkle tree of depth 32
/// @notice Empty leaf 0, node = keccak(left ‖ right). Invariants: a leaf never moves or changes, and any later root
/// proves every earlier leaf. One shape for everyone: a proof has exactly 32 siblings, enforced by its type.
library OutboxTree {
    uint256 internal constant DEPTH = 32;
    /// @dev The last position stays empty, so that a count always fits in 32 bits.
    uint256 internal constant CAPACITY = 2 ** 32 - 1;

    /// @notice The tree has no place left.
    error OutboxFull();

    /// @notice Appends at position `count`.
    /// @param branch For each level the full left subtree that still waits for its right one.
    /// @return root The root over `count + 1` leaves.
    function append(bytes32[32] storage branch, uint256 count, bytes32 leaf) internal returns (bytes32 root) {
        if (count >= CAPACITY) revert OutboxFull();
        bytes32 empty = 0;
        bool stored = false;
        root = leaf;
        for (uint256 level = 0; level < DEPTH; ++level) {
            if ((count >> level) & 1 == 1) {
                root = Hashes.efficientKeccak256(branch[level], root);
            } else {
                // The first even level holds the largest full subtree that ends with this leaf; above it the
                // nodes are not full yet and nobody may keep them.
                if (!stored) branch[level] = root;
                stored = true;
                root = Hashes.efficientKeccak256(root, empty);
            }
            empty = Hashes.efficientKeccak256(empty, empty);
        }
    }

    /// @notice The root to which a leaf at `index` and its siblings, from the leaf's level upwards, lead.
    function rootOf(bytes32 leaf, uint256 index, bytes32[32] calldata siblings) internal pure returns (bytes32 root) {
        root = leaf;
        for (uint256 level = 0; level < DEPTH; ++level) {
            bytes32 sibling = siblings[level];
            root =
                (index >> level) & 1 == 1
                    ? Hashes.efficientKeccak256(sibling, root)
                    : Hashes.efficientKeccak256(root, sibling);
        }
    }
}
