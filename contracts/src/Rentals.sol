// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Offers} from "./Offers.sol";
import {Parameters} from "./Parameters.sol";
import {RentalMath} from "./RentalMath.sol";
import {Vault} from "./Vault.sol";

/// A lease's whole agreement. It is not stored: the lease's id is its hash, the opening event carries it, callers pass it.
struct Terms {
    bytes32 offerId;
    /// Version of the offer the renter saw.
    uint64 offerVersion;
    address renter;
    address provider;
    /// Session key of the renter's host: signs vouchers and finals. An EOA.
    address signer;
    /// Key of the provider's host: signs finals, may settle, release and raise. An EOA.
    address providerSigner;
    /// May sign vouchers, or draw without one, while the renter is offline: a key, or the Attestations contract for a
    /// committee of validators; the zero address for nobody.
    address witness;
    /// What it is paid in; the zero address is ETH.
    address token;
    /// Smallest units of `token` for `unit` seconds.
    uint128 price;
    /// Seconds one price covers: 60, 3600 or 86400.
    uint32 unit;
    /// Seconds the first voucher covers, 60 to 600.
    uint32 minSeconds;
    /// Unix seconds that no lease of the offer runs past.
    uint40 endsBy;
    /// Network fee on the provider's gross, in hundredths of a percent.
    uint16 feeBps;
    /// keccak256 of the canonical JSON of what the renter runs.
    bytes32 specHash;
    bytes32 salt;
}

