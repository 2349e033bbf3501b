// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {StakesBase} from "./StakesBase.sol";

/// Watt.tree, leaf by leaf.
contract WattTest is StakesBase {
    uint256 internal constant KEY = 0x3a77;

    function test_constructor_mintsEverythingOnce() public view {
        eq(watt.totalSupply(), 1_000_000_000e18, "supply");
        eq(watt.balanceOf(admin), watt.SUPPLY(), "holder");
        eq(watt.decimals(), 18, "decimals");
        eq(keccak256(bytes(watt.symbol())), keccak256("WATT"), "symbol");
    }

    function test_burn_lowersTheSupply() public {
        vm.prank(admin);
        watt.burn(1e18);
        eq(watt.totalSupply(), watt.SUPPLY() - 1e18, "supply");
    }

    function test_permit_depositsInOneStep() public {
        address owner = vm.addr(KEY);
        vm.prank(admin);
        watt.transfer(owner, 5);
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, owner, address(vault), 5, 0, START));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(KEY, keccak256(abi.encodePacked("\x19\x01", watt.DOMAIN_SEPARATOR(), structHash)));
        vm.prank(owner);
        vault.depositWithPermit(address(watt), owner, 5, START, v, r, s);
        eq(vault.balanceOf(owner, address(watt)), 5, "deposited");
    }
}
