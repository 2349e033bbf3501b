// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {JobTerms, Jobs} from "./Jobs.sol";
import {Parameters} from "./Parameters.sol";
import {RentalMath} from "./RentalMath.sol";
import {Rentals, Terms} from "./Rentals.sol";
import {IStakes} from "./interfaces/IStakes.sol";

/// Both sides of a deal, and the keys that may speak for them; the zero address where there is none.
struct Parties {
    address renter;
    address provider;
    address renterKey;
    address providerKey;
}

/// @title Record
/// @notice Facts of settled paid deals, what both sides say about them, and the standing that decides whether a provider
/// gets new jobs. It moves no money and no deal depends on it.
/// @dev Deals do not report here, so closing one costs nothing more: anybody shows a settled paid deal by its terms, once.
/// Ratings are double-blind: both sides commit, then reveal.
contract Record is EIP712, Multicall {
    enum Side {
        RENTER,
        PROVIDER
    }

    /// @dev One slot: 16 + 40 + 32 * 4 = 184 bits.
    struct Standing {
        /// What is missing to `START_REPUTATION`.
        uint16 lost;
        /// Unix seconds of the last rejected result.
        uint40 rejectedAt;
        /// Recorded deals as provider and as renter.
        uint32 provided;
        uint32 rented;
        /// Deals that brought no result in time.
        uint32 strikes;
        /// Results that were rejected.
        uint32 rejections;
    }

    /// @dev One slot: 160 + 40 + 8 + 8 = 216 bits.
    struct Deal {
        /// Start of the hash of its `Parties`.
        bytes20 partiesHash;
        /// Unix seconds.
        uint40 recordedAt;
        /// What the renter gave the provider, 1 to 5; 0 before it is revealed.
        uint8 byRenter;
        /// What the provider gave the renter.
        uint8 byProvider;
    }

    /// @notice What everybody starts with, in hundredths of a point (100 points).
    uint16 public constant START_REPUTATION = 10_000;

    /// @notice How long after the last rejected result a provider can qualify again, in seconds.
    uint40 public constant REQUALIFY_SECONDS = 30 days;

    /// @notice How long after a deal is recorded both sides can commit to a rating, in seconds.
    uint40 public constant COMMIT_SECONDS = 14 days;

    /// @notice How long after that they can reveal it, in seconds.
    uint40 public constant REVEAL_SECONDS = 14 days;

    /// @notice Longest feedback, in bytes: a content id.
    uint256 public constant MAX_FEEDBACK_BYTES = 100;

    /// @dev keccak256("RatingCommit(bytes32 dealId,bytes32 commitment)")
    bytes32 public constant RATING_COMMIT_TYPEHASH = keccak256("RatingCommit(bytes32 dealId,bytes32 commitment)");

    Parameters public immutable parameters;
    Rentals public immutable rentals;
    Jobs public immutable jobs;
    IStakes public immutable stakes;

    /// @notice What a side has committed to: see `commitmentOf`.
    mapping(bytes32 dealId => mapping(Side => bytes32)) public commitments;

    mapping(address account => Standing) private _standings;
    mapping(bytes32 dealId => Deal) private _deals;

    /// @param token What it was paid in.
    /// @param paid Gross that the provider earned, in smallest units.
    event Recorded(bytes32 indexed dealId, Parties parties, address token, uint256 paid);
    event RatingCommitted(bytes32 indexed dealId, Side side, bytes32 commitment);
    /// @param side Who rates.
    /// @param feedback Content id of what it says; may be empty.
    event Rated(bytes32 indexed dealId, Side side, address indexed rated, uint8 score, string feedback);
    event Struck(address indexed provider, bytes32 indexed dealId, uint32 strikes);
    /// @param reputation What is left, in hundredths of a point.
    event Rejected(address indexed provider, bytes32 indexed dealId, uint16 reputation);
    event Requalified(address indexed provider, uint16 reputation);

    error NotModule(address caller);
    error NotPaid(bytes32 dealId);
    error AlreadyRecorded(bytes32 dealId);
    error UnknownDeal(bytes32 dealId);
    error WrongParties(bytes32 dealId);
    error CommitOver(bytes32 dealId, uint40 until);
    error AlreadyCommitted(bytes32 dealId, Side side);
    error EmptyCommitment();
    error BadSignature(address expected);
    error StillBlind(bytes32 dealId, uint40 until);
    error RevealOver(bytes32 dealId, uint40 until);
    error AlreadyRated(bytes32 dealId, Side side);
    error WrongReveal(bytes32 dealId, Side side);
    error BadScore(uint8 score);
    error FeedbackTooLong(uint256 bytesGiven, uint256 bytesAllowed);
    error StillActive(address provider);
    error TooEarly(address provider, uint40 requalifyFrom);
    error InactiveStake(address provider);

    /// @dev The modules know this contract and it knows them, so their addresses are computed before they are deployed.
    constructor(Parameters parameters_, Rentals rentals_, Jobs jobs_, IStakes stakes_) EIP712("Commonwatt", "1") {
        parameters = parameters_;
        rentals = rentals_;
        jobs = jobs_;
        stakes = stakes_;
    }

    modifier onlyJobs() {
        if (msg.sender != address(jobs)) revert NotModule(msg.sender);
        _;
    }

    // ------------------------------------------------------------------------------------------------ facts

    /// @notice Records a closed lease that was paid for.
    function recordLease(Terms calldata terms) external {
        bytes32 dealId = rentals.leaseIdOf(terms);
        Rentals.Lease memory lease = rentals.get(dealId);
        uint256 paid =
            lease.state == Rentals.State.CLOSED ? RentalMath.billFor(terms.price, terms.unit, lease.paidSeconds) : 0;
        _record(dealId, Parties(terms.renter, terms.provider, terms.signer, terms.providerSigner), terms.token, paid);
    }

    /// @notice Records a verified job, or one copy of it, that was paid for.
    function recordJob(JobTerms calldata terms, bytes32 offerId) external {
        (bytes32 dealId, uint256 paid) = jobs.paidFor(terms, offerId);
        address provider = address(bytes20(offerId));
        _record(dealId, Parties(terms.renter, provider, address(0), jobs.operatorOf(provider)), terms.token, paid);
    }

    /// @notice Counts a deal that brought no result in time.
    function strike(address provider, bytes32 dealId) external onlyJobs {
        uint32 strikes = ++_standings[provider].strikes;
        emit Struck(provider, dealId, strikes);
    }

    /// @notice Takes a third of a provider's reputation for a rejected result.
    function reject(address provider, bytes32 dealId) external onlyJobs {
        Standing memory s = _standings[provider];
        uint16 left = uint16(uint256(START_REPUTATION - s.lost) * 2 / 3);
        s.lost = START_REPUTATION - left;
        s.rejectedAt = uint40(block.timestamp);
        s.rejections += 1;
        _standings[provider] = s;
        emit Rejected(provider, dealId, left);
    }

    /// @notice Lets an inactive provider take jobs again: 30 days after its last rejected result, with a stake that counts.
    /// It comes back with just enough reputation.
    function requalify() external {
        Standing memory s = _standings[msg.sender];
        uint16 least = parameters.inactiveBelow() * 100;
        if (START_REPUTATION - s.lost >= least) revert StillActive(msg.sender);
        if (block.timestamp < s.rejectedAt + REQUALIFY_SECONDS) {
            revert TooEarly(msg.sender, s.rejectedAt + REQUALIFY_SECONDS);
        }
        if (!stakes.isActive(IStakes.Role.PROVIDER, msg.sender)) revert InactiveStake(msg.sender);
        _standings[msg.sender].lost = START_REPUTATION - least;
        emit Requalified(msg.sender, least);
    }

    // ------------------------------------------------------------------------------------------------ ratings

    /// @notice Commits one side of a recorded deal to its rating. Once.
    /// @param commitment `commitmentOf(dealId, side, score, feedback, salt)`.
    /// @param signature Of `RatingCommit(dealId, commitment)` by that side or its key; not looked at when one of them calls.
    function commitRating(
        bytes32 dealId,
        Parties calldata parties,
        Side side,
        bytes32 commitment,
        bytes calldata signature
    ) external {
        Deal memory deal = _known(dealId);
        if (deal.partiesHash != _hashOf(parties)) revert WrongParties(dealId);
        if (block.timestamp >= deal.recordedAt + COMMIT_SECONDS) {
            revert CommitOver(dealId, deal.recordedAt + COMMIT_SECONDS);
        }
        if (commitment == 0) revert EmptyCommitment();
        if (commitments[dealId][side] != 0) revert AlreadyCommitted(dealId, side);
        _checkSpeaks(
            side == Side.RENTER ? parties.renter : parties.provider,
            side == Side.RENTER ? parties.renterKey : parties.providerKey,
            _hashTypedDataV4(keccak256(abi.encode(RATING_COMMIT_TYPEHASH, dealId, commitment))),
            signature
        );
        commitments[dealId][side] = commitment;
        emit RatingCommitted(dealId, side, commitment);
    }

    /// @notice Reveals a rating, once both sides have committed or their time for it is over. Anybody who knows it may.
    /// @param score 1 to 5.
    /// @param feedback Content id of what the side says; may be empty.
    function revealRating(
        bytes32 dealId,
        Parties calldata parties,
        Side side,
        uint8 score,
        string calldata feedback,
        bytes32 salt
    ) external {
        Deal memory deal = _known(dealId);
        if (deal.partiesHash != _hashOf(parties)) revert WrongParties(dealId);
        _checkRevealing(dealId, deal.recordedAt);
        if ((side == Side.RENTER ? deal.byRenter : deal.byProvider) != 0) revert AlreadyRated(dealId, side);
        if (score == 0 || score > 5) revert BadScore(score);
        if (bytes(feedback).length > MAX_FEEDBACK_BYTES) {
            revert FeedbackTooLong(bytes(feedback).length, MAX_FEEDBACK_BYTES);
        }
        if (commitments[dealId][side] != commitmentOf(dealId, side, score, feedback, salt)) {
            revert WrongReveal(dealId, side);
        }
        if (side == Side.RENTER) deal.byRenter = score;
        else deal.byProvider = score;
        _deals[dealId] = deal;
        emit Rated(dealId, side, side == Side.RENTER ? parties.provider : parties.renter, score, feedback);
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @notice An account's standing as the chain keeps it.
    function standingOf(address account) external view returns (Standing memory) {
        return _standings[account];
    }

    /// @notice A recorded deal; `recordedAt` is 0 when there is none of this id.
    function get(bytes32 dealId) external view returns (Deal memory) {
        return _deals[dealId];
    }

    /// @notice Reputation in hundredths of a point: 100 points to begin with, two thirds of it after each rejected result.
    function reputationOf(address account) public view returns (uint16) {
        return START_REPUTATION - _standings[account].lost;
    }

    /// @notice Whether a provider's reputation lets it take new jobs.
    function isActive(address provider) external view returns (bool) {
        uint16 lost = _standings[provider].lost;
        return lost == 0 || START_REPUTATION - lost >= parameters.inactiveBelow() * 100;
    }

    /// @notice What to commit to: bound to deal and side, so that copying it is of no use.
    function commitmentOf(bytes32 dealId, Side side, uint8 score, string calldata feedback, bytes32 salt)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(dealId, side, score, keccak256(bytes(feedback)), salt));
    }

    /// @notice The EIP-712 domain separator that ratings are committed under.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ------------------------------------------------------------------------------------------------ internal

    function _record(bytes32 dealId, Parties memory parties, address token, uint256 paid) private {
        if (paid == 0) revert NotPaid(dealId);
        if (_deals[dealId].recordedAt != 0) revert AlreadyRecorded(dealId);
        _deals[dealId] = Deal(_hashInMemory(parties), uint40(block.timestamp), 0, 0);
        ++_standings[parties.provider].provided;
        ++_standings[parties.renter].rented;
        emit Recorded(dealId, parties, token, paid);
    }

    function _known(bytes32 dealId) private view returns (Deal memory deal) {
        deal = _deals[dealId];
        if (deal.recordedAt == 0) revert UnknownDeal(dealId);
    }

    function _checkRevealing(bytes32 dealId, uint40 recordedAt) private view {
        uint40 blindUntil = recordedAt + COMMIT_SECONDS;
        bool both = commitments[dealId][Side.RENTER] != 0 && commitments[dealId][Side.PROVIDER] != 0;
        if (!both && block.timestamp < blindUntil) revert StillBlind(dealId, blindUntil);
        if (block.timestamp >= blindUntil + REVEAL_SECONDS) revert RevealOver(dealId, blindUntil + REVEAL_SECONDS);
    }

    function _checkSpeaks(address party, address key, bytes32 digest, bytes calldata signature) private view {
        if (msg.sender == party || msg.sender == key) return;
        if (SignatureChecker.isValidSignatureNow(party, digest, signature)) return;
        if (key != address(0) && SignatureChecker.isValidSignatureNow(key, digest, signature)) return;
        revert BadSignature(party);
    }

    function _hashOf(Parties calldata parties) private pure returns (bytes20) {
        return bytes20(keccak256(abi.encode(parties)));
    }

    function _hashInMemory(Parties memory parties) private pure returns (bytes20) {
        return bytes20(keccak256(abi.encode(parties)));
    }
}
