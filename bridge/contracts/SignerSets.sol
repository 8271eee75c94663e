// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Packed sets of signers, and signatures of some of them
/// @notice A set is a byte string: validators are 28-byte entries (address ‖ uint64 power), relayers are one
/// threshold byte and 20-byte addresses, the council is 20-byte addresses alone. Signatures come as a bitmap over the set (bit i = entry i) and 65-byte
/// signatures r ‖ s ‖ v in index order.
///
/// Invariants: addresses are strictly ascending and not zero, so that no key counts twice; every set bit has exactly
/// one signature by exactly that entry, and there is nothing else: a duplicate signer cannot be expressed, a missing,
/// spare or malformed byte reverts. Signatures are low-s with v 27 or 28.
library SignerSets {
    uint256 internal constant MAX_SIGNERS = 256;
    uint256 private constant SIGNATURE_BYTES = 65;
    uint256 private constant VALIDATOR_BYTES = 28;
    uint256 private constant RELAYER_BYTES = 20;
    uint256 private constant MEMBER_BYTES = 20;

    /// @notice The packed set is empty, too long, or not a whole number of entries.
    error BadSetLength(uint256 length);
    /// @notice Entry `index` does not lie above its predecessor (or above zero).
    error NotAscending(uint256 index);
    /// @notice Validator `index` has no voting power.
    error ZeroPower(uint256 index);
    /// @notice The relayer threshold is below 2, above the number of relayers, or not above half of it.
    error BadThreshold(uint256 threshold, uint256 relayers);
    /// @notice The bitmap names an entry that the set does not have.
    error BitmapTooWide(uint256 bitmap, uint256 signers);
    /// @notice The signatures are not 65 bytes for each bit of the bitmap.
    error BadSignaturesLength(uint256 expected, uint256 found);
    /// @notice The signature for entry `index` recovers to somebody else.
    error WrongSigner(uint256 index, address expected, address found);
    /// @notice The signers hold no more than two thirds of the voting power.
    error NotEnoughPower(uint256 signed, uint256 total);
    /// @notice Fewer relayers signed than the threshold.
    error NotEnoughRelayers(uint256 signed, uint256 threshold);
    /// @notice Fewer than two thirds of the council signed.
    error NotEnoughMembers(uint256 signed, uint256 total);

    /// @notice Requires a well-formed validator set.
    function requireValidators(bytes memory validators) internal pure {
        _weigh(0, validators, 0, VALIDATOR_BYTES, 0, "");
    }

    /// @notice Requires a well-formed relayer set: threshold m ≥ 2, m ≤ n, 2m > n. With 2m > n two conflicting
    /// statements cannot both collect m signatures of relayers who each sign once.
    function requireRelayers(bytes memory relayers) internal pure {
        _requireThreshold(relayers);
        _weigh(0, relayers, 1, RELAYER_BYTES, 0, "");
    }

    /// @notice Requires signatures of `digest` by validators with more than two thirds of the power.
    function requireQuorum(
        bytes32 digest,
        bytes memory validators,
        uint256 bitmap,
        bytes memory signatures
    ) internal pure {
        (uint256 signed, uint256 total) = _weigh(digest, validators, 0, VALIDATOR_BYTES, bitmap, signatures);
        if (3 * signed <= 2 * total) revert NotEnoughPower(signed, total);
    }

    /// @notice Requires signatures of `digest` by at least the threshold of relayers.
    function requireRelayerThreshold(
        bytes32 digest,
        bytes memory relayers,
        uint256 bitmap,
        bytes memory signatures
    ) internal pure {
        uint256 threshold = _requireThreshold(relayers);
        (uint256 signed, ) = _weigh(digest, relayers, 1, RELAYER_BYTES, bitmap, signatures);
        if (signed < threshold) revert NotEnoughRelayers(signed, threshold);
    }

    /// @notice Requires a well-formed council: one vote each.
    function requireMembers(bytes memory members) internal pure {
        _weigh(0, members, 0, MEMBER_BYTES, 0, "");
    }

    /// @notice Requires signatures of `digest` by two thirds of the council or more.
    function requireTwoThirds(
        bytes32 digest,
        bytes memory members,
        uint256 bitmap,
        bytes memory signatures
    ) internal pure {
        (uint256 signed, uint256 total) = _weigh(digest, members, 0, MEMBER_BYTES, bitmap, signatures);
        if (3 * signed < 2 * total) revert NotEnoughMembers(signed, total);
    }

    function _requireThreshold(bytes memory relayers) private pure returns (uint256 threshold) {
        if (relayers.length == 0) revert BadSetLength(0);
        threshold = uint8(relayers[0]);
        uint256 count = (relayers.length - 1) / RELAYER_BYTES;
        if (threshold < 2 || threshold > count || 2 * threshold <= count) revert BadThreshold(threshold, count);
    }

    /// @dev Checks every entry and every signature; `head` bytes precede the entries of `stride` bytes.
    /// @return signed Weight of the entries in the bitmap (validators: power, others: 1 each).
    /// @return total Weight of all entries.
    function _weigh(
        bytes32 digest,
        bytes memory set,
        uint256 head,
        uint256 stride,
        uint256 bitmap,
        bytes memory signatures
    ) private pure returns (uint256 signed, uint256 total) {
        uint256 count = set.length > head ? (set.length - head) / stride : 0;
        if (count == 0 || count > MAX_SIGNERS || head + count * stride != set.length) revert BadSetLength(set.length);
        // A shift by 256 gives zero: a set of 256 uses every bit.
        if (bitmap >> count != 0) revert BitmapTooWide(bitmap, count);

        uint256 signatureAt = 0;
        address previous = address(0);
        for (uint256 index = 0; index < count; ++index) {
            (address signer, uint256 weight) = _entry(set, head + index * stride, stride);
            if (signer <= previous) revert NotAscending(index);
            if (weight == 0) revert ZeroPower(index);
            previous = signer;
            total += weight;
            if ((bitmap >> index) & 1 == 0) continue;
            signed += weight;
            if (signatureAt + SIGNATURE_BYTES > signatures.length) {
                revert BadSignaturesLength(signatureAt + SIGNATURE_BYTES, signatures.length);
            }
            address found = _recover(digest, signatures, signatureAt);
            if (found != signer) revert WrongSigner(index, signer, found);
            signatureAt += SIGNATURE_BYTES;
        }
        if (signatureAt != signatures.length) revert BadSignaturesLength(signatureAt, signatures.length);
    }

    /// @dev `offset + stride` never exceeds the set's length; what a word read takes beyond it is shifted out.
    function _entry(
        bytes memory set,
        uint256 offset,
        uint256 stride
    ) private pure returns (address signer, uint256 weight) {
        assembly ("memory-safe") {
            let word := mload(add(add(set, 32), offset))
            signer := shr(96, word)
            weight := 1
            if eq(stride, 28) {
                weight := and(shr(32, word), 0xffffffffffffffff)
            }
        }
    }

    /// @dev Reverts with OpenZeppelin's named errors for high s, for v other than 27 or 28, and for a zero result.
    function _recover(bytes32 digest, bytes memory signatures, uint256 offset) private pure returns (address) {
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            let start := add(add(signatures, 32), offset)
            r := mload(start)
            s := mload(add(start, 32))
            v := byte(0, mload(add(start, 64)))
        }
        return ECDSA.recover(digest, v, r, s);
    }
}
