// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Juries} from "./Juries.sol";
import {Offers} from "./Offers.sol";
import {Parameters} from "./Parameters.sol";
import {Record} from "./Record.sol";
import {Vault} from "./Vault.sol";
import {IStakes} from "./interfaces/IStakes.sol";

/// A job's whole agreement. It is not stored: the job's id is its hash, the posting event carries it, callers pass it.
struct JobTerms {
    address renter;
    /// The only provider that may take it; the zero address for anybody.
    address assignee;
    /// Decides a dispute in which the jury finds no quorum; the zero address for nobody.
    address arbiter;
    /// What bounty and bond are in; the zero address is ETH.
    address token;
    /// Smallest units, fee included. Several copies share it.
    uint128 bounty;
    /// Smallest units that each taker locks; at least its late fee, and at least the bounty in tier 1.
    uint128 bond;
    /// Unix seconds before which a result has to be submitted.
    uint40 deadline;
    /// Seconds that a taker has at least: it cannot be taken later than this before the deadline.
    uint32 minRun;
    /// Seconds after a submission within which it can be challenged, or results of copies revealed.
    uint32 window;
    /// Smallest units of WATT a taker has staked; at least the network's minimum.
    uint96 minStake;
    /// Cards and memory of one card in GiB that the taker's offer has at least.
    uint8 gpuCount;
    uint16 gpuMemoryGb;
    /// How results are checked, 0 to 3. Tier 2 runs several copies.
    uint8 tier;
    /// Providers that run it, one copy each, and how many of them have to agree: 1 and 1 outside tier 2.
    uint8 copies;
    uint8 agree;
    /// Network fee on the bounty, in hundredths of a percent.
    uint16 feeBps;
    /// Share of the taker's stake that a rejected result costs, in hundredths of a percent.
    uint16 slashBps;
    /// keccak256 of the spec's bytes.
    bytes32 specHash;
    bytes32 salt;
}

