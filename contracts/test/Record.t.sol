// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms} from "../src/Jobs.sol";
import {Parties, Record} from "../src/Record.sol";
import {Terms} from "../src/Rentals.sol";
import {JobsBase} from "./JobsBase.sol";
import {AgreeableWallet, OddWallet} from "./Wallets.sol";

/// Record.tree, leaf by leaf.
contract RecordTest is JobsBase {
    Record.Side internal constant RENTER = Record.Side.RENTER;
    Record.Side internal constant OTHER = Record.Side.PROVIDER;
    string internal constant WORDS = "bafkreigh2akiscaildc";
    bytes32 internal leaseSalt = "lease";

    function _lease(uint32 secs) internal returns (Terms memory terms) {
        vm.prank(renter);
        vault.authorize(address(rentals), true);
        terms = termsFor(offerId, offerParams(address(dollar), 3_500_000), leaseSalt);
        vm.prank(renter);
        rentals.open(terms, 1 hours);
        vm.warp(block.timestamp + 600);
        rentals.close(
            terms,
            secs,
            uint40(block.timestamp),
            finalBy(SESSION_KEY, idOf(terms), secs, uint40(block.timestamp)),
            finalBy(HOST_KEY, idOf(terms), secs, uint40(block.timestamp))
        );
    }

    function _job() internal returns (JobTerms memory t) {
        t = submitted();
        vm.prank(renter);
        bounties.accept(t, offerId);
    }

    /// A recorded lease, and its sides.
    function _deal() internal returns (bytes32 id, Parties memory p) {
        Terms memory terms = _lease(600);
        record.recordLease(terms);
        return (idOf(terms), Parties(renter, provider, session, host));
    }

    function _commitmentOf(bytes32 id, Record.Side side, uint8 score) internal view returns (bytes32) {
        return record.commitmentOf(id, side, score, WORDS, SALT);
    }

    function _commit(bytes32 id, Parties memory p, Record.Side side, uint8 score) internal {
        bytes32 commitment = _commitmentOf(id, side, score);
        vm.prank(side == RENTER ? renter : provider);
        record.commitRating(id, p, side, commitment, "");
    }

    function _reveal(bytes32 id, Parties memory p, Record.Side side, uint8 score) internal {
        record.revealRating(id, p, side, score, WORDS, SALT);
    }

    function _signature(uint256 key, bytes32 id, bytes32 commitment) internal view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(record.RATING_COMMIT_TYPEHASH(), id, commitment));
        return signed(key, keccak256(abi.encodePacked("\x19\x01", record.domainSeparator(), structHash)));
    }

    function test_constructor_keepsWhatItIsTold() public view {
        eq(address(record.parameters()), address(parameters), "parameters");
        eq(address(record.rentals()), address(rentals), "rentals");
        eq(address(record.jobs()), jobs, "jobs");
        eq(address(record.stakes()), address(stakes), "stakes");
    }

    // ------------------------------------------------------------------------------------------------ facts

    function test_recordLease_countsAPaidLeaseOnce() public {
        Terms memory terms = _lease(600);
        vm.expectEmit(true, true, true, true, address(record));
        emit Record.Recorded(
            idOf(terms), Parties(renter, provider, session, host), address(dollar), uint256(3_500_000) * 600 / 3_600
        );
        record.recordLease(terms);
        eq(record.standingOf(provider).provided, 1, "provided");
        eq(record.standingOf(renter).rented, 1, "rented");
        eq(record.get(idOf(terms)).recordedAt, block.timestamp, "recorded");
    }

    function test_recordLease_revertsForRunningLeases() public {
        vm.prank(renter);
        vault.authorize(address(rentals), true);
        Terms memory terms = termsFor(offerId, offerParams(address(dollar), 3_500_000), "lease");
        vm.prank(renter);
        rentals.open(terms, 1 hours);
        vm.warp(START + 600);
        rentals.draw(terms, 600, voucher(SESSION_KEY, idOf(terms), 600));
        vm.expectRevert(abi.encodeWithSelector(Record.NotPaid.selector, idOf(terms)));
        record.recordLease(terms);
    }

    function test_recordLease_revertsForLeasesThatPaidNothing() public {
        Terms memory terms = _lease(0);
        vm.expectRevert(abi.encodeWithSelector(Record.NotPaid.selector, idOf(terms)));
        record.recordLease(terms);
    }

    function test_recordLease_revertsTwice() public {
        Terms memory terms = _lease(600);
        record.recordLease(terms);
        vm.expectRevert(abi.encodeWithSelector(Record.AlreadyRecorded.selector, idOf(terms)));
        record.recordLease(terms);
    }

    function test_recordJob_countsAVerifiedJobOnce() public {
        JobTerms memory t = _job();
        vm.expectEmit(true, true, true, true, address(record));
        emit Record.Recorded(idOf(t), Parties(renter, provider, address(0), host), address(dollar), BOUNTY);
        record.recordJob(t, offerId);
        eq(record.standingOf(provider).provided, 1, "provided");
        eq(record.standingOf(renter).rented, 1, "rented");
    }

    function test_recordJob_countsEveryCopyThatWasPaid() public {
        JobTerms memory t = crewed(3, 2);
        for (uint256 i; i < 3; i++) submitCopy(t, i, i == 2 ? bytes32("other") : RESULT);
        for (uint256 i; i < 3; i++) revealCopy(t, i, i == 2 ? bytes32("other") : RESULT);
        bounties.conclude(t);
        for (uint256 i; i < 3; i++) bounties.collect(t, crewOffers[i]);
        record.recordJob(t, crewOffers[0]);
        record.recordJob(t, crewOffers[1]);
        vm.expectRevert(abi.encodeWithSelector(Record.NotPaid.selector, copyOf(t, 2)));
        record.recordJob(t, crewOffers[2]);
        eq(record.standingOf(renter).rented, 2, "rented");
    }

    function test_recordJob_revertsForOtherOffer() public {
        JobTerms memory t = _job();
        bytes32 other = offers.offerIdOf(stranger, "offer");
        vm.expectRevert(abi.encodeWithSelector(Record.NotPaid.selector, idOf(t)));
        record.recordJob(t, other);
    }

    function test_recordJob_revertsForExpiredJobs() public {
        JobTerms memory t = running();
        vm.warp(t.deadline);
        bounties.expire(t, offerId);
        vm.expectRevert(abi.encodeWithSelector(Record.NotPaid.selector, idOf(t)));
        record.recordJob(t, offerId);
    }

    function test_recordJob_revertsTwice() public {
        JobTerms memory t = _job();
        record.recordJob(t, offerId);
        vm.expectRevert(abi.encodeWithSelector(Record.AlreadyRecorded.selector, idOf(t)));
        record.recordJob(t, offerId);
    }

    // ------------------------------------------------------------------------------------------------ standing

    function test_strike_counts() public {
        for (uint32 i = 1; i < 3; i++) {
            vm.expectEmit(true, true, true, true, address(record));
            emit Record.Struck(provider, "deal", i);
            vm.prank(jobs);
            record.strike(provider, "deal");
        }
        eq(record.standingOf(provider).strikes, 2, "strikes");
        eq(record.reputationOf(provider), 10_000, "reputation");
    }

    function test_strike_revertsForOthers() public {
        vm.expectRevert(abi.encodeWithSelector(Record.NotModule.selector, address(this)));
        record.strike(provider, "deal");
    }

    function _reject() internal {
        vm.prank(jobs);
        record.reject(provider, "deal");
    }

    function test_reject_takesAThirdEachTime() public {
        uint16[4] memory left = [6_666, 4_444, 2_962, 1_974];
        for (uint256 i; i < 4; i++) {
            vm.expectEmit(true, true, true, true, address(record));
            emit Record.Rejected(provider, "deal", left[i]);
            _reject();
            eq(record.reputationOf(provider), left[i], "left");
        }
        eq(record.standingOf(provider).rejections, 4, "rejections");
        for (uint256 i; i < 40; i++) _reject();
        eq(record.reputationOf(provider), 0, "never below nothing");
    }

    function test_reject_belowFiftyIsInactive() public {
        _reject();
        yes(record.isActive(provider), "66 is active");
        _reject();
        yes(!record.isActive(provider), "44 is not");
    }

    function test_reject_revertsForOthers() public {
        vm.expectRevert(abi.encodeWithSelector(Record.NotModule.selector, stranger));
        vm.prank(stranger);
        record.reject(provider, "deal");
    }

    function test_requalify_afterThirtyDaysWithStake() public {
        _reject();
        _reject();
        vm.warp(START + 30 days);
        vm.expectEmit(true, true, true, true, address(record));
        emit Record.Requalified(provider, 5_000);
        vm.prank(provider);
        record.requalify();
        eq(record.reputationOf(provider), 5_000, "just enough");
        yes(record.isActive(provider), "active");
        _reject();
        yes(!record.isActive(provider), "and no more");
    }

    function test_requalify_followsTheParameters() public {
        _reject();
        vm.prank(admin);
        parameters.setInactiveBelow(80);
        yes(!record.isActive(provider), "66 is below 80");
        vm.warp(START + 30 days);
        vm.prank(provider);
        record.requalify();
        eq(record.reputationOf(provider), 8_000, "just enough");
    }

    function test_requalify_revertsWhileActive() public {
        _reject();
        vm.warp(START + 30 days);
        vm.expectRevert(abi.encodeWithSelector(Record.StillActive.selector, provider));
        vm.prank(provider);
        record.requalify();
    }

    function test_requalify_revertsTooEarly() public {
        _reject();
        _reject();
        vm.warp(START + 30 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Record.TooEarly.selector, provider, START + 30 days));
        vm.prank(provider);
        record.requalify();
    }

    function test_requalify_revertsWithoutStake() public {
        _reject();
        _reject();
        vm.warp(START + 30 days);
        vm.startPrank(provider);
        stakes.unbond(PROVIDER, 1_000e18);
        vm.expectRevert(abi.encodeWithSelector(Record.InactiveStake.selector, provider));
        record.requalify();
        vm.stopPrank();
    }

    // ------------------------------------------------------------------------------------------------ ratings

    function test_commitRating_byThePartyItsKeyOrTheirSignatures() public {
        address rich = vm.addr(0x51);
        renter = rich;
        endow(rich);
        (bytes32 id, Parties memory p) = _deal();
        bytes32 commitment = _commitmentOf(id, RENTER, 5);
        bytes memory signature = _signature(0x51, id, commitment);
        vm.prank(stranger);
        record.commitRating(id, p, RENTER, commitment, signature);
        eq(record.commitments(id, RENTER), commitment, "signed by the wallet");
        leaseSalt = "second";
        (id, p) = _deal();
        commitment = _commitmentOf(id, RENTER, 5);
        signature = _signature(SESSION_KEY, id, commitment);
        vm.prank(stranger);
        record.commitRating(id, p, RENTER, commitment, signature);
        eq(record.commitments(id, RENTER), commitment, "signed by its key");
        vm.prank(host);
        record.commitRating(id, p, OTHER, "commitment", "");
        eq(record.commitments(id, OTHER), "commitment", "by its key");
    }

    function test_commitRating_byAContractWallet() public {
        renter = address(new AgreeableWallet());
        endow(renter);
        (bytes32 id, Parties memory p) = _deal();
        vm.expectEmit(true, true, true, true, address(record));
        emit Record.RatingCommitted(id, RENTER, "commitment");
        vm.prank(stranger);
        record.commitRating(id, p, RENTER, "commitment", "anything");
        eq(record.commitments(id, RENTER), "commitment", "kept");
    }

    function test_commitRating_revertsForAWalletThatDoesNotAgree() public {
        OddWallet wallet = new OddWallet();
        renter = address(wallet);
        endow(renter);
        (bytes32 id, Parties memory p) = _deal();
        for (uint8 way; way < 5; way++) {
            wallet.setWay(OddWallet.Way(way));
            vm.expectRevert(abi.encodeWithSelector(Record.BadSignature.selector, renter));
            record.commitRating(id, p, RENTER, "commitment", "anything");
        }
    }

    function test_commitRating_revertsForUnknownDeal() public {
        vm.expectRevert(abi.encodeWithSelector(Record.UnknownDeal.selector, bytes32("deal")));
        record.commitRating("deal", Parties(renter, provider, session, host), RENTER, "commitment", "");
    }

    function test_commitRating_revertsForOtherParties() public {
        (bytes32 id, Parties memory p) = _deal();
        p.renter = stranger;
        vm.expectRevert(abi.encodeWithSelector(Record.WrongParties.selector, id));
        vm.prank(stranger);
        record.commitRating(id, p, RENTER, "commitment", "");
    }

    function test_commitRating_revertsForForeignSignature() public {
        (bytes32 id, Parties memory p) = _deal();
        bytes32 commitment = _commitmentOf(id, RENTER, 1);
        bytes[3] memory signatures = [
            _signature(HOST_KEY, id, commitment), _signature(SESSION_KEY, id, "another"), bytes("nonsense")
        ];
        for (uint256 i; i < 3; i++) {
            vm.expectRevert(abi.encodeWithSelector(Record.BadSignature.selector, renter));
            vm.prank(stranger);
            record.commitRating(id, p, RENTER, commitment, signatures[i]);
        }
        JobTerms memory t = _job();
        record.recordJob(t, offerId);
        p = Parties(renter, provider, address(0), host);
        vm.expectRevert(abi.encodeWithSelector(Record.BadSignature.selector, renter));
        record.commitRating(idOf(t), p, RENTER, commitment, "");
    }

    function test_commitRating_revertsForTheOtherSide() public {
        (bytes32 id, Parties memory p) = _deal();
        vm.expectRevert(abi.encodeWithSelector(Record.BadSignature.selector, renter));
        vm.prank(provider);
        record.commitRating(id, p, RENTER, "commitment", "");
        vm.expectRevert(abi.encodeWithSelector(Record.BadSignature.selector, provider));
        vm.prank(renter);
        record.commitRating(id, p, OTHER, "commitment", "");
    }

    function test_commitRating_revertsForNothing() public {
        (bytes32 id, Parties memory p) = _deal();
        vm.expectRevert(abi.encodeWithSelector(Record.EmptyCommitment.selector));
        vm.prank(renter);
        record.commitRating(id, p, RENTER, 0, "");
    }

    function test_commitRating_revertsTwice() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 5);
        vm.expectRevert(abi.encodeWithSelector(Record.AlreadyCommitted.selector, id, RENTER));
        vm.prank(renter);
        record.commitRating(id, p, RENTER, "another", "");
    }

    function test_commitRating_revertsAfterItsTime() public {
        (bytes32 id, Parties memory p) = _deal();
        uint40 until = uint40(block.timestamp) + 14 days;
        vm.warp(until - 1);
        _commit(id, p, OTHER, 5);
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(Record.CommitOver.selector, id, until));
        vm.prank(renter);
        record.commitRating(id, p, RENTER, "commitment", "");
    }

    function test_revealRating_onceBothHaveCommitted() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 5);
        _commit(id, p, OTHER, 1);
        vm.expectEmit(true, true, true, true, address(record));
        emit Record.Rated(id, RENTER, provider, 5, WORDS);
        _reveal(id, p, RENTER, 5);
        vm.expectEmit(true, true, true, true, address(record));
        emit Record.Rated(id, OTHER, renter, 1, WORDS);
        _reveal(id, p, OTHER, 1);
        eq(record.get(id).byRenter, 5, "by the renter");
        eq(record.get(id).byProvider, 1, "by the provider");
    }

    function test_revealRating_aloneAfterTheTimeOfTheOther() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, OTHER, 4);
        vm.warp(block.timestamp + 14 days);
        _reveal(id, p, OTHER, 4);
        eq(record.get(id).byProvider, 4, "by the provider");
    }

    function test_revealRating_revertsForUnknownDeal() public {
        vm.expectRevert(abi.encodeWithSelector(Record.UnknownDeal.selector, bytes32("deal")));
        _reveal("deal", Parties(renter, provider, session, host), RENTER, 5);
    }

    function test_revealRating_revertsForOtherParties() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 5);
        p.provider = stranger;
        vm.expectRevert(abi.encodeWithSelector(Record.WrongParties.selector, id));
        _reveal(id, p, RENTER, 5);
    }

    function test_revealRating_revertsWhileTheOtherIsBlind() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 5);
        uint40 until = uint40(block.timestamp) + 14 days;
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(Record.StillBlind.selector, id, until));
        _reveal(id, p, RENTER, 5);
    }

    function test_revealRating_revertsAfterItsTime() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 5);
        _commit(id, p, OTHER, 5);
        uint40 until = uint40(block.timestamp) + 28 days;
        vm.warp(until - 1);
        _reveal(id, p, RENTER, 5);
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(Record.RevealOver.selector, id, until));
        _reveal(id, p, OTHER, 5);
    }

    function test_revealRating_revertsForOtherWords() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 5);
        _commit(id, p, OTHER, 5);
        bytes memory why = abi.encodeWithSelector(Record.WrongReveal.selector, id, RENTER);
        vm.expectRevert(why);
        _reveal(id, p, RENTER, 4);
        vm.expectRevert(why);
        record.revealRating(id, p, RENTER, 5, "", SALT);
        vm.expectRevert(why);
        record.revealRating(id, p, RENTER, 5, WORDS, "another");
    }

    function test_revealRating_revertsForBadScores() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 0);
        _commit(id, p, OTHER, 6);
        vm.expectRevert(abi.encodeWithSelector(Record.BadScore.selector, 0));
        _reveal(id, p, RENTER, 0);
        vm.expectRevert(abi.encodeWithSelector(Record.BadScore.selector, 6));
        _reveal(id, p, OTHER, 6);
    }

    function test_revealRating_revertsForTooLongFeedback() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 5);
        _commit(id, p, OTHER, 5);
        vm.expectRevert(abi.encodeWithSelector(Record.FeedbackTooLong.selector, 101, 100));
        record.revealRating(id, p, RENTER, 5, string(new bytes(101)), SALT);
    }

    function test_revealRating_revertsTwice() public {
        (bytes32 id, Parties memory p) = _deal();
        _commit(id, p, RENTER, 5);
        _commit(id, p, OTHER, 5);
        _reveal(id, p, RENTER, 5);
        vm.expectRevert(abi.encodeWithSelector(Record.AlreadyRated.selector, id, RENTER));
        _reveal(id, p, RENTER, 5);
    }

    function test_worksWhilePaused() public {
        Terms memory terms = _lease(600);
        pauseDeals();
        record.recordLease(terms);
        Parties memory p = Parties(renter, provider, session, host);
        _commit(idOf(terms), p, RENTER, 5);
        _commit(idOf(terms), p, OTHER, 5);
        _reveal(idOf(terms), p, RENTER, 5);
    }
}