/// @title Rentals
/// @notice Leases: money in escrow, paid out for seconds that somebody other than the provider has signed for. The
/// contract never bills wall-clock time.
/// @dev Bill f(s) = floor(price * s / unit) on signed seconds s <= min(cap, elapsed). Deposit = ceil(price * cap / unit).
/// Every way out exists without the other side, and none can be paused. Seconds beyond what may be billed are cut to it
/// instead of reverting, so a voucher signed ahead is worth exactly what has been served.
contract Rentals is EIP712, Multicall {
    enum State {
        NONE,
        OPEN,
        CLOSING,
        CLOSED
    }

    /// Which way out a lease took.
    enum Exit {
        CLOSE,
        SETTLE,
        RELEASE,
        FINALIZE,
        EXPIRE
    }

    /// @dev One slot: 40 + 40 + 32 + 32 + 32 + 8 + 8 = 192 bits.
    struct Lease {
        /// Unix seconds.
        uint40 openedAt;
        /// Unix seconds from which a CLOSING lease can be finalized; 0 before.
        uint40 closeAt;
        /// Seconds the deposit covers.
        uint32 cap;
        /// Seconds paid for so far; only grows.
        uint32 paidSeconds;
        /// Seconds that will be paid when a CLOSING lease is finalized.
        uint32 claimSeconds;
        State state;
        /// The renter's own signer had signed more than the renter claimed.
        bool underclaimed;
    }

    /// @notice How long a provider can answer a termination with a voucher, in seconds.
    uint40 public constant CLOSING_SECONDS = 24 hours;

    /// @notice How long after its cap an open lease can still be settled, before anybody may expire it, in seconds.
    uint40 public constant EXPIRY_SECONDS = 24 hours;

    /// @notice Seconds that an underclaiming renter pays on top, within the cap.
    uint32 public constant PENALTY_SECONDS = 600;

    /// @dev keccak256("Voucher(bytes32 leaseId,uint32 secs)")
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 leaseId,uint32 secs)");

    /// @dev keccak256("Final(bytes32 leaseId,uint32 secs,uint40 deadline)")
    bytes32 public constant FINAL_TYPEHASH = keccak256("Final(bytes32 leaseId,uint32 secs,uint40 deadline)");

    Parameters public immutable parameters;
    Vault public immutable vault;
    Offers public immutable offers;

    mapping(bytes32 leaseId => Lease) private _leases;

    /// @param deposit Smallest units of `terms.token` now in escrow.
    event Opened(
        bytes32 indexed leaseId,
        address indexed renter,
        address indexed provider,
        Terms terms,
        uint32 cap,
        uint256 deposit
    );
    /// @param cap Seconds the whole deposit now covers.
    /// @param added Smallest units put into escrow on top.
    event Extended(bytes32 indexed leaseId, uint32 cap, uint256 added);
    /// @param paidSeconds Seconds paid for so far.
    /// @param paid Gross of this payment, `fee` included.
    /// @param fee Network fee of this payment.
    event Drawn(bytes32 indexed leaseId, uint32 paidSeconds, uint256 paid, uint256 fee);
    event Closing(bytes32 indexed leaseId, uint32 claimSeconds, uint40 closeAt);
    event Raised(bytes32 indexed leaseId, uint32 claimSeconds, bool underclaimed);
    /// @param paidSeconds Seconds paid for in total.
    /// @param paid Gross over the whole lease, `fee` included; `paid + penalty + refund` is the deposit.
    /// @param fee Network fee over the whole lease.
    event Closed(
        bytes32 indexed leaseId, Exit exit, uint32 paidSeconds, uint256 paid, uint256 fee, uint256 penalty, uint256 refund
    );

    error NotRenter(address caller, address renter);
    error NotProvider(address caller, address provider);
    error DealsPaused(uint40 until);
    error FeeChanged(uint16 given, uint16 current);
    error LeaseExists(bytes32 leaseId);
    error WrongState(bytes32 leaseId, State state);
    error BadSigner(address signer);
    error CapTooShort(uint32 cap, uint32 minSeconds);
    error PastOfferEnd(uint256 endsAt, uint40 endsBy);
    error NothingToDraw(bytes32 leaseId, uint32 billableSeconds, uint32 paidSeconds);
    error BadSignature(address recovered, address expected);
    error FinalExpired(uint40 deadline);
    error StillClosing(bytes32 leaseId, uint40 closeAt);
    error ClosingOver(bytes32 leaseId, uint40 closeAt);
    error NotExpired(bytes32 leaseId, uint256 expiresAt);
    error ValueForToken(address token);

    constructor(Parameters parameters_, Vault vault_, Offers offers_) EIP712("Commonwatt", "1") {
        parameters = parameters_;
        vault = vault_;
        offers = offers_;
    }

    // ------------------------------------------------------------------------------------------------ renter

    /// @notice Opens a lease: takes a unit of the offer and puts the deposit for `cap` seconds into escrow. The deposit
    /// comes from the renter's Vault balance (this contract being authorised there), or, for ETH, from the value sent
    /// along; what is sent beyond the deposit is credited to the renter's balance.
    /// @param terms What is agreed; must match the offer and the fee as they are now.
    /// @param cap Seconds to pay for at most, `minSeconds` or more.
    function open(Terms calldata terms, uint32 cap) external payable returns (bytes32 leaseId) {
        if (msg.sender != terms.renter) revert NotRenter(msg.sender, terms.renter);
        (uint16 feeBps, uint40 pausedUntil) = parameters.forNewDeal();
        if (block.timestamp < pausedUntil) revert DealsPaused(pausedUntil);
        if (terms.feeBps != feeBps) revert FeeChanged(terms.feeBps, feeBps);
        if (terms.signer == address(0)) revert BadSigner(terms.signer);
        if (cap < terms.minSeconds) revert CapTooShort(cap, terms.minSeconds);
        _checkEnd(block.timestamp, cap, terms.endsBy);

        leaseId = leaseIdOf(terms);
        if (_leases[leaseId].state != State.NONE) revert LeaseExists(leaseId);
        _leases[leaseId] = Lease({
            openedAt: uint40(block.timestamp),
            closeAt: 0,
            cap: cap,
            paidSeconds: 0,
            claimSeconds: 0,
            state: State.OPEN,
            underclaimed: false
        });
        uint256 deposit = RentalMath.depositFor(terms.price, terms.unit, cap);
        emit Opened(leaseId, terms.renter, terms.provider, terms, cap, deposit);

        offers.take(terms.offerId, terms.offerVersion, terms.provider, _offerTermsHash(terms));
        _escrow(terms, deposit);
    }

    /// @notice Adds seconds to an open lease, never past the end that the offer had when the lease opened.
    /// @param addedSeconds Seconds to add to the cap.
    function extend(Terms calldata terms, uint32 addedSeconds) external payable {
        if (msg.sender != terms.renter) revert NotRenter(msg.sender, terms.renter);
        (bytes32 leaseId, Lease memory lease) = _require(terms, State.OPEN);
        uint32 cap = lease.cap + addedSeconds;
        _checkEnd(lease.openedAt, cap, terms.endsBy);

        uint256 added =
            RentalMath.depositFor(terms.price, terms.unit, cap) - RentalMath.depositFor(terms.price, terms.unit, lease.cap);
        lease.cap = cap;
        _leases[leaseId] = lease;
        emit Extended(leaseId, cap, added);
        _escrow(terms, added);
    }

    /// @notice Ends an open lease without the provider. Elapsed time is frozen now; the provider has 24 hours to answer
    /// with a voucher, after which anybody finalizes.
    /// @param claimSeconds Seconds the renter admits. Cut to what may be billed, raised to what is already paid.
    /// Claiming less than the own signer has signed costs a penalty if the provider shows it.
    function terminate(Terms calldata terms, uint32 claimSeconds) external {
        if (msg.sender != terms.renter) revert NotRenter(msg.sender, terms.renter);
        (bytes32 leaseId, Lease memory lease) = _require(terms, State.OPEN);
        lease.state = State.CLOSING;
        lease.closeAt = uint40(block.timestamp) + CLOSING_SECONDS;
        lease.claimSeconds = _payable(lease, claimSeconds);
        _leases[leaseId] = lease;
        emit Closing(leaseId, lease.claimSeconds, lease.closeAt);
    }

    // ------------------------------------------------------------------------------------------------ provider

    /// @notice Ends an open lease at a voucher.
    /// @param secs Seconds the voucher is signed for.
    /// @param signature By the renter's signer or the witness.
    function settle(Terms calldata terms, uint32 secs, bytes calldata signature) external {
        _checkProvider(terms);
        (bytes32 leaseId, Lease memory lease) = _require(terms, State.OPEN);
        _checkVoucher(terms, leaseId, secs, signature);
        _close(terms, leaseId, lease, Exit.SETTLE, _payable(lease, secs), 0);
    }

    /// @notice Ends an open lease at what is already paid: the provider's way out, and its way to decline.
    function release(Terms calldata terms) external {
        _checkProvider(terms);
        (bytes32 leaseId, Lease memory lease) = _require(terms, State.OPEN);
        _close(terms, leaseId, lease, Exit.RELEASE, lease.paidSeconds, 0);
    }

    /// @notice Answers a termination with a voucher, within its 24 hours. The claim becomes the larger of both; if it is
    /// the renter's own signer that had signed more than the renter claimed, the renter pays up to 600 seconds on top.
    function raise(Terms calldata terms, uint32 secs, bytes calldata signature) external {
        _checkProvider(terms);
        (bytes32 leaseId, Lease memory lease) = _require(terms, State.CLOSING);
        if (block.timestamp >= lease.closeAt) revert ClosingOver(leaseId, lease.closeAt);
        address by = _checkVoucher(terms, leaseId, secs, signature);
        uint32 claim = _payable(lease, secs);
        if (claim > lease.claimSeconds) {
            lease.claimSeconds = claim;
            if (by == terms.signer) lease.underclaimed = true;
            _leases[leaseId] = lease;
        }
        emit Raised(leaseId, lease.claimSeconds, lease.underclaimed);
    }

    // ------------------------------------------------------------------------------------------------ anybody

    /// @notice Pays what a voucher covers beyond what is paid, and keeps the lease open.
    /// @param signature By the renter's signer or the witness; not looked at when the witness itself calls.
    function draw(Terms calldata terms, uint32 secs, bytes calldata signature) external {
        (bytes32 leaseId, Lease memory lease) = _require(terms, State.OPEN);
        if (msg.sender != terms.witness) _checkVoucher(terms, leaseId, secs, signature);
        uint32 billable = _payable(lease, secs);
        if (billable == lease.paidSeconds) revert NothingToDraw(leaseId, billable, lease.paidSeconds);

        uint256 before = RentalMath.billFor(terms.price, terms.unit, lease.paidSeconds);
        uint256 total = RentalMath.billFor(terms.price, terms.unit, billable);
        uint256 paid = total - before;
        uint256 fee = RentalMath.feeFor(total, terms.feeBps) - RentalMath.feeFor(before, terms.feeBps);
        lease.paidSeconds = billable;
        _leases[leaseId] = lease;
        emit Drawn(leaseId, billable, paid, fee);
        vault.pay(terms.token, terms.renter, terms.provider, paid - fee, fee, 0);
    }

    /// @notice The normal end: both hosts have signed the exact seconds.
    /// @param secs Seconds both signed. Cut to what may be billed, raised to what is already paid.
    /// @param deadline Unix seconds until which the signatures count.
    /// @param renterSignature By `terms.signer`.
    /// @param providerSignature By `terms.providerSigner`.
    function close(
        Terms calldata terms,
        uint32 secs,
        uint40 deadline,
        bytes calldata renterSignature,
        bytes calldata providerSignature
    ) external {
        bytes32 leaseId = leaseIdOf(terms);
        Lease memory lease = _leases[leaseId];
        if (lease.state != State.OPEN && lease.state != State.CLOSING) revert WrongState(leaseId, lease.state);
        if (block.timestamp > deadline) revert FinalExpired(deadline);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(FINAL_TYPEHASH, leaseId, secs, deadline)));
        _checkSigner(digest, renterSignature, terms.signer);
        _checkSigner(digest, providerSignature, terms.providerSigner);
        _close(terms, leaseId, lease, Exit.CLOSE, _payable(lease, secs), 0);
    }

    /// @notice Ends a terminated lease at the claim once its 24 hours are over.
    function finalize(Terms calldata terms) external {
        (bytes32 leaseId, Lease memory lease) = _require(terms, State.CLOSING);
        if (block.timestamp < lease.closeAt) revert StillClosing(leaseId, lease.closeAt);
        uint256 penalty = lease.underclaimed
            ? RentalMath.penaltyFor(terms.price, terms.unit, lease.cap, lease.claimSeconds, PENALTY_SECONDS)
            : 0;
        _close(terms, leaseId, lease, Exit.FINALIZE, lease.claimSeconds, penalty);
    }

    /// @notice Ends a lease that everybody forgot, at what is already paid, 24 hours after its cap has run out.
    function expire(Terms calldata terms) external {
        (bytes32 leaseId, Lease memory lease) = _require(terms, State.OPEN);
        uint256 expiresAt = uint256(lease.openedAt) + lease.cap + EXPIRY_SECONDS;
        if (block.timestamp < expiresAt) revert NotExpired(leaseId, expiresAt);
        _close(terms, leaseId, lease, Exit.EXPIRE, lease.paidSeconds, 0);
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @notice A lease as the chain keeps it; state NONE when there is none of this id.
    function get(bytes32 leaseId) external view returns (Lease memory) {
        return _leases[leaseId];
    }

    /// @notice The id of a lease: the hash of its terms.
    /// @dev Terms have no dynamic part, so their calldata is their encoding. A field with dirty upper bits would give an
    /// id that cannot be opened: `open` reads or emits, and so checks, every field.
    function leaseIdOf(Terms calldata terms) public pure returns (bytes32 leaseId) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, terms, 480)
            leaseId := keccak256(free, 480)
        }
    }

    /// @notice Seconds that a voucher of `secs` would have paid for in total if it were used now.
    function payableSeconds(bytes32 leaseId, uint32 secs) external view returns (uint32) {
        Lease memory lease = _leases[leaseId];
        return lease.state == State.OPEN || lease.state == State.CLOSING ? _payable(lease, secs) : lease.paidSeconds;
    }

    /// @notice The EIP-712 domain separator that vouchers and finals are signed under.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ------------------------------------------------------------------------------------------------ internal

    function _require(Terms calldata terms, State state) private view returns (bytes32 leaseId, Lease memory lease) {
        leaseId = leaseIdOf(terms);
        lease = _leases[leaseId];
        if (lease.state != state) revert WrongState(leaseId, lease.state);
    }

    function _checkProvider(Terms calldata terms) private view {
        if (msg.sender != terms.provider && msg.sender != terms.providerSigner) {
            revert NotProvider(msg.sender, terms.provider);
        }
    }

    function _checkEnd(uint256 openedAt, uint32 cap, uint40 endsBy) private pure {
        if (openedAt + cap > endsBy) revert PastOfferEnd(openedAt + cap, endsBy);
    }

    function _checkVoucher(Terms calldata terms, bytes32 leaseId, uint32 secs, bytes calldata signature)
        private
        view
        returns (address by)
    {
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(VOUCHER_TYPEHASH, leaseId, secs)));
        by = _recover(digest, signature);
        if (by == address(0) || (by != terms.signer && by != terms.witness)) revert BadSignature(by, terms.signer);
    }

    function _checkSigner(bytes32 digest, bytes calldata signature, address expected) private pure {
        address by = _recover(digest, signature);
        if (by == address(0) || by != expected) revert BadSignature(by, expected);
    }

    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address by) {
        (by,,) = ECDSA.tryRecoverCalldata(digest, signature);
    }

    /// Signed seconds, cut to the cap and to what has elapsed (until the termination, once there is one), but never
    /// below what is already paid.
    function _payable(Lease memory lease, uint32 secs) private view returns (uint32) {
        // A CLOSING lease's clock stopped at its termination.
        uint256 end = lease.state == State.OPEN ? block.timestamp : lease.closeAt - CLOSING_SECONDS;
        unchecked {
            uint256 elapsed = end - lease.openedAt;
            uint256 limit = elapsed < lease.cap ? elapsed : lease.cap;
            uint256 cut = secs < limit ? secs : limit;
            return uint32(cut > lease.paidSeconds ? cut : lease.paidSeconds);
        }
    }

    function _offerTermsHash(Terms calldata t) private pure returns (bytes20) {
        return bytes20(keccak256(abi.encode(t.providerSigner, t.token, t.price, t.unit, t.minSeconds, t.endsBy)));
    }

    function _escrow(Terms calldata terms, uint256 amount) private {
        if (msg.value == 0) {
            vault.lock(terms.token, terms.renter, amount);
        } else {
            if (terms.token != address(0)) revert ValueForToken(terms.token);
            vault.lockETH{value: msg.value}(terms.renter, amount);
        }
    }

    function _close(
        Terms calldata terms,
        bytes32 leaseId,
        Lease memory lease,
        Exit exit,
        uint32 secs,
        uint256 penalty
    ) private {
        uint256 before = RentalMath.billFor(terms.price, terms.unit, lease.paidSeconds);
        uint256 paid = RentalMath.billFor(terms.price, terms.unit, secs);
        uint256 fee = RentalMath.feeFor(paid, terms.feeBps);
        // Every difference below is of something that only grows; one that wrapped would be more than the Vault has locked.
        unchecked {
            uint256 refund = RentalMath.depositFor(terms.price, terms.unit, lease.cap) - paid - penalty;
            lease.paidSeconds = secs;
            lease.state = State.CLOSED;
            _leases[leaseId] = lease;
            emit Closed(leaseId, exit, secs, paid, fee, penalty, refund);

            offers.free(terms.offerId);
            uint256 feeNow = fee - RentalMath.feeFor(before, terms.feeBps);
            vault.pay(terms.token, terms.renter, terms.provider, paid - before - feeNow, feeNow, refund);
        }
        if (penalty != 0) vault.seize(terms.token, terms.renter, terms.provider, penalty);
    }
}
