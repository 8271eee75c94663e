// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title How long something was paused
/// @notice Invariant: in any 30 days at most 7 are paused. The most paused window that a new span can make ends where
/// that span ends, so that one window is checked.
library PauseLedger {
    uint256 internal constant LONGEST_PAUSE = 72 hours;
    uint256 internal constant WINDOW = 30 days;
    uint256 internal constant MOST_IN_WINDOW = 7 days;

    /// @dev Disjoint and ascending.
    struct Span {
        uint64 start;
        uint64 end;
    }

    error PauseOutOfRange(uint256 longest, uint256 found);
    /// @notice It is paused until then, or longer, already.
    error AlreadyPaused(uint64 until);
    error PausedTooMuch(uint256 most, uint256 found);

    /// @param others Spans that count against the same days: a token is paused by its own and by those of everything.
    /// @return until When the pause ends by itself.
    function extend(Span[] storage self, Span[] storage others, uint64 duration) internal returns (uint64 until) {
        if (duration == 0 || duration > LONGEST_PAUSE) revert PauseOutOfRange(LONGEST_PAUSE, duration);
        until = uint64(block.timestamp) + duration;
        uint64 current = end(self);
        if (until <= current) revert AlreadyPaused(current);
        uint64 start = current > block.timestamp ? current : uint64(block.timestamp);
        uint256 total = (until - start) + _pausedSince(self, until - WINDOW);
        if (self.length != others.length || _slot(self) != _slot(others)) total += _pausedSince(others, until - WINDOW);
        if (total > MOST_IN_WINDOW) revert PausedTooMuch(MOST_IN_WINDOW, total);
        self.push(Span(start, until));
    }

    /// @notice Ends now what would still go on.
    function lift(Span[] storage self) internal {
        for (uint256 i = self.length; i > 0 && self[i - 1].end > block.timestamp; --i) {
            Span storage span = self[i - 1];
            span.end = uint64(block.timestamp);
            if (span.start > block.timestamp) span.start = uint64(block.timestamp);
        }
    }

    /// @notice When the newest pause ends, or ended; zero without any.
    function end(Span[] storage self) internal view returns (uint64) {
        return self.length == 0 ? 0 : self[self.length - 1].end;
    }

    /// @dev Bounded: each span cost a sentry its only pause, and governance needs seven days to give it another.
    function _pausedSince(Span[] storage self, uint256 since) private view returns (uint256 total) {
        for (uint256 i = self.length; i > 0; --i) {
            Span memory span = self[i - 1];
            if (span.end <= since) break;
            total += span.end - (span.start > since ? span.start : since);
        }
    }

    function _slot(Span[] storage self) private pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := self.slot
        }
    }
}
