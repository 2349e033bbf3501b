// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms, Jobs} from "../src/Jobs.sol";
import {JobsBase} from "./JobsBase.sol";

/// JobsEnds.tree, leaf by leaf: a job with one provider, from its result or its deadline to the money.
contract JobsEndsTest is JobsBase {
    // ------------------------------------------------------------------------------------------------ submit

    function test_submit_startsTheWindow() public {
        JobTerms memory t = running();
        vm.warp(t.deadline - 1);
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Submitted(idOf(t), RESULT, t.deadline - 1 + 1 days);
        submit(t);
        isIn(idOf(t), Jobs.State.SUBMITTED);
        eq(bounties.get(idOf(t)).until, t.deadline - 1 + 1 days, "until");
    }

    function test_submit_revertsForOtherCaller() public {
        JobTerms memory t = running();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotProvider.selector, stranger, provider));
        vm.prank(stranger);
        bounties.submit(t, offerId, RESULT);
    }

    function test_submit_revertsForOtherProvider() public {
        hireCrew(1);
        JobTerms memory t = running();
        vm.expectRevert(abi.encodeWithSelector(Jobs.WrongOffer.selector, crewOffers[0]));
        vm.prank(crew[0]);
        bounties.submit(t, crewOffers[0], RESULT);
    }

    function test_submit_revertsForOtherOfferOfTheAssignee() public {
        JobTerms memory t = running();
        bytes32 other = register(offerParams(ETH, 1), "other");
        vm.expectRevert(abi.encodeWithSelector(Jobs.WrongOffer.selector, other));
        vm.prank(provider);
        bounties.submit(t, other, RESULT);
    }

    function test_submit_revertsAtTheDeadline() public {
        JobTerms memory t = running();
        vm.warp(t.deadline);
        vm.expectRevert(abi.encodeWithSelector(Jobs.TooLate.selector, t.deadline, t.deadline));
        submit(t);
    }

    function test_submit_revertsTwice() public {
        JobTerms memory t = submitted();
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
        submit(t);
    }

    function test_submit_revertsForNothing() public {
        JobTerms memory t = running();
        vm.expectRevert(abi.encodeWithSelector(Jobs.EmptyResult.selector));
        vm.prank(provider);
        bounties.submit(t, offerId, 0);
    }

    // ------------------------------------------------------------------------------------------------ accept, finalize

    function _isPaid(JobTerms memory t, uint256 before) internal view {
        isIn(idOf(t), Jobs.State.VERIFIED);
        eq(money(provider) - before, BOUNTY - BOUNTY / 40, "bounty less 2.5 %");
        eq(money(treasury), BOUNTY / 40, "fee");
        nothingHeld(provider, offerId);
    }

    function test_accept_paysTheProvider() public {
        uint256 before = money(provider);
        JobTerms memory t = submitted();
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Settled(idOf(t), Jobs.State.VERIFIED, BOUNTY, BOUNTY / 40, 0, 0);
        vm.prank(renter);
        bounties.accept(t, offerId);
        _isPaid(t, before);
    }

    function test_accept_revertsForOtherCaller() public {
        JobTerms memory t = submitted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRenter.selector, provider, renter));
        vm.prank(provider);
        bounties.accept(t, offerId);
    }

    function test_accept_revertsForOtherOffer() public {
        JobTerms memory t = submitted();
        hireCrew(1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.WrongOffer.selector, crewOffers[0]));
        vm.prank(renter);
        bounties.accept(t, crewOffers[0]);
    }

    function test_accept_revertsUnlessSubmitted() public {
        JobTerms memory t = running();
        vm.startPrank(renter);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        bounties.accept(t, offerId);
        vm.stopPrank();
        submit(t);
        vm.startPrank(renter);
        bounties.accept(t, offerId);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.VERIFIED)));
        bounties.accept(t, offerId);
        vm.stopPrank();
    }

    function test_accept_revertsForCopies() public {
        JobTerms memory t = crewed(3, 2);
        bytes memory why = abi.encodeWithSelector(Jobs.HasCopies.selector, idOf(t));
        vm.expectRevert(why);
        vm.prank(renter);
        bounties.accept(t, crewOffers[0]);
        vm.expectRevert(why);
        bounties.finalize(t, crewOffers[0]);
        vm.expectRevert(why);
        bounties.challenge(t, crewOffers[0]);
    }

    function test_finalize_paysTheProvider() public {
        uint256 before = money(provider);
        JobTerms memory t = submitted();
        vm.warp(START + 1 days);
        vm.prank(stranger);
        bounties.finalize(t, offerId);
        _isPaid(t, before);
    }

    function test_finalize_revertsInsideTheWindow() public {
        JobTerms memory t = submitted();
        vm.warp(START + 1 days - 1);
        vm.expectRevert(errorOf(Jobs.WindowOpen.selector, idOf(t), START + 1 days));
        bounties.finalize(t, offerId);
    }

    function test_finalize_revertsUnlessSubmitted() public {
        JobTerms memory t = running();
        vm.warp(START + 30 days);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        bounties.finalize(t, offerId);
    }

    // ------------------------------------------------------------------------------------------------ expire

    function test_expire_refundsWithTheLateFeeAndAStrike() public {
        uint256 before = money(provider);
        uint256 of_ = money(renter);
        JobTerms memory t = running();
        vm.warp(t.deadline);
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Settled(idOf(t), Jobs.State.REFUNDED, 0, 0, BOUNTY, BOUNTY / 10);
        vm.prank(stranger);
        bounties.expire(t, offerId);
        isIn(idOf(t), Jobs.State.REFUNDED);
        eq(before - money(provider), BOUNTY / 10, "late fee");
        eq(money(renter) - of_, BOUNTY / 10, "to the renter");
        eq(record.standingOf(provider).strikes, 1, "strike");
        eq(stakes.stakedOf(PROVIDER, provider), 1_000e18, "stake is whole");
        nothingHeld(provider, offerId);
    }

    function test_expire_refundsTheSmallestBounty() public {
        JobTerms memory t = jobTerms();
        (t.bounty, t.bond) = (1, 0);
        post(t);
        claim(t);
        vm.warp(t.deadline);
        uint256 before = money(renter);
        bounties.expire(t, offerId);
        eq(money(renter) - before, 1, "all of it");
        nothingHeld(provider, offerId);
    }

    function test_expire_revertsBeforeTheDeadline() public {
        JobTerms memory t = running();
        vm.warp(t.deadline - 1);
        vm.expectRevert(errorOf(Jobs.NotExpired.selector, idOf(t), t.deadline));
        bounties.expire(t, offerId);
    }

    function test_expire_revertsForOtherOffer() public {
        JobTerms memory t = running();
        hireCrew(1);
        vm.warp(t.deadline);
        vm.expectRevert(abi.encodeWithSelector(Jobs.WrongOffer.selector, crewOffers[0]));
        bounties.expire(t, crewOffers[0]);
    }

    function test_expire_revertsUnlessAssigned() public {
        JobTerms memory t = submitted();
        vm.warp(t.deadline + 30 days);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
        bounties.expire(t, offerId);
    }
}