/// @title Jobs
/// @notice Bounties in escrow: a renter posts work, a provider takes it with a bond and a unit of one of its offers,
/// submits one result before the deadline, and is paid when the renter accepts or stays silent for the window.
/// @dev A deal is one provider's run of a job. With one copy its id is the job's, with several it is
/// `copyIdOf(jobId, provider)`. Callers pass the offer that a deal holds a unit of; its hash is kept. Every state is left
/// in bounded time by a call that anybody can make, and none of these can be paused.
contract Jobs is EIP712, Multicall {
    enum State {
        NONE,
        OPEN,
        ASSIGNED,
        SUBMITTED,
        DISPUTED,
        /// A copy whose result is known and waits for the others.
        REVEALED,
        VERIFIED,
        REFUNDED,
        REJECTED,
        /// A copy whose result was not the one agreed on.
        OUTVOTED
    }

    /// @dev One slot: 160 + 40 + 8 + 8 + 8 + 8 + 8 = 240 bits.
    struct Job {
        /// Start of the hash of the offer that the deal holds a unit of.
        bytes20 offerHash;
        /// Unix seconds at which the window ends; 0 before it begins.
        uint40 until;
        /// Of a job with several copies: how many are taken, submitted, revealed, and agree on the result.
        uint8 taken;
        uint8 submitted;
        uint8 revealed;
        uint8 agreeing;
        State state;
    }

    /// @notice Longest spec, in bytes.
    uint256 public constant MAX_SPEC_BYTES = 8_192;

    /// @notice Bounds of a window, in seconds.
    uint32 public constant MIN_WINDOW_SECONDS = 30 minutes;
    uint32 public constant MAX_WINDOW_SECONDS = 14 days;

    /// @notice Farthest deadline, in seconds from the posting.
    uint40 public constant MAX_DEADLINE_SECONDS = 90 days;

    /// @notice How long an arbiter has to decide, in seconds.
    uint40 public constant ARBITER_SECONDS = 7 days;

    /// @notice Most copies of a job.
    uint8 public constant MAX_COPIES = 15;

    /// @notice What a late taker pays, and what a challenger locks, in hundredths of a percent of the bounty (of a copy's
    /// part of it).
    uint16 public constant LATE_FEE_BPS = 1_000;
    uint16 public constant CHALLENGE_BPS = 1_000;

    /// @dev keccak256("Acceptance(bytes32 jobId,bytes32 offerId,uint40 validUntil)")
    bytes32 public constant ACCEPTANCE_TYPEHASH = keccak256("Acceptance(bytes32 jobId,bytes32 offerId,uint40 validUntil)");

    uint256 internal constant BPS = 10_000;

    Parameters public immutable parameters;
    Vault public immutable vault;
    Offers public immutable offers;
    IStakes public immutable stakes;
    Juries public immutable juries;
    Record public immutable record;

    /// @notice The key that may take, sign and submit for a provider besides itself, so that its wallet stays locked.
    mapping(address provider => address operator) public operatorOf;

    /// @notice Who challenged a result.
    mapping(bytes32 jobId => address) public challengerOf;

    /// @notice Of a copy: what it committed to, then what it revealed. Of a job with copies: the result agreed on.
    mapping(bytes32 id => bytes32) public resultOf;

    mapping(bytes32 id => Job) private _jobs;

    /// @dev How many copies of a job have revealed a result.
    mapping(bytes32 jobId => mapping(bytes32 resultId => uint8)) private _votes;

    event OperatorSet(address indexed provider, address operator);
    event Posted(bytes32 indexed jobId, address indexed renter, JobTerms terms, string spec);
    event Cancelled(bytes32 indexed jobId);
    /// @param dealId The provider's run of the job; the job's own id where there is one copy.
    event Assigned(bytes32 indexed dealId, bytes32 indexed jobId, address indexed provider, bytes32 offerId);
    /// @param resultId Content id of the result; of a copy, the commitment to it.
    /// @param until Unix seconds at which the window ends; 0 where it does not begin with this.
    event Submitted(bytes32 indexed dealId, bytes32 resultId, uint40 until);
    event Challenged(bytes32 indexed dealId, address indexed challenger, uint256 bond);
    event Revealed(bytes32 indexed dealId, bytes32 resultId);
    /// @param resultId What enough copies agree on; 0 where they do not.
    /// @param agreeing How many share the bounty.
    /// @param refund Smallest units that go back to the renter.
    event Concluded(bytes32 indexed jobId, bytes32 resultId, uint8 agreeing, uint256 refund);
    /// @param state VERIFIED, REFUNDED, REJECTED or OUTVOTED.
    /// @param paid Gross that the provider earned, `fee` included.
    /// @param refund Smallest units of the bounty that went back to the renter.
    /// @param forfeit Part of the provider's bond that went to the renter.
    event Settled(bytes32 indexed dealId, State state, uint256 paid, uint256 fee, uint256 refund, uint256 forfeit);

    error NotRenter(address caller, address renter);
    error NotProvider(address caller, address provider);
    error NotArbiter(address caller, address arbiter);
    error DealsPaused(uint40 until);
    error FeeChanged(uint16 given, uint16 current);
    error SlashChanged(uint16 given, uint16 current);
    error JobExists(bytes32 jobId);
    error WrongState(bytes32 id, State state);
    error TokenNotAllowed(address token);
    error BadBounty(uint128 bounty);
    error BondTooLow(uint128 bond, uint256 least);
    error BadDeadline(uint40 deadline);
    error BadWindow(uint32 window);
    error BadTier(uint8 tier, uint8 copies, uint8 agree);
    error StakeTooLow(uint256 stake, uint256 least);
    error SpecTooLong(uint256 bytesGiven, uint256 bytesAllowed);
    error WrongSpec(bytes32 given, bytes32 expected);
    error TooLate(uint256 time, uint40 deadline);
    error NotAssignee(address provider, address assignee);
    error HardwareTooSmall(bytes32 offerId, uint8 gpuCount, uint16 gpuMemoryGb);
    error InactiveProvider(address provider);
    error NoCopyLeft(bytes32 jobId, uint8 copies);
    error AcceptanceExpired(uint40 validUntil);
    error BadSignature(address expected);
    error WrongOffer(bytes32 offerId);
    error EmptyResult();
    error NotExpired(bytes32 dealId, uint256 expiresAt);
    error WindowOpen(bytes32 id, uint40 until);
    error WindowOver(bytes32 id, uint256 until);
    error StillDisputed(bytes32 jobId);
    error HasCopies(bytes32 jobId);
    error NoCopies(bytes32 jobId);
    error NotRevealing(bytes32 jobId);
    error WrongReveal(bytes32 dealId);
    error ValueForToken(address token);

    constructor(
        Parameters parameters_,
        Vault vault_,
        Offers offers_,
        IStakes stakes_,
        Juries juries_,
        Record record_
    ) EIP712("Commonwatt", "1") {
        parameters = parameters_;
        vault = vault_;
        offers = offers_;
        stakes = stakes_;
        juries = juries_;
        record = record_;
    }

    // ------------------------------------------------------------------------------------------------ renter

    /// @notice Posts a job and puts its bounty into escrow, from the renter's Vault balance or, for ETH, from the value
    /// sent along.
    /// @param spec What is to be done, as JSON; its hash stands in the terms.
    function post(JobTerms calldata terms, string calldata spec) external payable returns (bytes32 jobId) {
        if (msg.sender != terms.renter) revert NotRenter(msg.sender, terms.renter);
        _checkTerms(terms);
        if (bytes(spec).length > MAX_SPEC_BYTES) revert SpecTooLong(bytes(spec).length, MAX_SPEC_BYTES);
        if (keccak256(bytes(spec)) != terms.specHash) revert WrongSpec(keccak256(bytes(spec)), terms.specHash);

        jobId = jobIdOf(terms);
        if (_jobs[jobId].state != State.NONE) revert JobExists(jobId);
        _jobs[jobId].state = State.OPEN;
        emit Posted(jobId, terms.renter, terms, spec);
        _escrow(terms.token, terms.renter, terms.bounty);
    }

    /// @notice Takes an open job back, as long as nobody has taken it. Anybody may once its deadline is over.
    function cancel(JobTerms calldata terms) external {
        if (msg.sender != terms.renter && block.timestamp < terms.deadline) revert NotRenter(msg.sender, terms.renter);
        bytes32 jobId = jobIdOf(terms);
        Job storage job = _jobs[jobId];
        if (job.state != State.OPEN || job.taken != 0) revert WrongState(jobId, job.state);
        job.state = State.REFUNDED;
        emit Cancelled(jobId);
        vault.unlock(terms.token, terms.renter, terms.bounty);
    }

    /// @notice Gives the job to a provider that has signed for it.
    /// @param validUntil Unix seconds until which the acceptance counts.
    /// @param signature By the provider or its operator, of `Acceptance(jobId, offerId, validUntil)`.
    function assign(JobTerms calldata terms, bytes32 offerId, uint40 validUntil, bytes calldata signature) external {
        if (msg.sender != terms.renter) revert NotRenter(msg.sender, terms.renter);
        if (block.timestamp > validUntil) revert AcceptanceExpired(validUntil);
        bytes32 jobId = jobIdOf(terms);
        address provider = _providerOf(offerId);
        _checkSigned(
            provider,
            _hashTypedDataV4(keccak256(abi.encode(ACCEPTANCE_TYPEHASH, jobId, offerId, validUntil))),
            signature
        );
        _assign(terms, jobId, offerId);
    }

    /// @notice Accepts a submitted result: the provider is paid now.
    function accept(JobTerms calldata terms, bytes32 offerId) external {
        if (msg.sender != terms.renter) revert NotRenter(msg.sender, terms.renter);
        (bytes32 jobId,) = _requireSingle(terms, offerId, State.SUBMITTED);
        _payBounty(terms, jobId, offerId);
    }

    // ------------------------------------------------------------------------------------------------ provider

    /// @notice Names the key that may act for the caller here.
    /// @param operator An EOA, such as the host's key; the zero address for none.
    function setOperator(address operator) external {
        operatorOf[msg.sender] = operator;
        emit OperatorSet(msg.sender, operator);
    }

    /// @notice Takes an open job. The bond is locked from the provider's Vault balance, a unit of the offer is taken.
    /// @param offerId An offer of the provider that has what the job asks for and a free unit.
    function claim(JobTerms calldata terms, bytes32 offerId) external {
        _checkProvider(offerId);
        _assign(terms, jobIdOf(terms), offerId);
    }

    /// @notice Submits the result, once, before the deadline.
    /// @param resultId Content id of the result. Of a copy: `commitmentOf(jobId, provider, resultId, salt)`.
    function submit(JobTerms calldata terms, bytes32 offerId, bytes32 resultId) external {
        _checkProvider(offerId);
        if (resultId == 0) revert EmptyResult();
        if (block.timestamp >= terms.deadline) revert TooLate(block.timestamp, terms.deadline);
        bytes32 jobId = jobIdOf(terms);
        bytes32 dealId = _dealIdOf(terms, jobId, offerId);
        Job storage deal = _requireDeal(dealId, offerId, State.ASSIGNED);
        uint40 until = uint40(block.timestamp) + terms.window;
        deal.state = State.SUBMITTED;
        if (terms.copies != 1) {
            resultOf[dealId] = resultId;
            Job memory job = _jobs[jobId];
            if (++job.submitted == terms.copies) job.until = until;
            until = job.until;
            _jobs[jobId] = job;
        } else {
            deal.until = until;
        }
        emit Submitted(dealId, resultId, until);
    }

    // ------------------------------------------------------------------------------------------------ anybody

    /// @notice Pays for a result that nobody has challenged within the window.
    function finalize(JobTerms calldata terms, bytes32 offerId) external {
        (bytes32 jobId, Job storage job) = _requireSingle(terms, offerId, State.SUBMITTED);
        if (block.timestamp < job.until) revert WindowOpen(jobId, job.until);
        _payBounty(terms, jobId, offerId);
    }

    /// @notice Ends a deal that brought no result in time, or of a copy, none that was revealed in time. The late fee goes
    /// to the renter, the rest of the bond back to the provider.
    function expire(JobTerms calldata terms, bytes32 offerId) external {
        bytes32 jobId = jobIdOf(terms);
        bytes32 dealId = _dealIdOf(terms, jobId, offerId);
        bool single = terms.copies == 1;
        Job storage deal = _jobs[dealId];
        State state = deal.state;
        uint256 expiresAt = terms.deadline;
        if (!single && state == State.SUBMITTED) expiresAt = _revealEnd(terms, _jobs[jobId].until);
        else if (state != State.ASSIGNED) revert WrongState(dealId, state);
        if (deal.offerHash != _hashOf(offerId)) revert WrongOffer(offerId);
        if (block.timestamp < expiresAt) revert NotExpired(dealId, expiresAt);
        deal.state = State.REFUNDED;
        uint256 refund = single ? terms.bounty : 0;
        emit Settled(dealId, State.REFUNDED, 0, 0, refund, lateFeeOf(terms));

        if (refund != 0) vault.unlock(terms.token, terms.renter, refund);
        _endDeal(terms, offerId, lateFeeOf(terms));
        record.strike(_providerOf(offerId), dealId);
    }

    /// @notice Says that a submitted result is wrong or cannot be had. A jury that is drawn later decides; the caller locks a
    /// bond until then.
    function challenge(JobTerms calldata terms, bytes32 offerId) external payable {
        (bytes32 jobId, Job storage job) = _requireSingle(terms, offerId, State.SUBMITTED);
        if (block.timestamp >= job.until) revert WindowOver(jobId, job.until);
        _jobs[jobId].state = State.DISPUTED;
        challengerOf[jobId] = msg.sender;
        uint256 bond = challengeBondOf(terms);
        emit Challenged(jobId, msg.sender, bond);
        _escrow(terms.token, msg.sender, bond);
        juries.open(jobId);
    }

    /// @notice Draws the jury of a disputed result: see `Juries.draw` for when, and for why neither the caller nor its block
    /// has a say in it.
    function draw(JobTerms calldata terms, bytes32 offerId) external {
        (bytes32 jobId,) = _requireSingle(terms, offerId, State.DISPUTED);
        juries.draw(jobId, [terms.renter, _providerOf(offerId), challengerOf[jobId]]);
    }

    /// @notice Carries out the jury's verdict. Without one the provider is paid, unless the terms name an arbiter and its
    /// time is not over.
    function resolve(JobTerms calldata terms, bytes32 offerId) external {
        (bytes32 jobId,) = _requireSingle(terms, offerId, State.DISPUTED);
        (Juries.Verdict verdict, bool over, uint40 endsAt) = juries.verdictOf(jobId);
        if (!over) revert StillDisputed(jobId);
        if (verdict == Juries.Verdict.NONE && terms.arbiter != address(0) && block.timestamp < endsAt + ARBITER_SECONDS)
        {
            revert StillDisputed(jobId);
        }
        _carryOut(terms, jobId, offerId, verdict, true);
    }

    /// @notice Decides a dispute in which the jury found no quorum, within 7 days of the jury's end. It moves bounty and
    /// bonds; stake and record answer to a jury's quorum alone, for who the arbiter is was one party's choice.
    function decide(JobTerms calldata terms, bytes32 offerId, bool valid) external {
        if (msg.sender != terms.arbiter) revert NotArbiter(msg.sender, terms.arbiter);
        (bytes32 jobId,) = _requireSingle(terms, offerId, State.DISPUTED);
        (Juries.Verdict verdict, bool over, uint40 endsAt) = juries.verdictOf(jobId);
        if (!over || verdict != Juries.Verdict.NONE) revert StillDisputed(jobId);
        if (block.timestamp >= endsAt + ARBITER_SECONDS) revert WindowOver(jobId, endsAt + ARBITER_SECONDS);
        _carryOut(terms, jobId, offerId, valid ? Juries.Verdict.VALID : Juries.Verdict.INVALID, false);
    }

    // ------------------------------------------------------------------------------------------------ copies

    /// @notice Reveals what a copy committed to, once all copies have, or the deadline has passed.
    function reveal(JobTerms calldata terms, bytes32 offerId, bytes32 resultId, bytes32 salt) external {
        bytes32 jobId = _requireCopies(terms, State.OPEN);
        Job memory job = _jobs[jobId];
        if (job.until == 0 && block.timestamp < terms.deadline) revert NotRevealing(jobId);
        uint256 end = _revealEnd(terms, job.until);
        if (block.timestamp >= end) revert WindowOver(jobId, end);
        bytes32 dealId = copyIdOf(jobId, _providerOf(offerId));
        _requireDeal(dealId, offerId, State.SUBMITTED);
        if (resultOf[dealId] != commitmentOf(jobId, _providerOf(offerId), resultId, salt)) revert WrongReveal(dealId);

        _jobs[dealId].state = State.REVEALED;
        resultOf[dealId] = resultId;
        uint8 votes = ++_votes[jobId][resultId];
        ++job.revealed;
        // More than half have to agree, so no other result can get there too.
        if (votes >= terms.agree) {
            job.agreeing = votes;
            if (votes == terms.agree) resultOf[jobId] = resultId;
        }
        _jobs[jobId] = job;
        emit Revealed(dealId, resultId);
    }

    /// @notice Fixes the outcome of a job with copies once nothing more can be revealed: those who agree share the
    /// bounty, and what does not divide, or all of it where too few agree, goes back to the renter.
    function conclude(JobTerms calldata terms) external {
        bytes32 jobId = _requireCopies(terms, State.OPEN);
        Job memory job = _jobs[jobId];
        if (job.until == 0 && block.timestamp < terms.deadline) revert NotRevealing(jobId);
        if (job.revealed != job.submitted && block.timestamp < _revealEnd(terms, job.until)) {
            revert WindowOpen(jobId, uint40(_revealEnd(terms, job.until)));
        }
        uint256 refund = job.agreeing == 0 ? terms.bounty : terms.bounty % job.agreeing;
        _jobs[jobId].state = job.agreeing == 0 ? State.REFUNDED : State.VERIFIED;
        emit Concluded(jobId, resultOf[jobId], job.agreeing, refund);
        if (refund != 0) vault.unlock(terms.token, terms.renter, refund);
    }

    /// @notice Pays a copy its share after the conclusion if it agrees with the others, and gives its bond back.
    function collect(JobTerms calldata terms, bytes32 offerId) external {
        bytes32 jobId = jobIdOf(terms);
        if (terms.copies == 1) revert NoCopies(jobId);
        Job memory job = _jobs[jobId];
        if (job.state != State.VERIFIED && job.state != State.REFUNDED) revert WrongState(jobId, job.state);
        bytes32 dealId = copyIdOf(jobId, _providerOf(offerId));
        _requireDeal(dealId, offerId, State.REVEALED);
        if (job.state == State.VERIFIED && resultOf[dealId] == resultOf[jobId]) {
            _settlePaid(terms, dealId, offerId, terms.bounty / job.agreeing);
        } else {
            _jobs[dealId].state = State.OUTVOTED;
            emit Settled(dealId, State.OUTVOTED, 0, 0, 0, 0);
            _endDeal(terms, offerId, 0);
        }
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @notice A job, or one copy of it, as the chain keeps it; state NONE when there is none of this id.
    function get(bytes32 id) external view returns (Job memory) {
        return _jobs[id];
    }

    /// @notice What a deal that is over has paid its provider, fee included; 0 for any other.
    function paidFor(JobTerms calldata terms, bytes32 offerId) external view returns (bytes32 dealId, uint256 paid) {
        bytes32 jobId = jobIdOf(terms);
        dealId = _dealIdOf(terms, jobId, offerId);
        Job memory deal = _jobs[dealId];
        if (deal.state == State.VERIFIED && deal.offerHash == _hashOf(offerId)) {
            paid = terms.copies == 1 ? terms.bounty : terms.bounty / _jobs[jobId].agreeing;
        }
    }

    /// @notice The id of a job: the hash of its terms.
    /// @dev Terms have no dynamic part, so their calldata is their encoding. A field with dirty upper bits would give an
    /// id that cannot be posted: `post` emits, and so checks, every field.
    function jobIdOf(JobTerms calldata terms) public pure returns (bytes32 jobId) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, terms, 608)
            jobId := keccak256(free, 608)
        }
    }

    /// @notice The id of one provider's copy of a job.
    function copyIdOf(bytes32 jobId, address provider) public pure returns (bytes32) {
        return keccak256(abi.encode(jobId, provider));
    }

    /// @notice What a copy commits to: bound to job and provider, so that copying it is of no use.
    function commitmentOf(bytes32 jobId, address provider, bytes32 resultId, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(jobId, provider, resultId, salt));
    }

    /// @notice What a late taker pays out of its bond, in smallest units.
    function lateFeeOf(JobTerms calldata terms) public pure returns (uint256) {
        return uint256(terms.bounty) * LATE_FEE_BPS / BPS / terms.copies;
    }

    /// @notice What a challenger locks, in smallest units.
    function challengeBondOf(JobTerms calldata terms) public pure returns (uint256) {
        return uint256(terms.bounty) * CHALLENGE_BPS / BPS;
    }

    /// @notice What a deal puts at risk of its taker's stake, in smallest units of WATT.
    function riskOf(JobTerms calldata terms) public pure returns (uint256) {
        return uint256(terms.minStake) * terms.slashBps / BPS;
    }

    /// @notice The EIP-712 domain separator that acceptances are signed under.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ------------------------------------------------------------------------------------------------ internal

    function _checkTerms(JobTerms calldata terms) private view {
        (uint16 feeBps, uint40 pausedUntil, uint16 slashBps, uint96 leastStake, bool tokenAllowed) =
            parameters.forNewJob(terms.token);
        if (block.timestamp < pausedUntil) revert DealsPaused(pausedUntil);
        if (terms.feeBps != feeBps) revert FeeChanged(terms.feeBps, feeBps);
        if (terms.slashBps != slashBps) revert SlashChanged(terms.slashBps, slashBps);
        if (terms.minStake < leastStake) revert StakeTooLow(terms.minStake, leastStake);
        if (!tokenAllowed) revert TokenNotAllowed(terms.token);
        if (terms.bounty == 0) revert BadBounty(terms.bounty);
        if (
            terms.tier > 3 || terms.copies > MAX_COPIES || terms.agree > terms.copies
                || (terms.tier == 2 ? terms.copies < 2 || terms.agree * 2 <= terms.copies : terms.copies != 1 || terms.agree != 1)
        ) revert BadTier(terms.tier, terms.copies, terms.agree);
        uint256 leastBond = terms.tier == 1 ? terms.bounty : lateFeeOf(terms);
        if (terms.bond < leastBond) revert BondTooLow(terms.bond, leastBond);
        if (
            block.timestamp + terms.minRun > terms.deadline || terms.deadline <= block.timestamp
                || terms.deadline > block.timestamp + MAX_DEADLINE_SECONDS
        ) revert BadDeadline(terms.deadline);
        if (terms.window < MIN_WINDOW_SECONDS || terms.window > MAX_WINDOW_SECONDS) revert BadWindow(terms.window);
    }

    function _assign(JobTerms calldata terms, bytes32 jobId, bytes32 offerId) private {
        Job storage job = _jobs[jobId];
        if (job.state != State.OPEN) revert WrongState(jobId, job.state);
        (, uint40 pausedUntil) = parameters.forNewDeal();
        if (block.timestamp < pausedUntil) revert DealsPaused(pausedUntil);
        if (block.timestamp + terms.minRun > terms.deadline || block.timestamp >= terms.deadline) {
            revert TooLate(block.timestamp, terms.deadline);
        }
        address provider = _providerOf(offerId);
        if (terms.assignee != address(0) && provider != terms.assignee) revert NotAssignee(provider, terms.assignee);
        uint256 staked = stakes.stakedOf(IStakes.Role.PROVIDER, provider);
        if (staked < terms.minStake) revert StakeTooLow(staked, terms.minStake);
        if (!record.isActive(provider)) revert InactiveProvider(provider);

        bytes32 dealId = jobId;
        Job storage deal = job;
        if (terms.copies != 1) {
            dealId = copyIdOf(jobId, provider);
            deal = _jobs[dealId];
            if (deal.state != State.NONE) revert WrongState(dealId, deal.state);
            if (job.taken == terms.copies) revert NoCopyLeft(jobId, terms.copies);
            ++job.taken;
        }
        deal.offerHash = _hashOf(offerId);
        deal.state = State.ASSIGNED;
        emit Assigned(dealId, jobId, provider, offerId);

        _takeUnit(terms, offerId);
        uint256 risk = riskOf(terms);
        if (risk != 0) stakes.engage(IStakes.Role.PROVIDER, provider, risk);
        if (terms.bond != 0) vault.lock(terms.token, provider, terms.bond);
    }

    /// By the provider or its operator. Whose key signed is looked at first: that asks no other account, and nearly all are
    /// signed by a key.
    function _checkSigned(address provider, bytes32 digest, bytes calldata signature) private view {
        (address signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (signer != address(0) && (signer == provider || signer == operatorOf[provider])) return;
        if (SignatureChecker.isValidERC1271SignatureNowCalldata(provider, digest, signature)) return;
        if (SignatureChecker.isValidERC1271SignatureNowCalldata(operatorOf[provider], digest, signature)) return;
        revert BadSignature(provider);
    }

    function _takeUnit(JobTerms calldata terms, bytes32 offerId) private {
        // What a unit costs by the hour does not matter here, so the offer may be in any version.
        (uint8 gpuCount, uint16 gpuMemoryGb) = offers.takeAny(offerId);
        if (gpuCount < terms.gpuCount || gpuMemoryGb < terms.gpuMemoryGb) {
            revert HardwareTooSmall(offerId, gpuCount, gpuMemoryGb);
        }
    }

    function _carryOut(JobTerms calldata terms, bytes32 jobId, bytes32 offerId, Juries.Verdict verdict, bool isJurys)
        private
    {
        address challenger = challengerOf[jobId];
        uint256 bond = challengeBondOf(terms);
        if (verdict != Juries.Verdict.INVALID) {
            // A challenge that proved wrong pays the provider for the wait; one that nobody judged costs nothing.
            _payBounty(terms, jobId, offerId);
            if (verdict == Juries.Verdict.NONE) vault.unlock(terms.token, challenger, bond);
            else vault.seize(terms.token, challenger, _providerOf(offerId), bond);
            return;
        }
        _jobs[jobId].state = State.REJECTED;
        emit Settled(jobId, State.REJECTED, 0, 0, terms.bounty, terms.bond);
        vault.unlock(terms.token, terms.renter, terms.bounty);
        vault.unlock(terms.token, challenger, bond);
        _endDeal(terms, offerId, terms.bond);
        if (!isJurys) return;
        record.reject(_providerOf(offerId), jobId);
        stakes.slash(IStakes.Role.PROVIDER, _providerOf(offerId), terms.slashBps, riskOf(terms), challenger);
    }

    function _payBounty(JobTerms calldata terms, bytes32 jobId, bytes32 offerId) private {
        _settlePaid(terms, jobId, offerId, terms.bounty);
    }

    function _settlePaid(JobTerms calldata terms, bytes32 dealId, bytes32 offerId, uint256 gross) private {
        _jobs[dealId].state = State.VERIFIED;
        uint256 fee = gross * terms.feeBps / BPS;
        emit Settled(dealId, State.VERIFIED, gross, fee, 0, 0);
        vault.pay(terms.token, terms.renter, _providerOf(offerId), gross - fee, fee, 0);
        _endDeal(terms, offerId, 0);
    }

    /// Gives unit, stake and bond back, except for what of the bond is forfeited to the renter.
    function _endDeal(JobTerms calldata terms, bytes32 offerId, uint256 forfeit) private {
        address provider = _providerOf(offerId);
        offers.free(offerId);
        uint256 risk = riskOf(terms);
        if (risk != 0) stakes.disengage(IStakes.Role.PROVIDER, provider, risk);
        if (forfeit != 0) vault.pay(terms.token, provider, terms.renter, forfeit, 0, terms.bond - forfeit);
        else if (terms.bond != 0) vault.unlock(terms.token, provider, terms.bond);
    }

    function _requireSingle(JobTerms calldata terms, bytes32 offerId, State state)
        private
        view
        returns (bytes32 jobId, Job storage job)
    {
        jobId = jobIdOf(terms);
        if (terms.copies != 1) revert HasCopies(jobId);
        job = _requireDeal(jobId, offerId, state);
    }

    function _requireCopies(JobTerms calldata terms, State state) private view returns (bytes32 jobId) {
        jobId = jobIdOf(terms);
        if (terms.copies == 1) revert NoCopies(jobId);
        if (_jobs[jobId].state != state) revert WrongState(jobId, _jobs[jobId].state);
    }

    function _requireDeal(bytes32 dealId, bytes32 offerId, State state) private view returns (Job storage deal) {
        deal = _jobs[dealId];
        if (deal.state != state) revert WrongState(dealId, deal.state);
        if (deal.offerHash != _hashOf(offerId)) revert WrongOffer(offerId);
    }

    function _checkProvider(bytes32 offerId) private view {
        address provider = _providerOf(offerId);
        if (msg.sender != provider && msg.sender != operatorOf[provider]) revert NotProvider(msg.sender, provider);
    }

    /// Unix seconds at which nothing more is revealed.
    function _revealEnd(JobTerms calldata terms, uint40 until) private pure returns (uint256) {
        return until != 0 ? until : uint256(terms.deadline) + terms.window;
    }

    function _dealIdOf(JobTerms calldata terms, bytes32 jobId, bytes32 offerId) private pure returns (bytes32) {
        return terms.copies == 1 ? jobId : copyIdOf(jobId, _providerOf(offerId));
    }

    function _providerOf(bytes32 offerId) private pure returns (address) {
        return address(bytes20(offerId));
    }

    function _hashOf(bytes32 offerId) private pure returns (bytes20) {
        return bytes20(keccak256(abi.encode(offerId)));
    }

    function _escrow(address token, address account, uint256 amount) private {
        if (msg.value == 0) {
            vault.lock(token, account, amount);
        } else {
            if (token != address(0)) revert ValueForToken(token);
            vault.lockETH{value: msg.value}(account, amount);
        }
    }
}
