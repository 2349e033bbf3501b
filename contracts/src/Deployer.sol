// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Deployer
/// @notice Puts the contracts of one deployment at addresses that are known before: its own address follows from its
/// owner alone (it is created with CREATE2), and everything it creates from its own address and a running number. So
/// contracts can name each other in their constructors, the same owner gets the same addresses on every network, and a
/// deployment that broke off goes on where it was.
contract Deployer {
    /// @notice Who may create.
    address public immutable owner;

    /// @notice How many contracts stand; the number that the next one gets.
    uint256 public created;

    event Created(uint256 indexed number, address place);

    error NotOwner(address caller, address owner);
    error WrongNumber(uint256 given, uint256 next);
    error CreationFailed(uint256 number);

    constructor(address owner_) {
        owner = owner_;
    }

    /// @notice Creates the next contract.
    /// @param number Must be `created`: a step that was sent twice happens once.
    /// @param initCode Bytecode, then the encoded constructor arguments.
    function create(uint256 number, bytes calldata initCode) external returns (address place) {
        if (msg.sender != owner) revert NotOwner(msg.sender, owner);
        if (number != created) revert WrongNumber(number, created);
        created = number + 1;
        bytes memory code = initCode;
        assembly ("memory-safe") {
            place := create(0, add(code, 0x20), mload(code))
        }
        if (place == address(0)) revert CreationFailed(number);
        emit Created(number, place);
    }
}
