// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations} from "../src/Attestations.sol";
import {JobTerms, Jobs} from "../src/Jobs.sol";
import {Juries} from "../src/Juries.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {PracticeDollar} from "../src/PracticeDollar.sol";
import {Record} from "../src/Record.sol";
import {Rentals} from "../src/Rentals.sol";
import {Stakes} from "../src/Stakes.sol";
import {Watt} from "../src/Watt.sol";
import {AttestationsBase} from "./AttestationsBase.sol";

/// What tests of jobs stand on: all contracts wired as the product does it, providers with stake, offers and money.
abstract contract JobsBase is AttestationsBase {
    string internal constant SPEC = '{"image":"busybox@sha256:0"}';
    bytes32 internal constant RESULT = keccak256("result");
    bytes32 internal constant SALT = keccak256("salt");
    uint128 internal constant BOUNTY = 100e6;
    uint128 internal constant JOB_BOND = 20e6;

    Juries internal juries;
    Record internal record;
    Jobs internal bounties;

    address internal operator = host;
    address internal challenger = address(0xc4a1);
    bytes32 internal offerId;
    address[] internal crew;
    bytes32[] internal crewOffers;

    function setUp() public virtual override {
        vm.warp(START);
        deployAll();
        openMarket();
    }

    function deployAll() internal {
        deploy();
        watt = new Watt(admin);
        vm.prank(admin);
        parameters.allowToken(address(watt));
        uint64 nonce = vm.getNonce(address(this));
        attestations = vm.computeCreateAddress(address(this), nonce + 3);
        jobs = vm.computeCreateAddress(address(this), nonce + 6);
        offers = new Offers(parameters, vm.computeCreateAddress(address(this), nonce + 1), jobs, attestations);
        rentals = new Rentals(parameters, vault, offers);
        stakes = new Stakes(parameters, vault, watt, jobs, attestations);
        att = new Attestations(stakes, offers, rentals);
        juries = new Juries(stakes, att, jobs);
        record = new Record(parameters, rentals, Jobs(jobs), stakes);
        bounties = new Jobs(parameters, vault, offers, stakes, juries, record);
    }

    /// A renter with money, a provider with stake, an offer of two cards and a host's key, somebody who challenges.
    function openMarket() internal {
        endow(renter);
        endow(challenger);
        enter(provider, 1_000e18);
        offerId = register(offerParams(address(dollar), 3_500_000), "offer");
        vm.prank(provider);
        bounties.setOperator(operator);
    }

    function endow(address account) internal {
        fund(account, address(dollar), 1_000_000e6);
        fund(account, ETH, 1_000 ether);
        vm.prank(account);
        vault.authorize(address(bounties), true);
    }

    function enter(address account, uint96 staked) internal {
        endow(account);
        bond(PROVIDER, account, staked);
    }

    /// `count` more providers, each with an offer of its own.
    function hireCrew(uint256 count) internal {
        for (uint256 i; i < count; i++) {
            address one = address(uint160(0xc4e0 + i));
            enter(one, 1_000e18);
            OfferParams memory p = offerParams(address(dollar), 3_500_000);
            vm.prank(one);
            crewOffers.push(offers.register(p, "offer"));
            crew.push(one);
        }
    }

    /// Nine validators, who have entered the draw of the day that begins now.
    function hireJury() internal {
        for (uint256 i; i < VALIDATORS; i++) addValidator(0x7a11d + i, BOND);
        goTo(commitAll(), 0);
    }

    /// The day passes, and everybody shows its secret: a result challenged until now gets its jury.
    function secretsComeOut() internal {
        uint32 epoch = att.epoch();
        goTo(epoch + 1, 0);
        for (uint256 i; i < validators.length; i++) revealFor(epoch, validators[i]);
        goTo(epoch + 1, 6 hours);
    }

    function jobTerms() internal view returns (JobTerms memory) {
        return JobTerms({
            renter: renter,
            assignee: address(0),
            arbiter: address(0),
            token: address(dollar),
            bounty: BOUNTY,
            bond: JOB_BOND,
            deadline: uint40(block.timestamp) + 2 days,
            minRun: 1 hours,
            window: 1 days,
            minStake: 100e18,
            gpuCount: 2,
            gpuMemoryGb: 24,
            tier: 0,
            copies: 1,
            agree: 1,
            feeBps: parameters.feeBps(),
            slashBps: parameters.slashBps(),
            specHash: keccak256(bytes(SPEC)),
            salt: "job"
        });
    }

    function copiesTerms(uint8 copies, uint8 agree) internal view returns (JobTerms memory t) {
        t = jobTerms();
        (t.tier, t.copies, t.agree) = (2, copies, agree);
    }

    function idOf(JobTerms memory t) internal pure returns (bytes32) {
        return keccak256(abi.encode(t));
    }

    function copyOf(JobTerms memory t, uint256 i) internal view returns (bytes32) {
        return bounties.copyIdOf(idOf(t), crew[i]);
    }

    // ---------------------------------------------------------------------------------------------- steps

    function post(JobTerms memory t) internal {
        vm.prank(renter);
        bounties.post(t, SPEC);
    }

    function claim(JobTerms memory t) internal {
        vm.prank(provider);
        bounties.claim(t, offerId);
    }

    function submit(JobTerms memory t) internal {
        vm.prank(operator);
        bounties.submit(t, offerId, RESULT);
    }

    function challenge(JobTerms memory t) internal {
        vm.prank(challenger);
        bounties.challenge(t, offerId);
    }

    function posted() internal returns (JobTerms memory t) {
        t = jobTerms();
        post(t);
    }

    function running() internal returns (JobTerms memory t) {
        t = posted();
        claim(t);
    }

    function submitted() internal returns (JobTerms memory t) {
        t = running();
        submit(t);
    }

    function disputed() internal returns (JobTerms memory t) {
        t = submitted();
        challenge(t);
    }

    /// The jury is drawn where it is not yet, and its first `count` members say `verdict`.
    function juryFinds(JobTerms memory t, Juries.Verdict verdict, uint256 count) internal {
        bytes32 id = idOf(t);
        if (juries.get(id).commitUntil == 0) {
            secretsComeOut();
            bounties.draw(t, offerId);
        }
        uint256 seats = juries.get(id).seats;
        for (uint256 seat; seat < seats; seat++) {
            address member = juries.memberOf(id, seat);
            bytes32 commitment = juries.commitmentOf(id, member, verdict, SALT);
            vm.prank(member);
            juries.commit(id, seat, commitment);
        }
        for (uint256 seat; seat < count; seat++) juries.reveal(id, seat, verdict, SALT);
    }

    function takeCopy(JobTerms memory t, uint256 i) internal {
        vm.prank(crew[i]);
        bounties.claim(t, crewOffers[i]);
    }

    function submitCopy(JobTerms memory t, uint256 i, bytes32 result) internal {
        bytes32 commitment = bounties.commitmentOf(idOf(t), crew[i], result, SALT);
        vm.prank(crew[i]);
        bounties.submit(t, crewOffers[i], commitment);
    }

    function revealCopy(JobTerms memory t, uint256 i, bytes32 result) internal {
        bounties.reveal(t, crewOffers[i], result, SALT);
    }

    /// Posted, and all copies taken.
    function crewed(uint8 copies, uint8 agree) internal returns (JobTerms memory t) {
        hireCrew(copies);
        t = copiesTerms(copies, agree);
        post(t);
        for (uint256 i; i < copies; i++) takeCopy(t, i);
    }

    /// Three copies: two agree, the third says something else.
    function concluded() internal returns (JobTerms memory t) {
        t = crewed(3, 2);
        for (uint256 i; i < 3; i++) submitCopy(t, i, i == 2 ? bytes32("other") : RESULT);
        for (uint256 i; i < 3; i++) revealCopy(t, i, i == 2 ? bytes32("other") : RESULT);
        bounties.conclude(t);
    }

    function acceptance(uint256 key, bytes32 jobId, bytes32 offer, uint40 validUntil) internal view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(bounties.ACCEPTANCE_TYPEHASH(), jobId, offer, validUntil));
        return signed(key, keccak256(abi.encodePacked("\x19\x01", bounties.domainSeparator(), structHash)));
    }

    // ---------------------------------------------------------------------------------------------- looks

    /// An error about a job, a deal or an offer, with a state, a time or a number.
    function errorOf(bytes4 selector, bytes32 id, uint256 what) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, id, what);
    }

    function stateOf(JobTerms memory t) internal view returns (Jobs.State) {
        return bounties.get(idOf(t)).state;
    }

    function isIn(bytes32 id, Jobs.State state) internal view {
        eq(uint256(bounties.get(id).state), uint256(state), "state");
    }

    function money(address account) internal view returns (uint256) {
        return vault.balanceOf(account, address(dollar));
    }

    function held(address account) internal view returns (uint256) {
        return vault.lockedOf(address(bounties), account, address(dollar));
    }

    /// Nothing of a deal is left anywhere: no lock, no unit, no risk.
    function nothingHeld(address who, bytes32 offer) internal view {
        eq(held(renter), 0, "renter's lock");
        eq(held(who), 0, "provider's lock");
        eq(offers.get(offer).taken, 0, "unit");
        eq(stakes.atRiskOf(PROVIDER, who), 0, "risk");
    }

    function pauseDeals() internal {
        vm.prank(admin);
        parameters.pauseNewDeals();
    }
}
