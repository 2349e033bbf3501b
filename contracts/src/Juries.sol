// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Attestations} from "./Attestations.sol";
import {IStakes} from "./interfaces/IStakes.sol";

/// @title Juries
/// @notice Decides disputed results: up to seven validators, drawn by stake when a result is challenged, commit to what
/// they found and reveal it; five have to say the same.
/// @dev Drawn from the candidates of the epoch whose committee sits, weighted by the stake they had when they entered, as
/// `Attestations` keeps it: validators that were there a day ago and still have their stake. The block's randomness is
/// part of the seed, so nobody knows a jury before its case. Parties to the case do not sit.
contract Juries is Multicall {
    /// What a member can find; NONE also is a jury's answer when it finds nothing.
    enum Verdict {
        NONE,
        VALID,
        INVALID,
        /// The result cannot be had, so nobody can tell. It counts as INVALID.
        UNAVAILABLE
    }

    /// @dev One slot: 40 + 40 + 8 * 5 = 120 bits.
    struct Case {
        /// Unix seconds until which members commit.
        uint40 commitUntil;
        /// Unix seconds until which they reveal.
        uint40 revealUntil;
        /// Members; how many have committed and revealed.
        uint8 seats;
        uint8 committed;
        uint8 revealed;
        /// How many revealed VALID, and how many anything else.
        uint8 valid;
        uint8 invalid;
    }

    /// @notice Members of a full jury.
    uint256 public constant SEATS = 7;

    /// @notice Members who have to agree.
    uint256 public constant QUORUM = 5;

    /// @notice Draws after which a jury stays as incomplete as it is.
    uint256 public constant MAX_DRAWS = 32;

    /// @notice How long members have to look and commit, in seconds.
    uint40 public constant COMMIT_SECONDS = 24 hours;

    /// @notice How long they have to reveal after that, in seconds.
    uint40 public constant REVEAL_SECONDS = 12 hours;

    IStakes public immutable stakes;
    Attestations public immutable attestations;

    /// @notice The bounties contract: opens cases.
    address public immutable jobs;

    /// @notice Who sits where in a case.
    mapping(bytes32 caseId => mapping(uint256 seat => address validator)) public memberOf;

    /// @notice What a member has committed to and not revealed yet.
    mapping(bytes32 caseId => mapping(uint256 seat => bytes32)) public commitments;

    mapping(bytes32 caseId => Case) private _cases;

    event Opened(bytes32 indexed caseId, address[] members, uint40 commitUntil, uint40 revealUntil);
    event Committed(bytes32 indexed caseId, uint256 seat, bytes32 commitment);
    event Voted(bytes32 indexed caseId, uint256 seat, Verdict verdict);

    error NotModule(address caller);
    error CaseExists(bytes32 caseId);
    error NotMember(bytes32 caseId, uint256 seat, address caller);
    error EmptyCommitment();
    error AlreadyCommitted(bytes32 caseId, uint256 seat);
    error CommitOver(bytes32 caseId, uint40 commitUntil);
    error NotRevealing(bytes32 caseId);
    error WrongReveal(bytes32 caseId, uint256 seat);
    error BadVerdict(Verdict verdict);

    constructor(IStakes stakes_, Attestations attestations_, address jobs_) {
        stakes = stakes_;
        attestations = attestations_;
        jobs = jobs_;
    }

    /// @notice Draws the jury of a case. Where fewer than five can be found there is no quorum, and the case is over.
    /// @param parties Who does not sit.
    function open(bytes32 caseId, address[3] calldata parties) external {
        if (msg.sender != jobs) revert NotModule(msg.sender);
        if (_cases[caseId].revealUntil != 0) revert CaseExists(caseId);
        address[] memory members = _draw(caseId, parties);
        uint40 now_ = uint40(block.timestamp);
        bool able = members.length >= QUORUM;
        uint40 commitUntil = able ? now_ + COMMIT_SECONDS : now_;
        uint40 revealUntil = able ? commitUntil + REVEAL_SECONDS : now_;
        _cases[caseId] = Case(commitUntil, revealUntil, uint8(members.length), 0, 0, 0, 0);
        for (uint256 seat; seat < members.length; seat++) memberOf[caseId][seat] = members[seat];
        emit Opened(caseId, members, commitUntil, revealUntil);
    }

    /// @notice Commits a member to what it found. Once.
    /// @param commitment `commitmentOf(caseId, validator, verdict, salt)`.
    function commit(bytes32 caseId, uint256 seat, bytes32 commitment) external {
        address validator = memberOf[caseId][seat];
        if (validator == address(0) || (msg.sender != validator && msg.sender != attestations.operatorOf(validator))) {
            revert NotMember(caseId, seat, msg.sender);
        }
        if (commitment == 0) revert EmptyCommitment();
        Case storage c = _cases[caseId];
        if (block.timestamp >= c.commitUntil) revert CommitOver(caseId, c.commitUntil);
        // Once all have committed verdicts are revealed, which frees a commitment's slot: nobody gets a second one.
        if (commitments[caseId][seat] != 0 || c.committed == c.seats) revert AlreadyCommitted(caseId, seat);
        commitments[caseId][seat] = commitment;
        ++c.committed;
        emit Committed(caseId, seat, commitment);
    }

    /// @notice Reveals what a member committed to, once all have or their time is over. Anybody who knows it may.
    function reveal(bytes32 caseId, uint256 seat, Verdict verdict, bytes32 salt) external {
        if (verdict == Verdict.NONE) revert BadVerdict(verdict);
        Case memory c = _cases[caseId];
        if ((block.timestamp < c.commitUntil && c.committed < c.seats) || block.timestamp >= c.revealUntil) {
            revert NotRevealing(caseId);
        }
        if (commitments[caseId][seat] != commitmentOf(caseId, memberOf[caseId][seat], verdict, salt)) {
            revert WrongReveal(caseId, seat);
        }
        // No hash is 0, so nothing is revealed twice.
        delete commitments[caseId][seat];
        ++c.revealed;
        if (verdict == Verdict.VALID) ++c.valid;
        else ++c.invalid;
        _cases[caseId] = c;
        emit Voted(caseId, seat, verdict);
    }

    /// @notice What a case has come to.
    /// @return verdict VALID or INVALID with a quorum, else NONE.
    /// @return over Whether that stands.
    /// @return endsAt Unix seconds at which it stands at the latest.
    function verdictOf(bytes32 caseId) external view returns (Verdict verdict, bool over, uint40 endsAt) {
        Case memory c = _cases[caseId];
        endsAt = c.revealUntil;
        if (c.valid >= QUORUM) return (Verdict.VALID, true, endsAt);
        if (c.invalid >= QUORUM) return (Verdict.INVALID, true, endsAt);
        return (Verdict.NONE, block.timestamp >= endsAt, endsAt);
    }

    /// @notice A case as the chain keeps it.
    function get(bytes32 caseId) external view returns (Case memory) {
        return _cases[caseId];
    }

    /// @notice What to commit to: bound to case and member, so that copying it is of no use.
    function commitmentOf(bytes32 caseId, address validator, Verdict verdict, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(caseId, validator, verdict, salt));
    }

    // ------------------------------------------------------------------------------------------------ internal

    function _draw(bytes32 caseId, address[3] calldata parties) private view returns (address[] memory members) {
        members = new address[](SEATS);
        uint256 seats;
        uint32 epoch = attestations.sittingEpoch();
        uint256 count = attestations.candidateCount(epoch);
        if (count != 0) {
            (Attestations.Candidate memory last,) = attestations.candidateAt(epoch, count - 1);
            bytes32 seed = keccak256(abi.encode(attestations.seedOf(epoch), block.prevrandao, caseId));
            for (uint256 i; i < MAX_DRAWS && seats < SEATS; i++) {
                address validator = _at(epoch, count, uint256(keccak256(abi.encode(seed, i))) % last.weightSum);
                if (_sits(members, seats, validator) || !_maySit(validator, parties)) continue;
                members[seats++] = validator;
            }
        }
        assembly ("memory-safe") {
            mstore(members, seats)
        }
    }

    /// The candidate on whom a draw falls: the first whose weight sum is above it.
    function _at(uint32 epoch, uint256 count, uint256 draw) private view returns (address validator) {
        (uint256 low, uint256 high) = (0, count - 1);
        Attestations.Candidate memory candidate;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            (candidate,) = attestations.candidateAt(epoch, middle);
            if (candidate.weightSum > draw) high = middle;
            else low = middle + 1;
        }
        (candidate,) = attestations.candidateAt(epoch, low);
        return candidate.validator;
    }

    function _sits(address[] memory members, uint256 count, address one) private pure returns (bool) {
        for (uint256 i; i < count; i++) {
            if (members[i] == one) return true;
        }
        return false;
    }

    function _maySit(address validator, address[3] calldata parties) private view returns (bool) {
        if (validator == parties[0] || validator == parties[1] || validator == parties[2]) return false;
        return !attestations.isBarred(validator) && stakes.isActive(IStakes.Role.VALIDATOR, validator);
    }
}
