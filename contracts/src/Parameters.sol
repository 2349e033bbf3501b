// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @title Parameters
/// @notice Everything that governance can ever change, each within a bound that is part of the code: which tokens are
/// accepted (enabled, never disabled), the network fee, and a pause of *new* deals that lapses by itself.
/// @dev A deal copies what it depends on into its Terms when it opens, so nothing here reaches a running deal. No exit
/// reads this contract.
contract Parameters is AccessManaged {
    /// @notice Highest network fee, in hundredths of a percent (10 %).
    uint16 public constant MAX_FEE_BPS = 1_000;

    /// @notice Fee a new network starts with, in hundredths of a percent (2.5 %).
    uint16 public constant DEFAULT_FEE_BPS = 250;

    /// @notice How long a pause of new deals lasts, in seconds (7 days).
    uint40 public constant PAUSE_SECONDS = 7 days;

    /// @notice How long after a pause has lapsed no new one can be set, in seconds (30 days).
    uint40 public constant PAUSE_REST_SECONDS = 30 days;

    /// @notice Largest share of a stake that a rejected result may cost, in hundredths of a percent (25 %).
    uint16 public constant MAX_SLASH_BPS = 2_500;

    /// @notice Highest reputation below which a provider may be kept from new jobs, of 100 to start with.
    uint16 public constant MAX_INACTIVE_BELOW = 90;

    /// @notice Bounds of the minimum stakes, in the smallest unit of WATT (1 and 100,000 WATT).
    uint96 public constant LEAST_MIN_STAKE = 1e18;
    uint96 public constant MOST_MIN_STAKE = 100_000e18;

    /// @notice Vault account that network fees are credited to.
    address public immutable treasury;

    /// @notice Network fee on a provider's gross, in hundredths of a percent. Applies to deals opened from now on.
    uint16 public feeBps = DEFAULT_FEE_BPS;

    /// @notice Unix seconds until which no new deal can open; in the past when there is no pause.
    uint40 public newDealsPausedUntil;

    /// @notice Unix seconds from which a new pause may be set.
    uint40 public pauseAllowedAt;

    /// @notice Whether a token may be deposited and named in an offer. ETH (address 0) always may.
    mapping(address token => bool) public isTokenAllowed;

    /// @notice Share of a provider's stake that a rejected result costs, in hundredths of a percent (10 %). A job takes it
    /// into its Terms.
    uint16 public slashBps = 1_000;

    /// @notice Reputation below which a provider gets no new jobs until it has qualified again.
    uint16 public inactiveBelow = 50;

    /// @notice Least stake of a provider that counts, in the smallest unit of WATT (100 WATT).
    uint96 public minProviderStake = 100e18;

    /// @notice Least stake of a validator that counts, in the smallest unit of WATT (1,000 WATT).
    uint96 public minValidatorStake = 1_000e18;

    event TokenAllowed(address indexed token);
    event FeeSet(uint16 feeBps);
    event SlashSet(uint16 slashBps);
    event InactiveBelowSet(uint16 inactiveBelow);
    event MinStakesSet(uint96 provider, uint96 validator);
    event NewDealsPaused(uint40 until, uint40 pauseAllowedAt);
    event NewDealsResumed();

    error FeeTooHigh(uint16 feeBps, uint16 maxFeeBps);
    error SlashTooHigh(uint16 slashBps, uint16 maxSlashBps);
    error InactiveBelowTooHigh(uint16 inactiveBelow, uint16 maxInactiveBelow);
    error MinStakeOutOfBounds(uint96 minStake, uint96 least, uint96 most);
    error PauseNotAllowedYet(uint40 pauseAllowedAt);
    error NotPaused();
    error NotAContract(address token);
    error ZeroTreasury();

    /// @param authority_ AccessManager that decides who may call the restricted functions.
    /// @param treasury_ Vault account that network fees are credited to; it cannot change.
    constructor(address authority_, address treasury_) AccessManaged(authority_) {
        if (treasury_ == address(0)) revert ZeroTreasury();
        treasury = treasury_;
        isTokenAllowed[address(0)] = true;
        emit TokenAllowed(address(0));
        emit FeeSet(DEFAULT_FEE_BPS);
    }

    /// @notice Accepts a token from now on. There is no way back: money of that token is in deals.
    /// @param token ERC-20 that moves exactly what it is told to (no fee on transfer, no rebasing).
    function allowToken(address token) external restricted {
        if (token.code.length == 0) revert NotAContract(token);
        isTokenAllowed[token] = true;
        emit TokenAllowed(token);
    }

    /// @notice Sets the network fee for deals opened from now on.
    /// @param newFeeBps Hundredths of a percent, at most `MAX_FEE_BPS`.
    function setFee(uint16 newFeeBps) external restricted {
        if (newFeeBps > MAX_FEE_BPS) revert FeeTooHigh(newFeeBps, MAX_FEE_BPS);
        feeBps = newFeeBps;
        emit FeeSet(newFeeBps);
    }

    /// @notice Sets what a rejected result costs, for jobs posted from now on.
    /// @param newSlashBps Hundredths of a percent of the stake, at most `MAX_SLASH_BPS`.
    function setSlash(uint16 newSlashBps) external restricted {
        if (newSlashBps > MAX_SLASH_BPS) revert SlashTooHigh(newSlashBps, MAX_SLASH_BPS);
        slashBps = newSlashBps;
        emit SlashSet(newSlashBps);
    }

    /// @notice Sets the reputation below which a provider gets no new jobs.
    /// @param newInactiveBelow At most `MAX_INACTIVE_BELOW`, so that nobody who starts is kept out.
    function setInactiveBelow(uint16 newInactiveBelow) external restricted {
        if (newInactiveBelow > MAX_INACTIVE_BELOW) revert InactiveBelowTooHigh(newInactiveBelow, MAX_INACTIVE_BELOW);
        inactiveBelow = newInactiveBelow;
        emit InactiveBelowSet(newInactiveBelow);
    }

    /// @notice Sets the least stakes that count for new deals.
    /// @param provider Smallest units of WATT, from `LEAST_MIN_STAKE` to `MOST_MIN_STAKE`.
    /// @param validator As `provider`.
    function setMinStakes(uint96 provider, uint96 validator) external restricted {
        _checkMinStake(provider);
        _checkMinStake(validator);
        minProviderStake = provider;
        minValidatorStake = validator;
        emit MinStakesSet(provider, validator);
    }

    /// @notice Stops new deals for 7 days. Running deals and every exit go on. After it has lapsed it cannot be set
    /// again for 30 days.
    function pauseNewDeals() external restricted {
        if (block.timestamp < pauseAllowedAt) revert PauseNotAllowedYet(pauseAllowedAt);
        newDealsPausedUntil = uint40(block.timestamp) + PAUSE_SECONDS;
        pauseAllowedAt = newDealsPausedUntil + PAUSE_REST_SECONDS;
        emit NewDealsPaused(newDealsPausedUntil, pauseAllowedAt);
    }

    /// @notice Ends a pause early. The rest until the next pause stays as it was.
    function resumeNewDeals() external restricted {
        if (block.timestamp >= newDealsPausedUntil) revert NotPaused();
        newDealsPausedUntil = uint40(block.timestamp);
        emit NewDealsResumed();
    }

    /// @notice What a module needs when it opens a deal, in one read.
    /// @return fee Network fee in hundredths of a percent.
    /// @return pausedUntil Unix seconds until which no new deal can open.
    function forNewDeal() external view returns (uint16 fee, uint40 pausedUntil) {
        return (feeBps, newDealsPausedUntil);
    }

    /// @notice What a job's terms are held to when it is posted, in one read.
    /// @param token What the bounty is in.
    /// @return fee Network fee in hundredths of a percent.
    /// @return pausedUntil Unix seconds until which no new deal can open.
    /// @return slash Share of the taker's stake that a rejected result costs, in hundredths of a percent.
    /// @return minStake Least stake of a taker, in smallest units of WATT.
    /// @return tokenAllowed Whether `token` is accepted.
    function forNewJob(address token)
        external
        view
        returns (uint16 fee, uint40 pausedUntil, uint16 slash, uint96 minStake, bool tokenAllowed)
    {
        return (feeBps, newDealsPausedUntil, slashBps, minProviderStake, isTokenAllowed[token]);
    }

    function _checkMinStake(uint96 minStake) private pure {
        if (minStake < LEAST_MIN_STAKE || minStake > MOST_MIN_STAKE) {
            revert MinStakeOutOfBounds(minStake, LEAST_MIN_STAKE, MOST_MIN_STAKE);
        }
    }
}
