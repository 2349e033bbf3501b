// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OfferParams, Offers} from "../src/Offers.sol";
import {RentalMath} from "../src/RentalMath.sol";
import {Rentals, Terms} from "../src/Rentals.sol";
import {Vault} from "../src/Vault.sol";
import {Base} from "./Base.sol";

/// What is known about a lease without asking the contract.
struct Ghost {
    Terms terms;
    bytes32 id;
    uint256 offer;
    uint40 openedAt;
    uint32 cap;
    uint32 paid;
    /// Most seconds that somebody entitled has signed or claimed.
    uint32 admitted;
    Rentals.State state;
    uint256 deposit;
    uint256 providerGot;
    uint256 feeGot;
    uint256 penalty;
    uint256 refund;
}

/// Plays everybody at random and keeps its own books. Nothing here may revert: an action that is not possible now is left
/// out, one that must not be possible is tried and has to fail.
contract Handler is Base {
    uint256 internal constant MAX_LEASES = 12;

    address[] public actors;
    address[3] internal renters = [address(0x4e01), address(0x4e02), address(0x4e03)];
    address[2] internal providers = [address(0x4601), address(0x4602)];
    address[2] internal tokens;
    uint256 internal now_ = START;

    bytes32[] public offerIds;
    OfferParams[] internal offerParams_;
    Ghost[] internal ghosts;

    /// What went wrong, in words; empty while all is well.
    string public forged;
    string public lowered;
    string public reopened;
    string public refusedOpen;

    /// The other module's locks, by renter and token; this contract is that module.
    mapping(address => mapping(address => uint256)) public otherLocks;

    /// How often each way out was taken, and how often the penalty.
    mapping(Rentals.Exit => uint256) public exits;
    uint256 public penalties;
    uint256 public raises;

    /// Rebuilt from logs alone.
    mapping(address => mapping(address => int256)) public mirrorBalance;
    mapping(bytes32 => Rentals.Lease) internal mirrorLease;
    mapping(bytes32 => Terms) internal mirrorTerms;
    mapping(bytes32 => uint64) public mirrorVersion;
    mapping(bytes32 => Offers.Status) public mirrorStatus;
    mapping(bytes32 => int256) public mirrorTaken;

    constructor() {
        vm.warp(START);
        deploy();
        tokens = [ETH, address(dollar)];
        for (uint256 i; i < 3; i++) actors.push(renters[i]);
        for (uint256 i; i < 2; i++) actors.push(providers[i]);
        actors.push(treasury);
        vm.recordLogs();
        for (uint256 i; i < 3; i++) {
            fund(renters[i], ETH, 1e24);
            fund(renters[i], address(dollar), 1e18);
            vm.startPrank(renters[i]);
            vault.authorize(address(rentals), true);
            vault.authorize(address(this), true);
            vm.stopPrank();
        }
        for (uint256 i; i < 4; i++) {
            OfferParams memory p = offerParams(tokens[i % 2], i % 2 == 0 ? 1e18 + 7 : 3_500_001);
            p.unit = [uint32(60), 3_600, 86_400, 3_600][i];
            p.units = uint16(1 + i);
            p.endsBy = i == 3 ? START + 2 days : START + 3_650 days;
            vm.prank(providers[i % 2]);
            offerIds.push(offers.register(p, bytes32(i)));
            offerParams_.push(p);
        }
        _readLogs();
    }

    // ------------------------------------------------------------------------------------------------ the watch

    /// Whoever acts may lower only its own withdrawable balance.
    modifier watched(address actor) {
        vm.warp(now_);
        uint256[] memory before = _balances();
        _;
        uint256[] memory later = _balances();
        for (uint256 i; i < actors.length; i++) {
            for (uint256 t; t < 2; t++) {
                if (later[2 * i + t] < before[2 * i + t] && actors[i] != actor) lowered = "somebody else's balance fell";
            }
        }
        _readLogs();
    }

    function _balances() internal view returns (uint256[] memory all) {
        all = new uint256[](actors.length * 2);
        for (uint256 i; i < actors.length; i++) {
            for (uint256 t; t < 2; t++) all[2 * i + t] = vault.balanceOf(actors[i], tokens[t]);
        }
    }

    function _mustFail(address caller, bytes memory call) internal returns (bool ok) {
        _readLogs();
        vm.prank(caller);
        (ok,) = address(rentals).call(call);
        // The recorder also keeps what a reverted call had emitted.
        if (!ok) vm.getRecordedLogs();
    }

    // ------------------------------------------------------------------------------------------------ time and rules

    function wait(uint256 seed) external {
        now_ += seed % 5 == 0 ? 25 hours : bound(seed, 1, 2 hours);
    }

    function changeRules(uint256 seed) external watched(address(0)) {
        vm.startPrank(admin);
        if (seed % 3 != 0) {
            parameters.setFee(uint16(bound(seed, 0, 1_000)));
        } else if (now_ >= parameters.pauseAllowedAt()) {
            parameters.pauseNewDeals();
            if (seed % 2 == 0) parameters.resumeNewDeals();
        }
        vm.stopPrank();
    }

    function changeOffer(uint256 seed) external watched(address(0)) {
        uint256 i = seed % offerIds.length;
        Offers.Status status = offers.get(offerIds[i]).status;
        if (status == Offers.Status.DELISTED) return;
        vm.startPrank(offers.providerOf(offerIds[i]));
        uint256 way = (seed >> 8) % 16;
        if (way == 0 && i != 0) {
            offers.delist(offerIds[i]);
        } else if (way < 6) {
            if (status == Offers.Status.ACTIVE) offers.pause(offerIds[i]);
            else offers.resume(offerIds[i]);
        } else if (now_ < offerParams_[i].endsBy) {
            offerParams_[i].price = uint128(bound(seed >> 16, 1, 1e20));
            offerParams_[i].units = uint16(bound(seed >> 24, 1, 6));
            offers.update(offerIds[i], offerParams_[i]);
        }
        vm.stopPrank();
    }

    // ------------------------------------------------------------------------------------------------ money

    function depositAndWithdraw(uint256 seed) external watched(actors[seed % 6]) {
        address actor = actors[seed % 6];
        address token = tokens[(seed >> 8) % 2];
        if ((seed >> 16) % 2 == 0) {
            fund(actor, token, bound(seed >> 24, 1, 1e20));
        } else {
            uint256 available = vault.balanceOf(actor, token);
            if (available == 0) return;
            vm.prank(actor);
            vault.withdraw(token, address(0xca54), bound(seed >> 24, 1, available));
        }
    }

    /// A module of its own, authorised by the same renters.
    function otherModule(uint256 seed) external watched(renters[seed % 3]) {
        address owner = renters[seed % 3];
        address token = tokens[(seed >> 8) % 2];
        uint256 locked = otherLocks[owner][token];
        uint256 available = vault.balanceOf(owner, token);
        if ((seed >> 16) % 2 == 0 && available > 0) {
            uint256 amount = bound(seed >> 24, 1, available / 8 + 1);
            vault.lock(token, owner, amount);
            otherLocks[owner][token] += amount;
            mirrorBalance[owner][token] -= int256(amount);
        } else if (locked > 0) {
            vault.unlock(token, owner, locked);
            otherLocks[owner][token] = 0;
            mirrorBalance[owner][token] += int256(locked);
        }
        // What Rentals has locked is out of reach for it, and so is anything beyond its own.
        try vault.seize(token, owner, address(this), otherLocks[owner][token] + 1) {
            forged = "a module seized what it had not locked";
        } catch {}
    }

    // ------------------------------------------------------------------------------------------------ leases

    function open(uint256 seed) external watched(renters[seed % 3]) {
        if (ghosts.length >= MAX_LEASES) return;
        uint256 i = (seed >> 8) % offerIds.length;
        OfferParams memory p = offerParams_[i];
        Terms memory t = termsFor(offerIds[i], p, bytes32(ghosts.length));
        t.renter = renters[seed % 3];
        t.provider = offers.providerOf(offerIds[i]);
        uint32 cap = uint32(bound(seed >> 16, 60, 8 hours));
        uint256 deposit = RentalMath.depositFor(p.price, p.unit, cap);
        Offers.Offer memory offer = offers.get(offerIds[i]);
        bool possible = offer.status == Offers.Status.ACTIVE && offer.taken < offer.units
            && now_ + cap <= p.endsBy && now_ >= parameters.newDealsPausedUntil();
        bool attached = p.token == ETH && (seed >> 80) % 2 == 0;
        if (!possible || (!attached && vault.balanceOf(t.renter, p.token) < deposit)) {
            if (_mustFail(t.renter, abi.encodeCall(rentals.open, (t, cap)))) refusedOpen = "opened what cannot be";
            return;
        }
        uint256 value = attached ? deposit + (seed >> 88) % 1_000 : 0;
        vm.deal(t.renter, value);
        vm.prank(t.renter);
        bytes32 id = rentals.open{value: value}(t, cap);
        ghosts.push();
        Ghost storage g = ghosts[ghosts.length - 1];
        (g.terms, g.id, g.offer) = (t, id, i);
        (g.openedAt, g.cap, g.deposit, g.state) = (uint40(now_), cap, deposit, Rentals.State.OPEN);
    }

    function extend(uint256 seed) external {
        if (ghosts.length == 0) return;
        Ghost storage g = ghosts[seed % ghosts.length];
        _extend(g, uint32(bound(seed >> 8, 0, 4 hours)));
    }

    function _extend(Ghost storage g, uint32 more) internal watched(g.terms.renter) {
        uint256 deposit = RentalMath.depositFor(g.terms.price, g.terms.unit, g.cap + more);
        if (
            g.state != Rentals.State.OPEN || g.openedAt + g.cap + more > g.terms.endsBy
                || vault.balanceOf(g.terms.renter, g.terms.token) < deposit - g.deposit
        ) return;
        vm.prank(g.terms.renter);
        rentals.extend(g.terms, more);
        (g.cap, g.deposit) = (g.cap + more, deposit);
    }

    /// One step of some lease, by the one whose turn it is.
    function step(uint256 seed) external {
        if (ghosts.length == 0) return;
        Ghost storage g = ghosts[seed % ghosts.length];
        if (g.state == Rentals.State.CLOSED) return _poke(g, seed >> 8);
        uint256 way = (seed >> 8) % 8;
        uint32 secs = uint32(bound(seed >> 16, 0, g.cap + 100));
        _act(g, way, secs, (seed >> 64) % 4 == 0 ? WITNESS_KEY : SESSION_KEY);
    }

    function _act(Ghost storage g, uint256 way, uint32 secs, uint256 key)
        internal
        watched(way == 3 ? g.terms.renter : address(0))
    {
        uint256[3] memory before = _purses(g);
        if (way == 5) _close(g, secs);
        else if (g.state == Rentals.State.OPEN) _actOpen(g, way, secs, key);
        else _actClosing(g, way, secs, key);
        g.paid = rentals.get(g.id).paidSeconds;
        uint256[3] memory later = _purses(g);
        g.providerGot += later[0] - before[0];
        g.feeGot += later[1] - before[1];
        g.refund += later[2] - before[2];
    }

    function _close(Ghost storage g, uint32 secs) internal {
        bytes memory byRenter = finalBy(SESSION_KEY, g.id, secs, uint40(now_));
        bytes memory byProvider = finalBy(HOST_KEY, g.id, secs, uint40(now_));
        rentals.close(g.terms, secs, uint40(now_), byRenter, byProvider);
        _admit(g, secs);
        g.state = Rentals.State.CLOSED;
    }

    function _actOpen(Ghost storage g, uint256 way, uint32 secs, uint256 key) internal {
        bytes memory signature = voucher(key, g.id, secs);
        if (way == 0 && rentals.payableSeconds(g.id, secs) > g.paid) {
            rentals.draw(g.terms, secs, signature);
            _admit(g, secs);
        } else if (way == 1) {
            vm.prank(host);
            rentals.settle(g.terms, secs, signature);
            _admit(g, secs);
            g.state = Rentals.State.CLOSED;
        } else if (way == 2) {
            vm.prank(g.terms.provider);
            rentals.release(g.terms);
            g.state = Rentals.State.CLOSED;
        } else if (way == 3) {
            vm.prank(g.terms.renter);
            rentals.terminate(g.terms, secs);
            _admit(g, secs);
            g.state = Rentals.State.CLOSING;
        } else if (now_ >= uint256(g.openedAt) + g.cap + 24 hours) {
            rentals.expire(g.terms);
            g.state = Rentals.State.CLOSED;
        }
    }

    function _actClosing(Ghost storage g, uint256 way, uint32 secs, uint256 key) internal {
        Rentals.Lease memory lease = rentals.get(g.id);
        if (now_ < lease.closeAt) {
            if (way % 2 != 0) return;
            bytes memory signature = voucher(key, g.id, secs);
            vm.prank(host);
            rentals.raise(g.terms, secs, signature);
            _admit(g, secs);
        } else {
            if (lease.underclaimed) {
                g.penalty = RentalMath.penaltyFor(g.terms.price, g.terms.unit, g.cap, lease.claimSeconds, 600);
            }
            rentals.finalize(g.terms);
            g.state = Rentals.State.CLOSED;
        }
    }

    function _admit(Ghost storage g, uint32 secs) internal {
        if (secs > g.admitted) g.admitted = secs;
    }

    function _purses(Ghost storage g) internal view returns (uint256[3] memory) {
        return [
            vault.balanceOf(g.terms.provider, g.terms.token),
            vault.balanceOf(treasury, g.terms.token),
            vault.balanceOf(g.terms.renter, g.terms.token)
        ];
    }

    /// Signatures and callers that have no say.
    function forge(uint256 seed) external watched(address(0)) {
        if (ghosts.length == 0) return;
        Ghost storage g = ghosts[seed % ghosts.length];
        uint32 secs = uint32(bound(seed >> 16, 1, g.cap));
        bytes memory wrong = voucher([HOST_KEY, uint256(0xbad), 0xad31][(seed >> 48) % 3], g.id, secs);
        bytes memory right = voucher(SESSION_KEY, g.id, secs);
        uint40 deadline = uint40(now_);
        bytes memory final_ = finalBy(HOST_KEY, g.id, secs, deadline);
        bool any = _mustFail(host, abi.encodeCall(rentals.draw, (g.terms, secs, wrong)))
            || _mustFail(host, abi.encodeCall(rentals.settle, (g.terms, secs, wrong)))
            || _mustFail(host, abi.encodeCall(rentals.raise, (g.terms, secs, wrong)))
            || _mustFail(g.terms.renter, abi.encodeCall(rentals.settle, (g.terms, secs, right)))
            || _mustFail(g.terms.renter, abi.encodeCall(rentals.raise, (g.terms, secs, right)))
            || _mustFail(host, abi.encodeCall(rentals.terminate, (g.terms, secs)))
            || _mustFail(host, abi.encodeCall(rentals.close, (g.terms, secs, deadline, final_, final_)))
            || _mustFail(host, abi.encodeCall(rentals.close, (g.terms, secs, deadline, right, final_)));
        if (any) forged = "seconds without the right signature";
    }

    /// A closed lease takes nothing any more.
    function _poke(Ghost storage g, uint256 seed) internal watched(address(0)) {
        vm.warp(now_);
        uint32 secs = uint32(bound(seed, 0, g.cap));
        bytes memory signature = voucher(SESSION_KEY, g.id, secs);
        bytes memory byRenter = finalBy(SESSION_KEY, g.id, secs, uint40(now_));
        bytes memory byProvider = finalBy(HOST_KEY, g.id, secs, uint40(now_));
        bool any = _mustFail(g.terms.renter, abi.encodeCall(rentals.open, (g.terms, g.cap)))
            || _mustFail(g.terms.renter, abi.encodeCall(rentals.extend, (g.terms, 60)))
            || _mustFail(g.terms.renter, abi.encodeCall(rentals.terminate, (g.terms, secs)))
            || _mustFail(host, abi.encodeCall(rentals.draw, (g.terms, secs, signature)))
            || _mustFail(host, abi.encodeCall(rentals.settle, (g.terms, secs, signature)))
            || _mustFail(host, abi.encodeCall(rentals.raise, (g.terms, secs, signature)))
            || _mustFail(host, abi.encodeCall(rentals.release, (g.terms)))
            || _mustFail(host, abi.encodeCall(rentals.finalize, (g.terms)))
            || _mustFail(host, abi.encodeCall(rentals.expire, (g.terms)))
            || _mustFail(host, abi.encodeCall(rentals.close, (g.terms, secs, uint40(now_), byRenter, byProvider)));
        if (any) reopened = "a closed lease moved";
    }

    // ------------------------------------------------------------------------------------------------ the mirror

    function _readLogs() internal {
        Vm_Log[] memory logs = _logs();
        for (uint256 i; i < logs.length; i++) {
            if (logs[i].emitter == address(vault)) _readVault(logs[i]);
            else if (logs[i].emitter == address(rentals)) _readRentals(logs[i]);
            else if (logs[i].emitter == address(offers)) _readOffers(logs[i]);
        }
    }

    struct Vm_Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function _logs() internal returns (Vm_Log[] memory logs) {
        bytes memory raw = abi.encode(vm.getRecordedLogs());
        logs = abi.decode(raw, (Vm_Log[]));
    }

    function _readVault(Vm_Log memory log) internal {
        if (log.topics[0] == Vault.Authorized.selector) return;
        address account = address(uint160(uint256(log.topics[1])));
        address token = address(uint160(uint256(log.topics[2])));
        int256 amount = int256(abi.decode(log.data, (uint256)));
        mirrorBalance[account][token] += log.topics[0] == Vault.Deposited.selector ? amount : -amount;
    }

    function _readOffers(Vm_Log memory log) internal {
        bytes32 id = log.topics[1];
        if (log.topics[0] == Offers.StatusChanged.selector) {
            (mirrorVersion[id], mirrorStatus[id]) = abi.decode(log.data, (uint64, Offers.Status));
        } else {
            (mirrorVersion[id],) = abi.decode(log.data, (uint64, OfferParams));
            if (log.topics[0] == Offers.Registered.selector) mirrorStatus[id] = Offers.Status.ACTIVE;
        }
    }

    function _readRentals(Vm_Log memory log) internal {
        bytes32 id = log.topics[1];
        Rentals.Lease storage m = mirrorLease[id];
        Terms storage t = mirrorTerms[id];
        if (log.topics[0] == Rentals.Opened.selector) {
            (Terms memory terms, uint32 cap, uint256 deposit) = abi.decode(log.data, (Terms, uint32, uint256));
            mirrorTerms[id] = terms;
            (m.openedAt, m.cap, m.state) = (uint40(block.timestamp), cap, Rentals.State.OPEN);
            mirrorTaken[terms.offerId] += 1;
            mirrorBalance[terms.renter][terms.token] -= int256(deposit);
        } else if (log.topics[0] == Rentals.Extended.selector) {
            (uint32 cap, uint256 added) = abi.decode(log.data, (uint32, uint256));
            m.cap = cap;
            mirrorBalance[t.renter][t.token] -= int256(added);
        } else if (log.topics[0] == Rentals.Drawn.selector) {
            (uint32 secs, uint256 paid, uint256 fee) = abi.decode(log.data, (uint32, uint256, uint256));
            m.paidSeconds = secs;
            mirrorBalance[t.provider][t.token] += int256(paid - fee);
            mirrorBalance[treasury][t.token] += int256(fee);
        } else if (log.topics[0] == Rentals.Closing.selector) {
            (m.claimSeconds, m.closeAt) = abi.decode(log.data, (uint32, uint40));
            m.state = Rentals.State.CLOSING;
        } else if (log.topics[0] == Rentals.Raised.selector) {
            (m.claimSeconds, m.underclaimed) = abi.decode(log.data, (uint32, bool));
            ++raises;
        } else {
            (Rentals.Exit exit, uint32 secs, uint256 paid, uint256 fee, uint256 penalty, uint256 refund) =
                abi.decode(log.data, (Rentals.Exit, uint32, uint256, uint256, uint256, uint256));
            ++exits[exit];
            if (penalty != 0) ++penalties;
            // The event carries totals; what earlier draws paid is known from their own seconds.
            uint256 paidBefore = RentalMath.billFor(t.price, t.unit, m.paidSeconds);
            uint256 feeBefore = RentalMath.feeFor(paidBefore, t.feeBps);
            mirrorBalance[t.provider][t.token] += int256(paid - fee + penalty) - int256(paidBefore - feeBefore);
            mirrorBalance[treasury][t.token] += int256(fee - feeBefore);
            mirrorBalance[t.renter][t.token] += int256(refund);
            (m.paidSeconds, m.state) = (secs, Rentals.State.CLOSED);
            mirrorTaken[t.offerId] -= 1;
        }
    }

    // ------------------------------------------------------------------------------------------------ for the invariants

    function leaseCount() external view returns (uint256) {
        return ghosts.length;
    }

    function ghost(uint256 i) external view returns (Ghost memory) {
        return ghosts[i];
    }

    function mirror(bytes32 id) external view returns (Rentals.Lease memory) {
        return mirrorLease[id];
    }

    function offerCount() external view returns (uint256) {
        return offerIds.length;
    }

    function actorCount() external view returns (uint256) {
        return actors.length;
    }

    function time() external view returns (uint256) {
        return now_;
    }

    function contracts() external view returns (Vault, Offers, Rentals, address, address[2] memory) {
        return (vault, offers, rentals, treasury, tokens);
    }

    /// Ends everything at once: all paused, all delisted, nobody answers any more.
    function everybodyLeaves() external returns (uint256 left) {
        vm.warp(now_);
        vm.prank(admin);
        try parameters.pauseNewDeals() {} catch {}
        for (uint256 i; i < offerIds.length; i++) {
            vm.prank(offers.providerOf(offerIds[i]));
            try offers.delist(offerIds[i]) {} catch {}
        }
        // The renter ends its side alone, then anybody finishes: 24 hours bound it all.
        for (uint256 i; i < ghosts.length; i++) {
            if (ghosts[i].state != Rentals.State.OPEN) continue;
            vm.prank(ghosts[i].terms.renter);
            rentals.terminate(ghosts[i].terms, 0);
        }
        vm.warp(now_ + 24 hours);
        for (uint256 i; i < ghosts.length; i++) {
            if (ghosts[i].state == Rentals.State.CLOSED) continue;
            rentals.finalize(ghosts[i].terms);
        }
        for (uint256 t; t < 2; t++) {
            for (uint256 i; i < actors.length; i++) {
                uint256 locked = otherLocks[actors[i]][tokens[t]];
                if (locked > 0) vault.unlock(tokens[t], actors[i], locked);
                uint256 amount = vault.balanceOf(actors[i], tokens[t]);
                if (amount == 0) continue;
                vm.prank(actors[i]);
                vault.withdraw(tokens[t], address(0xca54), amount);
            }
            left += vault.reserveOf(tokens[t]);
        }
    }
}
