// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations} from "../src/Attestations.sol";
import {JobTerms, Jobs} from "../src/Jobs.sol";
import {Juries} from "../src/Juries.sol";
import {OfferParams} from "../src/Offers.sol";
import {Record} from "../src/Record.sol";
import {Rentals, Terms} from "../src/Rentals.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {Base} from "./Base.sol";

/// test/vectors/typed-data.json, which src/shared/typed-data.test.ts is held to as well: what the app signs, the contracts
/// accept.
contract VectorsTest is Base {
    address internal constant DEPLOYER = address(0xde9101);
    string internal json;
    Terms internal terms;

    function setUp() public override {
        vm.warp(START);
        vm.startPrank(DEPLOYER);
        deployFrom(DEPLOYER);
        vm.stopPrank();
        json = vm.readFile("test/vectors/typed-data.json");
        terms = Terms({
            offerId: vm.parseJsonBytes32(json, ".terms.offerId"),
            offerVersion: uint64(_uint(".terms.offerVersion")),
            renter: _address(".terms.renter"),
            provider: _address(".terms.provider"),
            signer: _address(".terms.signer"),
            providerSigner: _address(".terms.providerSigner"),
            witness: _address(".terms.witness"),
            token: _address(".terms.token"),
            price: uint128(_uint(".terms.price")),
            unit: uint32(_uint(".terms.unit")),
            minSeconds: uint32(_uint(".terms.minSeconds")),
            endsBy: uint40(_uint(".terms.endsBy")),
            feeBps: uint16(_uint(".terms.feeBps")),
            specHash: vm.parseJsonBytes32(json, ".terms.specHash"),
            salt: vm.parseJsonBytes32(json, ".terms.salt")
        });
    }

    function _uint(string memory key) internal view returns (uint256) {
        return vm.parseJsonUint(json, key);
    }

    function _address(string memory key) internal view returns (address) {
        return vm.parseJsonAddress(json, key);
    }

    function _at(string memory list, uint256 i, string memory field) internal pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(i), "].", field);
    }

    function test_ids() public view {
        eq(block.chainid, _uint(".chainId"), "chain");
        eq(address(rentals), _address(".rentals"), "rentals");
        eq(rentals.leaseIdOf(terms), vm.parseJsonBytes32(json, ".leaseId"), "lease id");
        eq(keccak256(abi.encode(terms)), vm.parseJsonBytes32(json, ".leaseId"), "lease id is abi.encode");
        eq(
            offers.offerIdOf(_address(".offer.provider"), vm.parseJsonBytes32(json, ".offer.salt")),
            vm.parseJsonBytes32(json, ".offer.id"),
            "offer id"
        );
    }

    function test_vouchers() public view {
        for (uint256 i; i < 4; i++) {
            uint32 secs = uint32(_uint(_at("vouchers", i, "secs")));
            bytes32 want = vm.parseJsonBytes32(json, _at("vouchers", i, "digest"));
            eq(digest(keccak256(abi.encode(rentals.VOUCHER_TYPEHASH(), rentals.leaseIdOf(terms), secs))), want, "digest");
        }
    }

    function test_finals() public view {
        for (uint256 i; i < 3; i++) {
            uint32 secs = uint32(_uint(_at("finals", i, "secs")));
            uint40 deadline = uint40(_uint(_at("finals", i, "deadline")));
            bytes32 structHash =
                keccak256(abi.encode(rentals.FINAL_TYPEHASH(), rentals.leaseIdOf(terms), secs, deadline));
            eq(digest(structHash), vm.parseJsonBytes32(json, _at("finals", i, "digest")), "digest");
        }
    }

    function test_findingsAndWitnessedVouchers() public {
        vm.prank(address(0xde9102));
        Attestations attestations = new Attestations(IStakes(address(0)), offers, rentals);
        eq(address(attestations), _address(".attestations"), "attestations");
        bytes32 finding = keccak256(
            abi.encode(
                attestations.ATTESTATION_TYPEHASH(),
                _uint(".findings[0].epoch"),
                vm.parseJsonBytes32(json, ".findings[0].root"),
                vm.parseJsonBytes32(json, ".findings[0].evidence")
            )
        );
        bytes32 voucher_ = keccak256(
            abi.encode(attestations.VOUCHER_TYPEHASH(), rentals.leaseIdOf(terms), _uint(".witnessed[0].secs"))
        );
        bytes32 domain = attestations.domainSeparator();
        eq(
            keccak256(abi.encodePacked("\x19\x01", domain, finding)),
            vm.parseJsonBytes32(json, ".findings[0].digest"),
            "finding"
        );
        eq(
            keccak256(abi.encodePacked("\x19\x01", domain, voucher_)),
            vm.parseJsonBytes32(json, ".witnessed[0].digest"),
            "witnessed voucher"
        );
    }

    function _domain(address place) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Commonwatt"),
                keccak256("1"),
                block.chainid,
                place
            )
        );
    }

    function _jobTerms() internal view returns (JobTerms memory t) {
        (t.renter, t.assignee) = (_address(".jobTerms.renter"), _address(".jobTerms.assignee"));
        (t.arbiter, t.token) = (_address(".jobTerms.arbiter"), _address(".jobTerms.token"));
        (t.bounty, t.bond) = (uint128(_uint(".jobTerms.bounty")), uint128(_uint(".jobTerms.bond")));
        (t.deadline, t.minRun) = (uint40(_uint(".jobTerms.deadline")), uint32(_uint(".jobTerms.minRun")));
        (t.window, t.minStake) = (uint32(_uint(".jobTerms.window")), uint96(_uint(".jobTerms.minStake")));
        (t.gpuCount, t.gpuMemoryGb) = (uint8(_uint(".jobTerms.gpuCount")), uint16(_uint(".jobTerms.gpuMemoryGb")));
        (t.tier, t.copies) = (uint8(_uint(".jobTerms.tier")), uint8(_uint(".jobTerms.copies")));
        (t.agree, t.feeBps) = (uint8(_uint(".jobTerms.agree")), uint16(_uint(".jobTerms.feeBps")));
        t.slashBps = uint16(_uint(".jobTerms.slashBps"));
        t.specHash = vm.parseJsonBytes32(json, ".jobTerms.specHash");
        t.salt = vm.parseJsonBytes32(json, ".jobTerms.salt");
    }

    function test_jobsAndRatings() public {
        Record record = new Record(parameters, rentals, Jobs(address(0)), IStakes(address(0)));
        Jobs jobs = new Jobs(parameters, vault, offers, IStakes(address(0)), Juries(address(0)), record);
        bytes32 jobId = jobs.jobIdOf(_jobTerms());
        eq(jobId, vm.parseJsonBytes32(json, ".jobId"), "job id");
        eq(keccak256(abi.encode(_jobTerms())), jobId, "job id is abi.encode");
        eq(jobs.copyIdOf(jobId, terms.provider), vm.parseJsonBytes32(json, ".copyId"), "copy id");
        eq(
            jobs.commitmentOf(
                jobId,
                terms.provider,
                vm.parseJsonBytes32(json, ".result.resultId"),
                vm.parseJsonBytes32(json, ".result.salt")
            ),
            vm.parseJsonBytes32(json, ".result.commitment"),
            "result"
        );
        bytes32 accepted = keccak256(
            abi.encode(jobs.ACCEPTANCE_TYPEHASH(), jobId, terms.offerId, _uint(".acceptances[0].validUntil"))
        );
        eq(
            keccak256(abi.encodePacked("\x19\x01", _domain(_address(".jobs")), accepted)),
            vm.parseJsonBytes32(json, ".acceptances[0].digest"),
            "acceptance"
        );
        bytes32 leaseId = rentals.leaseIdOf(terms);
        bytes32 commitment = record.commitmentOf(
            leaseId,
            Record.Side.PROVIDER,
            uint8(_uint(".ratings[0].score")),
            "bafkreigh2akiscaildc",
            vm.parseJsonBytes32(json, ".ratings[0].salt")
        );
        eq(commitment, vm.parseJsonBytes32(json, ".ratings[0].commitment"), "rating");
        bytes32 rated = keccak256(abi.encode(record.RATING_COMMIT_TYPEHASH(), leaseId, commitment));
        eq(
            keccak256(abi.encodePacked("\x19\x01", _domain(_address(".record")), rated)),
            vm.parseJsonBytes32(json, ".ratings[0].digest"),
            "rating commitment"
        );
        eq(jobs.domainSeparator(), _domain(address(jobs)), "domain of jobs");
        eq(record.domainSeparator(), _domain(address(record)), "domain of the record");
    }

    /// No contract reads a binding; its digest is computed here by the letter of EIP-712.
    function test_peerBinding() public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId)"),
                keccak256("Commonwatt"),
                keccak256("1"),
                block.chainid
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("PeerBinding(bytes32 peerKey,string role,uint64 notAfter)"),
                vm.parseJsonBytes32(json, ".peerBindings[0].peerKey"),
                keccak256("provider"),
                _uint(".peerBindings[0].notAfter")
            )
        );
        eq(
            keccak256(abi.encodePacked("\x19\x01", domain, structHash)),
            vm.parseJsonBytes32(json, ".peerBindings[0].digest"),
            "digest"
        );
    }

    /// The signatures themselves, on a lease of exactly these terms.
    function test_contractTakesTheSignatures() public {
        OfferParams memory p = offerParams(terms.token, terms.price);
        (p.unit, p.minSeconds, p.endsBy, p.providerSigner) = (terms.unit, terms.minSeconds, terms.endsBy, terms.providerSigner);
        eq(register(p, vm.parseJsonBytes32(json, ".offer.salt")), terms.offerId, "offer");
        vm.deal(renter, 10 ether);
        vm.prank(renter);
        bytes32 leaseId = rentals.open{value: 10 ether}(terms, 7_200);
        vm.warp(START + 7_000);
        rentals.draw(terms, 60, vm.parseJsonBytes(json, ".vouchers[1].signatures[0]"));
        eq(rentals.get(leaseId).paidSeconds, 60, "drawn");
        rentals.close(
            terms,
            1_234,
            START + 7_200,
            vm.parseJsonBytes(json, ".finals[1].signatures[0]"),
            vm.parseJsonBytes(json, ".finals[1].signatures[1]")
        );
        eq(rentals.get(leaseId).paidSeconds, 1_234, "closed");
    }
}
