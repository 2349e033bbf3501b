// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title RentalMath
/// @notice The money rule of a lease, as pure functions of its terms. All amounts in the token's smallest unit.
/// @dev Unchecked because nothing can wrap: price < 2^128 and seconds < 2^32 make a product below 2^160, a fee below
/// 2^176. `unit` is never 0, offers take care of that.
library RentalMath {
    uint256 internal constant BPS = 10_000;

    /// @notice f(s) = floor(price * s / unit): what `secs` signed seconds cost.
    /// @param price Smallest units for `unit` seconds.
    function billFor(uint128 price, uint32 unit, uint32 secs) internal pure returns (uint256) {
        unchecked {
            return uint256(price) * secs / unit;
        }
    }

    /// @notice ceil(price * cap / unit): what is escrowed for `cap` seconds, cumulative over extensions.
    function depositFor(uint128 price, uint32 unit, uint32 cap) internal pure returns (uint256) {
        unchecked {
            return (uint256(price) * cap + unit - 1) / unit;
        }
    }

    /// @notice The network's share of a cumulative gross, rounded down. A payment takes the difference of two of these,
    /// so many small steps cost exactly what one large step does.
    function feeFor(uint256 gross, uint16 feeBps) internal pure returns (uint256) {
        unchecked {
            return gross * feeBps / BPS;
        }
    }

    /// @notice f(min(s + extra, cap)) - f(s). Never more than what is left of the deposit, since f(cap) is not.
    function penaltyFor(uint128 price, uint32 unit, uint32 cap, uint32 secs, uint32 extra)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 upTo = uint256(secs) + extra;
            if (upTo > cap) upTo = cap;
            return billFor(price, unit, uint32(upTo)) - billFor(price, unit, secs);
        }
    }
}
