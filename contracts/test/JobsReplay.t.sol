// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations} from "../src/Attestations.sol";
import {Jobs} from "../src/Jobs.sol";
import {Juries} from "../src/Juries.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {Record} from "../src/Record.sol";
import {Rentals} from "../src/Rentals.sol";
import {Stakes} from "../src/Stakes.sol";
import {Watt} from "../src/Watt.sol";
import {Base} from "./Base.sol";
import {JobsBase} from "./JobsBase.sol";
import {Sent, SentReplay} from "./SentReplay.sol";

/// As ReplayTest, for jobs: the histories of contracts/tools/jobs-histories.mjs.
contract JobsReplayTest is JobsBase, SentReplay {
    address internal constant DEPLOYER = address(0xde9105);
    uint32 internal constant DAYS = 16;

    /// The jobs that a history is about.
    bytes32[3] internal ids;

    address[6] internal people = [
        address(0x4e17), address(0x4e18), address(0xc4e0), address(0xc4e1), address(0xc4e2), address(0x5747)
    ];
    uint96[3] internal staked = [1_000e18, 150e18, 100e18];

    function setUp() public override(Base, JobsBase) {
        vm.warp(START);
        vm.startPrank(DEPLOYER);
        deployFrom(DEPLOYER);
        watt = new Watt(admin);
        attestations = vm.computeCreateAddress(DEPLOYER, 10);
        jobs = vm.computeCreateAddress(DEPLOYER, 13);
        offers = new Offers(parameters, vm.computeCreateAddress(DEPLOYER, 8), jobs, attestations);
        rentals = new Rentals(parameters, vault, offers);
        stakes = new Stakes(parameters, vault, watt, jobs, attestations);
        att = new Attestations(stakes, offers, rentals);
        juries = new Juries(stakes, att, jobs);
        record = new Record(parameters, rentals, Jobs(jobs), stakes);
        bounties = new Jobs(parameters, vault, offers, stakes, juries, record);
        vm.stopPrank();
        vm.startPrank(admin);
        parameters.allowToken(address(dollar));
        parameters.allowToken(address(watt));
        vm.stopPrank();
        OfferParams memory p = OfferParams(
            "g", "", "", "", address(dollar), 1, 60, 60, START + 1_000 days, 2, 24, 2, keccak256("peer"), host
        );
        for (uint256 i; i < VALIDATORS; i++) addValidator(0x7a11d + i, 1_000e18 * uint96(1 + i));
        _enterDraws();
        vm.warp(START);
        for (uint256 i; i < 6; i++) {
            fund(people[i], address(dollar), 1e12);
            vm.prank(people[i]);
            vault.authorize(jobs, true);
            if (i < 2 || i > 4) continue;
            bond(PROVIDER, people[i], staked[i - 2]);
            vm.prank(people[i]);
            offers.register(p, keccak256("offer"));
        }
    }

    /// Days of validators who enter the draw and reveal, some and not others; the histories begin before all that, and find
    /// juries from their third day on.
    function _enterDraws() private {
        uint32 first = att.epoch() + 1;
        for (uint32 e = first; e < first + DAYS; e++) {
            goTo(e, 0);
            for (uint256 i; i < VALIDATORS; i++) {
                if ((e * 7 + i) % 5 != 0) commitFor(validators[i]);
                if (e > first + 1 && ((e - 1) * 3 + i) % 7 != 0 && ((e - 2) * 7 + i) % 5 != 0) {
                    revealFor(e - 1, validators[i]);
                }
            }
        }
    }

    function _sentIn(bytes memory history) internal override returns (Sent[] memory all) {
        (ids, all) = abi.decode(history, (bytes32[3], Sent[]));
    }

    function _target() internal view override returns (address) {
        return address(bounties);
    }

    function _jobWords(uint256[] memory words, uint256 n, bytes32 id) internal view returns (uint256) {
        Jobs.Job memory job = bounties.get(id);
        words[n++] = uint160(job.offerHash);
        words[n++] = job.until;
        words[n++] = job.taken;
        words[n++] = job.submitted;
        words[n++] = job.revealed;
        words[n++] = job.agreeing;
        words[n++] = uint256(job.state);
        words[n++] = uint256(bounties.resultOf(id));
        words[n++] = uint160(bounties.challengerOf(id));
        Record.Deal memory deal = record.get(id);
        words[n++] = uint160(deal.partiesHash);
        words[n++] = deal.recordedAt;
        words[n++] = deal.byRenter;
        words[n++] = deal.byProvider;
        words[n++] = uint256(record.commitments(id, Record.Side.RENTER));
        words[n++] = uint256(record.commitments(id, Record.Side.PROVIDER));
        return n;
    }

    function _caseWords(uint256[] memory words, uint256 n, bytes32 id) internal view returns (uint256) {
        Juries.Case memory c = juries.get(id);
        words[n++] = c.commitUntil;
        words[n++] = c.revealUntil;
        words[n++] = c.epoch;
        words[n++] = c.seats;
        words[n++] = c.committed;
        words[n++] = c.revealed;
        words[n++] = c.valid;
        words[n++] = c.invalid;
        for (uint256 seat; seat < 7; seat++) {
            words[n++] = uint160(juries.memberOf(id, seat));
            words[n++] = uint256(juries.commitments(id, seat));
        }
        return n;
    }

    function _stateAt(uint40) internal view override returns (bytes32) {
        uint256[] memory words = new uint256[](3 * (4 * 15 + 8 + 14) + 6 * 9 + 3 * 3 + 3);
        uint256 n;
        for (uint256 j; j < 3; j++) {
            n = _jobWords(words, n, ids[j]);
            for (uint256 i = 2; i < 5; i++) n = _jobWords(words, n, bounties.copyIdOf(ids[j], people[i]));
            n = _caseWords(words, n, ids[j]);
        }
        for (uint256 i; i < 6; i++) {
            words[n++] = money(people[i]);
            words[n++] = held(people[i]);
            words[n++] = vault.balanceOf(people[i], address(watt));
            Record.Standing memory s = record.standingOf(people[i]);
            words[n++] = s.lost;
            words[n++] = s.rejectedAt;
            words[n++] = s.provided;
            words[n++] = s.rented;
            words[n++] = s.strikes;
            words[n++] = s.rejections;
        }
        for (uint256 i = 2; i < 5; i++) {
            words[n++] = stakes.stakedOf(PROVIDER, people[i]);
            words[n++] = stakes.atRiskOf(PROVIDER, people[i]);
            words[n++] = offers.get(offers.offerIdOf(people[i], keccak256("offer"))).taken;
        }
        words[n++] = money(treasury);
        words[n++] = vault.reserveOf(address(dollar));
        words[n++] = watt.totalSupply();
        return keccak256(abi.encodePacked(words));
    }
}
