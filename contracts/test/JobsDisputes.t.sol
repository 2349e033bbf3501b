// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms, Jobs} from "../src/Jobs.sol";
import {Juries} from "../src/Juries.sol";
import {JobsBase} from "./JobsBase.sol";

/// JobsDisputes.tree, leaf by leaf: a result that somebody challenges.
contract JobsDisputesTest is JobsBase {
    // ------------------------------------------------------------------------------------------------ disputes

    function test_challenge_locksABondAndOpensACase() public {
        hireJury();
        JobTerms memory t = submitted();
        vm.warp(block.timestamp + 1 days - 1);
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Challenged(idOf(t), challenger, BOUNTY / 10);
        challenge(t);
        isIn(idOf(t), Jobs.State.DISPUTED);
        eq(held(challenger), BOUNTY / 10, "bond");
        eq(bounties.challengeBondOf(t), BOUNTY / 10, "as the contract says");
        eq(bounties.challengerOf(idOf(t)), challenger, "challenger");
        eq(juries.get(idOf(t)).seats, 0, "nobody knows who will sit");
        eq(juries.get(idOf(t)).epoch, att.epoch(), "whose secrets it waits for");
    }

    function test_challenge_withEtherSentAlong() public {
        JobTerms memory t = jobTerms();
        (t.token, t.bounty, t.bond) = (ETH, 1 ether, 0.1 ether);
        post(t);
        claim(t);
        submit(t);
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        bounties.challenge{value: 0.1 ether}(t, offerId);
        eq(vault.lockedOf(address(bounties), stranger, ETH), 0.1 ether, "bond");
    }

    function test_challenge_revertsAfterTheWindow() public {
        JobTerms memory t = submitted();
        vm.warp(START + 1 days);
        vm.expectRevert(errorOf(Jobs.WindowOver.selector, idOf(t), START + 1 days));
        challenge(t);
    }

    function test_challenge_revertsUnlessSubmitted() public {
        JobTerms memory t = running();
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        challenge(t);
        submit(t);
        challenge(t);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.DISPUTED)));
        challenge(t);
    }

    function test_draw_byAnybodySeatsTheJury() public {
        hireJury();
        JobTerms memory t = disputed();
        secretsComeOut();
        vm.prank(stranger);
        bounties.draw(t, offerId);
        eq(juries.get(idOf(t)).seats, 7, "jury");
    }

    function test_draw_leavesOutRenterProviderAndChallenger() public {
        hireJury();
        (renter, provider, challenger) = (validators[0], validators[1], validators[2]);
        openMarket();
        JobTerms memory t = disputed();
        secretsComeOut();
        bounties.draw(t, offerId);
        eq(juries.get(idOf(t)).seats, 6, "nine less three");
        for (uint256 seat; seat < 6; seat++) {
            address member = juries.memberOf(idOf(t), seat);
            yes(member != renter && member != provider && member != challenger, "a party sits");
        }
    }

    function test_draw_revertsUnlessDisputed() public {
        hireJury();
        JobTerms memory t = submitted();
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
        bounties.draw(t, offerId);
    }

    function test_resolve_validPaysTheProviderAndItsWait() public {
        hireJury();
        uint256 before = money(provider);
        uint256 at = money(challenger);
        JobTerms memory t = disputed();
        juryFinds(t, Juries.Verdict.VALID, 5);
        vm.prank(stranger);
        bounties.resolve(t, offerId);
        isIn(idOf(t), Jobs.State.VERIFIED);
        eq(money(provider) - before, BOUNTY - BOUNTY / 40 + BOUNTY / 10, "bounty and the challenger's bond");
        eq(at - money(challenger), BOUNTY / 10, "the challenger's bond");
        nothingHeld(provider, offerId);
    }

    function _isRejected(JobTerms memory t, uint256 ofRenter, uint256 ofProvider, uint256 ofChallenger) internal view {
        isIn(idOf(t), Jobs.State.REJECTED);
        eq(money(renter) - ofRenter, JOB_BOND, "refund and the bond");
        eq(ofProvider - money(provider), JOB_BOND, "bond");
        eq(money(challenger), ofChallenger, "the challenger's bond");
        eq(stakes.stakedOf(PROVIDER, provider), 900e18, "a tenth of the stake");
        eq(vault.balanceOf(challenger, address(watt)), 15e18, "finder");
        eq(record.reputationOf(provider), 6_666, "reputation");
        nothingHeld(provider, offerId);
    }

    function test_resolve_invalidRefundsAndSlashes() public {
        hireJury();
        (uint256 a, uint256 b, uint256 c) = (money(renter), money(provider), money(challenger));
        JobTerms memory t = disputed();
        juryFinds(t, Juries.Verdict.INVALID, 5);
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Settled(idOf(t), Jobs.State.REJECTED, 0, 0, BOUNTY, JOB_BOND);
        bounties.resolve(t, offerId);
        _isRejected(t, a, b, c);
    }

    function test_resolve_unavailableCountsAsInvalid() public {
        hireJury();
        (uint256 a, uint256 b, uint256 c) = (money(renter), money(provider), money(challenger));
        JobTerms memory t = disputed();
        juryFinds(t, Juries.Verdict.UNAVAILABLE, 7);
        bounties.resolve(t, offerId);
        _isRejected(t, a, b, c);
    }

    function test_resolve_invalidCostsWhatWasAtRiskFromWhoHasLeft() public {
        JobTerms memory t = jobTerms();
        (t.minStake, t.deadline) = (1000e18, uint40(block.timestamp) + 14 days);
        post(t);
        claim(t);
        vm.prank(provider);
        stakes.unbond(PROVIDER, 900e18);
        vm.warp(block.timestamp + 7 days);
        vm.prank(provider);
        stakes.release(PROVIDER);
        hireJury();
        submit(t);
        challenge(t);
        juryFinds(t, Juries.Verdict.INVALID, 5);
        bounties.resolve(t, offerId);
        eq(stakes.slashableOf(PROVIDER, provider), 0, "100 of 1,000, not 10 of the 100 left");
        eq(vault.balanceOf(challenger, address(watt)), 15e18, "finder");
    }

    function _isPaidAndNobodyFined(JobTerms memory t, uint256 ofProvider, uint256 ofChallenger) internal view {
        isIn(idOf(t), Jobs.State.VERIFIED);
        eq(money(provider) - ofProvider, BOUNTY - BOUNTY / 40, "bounty");
        eq(money(challenger), ofChallenger, "the challenger's bond");
        nothingHeld(provider, offerId);
    }

    function test_resolve_withoutQuorumPaysTheProvider() public {
        hireJury();
        (uint256 b, uint256 c) = (money(provider), money(challenger));
        JobTerms memory t = disputed();
        juryFinds(t, Juries.Verdict.INVALID, 4);
        vm.warp(block.timestamp + 36 hours);
        bounties.resolve(t, offerId);
        _isPaidAndNobodyFined(t, b, c);
    }

    function test_resolve_withoutJuryPaysTheProviderAtOnce() public {
        (uint256 b, uint256 c) = (money(provider), money(challenger));
        JobTerms memory t = disputed();
        bounties.resolve(t, offerId);
        _isPaidAndNobodyFined(t, b, c);
    }

    function test_resolve_whatNobodyDrawsPaysTheProvider() public {
        hireJury();
        (uint256 b, uint256 c) = (money(provider), money(challenger));
        JobTerms memory t = disputed();
        goTo(att.epoch() + 2, 6 hours);
        bounties.resolve(t, offerId);
        _isPaidAndNobodyFined(t, b, c);
    }

    function _disputedWithArbiter() internal returns (JobTerms memory t) {
        t = jobTerms();
        t.arbiter = stranger;
        post(t);
        claim(t);
        submit(t);
        challenge(t);
    }

    function test_resolve_afterTheArbitersTimePaysTheProvider() public {
        (uint256 b, uint256 c) = (money(provider), money(challenger));
        JobTerms memory t = _disputedWithArbiter();
        vm.warp(START + 7 days);
        bounties.resolve(t, offerId);
        _isPaidAndNobodyFined(t, b, c);
    }

    function test_resolve_revertsWhileTheJurySits() public {
        hireJury();
        JobTerms memory t = disputed();
        juryFinds(t, Juries.Verdict.VALID, 4);
        vm.warp(block.timestamp + 36 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.StillDisputed.selector, idOf(t)));
        bounties.resolve(t, offerId);
    }

    function test_resolve_revertsWhileTheJuryCanBeDrawn() public {
        hireJury();
        JobTerms memory t = disputed();
        goTo(att.epoch() + 2, 6 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.StillDisputed.selector, idOf(t)));
        bounties.resolve(t, offerId);
    }

    function test_resolve_revertsInTheArbitersTime() public {
        JobTerms memory t = _disputedWithArbiter();
        vm.warp(START + 7 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.StillDisputed.selector, idOf(t)));
        bounties.resolve(t, offerId);
    }

    function test_resolve_revertsUnlessDisputed() public {
        JobTerms memory t = submitted();
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
        bounties.resolve(t, offerId);
    }

    function _decide(JobTerms memory t, bool valid) internal {
        vm.prank(stranger);
        bounties.decide(t, offerId, valid);
    }

    function test_decide_validPaysTheProvider() public {
        uint256 before = money(provider);
        JobTerms memory t = _disputedWithArbiter();
        vm.warp(START + 7 days - 1);
        _decide(t, true);
        isIn(idOf(t), Jobs.State.VERIFIED);
        eq(money(provider) - before, BOUNTY - BOUNTY / 40 + BOUNTY / 10, "bounty and the challenger's bond");
    }

    function test_decide_invalidRefundsAndSlashesNobody() public {
        (uint256 a, uint256 b, uint256 c) = (money(renter), money(provider), money(challenger));
        JobTerms memory t = _disputedWithArbiter();
        _decide(t, false);
        isIn(idOf(t), Jobs.State.REJECTED);
        eq(money(renter) - a, JOB_BOND, "refund and the bond");
        eq(b - money(provider), JOB_BOND, "bond");
        eq(money(challenger), c, "the challenger's bond");
        eq(stakes.stakedOf(PROVIDER, provider), 1000e18, "all of the stake");
        eq(record.reputationOf(provider), 10_000, "reputation");
        nothingHeld(provider, offerId);
    }

    function test_decide_revertsForOtherCaller() public {
        JobTerms memory t = _disputedWithArbiter();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotArbiter.selector, renter, stranger));
        vm.prank(renter);
        bounties.decide(t, offerId, true);
    }

    function test_decide_revertsWhileTheJurySits() public {
        hireJury();
        JobTerms memory t = _disputedWithArbiter();
        vm.expectRevert(abi.encodeWithSelector(Jobs.StillDisputed.selector, idOf(t)));
        _decide(t, true);
    }

    function test_decide_revertsAgainstAVerdict() public {
        hireJury();
        JobTerms memory t = _disputedWithArbiter();
        juryFinds(t, Juries.Verdict.VALID, 5);
        vm.expectRevert(abi.encodeWithSelector(Jobs.StillDisputed.selector, idOf(t)));
        _decide(t, false);
    }

    function test_decide_revertsAfterItsTime() public {
        JobTerms memory t = _disputedWithArbiter();
        vm.warp(START + 7 days);
        vm.expectRevert(errorOf(Jobs.WindowOver.selector, idOf(t), START + 7 days));
        _decide(t, true);
    }

    function test_decide_revertsUnlessDisputed() public {
        JobTerms memory t = jobTerms();
        t.arbiter = stranger;
        post(t);
        claim(t);
        submit(t);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
        _decide(t, true);
    }
}
