// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations, Finding, SeatSignature} from "../src/Attestations.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {Rentals, Terms} from "../src/Rentals.sol";
import {Stakes} from "../src/Stakes.sol";
import {AttestationsBase} from "./AttestationsBase.sol";

/// Attestations.tree, leaf by leaf.
contract AttestationsTest is AttestationsBase {
    Attestations.State internal constant CLEAR = Attestations.State.CLEAR;
    Attestations.State internal constant SUSPENDED = Attestations.State.SUSPENDED;
    Attestations.State internal constant DELISTED = Attestations.State.DELISTED;
    uint32 internal constant TODAY = uint32(START / 1 days);

    OfferParams internal params;
    bytes32 internal offerId;

    function setUp() public override {
        super.setUp();
        params = offerParams(address(dollar), 3_500_000);
        params.endsBy = START + 3_650 days;
        offerId = register(params, "offer");
    }

    /// A root with one verdict on the offer, attested by the next committee; and the proof.
    function _judge(Attestations.State verdict) internal returns (uint32 epoch, bytes32[] memory proof) {
        epoch = seatCommittee();
        bytes32[4] memory leaves = _leaves(verdict);
        attest(epoch, rootOfFour(leaves));
        proof = proofInFour(leaves, 2);
    }

    function _leaves(Attestations.State verdict) internal view returns (bytes32[4] memory) {
        return [
            att.leafOf("one", SUSPENDED),
            att.leafOf("two", DELISTED),
            att.leafOf(offerId, verdict),
            att.leafOf("four", CLEAR)
        ];
    }

    function _suspend() internal returns (uint32 epoch) {
        bytes32[] memory proof;
        (epoch, proof) = _judge(SUSPENDED);
        att.suspend(offerId, epoch, proof);
    }

    function _delist() internal returns (uint32 epoch) {
        bytes32[] memory proof;
        (epoch, proof) = _judge(DELISTED);
        att.delist(offerId, epoch, proof);
    }

    function _status() internal view returns (Offers.Status) {
        return offers.get(offerId).status;
    }

    function _revert(bytes memory reason) internal {
        vm.expectRevert(reason);
    }

    // ------------------------------------------------------------------------------------------------ setOperator

    function test_setOperator_letsAnotherKeyCommitAndSign() public {
        address validator = validators[0];
        vm.expectEmit(true, true, true, true, address(att));
        emit Attestations.OperatorSet(validator, host);
        vm.prank(validator);
        att.setOperator(host);
        bytes32 commitment = att.commitmentOf(TODAY + 1, validator, secretOf(TODAY + 1, validator));
        vm.prank(host);
        att.commit(validator, commitment);
        (Attestations.Candidate memory candidate, Attestations.Signer memory signer) = att.candidateAt(TODAY + 1, 0);
        eq(candidate.validator, validator, "candidate");
        eq(signer.key, host, "key");
    }

    function test_setOperator_countsFromTheNextCommitmentOn() public {
        commitFor(validators[0]);
        vm.prank(validators[0]);
        att.setOperator(host);
        (, Attestations.Signer memory signer) = att.candidateAt(TODAY + 1, 0);
        eq(signer.key, validators[0], "key as it was");
    }

    // ------------------------------------------------------------------------------------------------ commit

    function test_commit_takesDownTheStakeForTheNextEpoch() public {
        bytes32 commitment = att.commitmentOf(TODAY + 1, validators[0], "s");
        vm.expectEmit(true, true, true, true, address(att));
        emit Attestations.Committed(TODAY + 1, validators[0], validators[0], commitment, BOND);
        vm.prank(validators[0]);
        att.commit(validators[0], commitment);
        commitFor(validators[1]);
        eq(att.commitments(TODAY + 1, validators[0]), commitment, "commitment");
        eq(att.candidateCount(TODAY + 1), 2, "candidates");
        eq(att.candidateCount(TODAY), 0, "none for today");
        (Attestations.Candidate memory second, Attestations.Signer memory signer) = att.candidateAt(TODAY + 1, 1);
        eq(second.validator, validators[1], "second");
        eq(second.weightSum, 2 * uint256(BOND), "sum of weights");
        yes(!signer.revealed, "not revealed");
    }

    function test_commit_weighsWhatIsStakedAtThatTime(uint96 more) public {
        more = uint96(bound(more, 1, 1e24));
        commitFor(validators[0]);
        bond(VALIDATOR, validators[0], more);
        bond(VALIDATOR, validators[1], more);
        commitFor(validators[1]);
        (Attestations.Candidate memory first,) = att.candidateAt(TODAY + 1, 0);
        (Attestations.Candidate memory second,) = att.candidateAt(TODAY + 1, 1);
        eq(first.weightSum, BOND, "what came later does not count");
        eq(second.weightSum, 2 * uint256(BOND) + more, "what came earlier does");
    }

    function test_commit_revertsForOthers() public {
        _revert(abi.encodeWithSelector(Attestations.NotOperator.selector, validators[1], validators[0]));
        vm.prank(validators[1]);
        att.commit(validators[0], "c");
        _revert(abi.encodeWithSelector(Attestations.NotOperator.selector, stranger, address(0)));
        vm.prank(stranger);
        att.commit(address(0), "c");
    }

    function test_commit_revertsBelowTheMinimumStake() public {
        _revert(abi.encodeWithSelector(Attestations.InactiveValidator.selector, stranger));
        vm.prank(stranger);
        att.commit(stranger, "c");
        bond(PROVIDER, stranger, BOND);
        _revert(abi.encodeWithSelector(Attestations.InactiveValidator.selector, stranger));
        vm.prank(stranger);
        att.commit(stranger, "c");
        vm.startPrank(validators[0]);
        stakes.unbond(VALIDATOR, BOND - parameters.minValidatorStake() + 1);
        _revert(abi.encodeWithSelector(Attestations.InactiveValidator.selector, validators[0]));
        att.commit(validators[0], "c");
        vm.stopPrank();
    }

    function test_commit_revertsForNothing() public {
        _revert(abi.encodeWithSelector(Attestations.EmptyCommitment.selector));
        vm.prank(validators[0]);
        att.commit(validators[0], 0);
    }

    function test_commit_revertsTwice() public {
        commitFor(validators[0]);
        _revert(abi.encodeWithSelector(Attestations.AlreadyCommitted.selector, TODAY + 1, validators[0]));
        vm.prank(validators[0]);
        att.commit(validators[0], "another");
        goTo(TODAY + 1, 0);
        commitFor(validators[0]);
    }

    function test_commit_revertsForBarredValidator() public {
        uint32 epoch = seatCommittee();
        _equivocate(epoch, validators[3]);
        _revert(abi.encodeWithSelector(Attestations.Barred.selector, validators[3]));
        vm.prank(validators[3]);
        att.commit(validators[3], "c");
    }

    // ------------------------------------------------------------------------------------------------ reveal

    function test_reveal_givesTheSameSeedInAnyOrder(uint256 order) public {
        uint32 epoch = commitAll();
        goTo(epoch + 1, 0);
        uint256 count = validators.length;
        bytes32 seed;
        for (uint256 left = count; left > 0; left--) {
            uint256 pick = order % left;
            order /= count;
            address validator = validators[pick];
            (validators[pick], validators[left - 1]) = (validators[left - 1], validator);
            vm.expectEmit(true, true, true, true, address(att));
            emit Attestations.Revealed(epoch, validator, secretOf(epoch, validator));
            revealFor(epoch, validator);
            seed ^= keccak256(abi.encode(validator, secretOf(epoch, validator)));
        }
        eq(att.seedOf(epoch), seed, "seed");
    }

    function test_reveal_byAnybody() public {
        uint32 epoch = commitAll();
        goTo(epoch + 1, 100);
        vm.prank(stranger);
        revealFor(epoch, validators[0]);
        (, Attestations.Signer memory signer) = att.candidateAt(epoch, 0);
        yes(signer.revealed, "revealed");
    }

    function test_reveal_revertsOutsideItsSixHours() public {
        uint32 epoch = commitAll();
        bytes memory reason = abi.encodeWithSelector(Attestations.NotRevealing.selector, epoch);
        _revert(reason);
        revealFor(epoch, validators[0]);
        goTo(epoch, 24 hours - 1);
        _revert(reason);
        revealFor(epoch, validators[0]);
        goTo(epoch + 1, 6 hours);
        _revert(reason);
        revealFor(epoch, validators[0]);
        goTo(epoch + 1, 6 hours - 1);
        revealFor(epoch, validators[0]);
        goTo(epoch + 1, 0);
        revealFor(epoch, validators[1]);
    }

    function test_reveal_revertsForOtherSecret(bytes32 secret) public {
        uint32 epoch = commitAll();
        goTo(epoch + 1, 0);
        _revert(abi.encodeWithSelector(Attestations.WrongSecret.selector, epoch, validators[0]));
        att.reveal(epoch, validators[0], secret);
        _revert(abi.encodeWithSelector(Attestations.WrongSecret.selector, epoch, stranger));
        att.reveal(epoch, stranger, secret);
    }

    function test_reveal_revertsForCopiedCommitment() public {
        bytes32 copied = att.commitmentOf(TODAY + 1, validators[0], secretOf(TODAY + 1, validators[0]));
        vm.prank(validators[1]);
        att.commit(validators[1], copied);
        goTo(TODAY + 2, 0);
        _revert(abi.encodeWithSelector(Attestations.WrongSecret.selector, TODAY + 1, validators[1]));
        att.reveal(TODAY + 1, validators[1], secretOf(TODAY + 1, validators[0]));
    }

    function test_reveal_revertsTwice() public {
        uint32 epoch = commitAll();
        goTo(epoch + 1, 0);
        revealFor(epoch, validators[0]);
        _revert(abi.encodeWithSelector(Attestations.AlreadyRevealed.selector, epoch, validators[0]));
        revealFor(epoch, validators[0]);
    }

    // ------------------------------------------------------------------------------------------------ committeeOf

    function test_committeeOf_seatsSevenDifferentValidators() public {
        (address[] memory members, address[] memory keys) = att.committeeOf(seatCommittee());
        eq(members.length, 7, "seven");
        eq(keys.length, 7, "seven keys");
        for (uint256 i; i < 7; i++) {
            yes(keyOf[members[i]] != 0, "a validator");
            eq(keys[i], members[i], "its own key");
            for (uint256 j; j < i; j++) yes(members[i] != members[j], "a seat each");
        }
    }

    function test_committeeOf_leavesOutWhoWithholds() public {
        uint32 epoch = commitAll();
        goTo(epoch + 1, 0);
        for (uint256 i = 3; i < VALIDATORS; i++) revealFor(epoch, validators[i]);
        goTo(epoch + 1, 6 hours);
        (address[] memory members,) = att.committeeOf(epoch);
        eq(members.length, 6, "all six");
        for (uint256 i; i < 6; i++) {
            for (uint256 j; j < 3; j++) yes(members[i] != validators[j], "has not revealed");
        }
    }

    function test_committeeOf_followsTheStakes() public {
        // One of ten has half of all stake: it should have the first seat every other time, the others hardly ever.
        address rich = addValidator(0x41c4, uint96(VALIDATORS) * BOND);
        uint256 first;
        uint256 poorest;
        for (uint256 i; i < 60; i++) {
            (address[] memory members,) = att.committeeOf(seatCommittee());
            if (members[0] == rich) ++first;
            if (members[0] == validators[0]) ++poorest;
        }
        yes(first >= 20 && first <= 40, "half of the time, within 2.6 standard deviations");
        yes(poorest <= 12, "a ninth of the rest");
    }

    function test_committeeOf_isNotKnownBeforeTheLastSecret() public {
        uint32 epoch = commitAll();
        goTo(epoch + 1, 0);
        for (uint256 i = 1; i < VALIDATORS; i++) revealFor(epoch, validators[i]);
        bytes32 withoutLast = att.seedOf(epoch);
        revealFor(epoch, validators[0]);
        yes(att.seedOf(epoch) != withoutLast, "the last one moves it");
    }

    function test_committeeOf_staysAsItIs() public {
        uint32 epoch = seatCommittee();
        bytes32 before = keccak256(abi.encode(_members(epoch)));
        address first = _members(epoch)[0];
        vm.startPrank(first);
        att.setOperator(host);
        stakes.unbond(VALIDATOR, BOND);
        vm.stopPrank();
        vm.warp(block.timestamp + 30 days);
        eq(keccak256(abi.encode(_members(epoch))), before, "members");
    }

    function _members(uint32 epoch) internal view returns (address[] memory members) {
        (members,) = att.committeeOf(epoch);
    }

    function test_committeeOf_revertsBeforeTheSecretsAreOut() public {
        uint32 epoch = commitAll();
        goTo(epoch + 1, 6 hours - 1);
        _revert(abi.encodeWithSelector(Attestations.NotDrawn.selector, epoch));
        att.committeeOf(epoch);
        goTo(epoch + 1, 6 hours);
        att.committeeOf(epoch);
        eq(att.sittingEpoch(), epoch, "sits");
    }

    function test_committeeOf_isEmptyWithoutSecrets() public {
        eq(_members(TODAY - 2).length, 0, "nobody committed");
        uint32 epoch = commitAll();
        goTo(epoch + 2, 0);
        eq(_members(epoch).length, 0, "nobody revealed");
    }

    function test_committeeOf_endsAfterItsDraws() public {
        // All but nothing is one validator's: the others are hardly ever drawn, and the search is over all the same.
        vm.prank(admin);
        parameters.setMinStakes(1e18, 1e18);
        delete validators;
        addValidator(0x41c4, 100_000_000e18);
        for (uint256 i; i < 8; i++) addValidator(0x9004 + i, 1e18);
        uint32 epoch = seatCommittee();
        yes(_members(epoch).length < 7, "not full");
        Finding memory finding = Finding("root", 0);
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), _members(epoch).length);
        _revert(abi.encodeWithSelector(Attestations.NoQuorum.selector, signatures.length));
        att.attest(epoch, finding, signatures);
    }

    // ------------------------------------------------------------------------------------------------ attest

    function test_attest_withFiveOfSeven(uint256 which) public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", "evidence");
        SeatSignature[] memory signatures = _without(epoch, finding, which % 7, (which / 7) % 7);
        vm.expectEmit(true, true, true, true, address(att));
        emit Attestations.Attested(epoch, "root", "evidence");
        vm.prank(stranger);
        att.attest(epoch, finding, signatures);
        eq(att.rootOf(epoch), "root", "root");
    }

    /// All seven signatures but two; where both are the same seat, the next is left out as well.
    function _without(uint32 epoch, Finding memory finding, uint256 a, uint256 b)
        internal
        view
        returns (SeatSignature[] memory five)
    {
        if (a == b) b = (a + 1) % 7;
        SeatSignature[] memory all = signedBySeats(epoch, findingDigest(epoch, finding), 7);
        five = new SeatSignature[](5);
        uint256 n;
        for (uint256 i; i < 7; i++) {
            if (i != a && i != b) five[n++] = all[i];
        }
    }

    function test_attest_withAllSeven() public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", 0);
        att.attest(epoch, finding, signedBySeats(epoch, findingDigest(epoch, finding), 7));
        eq(att.rootOf(epoch), "root", "root");
    }

    function test_attest_worksFromTheFirstSecondToTheLast() public {
        attest(seatCommittee(), "first");
        uint32 epoch = seatCommittee();
        goTo(epoch + 2, 6 hours - 1);
        attest(epoch, "last");
        eq(att.rootOf(epoch), "last", "root");
    }

    function test_attest_revertsForFour() public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", 0);
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), 4);
        _revert(abi.encodeWithSelector(Attestations.NoQuorum.selector, 4));
        att.attest(epoch, finding, signatures);
    }

    function test_attest_revertsForSeatsOutOfOrder() public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", 0);
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), 5);
        signatures[4] = signatures[3];
        _revert(abi.encodeWithSelector(Attestations.BadSeat.selector, 3));
        att.attest(epoch, finding, signatures);
        signatures[3] = signatures[0];
        _revert(abi.encodeWithSelector(Attestations.BadSeat.selector, 0));
        att.attest(epoch, finding, signatures);
    }

    function test_attest_revertsForSeatBeyondTheCommittee() public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", 0);
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), 7);
        signatures[6].seat = 7;
        _revert(abi.encodeWithSelector(Attestations.BadSeat.selector, 7));
        att.attest(epoch, finding, signatures);
    }

    function test_attest_revertsForForeignSignature(uint256 seat, uint256 kind) public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", 0);
        bytes32 hash = findingDigest(epoch, finding);
        SeatSignature[] memory signatures = signedBySeats(epoch, hash, 5);
        address expected = _members(epoch)[seat % 5];
        address by = kind % 3 == 0 ? stranger : kind % 3 == 1 ? _members(epoch)[5] : address(0);
        if (by == stranger) by = vm.addr(0xbad);
        signatures[seat % 5].signature =
            by == address(0) ? bytes("nonsense") : signed(by == vm.addr(0xbad) ? 0xbad : keyOf[by], hash);
        _revert(abi.encodeWithSelector(Attestations.BadSignature.selector, by, expected));
        att.attest(epoch, finding, signatures);
    }

    function test_attest_revertsForOtherFindingEpochOrContract(uint256 kind) public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", "evidence");
        Finding memory other = kind % 4 == 0 ? Finding("toor", "evidence") : finding;
        if (kind % 4 == 1) other = Finding("root", "other");
        bytes32 hash = findingDigest(kind % 4 == 2 ? epoch - 1 : epoch, other);
        if (kind % 4 == 3) {
            hash = digest(keccak256(abi.encode(att.ATTESTATION_TYPEHASH(), epoch, finding.root, finding.evidence)));
        }
        SeatSignature[] memory signatures = signedBySeats(epoch, hash, 5);
        vm.expectRevert();
        att.attest(epoch, finding, signatures);
        eq(att.rootOf(epoch), 0, "none");
    }

    function test_attest_revertsForBarredMember() public {
        uint32 epoch = seatCommittee();
        address barred = _members(epoch)[2];
        _equivocate(epoch, barred);
        Finding memory finding = Finding("root", 0);
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), 5);
        _revert(abi.encodeWithSelector(Attestations.Barred.selector, barred));
        att.attest(epoch, finding, signatures);
        // The others keep their seats.
        att.attest(epoch, finding, _without(epoch, finding, 2, 4));
    }

    function test_attest_revertsUnlessItsCommitteeSits() public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", 0);
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), 5);
        goTo(epoch + 1, 6 hours - 1);
        _revert(abi.encodeWithSelector(Attestations.NotSitting.selector, epoch, epoch - 1));
        att.attest(epoch, finding, signatures);
        goTo(epoch + 2, 6 hours);
        _revert(abi.encodeWithSelector(Attestations.NotSitting.selector, epoch, epoch + 1));
        att.attest(epoch, finding, signatures);
    }

    function test_attest_revertsTwice() public {
        uint32 epoch = seatCommittee();
        attest(epoch, "root");
        Finding memory finding = Finding("other", 0);
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), 5);
        _revert(abi.encodeWithSelector(Attestations.AlreadyAttested.selector, epoch));
        att.attest(epoch, finding, signatures);
    }

    function test_attest_revertsForEmptyRoot() public {
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding(0, "evidence");
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), 5);
        _revert(abi.encodeWithSelector(Attestations.EmptyRoot.selector));
        att.attest(epoch, finding, signatures);
    }

    function test_attest_revertsForCommitteeOfFour() public {
        for (uint256 i; i < 5; i++) validators.pop();
        uint32 epoch = seatCommittee();
        Finding memory finding = Finding("root", 0);
        SeatSignature[] memory signatures = new SeatSignature[](5);
        SeatSignature[] memory four = signedBySeats(epoch, findingDigest(epoch, finding), 4);
        for (uint256 i; i < 4; i++) signatures[i] = four[i];
        signatures[4] = SeatSignature(4, four[3].signature);
        _revert(abi.encodeWithSelector(Attestations.BadSeat.selector, 4));
        att.attest(epoch, finding, signatures);
    }

    // ------------------------------------------------------------------------------------------------ witness

    function _openWitnessed(address by) internal returns (Terms memory terms) {
        fund(renter, address(dollar), 1_000_000_000);
        vm.prank(renter);
        vault.authorize(address(rentals), true);
        terms = termsFor(offerId, params, "lease");
        terms.witness = by;
        vm.prank(renter);
        rentals.open(terms, 8 hours);
    }

    function _voucherDigest(Terms memory terms, uint32 secs) internal view returns (bytes32) {
        return attDigest(keccak256(abi.encode(att.VOUCHER_TYPEHASH(), idOf(terms), secs)));
    }

    function test_witness_drawsOnALeaseThatNamesIt() public {
        uint32 epoch = seatCommittee();
        Terms memory terms = _openWitnessed(address(att));
        vm.warp(block.timestamp + 2 hours);
        SeatSignature[] memory signatures = signedBySeats(epoch, _voucherDigest(terms, 3_600), 5);
        vm.expectEmit(true, true, true, true, address(att));
        emit Attestations.Witnessed(idOf(terms), epoch, 3_600);
        vm.prank(stranger);
        att.witness(terms, 3_600, signatures);
        eq(rentals.get(idOf(terms)).paidSeconds, 3_600, "paid");
        vm.prank(provider);
        rentals.release(terms);
        eq(vault.balanceOf(provider, address(dollar)), 3_412_500, "an hour, less the fee");
    }

    function test_witness_revertsForLeaseWithOtherWitness() public {
        uint32 epoch = seatCommittee();
        Terms memory terms = _openWitnessed(witness);
        vm.warp(block.timestamp + 2 hours);
        SeatSignature[] memory signatures = signedBySeats(epoch, _voucherDigest(terms, 3_600), 5);
        _revert(abi.encodeWithSelector(Rentals.BadSignature.selector, address(0), session));
        att.witness(terms, 3_600, signatures);
    }

    function test_witness_revertsForFinding() public {
        uint32 epoch = seatCommittee();
        Terms memory terms = _openWitnessed(address(att));
        vm.warp(block.timestamp + 2 hours);
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, Finding(idOf(terms), 0)), 5);
        vm.expectRevert();
        att.witness(terms, 3_600, signatures);
        signatures = signedBySeats(epoch, _voucherDigest(terms, 3_600), 5);
        vm.expectRevert();
        att.witness(terms, 3_601, signatures);
    }

    function test_witness_revertsWithoutQuorum() public {
        uint32 epoch = seatCommittee();
        Terms memory terms = _openWitnessed(address(att));
        vm.warp(block.timestamp + 2 hours);
        SeatSignature[] memory signatures = signedBySeats(epoch, _voucherDigest(terms, 3_600), 4);
        _revert(abi.encodeWithSelector(Attestations.NoQuorum.selector, 4));
        att.witness(terms, 3_600, signatures);
        signatures = signedBySeats(epoch, _voucherDigest(terms, 3_600), 5);
        // A day later another committee sits: here nobody.
        vm.warp(block.timestamp + 1 days);
        _revert(abi.encodeWithSelector(Attestations.BadSeat.selector, 0));
        att.witness(terms, 3_600, signatures);
    }

    // ------------------------------------------------------------------------------------------------ suspend

    function test_suspend_stopsNewDealsOnly() public {
        Terms memory terms = _openWitnessed(witness);
        (uint32 epoch, bytes32[] memory proof) = _judge(SUSPENDED);
        vm.expectEmit(true, true, true, true, address(att));
        emit Attestations.Suspended(offerId, epoch);
        vm.prank(stranger);
        att.suspend(offerId, epoch, proof);
        yes(_status() == Offers.Status.SUSPENDED, "suspended");
        Attestations.Standing memory standing = att.standingOf(offerId);
        yes(standing.state == SUSPENDED, "state");
        eq(standing.epoch, epoch, "epoch");
        eq(standing.delistings, 0, "no delisting");
        Terms memory more = termsFor(offerId, params, "more");
        _revert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.SUSPENDED));
        vm.prank(renter);
        rentals.open(more, 3_600);
        vm.prank(provider);
        rentals.release(terms);
        eq(offers.get(offerId).taken, 0, "the running deal ends as ever");
    }

    function test_suspend_byAnyProofInTheTree(uint256 index) public {
        index %= 4;
        uint32 epoch = seatCommittee();
        bytes32[4] memory leaves = _leaves(SUSPENDED);
        leaves[2] = att.leafOf("three", SUSPENDED);
        leaves[index] = att.leafOf(offerId, SUSPENDED);
        attest(epoch, rootOfFour(leaves));
        att.suspend(offerId, epoch, proofInFour(leaves, index));
        yes(_status() == Offers.Status.SUSPENDED, "suspended");
    }

    function test_suspend_revertsForOtherLeaf() public {
        (uint32 epoch, bytes32[] memory proof) = _judge(DELISTED);
        bytes memory reason = abi.encodeWithSelector(Attestations.BadProof.selector, offerId, epoch);
        _revert(reason);
        att.suspend(offerId, epoch, proof);
        _revert(reason);
        att.relist(offerId, epoch, proof);
        proof[0] = bytes32(uint256(proof[0]) ^ 1);
        _revert(reason);
        att.delist(offerId, epoch, proof);
        _revert(reason);
        att.delist(offerId, epoch, new bytes32[](0));
    }

    function test_suspend_revertsWithoutRoot() public {
        uint32 epoch = seatCommittee();
        _revert(abi.encodeWithSelector(Attestations.NotAttested.selector, epoch));
        att.suspend(offerId, epoch, new bytes32[](0));
    }

    function test_suspend_revertsOnceTooOld() public {
        (uint32 epoch, bytes32[] memory proof) = _judge(SUSPENDED);
        goTo(epoch + 3, 6 hours);
        _revert(abi.encodeWithSelector(Attestations.VerdictTooOld.selector, epoch, epoch + 2));
        att.suspend(offerId, epoch, proof);
        goTo(epoch + 3, 6 hours - 1);
        att.suspend(offerId, epoch, proof);
    }

    function test_suspend_revertsTwice() public {
        (uint32 epoch, bytes32[] memory proof) = _judge(SUSPENDED);
        att.suspend(offerId, epoch, proof);
        _revert(abi.encodeWithSelector(Attestations.VerdictOvertaken.selector, offerId, epoch, epoch));
        att.suspend(offerId, epoch, proof);
    }

    function test_suspend_revertsUnlessClear() public {
        _delist();
        (uint32 epoch, bytes32[] memory proof) = _judge(SUSPENDED);
        _revert(abi.encodeWithSelector(Attestations.WrongState.selector, offerId, DELISTED));
        att.suspend(offerId, epoch, proof);
    }

    function test_suspend_revertsForOfferDelistedByItsProvider() public {
        (uint32 epoch, bytes32[] memory proof) = _judge(SUSPENDED);
        vm.prank(provider);
        offers.delist(offerId);
        _revert(abi.encodeWithSelector(Offers.WrongStatus.selector, offerId, Offers.Status.DELISTED));
        att.suspend(offerId, epoch, proof);
        yes(att.standingOf(offerId).state == CLEAR, "nothing happened");
    }

    // ------------------------------------------------------------------------------------------------ delist

    function test_delist_fromClear() public {
        (uint32 epoch, bytes32[] memory proof) = _judge(DELISTED);
        vm.expectEmit(true, true, true, true, address(att));
        emit Attestations.Delisted(offerId, epoch, epoch + 4);
        att.delist(offerId, epoch, proof);
        yes(_status() == Offers.Status.SUSPENDED, "no new deals");
        Attestations.Standing memory standing = att.standingOf(offerId);
        yes(standing.state == DELISTED, "state");
        eq(standing.delistings, 1, "counted");
        eq(standing.delistedEpoch, epoch, "epoch");
        eq(att.relistFrom(offerId), epoch + 4, "one epoch of waiting, three of probation");
    }

    function test_delist_fromSuspended() public {
        _suspend();
        uint64 version = offers.get(offerId).version;
        _delist();
        eq(offers.get(offerId).version, version, "the offer stays as it was");
        yes(att.standingOf(offerId).state == DELISTED, "state");
    }

    function test_delist_revertsWhenDelisted() public {
        _delist();
        (uint32 epoch, bytes32[] memory proof) = _judge(DELISTED);
        _revert(abi.encodeWithSelector(Attestations.WrongState.selector, offerId, DELISTED));
        att.delist(offerId, epoch, proof);
    }

    function test_delist_doublesTheWaitUpToItsEnd() public {
        uint32[9] memory waits = [uint32(1), 2, 4, 8, 16, 32, 64, 64, 64];
        eq(att.relistFrom(offerId), 0, "never delisted");
        for (uint256 i; i < waits.length; i++) {
            uint32 epoch = _delist();
            eq(att.relistFrom(offerId), epoch + waits[i] + 3, "wait");
            goTo(epoch + waits[i] + 3 - 1, 0);
            (uint32 later, bytes32[] memory proof) = _judge(CLEAR);
            eq(later, epoch + waits[i] + 3, "at the first chance");
            att.relist(offerId, later, proof);
        }
        eq(att.standingOf(offerId).delistings, 9, "counted");
    }

    // ------------------------------------------------------------------------------------------------ relist

    function test_relist_leavesASuspendedOfferPaused() public {
        _suspend();
        (uint32 epoch, bytes32[] memory proof) = _judge(CLEAR);
        vm.expectEmit(true, true, true, true, address(att));
        emit Attestations.Relisted(offerId, epoch);
        att.relist(offerId, epoch, proof);
        yes(_status() == Offers.Status.PAUSED, "paused");
        yes(att.standingOf(offerId).state == CLEAR, "clear");
        vm.prank(provider);
        offers.resume(offerId);
        eq(offers.freeUnits(offerId), 4, "for rent again");
    }

    function test_relist_aDelistedOfferAfterItsWait() public {
        uint32 delisted = _delist();
        goTo(delisted + 3, 0);
        (uint32 epoch, bytes32[] memory proof) = _judge(CLEAR);
        att.relist(offerId, epoch, proof);
        yes(_status() == Offers.Status.PAUSED, "paused");
        eq(att.standingOf(offerId).delistings, 1, "not forgotten");
    }

    function test_relist_revertsBeforeItsWait() public {
        uint32 delisted = _delist();
        goTo(delisted + 2, 0);
        (uint32 epoch, bytes32[] memory proof) = _judge(CLEAR);
        _revert(abi.encodeWithSelector(Attestations.TooEarlyToRelist.selector, offerId, epoch, delisted + 4));
        att.relist(offerId, epoch, proof);
    }

    function test_relist_revertsWhenClear() public {
        (uint32 epoch, bytes32[] memory proof) = _judge(CLEAR);
        _revert(abi.encodeWithSelector(Attestations.WrongState.selector, offerId, CLEAR));
        att.relist(offerId, epoch, proof);
    }

    function test_relist_revertsForOvertakenVerdict() public {
        _suspend();
        // Two epochs in a row: the first clears, the second delists and is carried out first.
        uint32 first = commitAll();
        goTo(first, 0);
        uint32 second = commitAll();
        goTo(first + 1, 0);
        for (uint256 i; i < VALIDATORS; i++) revealFor(first, validators[i]);
        goTo(first + 1, 6 hours);
        attest(first, rootOfFour(_leaves(CLEAR)));
        goTo(second + 1, 0);
        for (uint256 i; i < VALIDATORS; i++) revealFor(second, validators[i]);
        goTo(second + 1, 6 hours);
        attest(second, rootOfFour(_leaves(DELISTED)));
        att.delist(offerId, second, proofInFour(_leaves(DELISTED), 2));
        bytes32[] memory proof = proofInFour(_leaves(CLEAR), 2);
        _revert(abi.encodeWithSelector(Attestations.VerdictOvertaken.selector, offerId, first, second));
        att.relist(offerId, first, proof);
    }

    // ------------------------------------------------------------------------------------------------ proveEquivocation

    function _equivocate(uint32 epoch, address validator) internal {
        (Finding memory one, Finding memory other) = (Finding("one", 0), Finding("other", 0));
        bytes memory oneSigned = signed(keyOf[validator], findingDigest(epoch, one));
        bytes memory otherSigned = signed(keyOf[validator], findingDigest(epoch, other));
        vm.prank(finder);
        att.proveEquivocation(epoch, validator, one, oneSigned, other, otherSigned);
    }

    function test_proveEquivocation_slashesBarsAndPaysTheFinder() public {
        uint32 epoch = seatCommittee();
        vm.expectEmit(true, true, true, true, address(att));
        emit Attestations.Equivocated(validators[4], epoch, finder);
        _equivocate(epoch, validators[4]);
        yes(att.isBarred(validators[4]), "barred");
        eq(stakes.slashableOf(VALIDATOR, validators[4]), BOND / 2, "half is gone");
        eq(vault.balanceOf(finder, address(watt)), BOND / 2 * 15 / 100, "finder");
        yes(!att.isBarred(validators[5]), "nobody else");
    }

    function test_proveEquivocation_reachesStakeOnItsWayOut() public {
        uint32 epoch = commitAll();
        vm.prank(validators[4]);
        stakes.unbond(VALIDATOR, BOND);
        // The last moment at which its verdict can be carried out.
        goTo(epoch + 3, 6 hours - 1);
        (Finding memory one, Finding memory other) = (Finding("same", "one"), Finding("same", "other"));
        bytes memory oneSigned = signed(keyOf[validators[4]], findingDigest(epoch, one));
        bytes memory otherSigned = signed(keyOf[validators[4]], findingDigest(epoch, other));
        att.proveEquivocation(epoch, validators[4], one, oneSigned, other, otherSigned);
        eq(stakes.slashableOf(VALIDATOR, validators[4]), BOND / 2, "half is gone");
    }

    function test_proveEquivocation_revertsForOneFindingTwice() public {
        uint32 epoch = commitAll();
        Finding memory finding = Finding("one", "evidence");
        bytes memory signature = signed(keyOf[validators[0]], findingDigest(epoch, finding));
        _revert(abi.encodeWithSelector(Attestations.NoEquivocation.selector, epoch, validators[0]));
        att.proveEquivocation(epoch, validators[0], finding, signature, finding, signature);
    }

    function test_proveEquivocation_revertsForForeignSignature(bool second, bool foreign) public {
        uint32 epoch = commitAll();
        (Finding memory one, Finding memory other) = (Finding("one", 0), Finding("other", 0));
        uint256 own = keyOf[validators[0]];
        uint256 wrong = foreign ? keyOf[validators[1]] : own;
        // Its own key, but for the epoch before.
        uint32 on = foreign ? epoch : epoch - 1;
        bytes memory a = second ? signed(own, findingDigest(epoch, one)) : signed(wrong, findingDigest(on, one));
        bytes memory b = second ? signed(wrong, findingDigest(on, other)) : signed(own, findingDigest(epoch, other));
        vm.expectRevert();
        att.proveEquivocation(epoch, validators[0], one, a, other, b);
        _revert(abi.encodeWithSelector(Attestations.BadSignature.selector, address(0), validators[0]));
        att.proveEquivocation(epoch, validators[0], one, "nonsense", other, "nonsense");
    }

    function test_proveEquivocation_revertsForWhoHasNotCommitted() public {
        (Finding memory one, Finding memory other) = (Finding("one", 0), Finding("other", 0));
        uint256 key = keyOf[validators[0]];
        bytes memory a = signed(key, findingDigest(TODAY, one));
        bytes memory b = signed(key, findingDigest(TODAY, other));
        _revert(abi.encodeWithSelector(Attestations.BadSignature.selector, validators[0], address(0)));
        att.proveEquivocation(TODAY, validators[0], one, a, other, b);
        _revert(abi.encodeWithSelector(Attestations.BadSignature.selector, address(0), address(0)));
        att.proveEquivocation(TODAY, validators[0], one, "", other, "");
    }

    function test_proveEquivocation_revertsTwice() public {
        uint32 epoch = commitAll();
        _equivocate(epoch, validators[0]);
        (Finding memory one, Finding memory other) = (Finding("three", 0), Finding("four", 0));
        bytes memory a = signed(keyOf[validators[0]], findingDigest(epoch, one));
        bytes memory b = signed(keyOf[validators[0]], findingDigest(epoch, other));
        _revert(abi.encodeWithSelector(Attestations.Barred.selector, validators[0]));
        att.proveEquivocation(epoch, validators[0], one, a, other, b);
    }

    // ------------------------------------------------------------------------------------------------ together

    function test_multicall_revealsForAllAtOnce() public {
        uint32 epoch = commitAll();
        goTo(epoch + 1, 0);
        bytes[] memory calls = new bytes[](VALIDATORS);
        for (uint256 i; i < VALIDATORS; i++) {
            calls[i] = abi.encodeCall(att.reveal, (epoch, validators[i], secretOf(epoch, validators[i])));
        }
        att.multicall(calls);
        goTo(epoch + 1, 6 hours);
        eq(_members(epoch).length, 7, "full");
    }

    function test_validatorsCanLeaveAtAnyTime(uint256 seconds_) public {
        commitAll();
        vm.warp(block.timestamp + seconds_ % 10 days);
        for (uint256 i; i < VALIDATORS; i++) {
            vm.prank(validators[i]);
            stakes.unbond(VALIDATOR, BOND);
        }
        vm.warp(block.timestamp + 14 days);
        for (uint256 i; i < VALIDATORS; i++) {
            vm.startPrank(validators[i]);
            stakes.release(VALIDATOR);
            vault.withdraw(address(watt), stranger, BOND);
            vm.stopPrank();
        }
        eq(watt.balanceOf(stranger), VALIDATORS * BOND, "all of it");
    }
}
