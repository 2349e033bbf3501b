// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OfferParams, Offers} from "../src/Offers.sol";
import {RentalMath} from "../src/RentalMath.sol";
import {Rentals, Terms} from "../src/Rentals.sol";
import {Vault} from "../src/Vault.sol";
import {Base} from "./Base.sol";

/// Rentals.tree, leaf by leaf.
contract RentalsTest is Base {
    uint128 internal constant PRICE = 3_500_000;
    uint32 internal constant CAP = 4 hours;
    uint256 internal constant DEPOSIT = 14_000_000;

    OfferParams internal params;
    bytes32 internal offerId;
    Terms internal terms;
    bytes32 internal leaseId;

    function setUp() public override {
        super.setUp();
        params = offerParams(address(dollar), PRICE);
        offerId = register(params, "offer");
        terms = termsFor(offerId, params, "lease");
        leaseId = idOf(terms);
        fund(renter, address(dollar), 100_000_000);
        vm.prank(renter);
        vault.authorize(address(rentals), true);
    }

    function _open() internal {
        vm.prank(renter);
        rentals.open(terms, CAP);
    }

    function _after(uint256 seconds_) internal {
        vm.warp(START + seconds_);
    }

    function _voucher(uint32 secs) internal view returns (bytes memory) {
        return voucher(SESSION_KEY, leaseId, secs);
    }

    function _settle(uint32 secs) internal {
        bytes memory signature = _voucher(secs);
        vm.prank(host);
        rentals.settle(terms, secs, signature);
    }

    function _draw(uint32 secs) internal {
        bytes memory signature = _voucher(secs);
        vm.prank(stranger);
        rentals.draw(terms, secs, signature);
    }

    function _raise(uint32 secs) internal {
        bytes memory signature = _voucher(secs);
        vm.prank(host);
        rentals.raise(terms, secs, signature);
    }

    function _terminate(uint32 claim) internal {
        vm.prank(renter);
        rentals.terminate(terms, claim);
    }

    function _close(uint32 secs) internal {
        uint40 deadline = uint40(block.timestamp) + 600;
        bytes memory byRenter = finalBy(SESSION_KEY, leaseId, secs, deadline);
        bytes memory byProvider = finalBy(HOST_KEY, leaseId, secs, deadline);
        vm.prank(stranger);
        rentals.close(terms, secs, deadline, byRenter, byProvider);
    }

    /// The lease has ended at `secs`, and every unit of the deposit is where it belongs.
    function _checkClosed(uint32 secs, uint256 penalty) internal view {
        Rentals.Lease memory lease = rentals.get(leaseId);
        yes(lease.state == Rentals.State.CLOSED, "closed");
        eq(lease.paidSeconds, secs, "paid seconds");
        uint256 gross = uint256(PRICE) * secs / 3_600;
        uint256 fee = gross * 250 / 10_000;
        eq(vault.balanceOf(provider, address(dollar)), gross - fee + penalty, "provider");
        eq(vault.balanceOf(treasury, address(dollar)), fee, "treasury");
        eq(vault.balanceOf(renter, address(dollar)), 100_000_000 - gross - penalty, "renter");
        eq(vault.lockedOf(address(rentals), renter, address(dollar)), 0, "nothing locked");
        eq(offers.get(offerId).taken, 0, "unit is free");
    }

    // ------------------------------------------------------------------------------------------------ open

    function test_open_locksDepositTakesUnitStoresLease() public {
        vm.expectEmit(true, true, true, true, address(rentals));
        emit Rentals.Opened(leaseId, renter, provider, terms, CAP, DEPOSIT);
        vm.prank(renter);
        eq(rentals.open(terms, CAP), leaseId, "id is the hash of the terms");
        Rentals.Lease memory lease = rentals.get(leaseId);
        eq(lease.openedAt, START, "opened at");
        eq(lease.cap, CAP, "cap");
        eq(lease.paidSeconds, 0, "nothing paid");
        yes(lease.state == Rentals.State.OPEN, "open");
        eq(vault.lockedOf(address(rentals), renter, address(dollar)), DEPOSIT, "locked");
        eq(vault.balanceOf(renter, address(dollar)), 100_000_000 - DEPOSIT, "balance");
        eq(offers.get(offerId).taken, 1, "unit taken");
        eq(offers.freeUnits(offerId), 3, "units left");
    }

    function test_open_withEtherSentAlong() public {
        OfferParams memory inEther = offerParams(ETH, 1 ether);
        Terms memory t = termsFor(register(inEther, "ether"), inEther, "e");
        vm.deal(renter, 3 ether);
        vm.prank(renter);
        vault.authorize(address(rentals), false);
        vm.prank(renter);
        rentals.open{value: 1.5 ether}(t, 1 hours);
        eq(vault.lockedOf(address(rentals), renter, ETH), 1 ether, "locked");
        eq(vault.balanceOf(renter, ETH), 0.5 ether, "the rest is credited");
        eq(vault.reserveOf(ETH), 1.5 ether, "reserve");
    }

    function test_open_revertsForTooLittleEther() public {
        OfferParams memory inEther = offerParams(ETH, 1 ether);
        Terms memory t = termsFor(register(inEther, "ether"), inEther, "e");
        vm.deal(renter, 1 ether);
        vm.expectRevert(
            abi.encodeWithSelector(Vault.InsufficientBalance.selector, renter, ETH, 1 ether - 1, 1 ether)
        );
        vm.prank(renter);
        rentals.open{value: 1 ether - 1}(t, 1 hours);
    }

    function test_open_revertsForEtherWithToken() public {
        vm.deal(renter, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(Rentals.ValueForToken.selector, address(dollar)));
        vm.prank(renter);
        rentals.open{value: 1}(terms, CAP);
    }

    function test_open_revertsForOtherCaller() public {
        vm.expectRevert(abi.encodeWithSelector(Rentals.NotRenter.selector, provider, renter));
        vm.prank(provider);
        rentals.open(terms, CAP);
    }

    function test_open_revertsWhilePaused() public {
        vm.prank(admin);
        parameters.pauseNewDeals();
        vm.expectRevert(abi.encodeWithSelector(Rentals.DealsPaused.selector, START + 7 days));
        _open();
        _after(7 days);
        _open();
    }

    function test_open_revertsForOtherFee() public {
        vm.prank(admin);
        parameters.setFee(300);
        vm.expectRevert(abi.encodeWithSelector(Rentals.FeeChanged.selector, 250, 300));
        _open();
    }

    function test_open_revertsWithoutSigner() public {
        terms.signer = address(0);
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSigner.selector, address(0)));
        _open();
    }

    function test_open_revertsForCapBelowMinimum() public {
        vm.expectRevert(abi.encodeWithSelector(Rentals.CapTooShort.selector, 59, 60));
        vm.prank(renter);
        rentals.open(terms, 59);
        vm.prank(renter);
        rentals.open(terms, 60);
    }

    function test_open_revertsPastOfferEnd() public {
        uint32 longest = 30 days;
        vm.expectRevert(abi.encodeWithSelector(Rentals.PastOfferEnd.selector, uint256(START) + longest + 1, START + longest));
        vm.prank(renter);
        rentals.open(terms, longest + 1);
    }

    function test_open_acceptsTheOffersLastSecond() public {
        fund(renter, address(dollar), 10_000_000_000);
        vm.prank(renter);
        rentals.open(terms, 30 days);
    }

    function test_open_revertsTwice() public {
        _open();
        vm.expectRevert(abi.encodeWithSelector(Rentals.LeaseExists.selector, leaseId));
        _open();
        _after(100);
        _settle(60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.LeaseExists.selector, leaseId));
        _open();
    }

    function test_open_revertsForStaleOffer() public {
        vm.prank(provider);
        offers.update(offerId, params);
        vm.expectRevert(abi.encodeWithSelector(Offers.StaleOffer.selector, offerId, 1, 2));
        _open();
    }

    function test_open_revertsForTermsThatAreNotTheOffers(uint256 field) public {
        field = field % 7;
        if (field == 0) terms.price -= 1;
        else if (field == 1) terms.unit = 86_400;
        else if (field == 2) terms.minSeconds = 61;
        else if (field == 3) terms.endsBy += 1;
        else if (field == 4) terms.token = ETH;
        else if (field == 5) terms.providerSigner = session;
        else terms.provider = stranger;
        vm.expectRevert(abi.encodeWithSelector(Offers.TermsMismatch.selector, offerId));
        _open();
    }

    function test_open_revertsForUnknownOffer() public {
        terms.offerId = bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(Offers.UnknownOffer.selector, terms.offerId));
        _open();
    }

    function test_open_revertsWithoutFreeUnit() public {
        for (uint256 i; i < 4; i++) {
            terms.salt = bytes32(i);
            _open();
        }
        terms.salt = "fifth";
        vm.expectRevert(abi.encodeWithSelector(Offers.NoFreeUnit.selector, offerId, 4));
        _open();
    }

    function test_open_revertsWithoutAuthorisation() public {
        vm.prank(renter);
        vault.authorize(address(rentals), false);
        vm.expectRevert(abi.encodeWithSelector(Vault.NotAuthorized.selector, renter, address(rentals)));
        _open();
    }

    function test_open_revertsWithoutBalance() public {
        vm.prank(renter);
        vault.withdraw(address(dollar), renter, 100_000_000 - DEPOSIT + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                Vault.InsufficientBalance.selector, renter, address(dollar), DEPOSIT - 1, DEPOSIT
            )
        );
        _open();
    }

    function test_open_refusesDirtyCalldata() public {
        bytes memory call = abi.encodeCall(rentals.open, (terms, CAP));
        // Sets a bit above the uint16 of feeBps (13th word of the terms).
        call[4 + 12 * 32] = 0x01;
        vm.prank(renter);
        (bool ok,) = address(rentals).call(call);
        yes(!ok, "dirty bits must not open a lease");
    }

    // ------------------------------------------------------------------------------------------------ extend

    function test_extend_locksTheDifference(uint32 cap, uint32 more) public {
        cap = uint32(bound(cap, 60, 12 hours));
        more = uint32(bound(more, 0, 12 hours));
        vm.prank(renter);
        rentals.open(terms, cap);
        vm.prank(renter);
        rentals.extend(terms, more);
        eq(rentals.get(leaseId).cap, cap + more, "cap");
        eq(
            vault.lockedOf(address(rentals), renter, address(dollar)),
            RentalMath.depositFor(PRICE, 3_600, cap + more),
            "the deposit is that of the whole cap"
        );
    }

    function test_extend_revertsForOtherCaller() public {
        _open();
        vm.expectRevert(abi.encodeWithSelector(Rentals.NotRenter.selector, host, renter));
        vm.prank(host);
        rentals.extend(terms, 60);
    }

    function test_extend_revertsPastOfferEnd() public {
        _open();
        vm.expectRevert(
            abi.encodeWithSelector(Rentals.PastOfferEnd.selector, uint256(START) + 30 days + 1, START + 30 days)
        );
        vm.prank(renter);
        rentals.extend(terms, 30 days - CAP + 1);
    }

    function test_extend_revertsUnlessOpen() public {
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.NONE));
        vm.prank(renter);
        rentals.extend(terms, 60);
        _open();
        _terminate(0);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.CLOSING));
        vm.prank(renter);
        rentals.extend(terms, 60);
    }

    function test_extend_worksWhilePausedAndDelisted() public {
        _open();
        vm.prank(admin);
        parameters.pauseNewDeals();
        vm.prank(provider);
        offers.delist(offerId);
        vm.prank(renter);
        rentals.extend(terms, 3_600);
        eq(vault.lockedOf(address(rentals), renter, address(dollar)), DEPOSIT + PRICE, "locked");
    }

    // ------------------------------------------------------------------------------------------------ payableSeconds

    function test_payableSeconds_isWhatAVoucherWouldPayNow(uint32 secs, uint32 elapsed) public {
        elapsed = uint32(bound(elapsed, 0, 6 hours));
        _open();
        _after(elapsed);
        uint32 limit = elapsed < CAP ? elapsed : CAP;
        eq(rentals.payableSeconds(leaseId, secs), secs < limit ? secs : limit, "open");
        _terminate(0);
        _after(uint256(elapsed) + 1_000);
        eq(rentals.payableSeconds(leaseId, secs), secs < limit ? secs : limit, "closing");
    }

    function test_payableSeconds_isWhatWasPaidOnceClosed() public {
        eq(rentals.payableSeconds(leaseId, 60), 0, "unknown");
        _open();
        _after(1_000);
        _settle(600);
        eq(rentals.payableSeconds(leaseId, 900), 600, "closed");
    }

    // ------------------------------------------------------------------------------------------------ draw

    function test_draw_paysTheDifference() public {
        _open();
        _after(1_000);
        vm.expectEmit(true, true, true, true, address(rentals));
        emit Rentals.Drawn(leaseId, 600, 583_333, 14_583);
        _draw(600);
        eq(vault.balanceOf(provider, address(dollar)), 583_333 - 14_583, "first step");
        _draw(900);
        eq(vault.balanceOf(provider, address(dollar)), 875_000 - 21_875, "both steps");
        eq(rentals.get(leaseId).paidSeconds, 900, "paid seconds");
        eq(vault.lockedOf(address(rentals), renter, address(dollar)), DEPOSIT - 875_000, "left in escrow");
    }

    function test_draw_cutsToElapsedAndCap() public {
        _open();
        _after(100);
        _draw(10_000);
        eq(rentals.get(leaseId).paidSeconds, 100, "elapsed");
        _after(CAP + 5_000);
        _draw(type(uint32).max);
        eq(rentals.get(leaseId).paidSeconds, CAP, "cap");
    }

    function test_draw_acceptsTheWitness() public {
        _open();
        _after(100);
        rentals.draw(terms, 60, voucher(WITNESS_KEY, leaseId, 60));
        eq(rentals.get(leaseId).paidSeconds, 60, "paid");
    }

    function test_draw_byTheWitnessItselfNeedsNoSignature() public {
        _open();
        _after(100);
        vm.prank(witness);
        rentals.draw(terms, 60, "");
        eq(rentals.get(leaseId).paidSeconds, 60, "paid");
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, address(0), session));
        vm.prank(host);
        rentals.draw(terms, 90, "");
    }

    function test_draw_revertsWithoutAnythingNew() public {
        _open();
        _after(100);
        _draw(60);
        bytes memory signature = _voucher(60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.NothingToDraw.selector, leaseId, 60, 60));
        rentals.draw(terms, 60, signature);
        signature = _voucher(30);
        vm.expectRevert(abi.encodeWithSelector(Rentals.NothingToDraw.selector, leaseId, 60, 60));
        rentals.draw(terms, 30, signature);
    }

    function test_draw_revertsForForeignSignatures(uint256 kind) public {
        kind = kind % 6;
        _open();
        _after(100);
        bytes memory signature = _voucher(60);
        address by = address(0);
        if (kind == 0) (signature, by) = (voucher(HOST_KEY, leaseId, 60), host);
        if (kind == 1) (signature, by) = ("", address(0));
        if (kind == 2) (signature, by) = (bytes.concat(signature, "x"), address(0));
        if (kind == 3) (signature[64], by) = (0x05, address(0));
        if (kind == 4) {
            // The same signature with the other s: refused, or there would be two of each.
            uint256 s = uint256(bytes32(_slice(signature, 32)));
            s = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - s;
            uint8 v = signature[64] == 0x1b ? 28 : 27;
            signature = abi.encodePacked(_slice(signature, 0), s, v);
        }
        if (kind == 5) (signature, by) = (_slice64(signature), address(0));
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, by, session));
        rentals.draw(terms, 60, signature);
    }

    function test_draw_revertsForVoucherOfOtherLeaseOrContract() public {
        _open();
        _after(100);
        bytes memory other = voucher(SESSION_KEY, keccak256("another lease"), 60);
        vm.expectRevert();
        rentals.draw(terms, 60, other);
        Rentals copy = new Rentals(parameters, vault, offers);
        bytes32 structHash = keccak256(abi.encode(rentals.VOUCHER_TYPEHASH(), leaseId, uint32(60)));
        bytes memory elsewhere = signed(SESSION_KEY, keccak256(abi.encodePacked("\x19\x01", copy.domainSeparator(), structHash)));
        vm.expectRevert();
        rentals.draw(terms, 60, elsewhere);
        bytes memory good = _voucher(60);
        vm.chainId(5);
        vm.expectRevert();
        rentals.draw(terms, 60, good);
    }

    function test_draw_revertsWithoutWitnessForTheZeroAddress() public {
        terms.witness = address(0);
        leaseId = idOf(terms);
        _open();
        _after(100);
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, address(0), session));
        rentals.draw(terms, 60, new bytes(65));
    }

    function test_draw_revertsUnlessOpen() public {
        bytes memory signature = _voucher(60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.NONE));
        rentals.draw(terms, 60, signature);
        _open();
        _after(100);
        _terminate(0);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.CLOSING));
        rentals.draw(terms, 60, signature);
    }

    // ------------------------------------------------------------------------------------------------ settle

    function test_settle_closesAtTheVoucher() public {
        _open();
        _after(1_000);
        vm.expectEmit(true, true, true, true, address(rentals));
        emit Rentals.Closed(leaseId, Rentals.Exit.SETTLE, 900, 875_000, 21_875, 0, DEPOSIT - 875_000);
        _settle(900);
        _checkClosed(900, 0);
    }

    function test_settle_byTheProvidersWallet() public {
        _open();
        _after(1_000);
        bytes memory signature = _voucher(900);
        vm.prank(provider);
        rentals.settle(terms, 900, signature);
        _checkClosed(900, 0);
    }

    function test_settle_cutsToElapsed() public {
        _open();
        _after(30);
        _settle(60);
        _checkClosed(30, 0);
    }

    function test_settle_neverBelowWhatIsPaid() public {
        _open();
        _after(1_000);
        _draw(900);
        _settle(60);
        _checkClosed(900, 0);
    }

    function test_settle_revertsForOtherCaller() public {
        _open();
        bytes memory signature = _voucher(60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.NotProvider.selector, renter, provider));
        vm.prank(renter);
        rentals.settle(terms, 60, signature);
    }

    function test_settle_revertsForForeignSignature() public {
        _open();
        bytes memory signature = voucher(HOST_KEY, leaseId, 60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, host, session));
        vm.prank(host);
        rentals.settle(terms, 60, signature);
    }

    function test_settle_revertsUnlessOpen() public {
        _open();
        _after(100);
        _settle(60);
        bytes memory signature = _voucher(60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.CLOSED));
        vm.prank(host);
        rentals.settle(terms, 60, signature);
    }

    // ------------------------------------------------------------------------------------------------ release

    function test_release_refundsAll() public {
        _open();
        _after(1_000);
        vm.prank(host);
        rentals.release(terms);
        _checkClosed(0, 0);
    }

    function test_release_keepsWhatIsPaid() public {
        _open();
        _after(1_000);
        _draw(600);
        vm.prank(provider);
        rentals.release(terms);
        _checkClosed(600, 0);
    }

    function test_release_revertsForOtherCaller() public {
        _open();
        vm.expectRevert(abi.encodeWithSelector(Rentals.NotProvider.selector, renter, provider));
        vm.prank(renter);
        rentals.release(terms);
    }

    function test_release_revertsUnlessOpen() public {
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.NONE));
        vm.prank(host);
        rentals.release(terms);
        _open();
        _terminate(0);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.CLOSING));
        vm.prank(host);
        rentals.release(terms);
    }

    // ------------------------------------------------------------------------------------------------ terminate

    function test_terminate_freezesTheClock() public {
        _open();
        _after(1_000);
        vm.expectEmit(true, true, true, true, address(rentals));
        emit Rentals.Closing(leaseId, 500, START + 1_000 + 24 hours);
        _terminate(500);
        _after(2_000);
        eq(rentals.payableSeconds(leaseId, 5_000), 1_000, "elapsed stays");
        Rentals.Lease memory lease = rentals.get(leaseId);
        eq(lease.claimSeconds, 500, "claim");
        eq(lease.closeAt, START + 1_000 + 24 hours, "close at");
        yes(lease.state == Rentals.State.CLOSING, "closing");
    }

    function test_terminate_cutsTheClaim() public {
        _open();
        _after(1_000);
        _draw(600);
        _terminate(10);
        eq(rentals.get(leaseId).claimSeconds, 600, "not below what is paid");
    }

    function test_terminate_cutsTheClaimToElapsed() public {
        _open();
        _after(1_000);
        _terminate(2_000);
        eq(rentals.get(leaseId).claimSeconds, 1_000, "not beyond elapsed");
    }

    function test_terminate_cutsTheClaimToTheCap() public {
        _open();
        _after(CAP + 100);
        _terminate(type(uint32).max);
        eq(rentals.get(leaseId).claimSeconds, CAP, "not beyond the cap");
    }

    function test_terminate_revertsForOtherCaller() public {
        _open();
        vm.expectRevert(abi.encodeWithSelector(Rentals.NotRenter.selector, provider, renter));
        vm.prank(provider);
        rentals.terminate(terms, 0);
    }

    function test_terminate_revertsUnlessOpen() public {
        _open();
        _terminate(0);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.CLOSING));
        _terminate(0);
    }

    // ------------------------------------------------------------------------------------------------ raise

    function test_raise_liftsTheClaimAndMarksTheLie() public {
        _open();
        _after(1_000);
        _terminate(300);
        vm.expectEmit(true, true, true, true, address(rentals));
        emit Rentals.Raised(leaseId, 900, true);
        _raise(900);
        eq(rentals.get(leaseId).claimSeconds, 900, "claim");
        _after(1_000 + 24 hours);
        rentals.finalize(terms);
        _checkClosed(900, uint256(PRICE) * 1_500 / 3_600 - 875_000);
    }

    function test_raise_byWitnessHasNoPenalty() public {
        _open();
        _after(1_000);
        _terminate(300);
        bytes memory signature = voucher(WITNESS_KEY, leaseId, 900);
        vm.prank(provider);
        rentals.raise(terms, 900, signature);
        _after(1_000 + 24 hours);
        rentals.finalize(terms);
        _checkClosed(900, 0);
    }

    function test_raise_honestClaimIsNoLie() public {
        _open();
        _after(1_000);
        _terminate(1_060);
        _raise(1_060);
        eq(rentals.get(leaseId).claimSeconds, 1_000, "both cut to what had elapsed");
        _after(1_000 + 24 hours);
        rentals.finalize(terms);
        _checkClosed(1_000, 0);
    }

    function test_raise_neverLowersTheClaim() public {
        _open();
        _after(1_000);
        _terminate(900);
        _raise(300);
        eq(rentals.get(leaseId).claimSeconds, 900, "claim stays");
    }

    function test_raise_penaltyEndsAtTheCap() public {
        _open();
        _after(CAP);
        _terminate(0);
        _raise(CAP - 60);
        _after(CAP + 24 hours);
        rentals.finalize(terms);
        _checkClosed(CAP - 60, DEPOSIT - uint256(PRICE) * (CAP - 60) / 3_600);
    }

    function test_raise_revertsAfterTheWindow() public {
        _open();
        _after(1_000);
        _terminate(300);
        _after(1_000 + 24 hours);
        bytes memory signature = _voucher(900);
        vm.expectRevert(abi.encodeWithSelector(Rentals.ClosingOver.selector, leaseId, START + 1_000 + 24 hours));
        vm.prank(host);
        rentals.raise(terms, 900, signature);
    }

    function test_raise_worksInTheWindowsLastSecond() public {
        _open();
        _after(1_000);
        _terminate(300);
        _after(1_000 + 24 hours - 1);
        _raise(900);
        eq(rentals.get(leaseId).claimSeconds, 900, "claim");
    }

    function test_raise_revertsForOtherCaller() public {
        _open();
        _terminate(0);
        bytes memory signature = _voucher(60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.NotProvider.selector, stranger, provider));
        vm.prank(stranger);
        rentals.raise(terms, 60, signature);
    }

    function test_raise_revertsForForeignSignature() public {
        _open();
        _terminate(0);
        bytes memory signature = voucher(HOST_KEY, leaseId, 60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, host, session));
        vm.prank(host);
        rentals.raise(terms, 60, signature);
    }

    function test_raise_revertsUnlessClosing() public {
        _open();
        bytes memory signature = _voucher(60);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.OPEN));
        vm.prank(host);
        rentals.raise(terms, 60, signature);
    }

    // ------------------------------------------------------------------------------------------------ close

    function test_close_atTheSignedSeconds() public {
        _open();
        _after(1_000);
        _close(960);
        _checkClosed(960, 0);
    }

    function test_close_fromClosingForgivesTheLie() public {
        _open();
        _after(1_000);
        _terminate(0);
        _raise(900);
        _after(5_000);
        _close(500);
        _checkClosed(500, 0);
    }

    function test_close_cutsToElapsedAndPaid() public {
        _open();
        _after(1_000);
        _draw(900);
        _close(60);
        _checkClosed(900, 0);
    }

    function test_close_neverBeyondElapsed() public {
        _open();
        _after(1_000);
        _close(CAP);
        _checkClosed(1_000, 0);
    }

    function test_close_afterEverythingElseRanOut() public {
        _open();
        _after(365 days);
        _close(CAP);
        _checkClosed(CAP, 0);
    }

    function test_close_revertsPastDeadline() public {
        _open();
        _after(1_000);
        uint40 deadline = START + 999;
        bytes memory byRenter = finalBy(SESSION_KEY, leaseId, 60, deadline);
        bytes memory byProvider = finalBy(HOST_KEY, leaseId, 60, deadline);
        vm.expectRevert(abi.encodeWithSelector(Rentals.FinalExpired.selector, deadline));
        rentals.close(terms, 60, deadline, byRenter, byProvider);
    }

    function test_close_worksAtTheDeadline() public {
        _open();
        _after(1_000);
        uint40 deadline = START + 1_000;
        bytes memory byRenter = finalBy(SESSION_KEY, leaseId, 60, deadline);
        rentals.close(terms, 60, deadline, byRenter, finalBy(HOST_KEY, leaseId, 60, deadline));
        _checkClosed(60, 0);
    }

    function test_close_needsBothSignatures() public {
        _open();
        _after(1_000);
        uint40 deadline = START + 2_000;
        bytes memory byRenter = finalBy(SESSION_KEY, leaseId, 60, deadline);
        bytes memory byProvider = finalBy(HOST_KEY, leaseId, 60, deadline);
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, host, session));
        rentals.close(terms, 60, deadline, byProvider, byRenter);
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, session, host));
        rentals.close(terms, 60, deadline, byRenter, byRenter);
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, address(0), host));
        rentals.close(terms, 60, deadline, byRenter, "");
    }

    function test_close_theWitnessCannotSignForTheRenter() public {
        _open();
        _after(1_000);
        uint40 deadline = START + 2_000;
        bytes memory byWitness = finalBy(WITNESS_KEY, leaseId, 60, deadline);
        bytes memory byProvider = finalBy(HOST_KEY, leaseId, 60, deadline);
        vm.expectRevert(abi.encodeWithSelector(Rentals.BadSignature.selector, witness, session));
        rentals.close(terms, 60, deadline, byWitness, byProvider);
    }

    function test_close_aVoucherIsNoFinal() public {
        _open();
        _after(1_000);
        uint40 deadline = START + 2_000;
        bytes memory byProvider = finalBy(HOST_KEY, leaseId, 60, deadline);
        bytes memory asVoucher = _voucher(60);
        vm.expectRevert();
        rentals.close(terms, 60, deadline, asVoucher, byProvider);
    }

    function test_close_revertsUnlessRunning() public {
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.NONE));
        rentals.close(terms, 60, START + 1, "", "");
        _open();
        _close(0);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.CLOSED));
        rentals.close(terms, 60, START + 1, "", "");
    }

    // ------------------------------------------------------------------------------------------------ finalize

    function test_finalize_atTheClaim() public {
        _open();
        _after(1_000);
        _terminate(960);
        _after(1_000 + 24 hours);
        vm.prank(stranger);
        rentals.finalize(terms);
        _checkClosed(960, 0);
    }

    function test_finalize_revertsInsideTheWindow() public {
        _open();
        _after(1_000);
        _terminate(960);
        _after(1_000 + 24 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(Rentals.StillClosing.selector, leaseId, START + 1_000 + 24 hours));
        rentals.finalize(terms);
    }

    function test_finalize_revertsUnlessClosing() public {
        _open();
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.OPEN));
        rentals.finalize(terms);
    }

    // ------------------------------------------------------------------------------------------------ expire

    function test_expire_atWhatIsPaid() public {
        _open();
        _after(1_000);
        _draw(600);
        _after(CAP + 24 hours);
        vm.prank(stranger);
        rentals.expire(terms);
        _checkClosed(600, 0);
    }

    function test_expire_revertsBefore() public {
        _open();
        _after(CAP + 24 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(Rentals.NotExpired.selector, leaseId, uint256(START) + CAP + 24 hours));
        rentals.expire(terms);
    }

    function test_expire_revertsUnlessOpen() public {
        _open();
        _terminate(0);
        _after(CAP + 25 hours);
        vm.expectRevert(abi.encodeWithSelector(Rentals.WrongState.selector, leaseId, Rentals.State.CLOSING));
        rentals.expire(terms);
    }

    // ------------------------------------------------------------------------------------------------ all of it

    function test_allExitsWorkWhilePausedAndDelisted(uint256 way) public {
        _open();
        vm.prank(admin);
        parameters.pauseNewDeals();
        vm.prank(provider);
        offers.delist(offerId);
        vm.prank(renter);
        vault.authorize(address(rentals), false);
        _after(1_000);
        way = way % 5;
        if (way == 0) _close(60);
        if (way == 1) _settle(60);
        if (way == 2) {
            vm.prank(provider);
            rentals.release(terms);
        }
        if (way == 3) {
            _terminate(60);
            _after(2 days);
            rentals.finalize(terms);
        }
        if (way == 4) {
            _after(CAP + 24 hours);
            rentals.expire(terms);
        }
        yes(rentals.get(leaseId).state == Rentals.State.CLOSED, "closed");
        uint256 left = vault.balanceOf(renter, address(dollar));
        vm.prank(renter);
        vault.withdraw(address(dollar), renter, left);
    }

    /// f on every split of the way costs what it costs in one step, to the last unit of the fee.
    function test_stepsCostWhatOneStepCosts(uint128 price, uint16 feeBps, uint32[6] memory steps) public pure {
        feeBps = uint16(bound(feeBps, 0, 1_000));
        uint32 done;
        uint256 paid;
        uint256 fees;
        for (uint256 i; i < steps.length; i++) {
            uint32 next = done + uint32(bound(steps[i], 0, 700_000_000));
            uint256 before = RentalMath.billFor(price, 3_600, done);
            uint256 total = RentalMath.billFor(price, 3_600, next);
            paid += total - before;
            fees += RentalMath.feeFor(total, feeBps) - RentalMath.feeFor(before, feeBps);
            done = next;
        }
        eq(paid, uint256(price) * done / 3_600, "gross");
        eq(fees, paid * feeBps / 10_000, "fee");
    }

    function test_depositCoversBillAndPenalty(uint128 price, uint32 unit, uint32 cap, uint32 secs) public pure {
        unit = [uint32(60), 3_600, 86_400][unit % 3];
        secs = uint32(bound(secs, 0, cap));
        uint256 paid = RentalMath.billFor(price, unit, secs);
        uint256 penalty = RentalMath.penaltyFor(price, unit, cap, secs, 600);
        yes(paid + penalty <= RentalMath.depositFor(price, unit, cap), "covered");
        yes(RentalMath.depositFor(price, unit, cap) - RentalMath.billFor(price, unit, cap) <= 1, "rounding is one unit");
    }

    function test_batchOfOpens() public {
        bytes[] memory calls = new bytes[](3);
        for (uint256 i; i < 3; i++) {
            terms.salt = bytes32(i);
            calls[i] = abi.encodeCall(rentals.open, (terms, CAP));
        }
        vm.prank(renter);
        rentals.multicall(calls);
        eq(vault.lockedOf(address(rentals), renter, address(dollar)), 3 * DEPOSIT, "locked");
    }

    function _slice(bytes memory data, uint256 from) internal pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), from))
        }
    }

    function _slice64(bytes memory data) internal pure returns (bytes memory) {
        return abi.encodePacked(_slice(data, 0), _slice(data, 32));
    }
}
