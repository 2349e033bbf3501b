// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Vault} from "../src/Vault.sol";
import {Base} from "./Base.sol";
import {BlockListToken, FalseToken, HookToken, HostileReceiver, SilentToken, TaxToken} from "./HostileTokens.sol";

/// Vault.tree, leaf by leaf. The test contract itself plays the module.
contract VaultTest is Base {
    address internal alice = address(0xa11ce);
    address internal bob = address(0xb0b);

    function _allow(address token) internal {
        vm.prank(admin);
        parameters.allowToken(token);
    }

    function _dollars(address account, uint256 amount) internal {
        vm.prank(admin);
        dollar.mint(account, amount);
        vm.prank(account);
        dollar.approve(address(vault), type(uint256).max);
    }

    function _locked(address account, address token, uint256 amount) internal {
        fund(account, token, amount);
        vm.prank(account);
        vault.authorize(address(this), true);
        vault.lock(token, account, amount);
    }

    // ------------------------------------------------------------------------------------------------ authorize

    function test_authorize_isPerAccountAndModule() public {
        vm.expectEmit(true, true, true, true, address(vault));
        emit Vault.Authorized(alice, bob, true);
        vm.prank(alice);
        vault.authorize(bob, true);
        yes(vault.isAuthorized(alice, bob), "yes");
        yes(!vault.isAuthorized(bob, alice), "not the other way");
        vm.prank(alice);
        vault.authorize(bob, false);
        yes(!vault.isAuthorized(alice, bob), "no more");
    }

    // ------------------------------------------------------------------------------------------------ depositETH

    function test_depositETH_creditsAnybody() public {
        vm.deal(alice, 5);
        vm.expectEmit(true, true, true, true, address(vault));
        emit Vault.Deposited(bob, ETH, 5, alice);
        vm.prank(alice);
        vault.depositETH{value: 5}(bob);
        eq(vault.balanceOf(bob, ETH), 5, "balance");
        eq(vault.reserveOf(ETH), 5, "reserve");
    }

    function test_depositETH_creditsWhatNobodyOwns() public {
        vm.deal(address(vault), 7);
        vm.deal(alice, 1);
        vm.prank(alice);
        vault.depositETH{value: 1}(alice);
        eq(vault.balanceOf(alice, ETH), 8, "value and what was forced in");
    }

    function test_depositETH_revertsForNothing() public {
        vm.expectRevert(abi.encodeWithSelector(Vault.ZeroAmount.selector));
        vault.depositETH(alice);
    }

    function test_depositETH_revertsForNobody() public {
        vm.deal(alice, 1);
        vm.expectRevert(abi.encodeWithSelector(Vault.BadReceiver.selector, address(0)));
        vm.prank(alice);
        vault.depositETH{value: 1}(address(0));
    }

    function test_depositETH_aBatchTakesNoValue() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = calls[1] = abi.encodeCall(vault.depositETH, (alice));
        vm.deal(alice, 1);
        vm.prank(alice);
        (bool ok,) = address(vault).call{value: 1}(abi.encodeCall(vault.multicall, (calls)));
        yes(!ok, "no value in a batch");
    }

    function test_plainEtherIsRefused() public {
        vm.deal(alice, 1);
        vm.prank(alice);
        (bool ok,) = address(vault).call{value: 1}("");
        yes(!ok, "it would be nobody's");
    }

    // ------------------------------------------------------------------------------------------------ deposit

    function test_deposit_pullsAndCredits(uint128 amount) public {
        vm.assume(amount != 0);
        _dollars(alice, amount);
        vm.expectEmit(true, true, true, true, address(vault));
        emit Vault.Deposited(bob, address(dollar), amount, alice);
        vm.prank(alice);
        vault.deposit(address(dollar), bob, amount);
        eq(vault.balanceOf(bob, address(dollar)), amount, "balance");
        eq(vault.reserveOf(address(dollar)), amount, "reserve");
        eq(dollar.balanceOf(address(vault)), amount, "tokens");
    }

    function test_deposit_revertsForTokenNotAllowed() public {
        SilentToken token = new SilentToken();
        vm.expectRevert(abi.encodeWithSelector(Vault.TokenNotAllowed.selector, address(token)));
        vault.deposit(address(token), alice, 1);
        vm.expectRevert(abi.encodeWithSelector(Vault.TokenNotAllowed.selector, ETH));
        vault.deposit(ETH, alice, 1);
    }

    function test_deposit_revertsForNothing() public {
        vm.expectRevert(abi.encodeWithSelector(Vault.ZeroAmount.selector));
        vault.deposit(address(dollar), alice, 0);
    }

    function test_deposit_revertsForNobody() public {
        vm.expectRevert(abi.encodeWithSelector(Vault.BadReceiver.selector, address(0)));
        vault.deposit(address(dollar), address(0), 1);
    }

    function test_deposit_revertsWithoutAllowance() public {
        vm.prank(admin);
        dollar.mint(alice, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(vault), 0, 1)
        );
        vm.prank(alice);
        vault.deposit(address(dollar), alice, 1);
    }

    function test_deposit_tokenThatAnswersNothing() public {
        SilentToken token = new SilentToken();
        _allow(address(token));
        token.mint(alice, 10);
        vm.startPrank(alice);
        token.approve(address(vault), 10);
        vault.deposit(address(token), alice, 10);
        vault.withdraw(address(token), bob, 10);
        vm.stopPrank();
        eq(token.balanceOf(bob), 10, "in and out");
    }

    function test_deposit_revertsForTokenThatSaysFalse() public {
        FalseToken token = new FalseToken();
        _allow(address(token));
        token.mint(alice, 10);
        vm.startPrank(alice);
        token.approve(address(vault), 10);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        vault.deposit(address(token), alice, 10);
        vm.stopPrank();
    }

    function test_deposit_revertsForTokenWithTax() public {
        TaxToken token = new TaxToken();
        _allow(address(token));
        token.mint(alice, 1_000);
        vm.startPrank(alice);
        token.approve(address(vault), 1_000);
        vm.expectRevert(abi.encodeWithSelector(Vault.InexactTransfer.selector, address(token), 1_000, 990));
        vault.deposit(address(token), alice, 1_000);
        vm.stopPrank();
    }

    function test_deposit_hookCannotEnterAgain(uint256 way) public {
        HookToken token = new HookToken();
        _allow(address(token));
        token.mint(alice, 10);
        token.mint(address(token), 10);
        way = way % 4;
        bytes memory attack = way == 0
            ? abi.encodeCall(vault.deposit, (address(token), bob, 1))
            : way == 1
                ? abi.encodeCall(vault.withdraw, (address(token), bob, 1))
                : way == 2
                    ? abi.encodeCall(vault.depositETH, (bob))
                    : abi.encodeCall(vault.lockETH, (bob, 0));
        token.arm(address(vault), attack);
        vm.startPrank(alice);
        token.approve(address(vault), 10);
        vault.deposit(address(token), alice, 10);
        vm.stopPrank();
        yes(!token.attackWorked(), "refused");
        eq(vault.balanceOf(alice, address(token)), 10, "credited once");
        eq(vault.reserveOf(address(token)), 10, "reserve");
    }

    function test_deposit_hookCannotSpendWhatIsNotBookedYet() public {
        HookToken token = new HookToken();
        _allow(address(token));
        token.mint(alice, 10);
        vm.prank(alice);
        vault.authorize(address(token), true);
        token.arm(address(vault), abi.encodeCall(vault.lock, (address(token), alice, 10)));
        vm.startPrank(alice);
        token.approve(address(vault), 10);
        vault.deposit(address(token), alice, 10);
        vm.stopPrank();
        yes(!token.attackWorked(), "not there yet");
    }

    // ------------------------------------------------------------------------------------------------ depositWithPermit

    function _permit(uint256 key, uint256 amount, uint256 deadline) internal view returns (uint8, bytes32, bytes32) {
        address owner = vm.addr(key);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                address(vault),
                amount,
                dollar.nonces(owner),
                deadline
            )
        );
        return vm.sign(key, keccak256(abi.encodePacked("\x19\x01", dollar.DOMAIN_SEPARATOR(), structHash)));
    }

    function test_depositWithPermit_inOneStep() public {
        address owner = vm.addr(77);
        vm.prank(admin);
        dollar.mint(owner, 50);
        (uint8 v, bytes32 r, bytes32 s) = _permit(77, 50, START + 60);
        vm.prank(owner);
        vault.depositWithPermit(address(dollar), owner, 50, START + 60, v, r, s);
        eq(vault.balanceOf(owner, address(dollar)), 50, "balance");
    }

    function test_depositWithPermit_survivesASpentPermit() public {
        address owner = vm.addr(77);
        vm.prank(admin);
        dollar.mint(owner, 50);
        (uint8 v, bytes32 r, bytes32 s) = _permit(77, 50, START + 60);
        vm.prank(stranger);
        dollar.permit(owner, address(vault), 50, START + 60, v, r, s);
        vm.prank(owner);
        vault.depositWithPermit(address(dollar), owner, 50, START + 60, v, r, s);
        eq(vault.balanceOf(owner, address(dollar)), 50, "balance");
    }

    function test_depositWithPermit_revertsForForeignPermit() public {
        vm.prank(admin);
        dollar.mint(alice, 50);
        (uint8 v, bytes32 r, bytes32 s) = _permit(77, 50, START + 60);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(vault), 0, 50)
        );
        vm.prank(alice);
        vault.depositWithPermit(address(dollar), alice, 50, START + 60, v, r, s);
    }

    // ------------------------------------------------------------------------------------------------ withdraw

    function test_withdraw_toAnyAddress(uint128 amount, uint128 part) public {
        vm.assume(amount != 0);
        part = uint128(bound(part, 1, amount));
        fund(alice, address(dollar), amount);
        vm.expectEmit(true, true, true, true, address(vault));
        emit Vault.Withdrawn(alice, address(dollar), part, bob);
        vm.prank(alice);
        vault.withdraw(address(dollar), bob, part);
        eq(dollar.balanceOf(bob), part, "arrived");
        eq(vault.balanceOf(alice, address(dollar)), amount - part, "balance");
        eq(vault.reserveOf(address(dollar)), amount - part, "reserve");
    }

    function test_withdraw_ether() public {
        fund(alice, ETH, 9);
        vm.prank(alice);
        vault.withdraw(ETH, bob, 9);
        eq(bob.balance, 9, "arrived");
        eq(vault.reserveOf(ETH), 0, "reserve");
    }

    function test_withdraw_inABatch() public {
        fund(alice, address(dollar), 10);
        fund(alice, ETH, 10);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(vault.withdraw, (ETH, bob, 10));
        calls[1] = abi.encodeCall(vault.withdraw, (address(dollar), bob, 10));
        vm.prank(alice);
        vault.multicall(calls);
        eq(bob.balance, 10, "ether");
        eq(dollar.balanceOf(bob), 10, "dollars");
    }

    function test_withdraw_revertsBeyondBalance() public {
        fund(alice, ETH, 9);
        vm.expectRevert(abi.encodeWithSelector(Vault.InsufficientBalance.selector, alice, ETH, 9, 10));
        vm.prank(alice);
        vault.withdraw(ETH, bob, 10);
    }

    function test_withdraw_revertsForBadReceiver() public {
        fund(alice, ETH, 9);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(Vault.BadReceiver.selector, address(0)));
        vault.withdraw(ETH, address(0), 1);
        vm.expectRevert(abi.encodeWithSelector(Vault.BadReceiver.selector, address(vault)));
        vault.withdraw(ETH, address(vault), 1);
        vm.stopPrank();
    }

    function test_withdraw_revertsForNothing() public {
        vm.expectRevert(abi.encodeWithSelector(Vault.ZeroAmount.selector));
        vault.withdraw(ETH, bob, 0);
    }

    function test_withdraw_revertsWhenTheReceiverRefuses() public {
        HostileReceiver receiver = new HostileReceiver(vault);
        receiver.set(true, false);
        fund(address(receiver), ETH, 5);
        vm.expectRevert(abi.encodeWithSelector(Vault.EthTransferFailed.selector, address(receiver), 5));
        receiver.withdraw(address(receiver), 5);
        receiver.withdraw(bob, 5);
        eq(bob.balance, 5, "another address still works");
    }

    function test_withdraw_receiverCannotEnterAgain() public {
        HostileReceiver receiver = new HostileReceiver(vault);
        receiver.set(false, true);
        fund(address(receiver), ETH, 5);
        receiver.withdraw(address(receiver), 2);
        yes(!receiver.attackWorked(), "refused");
        eq(vault.balanceOf(address(receiver), ETH), 3, "left");
    }

    function test_withdraw_blockListedOwnerNamesAnotherAddress() public {
        BlockListToken token = new BlockListToken();
        _allow(address(token));
        token.mint(alice, 10);
        vm.startPrank(alice);
        token.approve(address(vault), 10);
        vault.deposit(address(token), alice, 10);
        vm.stopPrank();
        token.setBlocked(alice, true);
        vm.expectRevert(abi.encodeWithSelector(BlockListToken.Blocked.selector, alice));
        vm.prank(alice);
        vault.withdraw(address(token), alice, 10);
        vm.prank(alice);
        vault.withdraw(address(token), bob, 10);
        eq(token.balanceOf(bob), 10, "arrived");
    }

    function test_withdraw_revertsForTokenThatSaysFalse() public {
        FalseToken token = new FalseToken();
        _allow(address(token));
        token.setRefuses(false);
        token.mint(alice, 10);
        vm.startPrank(alice);
        token.approve(address(vault), 10);
        vault.deposit(address(token), alice, 10);
        token.setRefuses(true);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        vault.withdraw(address(token), alice, 10);
        vm.stopPrank();
        eq(vault.balanceOf(alice, address(token)), 10, "still there");
    }

    // ------------------------------------------------------------------------------------------------ lock, lockETH

    function test_lock_movesBalanceToTheModule() public {
        _locked(alice, address(dollar), 10);
        eq(vault.balanceOf(alice, address(dollar)), 0, "balance");
        eq(vault.lockedOf(address(this), alice, address(dollar)), 10, "locked");
        eq(vault.reserveOf(address(dollar)), 10, "reserve");
    }

    function test_lock_revertsWithoutAuthorisation() public {
        fund(alice, ETH, 9);
        vm.expectRevert(abi.encodeWithSelector(Vault.NotAuthorized.selector, alice, address(this)));
        vault.lock(ETH, alice, 1);
    }

    function test_lock_revertsBeyondBalance() public {
        fund(alice, ETH, 9);
        vm.prank(alice);
        vault.authorize(address(this), true);
        vm.expectRevert(abi.encodeWithSelector(Vault.InsufficientBalance.selector, alice, ETH, 9, 10));
        vault.lock(ETH, alice, 10);
    }

    function test_lockETH_needsNoAuthorisation() public {
        vm.deal(address(this), 10);
        vm.expectEmit(true, true, true, true, address(vault));
        emit Vault.Deposited(alice, ETH, 10, address(this));
        vault.lockETH{value: 10}(alice, 7);
        eq(vault.lockedOf(address(this), alice, ETH), 7, "locked");
        eq(vault.balanceOf(alice, ETH), 3, "the rest");
        eq(vault.reserveOf(ETH), 10, "reserve");
    }

    function test_lockETH_revertsForTooLittle() public {
        vm.deal(address(this), 10);
        vm.expectRevert(abi.encodeWithSelector(Vault.InsufficientBalance.selector, alice, ETH, 10, 11));
        vault.lockETH{value: 10}(alice, 11);
    }

    // ------------------------------------------------------------------------------------------------ unlock, pay, seize

    function test_unlock_givesBack() public {
        _locked(alice, ETH, 10);
        vault.unlock(ETH, alice, 4);
        eq(vault.balanceOf(alice, ETH), 4, "balance");
        eq(vault.lockedOf(address(this), alice, ETH), 6, "locked");
    }

    function test_pay_splits() public {
        _locked(alice, ETH, 10);
        vault.pay(ETH, alice, bob, 5, 1, 3);
        eq(vault.balanceOf(bob, ETH), 5, "payee");
        eq(vault.balanceOf(treasury, ETH), 1, "treasury");
        eq(vault.balanceOf(alice, ETH), 3, "refund");
        eq(vault.lockedOf(address(this), alice, ETH), 1, "left");
        eq(vault.reserveOf(ETH), 10, "reserve does not move");
    }

    function test_seize_takes() public {
        _locked(alice, ETH, 10);
        vault.seize(ETH, alice, bob, 10);
        eq(vault.balanceOf(bob, ETH), 10, "payee");
        eq(vault.lockedOf(address(this), alice, ETH), 0, "locked");
    }

    function test_unlockPaySeize_revertBeyondTheLock() public {
        _locked(alice, ETH, 10);
        bytes memory reason =
            abi.encodeWithSelector(Vault.InsufficientLock.selector, address(this), alice, ETH, 10, 11);
        vm.expectRevert(reason);
        vault.unlock(ETH, alice, 11);
        vm.expectRevert(reason);
        vault.pay(ETH, alice, bob, 9, 1, 1);
        vm.expectRevert(reason);
        vault.seize(ETH, alice, bob, 11);
    }

    function test_unlockPaySeize_anotherModuleHasNothing() public {
        _locked(alice, ETH, 10);
        vm.startPrank(bob);
        bytes memory reason = abi.encodeWithSelector(Vault.InsufficientLock.selector, bob, alice, ETH, 0, 1);
        vm.expectRevert(reason);
        vault.unlock(ETH, alice, 1);
        vm.expectRevert(reason);
        vault.pay(ETH, alice, bob, 1, 0, 0);
        vm.expectRevert(reason);
        vault.seize(ETH, alice, bob, 1);
        vm.stopPrank();
    }

    function test_unlock_worksWithoutAuthorisation() public {
        _locked(alice, ETH, 10);
        vm.prank(alice);
        vault.authorize(address(this), false);
        vault.unlock(ETH, alice, 10);
        eq(vault.balanceOf(alice, ETH), 10, "balance");
    }
}
