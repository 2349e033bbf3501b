// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Watt
/// @notice The network's token: staked by providers and validators, and a payment token like others. All of it is minted
/// once, nobody can make more, and slashed stake is burned. 18 decimals.
/// @dev Votes are not here but in `Stakes`: who has something at risk decides.
contract Watt is ERC20, ERC20Burnable, ERC20Permit {
    /// @notice Everything that will ever exist, in smallest units (one billion WATT).
    uint256 public constant SUPPLY = 1_000_000_000e18;

    /// @param holder Who gets all of it.
    constructor(address holder) ERC20("Watt", "WATT") ERC20Permit("Watt") {
        _mint(holder, SUPPLY);
    }
}
