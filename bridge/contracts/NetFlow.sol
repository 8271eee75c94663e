// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title How much may leave at once
/// @notice level = min(cap, level + refill + deposits). Kept as what is missing to the cap, so that a full bucket is
/// all zeros whatever the time; the cap refills within a day, second by second: midnight is no boundary.
///
/// Invariant: what is debited in any span of time ≤ cap + cap · span / 1 day + what was credited in it.
library NetFlow {
    uint256 internal constant REFILL_PERIOD = 1 days;

    struct Bucket {
        uint112 cap;
        uint112 deficit;
        uint32 updatedAt;
    }

    /// @notice What could be debited now. A cap that was lowered leaves nothing until the rest has refilled.
    function level(Bucket memory bucket) internal view returns (uint256) {
        (uint256 deficit, ) = _settled(bucket);
        return deficit >= bucket.cap ? 0 : bucket.cap - deficit;
    }

    function credit(Bucket storage self, uint256 amount) internal {
        Bucket memory bucket = self;
        if (bucket.deficit == 0) return;
        (uint256 deficit, uint256 time) = _settled(bucket);
        _store(self, bucket.cap, deficit > amount ? deficit - amount : 0, time);
    }

    /// @return debited False, with nothing changed, if it is more than the level.
    function tryDebit(Bucket storage self, uint256 amount) internal returns (bool debited) {
        Bucket memory bucket = self;
        (uint256 deficit, uint256 time) = _settled(bucket);
        if (deficit >= bucket.cap || amount > bucket.cap - deficit) return false;
        _store(self, bucket.cap, deficit + amount, time);
        return true;
    }

    function setCap(Bucket storage self, uint112 cap) internal {
        (uint256 deficit, uint256 time) = _settled(self);
        _store(self, cap, deficit > cap ? cap : deficit, time);
    }

    /// @dev Time advances only by what the granted refill took, rounded up: neither many small steps nor few large
    /// ones gain or lose more than a second.
    function _settled(Bucket memory bucket) private view returns (uint256 deficit, uint256 time) {
        if (bucket.deficit == 0) return (0, block.timestamp);
        if (bucket.cap == 0) return (bucket.deficit, block.timestamp);
        uint256 refill = (uint256(bucket.cap) * (block.timestamp - bucket.updatedAt)) / REFILL_PERIOD;
        if (refill >= bucket.deficit) return (0, block.timestamp);
        uint256 took = (refill * REFILL_PERIOD + bucket.cap - 1) / bucket.cap;
        return (bucket.deficit - refill, bucket.updatedAt + took);
    }

    function _store(Bucket storage self, uint112 cap, uint256 deficit, uint256 time) private {
        self.cap = cap;
        // At most the cap, which fits.
        self.deficit = uint112(deficit);
        self.updatedAt = deficit == 0 ? 0 : uint32(time);
    }
}
