// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {Parameters} from "./Parameters.sol";
import {Vault} from "./Vault.sol";
import {Watt} from "./Watt.sol";
import {IStakes} from "./interfaces/IStakes.sol";

/// @title Stakes
/// @notice WATT that providers and validators put behind their word. It stays in the Vault, locked for this contract.
/// Bonded stake is the voting weight; leaving takes 7 or 14 days, during which stake can still be slashed, and nobody can
/// stop it.
/// @dev Deals put stake at risk with `engage`; what is at risk cannot be unbonded until the deal is over. Amounts are in
/// the smallest unit of WATT. Votes follow ERC-6372 with Unix seconds as clock; without a delegation everybody votes
/// for themselves.
contract Stakes is IStakes, Votes, Multicall {
    /// @dev One slot: 96 + 96 + 40 = 232 bits.
    struct Stake {
        /// Bonded: counts, votes, may be put at risk.
        uint96 staked;
        /// On its way out: neither counts nor votes, but can still be slashed.
        uint96 unbonding;
        /// Unix seconds from which what is unbonding can be released.
        uint40 releaseAt;
    }

    /// @notice How long a provider's stake takes to leave, in seconds.
    uint40 public constant PROVIDER_UNBONDING_SECONDS = 7 days;

    /// @notice How long a validator's stake takes to leave, in seconds.
    uint40 public constant VALIDATOR_UNBONDING_SECONDS = 14 days;

    /// @notice Share of a slash that whoever found the fault gets, in hundredths of a percent. The rest is burned.
    uint16 public constant FINDER_BPS = 1_500;

    uint256 internal constant BPS = 10_000;

    Parameters public immutable parameters;
    Vault public immutable vault;
    Watt public immutable watt;

    /// @notice The bounties contract: engages and slashes.
    address public immutable jobs;

    /// @notice The validators' contract: engages and slashes.
    address public immutable attestations;

    /// @dev One slot, so that what is free takes one read. Neither can be more than is staked, which fits 96 bits.
    struct AtRisk {
        uint128 byJobs;
        uint128 byAttestations;
    }

    mapping(Role role => mapping(address account => AtRisk)) private _atRisk;

    mapping(Role role => mapping(address account => Stake)) private _stakes;

    /// @param amount Added now.
    /// @param staked Bonded in this role after it.
    event Staked(Role indexed role, address indexed account, uint256 amount, uint256 staked);
    /// @param amount On its way out from now on.
    /// @param releaseAt Unix seconds from which everything that is unbonding in this role can be released.
    event Unbonding(Role indexed role, address indexed account, uint256 amount, uint40 releaseAt);
    event Released(Role indexed role, address indexed account, uint256 amount);
    /// @param module Whose evidence it was.
    /// @param fromUnbonding Taken from what was on its way out.
    /// @param fromStaked Taken from what was bonded.
    /// @param reward Part of both that `finder` got; the rest was burned.
    event Slashed(
        Role indexed role,
        address indexed account,
        address indexed module,
        uint256 fromUnbonding,
        uint256 fromStaked,
        address finder,
        uint256 reward
    );

    error NotModule(address caller);
    error ZeroAmount();
    error InsufficientFreeStake(Role role, address account, uint256 free, uint256 needed);
    error InsufficientEngagement(address module, Role role, address account, uint256 engaged, uint256 needed);
    error NothingUnbonding(Role role, address account);
    error StillUnbonding(Role role, address account, uint40 releaseAt);
    error BadShare(uint16 slashBps);
    error SupplyTooLarge(uint256 supply);

    modifier onlyModule() {
        if (msg.sender != jobs && msg.sender != attestations) revert NotModule(msg.sender);
        _;
    }

    /// @dev The modules know this contract and it knows them, so their addresses are computed before they are deployed.
    constructor(Parameters parameters_, Vault vault_, Watt watt_, address jobs_, address attestations_)
        EIP712("Commonwatt", "1")
    {
        uint256 supply = watt_.totalSupply();
        if (supply > type(uint96).max) revert SupplyTooLarge(supply);
        parameters = parameters_;
        vault = vault_;
        watt = watt_;
        jobs = jobs_;
        attestations = attestations_;
    }

    // ------------------------------------------------------------------------------------------------ accounts

    /// @notice Bonds WATT from the caller's balance in the Vault. The caller has to have authorised this contract there.
    /// @param amount Smallest units of WATT.
    function stake(Role role, uint96 amount) external {
        if (amount == 0) revert ZeroAmount();
        Stake memory s = _stakes[role][msg.sender];
        s.staked += amount;
        _stakes[role][msg.sender] = s;
        emit Staked(role, msg.sender, amount, s.staked);
        _transferVotingUnits(address(0), msg.sender, amount);
        vault.lock(address(watt), msg.sender, amount);
    }

    /// @notice Starts to leave with part of the caller's stake, or all of it. The clock starts anew for everything of
    /// this role that is still unbonding: release first what is due.
    /// @param amount Smallest units of WATT, at most what no open deal has put at risk.
    function unbond(Role role, uint96 amount) external {
        if (amount == 0) revert ZeroAmount();
        uint256 free = freeOf(role, msg.sender);
        if (amount > free) revert InsufficientFreeStake(role, msg.sender, free, amount);
        Stake memory s = _stakes[role][msg.sender];
        s.staked -= amount;
        s.unbonding += amount;
        s.releaseAt = uint40(block.timestamp)
            + (role == Role.PROVIDER ? PROVIDER_UNBONDING_SECONDS : VALIDATOR_UNBONDING_SECONDS);
        _stakes[role][msg.sender] = s;
        emit Unbonding(role, msg.sender, amount, s.releaseAt);
        _transferVotingUnits(msg.sender, address(0), amount);
    }

    /// @notice Gives what has finished unbonding back to the caller's balance in the Vault.
    function release(Role role) external {
        Stake memory s = _stakes[role][msg.sender];
        uint256 amount = s.unbonding;
        if (amount == 0) revert NothingUnbonding(role, msg.sender);
        if (block.timestamp < s.releaseAt) revert StillUnbonding(role, msg.sender, s.releaseAt);
        s.unbonding = 0;
        _stakes[role][msg.sender] = s;
        emit Released(role, msg.sender, amount);
        vault.unlock(address(watt), msg.sender, amount);
    }

    // ------------------------------------------------------------------------------------------------ modules

    /// @inheritdoc IStakes
    function engage(Role role, address account, uint256 amount) external onlyModule {
        uint256 free = freeOf(role, account);
        if (amount > free) revert InsufficientFreeStake(role, account, free, amount);
        AtRisk storage risk = _atRisk[role][account];
        if (msg.sender == jobs) risk.byJobs += uint128(amount);
        else risk.byAttestations += uint128(amount);
    }

    /// @inheritdoc IStakes
    function disengage(Role role, address account, uint256 amount) external onlyModule {
        uint256 engaged = engagedOf(msg.sender, role, account);
        if (amount > engaged) revert InsufficientEngagement(msg.sender, role, account, engaged, amount);
        AtRisk storage risk = _atRisk[role][account];
        if (msg.sender == jobs) risk.byJobs = uint128(engaged - amount);
        else risk.byAttestations = uint128(engaged - amount);
    }

    /// @inheritdoc IStakes
    function slash(Role role, address account, uint16 slashBps, uint256 atLeast, address finder)
        external
        onlyModule
        returns (uint256 slashed)
    {
        if (slashBps > BPS) revert BadShare(slashBps);
        Stake memory s = _stakes[role][account];
        uint256 all = uint256(s.staked) + s.unbonding;
        slashed = all * slashBps / BPS;
        if (slashed < atLeast) slashed = atLeast < all ? atLeast : all;
        // What leaves goes first, so that deals that are still open keep their cover.
        uint256 fromUnbonding = slashed < s.unbonding ? slashed : s.unbonding;
        uint256 fromStaked = slashed - fromUnbonding;
        uint256 reward = finder == address(0) ? 0 : slashed * FINDER_BPS / BPS;
        uint256 burned = slashed - reward;
        s.unbonding -= uint96(fromUnbonding);
        s.staked -= uint96(fromStaked);
        _stakes[role][account] = s;
        emit Slashed(role, account, msg.sender, fromUnbonding, fromStaked, finder, reward);
        if (fromStaked != 0) _transferVotingUnits(account, address(0), fromStaked);

        if (reward != 0) vault.seize(address(watt), account, finder, reward);
        if (burned != 0) {
            vault.seize(address(watt), account, address(this), burned);
            vault.withdraw(address(watt), address(this), burned);
            watt.burn(burned);
        }
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @notice A stake as the chain keeps it.
    function get(Role role, address account) external view returns (Stake memory) {
        return _stakes[role][account];
    }

    /// @inheritdoc IStakes
    function stakedOf(Role role, address account) external view returns (uint256) {
        return _stakes[role][account].staked;
    }

    /// @inheritdoc IStakes
    function slashableOf(Role role, address account) external view returns (uint256) {
        Stake memory s = _stakes[role][account];
        return uint256(s.staked) + s.unbonding;
    }

    /// @notice What a module has put at risk. Only that module can take it back.
    function engagedOf(address module, Role role, address account) public view returns (uint256 amount) {
        if (module == jobs) return _atRisk[role][account].byJobs;
        if (module == attestations) return _atRisk[role][account].byAttestations;
    }

    /// @inheritdoc IStakes
    function atRiskOf(Role role, address account) public view returns (uint256) {
        AtRisk memory risk = _atRisk[role][account];
        return uint256(risk.byJobs) + risk.byAttestations;
    }

    /// @inheritdoc IStakes
    function freeOf(Role role, address account) public view returns (uint256) {
        uint256 staked = _stakes[role][account].staked;
        uint256 atRisk = atRiskOf(role, account);
        return staked > atRisk ? staked - atRisk : 0;
    }

    /// @inheritdoc IStakes
    function isActive(Role role, address account) external view returns (bool) {
        uint256 least = role == Role.PROVIDER ? parameters.minProviderStake() : parameters.minValidatorStake();
        return _stakes[role][account].staked >= least;
    }

    /// @notice Who votes with an account's stake: itself until it names somebody else.
    function delegates(address account) public view override returns (address) {
        address delegatee = super.delegates(account);
        return delegatee == address(0) ? account : delegatee;
    }

    /// @notice Unix seconds: votes are counted as they were at a time, not at a block.
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @inheritdoc Votes
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    // ------------------------------------------------------------------------------------------------ internal

    /// Naming nobody means oneself: votes that were nowhere could not be taken back when the stake leaves.
    function _delegate(address account, address delegatee) internal override {
        super._delegate(account, delegatee == address(0) ? account : delegatee);
    }

    function _getVotingUnits(address account) internal view override returns (uint256) {
        return uint256(_stakes[Role.PROVIDER][account].staked) + _stakes[Role.VALIDATOR][account].staked;
    }
}
