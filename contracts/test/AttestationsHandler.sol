// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations, Finding, SeatSignature} from "../src/Attestations.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {Rentals, Terms} from "../src/Rentals.sol";
import {AttestationsBase} from "./AttestationsBase.sol";

/// Plays validators, a provider and a renter at random, and rebuilds from logs what they did. Nothing here may revert: a
/// call that can fail is made as a stranger would make it, and its answer is kept.
contract AttestationsHandler is AttestationsBase {
    bytes32[2] internal offerIds;
    OfferParams internal params;
    Terms[] internal leases;
    uint32 internal immutable firstEpoch = uint32(START / 1 days);

    /// What went wrong, in words; empty while all is well.
    string public forged;
    string public openedSuspended;
    string public moved;

    uint256 public roots;
    uint256 public carriedOut;
    uint256 public bars;

    /// Rebuilt from logs alone.
    mapping(uint32 => bytes32) public mirrorSeed;
    mapping(uint32 => bytes32) public mirrorRoot;
    mapping(uint32 => uint256) public mirrorCandidates;
    mapping(address => bool) public mirrorBarred;
    mapping(bytes32 => Attestations.Standing) internal mirrorStanding;
    mapping(bytes32 => Offers.Status) public mirrorStatus;
    /// The committee as it was when it took its seats.
    mapping(uint32 => bytes32) internal seated;

    constructor() {
        setUp();
        params = offerParams(address(dollar), 3_500_000);
        params.endsBy = START + 3_650 days;
        params.units = 60_000;
        for (uint256 i; i < 2; i++) {
            offerIds[i] = register(params, bytes32(i));
            mirrorStatus[offerIds[i]] = Offers.Status.ACTIVE;
        }
        fund(renter, address(dollar), 1e18);
        vm.prank(renter);
        vault.authorize(address(rentals), true);
        vm.recordLogs();
    }

    /// A whole day: some commit for the next, some secrets of the last come out, a committee takes its seats.
    function day(uint256 seed) external {
        for (uint256 i; i < VALIDATORS; i++) {
            if ((seed >> i) % 8 != 0) _try(validators[i], _commitCall(validators[i]));
        }
        uint32 next = att.epoch() + 1;
        goTo(next, 0);
        for (uint256 i; i < VALIDATORS; i++) {
            if ((seed >> (64 + i)) % 8 == 0) continue;
            bytes32 secret = secretOf(next - 1, validators[i]);
            _try(stranger, abi.encodeCall(att.reveal, (next - 1, validators[i], secret)));
        }
        goTo(next, 6 hours);
        seated[next - 1] = _committeeHash(next - 1);
        _readLogs();
    }

    function _commitCall(address validator) internal view returns (bytes memory) {
        uint32 next = att.epoch() + 1;
        return abi.encodeCall(att.commit, (validator, att.commitmentOf(next, validator, secretOf(next, validator))));
    }

    /// The committee attests, or too few of it, or somebody else.
    function attestOne(uint256 seed) external {
        uint32 epoch = att.sittingEpoch();
        (address[] memory members,) = att.committeeOf(epoch);
        uint256 count = bound(seed, 0, members.length);
        Finding memory finding = Finding(rootOfFour(_leaves(seed >> 8)), bytes32(seed));
        SeatSignature[] memory signatures = signedBySeats(epoch, findingDigest(epoch, finding), count);
        uint256 entitled;
        for (uint256 i; i < count; i++) {
            if (!att.isBarred(members[i])) ++entitled;
        }
        bool wrong = (seed >> 40) % 4 == 0 && count > 0;
        if (wrong) signatures[(seed >> 48) % count].signature = signed(0xbad, findingDigest(epoch, finding));
        bool late = att.rootOf(epoch) != 0;
        bool ok = _try(stranger, abi.encodeCall(att.attest, (epoch, finding, signatures)));
        if (ok && (entitled < 5 || wrong || late)) forged = "attested without five of seven, or twice";
        if (ok) ++roots;
        _readLogs();
    }

    function _leaves(uint256 seed) internal view returns (bytes32[4] memory) {
        return [
            att.leafOf(offerIds[0], Attestations.State(seed % 3)),
            att.leafOf("nobody's", Attestations.State.SUSPENDED),
            att.leafOf(offerIds[1], Attestations.State((seed >> 8) % 3)),
            att.leafOf("nobody's", Attestations.State.DELISTED)
        ];
    }

    /// Tries all verdicts on an offer: that which the tree holds, and those that it does not.
    function carryOut(uint256 seed, uint256 treeSeed) external {
        uint256 i = seed % 2;
        uint32 epoch = att.sittingEpoch() - uint32((seed >> 8) % 3);
        bytes32[4] memory leaves = _leaves(treeSeed);
        bytes32[] memory proof = proofInFour(leaves, 2 * i);
        bytes4[3] memory ways = [att.relist.selector, att.suspend.selector, att.delist.selector];
        for (uint256 v; v < 3; v++) {
            if (!_try(stranger, abi.encodeWithSelector(ways[v], offerIds[i], epoch, proof))) continue;
            leaves[2 * i] = att.leafOf(offerIds[i], Attestations.State(v));
            if (att.rootOf(epoch) != rootOfFour(leaves)) forged = "carried out what no root holds";
            ++carriedOut;
        }
        _readLogs();
    }

    /// Attests the tree of `treeSeed` with all who may, so that verdicts come up often enough.
    function judge(uint256 seed, uint256 treeSeed) external {
        uint32 epoch = att.sittingEpoch();
        (address[] memory members,) = att.committeeOf(epoch);
        Finding memory finding = Finding(rootOfFour(_leaves(treeSeed)), bytes32(seed));
        SeatSignature[] memory all = signedBySeats(epoch, findingDigest(epoch, finding), members.length);
        uint256 n;
        for (uint256 i; i < all.length; i++) {
            if (!att.isBarred(members[i])) all[n++] = all[i];
        }
        assembly ("memory-safe") {
            mstore(all, n)
        }
        if (_try(stranger, abi.encodeCall(att.attest, (epoch, finding, all)))) ++roots;
        _readLogs();
        this.carryOut(seed & ~uint256(0xff00), treeSeed);
    }

    function equivocate(uint256 seed) external {
        if (seed % 8 != 0 || bars == 3) return;
        address validator = validators[(seed >> 8) % VALIDATORS];
        uint32 epoch = att.epoch() - uint32((seed >> 16) % 3);
        (Finding memory one, Finding memory other) = (Finding("one", 0), Finding("other", 0));
        bytes memory a = signed(keyOf[validator], findingDigest(epoch, one));
        bytes memory b = signed(keyOf[validator], findingDigest(epoch, other));
        if (_try(finder, abi.encodeCall(att.proveEquivocation, (epoch, validator, one, a, one, a)))) forged = "one finding";
        if (_try(finder, abi.encodeCall(att.proveEquivocation, (epoch, validator, one, a, other, b)))) ++bars;
        _readLogs();
    }

    function owner(uint256 seed) external {
        uint256 i = seed % 2;
        Offers.Status status = offers.get(offerIds[i]).status;
        vm.startPrank(provider);
        if (status == Offers.Status.ACTIVE && (seed >> 8) % 4 == 0) offers.pause(offerIds[i]);
        else if (status == Offers.Status.PAUSED) offers.resume(offerIds[i]);
        else if ((seed >> 16) % 4 == 0) offers.update(offerIds[i], params);
        vm.stopPrank();
        _readLogs();
    }

    function open(uint256 seed) external {
        if (leases.length == 10) return;
        uint256 i = seed % 2;
        Terms memory terms = termsFor(offerIds[i], params, bytes32(leases.length));
        Offers.Status status = offers.get(offerIds[i]).status;
        vm.prank(renter);
        (bool ok,) = address(rentals).call(abi.encodeCall(rentals.open, (terms, 3_600)));
        if (ok && status != Offers.Status.ACTIVE) openedSuspended = "a lease of an offer that is not active";
        if (ok) leases.push(terms);
        if (!ok) vm.getRecordedLogs();
    }

    /// The recorder also keeps what a reverted call had emitted.
    function _try(address caller, bytes memory call) internal returns (bool ok) {
        _readLogs();
        vm.prank(caller);
        (ok,) = address(att).call(call);
        if (!ok) vm.getRecordedLogs();
    }

    function _committeeHash(uint32 epoch) internal view returns (bytes32) {
        (address[] memory members, address[] memory keys) = att.committeeOf(epoch);
        return keccak256(abi.encode(members, keys));
    }

    // ------------------------------------------------------------------------------------------------ the mirror

    struct Vm_Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function _readLogs() internal {
        Vm_Log[] memory logs = abi.decode(abi.encode(vm.getRecordedLogs()), (Vm_Log[]));
        for (uint256 i; i < logs.length; i++) {
            Vm_Log memory log = logs[i];
            if (log.emitter == address(offers) && log.topics[0] == Offers.StatusChanged.selector) {
                (, mirrorStatus[log.topics[1]]) = abi.decode(log.data, (uint64, Offers.Status));
            }
            if (log.emitter == address(att)) _readAttestations(log);
        }
    }

    function _readAttestations(Vm_Log memory log) internal {
        bytes32 kind = log.topics[0];
        uint32 first = uint32(uint256(log.topics[1]));
        if (kind == Attestations.Committed.selector) {
            mirrorCandidates[first] += 1;
        } else if (kind == Attestations.Revealed.selector) {
            address validator = address(uint160(uint256(log.topics[2])));
            mirrorSeed[first] ^= keccak256(abi.encode(validator, abi.decode(log.data, (bytes32))));
        } else if (kind == Attestations.Attested.selector) {
            (mirrorRoot[first],) = abi.decode(log.data, (bytes32, bytes32));
        } else if (kind == Attestations.Equivocated.selector) {
            mirrorBarred[address(uint160(uint256(log.topics[1])))] = true;
        } else {
            Attestations.Standing storage s = mirrorStanding[log.topics[1]];
            uint32 epoch = uint32(uint256(log.topics[2]));
            if (epoch <= s.epoch) moved = "an older verdict after a newer one";
            s.epoch = epoch;
            if (kind == Attestations.Suspended.selector) s.state = Attestations.State.SUSPENDED;
            else if (kind == Attestations.Relisted.selector) s.state = Attestations.State.CLEAR;
            else (s.state, s.delistedEpoch, s.delistings) = (Attestations.State.DELISTED, epoch, s.delistings + 1);
        }
    }

    // ------------------------------------------------------------------------------------------------ for the invariants

    function contracts() external view returns (Attestations, Offers) {
        return (att, offers);
    }

    function epochs() external view returns (uint32 first, uint32 last) {
        return (firstEpoch, att.epoch());
    }

    function offerAt(uint256 i) external view returns (bytes32 id, Attestations.Standing memory mirror) {
        return (offerIds[i], mirrorStanding[offerIds[i]]);
    }

    function validatorAt(uint256 i) external view returns (address) {
        return validators[i];
    }

    function committeesStay() external view returns (bool) {
        for (uint32 e = att.sittingEpoch() - 3; e <= att.sittingEpoch(); e++) {
            if (seated[e] != 0 && seated[e] != _committeeHash(e)) return false;
        }
        return true;
    }

    /// Everybody leaves, whatever the verdicts: leases end, stakes are unbonded and withdrawn.
    function everybodyLeaves() external returns (uint256 left) {
        for (uint256 i; i < leases.length; i++) {
            vm.prank(renter);
            rentals.terminate(leases[i], 0);
        }
        for (uint256 i; i < VALIDATORS; i++) {
            uint256 staked = stakes.stakedOf(VALIDATOR, validators[i]);
            vm.prank(validators[i]);
            stakes.unbond(VALIDATOR, uint96(staked));
        }
        vm.warp(block.timestamp + 14 days);
        for (uint256 i; i < leases.length; i++) rentals.finalize(leases[i]);
        for (uint256 i; i < VALIDATORS; i++) {
            uint256 amount = stakes.slashableOf(VALIDATOR, validators[i]);
            vm.startPrank(validators[i]);
            stakes.release(VALIDATOR);
            vault.withdraw(address(watt), address(0xca54), amount);
            vm.stopPrank();
            left += stakes.slashableOf(VALIDATOR, validators[i]);
        }
        uint256 money = vault.balanceOf(renter, address(dollar));
        vm.prank(renter);
        vault.withdraw(address(dollar), address(0xca54), money);
        left += 1e18 - money;
    }
}
