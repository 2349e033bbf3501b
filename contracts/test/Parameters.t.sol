// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Parameters} from "../src/Parameters.sol";
import {Base} from "./Base.sol";

/// Parameters.tree, leaf by leaf.
contract ParametersTest is Base {
    uint64 internal constant GUARDIAN = 7;
    address internal guardian = address(0x6a4d);

    function _pause() internal {
        vm.prank(admin);
        parameters.pauseNewDeals();
    }

    function test_constructor_startsWithEtherAndDefaultFee() public view {
        yes(parameters.isTokenAllowed(ETH), "ether");
        eq(parameters.feeBps(), 250, "2.5 %");
        eq(parameters.treasury(), treasury, "treasury");
        (uint16 fee, uint40 until) = parameters.forNewDeal();
        eq(fee, 250, "fee");
        eq(until, 0, "not paused");
    }

    function test_constructor_announcesBoth() public {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.expectEmit(true, true, true, true, next);
        emit Parameters.TokenAllowed(ETH);
        vm.expectEmit(true, true, true, true, next);
        emit Parameters.FeeSet(250);
        new Parameters(address(manager), treasury);
    }

    function test_constructor_revertsWithoutTreasury() public {
        vm.expectRevert(abi.encodeWithSelector(Parameters.ZeroTreasury.selector));
        new Parameters(address(manager), address(0));
    }

    function test_allowToken_forGood() public {
        vm.expectEmit(true, true, true, true, address(parameters));
        emit Parameters.TokenAllowed(address(vault));
        vm.prank(admin);
        parameters.allowToken(address(vault));
        yes(parameters.isTokenAllowed(address(vault)), "allowed");
    }

    function test_allowToken_revertsWithoutCode() public {
        vm.expectRevert(abi.encodeWithSelector(Parameters.NotAContract.selector, stranger));
        vm.prank(admin);
        parameters.allowToken(stranger);
    }

    function test_setFee_upToTheCap(uint16 fee) public {
        fee = uint16(bound(fee, 0, 1_000));
        vm.expectEmit(true, true, true, true, address(parameters));
        emit Parameters.FeeSet(fee);
        vm.prank(admin);
        parameters.setFee(fee);
        eq(parameters.feeBps(), fee, "fee");
        vm.prank(admin);
        parameters.setFee(1_000);
        eq(parameters.feeBps(), 1_000, "the cap itself");
    }

    function test_setFee_revertsAboveTheCap() public {
        vm.expectRevert(abi.encodeWithSelector(Parameters.FeeTooHigh.selector, 1_001, 1_000));
        vm.prank(admin);
        parameters.setFee(1_001);
    }

    function test_setSlash_upToTheCap(uint16 slashBps) public {
        slashBps = uint16(bound(slashBps, 0, 2_500));
        eq(parameters.slashBps(), 1_000, "10 % at first");
        vm.expectEmit(true, true, true, true, address(parameters));
        emit Parameters.SlashSet(slashBps);
        vm.prank(admin);
        parameters.setSlash(slashBps);
        eq(parameters.slashBps(), slashBps, "share");
        vm.prank(admin);
        parameters.setSlash(2_500);
        eq(parameters.slashBps(), 2_500, "the cap itself");
    }

    function test_setSlash_revertsAboveTheCap() public {
        vm.expectRevert(abi.encodeWithSelector(Parameters.SlashTooHigh.selector, 2_501, 2_500));
        vm.prank(admin);
        parameters.setSlash(2_501);
    }

    function test_setInactiveBelow_upToTheCap() public {
        eq(parameters.inactiveBelow(), 50, "50 at first");
        vm.expectEmit(true, true, true, true, address(parameters));
        emit Parameters.InactiveBelowSet(90);
        vm.prank(admin);
        parameters.setInactiveBelow(90);
        eq(parameters.inactiveBelow(), 90, "reputation");
    }

    function test_setInactiveBelow_revertsAboveTheCap() public {
        vm.expectRevert(abi.encodeWithSelector(Parameters.InactiveBelowTooHigh.selector, 91, 90));
        vm.prank(admin);
        parameters.setInactiveBelow(91);
    }

    function test_setMinStakes_withinTheBounds() public {
        eq(parameters.minProviderStake(), 100e18, "100 WATT at first");
        eq(parameters.minValidatorStake(), 1_000e18, "1,000 WATT at first");
        vm.expectEmit(true, true, true, true, address(parameters));
        emit Parameters.MinStakesSet(1e18, 100_000e18);
        vm.prank(admin);
        parameters.setMinStakes(1e18, 100_000e18);
        eq(parameters.minProviderStake(), 1e18, "provider");
        eq(parameters.minValidatorStake(), 100_000e18, "validator");
    }

    function test_setMinStakes_revertsOutOfBounds() public {
        uint96[2] memory bad = [uint96(1e18 - 1), 100_000e18 + 1];
        vm.startPrank(admin);
        for (uint256 i; i < 2; i++) {
            bytes memory reason = abi.encodeWithSelector(
                Parameters.MinStakeOutOfBounds.selector, bad[i], uint96(1e18), uint96(100_000e18)
            );
            vm.expectRevert(reason);
            parameters.setMinStakes(bad[i], 1e18);
            vm.expectRevert(reason);
            parameters.setMinStakes(1e18, bad[i]);
        }
        vm.stopPrank();
    }

    function test_pause_lapsesByItself() public {
        vm.expectEmit(true, true, true, true, address(parameters));
        emit Parameters.NewDealsPaused(START + 7 days, START + 37 days);
        _pause();
        eq(parameters.newDealsPausedUntil(), START + 7 days, "until");
    }

    function test_pause_revertsFor30DaysAfter() public {
        _pause();
        vm.warp(START + 37 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Parameters.PauseNotAllowedYet.selector, START + 37 days));
        _pause();
        vm.warp(START + 37 days);
        _pause();
        eq(parameters.newDealsPausedUntil(), START + 44 days, "until");
    }

    function test_resume_endsThePauseAndKeepsTheRest() public {
        _pause();
        vm.warp(START + 1 days);
        vm.expectEmit(true, true, true, true, address(parameters));
        emit Parameters.NewDealsResumed();
        vm.prank(admin);
        parameters.resumeNewDeals();
        eq(parameters.newDealsPausedUntil(), START + 1 days, "over now");
        vm.expectRevert(abi.encodeWithSelector(Parameters.PauseNotAllowedYet.selector, START + 37 days));
        _pause();
    }

    function test_resume_revertsWithoutPause() public {
        vm.expectRevert(abi.encodeWithSelector(Parameters.NotPaused.selector));
        vm.prank(admin);
        parameters.resumeNewDeals();
    }

    function test_forNewJob_saysWhatTermsAreHeldTo() public {
        vm.startPrank(admin);
        parameters.setFee(300);
        parameters.setSlash(400);
        parameters.setMinStakes(5e18, 6e18);
        parameters.pauseNewDeals();
        vm.stopPrank();
        (uint16 fee, uint40 until, uint16 slash, uint96 minStake, bool allowed) = parameters.forNewJob(ETH);
        eq(fee, 300, "fee");
        eq(until, START + 7 days, "until");
        eq(slash, 400, "slash");
        eq(minStake, 5e18, "least stake of a provider");
        yes(allowed, "ether");
        (,,,, allowed) = parameters.forNewJob(address(0x70c1));
        yes(!allowed, "a token that nobody has allowed");
    }

    function test_restricted_revertForOthers() public {
        bytes memory reason = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(reason);
        parameters.allowToken(address(vault));
        vm.expectRevert(reason);
        parameters.setFee(0);
        vm.expectRevert(reason);
        parameters.setSlash(0);
        vm.expectRevert(reason);
        parameters.setInactiveBelow(0);
        vm.expectRevert(reason);
        parameters.setMinStakes(1e18, 1e18);
        vm.expectRevert(reason);
        parameters.pauseNewDeals();
        vm.expectRevert(reason);
        parameters.resumeNewDeals();
        vm.stopPrank();
    }

    function test_restricted_aGuardianMayPauseAndNothingElse() public {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Parameters.pauseNewDeals.selector;
        vm.startPrank(admin);
        manager.setTargetFunctionRole(address(parameters), selectors, GUARDIAN);
        manager.grantRole(GUARDIAN, guardian, 0);
        vm.stopPrank();
        vm.startPrank(guardian);
        parameters.pauseNewDeals();
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, guardian));
        parameters.setFee(0);
        vm.stopPrank();
    }
}
