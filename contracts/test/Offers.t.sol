// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OfferParams, Offers} from "../src/Offers.sol";
import {Base} from "./Base.sol";

/// Offers.tree, leaf by leaf. The test contract itself plays a module.
contract OffersTest is Base {
    address internal constant ATTESTATIONS = address(0xa77e);

    Offers internal own;
    OfferParams internal params;
    bytes32 internal offerId;

    function setUp() public override {
        super.setUp();
        own = new Offers(parameters, address(this), address(0x10b5), ATTESTATIONS);
        params = offerParams(address(dollar), 5);
        vm.prank(provider);
        offerId = own.register(params, "salt");
    }

    function _hash() internal view returns (bytes20) {
        return own.termsHashOf(params.providerSigner, params.token, params.price, params.unit, params.minSeconds, params.endsBy);
    }

    function _take(uint64 version) internal {
        own.take(offerId, version, provider, _hash());
    }

    // ------------------------------------------------------------------------------------------------ register

    function test_register_storesOneSlotAndTellsAll() public {
        bytes32 id = own.offerIdOf(provider, "other");
        vm.expectEmit(true, true, true, true, address(own));
        emit Offers.Registered(id, provider, 1, params);
        vm.prank(provider);
        eq(own.register(params, "other"), id, "id");
        eq(own.providerOf(id), provider, "the id says whose it is");
        Offers.Offer memory offer = own.get(id);
        eq(bytes32(offer.termsHash), bytes32(_hash()), "terms");
        eq(offer.version, 1, "version");
        eq(offer.units, 4, "units");
        eq(offer.taken, 0, "taken");
        eq(offer.gpuCount, 2, "cards");
        eq(offer.gpuMemoryGb, 24, "memory");
        yes(offer.status == Offers.Status.ACTIVE, "active");
        eq(own.freeUnits(id), 4, "free");
    }

    function test_register_revertsForUsedSalt() public {
        vm.expectRevert(abi.encodeWithSelector(Offers.OfferExists.selector, offerId));
        vm.prank(provider);
        own.register(params, "salt");
        vm.prank(stranger);
        own.register(params, "salt");
    }

    function test_register_revertsForBadParams(uint256 field) public {
        field = field % 11;
        bytes memory reason;
        if (field == 0) (params.price, reason) = (0, abi.encodeWithSelector(Offers.BadPrice.selector, 0));
        if (field == 1) (params.unit, reason) = (61, abi.encodeWithSelector(Offers.BadUnit.selector, 61));
        if (field == 2) (params.minSeconds, reason) = (59, abi.encodeWithSelector(Offers.BadMinSeconds.selector, 59));
        if (field == 3) (params.minSeconds, reason) = (601, abi.encodeWithSelector(Offers.BadMinSeconds.selector, 601));
        if (field == 4) (params.endsBy, reason) = (START, abi.encodeWithSelector(Offers.BadEnd.selector, START));
        if (field == 5) (params.units, reason) = (0, abi.encodeWithSelector(Offers.BadUnits.selector, 0));
        if (field == 6) {
            (params.providerSigner, reason) = (address(0), abi.encodeWithSelector(Offers.BadSigner.selector, address(0)));
        }
        if (field == 7) (params.gpuCount, reason) = (256, abi.encodeWithSelector(Offers.BadHardware.selector, 256, 24));
        if (field == 8) {
            (params.gpuMemoryGb, reason) = (65_536, abi.encodeWithSelector(Offers.BadHardware.selector, 2, 65_536));
        }
        if (field == 9) {
            (params.token, reason) = (stranger, abi.encodeWithSelector(Offers.TokenNotAllowed.selector, stranger));
        }
        if (field == 10) {
            (params.features, reason) = (string(new bytes(1_025)), abi.encodeWithSelector(Offers.TextTooLong.selector, 1_025, 1_024));
        }
        vm.expectRevert(reason);
        vm.prank(provider);
        own.register(params, "new");
        vm.expectRevert(reason);
        vm.prank(provider);
        own.update(offerId, params);
    }

    function test_register_revertsForLongWords(uint256 field) public {
        field = field % 3;
        string memory long = string(new bytes(65));
        if (field == 0) params.gpuType = long;
        if (field == 1) params.gpuModel = long;
        if (field == 2) params.region = long;
        vm.expectRevert(abi.encodeWithSelector(Offers.TextTooLong.selector, 65, 64));
        vm.prank(provider);
        own.register(params, "new");
    }

    function test_register_acceptsTheBounds() public {
        string memory word = string(new bytes(64));
        (params.gpuType, params.gpuModel, params.region) = (word, word, word);
        params.features = string(new bytes(1_024));
        (params.price, params.minSeconds, params.endsBy, params.units) = (1, 600, START + 1, 65_535);
        (params.gpuCount, params.gpuMemoryGb, params.token, params.unit) = (255, 65_535, ETH, 86_400);
        vm.startPrank(provider);
        bytes32 id = own.register(params, "bounds");
        eq(own.get(id).gpuCount, 255, "cards");
        eq(own.get(id).gpuMemoryGb, 65_535, "memory");
        (params.unit, params.minSeconds, params.gpuCount, params.gpuMemoryGb) = (60, 60, 0, 0);
        own.register(params, "lower bounds");
        vm.stopPrank();
    }

    // ------------------------------------------------------------------------------------------------ update

    function test_update_replacesAndKeepsWhatIsTaken() public {
        _take(1);
        params.price = 9;
        params.units = 1;
        vm.expectEmit(true, true, true, true, address(own));
        emit Offers.Updated(offerId, provider, 2, params);
        vm.prank(provider);
        own.update(offerId, params);
        Offers.Offer memory offer = own.get(offerId);
        eq(offer.version, 2, "version");
        eq(offer.taken, 1, "taken");
        eq(bytes32(offer.termsHash), bytes32(_hash()), "terms");
        eq(own.freeUnits(offerId), 0, "none free");
    }

    function test_update_keepsThePause() public {
        vm.startPrank(provider);
        own.pause(offerId);
        own.update(offerId, params);
        vm.stopPrank();
        yes(own.get(offerId).status == Offers.Status.PAUSED, "still paused");
    }

    function test_update_belowWhatIsTakenFreesNothing() public {
        _take(1);
        _take(1);
        params.units = 1;
        vm.prank(provider);
        own.update(offerId, params);
        eq(own.freeUnits(offerId), 0, "not negative");
        own.free(offerId);
        bytes20 hash = _hash();
        vm.expectRevert(abi.encodeWithSelector(Offers.NoFreeUnit.selector, offerId, 1));
        own.take(offerId, 2, provider, hash);
    }

    // ------------------------------------------------------------------------------------------------ status

    function test_pauseResume_raiseTheVersion() public {
        vm.startPrank(provider);
        vm.expectEmit(true, true, true, true, address(own));
        emit Offers.StatusChanged(offerId, 2, Offers.Status.PAUSED);
        own.pause(offerId);
        eq(own.freeUnits(offerId), 0, "none while paused");
        vm.expectEmit(true, true, true, true, address(own));
        emit Offers.StatusChanged(offerId, 3, Offers.Status.ACTIVE);
        own.resume(offerId);
        vm.stopPrank();
        eq(own.freeUnits(offerId), 4, "free again");
    }

    function test_pauseResume_revertWhereTheyChangeNothing() public {
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.ACTIVE));
        own.resume(offerId);
        own.pause(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.PAUSED));
        own.pause(offerId);
        vm.stopPrank();
    }

    function test_delist_isForGood() public {
        vm.startPrank(provider);
        vm.expectEmit(true, true, true, true, address(own));
        emit Offers.StatusChanged(offerId, 2, Offers.Status.DELISTED);
        own.delist(offerId);
        bytes memory reason = abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.DELISTED);
        vm.expectRevert(reason);
        own.delist(offerId);
        vm.expectRevert(reason);
        own.resume(offerId);
        vm.expectRevert(reason);
        own.pause(offerId);
        vm.expectRevert(reason);
        own.update(offerId, params);
        vm.expectRevert(abi.encodeWithSelector(Offers.OfferExists.selector, offerId));
        own.register(params, "salt");
        vm.stopPrank();
    }

    function test_changes_revertForOthers() public {
        vm.startPrank(stranger);
        bytes memory reason = abi.encodeWithSelector(Offers.NotProvider.selector, offerId, stranger);
        vm.expectRevert(reason);
        own.update(offerId, params);
        vm.expectRevert(reason);
        own.pause(offerId);
        vm.expectRevert(reason);
        own.resume(offerId);
        vm.expectRevert(reason);
        own.delist(offerId);
        vm.stopPrank();
    }

    function test_changes_revertForUnknownOffer() public {
        bytes32 unknown = own.offerIdOf(provider, "unknown");
        vm.startPrank(provider);
        bytes memory reason = abi.encodeWithSelector(Offers.UnknownOffer.selector, unknown);
        vm.expectRevert(reason);
        own.update(unknown, params);
        vm.expectRevert(reason);
        own.pause(unknown);
        vm.expectRevert(reason);
        own.resume(unknown);
        vm.expectRevert(reason);
        own.delist(unknown);
        vm.stopPrank();
    }

    // ------------------------------------------------------------------------------------------------ take, free

    function test_take_untilNoneIsFree() public {
        for (uint16 i = 1; i <= 4; i++) {
            _take(1);
            eq(own.get(offerId).taken, i, "taken");
        }
        bytes20 hash = _hash();
        vm.expectRevert(abi.encodeWithSelector(Offers.NoFreeUnit.selector, offerId, 4));
        own.take(offerId, 1, provider, hash);
        own.free(offerId);
        _take(1);
    }

    function test_take_bothModulesShareTheUnits() public {
        _take(1);
        bytes20 hash = _hash();
        vm.prank(address(0x10b5));
        own.take(offerId, 1, provider, hash);
        eq(own.get(offerId).taken, 2, "taken");
        vm.prank(address(0x10b5));
        own.free(offerId);
        eq(own.get(offerId).taken, 1, "taken");
    }

    function test_take_revertsForOthers() public {
        bytes20 hash = _hash();
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Offers.NotModule.selector, stranger));
        own.take(offerId, 1, provider, hash);
        vm.expectRevert(abi.encodeWithSelector(Offers.NotModule.selector, stranger));
        own.free(offerId);
        vm.stopPrank();
    }

    function test_take_revertsUnlessActive() public {
        bytes20 hash = _hash();
        vm.prank(provider);
        own.pause(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.PAUSED));
        own.take(offerId, 2, provider, hash);
        vm.prank(provider);
        own.delist(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.DELISTED));
        own.take(offerId, 3, provider, hash);
        vm.expectRevert(abi.encodeWithSelector(Offers.UnknownOffer.selector, bytes32("?")));
        own.take("?", 1, provider, hash);
    }

    function test_take_revertsForOtherTerms() public {
        bytes20 hash = _hash();
        vm.expectRevert(abi.encodeWithSelector(Offers.StaleOffer.selector, offerId, 2, 1));
        own.take(offerId, 2, provider, hash);
        vm.expectRevert(abi.encodeWithSelector(Offers.TermsMismatch.selector, offerId));
        own.take(offerId, 1, stranger, hash);
        vm.expectRevert(abi.encodeWithSelector(Offers.TermsMismatch.selector, offerId));
        own.take(offerId, 1, provider, bytes20(uint160(hash) ^ 1));
    }

    function test_takeAny_ofAnyVersionUntilNoneIsFree() public {
        for (uint16 i = 1; i <= 4; i++) {
            (uint8 gpuCount, uint16 gpuMemoryGb) = own.takeAny(offerId);
            eq(gpuCount, params.gpuCount, "cards");
            eq(gpuMemoryGb, params.gpuMemoryGb, "memory");
            eq(own.get(offerId).taken, i, "taken");
        }
        vm.expectRevert(abi.encodeWithSelector(Offers.NoFreeUnit.selector, offerId, 4));
        own.takeAny(offerId);
        own.free(offerId);
        params.price = 9;
        vm.prank(provider);
        own.update(offerId, params);
        bytes20 hash = own.get(offerId).termsHash;
        own.takeAny(offerId);
        eq(own.get(offerId).taken, 4, "taken");
        eq(own.get(offerId).version, 2, "version");
        yes(own.get(offerId).termsHash == hash, "nothing else has changed");
    }

    function test_takeAny_revertsForOthers() public {
        vm.prank(address(0x10b5));
        own.takeAny(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.NotModule.selector, stranger));
        vm.prank(stranger);
        own.takeAny(offerId);
    }

    function test_takeAny_revertsUnlessActive() public {
        vm.prank(provider);
        own.pause(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.PAUSED));
        own.takeAny(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.UnknownOffer.selector, bytes32("?")));
        own.takeAny("?");
    }

    function test_free_revertsWhereNothingIsTaken() public {
        vm.expectRevert();
        own.free(offerId);
    }

    // ------------------------------------------------------------------------------------------------ suspend, unsuspend

    function test_suspend_stopsNewDealsFromActiveAndFromPaused() public {
        _take(1);
        vm.expectEmit(true, true, true, true, address(own));
        emit Offers.StatusChanged(offerId, 2, Offers.Status.SUSPENDED);
        vm.prank(ATTESTATIONS);
        own.suspend(offerId);
        eq(own.freeUnits(offerId), 0, "none free");
        bytes20 hash = _hash();
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.SUSPENDED));
        own.take(offerId, 2, provider, hash);
        own.free(offerId);
        eq(own.get(offerId).taken, 0, "running deals end as ever");
        vm.prank(provider);
        bytes32 other = own.register(params, "other");
        vm.prank(provider);
        own.pause(other);
        vm.prank(ATTESTATIONS);
        own.suspend(other);
        yes(own.get(other).status == Offers.Status.SUSPENDED, "from paused");
    }

    function test_suspend_leavesUpdateAndDelistToTheProvider() public {
        vm.prank(ATTESTATIONS);
        own.suspend(offerId);
        bytes memory reason = abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.SUSPENDED);
        vm.startPrank(provider);
        vm.expectRevert(reason);
        own.resume(offerId);
        vm.expectRevert(reason);
        own.pause(offerId);
        own.update(offerId, params);
        yes(own.get(offerId).status == Offers.Status.SUSPENDED, "updating lifts nothing");
        own.delist(offerId);
        yes(own.get(offerId).status == Offers.Status.DELISTED, "delisted");
        vm.stopPrank();
    }

    function test_suspend_revertsUnlessActiveOrPaused() public {
        vm.startPrank(ATTESTATIONS);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, bytes32("?"), Offers.Status.NONE));
        own.suspend("?");
        own.suspend(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.SUSPENDED));
        own.suspend(offerId);
        vm.stopPrank();
        vm.prank(provider);
        own.delist(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.DELISTED));
        vm.prank(ATTESTATIONS);
        own.suspend(offerId);
    }

    function test_suspend_revertsForOthers() public {
        address[4] memory others = [stranger, provider, address(this), address(0x10b5)];
        for (uint256 i; i < 4; i++) {
            vm.startPrank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(Offers.NotModule.selector, others[i]));
            own.suspend(offerId);
            vm.expectRevert(abi.encodeWithSelector(Offers.NotModule.selector, others[i]));
            own.unsuspend(offerId);
            vm.stopPrank();
        }
    }

    function test_unsuspend_leavesItPausedForTheProvider() public {
        vm.startPrank(ATTESTATIONS);
        own.suspend(offerId);
        vm.expectEmit(true, true, true, true, address(own));
        emit Offers.StatusChanged(offerId, 3, Offers.Status.PAUSED);
        own.unsuspend(offerId);
        vm.expectRevert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.PAUSED));
        own.unsuspend(offerId);
        vm.stopPrank();
        vm.prank(provider);
        own.resume(offerId);
        eq(own.freeUnits(offerId), 4, "free again");
    }

    function test_multicall_changesManyAtOnce() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(own.register, (params, "a"));
        calls[1] = abi.encodeCall(own.pause, (offerId));
        vm.prank(provider);
        own.multicall(calls);
        yes(own.get(offerId).status == Offers.Status.PAUSED, "paused");
    }
}
