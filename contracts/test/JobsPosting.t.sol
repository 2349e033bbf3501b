// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms, Jobs} from "../src/Jobs.sol";
import {Vault} from "../src/Vault.sol";
import {JobsBase} from "./JobsBase.sol";

/// JobsPosting.tree, leaf by leaf: posting a job and taking it back.
contract JobsPostingTest is JobsBase {
    function _refuses(JobTerms memory t, bytes memory why) internal {
        vm.expectRevert(why);
        post(t);
    }

    // ------------------------------------------------------------------------------------------------ post

    function test_post_escrowsTheBounty() public {
        uint256 before = money(renter);
        JobTerms memory t = posted();
        isIn(idOf(t), Jobs.State.OPEN);
        eq(held(renter), BOUNTY, "escrow");
        eq(before - money(renter), BOUNTY, "from the balance");
        eq(bounties.jobIdOf(t), idOf(t), "the id is the hash of the terms");
    }

    function test_post_withEtherSentAlong() public {
        JobTerms memory t = jobTerms();
        (t.token, t.bounty, t.bond) = (ETH, 1 ether, 1 ether);
        vm.deal(renter, 3 ether);
        vm.startPrank(renter);
        vault.authorize(address(bounties), false);
        bounties.post{value: 3 ether}(t, SPEC);
        vm.stopPrank();
        eq(vault.lockedOf(address(bounties), renter, ETH), 1 ether, "escrow");
        eq(vault.balanceOf(renter, ETH), 1_002 ether, "what is over is credited");
    }

    function test_post_emitsTheTermsAndTheSpec() public {
        JobTerms memory t = jobTerms();
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Posted(idOf(t), renter, t, SPEC);
        post(t);
    }

    function test_post_revertsForEtherWithToken() public {
        JobTerms memory t = jobTerms();
        vm.deal(renter, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(Jobs.ValueForToken.selector, address(dollar)));
        vm.prank(renter);
        bounties.post{value: 1}(t, SPEC);
    }

    function test_post_revertsForOtherCaller() public {
        JobTerms memory t = jobTerms();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRenter.selector, stranger, renter));
        vm.prank(stranger);
        bounties.post(t, SPEC);
    }

    function test_post_revertsWhilePaused() public {
        pauseDeals();
        _refuses(jobTerms(), abi.encodeWithSelector(Jobs.DealsPaused.selector, START + 7 days));
    }

    function test_post_revertsForOtherFee() public {
        JobTerms memory t = jobTerms();
        t.feeBps = 249;
        _refuses(t, abi.encodeWithSelector(Jobs.FeeChanged.selector, 249, 250));
    }

    function test_post_revertsForOtherSlash() public {
        JobTerms memory t = jobTerms();
        t.slashBps = 1;
        _refuses(t, abi.encodeWithSelector(Jobs.SlashChanged.selector, 1, 1_000));
    }

    function test_post_revertsBelowTheNetworksLeastStake() public {
        JobTerms memory t = jobTerms();
        t.minStake = 100e18 - 1;
        _refuses(t, abi.encodeWithSelector(Jobs.StakeTooLow.selector, 100e18 - 1, 100e18));
    }

    function test_post_revertsForForeignToken() public {
        JobTerms memory t = jobTerms();
        t.token = stranger;
        _refuses(t, abi.encodeWithSelector(Jobs.TokenNotAllowed.selector, stranger));
    }

    function test_post_revertsWithoutBounty() public {
        JobTerms memory t = jobTerms();
        t.bounty = 0;
        _refuses(t, abi.encodeWithSelector(Jobs.BadBounty.selector, 0));
    }

    function test_post_revertsForBadTiers() public {
        uint8[3][10] memory bad = [
            [4, 1, 1],
            [0, 0, 0],
            [0, 0, 1],
            [0, 1, 0],
            [1, 2, 2],
            [2, 1, 1],
            [2, 2, 1],
            [2, 4, 2],
            [2, 16, 9],
            [2, 3, 4]
        ];
        for (uint256 i; i < bad.length; i++) {
            JobTerms memory t = jobTerms();
            (t.tier, t.copies, t.agree) = (bad[i][0], bad[i][1], bad[i][2]);
            _refuses(t, abi.encodeWithSelector(Jobs.BadTier.selector, t.tier, t.copies, t.agree));
        }
    }

    function test_post_revertsForTooLowABond() public {
        JobTerms memory t = jobTerms();
        t.bond = BOUNTY / 10 - 1;
        _refuses(t, abi.encodeWithSelector(Jobs.BondTooLow.selector, t.bond, BOUNTY / 10));
        (t.tier, t.bond) = (1, BOUNTY - 1);
        _refuses(t, abi.encodeWithSelector(Jobs.BondTooLow.selector, t.bond, BOUNTY));
        t.bond = BOUNTY;
        post(t);
    }

    function test_post_revertsForBadDeadlines() public {
        JobTerms memory t = jobTerms();
        uint40[3] memory bad = [START + 1 hours - 1, START + 90 days + 1, 0];
        for (uint256 i; i < 3; i++) {
            t.deadline = bad[i];
            _refuses(t, abi.encodeWithSelector(Jobs.BadDeadline.selector, bad[i]));
        }
        (t.deadline, t.minRun) = (START, 0);
        _refuses(t, abi.encodeWithSelector(Jobs.BadDeadline.selector, START));
        t.deadline = START + 90 days;
        post(t);
    }

    function test_post_revertsForBadWindows() public {
        JobTerms memory t = jobTerms();
        t.window = 30 minutes - 1;
        _refuses(t, abi.encodeWithSelector(Jobs.BadWindow.selector, t.window));
        t.window = 14 days + 1;
        _refuses(t, abi.encodeWithSelector(Jobs.BadWindow.selector, t.window));
    }

    function test_post_revertsForTooLongASpec() public {
        JobTerms memory t = jobTerms();
        string memory spec = string(new bytes(8_193));
        t.specHash = keccak256(bytes(spec));
        vm.expectRevert(abi.encodeWithSelector(Jobs.SpecTooLong.selector, 8_193, 8_192));
        vm.prank(renter);
        bounties.post(t, spec);
        spec = string(new bytes(8_192));
        t.specHash = keccak256(bytes(spec));
        vm.prank(renter);
        bounties.post(t, spec);
    }

    function test_post_revertsForOtherSpec() public {
        JobTerms memory t = jobTerms();
        t.specHash = keccak256("another");
        _refuses(t, abi.encodeWithSelector(Jobs.WrongSpec.selector, keccak256(bytes(SPEC)), t.specHash));
    }

    function test_post_revertsTwice() public {
        JobTerms memory t = posted();
        _refuses(t, abi.encodeWithSelector(Jobs.JobExists.selector, idOf(t)));
        vm.prank(renter);
        bounties.cancel(t);
        _refuses(t, abi.encodeWithSelector(Jobs.JobExists.selector, idOf(t)));
    }

    function test_post_revertsWithoutAuthorisation() public {
        vm.prank(renter);
        vault.authorize(address(bounties), false);
        _refuses(jobTerms(), abi.encodeWithSelector(Vault.NotAuthorized.selector, renter, address(bounties)));
    }

    function test_post_refusesDirtyCalldata() public {
        JobTerms memory t = jobTerms();
        for (uint256 field; field < 17; field++) {
            bytes memory call = abi.encodeCall(bounties.post, (t, SPEC));
            call[4 + field * 32] = 0x01;
            vm.prank(renter);
            (bool ok,) = address(bounties).call(call);
            yes(!ok, "a dirty field made another id");
        }
    }

    // ------------------------------------------------------------------------------------------------ cancel

    function test_cancel_givesTheBountyBack() public {
        uint256 before = money(renter);
        JobTerms memory t = posted();
        pauseDeals();
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Cancelled(idOf(t));
        vm.prank(renter);
        bounties.cancel(t);
        isIn(idOf(t), Jobs.State.REFUNDED);
        eq(money(renter), before, "all of it");
        eq(held(renter), 0, "nothing left");
    }

    function test_cancel_revertsForOtherCaller() public {
        JobTerms memory t = posted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRenter.selector, stranger, renter));
        vm.prank(stranger);
        bounties.cancel(t);
    }

    function test_cancel_afterTheDeadlineAnybodyMay() public {
        uint256 before = money(renter);
        JobTerms memory t = posted();
        vm.warp(t.deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRenter.selector, stranger, renter));
        vm.prank(stranger);
        bounties.cancel(t);
        vm.warp(t.deadline);
        vm.prank(stranger);
        bounties.cancel(t);
        isIn(idOf(t), Jobs.State.REFUNDED);
        eq(money(renter), before, "all of it, to the renter");
    }

    function test_cancel_revertsOnceTaken() public {
        JobTerms memory t = running();
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        vm.prank(renter);
        bounties.cancel(t);
    }

    function test_cancel_revertsOnceACopyIsTaken() public {
        hireCrew(1);
        JobTerms memory t = copiesTerms(3, 2);
        post(t);
        takeCopy(t, 0);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.OPEN)));
        vm.prank(renter);
        bounties.cancel(t);
    }

    function test_cancel_revertsTwice() public {
        JobTerms memory t = posted();
        vm.startPrank(renter);
        bounties.cancel(t);
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.REFUNDED)));
        bounties.cancel(t);
        vm.stopPrank();
    }
}
