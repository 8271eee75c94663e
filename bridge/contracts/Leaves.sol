// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One crossing, in either direction. Chain ids, bridges and version come from the contract that hashes it.
/// @dev `nonce` counts from 0 in each direction; a withdrawal's nonce is its index in the outbox tree.
struct Leaf {
    uint8 kind;
    uint64 nonce;
    address token;
    address sender;
    address recipient;
    uint256 amount;
    uint256 fee;
    bytes32 dataHash;
}

/// @notice A `Leaf` of the deposit chain without its nonce, which follows from its place in the chain.
struct Deposit {
    uint8 kind;
    address token;
    address sender;
    address recipient;
    uint256 amount;
    uint256 fee;
    bytes32 dataHash;
}

/// @title Leaf hashes, one format for both directions
/// @notice Invariant: a leaf hash is bound to both chains and both bridges, so that it means nothing to a
/// redeployed bridge, to a fork with another chain id, or in the other direction.
library Leaves {
    uint8 internal constant VERSION = 1;
    /// @notice The native coin of both chains.
    uint8 internal constant KIND_NATIVE = 0;
    /// @notice A listed token; `token` is its L1 address in both directions, amounts are unscaled.
    uint8 internal constant KIND_ERC20 = 1;
    /// @notice From here on `token` may cross: deposits only, dataHash = keccak(abi.encode(decimals, name, symbol)).
    uint8 internal constant KIND_LIST = 2;
    /// @notice From here on other relayers attest: deposits only, `amount` is the new relayerEpoch, dataHash is the
    /// keccak of the packed set.
    uint8 internal constant KIND_RELAYER_SET = 3;

    bytes32 internal constant TYPEHASH = keccak256(
        "Leaf(uint8 version,uint8 kind,uint64 nonce,uint256 srcChainId,uint256 dstChainId,address srcBridge,address dstBridge,address token,address sender,address recipient,uint256 amount,uint256 fee,bytes32 dataHash)"
    );

    /// @dev Hashed twice, so that no inner node of a tree (one hash of 64 bytes) can pass for a leaf.
    function hash(
        Leaf memory leaf,
        uint256 srcChainId,
        uint256 dstChainId,
        address srcBridge,
        address dstBridge
    ) internal pure returns (bytes32) {
        bytes32 once = keccak256(
            abi.encode(
                TYPEHASH,
                VERSION,
                leaf.kind,
                leaf.nonce,
                srcChainId,
                dstChainId,
                srcBridge,
                dstBridge,
                leaf.token,
                leaf.sender,
                leaf.recipient,
                leaf.amount,
                leaf.fee,
                leaf.dataHash
            )
        );
        return keccak256(abi.encode(once));
    }

    /// @notice The deposit hash chain after `leaf`: h₀ = 0, h = keccak(abi.encode(h, leaf)).
    function chain(bytes32 previous, bytes32 leaf) internal pure returns (bytes32) {
        return keccak256(abi.encode(previous, leaf));
    }
}
