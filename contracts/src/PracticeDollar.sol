// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title PracticeDollar
/// @notice Play money of the practice network: a token with 6 decimals, as dollar tokens of real networks have, minted
/// by the network's faucet. Worth nothing.
contract PracticeDollar is ERC20, ERC20Permit, Ownable {
    constructor(address faucet) ERC20("Practice Dollar", "PUSD") ERC20Permit("Practice Dollar") Ownable(faucet) {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @notice Makes new practice money.
    /// @param amount Millionths of a practice dollar.
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}
