// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// A wallet that takes any signature for its own.
contract AgreeableWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return this.isValidSignature.selector;
    }
}

/// A wallet that answers in every wrong way, one after the other.
contract OddWallet {
    enum Way {
        OTHER_VALUE,
        EMPTY,
        SHORT,
        REVERT,
        PANIC
    }

    Way public way;

    function setWay(Way way_) external {
        way = way_;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        if (way == Way.OTHER_VALUE) return 0xffffffff;
        bytes4 magic = this.isValidSignature.selector;
        bool isShort = way == Way.SHORT;
        if (isShort || way == Way.EMPTY) {
            assembly {
                mstore(0, magic)
                return(0, mul(isShort, 4))
            }
        }
        if (way == Way.REVERT) revert("no");
        assert(false);
        return magic;
    }
}
