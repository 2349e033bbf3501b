// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OfferParams, Offers} from "../src/Offers.sol";
import {Rentals, Terms} from "../src/Rentals.sol";
import {Base} from "./Base.sol";

interface VmReplay {
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function envString(string calldata name) external view returns (string memory);
    function envUint(string calldata name) external view returns (uint256);
    function skip(bool skipTest, string calldata reason) external;
    function envExists(string calldata name) external view returns (bool);
}

/// One call of a history, and what the model says comes of it.
struct Op {
    uint8 kind;
    uint40 time;
    address caller;
    uint256 value;
    uint8 lease;
    uint128 a;
    uint64 b;
    uint8 key1;
    uint8 key2;
    /// keccak256 of the revert data; of nothing when the call succeeds.
    bytes32 answer;
    bytes32 state;
}

struct History {
    OfferParams offer;
    bytes32 salt;
    Terms[2] terms;
    /// The ABI encoding of Op[].
    bytes ops;
}

/// Runs the histories that contracts/tools/replay.mjs has written and compares every answer and every state with the
/// TypeScript model's.
contract ReplayTest is Base {
    VmReplay internal constant vmr = VmReplay(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address internal constant OUT = address(0xca54);
    address internal constant DEPLOYER = address(0xde9101);

    address internal renterB = address(0x4e18);
    bytes32 internal offerId;

    error Differs(uint256 file, uint256 history, uint256 op, string what, bytes answer);

    function setUp() public override {
        vm.warp(START);
        vm.startPrank(DEPLOYER);
        deployFrom(DEPLOYER);
        vm.stopPrank();
        vm.prank(admin);
        parameters.allowToken(address(dollar));
    }

    function test_replay() public {
        if (!vmr.envExists("REPLAY_DIR")) {
            vmr.skip(true, "run by contracts/tools/replay.mjs");
            return;
        }
        string memory dir = vmr.envString("REPLAY_DIR");
        uint256 files = vmr.envUint("REPLAY_FILES");
        eq(address(rentals), vmr_address("REPLAY_TARGET"), "the model's contracts are these");
        uint256 fresh = vmr.snapshotState();
        for (uint256 f; f < files; f++) {
            uint256 free = _free();
            bytes[] memory histories =
                abi.decode(vm.readFileBinary(string.concat(dir, "/", vm.toString(f), ".bin")), (bytes[]));
            _fundAll();
            for (uint256 h; h < histories.length; h++) {
                uint256 mark = _free();
                _run(f, h, abi.decode(histories[h], (History)));
                _reset(mark);
            }
            vmr.revertToState(fresh);
            fresh = vmr.snapshotState();
            _reset(free);
        }
    }

    function vmr_address(string memory name) internal view returns (address) {
        return address(uint160(vmr.envUint(name)));
    }

    function _free() internal pure returns (uint256 at_) {
        assembly ("memory-safe") {
            at_ := mload(0x40)
        }
    }

    /// Gives memory back: ten thousand histories would not fit.
    function _reset(uint256 mark) internal pure {
        assembly {
            mstore(0x40, mark)
        }
    }

    function _fundAll() internal {
        address[2] memory all = [renter, renterB];
        for (uint256 i; i < 2; i++) {
            fund(all[i], ETH, 1e30);
            fund(all[i], address(dollar), 1e30);
        }
        for (uint256 i; i < 2; i++) {
            vm.prank(all[i]);
            vault.authorize(address(rentals), true);
        }
        address[5] memory senders = [renter, renterB, provider, stranger, host];
        for (uint256 i; i < 5; i++) vm.deal(senders[i], 1e40);
        vm.startPrank(admin);
        dollar.mint(renter, 1e40);
        dollar.mint(renterB, 1e40);
        vm.stopPrank();
        vm.prank(renter);
        dollar.approve(address(vault), type(uint256).max);
        vm.prank(renterB);
        dollar.approve(address(vault), type(uint256).max);
    }

    function _run(uint256 file, uint256 number, History memory h) internal {
        offerId = offers.offerIdOf(provider, h.salt);
        Op[] memory ops = abi.decode(h.ops, (Op[]));
        for (uint256 i; i < ops.length; i++) {
            Op memory op = ops[i];
            vm.warp(op.time);
            (address target, bytes memory call) = _call(h, op);
            vm.prank(op.caller);
            (bool ok, bytes memory answer) = target.call{value: op.kind <= 1 || op.kind == 11 ? op.value : 0}(call);
            if (ok) answer = "";
            if (keccak256(answer) != op.answer) revert Differs(file, number, i, "answer", answer);
            if (_state(h) != op.state) revert Differs(file, number, i, "state", answer);
        }
    }

    function _call(History memory h, Op memory op) internal view returns (address, bytes memory) {
        if (op.kind < 10) return (address(rentals), _rentalsCall(h.terms[op.lease], op));
        if (op.kind == 10) return (address(vault), abi.encodeCall(vault.authorize, (address(rentals), op.a != 0)));
        if (op.kind == 11) {
            return h.offer.token == ETH
                ? (address(vault), abi.encodeCall(vault.depositETH, (op.caller)))
                : (address(vault), abi.encodeCall(vault.deposit, (h.offer.token, op.caller, op.a)));
        }
        if (op.kind == 12) return (address(vault), abi.encodeCall(vault.withdraw, (h.offer.token, OUT, op.value)));
        if (op.kind == 13) return (address(parameters), abi.encodeCall(parameters.setFee, (uint16(op.a))));
        if (op.kind == 14) return (address(parameters), abi.encodeCall(parameters.pauseNewDeals, ()));
        if (op.kind == 15) return (address(parameters), abi.encodeCall(parameters.resumeNewDeals, ()));
        if (op.kind == 16) {
            OfferParams memory p = h.offer;
            p.price = op.a;
            p.units = uint16(op.b);
            return (address(offers), abi.encodeCall(offers.update, (offerId, p)));
        }
        if (op.kind == 18) return (address(offers), abi.encodeCall(offers.register, (h.offer, h.salt)));
        if (op.a == 1) return (address(offers), abi.encodeCall(offers.resume, (offerId)));
        if (op.a == 2) return (address(offers), abi.encodeCall(offers.pause, (offerId)));
        return (address(offers), abi.encodeCall(offers.delist, (offerId)));
    }

    function _rentalsCall(Terms memory t, Op memory op) internal view returns (bytes memory) {
        uint32 secs = uint32(op.a);
        bytes32 id = idOf(t);
        if (op.kind == 0) return abi.encodeCall(rentals.open, (t, secs));
        if (op.kind == 1) return abi.encodeCall(rentals.extend, (t, secs));
        if (op.kind == 2) return abi.encodeCall(rentals.terminate, (t, secs));
        if (op.kind == 3) return abi.encodeCall(rentals.settle, (t, secs, _voucher(op.key1, id, secs)));
        if (op.kind == 4) return abi.encodeCall(rentals.release, (t));
        if (op.kind == 5) return abi.encodeCall(rentals.raise, (t, secs, _voucher(op.key1, id, secs)));
        if (op.kind == 6) return abi.encodeCall(rentals.draw, (t, secs, _voucher(op.key1, id, secs)));
        if (op.kind == 8) return abi.encodeCall(rentals.finalize, (t));
        if (op.kind == 9) return abi.encodeCall(rentals.expire, (t));
        return abi.encodeCall(
            rentals.close, (t, secs, uint40(op.b), _final(op.key1, id, secs, op.b), _final(op.key2, id, secs, op.b))
        );
    }

    function _key(uint8 index) internal pure returns (uint256) {
        return [0, SESSION_KEY, HOST_KEY, WITNESS_KEY, 0xbad][index];
    }

    function _voucher(uint8 key, bytes32 id, uint32 secs) internal view returns (bytes memory) {
        return key == 0 ? bytes("nonsense") : voucher(_key(key), id, secs);
    }

    function _final(uint8 key, bytes32 id, uint32 secs, uint64 deadline) internal view returns (bytes memory) {
        return key == 0 ? bytes("nonsense") : finalBy(_key(key), id, secs, uint40(deadline));
    }

    function _state(History memory h) internal view returns (bytes32) {
        address token = h.offer.token;
        address[4] memory actors = [renter, renterB, provider, treasury];
        uint256[] memory words = new uint256[](34);
        uint256 n;
        for (uint256 i; i < 2; i++) {
            Rentals.Lease memory l = rentals.get(idOf(h.terms[i]));
            words[n++] = l.openedAt;
            words[n++] = l.closeAt;
            words[n++] = l.cap;
            words[n++] = l.paidSeconds;
            words[n++] = l.claimSeconds;
            words[n++] = uint256(l.state);
            words[n++] = l.underclaimed ? 1 : 0;
        }
        Offers.Offer memory o = offers.get(offerId);
        words[n++] = o.version;
        words[n++] = o.units;
        words[n++] = o.taken;
        words[n++] = o.gpuCount;
        words[n++] = o.gpuMemoryGb;
        words[n++] = uint256(o.status);
        for (uint256 i; i < 4; i++) {
            words[n++] = vault.balanceOf(actors[i], token);
            words[n++] = vault.lockedOf(address(rentals), actors[i], token);
        }
        words[n++] = vault.reserveOf(token);
        words[n++] = parameters.feeBps();
        words[n++] = parameters.newDealsPausedUntil();
        words[n++] = parameters.pauseAllowedAt();
        words[n++] = vault.isAuthorized(renter, address(rentals)) ? 1 : 0;
        words[n++] = vault.isAuthorized(renterB, address(rentals)) ? 1 : 0;
        return keccak256(abi.encodePacked(words));
    }
}
