// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations, Finding, SeatSignature} from "../src/Attestations.sol";
import {Offers} from "../src/Offers.sol";
import {Rentals} from "../src/Rentals.sol";
import {Stakes} from "../src/Stakes.sol";
import {Watt} from "../src/Watt.sol";
import {StakesBase} from "./StakesBase.sol";

/// What tests of attestations stand on: all contracts wired, nine validators, and what a committee does in a day.
abstract contract AttestationsBase is StakesBase {
    uint256 internal constant VALIDATORS = 9;
    uint96 internal constant BOND = 10_000e18;

    Attestations internal att;
    address[] internal validators;
    mapping(address => uint256) internal keyOf;

    function setUp() public virtual override {
        super.setUp();
        deployAttestationsFrom(address(this));
        for (uint256 i; i < VALIDATORS; i++) addValidator(0x7a11d + i, BOND);
    }

    /// Offers, Rentals and Stakes anew, knowing the contract that comes last. `deployer` is who they come from.
    function deployAttestationsFrom(address deployer) internal {
        uint64 nonce = vm.getNonce(deployer);
        address last = vm.computeCreateAddress(deployer, nonce + 3);
        offers = new Offers(parameters, vm.computeCreateAddress(deployer, nonce + 1), jobs, last);
        rentals = new Rentals(parameters, vault, offers);
        stakes = new Stakes(parameters, vault, watt, jobs, last);
        att = new Attestations(stakes, offers, rentals);
        attestations = address(att);
    }

    function addValidator(uint256 key, uint96 amount) internal returns (address validator) {
        validator = vm.addr(key);
        keyOf[validator] = key;
        validators.push(validator);
        bond(VALIDATOR, validator, amount);
    }

    function secretOf(uint32 epoch, address validator) internal pure returns (bytes32) {
        return keccak256(abi.encode("secret", epoch, validator));
    }

    /// Into the epoch's first second, or so many seconds later.
    function goTo(uint32 epoch, uint256 later) internal {
        vm.warp(uint256(epoch) * 1 days + later);
    }

    function commitFor(address validator) internal {
        uint32 next = att.epoch() + 1;
        bytes32 commitment = att.commitmentOf(next, validator, secretOf(next, validator));
        vm.prank(validator);
        att.commit(validator, commitment);
    }

    function commitAll() internal returns (uint32 next) {
        for (uint256 i; i < validators.length; i++) commitFor(validators[i]);
        next = att.epoch() + 1;
    }

    function revealFor(uint32 epoch, address validator) internal {
        att.reveal(epoch, validator, secretOf(epoch, validator));
    }

    /// All commit now; then it is the moment when the committee of that epoch takes its seats.
    function seatCommittee() internal returns (uint32 epoch) {
        epoch = commitAll();
        goTo(epoch + 1, 0);
        for (uint256 i; i < validators.length; i++) revealFor(epoch, validators[i]);
        goTo(epoch + 1, 6 hours);
    }

    function attDigest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", att.domainSeparator(), structHash));
    }

    function findingDigest(uint32 epoch, Finding memory finding) internal view returns (bytes32) {
        return attDigest(keccak256(abi.encode(att.ATTESTATION_TYPEHASH(), epoch, finding.root, finding.evidence)));
    }

    /// The first `count` members' signatures.
    function signedBySeats(uint32 epoch, bytes32 hash, uint256 count)
        internal
        view
        returns (SeatSignature[] memory signatures)
    {
        (address[] memory members,) = att.committeeOf(epoch);
        signatures = new SeatSignature[](count);
        for (uint256 i; i < count; i++) signatures[i] = SeatSignature(uint8(i), signed(keyOf[members[i]], hash));
    }

    function attest(uint32 epoch, bytes32 root) internal {
        Finding memory finding = Finding(root, keccak256("evidence"));
        att.attest(epoch, finding, signedBySeats(epoch, findingDigest(epoch, finding), 5));
    }

    // ---------------------------------------------------------------------------------------------- Merkle trees

    function hashPair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    /// Root of a tree of four leaves.
    function rootOfFour(bytes32[4] memory leaves) internal pure returns (bytes32) {
        return hashPair(hashPair(leaves[0], leaves[1]), hashPair(leaves[2], leaves[3]));
    }

    function proofInFour(bytes32[4] memory leaves, uint256 index) internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](2);
        proof[0] = leaves[index ^ 1];
        proof[1] = index < 2 ? hashPair(leaves[2], leaves[3]) : hashPair(leaves[0], leaves[1]);
    }
}
