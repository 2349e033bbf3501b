// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stakes} from "../src/Stakes.sol";
import {Watt} from "../src/Watt.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {Base} from "./Base.sol";

/// What tests of stakes stand on: WATT and stakes beside the rest, with two plain accounts as the modules.
abstract contract StakesBase is Base {
    IStakes.Role internal constant PROVIDER = IStakes.Role.PROVIDER;
    IStakes.Role internal constant VALIDATOR = IStakes.Role.VALIDATOR;

    address internal jobs = address(0x10b5);
    address internal attestations = address(0xa77e);
    address internal finder = address(0xf14d);

    Watt internal watt;
    Stakes internal stakes;

    function setUp() public virtual override {
        super.setUp();
        deployStakes();
    }

    function deployStakes() internal {
        watt = new Watt(admin);
        stakes = new Stakes(parameters, vault, watt, jobs, attestations);
        vm.prank(admin);
        parameters.allowToken(address(watt));
    }

    /// WATT in the Vault, and leave for Stakes to lock it.
    function fundWatt(address account, uint256 amount) internal {
        vm.prank(admin);
        watt.transfer(account, amount);
        vm.startPrank(account);
        watt.approve(address(vault), amount);
        vault.deposit(address(watt), account, amount);
        vault.authorize(address(stakes), true);
        vm.stopPrank();
    }

    function bond(IStakes.Role role, address account, uint96 amount) internal {
        fundWatt(account, amount);
        vm.prank(account);
        stakes.stake(role, amount);
    }
}
