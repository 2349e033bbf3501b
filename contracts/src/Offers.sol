// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Parameters} from "./Parameters.sol";

/// What a provider offers. The chain keeps a hash of the part that a deal depends on; everything else stands in the events.
struct OfferParams {
    /// "gpu" class as people search for it, such as "rtx-4090", or "cpu".
    string gpuType;
    /// The card's full name as its driver gives it.
    string gpuModel;
    /// Where the machine stands, such as "eu-central".
    string region;
    /// Separated by commas: frameworks, isolation, what else a renter may filter by.
    string features;
    /// The token it is paid in; the zero address is ETH.
    address token;
    /// Smallest units of `token` for `unit` seconds of one whole bundle.
    uint128 price;
    /// Seconds one price covers: 60, 3600 or 86400.
    uint32 unit;
    /// Seconds the first voucher covers, 60 to 600.
    uint32 minSeconds;
    /// Unix seconds after which nothing of this offer runs.
    uint40 endsBy;
    /// Cards in one bundle, at most 255; 0 where the processor is for rent.
    uint16 gpuCount;
    /// Memory of one card in GiB, at most 65535.
    uint32 gpuMemoryGb;
    /// Identical bundles; one deal takes one.
    uint16 units;
    /// Public key under which the machine is found and recognised.
    bytes32 peerKey;
    /// Key of the provider's host: signs closes, may settle, release and raise.
    address providerSigner;
}

