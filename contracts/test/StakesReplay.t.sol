// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stakes} from "../src/Stakes.sol";
import {Watt} from "../src/Watt.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {Base} from "./Base.sol";
import {StakesBase} from "./StakesBase.sol";
import {SentReplay} from "./SentReplay.sol";

/// As ReplayTest, for stakes: the histories of contracts/tools/stakes-histories.mjs.
contract StakesReplayTest is StakesBase, SentReplay {
    address internal constant DEPLOYER = address(0xde9104);

    address[3] internal stakers = [address(0x4601), address(0x4e17), address(0x4e18)];

    function setUp() public override(Base, StakesBase) {
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

    function _target() internal view override returns (address) {
        return address(stakes);
    }

    function _stateAt(uint40 time) internal view override returns (bytes32) {
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
