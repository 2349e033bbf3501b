// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {Parameters} from "../src/Parameters.sol";
import {PracticeDollar} from "../src/PracticeDollar.sol";
import {Rentals, Terms} from "../src/Rentals.sol";
import {Vault} from "../src/Vault.sol";

/// The cheat codes used here.
interface Vm {
    function warp(uint256 timestamp) external;
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function deal(address account, uint256 wei_) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function expectRevert() external;
    function expectRevert(bytes calldata revertData) external;
    function expectEmit(bool, bool, bool, bool, address emitter) external;
    function assume(bool condition) external pure;
    function readFile(string calldata path) external view returns (string memory);
    function readFileBinary(string calldata path) external view returns (bytes memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function envOr(string calldata name, string calldata fallback_) external view returns (string memory);
    function toString(uint256 value) external pure returns (string memory);
    function getNonce(address account) external view returns (uint64);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function store(address account, bytes32 slot, bytes32 value) external;
    function chainId(uint256 id) external;

    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }
}

/// What every test stands on: assertions, and the contracts deployed and wired as the product does it.
abstract contract Base {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address internal constant ETH = address(0);
    uint40 internal constant START = 1_800_000_000;

    uint256 internal constant SESSION_KEY = 0x5e5510;
    uint256 internal constant HOST_KEY = 0x4057;
    uint256 internal constant WITNESS_KEY = 0x3173;

    address internal admin = address(0xad31);
    address internal treasury = address(0x7ea5);
    address internal provider = address(0x4601);
    address internal renter = address(0x4e17);
    address internal stranger = address(0x5747);
    address internal session = vm.addr(SESSION_KEY);
    address internal host = vm.addr(HOST_KEY);
    address internal witness = vm.addr(WITNESS_KEY);

    AccessManager internal manager;
    Parameters internal parameters;
    Vault internal vault;
    Offers internal offers;
    Rentals internal rentals;
    PracticeDollar internal dollar;

    error AssertionFailed(string what, uint256 got, uint256 expected);

    function setUp() public virtual {
        vm.warp(START);
        deploy();
    }

    function deploy() internal {
        deployFrom(address(this));
        vm.prank(admin);
        parameters.allowToken(address(dollar));
    }

    /// In the order of src/chain/abi/deployment.ts. `deployer` is who the next contracts come from.
    function deployFrom(address deployer) internal {
        uint64 nonce = vm.getNonce(deployer);
        manager = new AccessManager(admin);
        parameters = new Parameters(address(manager), treasury);
        vault = new Vault(parameters);
        offers = new Offers(parameters, vm.computeCreateAddress(deployer, nonce + 4), ETH, ETH);
        rentals = new Rentals(parameters, vault, offers);
        dollar = new PracticeDollar(admin);
    }

    // ---------------------------------------------------------------------------------------------- building blocks

    function offerParams(address token, uint128 price) internal view returns (OfferParams memory) {
        return OfferParams({
            gpuType: "rtx-4090",
            gpuModel: "GeForce RTX 4090",
            region: "eu-central",
            features: "cuda-12.8,pytorch",
            token: token,
            price: price,
            unit: 3_600,
            minSeconds: 60,
            endsBy: START + 30 days,
            gpuCount: 2,
            gpuMemoryGb: 24,
            units: 4,
            peerKey: keccak256("peer"),
            providerSigner: host
        });
    }

    function register(OfferParams memory params, bytes32 salt) internal returns (bytes32 offerId) {
        vm.prank(provider);
        offerId = offers.register(params, salt);
    }

    function termsFor(bytes32 offerId, OfferParams memory p, bytes32 salt) internal view returns (Terms memory) {
        return Terms({
            offerId: offerId,
            offerVersion: offers.get(offerId).version,
            renter: renter,
            provider: provider,
            signer: session,
            providerSigner: p.providerSigner,
            witness: witness,
            token: p.token,
            price: p.price,
            unit: p.unit,
            minSeconds: p.minSeconds,
            endsBy: p.endsBy,
            feeBps: parameters.feeBps(),
            specHash: keccak256("spec"),
            salt: salt
        });
    }

    function fund(address account, address token, uint256 amount) internal {
        if (token == ETH) {
            vm.deal(address(this), amount);
            vault.depositETH{value: amount}(account);
        } else {
            vm.prank(admin);
            PracticeDollar(token).mint(account, amount);
            vm.startPrank(account);
            PracticeDollar(token).approve(address(vault), amount);
            vault.deposit(token, account, amount);
            vm.stopPrank();
        }
    }

    function idOf(Terms memory terms) internal pure returns (bytes32) {
        return keccak256(abi.encode(terms));
    }

    function signed(uint256 key, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return abi.encodePacked(r, s, v);
    }

    function digest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", rentals.domainSeparator(), structHash));
    }

    function voucher(uint256 key, bytes32 leaseId, uint32 secs) internal view returns (bytes memory) {
        return signed(key, digest(keccak256(abi.encode(rentals.VOUCHER_TYPEHASH(), leaseId, secs))));
    }

    function finalBy(uint256 key, bytes32 leaseId, uint32 secs, uint40 deadline) internal view returns (bytes memory) {
        return signed(key, digest(keccak256(abi.encode(rentals.FINAL_TYPEHASH(), leaseId, secs, deadline))));
    }

    // ---------------------------------------------------------------------------------------------- assertions

    function eq(uint256 got, uint256 expected, string memory what) internal pure {
        if (got != expected) revert AssertionFailed(what, got, expected);
    }

    function eq(address got, address expected, string memory what) internal pure {
        eq(uint160(got), uint160(expected), what);
    }

    function eq(bytes32 got, bytes32 expected, string memory what) internal pure {
        eq(uint256(got), uint256(expected), what);
    }

    function yes(bool condition, string memory what) internal pure {
        if (!condition) revert AssertionFailed(what, 0, 1);
    }

    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
