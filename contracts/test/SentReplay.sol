// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "./Base.sol";

interface VmReplay {
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function envString(string calldata name) external view returns (string memory);
    function envUint(string calldata name) external view returns (uint256);
    function skip(bool skipTest, string calldata reason) external;
    function envExists(string calldata name) external view returns (bool);
    function prevrandao(bytes32 newPrevrandao) external;
}

/// One call as it is sent, and what the model says comes of it.
struct Sent {
    uint40 time;
    address caller;
    address target;
    bytes call;
    /// keccak256 of the revert data; of nothing when the call succeeds.
    bytes32 answer;
    bytes32 state;
}

/// Replays histories that contracts/tools/replay.mjs has written: after every call the answer and the whole state have to be
/// the model's.
abstract contract SentReplay is Base {
    VmReplay internal constant vmr = VmReplay(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    error Differs(uint256 file, uint256 history, uint256 op, string what, bytes answer);

    /// The contract whose address tells whether the model means the same contracts.
    function _target() internal view virtual returns (address);

    /// What a history sends.
    function _sentIn(bytes memory history) internal virtual returns (Sent[] memory) {
        return abi.decode(history, (Sent[]));
    }

    function _stateAt(uint40 time) internal view virtual returns (bytes32);

    function test_replay() public {
        if (!vmr.envExists("REPLAY_DIR")) {
            vmr.skip(true, "run by contracts/tools/replay.mjs");
            return;
        }
        string memory dir = vmr.envString("REPLAY_DIR");
        uint256 files = vmr.envUint("REPLAY_FILES");
        eq(_target(), address(uint160(vmr.envUint("REPLAY_TARGET"))), "the model's contracts are these");
        uint256 fresh = vmr.snapshotState();
        for (uint256 f; f < files; f++) {
            uint256 start = _free();
            bytes[] memory histories =
                abi.decode(vm.readFileBinary(string.concat(dir, "/", vm.toString(f), ".bin")), (bytes[]));
            for (uint256 h; h < histories.length; h++) {
                uint256 mark = _free();
                _replay(f, h, _sentIn(histories[h]));
                vmr.revertToState(fresh);
                fresh = vmr.snapshotState();
                _reset(mark);
            }
            _reset(start);
        }
    }

    function _replay(uint256 file, uint256 number, Sent[] memory all) private {
        for (uint256 i; i < all.length; i++) {
            uint256 mark = _free();
            vm.warp(all[i].time);
            // The model knows no such thing: nothing depends on it.
            vmr.prevrandao(keccak256(abi.encode(file, number, i)));
            vm.prank(all[i].caller);
            (bool ok, bytes memory answer) = all[i].target.call(all[i].call);
            // Some calls say what they have done: an id, an amount.
            if (ok) answer = "";
            if (keccak256(answer) != all[i].answer) revert Differs(file, number, i, "answer", answer);
            if (_stateAt(all[i].time) != all[i].state) revert Differs(file, number, i, "state", answer);
            _reset(mark);
        }
    }

    function _free() private pure returns (uint256 where) {
        assembly ("memory-safe") {
            where := mload(0x40)
        }
    }

    /// Gives memory back: ten thousand histories would not fit.
    function _reset(uint256 mark) private pure {
        assembly {
            mstore(0x40, mark)
        }
    }
}
