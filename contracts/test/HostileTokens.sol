// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Vault} from "../src/Vault.sol";

/// Answers nothing, as the oldest dollar token does.
contract SilentToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// Says false instead of reverting.
contract FalseToken is ERC20("False", "F") {
    bool public refuses = true;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setRefuses(bool refuses_) external {
        refuses = refuses_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return refuses ? false : super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return refuses ? false : super.transferFrom(from, to, amount);
    }
}

/// Keeps one percent of everything that moves.
contract TaxToken is ERC20("Tax", "T") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) {
            super._update(from, address(0xdead), amount / 100);
            amount -= amount / 100;
        }
        super._update(from, to, amount);
    }
}

/// Refuses to move to or from whom it does not like.
contract BlockListToken is ERC20("Block", "B") {
    mapping(address => bool) public blocked;

    error Blocked(address account);

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setBlocked(address account, bool blocked_) external {
        blocked[account] = blocked_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (blocked[from]) revert Blocked(from);
        if (blocked[to]) revert Blocked(to);
        super._update(from, to, amount);
    }
}

/// Calls back into the Vault in the middle of a transfer, as tokens with hooks let a receiver do.
contract HookToken is ERC20("Hook", "H") {
    address public target;
    bytes public attack;
    bool public attackWorked;
    bytes public answer;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function arm(address target_, bytes calldata attack_) external {
        target = target_;
        attack = attack_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (target == address(0)) return;
        address target_ = target;
        target = address(0);
        (attackWorked, answer) = target_.call(attack);
    }
}

/// Takes ether only while it pleases, and tries to get more of it.
contract HostileReceiver {
    Vault internal immutable vault;
    bool public refuses;
    bool public greedy;
    bool public attackWorked;

    constructor(Vault vault_) {
        vault = vault_;
    }

    function set(bool refuses_, bool greedy_) external {
        refuses = refuses_;
        greedy = greedy_;
    }

    function withdraw(address to, uint256 amount) external {
        vault.withdraw(address(0), to, amount);
    }

    receive() external payable {
        if (refuses) revert();
        if (greedy) {
            (bool first,) = address(vault).call(abi.encodeCall(vault.withdraw, (address(0), address(this), 1)));
            (bool second,) = address(vault).call{value: 1}(abi.encodeCall(vault.depositETH, (address(this))));
            attackWorked = first || second;
        }
    }
}
