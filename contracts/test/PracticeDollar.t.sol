// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Base} from "./Base.sol";

/// PracticeDollar.tree, leaf by leaf.
contract PracticeDollarTest is Base {
    function test_mint_makesPracticeMoneyForAnybody(uint128 amount) public {
        vm.prank(admin);
        dollar.mint(stranger, amount);
        eq(dollar.balanceOf(stranger), amount, "balance");
    }

    function test_mint_revertsForOthers() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger));
        vm.prank(stranger);
        dollar.mint(stranger, 1);
    }

    function test_hasSixDecimals() public view {
        eq(dollar.decimals(), 6, "decimals");
    }
}
