// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms, Jobs} from "../src/Jobs.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {Vault} from "../src/Vault.sol";
import {JobsBase} from "./JobsBase.sol";
import {AgreeableWallet, OddWallet} from "./Wallets.sol";

/// JobsTaking.tree, leaf by leaf: how a provider comes to a job.
contract JobsTakingTest is JobsBase {
    function _refusesClaim(JobTerms memory t, bytes memory why) internal {
        vm.expectRevert(why);
        claim(t);
    }

    // ------------------------------------------------------------------------------------------------ claim

    function test_claim_locksBondTakesUnitAndRisksStake() public {
        JobTerms memory t = posted();
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
        JobTerms memory t = posted();
        vm.prank(operator);
        bounties.claim(t, offerId);
        eq(held(provider), JOB_BOND, "the provider's bond");
    }

    function test_claim_atTheLastMomentThatLeavesTheMinimum() public {
        JobTerms memory t = posted();
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
        JobTerms memory t = posted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotProvider.selector, stranger, provider));
        vm.prank(stranger);
        bounties.claim(t, offerId);
    }

    function test_claim_revertsWhilePaused() public {
        JobTerms memory t = posted();
        pauseDeals();
        _refusesClaim(t, abi.encodeWithSelector(Jobs.DealsPaused.selector, START + 7 days));
    }

    function test_claim_revertsTooCloseToTheDeadline() public {
        JobTerms memory t = posted();
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
        JobTerms memory t = posted();
        vm.prank(provider);
        offers.pause(offerId);
        _refusesClaim(t, errorOf(Offers.WrongStatus.selector, offerId, uint256(Offers.Status.PAUSED)));
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
            if (i == 4) vm.expectRevert(errorOf(Offers.NoFreeUnit.selector, offerId, 4));
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
        JobTerms memory t = posted();
        _refusesClaim(t, abi.encodeWithSelector(Jobs.InactiveProvider.selector, provider));
        vm.warp(START + 30 days);
        vm.prank(provider);
        record.requalify();
        t = posted();
        claim(t);
    }

    function test_claim_revertsUnlessOpen() public {
        JobTerms memory t = jobTerms();
        _refusesClaim(t, errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.NONE)));
        post(t);
        claim(t);
        _refusesClaim(t, errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        submit(t);
        _refusesClaim(t, errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.SUBMITTED)));
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
        JobTerms memory t = posted();
        _assign(t, offer, START, acceptance(0x51, idOf(t), offer, START));
        isIn(idOf(t), Jobs.State.ASSIGNED);
        eq(held(signer), JOB_BOND, "bond");
    }

    function test_assign_withTheOperatorsSignature() public {
        JobTerms memory t = posted();
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
        JobTerms memory t = posted();
        _assign(t, offer, START, "anything");
        isIn(idOf(t), Jobs.State.ASSIGNED);
        eq(held(wallet), JOB_BOND, "bond");
    }

    function test_assign_withAContractOperatorsSignature() public {
        address wallet = address(new AgreeableWallet());
        vm.prank(provider);
        bounties.setOperator(wallet);
        JobTerms memory t = posted();
        _assign(t, offerId, START, "anything");
        isIn(idOf(t), Jobs.State.ASSIGNED);
    }

    function test_assign_revertsForAWalletThatDoesNotAgree() public {
        OddWallet wallet = new OddWallet();
        enter(address(wallet), 100e18);
        OfferParams memory p = offerParams(ETH, 1);
        vm.prank(address(wallet));
        bytes32 offer = offers.register(p, "own");
        JobTerms memory t = posted();
        for (uint8 way; way < 5; way++) {
            wallet.setWay(OddWallet.Way(way));
            vm.expectRevert(abi.encodeWithSelector(Jobs.BadSignature.selector, address(wallet)));
            _assign(t, offer, START, "anything");
        }
    }

    /// A broken signature recovers to the zero address, and the zero address has named nobody.
    function test_assign_revertsForTheProviderThatIsNobody() public {
        JobTerms memory t = posted();
        vm.expectRevert(abi.encodeWithSelector(Jobs.BadSignature.selector, address(0)));
        _assign(t, bytes32(uint256(1)), START, "nonsense");
    }

    function test_assign_worksAtItsLastSecond() public {
        JobTerms memory t = posted();
        vm.warp(START + 60);
        _assign(t, offerId, START + 60, acceptance(HOST_KEY, idOf(t), offerId, START + 60));
        isIn(idOf(t), Jobs.State.ASSIGNED);
    }

    function test_assign_revertsForOtherCaller() public {
        JobTerms memory t = posted();
        bytes memory signature = acceptance(HOST_KEY, idOf(t), offerId, START);
        vm.expectRevert(abi.encodeWithSelector(Jobs.NotRenter.selector, provider, renter));
        vm.prank(provider);
        bounties.assign(t, offerId, START, signature);
    }

    function test_assign_revertsOnceExpired() public {
        JobTerms memory t = posted();
        bytes memory signature = acceptance(HOST_KEY, idOf(t), offerId, START);
        vm.warp(START + 1);
        vm.expectRevert(abi.encodeWithSelector(Jobs.AcceptanceExpired.selector, START));
        _assign(t, offerId, START, signature);
    }

    function test_assign_revertsForForeignSignature() public {
        JobTerms memory t = posted();
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
        JobTerms memory t = posted();
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
        vm.expectRevert(errorOf(Jobs.WrongState.selector, idOf(t), uint256(Jobs.State.ASSIGNED)));
        _assign(t, offerId, START, signature);
    }
}
