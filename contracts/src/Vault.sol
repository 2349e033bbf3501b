// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Parameters} from "./Parameters.sol";

/// @title Vault
/// @notice The only holder of ETH and tokens. Everybody has a balance per token here; deals move balances, never tokens,
/// and withdrawing is a separate step that nobody can stop.
/// @dev There is no admin. A module (Rentals, Jobs, Stakes) is any contract that an account has authorised; it reaches
/// only what it has itself locked of that account. Amounts are in the token's smallest unit; ETH is token address 0.
/// Modules write the events of what they lock and pay: one event per transition, with every amount in it.
contract Vault is Multicall, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Where accepted tokens are listed.
    Parameters public immutable parameters;

    /// @notice Account that modules' fees are credited to; the same for ever.
    address public immutable treasury;

    /// @notice What an account can withdraw or lock now.
    mapping(address account => mapping(address token => uint256 amount)) public balanceOf;

    /// @notice What a module has locked of an account. Only that module can unlock, pay or seize it.
    mapping(address module => mapping(address account => mapping(address token => uint256 amount))) public lockedOf;

    /// @notice What the Vault owes in total: the sum of all balances and locks of a token.
    mapping(address token => uint256 amount) public reserveOf;

    /// @notice Whether a module may lock an account's balance.
    mapping(address account => mapping(address module => bool authorized)) public isAuthorized;

    event Deposited(address indexed account, address indexed token, uint256 amount, address indexed from);
    event Withdrawn(address indexed account, address indexed token, uint256 amount, address indexed to);
    event Authorized(address indexed account, address indexed module, bool authorized);

    error TokenNotAllowed(address token);
    error NotAuthorized(address account, address module);
    error InsufficientBalance(address account, address token, uint256 available, uint256 needed);
    error InsufficientLock(address module, address account, address token, uint256 locked, uint256 needed);
    error InexactTransfer(address token, uint256 expected, uint256 received);
    error BadReceiver(address to);
    error EthTransferFailed(address to, uint256 amount);
    error ZeroAmount();

    constructor(Parameters parameters_) {
        parameters = parameters_;
        treasury = parameters_.treasury();
    }

    // ------------------------------------------------------------------------------------------------ accounts

    /// @notice Lets a module lock balances of the caller, or stops it from locking more. What is locked stays with the
    /// module until its deal ends.
    function authorize(address module, bool authorized) external {
        isAuthorized[msg.sender][module] = authorized;
        emit Authorized(msg.sender, module, authorized);
    }

    /// @notice Credits the ETH sent along. `balance - reserve` is credited, never `msg.value`, so a batch cannot count
    /// the same value twice.
    /// @param account Who is credited; anybody may pay in for anybody.
    function depositETH(address account) external payable nonReentrant {
        if (account == address(0)) revert BadReceiver(account);
        uint256 received = _receiveETH();
        if (received == 0) revert ZeroAmount();
        _credit(account, address(0), received);
        emit Deposited(account, address(0), received, msg.sender);
    }

    /// @notice Pulls an allow-listed token from the caller and credits it to `account`.
    /// @param amount Smallest units; the Vault must receive exactly this.
    function deposit(address token, address account, uint256 amount) external nonReentrant {
        _pull(token, account, amount);
    }

    /// @notice As `deposit`, with an ERC-2612 permit instead of an approval. A permit that fails (spent by somebody
    /// else first, or not supported) does not matter as long as the allowance is there.
    /// @param deadline Unix seconds until which the permit is valid.
    function depositWithPermit(
        address token,
        address account,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _pull(token, account, amount);
    }

    /// @notice Sends from the caller's balance to any address. Never paused; nobody but the owner of the balance is asked.
    /// @param token ERC-20, or the zero address for ETH.
    /// @param to Receiver outside the Vault.
    /// @param amount Smallest units.
    function withdraw(address token, address to, uint256 amount) external nonReentrant {
        if (to == address(0) || to == address(this)) revert BadReceiver(to);
        if (amount == 0) revert ZeroAmount();
        _debit(msg.sender, token, amount);
        reserveOf[token] -= amount;
        emit Withdrawn(msg.sender, token, amount, to);

        if (token == address(0)) {
            (bool sent,) = to.call{value: amount}("");
            if (!sent) revert EthTransferFailed(to, amount);
        } else {
            IERC20(token).safeTransfer(to, amount);
        }
    }

    // ------------------------------------------------------------------------------------------------ modules

    /// @notice Locks part of an account's balance for the calling module.
    function lock(address token, address account, uint256 amount) external {
        if (!isAuthorized[account][msg.sender]) revert NotAuthorized(account, msg.sender);
        _debit(account, token, amount);
        lockedOf[msg.sender][account][token] += amount;
    }

    /// @notice Locks ETH that the calling module sends along for an account. Needs no authorisation, since nothing is
    /// taken from the account; what is sent beyond `amount` is credited to its balance.
    function lockETH(address account, uint256 amount) external payable nonReentrant {
        uint256 received = _receiveETH();
        if (received < amount) revert InsufficientBalance(account, address(0), received, amount);
        lockedOf[msg.sender][account][address(0)] += amount;
        if (received > amount) _credit(account, address(0), received - amount);
        emit Deposited(account, address(0), received, msg.sender);
    }

    /// @notice Gives locked money back to its owner.
    function unlock(address token, address account, uint256 amount) external {
        _spendLock(token, account, amount);
        _credit(account, token, amount);
    }

    /// @notice Pays from a lock: `amount` to the payee, `fee` to the treasury, `refund` back to the owner.
    /// @param from Account whose money the calling module has locked.
    /// @param to Account that is paid.
    function pay(address token, address from, address to, uint256 amount, uint256 fee, uint256 refund) external {
        _spendLock(token, from, amount + fee + refund);
        if (amount != 0) _credit(to, token, amount);
        if (fee != 0) _credit(treasury, token, fee);
        if (refund != 0) _credit(from, token, refund);
    }

    /// @notice Takes a penalty from a lock and credits it to the one it was agreed for.
    function seize(address token, address from, address to, uint256 amount) external {
        _spendLock(token, from, amount);
        _credit(to, token, amount);
    }

    // ------------------------------------------------------------------------------------------------ internal

    /// Cannot wrap: the sum of all balances is at most the reserve, which is added to with a check.
    function _credit(address account, address token, uint256 amount) private {
        unchecked {
            balanceOf[account][token] += amount;
        }
    }

    function _debit(address account, address token, uint256 amount) private {
        uint256 available = balanceOf[account][token];
        if (available < amount) revert InsufficientBalance(account, token, available, amount);
        unchecked {
            balanceOf[account][token] = available - amount;
        }
    }

    function _spendLock(address token, address account, uint256 amount) private {
        uint256 locked = lockedOf[msg.sender][account][token];
        if (locked < amount) revert InsufficientLock(msg.sender, account, token, locked, amount);
        unchecked {
            lockedOf[msg.sender][account][token] = locked - amount;
        }
    }

    /// Counts ETH that has arrived and belongs to nobody yet.
    function _receiveETH() private returns (uint256 received) {
        received = address(this).balance - reserveOf[address(0)];
        reserveOf[address(0)] += received;
    }

    function _pull(address token, address account, uint256 amount) private {
        if (account == address(0)) revert BadReceiver(account);
        if (amount == 0) revert ZeroAmount();
        if (token == address(0) || !parameters.isTokenAllowed(token)) revert TokenNotAllowed(token);

        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert InexactTransfer(token, amount, received);

        // Booked after the token's own code has run: until then the money is nobody's, and no path of the Vault that
        // measures a balance can be entered meanwhile.
        reserveOf[token] += amount;
        _credit(account, token, amount);
        emit Deposited(account, token, amount, msg.sender);
    }
}
