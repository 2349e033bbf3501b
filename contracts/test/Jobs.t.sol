// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms, Jobs} from "../src/Jobs.sol";
import {Juries} from "../src/Juries.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {Vault} from "../src/Vault.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {JobsBase} from "./JobsBase.sol";
import {AgreeableWallet, OddWallet} from "./Wallets.sol";

/// Jobs.tree, leaf by leaf.
contract JobsTest is JobsBase {
    function _posted() internal returns (JobTerms memory t) {
        t = jobTerms();
        post(t);
    }

    function _refuses(JobTerms memory t, bytes memory why) internal {
        vm.expectRevert(why);
        post(t);
    }

    function _refusesClaim(JobTerms memory t, bytes memory why) internal {
        vm.expectRevert(why);
        claim(t);
    }

    function _error(bytes4 selector, bytes32 a, uint256 b) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a, b);
    }

    // ------------------------------------------------------------------------------------------------ constructor

    function test_constructor_keepsWhatItIsTold() public view {
        eq(address(bounties), jobs, "where the others know it");
        eq(address(bounties.parameters()), address(parameters), "parameters");
        eq(address(bounties.vault()), address(vault), "vault");
        eq(address(bounties.offers()), address(offers), "offers");
        eq(address(bounties.stakes()), address(stakes), "stakes");
        eq(address(bounties.juries()), address(juries), "juries");
        eq(address(bounties.record()), address(record), "record");
        eq(juries.jobs(), jobs, "of juries");
        eq(address(juries.attestations()), attestations, "attestations");
    }

    // ------------------------------------------------------------------------------------------------ post

    function test_post_escrowsTheBounty() public {
        uint256 before = money(renter);
        JobTerms memory t = _posted();
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
        JobTerms memory t = _posted();
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
        JobTerms memory t = _posted();
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
        JobTerms memory t = _posted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRenter.selector, stranger, renter));
        vm.prank(stranger);
        bounties.cancel(t);
    }

    function test_cancel_revertsOnceTaken() public {
        JobTerms memory t = running();
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        vm.prank(renter);
        bounties.cancel(t);
    }

    function test_cancel_revertsOnceACopyIsTaken() public {
        hireCrew(1);
        JobTerms memory t = copiesTerms(3, 2);
        post(t);
        takeCopy(t, 0);
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.OPEN)));
        vm.prank(renter);
        bounties.cancel(t);
    }

    function test_cancel_revertsTwice() public {
        JobTerms memory t = _posted();
        vm.startPrank(renter);
        bounties.cancel(t);
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.REFUNDED)));
        bounties.cancel(t);
        vm.stopPrank();
    }

    // ------------------------------------------------------------------------------------------------ claim

    function test_claim_locksBondTakesUnitAndRisksStake() public {
        JobTerms memory t = _posted();
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.Assigned(idOf(t), idOf(t), provider, offerId);
        claim(t);
        isIn(idOf(t), Jobs.State.ASSIGNED);
        eq(held(provider), JOB_BOND, "bond");
        eq(offers.get(offerId).taken, 1, "unit");
        eq(stakes.atRiskOf(PROVIDER, provider), 10e18, "a tenth of the stake asked for");
        eq(bounties.riskOf(t), 10e18, "risk");
    }

    function test_claim_byTheOperator() public {
        vm.expectEmit(true, true, true, true, address(bounties));
        emit Jobs.OperatorSet(provider, operator);
        vm.prank(provider);
        bounties.setOperator(operator);
        JobTerms memory t = _posted();
        vm.prank(operator);
        bounties.claim(t, offerId);
        eq(held(provider), JOB_BOND, "the provider's bond");
    }

    function test_claim_atTheLastMomentThatLeavesTheMinimum() public {
        JobTerms memory t = _posted();
        vm.warp(t.deadline - t.minRun);
        claim(t);
        isIn(idOf(t), Jobs.State.ASSIGNED);
    }

    function test_claim_byTheOnlyAssignee() public {
        JobTerms memory t = jobTerms();
        t.assignee = provider;
        post(t);
        claim(t);
        isIn(idOf(t), Jobs.State.ASSIGNED);
    }

    function test_claim_revertsForOthersThanTheAssignee() public {
        JobTerms memory t = jobTerms();
        t.assignee = stranger;
        post(t);
        _refusesClaim(t, abi.encodeWithSelector(Jobs.NotAssignee.selector, provider, stranger));
    }

    function test_claim_revertsForOtherCaller() public {
        JobTerms memory t = _posted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotProvider.selector, stranger, provider));
        vm.prank(stranger);
        bounties.claim(t, offerId);
    }

    function test_claim_revertsWhilePaused() public {
        JobTerms memory t = _posted();
        pauseDeals();
        _refusesClaim(t, abi.encodeWithSelector(Jobs.DealsPaused.selector, START + 7 days));
    }

    function test_claim_revertsTooCloseToTheDeadline() public {
        JobTerms memory t = _posted();
        vm.warp(t.deadline - t.minRun + 1);
        _refusesClaim(t, abi.encodeWithSelector(Jobs.TooLate.selector, t.deadline - t.minRun + 1, t.deadline));
    }

    function test_claim_revertsAtTheDeadline() public {
        JobTerms memory t = jobTerms();
        t.minRun = 0;
        post(t);
        vm.warp(t.deadline);
        _refusesClaim(t, abi.encodeWithSelector(Jobs.TooLate.selector, t.deadline, t.deadline));
    }

    function test_claim_revertsWithTooLittleStake() public {
        JobTerms memory t = jobTerms();
        t.minStake = 1_000e18 + 1;
        post(t);
        _refusesClaim(t, abi.encodeWithSelector(Jobs.StakeTooLow.selector, 1_000e18, 1_000e18 + 1));
    }

    function test_claim_revertsWithStakeThatIsAtRisk() public {
        JobTerms memory t = jobTerms();
        post(t);
        vm.prank(attestations);
        stakes.engage(PROVIDER, provider, 991e18);
        _refusesClaim(
            t, abi.encodeWithSelector(bytes4(keccak256("InsufficientFreeStake(uint8,address,uint256,uint256)")), 0, provider, 9e18, 10e18)
        );
    }

    function test_claim_revertsWithTooSmallHardware() public {
        JobTerms memory t = jobTerms();
        t.gpuCount = 3;
        post(t);
        _refusesClaim(t, abi.encodeWithSelector(Jobs.HardwareTooSmall.selector, offerId, 2, 24));
        t = jobTerms();
        t.gpuMemoryGb = 25;
        post(t);
        _refusesClaim(t, abi.encodeWithSelector(Jobs.HardwareTooSmall.selector, offerId, 2, 24));
    }

    function test_claim_revertsForPausedOffer() public {
        JobTerms memory t = _posted();
        vm.prank(provider);
        offers.pause(offerId);
        _refusesClaim(t, _error(Offers.WrongStatus.selector, offerId, uint256(Offers.Status.PAUSED)));
    }

    function test_claim_revertsForUnknownOffer() public {
        JobTerms memory t = jobTerms();
        (t.gpuCount, t.gpuMemoryGb) = (0, 0);
        post(t);
        bytes32 none = offers.offerIdOf(provider, "none");
        vm.expectRevert(abi.encodeWithSelector(Offers.UnknownOffer.selector, none));
        vm.prank(provider);
        bounties.claim(t, none);
    }

    function test_claim_revertsWithoutFreeUnit() public {
        for (uint256 i; i < 5; i++) {
            JobTerms memory t = jobTerms();
            t.salt = bytes32(i);
            post(t);
            if (i == 4) vm.expectRevert(_error(Offers.NoFreeUnit.selector, offerId, 4));
            claim(t);
        }
    }

    function test_claim_revertsWithoutMoneyForTheBond() public {
        JobTerms memory t = jobTerms();
        t.bond = 1_000_000e6 + 1;
        post(t);
        _refusesClaim(
            t, abi.encodeWithSelector(Vault.InsufficientBalance.selector, provider, address(dollar), 1_000_000e6, t.bond)
        );
    }

    function test_claim_revertsForInactiveProvider() public {
        for (uint256 i; i < 2; i++) {
            vm.prank(jobs);
            record.reject(provider, "job");
        }
        JobTerms memory t = _posted();
        _refusesClaim(t, abi.encodeWithSelector(Jobs.InactiveProvider.selector, provider));
        vm.warp(START + 30 days);
        vm.prank(provider);
        record.requalify();
        t = _posted();
        claim(t);
    }

    function test_claim_revertsUnlessOpen() public {
        JobTerms memory t = jobTerms();
        _refusesClaim(t, _error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.NONE)));
        post(t);
        claim(t);
        _refusesClaim(t, _error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        submit(t);
        _refusesClaim(t, _error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
    }

    // ------------------------------------------------------------------------------------------------ assign

    function _assign(JobTerms memory t, bytes32 offer, uint40 validUntil, bytes memory signature) internal {
        vm.prank(renter);
        bounties.assign(t, offer, validUntil, signature);
    }

    function test_assign_withTheProvidersOwnSignature() public {
        address signer = vm.addr(0x51);
        enter(signer, 100e18);
        OfferParams memory p = offerParams(ETH, 1);
        vm.prank(signer);
        bytes32 offer = offers.register(p, "own");
        JobTerms memory t = _posted();
        _assign(t, offer, START, acceptance(0x51, idOf(t), offer, START));
        isIn(idOf(t), Jobs.State.ASSIGNED);
        eq(held(signer), JOB_BOND, "bond");
    }

    function test_assign_withTheOperatorsSignature() public {
        JobTerms memory t = _posted();
        _assign(t, offerId, START + 60, acceptance(HOST_KEY, idOf(t), offerId, START + 60));
        isIn(idOf(t), Jobs.State.ASSIGNED);
        eq(held(provider), JOB_BOND, "bond");
    }

    function test_assign_withAContractWalletsSignature() public {
        address wallet = address(new AgreeableWallet());
        enter(wallet, 100e18);
        OfferParams memory p = offerParams(ETH, 1);
        vm.prank(wallet);
        bytes32 offer = offers.register(p, "own");
        JobTerms memory t = _posted();
        _assign(t, offer, START, "anything");
        isIn(idOf(t), Jobs.State.ASSIGNED);
        eq(held(wallet), JOB_BOND, "bond");
    }

    function test_assign_withAContractOperatorsSignature() public {
        address wallet = address(new AgreeableWallet());
        vm.prank(provider);
        bounties.setOperator(wallet);
        JobTerms memory t = _posted();
        _assign(t, offerId, START, "anything");
        isIn(idOf(t), Jobs.State.ASSIGNED);
    }

    function test_assign_revertsForAWalletThatDoesNotAgree() public {
        OddWallet wallet = new OddWallet();
        enter(address(wallet), 100e18);
        OfferParams memory p = offerParams(ETH, 1);
        vm.prank(address(wallet));
        bytes32 offer = offers.register(p, "own");
        JobTerms memory t = _posted();
        for (uint8 way; way < 5; way++) {
            wallet.setWay(OddWallet.Way(way));
            vm.expectRevert(abi.encodeWithSelector(Jobs.BadSignature.selector, address(wallet)));
            _assign(t, offer, START, "anything");
        }
    }

    /// A broken signature recovers to the zero address, and the zero address has named nobody.
    function test_assign_revertsForTheProviderThatIsNobody() public {
        JobTerms memory t = _posted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.BadSignature.selector, address(0)));
        _assign(t, bytes32(uint256(1)), START, "nonsense");
    }

    function test_assign_worksAtItsLastSecond() public {
        JobTerms memory t = _posted();
        vm.warp(START + 60);
        _assign(t, offerId, START + 60, acceptance(HOST_KEY, idOf(t), offerId, START + 60));
        isIn(idOf(t), Jobs.State.ASSIGNED);
    }

    function test_assign_revertsForOtherCaller() public {
        JobTerms memory t = _posted();
        bytes memory signature = acceptance(HOST_KEY, idOf(t), offerId, START);
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRenter.selector, provider, renter));
        vm.prank(provider);
        bounties.assign(t, offerId, START, signature);
    }

    function test_assign_revertsOnceExpired() public {
        JobTerms memory t = _posted();
        bytes memory signature = acceptance(HOST_KEY, idOf(t), offerId, START);
        vm.warp(START + 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.AcceptanceExpired.selector, START));
        _assign(t, offerId, START, signature);
    }

    function test_assign_revertsForForeignSignature() public {
        JobTerms memory t = _posted();
        bytes memory signature = acceptance(SESSION_KEY, idOf(t), offerId, START);
        vm.expectRevert(abi.encodeWithSelector(Jobs.BadSignature.selector, provider));
        _assign(t, offerId, START, signature);
        vm.prank(provider);
        bounties.setOperator(address(0));
        signature = acceptance(HOST_KEY, idOf(t), offerId, START);
        vm.expectRevert(abi.encodeWithSelector(Jobs.BadSignature.selector, provider));
        _assign(t, offerId, START, signature);
        vm.expectRevert(abi.encodeWithSelector(Jobs.BadSignature.selector, provider));
        _assign(t, offerId, START, "nonsense");
    }

    function test_assign_revertsForOtherOfferJobOrTime() public {
        JobTerms memory t = _posted();
        bytes32 other = register(offerParams(ETH, 1), "other");
        bytes[3] memory signatures = [
            acceptance(HOST_KEY, idOf(t), other, START),
            acceptance(HOST_KEY, keccak256("job"), offerId, START),
            acceptance(HOST_KEY, idOf(t), offerId, START + 1)
        ];
        for (uint256 i; i < 3; i++) {
            vm.expectRevert(abi.encodeWithSelector(Jobs.BadSignature.selector, provider));
            _assign(t, offerId, START, signatures[i]);
        }
    }

    function test_assign_revertsUnlessOpen() public {
        JobTerms memory t = running();
        bytes memory signature = acceptance(HOST_KEY, idOf(t), offerId, START);
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        _assign(t, offerId, START, signature);
    }

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
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
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
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        bounties.accept(t, offerId);
        vm.stopPrank();
        submit(t);
        vm.startPrank(renter);
        bounties.accept(t, offerId);
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.VERIFIED)));
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
        vm.expectRevert(_error(Jobs.WindowOpen.selector, idOf(t), START + 1 days));
        bounties.finalize(t, offerId);
    }

    function test_finalize_revertsUnlessSubmitted() public {
        JobTerms memory t = running();
        vm.warp(START + 30 days);
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
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
        vm.expectRevert(_error(Jobs.NotExpired.selector, idOf(t), t.deadline));
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
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
        bounties.expire(t, offerId);
    }

    // ------------------------------------------------------------------------------------------------ disputes

    function test_challenge_locksABondAndDrawsAJury() public {
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
        eq(juries.get(idOf(t)).seats, 7, "jury");
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
        vm.expectRevert(_error(Jobs.WindowOver.selector, idOf(t), START + 1 days));
        challenge(t);
    }

    function test_challenge_revertsUnlessSubmitted() public {
        JobTerms memory t = running();
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        challenge(t);
        submit(t);
        challenge(t);
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.DISPUTED)));
        challenge(t);
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

    function test_resolve_revertsInTheArbitersTime() public {
        JobTerms memory t = _disputedWithArbiter();
        vm.warp(START + 7 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.StillDisputed.selector, idOf(t)));
        bounties.resolve(t, offerId);
    }

    function test_resolve_revertsUnlessDisputed() public {
        JobTerms memory t = submitted();
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
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

    function test_decide_invalidRefundsAndSlashes() public {
        (uint256 a, uint256 b, uint256 c) = (money(renter), money(provider), money(challenger));
        JobTerms memory t = _disputedWithArbiter();
        _decide(t, false);
        _isRejected(t, a, b, c);
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
        vm.expectRevert(_error(Jobs.WindowOver.selector, idOf(t), START + 7 days));
        _decide(t, true);
    }

    function test_decide_revertsUnlessDisputed() public {
        JobTerms memory t = jobTerms();
        t.arbiter = stranger;
        post(t);
        claim(t);
        submit(t);
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
        _decide(t, true);
    }

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
        vm.expectRevert(_error(Jobs.WindowOver.selector, idOf(t), START + 1 days));
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
        vm.expectRevert(_error(Jobs.WrongState.selector, copyOf(t, 0), uint256(Jobs.State.REVEALED)));
        revealCopy(t, 0, RESULT);
    }

    function test_reveal_revertsForSingleJobs() public {
        JobTerms memory t = submitted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NoCopies.selector, idOf(t)));
        bounties.reveal(t, offerId, RESULT, SALT);
    }

    /// Three copies: two agree, the third says something else.
    function _concluded() internal returns (JobTerms memory t) {
        t = crewed(3, 2);
        for (uint256 i; i < 3; i++) submitCopy(t, i, i == 2 ? bytes32("other") : RESULT);
        for (uint256 i; i < 3; i++) revealCopy(t, i, i == 2 ? bytes32("other") : RESULT);
        bounties.conclude(t);
    }

    function test_conclude_thoseWhoAgreeShare() public {
        JobTerms memory t = _concluded();
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
        JobTerms memory t = _concluded();
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
        vm.expectRevert(_error(Jobs.WindowOpen.selector, idOf(t), START + 1 days));
        bounties.conclude(t);
    }

    function test_conclude_revertsTwice() public {
        JobTerms memory t = _concluded();
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.VERIFIED)));
        bounties.conclude(t);
    }

    function test_conclude_revertsForSingleJobs() public {
        JobTerms memory t = submitted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NoCopies.selector, idOf(t)));
        bounties.conclude(t);
    }

    function test_collect_paysTheShareAndGivesTheBondBack() public {
        JobTerms memory t = _concluded();
        for (uint256 i; i < 2; i++) {
            bounties.collect(t, crewOffers[i]);
            isIn(copyOf(t, i), Jobs.State.VERIFIED);
            eq(money(crew[i]), 1_000_000e6 + 50e6 - 1.25e6, "half of it less 2.5 %");
        }
        nothingHeld(crew[0], crewOffers[0]);
        eq(money(treasury), 2.5e6, "fee");
    }

    function test_collect_outvotedCopyGetsItsBondBack() public {
        JobTerms memory t = _concluded();
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
        vm.expectRevert(_error(Jobs.NotExpired.selector, copyOf(t, 1), START + 1 days));
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
        vm.expectRevert(_error(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.OPEN)));
        bounties.collect(t, crewOffers[0]);
    }

    function test_collect_revertsTwice() public {
        JobTerms memory t = _concluded();
        for (uint256 i; i < 3; i++) {
            bounties.collect(t, crewOffers[i]);
            Jobs.State state = i == 2 ? Jobs.State.OUTVOTED : Jobs.State.VERIFIED;
            vm.expectRevert(_error(Jobs.WrongState.selector, copyOf(t, i), uint256(state)));
            bounties.collect(t, crewOffers[i]);
        }
    }

    function test_collect_revertsForUnrevealed() public {
        JobTerms memory t = crewed(2, 2);
        submitCopy(t, 0, RESULT);
        vm.warp(t.deadline + t.window);
        bounties.conclude(t);
        vm.expectRevert(_error(Jobs.WrongState.selector, copyOf(t, 0), uint256(Jobs.State.SUBMITTED)));
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
        vm.expectRevert(_error(Jobs.WrongState.selector, copyOf(t, 0), uint256(Jobs.State.ASSIGNED)));
        takeCopy(t, 0);
    }

    function test_copies_noMoreThanThereAre() public {
        JobTerms memory t = crewed(2, 2);
        vm.expectRevert(_error(Jobs.NoCopyLeft.selector, idOf(t), 2));
        claim(t);
    }

    // ------------------------------------------------------------------------------------------------ always

    function test_allExitsWorkWhilePaused() public {
        JobTerms[4] memory t;
        for (uint256 i; i < 4; i++) {
            t[i] = jobTerms();
            t[i].salt = bytes32(i);
            post(t[i]);
            if (i > 0) claim(t[i]);
            if (i > 1) submit(t[i]);
        }
        pauseDeals();
        vm.prank(provider);
        offers.delist(offerId);
        challenge(t[3]);
        vm.prank(renter);
        bounties.cancel(t[0]);
        vm.warp(START + 2 days);
        bounties.expire(t[1], offerId);
        bounties.finalize(t[2], offerId);
        bounties.resolve(t[3], offerId);
        nothingHeld(provider, offerId);
        eq(held(challenger), 0, "challenger");
    }

    function test_paidIsGrossOfWhatWasVerified() public {
        JobTerms memory t = submitted();
        (bytes32 id, uint256 paid) = bounties.paidFor(t, offerId);
        eq(id, idOf(t), "id");
        eq(paid, 0, "not yet");
        vm.prank(renter);
        bounties.accept(t, offerId);
        (, paid) = bounties.paidFor(t, offerId);
        eq(paid, BOUNTY, "bounty");
        (, paid) = bounties.paidFor(t, offers.offerIdOf(provider, "none"));
        eq(paid, 0, "for no other offer");
        JobTerms memory c = _concluded();
        bounties.collect(c, crewOffers[0]);
        (id, paid) = bounties.paidFor(c, crewOffers[0]);
        eq(id, copyOf(c, 0), "copy");
        eq(paid, BOUNTY / 2, "share");
    }

    function test_sharesAndRefundAreTheBounty(uint128 bounty, uint256 results) public {
        bounty = uint128(bound(bounty, 1, 1_000_000e6));
        hireCrew(5);
        JobTerms memory t = copiesTerms(5, 3);
        (t.bounty, t.bond) = (bounty, bounty / 10);
        uint256 before = money(renter);
        post(t);
        for (uint256 i; i < 5; i++) takeCopy(t, i);
        for (uint256 i; i < 5; i++) submitCopy(t, i, bytes32((results >> i) & 1));
        for (uint256 i; i < 5; i++) revealCopy(t, i, bytes32((results >> i) & 1));
        bounties.conclude(t);
        uint256 earned;
        for (uint256 i; i < 5; i++) {
            bounties.collect(t, crewOffers[i]);
            earned += money(crew[i]) - 1_000_000e6;
        }
        yes(stateOf(t) == Jobs.State.VERIFIED, "of five, three always agree on one of two");
        eq(earned + money(treasury) + money(renter), before, "nothing is lost");
        yes(earned + money(treasury) + 4 >= bounty, "at most what does not divide goes back");
        eq(held(renter), 0, "nothing stays");
    }

    function test_batchOfClaims() public {
        bytes[] memory calls = new bytes[](3);
        for (uint256 i; i < 3; i++) {
            JobTerms memory t = jobTerms();
            t.salt = bytes32(i);
            post(t);
            calls[i] = abi.encodeCall(bounties.claim, (t, offerId));
        }
        vm.prank(provider);
        bounties.multicall(calls);
        eq(offers.get(offerId).taken, 3, "units");
    }

    function test_bondCoversTheLateFee(uint128 bounty, uint8 copies) public {
        JobTerms memory t = copiesTerms(uint8(bound(copies, 2, 15)), 15);
        t.agree = t.copies;
        t.bounty = uint128(bound(bounty, 1, 1_000_000e6));
        t.bond = uint128(bounties.lateFeeOf(t));
        hireCrew(1);
        post(t);
        takeCopy(t, 0);
        vm.warp(t.deadline);
        bounties.expire(t, crewOffers[0]);
        eq(1_000_000e6 - money(crew[0]), t.bond, "all of the bond");
    }
}