/// @title Offers
/// @notice What is for rent. A provider registers, changes, pauses and delists its own offers; deals take and free units.
/// @dev Each change raises the version, and a deal names the version it saw: nobody opens a deal on terms that have
/// changed under way.
contract Offers is Multicall {
    enum Status {
        NONE,
        ACTIVE,
        PAUSED,
        DELISTED,
        /// By the validators' attestation, until one lifts it.
        SUSPENDED
    }

    /// @dev One slot: 160 + 32 + 16 + 16 + 8 + 16 + 8 = 256 bits. The provider stands in the offer's id.
    struct Offer {
        /// Hash of everything a deal depends on.
        bytes20 termsHash;
        /// Raised by every change.
        uint32 version;
        /// Identical bundles.
        uint16 units;
        /// Bundles that deals hold now.
        uint16 taken;
        /// Cards in one bundle.
        uint8 gpuCount;
        /// Memory of one card in GiB.
        uint16 gpuMemoryGb;
        Status status;
    }

    /// @notice Longest text of one field, in bytes.
    uint256 public constant MAX_WORD_BYTES = 64;

    /// @notice Longest list of features, in bytes.
    uint256 public constant MAX_FEATURES_BYTES = 1_024;

    /// @notice Where accepted tokens are listed.
    Parameters public immutable parameters;

    /// @notice The leases contract: takes and frees units.
    address public immutable rentals;

    /// @notice The bounties contract: takes and frees units.
    address public immutable jobs;

    /// @notice The attestations contract: suspends offers and lifts it.
    address public immutable attestations;

    mapping(bytes32 offerId => Offer) private _offers;

    event Registered(bytes32 indexed offerId, address indexed provider, uint64 version, OfferParams params);
    event Updated(bytes32 indexed offerId, address indexed provider, uint64 version, OfferParams params);
    event StatusChanged(bytes32 indexed offerId, uint64 version, Status status);

    error OfferExists(bytes32 offerId);
    error UnknownOffer(bytes32 offerId);
    error NotProvider(bytes32 offerId, address caller);
    error NotModule(address caller);
    error WrongStatus(bytes32 offerId, Status status);
    error StaleOffer(bytes32 offerId, uint64 given, uint64 current);
    error TermsMismatch(bytes32 offerId);
    error NoFreeUnit(bytes32 offerId, uint16 units);
    error TokenNotAllowed(address token);
    error BadPrice(uint128 price);
    error BadUnit(uint32 unit);
    error BadMinSeconds(uint32 minSeconds);
    error BadEnd(uint40 endsBy);
    error BadUnits(uint16 units);
    error BadSigner(address signer);
    error BadHardware(uint16 gpuCount, uint32 gpuMemoryGb);
    error TextTooLong(uint256 bytesGiven, uint256 bytesAllowed);

    modifier onlyModule() {
        if (msg.sender != rentals && msg.sender != jobs) revert NotModule(msg.sender);
        _;
    }

    modifier onlyAttestations() {
        if (msg.sender != attestations) revert NotModule(msg.sender);
        _;
    }

    /// @dev The modules know this contract and it knows them, so their addresses are computed before they are deployed.
    constructor(Parameters parameters_, address rentals_, address jobs_, address attestations_) {
        parameters = parameters_;
        rentals = rentals_;
        jobs = jobs_;
        attestations = attestations_;
    }

    // ------------------------------------------------------------------------------------------------ providers

    /// @notice Puts something up for rent, owned by the caller.
    /// @param salt Any value; it makes the id, so the same one cannot be used twice by one provider.
    /// @return offerId See `offerIdOf`.
    function register(OfferParams calldata params, bytes32 salt) external returns (bytes32 offerId) {
        offerId = offerIdOf(msg.sender, salt);
        if (_offers[offerId].status != Status.NONE) revert OfferExists(offerId);
        _validate(params);
        _offers[offerId] = _described(params, 1, 0, Status.ACTIVE);
        emit Registered(offerId, msg.sender, 1, params);
    }

    /// @notice Replaces what is offered. Running deals keep what they agreed on.
    function update(bytes32 offerId, OfferParams calldata params) external {
        Offer memory offer = _ownedAlive(offerId);
        _validate(params);
        uint32 version = offer.version + 1;
        _offers[offerId] = _described(params, version, offer.taken, offer.status);
        emit Updated(offerId, msg.sender, version, params);
    }

    /// @notice No new deals until `resume`. Running deals go on.
    function pause(bytes32 offerId) external {
        Offer memory offer = _ownedAlive(offerId);
        if (offer.status != Status.ACTIVE) revert WrongStatus(offerId, offer.status);
        _setStatus(offerId, offer, Status.PAUSED);
    }

    /// @notice Takes new deals again.
    function resume(bytes32 offerId) external {
        Offer memory offer = _ownedAlive(offerId);
        if (offer.status != Status.PAUSED) revert WrongStatus(offerId, offer.status);
        _setStatus(offerId, offer, Status.ACTIVE);
    }

    /// @notice Ends the offer for good. Running deals go on.
    function delist(bytes32 offerId) external {
        _setStatus(offerId, _ownedAlive(offerId), Status.DELISTED);
    }

    // ------------------------------------------------------------------------------------------------ modules

    /// @notice Takes one unit for a new deal, if the offer still is what the deal says.
    /// @param version Version the deal's opener saw.
    /// @param provider Who the deal says provides.
    /// @param termsHash What the deal says it depends on: see `termsHashOf`.
    function take(bytes32 offerId, uint64 version, address provider, bytes20 termsHash) external onlyModule {
        Offer storage offer = _offers[offerId];
        (Status status, uint32 current) = (offer.status, offer.version);
        (uint16 units, uint16 taken) = (offer.units, offer.taken);
        if (status == Status.NONE) revert UnknownOffer(offerId);
        if (status != Status.ACTIVE) revert WrongStatus(offerId, status);
        if (current != version) revert StaleOffer(offerId, version, current);
        if (providerOf(offerId) != provider || offer.termsHash != termsHash) revert TermsMismatch(offerId);
        if (taken >= units) revert NoFreeUnit(offerId, units);
        offer.taken = taken + 1;
    }

    /// @notice Takes one unit for a new deal that does not depend on the offer's price: of any version.
    /// @return gpuCount Cards in the bundle.
    /// @return gpuMemoryGb Memory of one card in GiB.
    function takeAny(bytes32 offerId) external onlyModule returns (uint8 gpuCount, uint16 gpuMemoryGb) {
        Offer storage offer = _offers[offerId];
        (Status status, uint16 units, uint16 taken) = (offer.status, offer.units, offer.taken);
        if (status == Status.NONE) revert UnknownOffer(offerId);
        if (status != Status.ACTIVE) revert WrongStatus(offerId, status);
        if (taken >= units) revert NoFreeUnit(offerId, units);
        (gpuCount, gpuMemoryGb) = (offer.gpuCount, offer.gpuMemoryGb);
        offer.taken = taken + 1;
    }

    /// @notice Gives one unit back when a deal ends.
    function free(bytes32 offerId) external onlyModule {
        --_offers[offerId].taken;
    }

    /// @notice No new deals, whatever the provider wants, until `unsuspend`. Running deals go on, and the provider may
    /// still update or delist.
    function suspend(bytes32 offerId) external onlyAttestations {
        Offer memory offer = _offers[offerId];
        if (offer.status != Status.ACTIVE && offer.status != Status.PAUSED) revert WrongStatus(offerId, offer.status);
        _setStatus(offerId, offer, Status.SUSPENDED);
    }

    /// @notice Lifts a suspension. The offer is paused then: its provider resumes it when it wants deals again.
    function unsuspend(bytes32 offerId) external onlyAttestations {
        Offer memory offer = _offers[offerId];
        if (offer.status != Status.SUSPENDED) revert WrongStatus(offerId, offer.status);
        _setStatus(offerId, offer, Status.PAUSED);
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @notice An offer as the chain keeps it; status NONE when there is none of this id.
    function get(bytes32 offerId) external view returns (Offer memory) {
        return _offers[offerId];
    }

    /// @notice Units that a new deal could take now.
    function freeUnits(bytes32 offerId) external view returns (uint16) {
        Offer storage offer = _offers[offerId];
        return offer.status == Status.ACTIVE && offer.units > offer.taken ? offer.units - offer.taken : 0;
    }

    /// @notice The provider's address, then 12 bytes of `keccak256(abi.encode(provider, salt))`: an id says whose it is.
    function offerIdOf(address provider, bytes32 salt) public pure returns (bytes32) {
        return bytes32(bytes20(provider)) | (keccak256(abi.encode(provider, salt)) >> 160);
    }

    /// @notice Whose offer an id names.
    function providerOf(bytes32 offerId) public pure returns (address) {
        return address(bytes20(offerId));
    }

    /// @notice Hash of everything a deal depends on: 20 bytes, so that an offer is one slot.
    function termsHashOf(
        address providerSigner,
        address token,
        uint128 price,
        uint32 unit,
        uint32 minSeconds,
        uint40 endsBy
    ) public pure returns (bytes20) {
        return bytes20(keccak256(abi.encode(providerSigner, token, price, unit, minSeconds, endsBy)));
    }

    // ------------------------------------------------------------------------------------------------ internal

    function _ownedAlive(bytes32 offerId) private view returns (Offer memory offer) {
        offer = _offers[offerId];
        if (offer.status == Status.NONE) revert UnknownOffer(offerId);
        if (providerOf(offerId) != msg.sender) revert NotProvider(offerId, msg.sender);
        if (offer.status == Status.DELISTED) revert WrongStatus(offerId, Status.DELISTED);
    }

    function _setStatus(bytes32 offerId, Offer memory offer, Status status) private {
        offer.status = status;
        offer.version += 1;
        _offers[offerId] = offer;
        emit StatusChanged(offerId, offer.version, status);
    }

    function _described(OfferParams calldata p, uint32 version, uint16 taken, Status status)
        private
        pure
        returns (Offer memory)
    {
        return Offer({
            termsHash: termsHashOf(p.providerSigner, p.token, p.price, p.unit, p.minSeconds, p.endsBy),
            version: version,
            units: p.units,
            taken: taken,
            gpuCount: uint8(p.gpuCount),
            gpuMemoryGb: uint16(p.gpuMemoryGb),
            status: status
        });
    }

    function _validate(OfferParams calldata p) private view {
        if (p.price == 0) revert BadPrice(p.price);
        if (p.unit != 60 && p.unit != 3_600 && p.unit != 86_400) revert BadUnit(p.unit);
        if (p.minSeconds < 60 || p.minSeconds > 600) revert BadMinSeconds(p.minSeconds);
        if (p.endsBy <= block.timestamp) revert BadEnd(p.endsBy);
        if (p.units == 0) revert BadUnits(p.units);
        if (p.gpuCount > type(uint8).max || p.gpuMemoryGb > type(uint16).max) {
            revert BadHardware(p.gpuCount, p.gpuMemoryGb);
        }
        if (p.providerSigner == address(0)) revert BadSigner(p.providerSigner);
        _checkText(p.gpuType, MAX_WORD_BYTES);
        _checkText(p.gpuModel, MAX_WORD_BYTES);
        _checkText(p.region, MAX_WORD_BYTES);
        _checkText(p.features, MAX_FEATURES_BYTES);
        if (p.token != address(0) && !parameters.isTokenAllowed(p.token)) revert TokenNotAllowed(p.token);
    }

    function _checkText(string calldata text, uint256 allowed) private pure {
        if (bytes(text).length > allowed) revert TextTooLong(bytes(text).length, allowed);
    }
}
