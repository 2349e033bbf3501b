// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms, Jobs} from "../src/Jobs.sol";
import {JobsBase} from "./JobsBase.sol";

/// Jobs.tree, leaf by leaf: how jobs are wired, and what holds from any state.
contract JobsTest is JobsBase {
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
        JobTerms memory c = concluded();
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
