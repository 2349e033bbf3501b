// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IStakes
/// @notice What other modules ask of `Stakes`. Amounts are WATT in its smallest unit (10^-18), shares hundredths of a
/// percent.
interface IStakes {
    /// What a stake is for. One account may hold both, each with a clock and a risk of its own.
    enum Role {
        PROVIDER,
        VALIDATOR
    }

    /// @notice Puts part of an account's stake at risk for a deal. It cannot be unbonded until it is disengaged.
    /// Only for modules; each keeps count of its own.
    /// @param amount The least that this deal costs the account if it is slashed for it, so that no two open deals answer
    /// with the same stake. More of it where the account has more. Reverts `InsufficientFreeStake` beyond what is staked
    /// and not yet at risk.
    function engage(Role role, address account, uint256 amount) external;

    /// @notice Ends what `engage` began. Only the module that engaged it, and never more than that.
    function disengage(Role role, address account, uint256 amount) external;

    /// @notice Takes a share of everything an account has staked in a role, what is unbonding included (and first).
    /// Only for modules. Does not disengage.
    /// @param slashBps Share in hundredths of a percent, at most 10,000; from the deal's own terms.
    /// @param atLeast What the deal had put at risk, in smallest units: taken where the share of what is left is less. Who
    /// leaves while the deal runs saves nothing of it.
    /// @param finder Gets 15 %; the rest is burned. The zero address burns all of it.
    /// @return slashed What was taken, never more than there was.
    function slash(Role role, address account, uint16 slashBps, uint256 atLeast, address finder)
        external
        returns (uint256 slashed);

    /// @notice Stake that counts: bonded, not unbonding.
    function stakedOf(Role role, address account) external view returns (uint256);

    /// @notice What a slash would reach: bonded and unbonding.
    function slashableOf(Role role, address account) external view returns (uint256);

    /// @notice What open deals have put at risk.
    function atRiskOf(Role role, address account) external view returns (uint256);

    /// @notice Bonded stake that no open deal has put at risk.
    function freeOf(Role role, address account) external view returns (uint256);

    /// @notice Whether the stake reaches the role's minimum as it is now.
    function isActive(Role role, address account) external view returns (bool);
}
