// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Attestations} from "./Attestations.sol";
import {IStakes} from "./interfaces/IStakes.sol";

/// @title Juries
/// @notice Decides disputed results: up to seven validators, drawn by stake after a result is challenged, commit to what
/// they found and reveal it; five have to say the same.
/// @dev A challenge fixes the epoch it falls into, whose candidates and their weights stand since before that epoch, as
/// `Attestations` keeps them. The seed is those candidates' secrets, which are revealed when the epoch is over: while a
/// result can be challenged nobody knows them all, and no block, neither the challenge's nor the draw's, has a part in it.
/// Who has kept its secret, has less stake than it entered with, is barred or is a party to the case does not sit.
contract Juries is Multicall {
    /// What a member can find; NONE also is a jury's answer when it finds nothing.
    enum Verdict {
        NONE,
        VALID,
        INVALID,
        /// The result cannot be had, so nobody can tell. It counts as INVALID.
        UNAVAILABLE
    }

    /// @dev One slot: 40 + 40 + 32 + 8 * 5 = 152 bits.
    struct Case {
        /// Unix seconds until which members commit; 0 while they are not drawn.
        uint40 commitUntil;
        /// Unix seconds until which they reveal; while they are not drawn, until which they can be.
        uint40 revealUntil;
        /// The epoch of the challenge.
        uint32 epoch;
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

    /// @param drawFrom Unix seconds from which the jury can be drawn.
    /// @param drawUntil Unix seconds at which the case is over if nobody has.
    event Opened(bytes32 indexed caseId, uint32 epoch, uint40 drawFrom, uint40 drawUntil);
    /// @param members With fewer than five the case is over.
    event Drawn(bytes32 indexed caseId, address[] members, uint40 commitUntil, uint40 revealUntil);
    event Committed(bytes32 indexed caseId, uint256 seat, bytes32 commitment);
    event Voted(bytes32 indexed caseId, uint256 seat, Verdict verdict);

    error NotModule(address caller);
    error CaseExists(bytes32 caseId);
    error NotDrawing(bytes32 caseId);
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

    /// @notice Opens a case. Where fewer than five validators have entered the draw it is over at once.
    function open(bytes32 caseId) external {
        if (msg.sender != jobs) revert NotModule(msg.sender);
        if (_cases[caseId].revealUntil != 0) revert CaseExists(caseId);
        uint32 epoch = attestations.epoch();
        if (attestations.candidateCount(epoch) < QUORUM) {
            _seat(caseId, epoch, new address[](0));
            return;
        }
        // As long as the committee of that epoch sits: from the end of its reveals, for as long as an epoch.
        uint256 epochSeconds = attestations.EPOCH_SECONDS();
        uint40 drawFrom = uint40((uint256(epoch) + 1) * epochSeconds + attestations.REVEAL_SECONDS());
        uint40 drawUntil = drawFrom + uint40(epochSeconds);
        _cases[caseId] = Case(0, drawUntil, epoch, 0, 0, 0, 0, 0);
        emit Opened(caseId, epoch, drawFrom, drawUntil);
    }

    /// @notice Draws the jury of a case, once, while the committee of the challenge's epoch sits. Where fewer than five can
    /// be found there is no quorum, and the case is over.
    /// @param parties Who does not sit.
    function draw(bytes32 caseId, address[3] calldata parties) external {
        if (msg.sender != jobs) revert NotModule(msg.sender);
        Case memory c = _cases[caseId];
        if (c.commitUntil != 0 || attestations.sittingEpoch() != c.epoch) revert NotDrawing(caseId);
        _seat(caseId, c.epoch, _draw(caseId, c.epoch, parties));
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

    /// The time of a jury counts from its draw.
    function _seat(bytes32 caseId, uint32 epoch, address[] memory members) private {
        uint40 now_ = uint40(block.timestamp);
        bool able = members.length >= QUORUM;
        uint40 commitUntil = able ? now_ + COMMIT_SECONDS : now_;
        uint40 revealUntil = able ? commitUntil + REVEAL_SECONDS : now_;
        _cases[caseId] = Case(commitUntil, revealUntil, epoch, uint8(members.length), 0, 0, 0, 0);
        for (uint256 seat; seat < members.length; seat++) memberOf[caseId][seat] = members[seat];
        emit Drawn(caseId, members, commitUntil, revealUntil);
    }

    function _draw(bytes32 caseId, uint32 epoch, address[3] calldata parties)
        private
        view
        returns (address[] memory members)
    {
        members = new address[](SEATS);
        uint256 seats;
        uint256 count = attestations.candidateCount(epoch);
        (Attestations.Candidate memory last,) = attestations.candidateAt(epoch, count - 1);
        bytes32 seed = keccak256(abi.encode(attestations.seedOf(epoch), caseId));
        for (uint256 i; i < MAX_DRAWS && seats < SEATS; i++) {
            (address validator, uint256 weight, bool revealed) =
                _at(epoch, count, uint256(keccak256(abi.encode(seed, i))) % last.weightSum);
            if (!revealed || _isIn(members, seats, validator) || !_maySit(validator, weight, parties)) continue;
            members[seats++] = validator;
        }
        assembly ("memory-safe") {
            mstore(members, seats)
        }
    }

    /// The candidate on whom a draw falls, the first whose weight sum is above it: its weight, and whether its secret is out.
    function _at(uint32 epoch, uint256 count, uint256 draw_)
        private
        view
        returns (address validator, uint256 weight, bool revealed)
    {
        (uint256 low, uint256 high, uint256 before) = (0, count - 1, 0);
        Attestations.Candidate memory candidate;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            (candidate,) = attestations.candidateAt(epoch, middle);
            if (candidate.weightSum > draw_) high = middle;
            else (low, before) = (middle + 1, candidate.weightSum);
        }
        Attestations.Signer memory signer;
        (candidate, signer) = attestations.candidateAt(epoch, low);
        return (candidate.validator, candidate.weightSum - before, signer.revealed);
    }

    function _isIn(address[] memory members, uint256 count, address one) private pure returns (bool) {
        for (uint256 i; i < count; i++) {
            if (members[i] == one) return true;
        }
        return false;
    }

    /// What a validator needs is what it had when it entered, whatever the least stake has become since.
    function _maySit(address validator, uint256 weight, address[3] calldata parties) private view returns (bool) {
        if (validator == parties[0] || validator == parties[1] || validator == parties[2]) return false;
        return !attestations.isBarred(validator) && stakes.stakedOf(IStakes.Role.VALIDATOR, validator) >= weight;
    }
}
