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
import {JobsBase} from "./JobsBase.sol";
import {Sent, VmReplay} from "./StakesReplay.t.sol";

/// As ReplayTest, for jobs: the histories of contracts/tools/jobs-histories.mjs.
contract JobsReplayTest is JobsBase {
    VmReplay internal constant vmr = VmReplay(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address internal constant DEPLOYER = address(0xde9105);

    address[6] internal people = [
        address(0x4e17), address(0x4e18), address(0xc4e0), address(0xc4e1), address(0xc4e2), address(0x5747)
    ];
    uint96[3] internal staked = [1_000e18, 150e18, 100e18];

    error Differs(uint256 file, uint256 history, uint256 op, string what, bytes answer);

    function setUp() public override {
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

    function test_replay() public {
        if (!vmr.envExists("REPLAY_DIR")) {
            vmr.skip(true, "run by contracts/tools/replay.mjs");
            return;
        }
        string memory dir = vmr.envString("REPLAY_DIR");
        uint256 files = vmr.envUint("REPLAY_FILES");
        eq(address(bounties), address(uint160(vmr.envUint("REPLAY_TARGET"))), "the model's contracts are these");
        uint256 fresh = vmr.snapshotState();
        for (uint256 f; f < files; f++) {
            uint256 free = _free();
            bytes[] memory histories =
                abi.decode(vm.readFileBinary(string.concat(dir, "/", vm.toString(f), ".bin")), (bytes[]));
            for (uint256 h; h < histories.length; h++) {
                uint256 mark = _free();
                (bytes32[3] memory ids, Sent[] memory all) = abi.decode(histories[h], (bytes32[3], Sent[]));
                _run(f, h, ids, all);
                vmr.revertToState(fresh);
                fresh = vmr.snapshotState();
                _reset(mark);
            }
            _reset(free);
        }
    }

    function _free() internal pure returns (uint256 where) {
        assembly ("memory-safe") {
            where := mload(0x40)
        }
    }

    /// Gives memory back: ten thousand histories would not fit.
    function _reset(uint256 mark) internal pure {
        assembly {
            mstore(0x40, mark)
        }
    }

    function _run(uint256 file, uint256 number, bytes32[3] memory ids, Sent[] memory all) internal {
        for (uint256 i; i < all.length; i++) {
            vm.warp(all[i].time);
            vm.prank(all[i].caller);
            (bool ok, bytes memory answer) = all[i].target.call(all[i].call);
            // Posting says the id.
            if (ok) answer = "";
            if (keccak256(answer) != all[i].answer) revert Differs(file, number, i, "answer", answer);
            if (_state(ids) != all[i].state) revert Differs(file, number, i, "state", answer);
        }
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
        return n;
    }

    function _state(bytes32[3] memory ids) internal view returns (bytes32) {
        uint256[] memory words = new uint256[](3 * 4 * 9 + 6 * 9 + 3 * 3 + 3);
        uint256 n;
        for (uint256 j; j < 3; j++) {
            n = _jobWords(words, n, ids[j]);
            for (uint256 i = 2; i < 5; i++) n = _jobWords(words, n, bounties.copyIdOf(ids[j], people[i]));
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
