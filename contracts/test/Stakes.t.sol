// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stakes} from "../src/Stakes.sol";
import {Vault} from "../src/Vault.sol";
import {Watt} from "../src/Watt.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {StakesBase} from "./StakesBase.sol";

/// A token of more than fits: only its supply is ever asked for.
contract HugeSupply {
    uint256 public immutable totalSupply;

    constructor(uint256 supply) {
        totalSupply = supply;
    }
}

/// Stakes.tree, leaf by leaf.
contract StakesTest is StakesBase {
    uint96 internal constant HUNDRED = 100e18;

    function _unbond(address account, uint96 amount) internal {
        vm.prank(account);
        stakes.unbond(PROVIDER, amount);
    }

    function _locked(address account) internal view returns (uint256) {
        return vault.lockedOf(address(stakes), account, address(watt));
    }

    // ------------------------------------------------------------------------------------------------ constructor

    function test_constructor_keepsWhatItIsTold() public view {
        eq(address(stakes.parameters()), address(parameters), "parameters");
        eq(address(stakes.vault()), address(vault), "vault");
        eq(address(stakes.watt()), address(watt), "watt");
        eq(stakes.jobs(), jobs, "jobs");
        eq(stakes.attestations(), attestations, "attestations");
    }

    function test_constructor_revertsForTooLargeASupply() public {
        uint256 most = type(uint96).max;
        new Stakes(parameters, vault, Watt(address(new HugeSupply(most))), jobs, attestations);
        Watt huge = Watt(address(new HugeSupply(most + 1)));
        vm.expectRevert(abi.encodeWithSelector(Stakes.SupplyTooLarge.selector, most + 1));
        new Stakes(parameters, vault, huge, jobs, attestations);
    }

    // ------------------------------------------------------------------------------------------------ stake

    function test_stake_locksInTheVaultAndVotes() public {
        fundWatt(provider, HUNDRED);
        vm.expectEmit(true, true, true, true, address(stakes));
        emit Stakes.Staked(PROVIDER, provider, HUNDRED, HUNDRED);
        vm.prank(provider);
        stakes.stake(PROVIDER, HUNDRED);
        eq(_locked(provider), HUNDRED, "locked");
        eq(vault.balanceOf(provider, address(watt)), 0, "balance");
        eq(stakes.stakedOf(PROVIDER, provider), HUNDRED, "staked");
        eq(stakes.slashableOf(PROVIDER, provider), HUNDRED, "slashable");
        eq(stakes.freeOf(PROVIDER, provider), HUNDRED, "free");
        eq(stakes.getVotes(provider), HUNDRED, "votes");
        eq(watt.balanceOf(address(stakes)), 0, "only the Vault holds tokens");
    }

    function test_stake_rolesAreApart() public {
        bond(PROVIDER, provider, HUNDRED);
        bond(VALIDATOR, provider, 3);
        eq(stakes.stakedOf(PROVIDER, provider), HUNDRED, "as provider");
        eq(stakes.stakedOf(VALIDATOR, provider), 3, "as validator");
        eq(stakes.getVotes(provider), uint256(HUNDRED) + 3, "votes");
    }

    function test_stake_whileNewDealsArePaused() public {
        vm.prank(admin);
        parameters.pauseNewDeals();
        bond(PROVIDER, provider, HUNDRED);
        eq(stakes.stakedOf(PROVIDER, provider), HUNDRED, "staked");
    }

    function test_stake_revertsForNothing() public {
        vm.expectRevert(abi.encodeWithSelector(Stakes.ZeroAmount.selector));
        vm.prank(provider);
        stakes.stake(PROVIDER, 0);
    }

    function test_stake_revertsWithoutAuthorisation() public {
        fundWatt(provider, HUNDRED);
        vm.startPrank(provider);
        vault.authorize(address(stakes), false);
        vm.expectRevert(abi.encodeWithSelector(Vault.NotAuthorized.selector, provider, address(stakes)));
        stakes.stake(PROVIDER, HUNDRED);
        vm.stopPrank();
    }

    function test_stake_revertsBeyondBalance() public {
        fundWatt(provider, 5);
        vm.expectRevert(abi.encodeWithSelector(Vault.InsufficientBalance.selector, provider, address(watt), 5, 6));
        vm.prank(provider);
        stakes.stake(PROVIDER, 6);
    }

    function test_stake_revertsWhenItDoesNotFit() public {
        bond(PROVIDER, provider, 1);
        vm.expectRevert(abi.encodeWithSelector(bytes4(0x4e487b71), 0x11));
        vm.prank(provider);
        stakes.stake(PROVIDER, type(uint96).max);
    }

    // ------------------------------------------------------------------------------------------------ unbond

    function test_unbond_takesSevenDaysForProviders() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.expectEmit(true, true, true, true, address(stakes));
        emit Stakes.Unbonding(PROVIDER, provider, 40e18, START + 7 days);
        _unbond(provider, 40e18);
        Stakes.Stake memory s = stakes.get(PROVIDER, provider);
        eq(s.staked, 60e18, "staked");
        eq(s.unbonding, 40e18, "unbonding");
        eq(s.releaseAt, START + 7 days, "release at");
        eq(stakes.getVotes(provider), 60e18, "who leaves does not vote");
        eq(_locked(provider), HUNDRED, "still locked");
    }

    function test_unbond_takesFourteenDaysForValidators() public {
        bond(VALIDATOR, provider, HUNDRED);
        vm.prank(provider);
        stakes.unbond(VALIDATOR, HUNDRED);
        eq(stakes.get(VALIDATOR, provider).releaseAt, START + 14 days, "release at");
    }

    function test_unbond_startsTheClockAnew() public {
        bond(PROVIDER, provider, HUNDRED);
        _unbond(provider, 1);
        vm.warp(START + 3 days);
        _unbond(provider, 2);
        Stakes.Stake memory s = stakes.get(PROVIDER, provider);
        eq(s.unbonding, 3, "both");
        eq(s.releaseAt, START + 10 days, "release at");
    }

    function test_unbond_allThatIsNotAtRisk() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(jobs);
        stakes.engage(PROVIDER, provider, 30e18);
        vm.prank(attestations);
        stakes.engage(PROVIDER, provider, 20e18);
        _unbond(provider, 50e18);
        eq(stakes.freeOf(PROVIDER, provider), 0, "nothing free");
    }

    function test_unbond_revertsForWhatIsAtRisk() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(jobs);
        stakes.engage(PROVIDER, provider, 30e18);
        vm.expectRevert(
            abi.encodeWithSelector(Stakes.InsufficientFreeStake.selector, PROVIDER, provider, 70e18, 70e18 + 1)
        );
        _unbond(provider, 70e18 + 1);
    }

    function test_unbond_revertsForNothing() public {
        vm.expectRevert(abi.encodeWithSelector(Stakes.ZeroAmount.selector));
        _unbond(provider, 0);
    }

    function test_unbond_revertsBeyondTheStake() public {
        vm.expectRevert(abi.encodeWithSelector(Stakes.InsufficientFreeStake.selector, PROVIDER, provider, 0, 1));
        _unbond(provider, 1);
    }

    // ------------------------------------------------------------------------------------------------ release

    function test_release_afterTheWait() public {
        bond(PROVIDER, provider, HUNDRED);
        _unbond(provider, 40e18);
        vm.warp(START + 7 days);
        vm.expectEmit(true, true, true, true, address(stakes));
        emit Stakes.Released(PROVIDER, provider, 40e18);
        vm.prank(provider);
        stakes.release(PROVIDER);
        eq(vault.balanceOf(provider, address(watt)), 40e18, "balance");
        eq(_locked(provider), 60e18, "the rest");
        eq(stakes.slashableOf(PROVIDER, provider), 60e18, "slashable");
    }

    function test_release_worksWithoutAuthorisationAndWhilePaused() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(provider);
        vault.authorize(address(stakes), false);
        vm.prank(admin);
        parameters.pauseNewDeals();
        _unbond(provider, HUNDRED);
        vm.warp(START + 7 days);
        vm.prank(provider);
        stakes.release(PROVIDER);
        eq(vault.balanceOf(provider, address(watt)), HUNDRED, "balance");
    }

    function test_release_inABatchWithTheNextUnbonding() public {
        bond(PROVIDER, provider, HUNDRED);
        _unbond(provider, 40e18);
        vm.warp(START + 7 days);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(stakes.release, (PROVIDER));
        calls[1] = abi.encodeCall(stakes.unbond, (PROVIDER, 60e18));
        vm.prank(provider);
        stakes.multicall(calls);
        eq(vault.balanceOf(provider, address(watt)), 40e18, "balance");
        eq(stakes.get(PROVIDER, provider).unbonding, 60e18, "next");
    }

    function test_release_revertsTooEarly() public {
        bond(PROVIDER, provider, HUNDRED);
        _unbond(provider, HUNDRED);
        vm.warp(START + 7 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Stakes.StillUnbonding.selector, PROVIDER, provider, START + 7 days));
        vm.prank(provider);
        stakes.release(PROVIDER);
    }

    function test_release_revertsForNothing() public {
        vm.expectRevert(abi.encodeWithSelector(Stakes.NothingUnbonding.selector, PROVIDER, provider));
        vm.prank(provider);
        stakes.release(PROVIDER);
    }

    // ------------------------------------------------------------------------------------------------ engage

    function test_engage_countsPerModule() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(jobs);
        stakes.engage(PROVIDER, provider, 60e18);
        vm.prank(attestations);
        stakes.engage(PROVIDER, provider, 40e18);
        eq(stakes.engagedOf(jobs, PROVIDER, provider), 60e18, "jobs");
        eq(stakes.engagedOf(attestations, PROVIDER, provider), 40e18, "attestations");
        eq(stakes.atRiskOf(PROVIDER, provider), HUNDRED, "at risk");
        eq(stakes.atRiskOf(VALIDATOR, provider), 0, "the other role");
    }

    function test_engage_revertsBeyondWhatIsFree() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(attestations);
        stakes.engage(PROVIDER, provider, 60e18);
        vm.expectRevert(
            abi.encodeWithSelector(Stakes.InsufficientFreeStake.selector, PROVIDER, provider, 40e18, 40e18 + 1)
        );
        vm.prank(jobs);
        stakes.engage(PROVIDER, provider, 40e18 + 1);
    }

    function test_engage_revertsForWhatIsUnbonding() public {
        bond(PROVIDER, provider, HUNDRED);
        _unbond(provider, HUNDRED);
        vm.expectRevert(abi.encodeWithSelector(Stakes.InsufficientFreeStake.selector, PROVIDER, provider, 0, 1));
        vm.prank(jobs);
        stakes.engage(PROVIDER, provider, 1);
    }

    function test_engage_revertsForOthers() public {
        vm.expectRevert(abi.encodeWithSelector(Stakes.NotModule.selector, stranger));
        vm.prank(stranger);
        stakes.engage(PROVIDER, provider, 0);
    }

    // ------------------------------------------------------------------------------------------------ disengage

    function test_disengage_freesTheStake() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.startPrank(jobs);
        stakes.engage(PROVIDER, provider, HUNDRED);
        stakes.disengage(PROVIDER, provider, 30e18);
        vm.stopPrank();
        eq(stakes.freeOf(PROVIDER, provider), 30e18, "free");
    }

    function test_disengage_leavesWhatAnotherModuleEngaged() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(jobs);
        stakes.engage(PROVIDER, provider, 60e18);
        vm.startPrank(attestations);
        stakes.engage(PROVIDER, provider, 40e18);
        stakes.disengage(PROVIDER, provider, 30e18);
        vm.stopPrank();
        eq(stakes.engagedOf(jobs, PROVIDER, provider), 60e18, "jobs");
        eq(stakes.engagedOf(attestations, PROVIDER, provider), 10e18, "attestations");
        eq(stakes.engagedOf(stranger, PROVIDER, provider), 0, "nobody else");
    }

    function test_disengage_revertsForWhatAnotherModuleEngaged() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(attestations);
        stakes.engage(PROVIDER, provider, HUNDRED);
        vm.expectRevert(
            abi.encodeWithSelector(Stakes.InsufficientEngagement.selector, jobs, PROVIDER, provider, 0, 1)
        );
        vm.prank(jobs);
        stakes.disengage(PROVIDER, provider, 1);
    }

    function test_disengage_revertsForOthers() public {
        vm.expectRevert(abi.encodeWithSelector(Stakes.NotModule.selector, stranger));
        vm.prank(stranger);
        stakes.disengage(PROVIDER, provider, 0);
    }

    // ------------------------------------------------------------------------------------------------ slash

    function test_slash_finderGetsItsShareAndTheRestIsBurned() public {
        bond(PROVIDER, provider, HUNDRED);
        uint256 supply = watt.totalSupply();
        vm.expectEmit(true, true, true, true, address(stakes));
        emit Stakes.Slashed(PROVIDER, provider, jobs, 0, 10e18, finder, 1.5e18);
        vm.prank(jobs);
        eq(stakes.slash(PROVIDER, provider, 1_000, 0, finder), 10e18, "slashed");
        eq(stakes.stakedOf(PROVIDER, provider), 90e18, "staked");
        eq(stakes.getVotes(provider), 90e18, "votes");
        eq(vault.balanceOf(finder, address(watt)), 1.5e18, "finder");
        eq(supply - watt.totalSupply(), 8.5e18, "burned");
        eq(_locked(provider), 90e18, "locked");
        eq(watt.balanceOf(address(vault)), vault.reserveOf(address(watt)), "the Vault is exact");
        eq(watt.balanceOf(address(stakes)), 0, "nothing stays here");
    }

    function test_slash_withoutFinderBurnsAll() public {
        bond(PROVIDER, provider, HUNDRED);
        uint256 supply = watt.totalSupply();
        vm.prank(attestations);
        stakes.slash(PROVIDER, provider, 10_000, 0, address(0));
        eq(supply - watt.totalSupply(), HUNDRED, "burned");
        eq(stakes.stakedOf(PROVIDER, provider), 0, "staked");
    }

    function test_slash_reachesWhatIsUnbondingFirst() public {
        bond(PROVIDER, provider, HUNDRED);
        _unbond(provider, 5e18);
        vm.expectEmit(true, true, true, true, address(stakes));
        emit Stakes.Slashed(PROVIDER, provider, jobs, 5e18, 5e18, finder, 1.5e18);
        vm.prank(jobs);
        stakes.slash(PROVIDER, provider, 1_000, 0, finder);
        Stakes.Stake memory s = stakes.get(PROVIDER, provider);
        eq(s.unbonding, 0, "unbonding");
        eq(s.staked, 90e18, "staked");
        vm.warp(START + 7 days);
        vm.expectRevert(abi.encodeWithSelector(Stakes.NothingUnbonding.selector, PROVIDER, provider));
        vm.prank(provider);
        stakes.release(PROVIDER);
    }

    function test_slash_reachesWhatIsDueButNotReleased() public {
        bond(PROVIDER, provider, HUNDRED);
        _unbond(provider, HUNDRED);
        vm.warp(START + 8 days);
        vm.prank(jobs);
        stakes.slash(PROVIDER, provider, 1_000, 0, finder);
        vm.prank(provider);
        stakes.release(PROVIDER);
        eq(vault.balanceOf(provider, address(watt)), 90e18, "what is left");
    }

    function test_slash_leavesTheOtherRoleAlone() public {
        bond(PROVIDER, provider, HUNDRED);
        bond(VALIDATOR, provider, HUNDRED);
        vm.prank(attestations);
        stakes.slash(VALIDATOR, provider, 10_000, 0, finder);
        eq(stakes.stakedOf(PROVIDER, provider), HUNDRED, "as provider");
        eq(stakes.stakedOf(VALIDATOR, provider), 0, "as validator");
    }

    function test_slash_keepsWhatIsEngagedAndLeavesNothingFree() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.startPrank(jobs);
        stakes.engage(PROVIDER, provider, HUNDRED);
        stakes.slash(PROVIDER, provider, 1_000, 0, finder);
        eq(stakes.atRiskOf(PROVIDER, provider), HUNDRED, "at risk");
        eq(stakes.freeOf(PROVIDER, provider), 0, "free");
        stakes.disengage(PROVIDER, provider, HUNDRED);
        vm.stopPrank();
        eq(stakes.freeOf(PROVIDER, provider), 90e18, "free again");
    }

    function test_slash_ofNothingTakesNothing() public {
        vm.prank(jobs);
        eq(stakes.slash(PROVIDER, stranger, 10_000, 0, finder), 0, "slashed");
        eq(vault.balanceOf(finder, address(watt)), 0, "finder");
    }

    function test_slash_toTheLastUnit() public {
        bond(PROVIDER, provider, 1);
        vm.prank(jobs);
        eq(stakes.slash(PROVIDER, provider, 10_000, 0, finder), 1, "slashed");
        eq(stakes.getVotes(provider), 0, "votes");
        eq(_locked(provider), 0, "locked");
    }

    function test_slash_neverMoreThanThereIs(uint96 staked, uint96 leaving, uint16 slashBps) public {
        staked = uint96(bound(staked, 1, 1e27));
        leaving = uint96(bound(leaving, 0, staked));
        slashBps = uint16(bound(slashBps, 0, 10_000));
        bond(PROVIDER, provider, staked);
        if (leaving != 0) _unbond(provider, leaving);
        uint256 supply = watt.totalSupply();
        vm.prank(jobs);
        uint256 slashed = stakes.slash(PROVIDER, provider, slashBps, 0, finder);
        eq(slashed, uint256(staked) * slashBps / 10_000, "share");
        eq(stakes.slashableOf(PROVIDER, provider), staked - slashed, "left");
        eq(_locked(provider), staked - slashed, "locked");
        uint256 reward = slashed * 1_500 / 10_000;
        eq(vault.balanceOf(finder, address(watt)), reward, "reward");
        eq(supply - watt.totalSupply(), slashed - reward, "burned");
        eq(stakes.getVotes(provider), stakes.stakedOf(PROVIDER, provider), "votes");
    }

    function test_slash_takesWhatWasAtRiskFromWhoHasLeft() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(jobs);
        stakes.engage(PROVIDER, provider, 10e18);
        _unbond(provider, 90e18);
        vm.warp(START + 7 days);
        vm.prank(provider);
        stakes.release(PROVIDER);
        vm.expectEmit(true, true, true, true, address(stakes));
        emit Stakes.Slashed(PROVIDER, provider, jobs, 0, 10e18, finder, 1.5e18);
        vm.prank(jobs);
        eq(stakes.slash(PROVIDER, provider, 1_000, 10e18, finder), 10e18, "not a tenth of the rest");
        eq(stakes.slashableOf(PROVIDER, provider), 0, "left");
    }

    function test_slash_takesTheShareWhereItIsMoreThanWasAtRisk() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(jobs);
        eq(stakes.slash(PROVIDER, provider, 1_000, 10e18 - 1, finder), 10e18, "slashed");
    }

    function test_slash_takesAllWhereLessThanWasAtRiskIsLeft() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.startPrank(jobs);
        stakes.engage(PROVIDER, provider, 60e18);
        stakes.slash(PROVIDER, provider, 5_000, 0, finder);
        eq(stakes.slash(PROVIDER, provider, 1_000, 60e18, finder), 50e18, "slashed");
        vm.stopPrank();
        eq(stakes.slashableOf(PROVIDER, provider), 0, "left");
    }

    function test_slash_revertsBeyondTheWhole() public {
        vm.expectRevert(abi.encodeWithSelector(Stakes.BadShare.selector, 10_001));
        vm.prank(jobs);
        stakes.slash(PROVIDER, provider, 10_001, 0, finder);
    }

    function test_slash_revertsForOthers() public {
        vm.expectRevert(abi.encodeWithSelector(Stakes.NotModule.selector, stranger));
        vm.prank(stranger);
        stakes.slash(PROVIDER, provider, 1, 0, finder);
    }

    // ------------------------------------------------------------------------------------------------ isActive

    function test_isActive_fromTheMinimumOfTheRole() public {
        bond(PROVIDER, provider, HUNDRED - 1);
        yes(!stakes.isActive(PROVIDER, provider), "one short");
        bond(PROVIDER, provider, 1);
        yes(stakes.isActive(PROVIDER, provider), "enough");
        bond(VALIDATOR, provider, 1_000e18 - 1);
        yes(!stakes.isActive(VALIDATOR, provider), "one short");
        bond(VALIDATOR, provider, 1);
        yes(stakes.isActive(VALIDATOR, provider), "enough");
    }

    function test_isActive_followsTheParameters() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.prank(admin);
        parameters.setMinStakes(HUNDRED + 1, 1e18);
        yes(!stakes.isActive(PROVIDER, provider), "no longer enough");
    }

    function test_isActive_notWithWhatIsUnbonding() public {
        bond(PROVIDER, provider, HUNDRED);
        _unbond(provider, 1);
        yes(!stakes.isActive(PROVIDER, provider), "leaving");
    }

    // ------------------------------------------------------------------------------------------------ votes

    function test_votes_areCountedByTime() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.warp(START + 10);
        bond(VALIDATOR, renter, 50e18);
        vm.warp(START + 20);
        _unbond(provider, 60e18);
        vm.warp(START + 30);
        eq(stakes.clock(), START + 30, "clock");
        eq(keccak256(bytes(stakes.CLOCK_MODE())), keccak256("mode=timestamp"), "mode");
        eq(stakes.getPastVotes(provider, START + 10), HUNDRED, "before");
        eq(stakes.getPastVotes(provider, START + 20), 40e18, "after");
        eq(stakes.getPastTotalSupply(START + 9), HUNDRED, "all at first");
        eq(stakes.getPastTotalSupply(START + 19), 150e18, "all");
        eq(stakes.getPastTotalSupply(START + 29), 90e18, "all after");
    }

    function test_votes_canBeDelegatedAndTakenBack() public {
        bond(PROVIDER, provider, HUNDRED);
        eq(stakes.delegates(provider), provider, "oneself");
        vm.prank(provider);
        stakes.delegate(renter);
        eq(stakes.getVotes(renter), HUNDRED, "delegated");
        eq(stakes.getVotes(provider), 0, "gone");
        bond(VALIDATOR, provider, 1);
        eq(stakes.getVotes(renter), uint256(HUNDRED) + 1, "what comes later too");
        vm.prank(provider);
        stakes.delegate(address(0));
        eq(stakes.delegates(provider), provider, "nobody is oneself");
        eq(stakes.getVotes(provider), uint256(HUNDRED) + 1, "back");
    }

    function test_votes_delegatingNeverStopsAnExit() public {
        bond(PROVIDER, provider, HUNDRED);
        vm.startPrank(provider);
        stakes.delegate(address(0));
        stakes.delegate(renter);
        stakes.delegate(address(0));
        stakes.unbond(PROVIDER, HUNDRED);
        vm.stopPrank();
        eq(stakes.getVotes(provider), 0, "none");
        eq(stakes.getVotes(renter), 0, "none");
        vm.warp(START + 1);
        eq(stakes.getPastTotalSupply(START), 0, "none at all");
    }
}
