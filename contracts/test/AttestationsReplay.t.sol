// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations} from "../src/Attestations.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {AttestationsBase} from "./AttestationsBase.sol";
import {StakesBase} from "./StakesBase.sol";

interface VmReplay {
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function envString(string calldata name) external view returns (string memory);
    function envUint(string calldata name) external view returns (uint256);
    function skip(bool skipTest, string calldata reason) external;
    function envExists(string calldata name) external view returns (bool);
}

/// One call as it is sent, and what the model says comes of it.
struct Sent {
    uint40 time;
    address caller;
    address target;
    bytes call;
    /// keccak256 of the revert data; of nothing when the call succeeds.
    bytes32 answer;
    bytes32 state;
}

/// As ReplayTest, for the validators: the histories of contracts/tools/attestation-histories.mjs.
contract AttestationsReplayTest is AttestationsBase {
    VmReplay internal constant vmr = VmReplay(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address internal constant DEPLOYER = address(0xde9103);

    bytes32[2] internal offerIds;

    error Differs(uint256 file, uint256 history, uint256 op, string what, bytes answer);

    function setUp() public override {
        StakesBase.setUp();
        vm.startPrank(DEPLOYER);
        deployAttestationsFrom(DEPLOYER);
        vm.stopPrank();
        for (uint256 i; i < VALIDATORS; i++) addValidator(0x7a11d + i, BOND * uint96(1 + i));
        OfferParams memory params = offerParams(ETH, 1);
        params.endsBy = START + 3_650 days;
        for (uint256 i; i < 2; i++) offerIds[i] = register(params, bytes32(i));
    }

    function test_replay() public {
        if (!vmr.envExists("REPLAY_DIR")) {
            vmr.skip(true, "run by contracts/tools/replay.mjs");
            return;
        }
        string memory dir = vmr.envString("REPLAY_DIR");
        uint256 files = vmr.envUint("REPLAY_FILES");
        eq(address(att), address(uint160(vmr.envUint("REPLAY_TARGET"))), "the model's contracts are these");
        uint256 fresh = vmr.snapshotState();
        for (uint256 f; f < files; f++) {
            bytes[] memory histories =
                abi.decode(vm.readFileBinary(string.concat(dir, "/", vm.toString(f), ".bin")), (bytes[]));
            for (uint256 h; h < histories.length; h++) {
                _run(f, h, abi.decode(histories[h], (Sent[])));
                vmr.revertToState(fresh);
                fresh = vmr.snapshotState();
            }
        }
    }

    function _run(uint256 file, uint256 number, Sent[] memory all) internal {
        for (uint256 i; i < all.length; i++) {
            vm.warp(all[i].time);
            vm.prank(all[i].caller);
            (bool ok, bytes memory answer) = all[i].target.call(all[i].call);
            if (ok) answer = "";
            if (keccak256(answer) != all[i].answer) revert Differs(file, number, i, "answer", answer);
            if (_state() != all[i].state) revert Differs(file, number, i, "state", answer);
        }
    }

    function _state() internal view returns (bytes32) {
        uint256[] memory words = new uint256[](1 + 14 + 4 * 3 + 2 * 6 + 9 * 2);
        uint256 n;
        uint32 sitting = att.sittingEpoch();
        (address[] memory members, address[] memory keys) = att.committeeOf(sitting);
        words[n++] = members.length;
        for (uint256 i; i < 7; i++) {
            words[n++] = i < members.length ? uint160(members[i]) : 0;
            words[n++] = i < members.length ? uint160(keys[i]) : 0;
        }
        for (uint32 e = sitting - 1; e < sitting + 3; e++) {
            words[n++] = uint256(att.seedOf(e));
            words[n++] = att.candidateCount(e);
            words[n++] = uint256(att.rootOf(e));
        }
        for (uint256 i; i < 2; i++) {
            Attestations.Standing memory s = att.standingOf(offerIds[i]);
            Offers.Offer memory o = offers.get(offerIds[i]);
            words[n++] = uint256(s.state);
            words[n++] = s.epoch;
            words[n++] = s.delistedEpoch;
            words[n++] = s.delistings;
            words[n++] = uint256(o.status);
            words[n++] = o.version;
        }
        for (uint256 i; i < VALIDATORS; i++) {
            words[n++] = att.isBarred(validators[i]) ? 1 : 0;
            words[n++] = stakes.stakedOf(VALIDATOR, validators[i]);
        }
        return keccak256(abi.encodePacked(words));
    }
}
