// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stakes} from "../src/Stakes.sol";
import {Vault} from "../src/Vault.sol";
import {Watt} from "../src/Watt.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {StakesBase} from "./StakesBase.sol";

/// What is known about one stake without asking the contract.
struct StakeGhost {
    uint256 put;
    uint256 released;
    uint256 slashed;
    /// Part of `slashed` that was bonded.
    uint256 slashedBonded;
    uint256 engagedByJobs;
    uint256 engagedByAttestations;
}

/// Plays stakers and both modules at random and keeps its own books. Nothing here may revert: an action that is not
/// possible now is left out, one that must not be possible is tried and has to fail.
contract StakesHandler is StakesBase {
    address[] public actors;
    uint256 internal now_ = START;

    mapping(IStakes.Role => mapping(address => StakeGhost)) internal ghosts;
    uint256 public rewards;
    uint256 public burned;

    /// What went wrong, in words; empty while all is well.
    string public undercut;
    string public oversized;
    string public foreign;

    /// How often each thing happened.
    uint256 public unbondings;
    uint256 public releases;
    uint256 public slashes;
    uint256 public slashesOfLeavers;

    constructor() {
        vm.warp(START);
        deploy();
        deployStakes();
        for (uint256 i; i < 4; i++) actors.push(address(uint160(0x57a4e00 + i)));
        for (uint256 i; i < 4; i++) fundWatt(actors[i], 1e24);
    }

    function contracts() external view returns (Vault, Stakes, Watt) {
        return (vault, stakes, watt);
    }

    function ghost(IStakes.Role role, address account) external view returns (StakeGhost memory) {
        return ghosts[role][account];
    }

    function finderBalance() external view returns (uint256) {
        return vault.balanceOf(finder, address(watt));
    }

    function _who(uint256 seed) internal returns (IStakes.Role role, address account) {
        vm.warp(now_);
        return (seed % 2 == 0 ? PROVIDER : VALIDATOR, actors[(seed >> 8) % 4]);
    }

    function wait(uint256 seed) external {
        now_ += seed % 4 == 0 ? 7 days : bound(seed, 1, 3 days);
    }

    function stake(uint256 seed) external {
        (IStakes.Role role, address account) = _who(seed);
        uint256 available = vault.balanceOf(account, address(watt));
        if (available == 0) return;
        uint96 amount = uint96(bound(seed >> 16, 1, available < 1e22 ? available : 1e22));
        vm.prank(account);
        stakes.stake(role, amount);
        ghosts[role][account].put += amount;
    }

    function unbond(uint256 seed) external {
        (IStakes.Role role, address account) = _who(seed);
        uint256 free = stakes.freeOf(role, account);
        vm.prank(account);
        try stakes.unbond(role, uint96(free + 1)) {
            undercut = "unbonded what is at risk";
        } catch {}
        if (free == 0) return;
        vm.prank(account);
        stakes.unbond(role, uint96((seed >> 16) % 3 == 0 ? free : bound(seed >> 24, 1, free)));
        unbondings++;
        if (stakes.stakedOf(role, account) < stakes.atRiskOf(role, account)) undercut = "left less than is at risk";
    }

    function release(uint256 seed) external {
        (IStakes.Role role, address account) = _who(seed);
        Stakes.Stake memory s = stakes.get(role, account);
        if (s.unbonding == 0) return;
        vm.prank(account);
        try stakes.release(role) {
            if (now_ < s.releaseAt) undercut = "left before its time";
            ghosts[role][account].released += s.unbonding;
            releases++;
        } catch {
            if (now_ >= s.releaseAt) undercut = "kept beyond its time";
        }
    }

    function engage(uint256 seed) external {
        (IStakes.Role role, address account) = _who(seed);
        uint256 free = stakes.freeOf(role, account);
        bool byJobs = (seed >> 16) % 2 == 0;
        vm.prank(byJobs ? jobs : attestations);
        try stakes.engage(role, account, free + 1) {
            oversized = "put more at risk than there is";
        } catch {}
        if (free == 0) return;
        uint256 amount = bound(seed >> 24, 1, free);
        vm.prank(byJobs ? jobs : attestations);
        stakes.engage(role, account, amount);
        if (byJobs) ghosts[role][account].engagedByJobs += amount;
        else ghosts[role][account].engagedByAttestations += amount;
    }

    function disengage(uint256 seed) external {
        (IStakes.Role role, address account) = _who(seed);
        StakeGhost storage g = ghosts[role][account];
        bool byJobs = (seed >> 16) % 2 == 0;
        uint256 engaged = byJobs ? g.engagedByJobs : g.engagedByAttestations;
        vm.prank(byJobs ? jobs : attestations);
        try stakes.disengage(role, account, engaged + 1) {
            foreign = "a module took back what it had not put at risk";
        } catch {}
        if (engaged == 0) return;
        uint256 amount = (seed >> 24) % 2 == 0 ? engaged : bound(seed >> 32, 1, engaged);
        vm.prank(byJobs ? jobs : attestations);
        stakes.disengage(role, account, amount);
        if (byJobs) g.engagedByJobs -= amount;
        else g.engagedByAttestations -= amount;
    }

    function slash(uint256 seed) external {
        (IStakes.Role role, address account) = _who(seed);
        vm.prank(account);
        try stakes.slash(role, account, 1, 0, finder) {
            foreign = "somebody who is no module slashed";
        } catch {}
        Stakes.Stake memory before = stakes.get(role, account);
        uint256 elsewhere = _everybodyElse(role, account);
        uint16 slashBps = uint16((seed >> 16) % 8 == 0 ? 10_000 : bound(seed >> 24, 0, 2_500));
        bool known = (seed >> 40) % 4 != 0;
        uint256 atLeast = (seed >> 56) % 3 == 0 ? 0 : bound(seed >> 64, 0, 2 * stakes.atRiskOf(role, account));
        vm.prank((seed >> 48) % 2 == 0 ? jobs : attestations);
        uint256 slashed = stakes.slash(role, account, slashBps, atLeast, known ? finder : address(0));
        Stakes.Stake memory later = stakes.get(role, account);
        uint256 bonded = before.staked - later.staked;
        if (slashed > uint256(before.staked) + before.unbonding) oversized = "slashed more than there was";
        if (slashed != bonded + before.unbonding - later.unbonding) oversized = "slashed something else";
        if (slashed < atLeast && stakes.slashableOf(role, account) != 0) undercut = "slashed less than was at risk";
        if (elsewhere != _everybodyElse(role, account)) foreign = "slashed somebody else too";
        uint256 reward = known ? slashed * 1_500 / 10_000 : 0;
        ghosts[role][account].slashed += slashed;
        ghosts[role][account].slashedBonded += bonded;
        rewards += reward;
        burned += slashed - reward;
        if (slashed > 0) slashes++;
        if (slashed > bonded) slashesOfLeavers++;
    }

    function delegate(uint256 seed) external {
        (, address account) = _who(seed);
        uint256 to = (seed >> 16) % 5;
        vm.prank(account);
        stakes.delegate(to == 4 ? address(0) : actors[to]);
    }

    function _everybodyElse(IStakes.Role role, address account) internal view returns (uint256 sum) {
        for (uint256 i; i < 4; i++) {
            if (actors[i] != account) {
                sum += stakes.slashableOf(PROVIDER, actors[i]) + stakes.slashableOf(VALIDATOR, actors[i]);
            } else {
                sum += stakes.slashableOf(role == PROVIDER ? VALIDATOR : PROVIDER, account);
            }
        }
    }

    /// With everything paused: deals end (their contracts see to that), then everybody leaves within 14 days.
    /// @return left What stayed behind.
    function everybodyLeaves() external returns (uint256 left) {
        vm.warp(now_);
        if (now_ >= parameters.pauseAllowedAt()) {
            vm.prank(admin);
            parameters.pauseNewDeals();
        }
        for (uint256 i; i < 4; i++) {
            for (uint256 r; r < 2; r++) {
                IStakes.Role role = IStakes.Role(r);
                StakeGhost memory g = ghosts[role][actors[i]];
                vm.prank(jobs);
                stakes.disengage(role, actors[i], g.engagedByJobs);
                vm.prank(attestations);
                stakes.disengage(role, actors[i], g.engagedByAttestations);
                uint256 free = stakes.freeOf(role, actors[i]);
                vm.startPrank(actors[i]);
                vault.authorize(address(stakes), false);
                if (free > 0) stakes.unbond(role, uint96(free));
                vm.stopPrank();
            }
        }
        vm.warp(now_ + 14 days);
        for (uint256 i; i < 4; i++) {
            vm.startPrank(actors[i]);
            if (stakes.slashableOf(PROVIDER, actors[i]) > 0) stakes.release(PROVIDER);
            if (stakes.slashableOf(VALIDATOR, actors[i]) > 0) stakes.release(VALIDATOR);
            uint256 balance = vault.balanceOf(actors[i], address(watt));
            if (balance > 0) vault.withdraw(address(watt), actors[i], balance);
            vm.stopPrank();
            left += vault.lockedOf(address(stakes), actors[i], address(watt));
        }
    }
}
