// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title RentalMath
/// @notice The money rule of a lease, as pure functions of its terms. All amounts in the token's smallest unit.
library RentalMath {
    uint256 internal constant BPS = 10_000;

    /// @notice f(s) = floor(price * s / unit): what `secs` signed seconds cost.
    /// @param price Smallest units for `unit` seconds.
    function billFor(uint128 price, uint32 unit, uint32 secs) internal pure returns (uint256) {
        return uint256(price) * secs / unit;
    }

    /// @notice ceil(price * cap / unit): what is escrowed for `cap` seconds, cumulative over extensions.
    function depositFor(uint128 price, uint32 unit, uint32 cap) internal pure returns (uint256) {
        return (uint256(price) * cap + unit - 1) / unit;
    }

    /// @notice The network's share of a cumulative gross, rounded down.
    function feeFor(uint256 gross, uint16 feeBps) internal pure returns (uint256) {
        return gross * feeBps / BPS;
    }

    /// @notice What moving a lease from `fromSecs` to `toSecs` paid seconds pays. The fee is the difference of two
    /// cumulative fees, so many small steps cost exactly what one large step does.
    /// @return gross Bill of the step, `fee` included.
    function payment(uint128 price, uint32 unit, uint16 feeBps, uint32 fromSecs, uint32 toSecs)
        internal
        pure
        returns (uint256 gross, uint256 fee)
    {
        uint256 before = billFor(price, unit, fromSecs);
        uint256 total = billFor(price, unit, toSecs);
        gross = total - before;
        fee = feeFor(total, feeBps) - feeFor(before, feeBps);
    }

    /// @notice f(min(s + extra, cap)) - f(s). Never more than what is left of the deposit, since f(cap) is not.
    function penaltyFor(uint128 price, uint32 unit, uint32 cap, uint32 secs, uint32 extra) internal pure returns (uint256) {
        uint256 upTo = uint256(secs) + extra;
        if (upTo > cap) upTo = cap;
        return billFor(price, unit, uint32(upTo)) - billFor(price, unit, secs);
    }
}
