// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stakes} from "../src/Stakes.sol";
import {Watt} from "../src/Watt.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
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

/// As ReplayTest, for stakes: the histories of contracts/tools/stakes-histories.mjs.
contract StakesReplayTest is StakesBase {
    VmReplay internal constant vmr = VmReplay(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address internal constant DEPLOYER = address(0xde9104);

    address[3] internal stakers = [address(0x4601), address(0x4e17), address(0x4e18)];

    error Differs(uint256 file, uint256 history, uint256 op, string what, bytes answer);

    function setUp() public override {
        vm.warp(START);
        vm.startPrank(DEPLOYER);
        deployFrom(DEPLOYER);
        watt = new Watt(admin);
        stakes = new Stakes(parameters, vault, watt, jobs, attestations);
        vm.stopPrank();
        vm.prank(admin);
        parameters.allowToken(address(watt));
        for (uint256 i; i < 3; i++) fundWatt(stakers[i], 10_000e18);
    }

    function test_replay() public {
        if (!vmr.envExists("REPLAY_DIR")) {
            vmr.skip(true, "run by contracts/tools/replay.mjs");
            return;
        }
        string memory dir = vmr.envString("REPLAY_DIR");
        uint256 files = vmr.envUint("REPLAY_FILES");
        eq(address(stakes), address(uint160(vmr.envUint("REPLAY_TARGET"))), "the model's contracts are these");
        uint256 fresh = vmr.snapshotState();
        for (uint256 f; f < files; f++) {
            uint256 free = _free();
            bytes[] memory histories =
                abi.decode(vm.readFileBinary(string.concat(dir, "/", vm.toString(f), ".bin")), (bytes[]));
            for (uint256 h; h < histories.length; h++) {
                uint256 mark = _free();
                _run(f, h, abi.decode(histories[h], (Sent[])));
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

    function _run(uint256 file, uint256 number, Sent[] memory all) internal {
        for (uint256 i; i < all.length; i++) {
            vm.warp(all[i].time);
            vm.prank(all[i].caller);
            (bool ok, bytes memory answer) = all[i].target.call(all[i].call);
            // A slash says how much it took.
            if (ok) answer = "";
            if (keccak256(answer) != all[i].answer) revert Differs(file, number, i, "answer", answer);
            if (_state(all[i].time) != all[i].state) revert Differs(file, number, i, "state", answer);
        }
    }

    function _state(uint40 time) internal view returns (bytes32) {
        uint256[] memory words = new uint256[](4 + 3 * (2 * 8 + 6));
        uint256 n;
        words[n++] = watt.totalSupply();
        words[n++] = vault.reserveOf(address(watt));
        words[n++] = vault.balanceOf(finder, address(watt));
        words[n++] = stakes.getPastTotalSupply(time - 1);
        for (uint256 i; i < 3; i++) {
            address who = stakers[i];
            for (uint256 r; r < 2; r++) {
                IStakes.Role role = IStakes.Role(r);
                Stakes.Stake memory s = stakes.get(role, who);
                words[n++] = s.staked;
                words[n++] = s.unbonding;
                words[n++] = s.releaseAt;
                words[n++] = stakes.engagedOf(jobs, role, who);
                words[n++] = stakes.engagedOf(attestations, role, who);
                words[n++] = stakes.atRiskOf(role, who);
                words[n++] = stakes.freeOf(role, who);
                words[n++] = stakes.isActive(role, who) ? 1 : 0;
            }
            words[n++] = uint160(stakes.delegates(who));
            words[n++] = stakes.getVotes(who);
            words[n++] = stakes.getPastVotes(who, time - 1);
            words[n++] = stakes.getPastVotes(who, time - 3 days);
            words[n++] = vault.balanceOf(who, address(watt));
            words[n++] = vault.lockedOf(address(stakes), who, address(watt));
        }
        return keccak256(abi.encodePacked(words));
    }
}
