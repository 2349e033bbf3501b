// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Deployer} from "../src/Deployer.sol";
import {Watt} from "../src/Watt.sol";
import {Base} from "./Base.sol";

/// Something that does not want to exist.
contract Reluctant {
    constructor() {
        revert();
    }
}

/// Deployer.tree, leaf by leaf.
contract DeployerTest is Base {
    Deployer internal deployer;

    function setUp() public override {
        deployer = new Deployer(admin);
    }

    function _code() internal view returns (bytes memory) {
        return abi.encodePacked(type(Watt).creationCode, abi.encode(treasury));
    }

    function test_create_atAddressesThatAreKnownBefore() public {
        for (uint256 i; i < 3; i++) {
            address expected = vm.computeCreateAddress(address(deployer), i + 1);
            vm.expectEmit(true, true, true, true, address(deployer));
            emit Deployer.Created(i, expected);
            vm.prank(admin);
            address place = deployer.create(i, _code());
            eq(place, expected, "place");
            eq(Watt(place).balanceOf(treasury), Watt(place).SUPPLY(), "constructed");
        }
        eq(deployer.created(), 3, "created");
    }

    function test_create_revertsForOthers() public {
        bytes memory code = _code();
        vm.expectRevert(abi.encodeWithSelector(Deployer.NotOwner.selector, stranger, admin));
        vm.prank(stranger);
        deployer.create(0, code);
    }

    function test_create_revertsTheSecondTime() public {
        bytes memory code = _code();
        vm.startPrank(admin);
        deployer.create(0, code);
        vm.expectRevert(abi.encodeWithSelector(Deployer.WrongNumber.selector, 0, 1));
        deployer.create(0, code);
        vm.stopPrank();
    }

    function test_create_aFailureTakesNoNumber() public {
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(Deployer.CreationFailed.selector, 0));
        deployer.create(0, type(Reluctant).creationCode);
        eq(deployer.created(), 0, "none");
        eq(deployer.create(0, _code()), vm.computeCreateAddress(address(deployer), 1), "as if nothing had been");
        vm.stopPrank();
    }
}
