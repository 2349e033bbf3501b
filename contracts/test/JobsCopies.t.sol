// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms, Jobs} from "../src/Jobs.sol";
import {JobsBase} from "./JobsBase.sol";

/// JobsCopies.tree, leaf by leaf: a job that several providers do, of which those who agree are paid.
contract JobsCopiesTest is JobsBase {
    // ------------------------------------------------------------------------------------------------ copies

    function test_reveal_countsResults() public {
        JobTerms memory t = crewed(3, 2);
        for (uint256 i; i < 3; i++) submitCopy(t, i, RESULT);
        eq(bounties.get(idOf(t)).until, START + 1 days, "the window begins with the last");
        for (uint256 i; i < 3; i++) {
            vm.expectEmit(true, true, true, true, address(bounties));
            emit Jobs.Revealed(copyOf(t, i), RESULT);
            revealCopy(t, i, RESULT);
        }
        Jobs.Job memory job = bounties.get(idOf(t));
        eq(job.taken, 3, "taken");
        eq(job.submitted, 3, "submitted");
        eq(job.revealed, 3, "revealed");
        eq(job.agreeing, 3, "agreeing");
        eq(bounties.resultOf(idOf(t)), RESULT, "result");
    }

    function test_reveal_afterTheDeadlineWithoutTheLast() public {
        JobTerms memory t = crewed(3, 2);
        submitCopy(t, 0, RESULT);
        submitCopy(t, 1, RESULT);
        vm.warp(t.deadline);
        revealCopy(t, 0, RESULT);
        vm.warp(t.deadline + t.window - 1);
        revealCopy(t, 1, RESULT);
        eq(bounties.get(idOf(t)).agreeing, 2, "agreeing");
    }

    function test_reveal_revertsBeforeTheLastSubmission() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        vm.warp(t.deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRevealing.selector, idOf(t)));
        revealCopy(t, 0, RESULT);
    }

    function test_reveal_revertsAfterTheWindow() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        submitCopy(t, 1, RESULT);
        vm.warp(START + 1 days);
        vm.expectRevert(errorOf(Jobs.WindowOver.selector, idOf(t), START + 1 days));
        revealCopy(t, 0, RESULT);
    }

    function test_reveal_revertsForOtherResult() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        submitCopy(t, 1, RESULT);
        vm.expectRevert(abi.encodeWithSelector(Jobs.WrongReveal.selector, copyOf(t, 0)));
        revealCopy(t, 0, "other");
    }

    function test_reveal_revertsForCopiedCommitment() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        bytes32 copied = bounties.resultOf(copyOf(t, 0));
        vm.prank(crew[1]);
        bounties.submit(t, crewOffers[1], copied);
        revealCopy(t, 0, RESULT);
        vm.expectRevert(abi.encodeWithSelector(Jobs.WrongReveal.selector, copyOf(t, 1)));
        revealCopy(t, 1, RESULT);
    }

    function test_reveal_revertsTwice() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        submitCopy(t, 1, RESULT);
        revealCopy(t, 0, RESULT);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, copyOf(t, 0), uint256(Jobs.State.REVEALED)));
        revealCopy(t, 0, RESULT);
    }

    function test_reveal_revertsForSingleJobs() public {
        JobTerms memory t = submitted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NoCopies.selector, idOf(t)));
        bounties.reveal(t, offerId, RESULT, SALT);
    }

    function test_conclude_thoseWhoAgreeShare() public {
        JobTerms memory t = concluded();
        isIn(idOf(t), Jobs.State.VERIFIED);
        eq(held(renter), BOUNTY, "still in escrow");
    }

    function test_conclude_tooFewAgreeRefunds() public {
        uint256 before = money(renter);
        JobTerms memory t = crewed(3, 2);
        for (uint256 i; i < 3; i++) submitCopy(t, i, bytes32(i));
        for (uint256 i; i < 3; i++) revealCopy(t, i, bytes32(i));
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Concluded(idOf(t), 0, 0, BOUNTY);
        bounties.conclude(t);
        isIn(idOf(t), Jobs.State.REFUNDED);
        eq(money(renter), before, "all of it");
        for (uint256 i; i < 3; i++) {
            bounties.collect(t, crewOffers[i]);
            isIn(copyOf(t, i), Jobs.State.OUTVOTED);
            nothingHeld(crew[i], crewOffers[i]);
            eq(money(crew[i]), 1_000_000e6, "bond");
        }
    }

    function test_conclude_nobodyCameRefunds() public {
        uint256 before = money(renter);
        JobTerms memory t = copiesTerms(3, 2);
        post(t);
        vm.warp(t.deadline);
        bounties.conclude(t);
        isIn(idOf(t), Jobs.State.REFUNDED);
        eq(money(renter), before, "all of it");
    }

    function test_conclude_asSoonAsAllIsRevealed() public {
        JobTerms memory t = concluded();
        eq(block.timestamp, START, "at once");
        isIn(idOf(t), Jobs.State.VERIFIED);
    }

    function test_conclude_revertsBeforeTheDeadline() public {
        JobTerms memory t = crewed(3, 2);
        vm.warp(t.deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRevealing.selector, idOf(t)));
        bounties.conclude(t);
    }

    function test_conclude_revertsInsideTheWindow() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        submitCopy(t, 1, RESULT);
        revealCopy(t, 0, RESULT);
        vm.warp(START + 1 days - 1);
        vm.expectRevert(errorOf(Jobs.WindowOpen.selector, idOf(t), START + 1 days));
        bounties.conclude(t);
    }

    function test_conclude_revertsTwice() public {
        JobTerms memory t = concluded();
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.VERIFIED)));
        bounties.conclude(t);
    }

    function test_conclude_revertsForSingleJobs() public {
        JobTerms memory t = submitted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NoCopies.selector, idOf(t)));
        bounties.conclude(t);
    }

    function test_collect_paysTheShareAndGivesTheBondBack() public {
        JobTerms memory t = concluded();
        for (uint256 i; i < 2; i++) {
            bounties.collect(t, crewOffers[i]);
            isIn(copyOf(t, i), Jobs.State.VERIFIED);
            eq(money(crew[i]), 1_000_000e6 + 50e6 - 1.25e6, "half of it less 2.5 %");
        }
        nothingHeld(crew[0], crewOffers[0]);
        eq(money(treasury), 2.5e6, "fee");
    }

    function test_collect_outvotedCopyGetsItsBondBack() public {
        JobTerms memory t = concluded();
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Settled(copyOf(t, 2), Jobs.State.OUTVOTED, 0, 0, 0, 0);
        bounties.collect(t, crewOffers[2]);
        isIn(copyOf(t, 2), Jobs.State.OUTVOTED);
        eq(money(crew[2]), 1_000_000e6, "bond");
        eq(offers.get(crewOffers[2]).taken, 0, "unit");
        eq(record.standingOf(crew[2]).strikes, 0, "no strike");
    }

    function test_collect_lateCopiesPayTheLateFee() public {
        JobTerms memory t = crewed(3, 2);
        submitCopy(t, 0, RESULT);
        submitCopy(t, 1, RESULT);
        vm.warp(t.deadline);
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Settled(copyOf(t, 2), Jobs.State.REFUNDED, 0, 0, 0, uint256(BOUNTY) / 10 / 3);
        bounties.expire(t, crewOffers[2]);
        isIn(copyOf(t, 2), Jobs.State.REFUNDED);
        eq(1_000_000e6 - money(crew[2]), uint256(BOUNTY) / 10 / 3, "a third of a tenth");
        eq(record.standingOf(crew[2]).strikes, 1, "strike");
        eq(held(renter), BOUNTY, "the bounty is for the others");
        revealCopy(t, 0, RESULT);
        revealCopy(t, 1, RESULT);
        bounties.conclude(t);
        bounties.collect(t, crewOffers[0]);
        bounties.collect(t, crewOffers[1]);
        nothingHeld(crew[2], crewOffers[2]);
    }

    function test_collect_unrevealedCopiesPayTheLateFee() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        submitCopy(t, 1, RESULT);
        revealCopy(t, 0, RESULT);
        vm.expectRevert(errorOf(Jobs.NotExpired.selector, copyOf(t, 1), START + 1 days));
        bounties.expire(t, crewOffers[1]);
        vm.warp(START + 1 days);
        bounties.conclude(t);
        bounties.expire(t, crewOffers[1]);
        eq(1_000_000e6 - money(crew[1]), BOUNTY / 20, "half of a tenth");
        bounties.collect(t, crewOffers[0]);
        nothingHeld(crew[0], crewOffers[0]);
    }

    function test_collect_revertsBeforeTheConclusion() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        submitCopy(t, 1, RESULT);
        revealCopy(t, 0, RESULT);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.OPEN)));
        bounties.collect(t, crewOffers[0]);
    }

    function test_collect_revertsTwice() public {
        JobTerms memory t = concluded();
        for (uint256 i; i < 3; i++) {
            bounties.collect(t, crewOffers[i]);
            Jobs.State state = i == 2 ? Jobs.State.OUTVOTED : Jobs.State.VERIFIED;
            vm.expectRevert(errorOf(Jobs.WrongState.selector, copyOf(t, i), uint256(state)));
            bounties.collect(t, crewOffers[i]);
        }
    }

    function test_collect_revertsForUnrevealed() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        vm.warp(t.deadline + t.window);
        bounties.conclude(t);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, copyOf(t, 0), uint256(Jobs.State.SUBMITTED)));
        bounties.collect(t, crewOffers[0]);
    }

    function test_collect_revertsForSingleJobs() public {
        JobTerms memory t = submitted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NoCopies.selector, idOf(t)));
        bounties.collect(t, offerId);
    }

    function test_copies_onePerProvider() public {
        hireCrew(1);
        JobTerms memory t = copiesTerms(3, 2);
        post(t);
        takeCopy(t, 0);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, copyOf(t, 0), uint256(Jobs.State.ASSIGNED)));
        takeCopy(t, 0);
    }

    function test_copies_noMoreThanThereAre() public {
        JobTerms memory t = crewed(2, 2);
        vm.expectRevert(errorOf(Jobs.NoCopyLeft.selector, idOf(t), 2));
        claim(t);
    }
}
