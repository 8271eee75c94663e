// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Two kinds of work: slots that nobody wrote before, and hashing.
contract BenchWork {
    mapping(address sender => uint256) public written;
    mapping(bytes32 slot => uint256) public values;
    bytes32 public lastResult;

    /// @param count new slots to write, at addresses of the sender's own
    function write(uint256 count) external {
        uint256 first = written[msg.sender];
        for (uint256 i = first; i < first + count; i++) values[keccak256(abi.encode(msg.sender, i))] = i + 1;
        written[msg.sender] = first + count;
    }

    /// @param rounds hashes, one over the other
    function compute(uint256 rounds) external {
        bytes32 result = keccak256(abi.encode(msg.sender));
        for (uint256 i = 0; i < rounds; i++) result = keccak256(abi.encode(result, i));
        lastResult = result;
    }
}
