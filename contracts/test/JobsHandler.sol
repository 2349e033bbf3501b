// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JobTerms, Jobs} from "../src/Jobs.sol";
import {Juries} from "../src/Juries.sol";
import {Parties, Record} from "../src/Record.sol";
import {Stakes} from "../src/Stakes.sol";
import {JobsBase} from "./JobsBase.sol";

/// What is known about one job without asking the contract.
struct JobGhost {
    JobTerms terms;
    bytes32 id;
    /// How often its bounty left escrow: all at once, or with its conclusion.
    uint256 left;
    uint256 submissions;
    bool ended;
    /// Which of the crew runs it, one or several copies, and what each got to.
    uint256[] takers;
}

/// Plays renters, providers, juries and everybody else at random and keeps its own books. Nothing here may revert: an
/// action that is not possible now is left out, one that must not be possible is tried and has to fail.
contract JobsHandler is JobsBase {
    uint256 internal now_;
    JobGhost[] internal ghosts;

    /// What went wrong, in words; empty while all is well.
    string public wrong;

    mapping(Jobs.State => uint256) public ends;
    uint256 public recorded;
    uint256 public ratings;
    mapping(bytes32 => bool) internal isRecorded;
    mapping(address => uint256) public strikesOf;
    mapping(address => uint256) public rejectionsOf;
    uint256 public drawn;

    constructor() {
        vm.warp(START);
        deployAll();
        openMarket();
        hireCrew(4);
        hireJury();
        now_ = block.timestamp;
    }

    function market() external view returns (Jobs, Record, address[] memory, bytes32[] memory) {
        return (bounties, record, crew, crewOffers);
    }

    function world() external view returns (address, address, address, address, address) {
        return (address(vault), address(dollar), address(stakes), address(offers), address(juries));
    }

    function jobCount() external view returns (uint256) {
        return ghosts.length;
    }

    function ghost(uint256 i) external view returns (JobGhost memory) {
        return ghosts[i];
    }

    function people() public view returns (address[] memory all) {
        all = new address[](crew.length + 4);
        for (uint256 i; i < crew.length; i++) all[i] = crew[i];
        (all[crew.length], all[crew.length + 1]) = (renter, challenger);
        (all[crew.length + 2], all[crew.length + 3]) = (treasury, provider);
    }

    // ---------------------------------------------------------------------------------------------- actions

    /// Whenever a day begins, most validators show the secret of the day before, and all enter the draw of the next.
    function wait(uint256 seed) external {
        uint256 until = now_ + (seed % 8 == 0 ? 2 days : bound(seed, 1, 12 hours));
        for (uint256 day = now_ / 1 days + 1; day <= until / 1 days; day++) {
            vm.warp(day * 1 days);
            for (uint256 i; i < VALIDATORS; i++) {
                uint32 before = uint32(day) - 1;
                bool entered = att.commitments(before, validators[i]) != 0;
                if (entered && uint256(keccak256(abi.encode(seed, day, i))) % 8 != 0) revealFor(before, validators[i]);
                commitFor(validators[i]);
            }
        }
        now_ = until;
    }

    function postJob(uint256 seed) external {
        vm.warp(now_);
        if (block.timestamp < parameters.newDealsPausedUntil() || ghosts.length > 24) return;
        JobTerms memory t = jobTerms();
        t.salt = bytes32(ghosts.length);
        t.bounty = uint128(bound(seed, 1, 1_000e6));
        t.bond = uint128(bound(seed >> 32, t.bounty / 10, t.bounty));
        t.window = uint32(bound(seed >> 64, 30 minutes, 2 days));
        t.minStake = uint96(bound(seed >> 96, 100e18, 300e18));
        if (seed % 3 == 0) {
            t.tier = 2;
            t.copies = uint8(bound(seed >> 128, 2, 4));
            t.agree = t.copies / 2 + 1;
        } else if (seed % 3 == 1) {
            t.arbiter = stranger;
        }
        post(t);
        ghosts.push();
        JobGhost storage g = ghosts[ghosts.length - 1];
        (g.terms, g.id) = (t, idOf(t));
    }

    /// Whatever a job's state allows next, or tries what it does not.
    function step(uint256 seed) external {
        vm.warp(now_);
        if (ghosts.length == 0) return;
        JobGhost storage g = ghosts[seed % ghosts.length];
        seed >>= 16;
        Jobs.Job memory job = bounties.get(g.id);
        if (job.state == Jobs.State.OPEN) {
            if (seed % 12 == 0) return _cancel(g, job);
            if (seed % 4 != 0) return _take(g, seed >> 8);
        }
        if (g.terms.copies == 1) _stepSingle(g, job, seed >> 16);
        else _stepCopies(g, job, seed >> 16);
    }

    function _cancel(JobGhost storage g, Jobs.Job memory job) internal {
        bool isOver = block.timestamp >= g.terms.deadline;
        vm.prank(isOver ? stranger : renter);
        try bounties.cancel(g.terms) {
            if (job.taken != 0) wrong = "cancelled what is taken";
            _left(g, Jobs.State.REFUNDED);
        } catch {
            if (job.taken == 0) wrong = "an open job could not be cancelled";
        }
    }

    function _take(JobGhost storage g, uint256 seed) internal {
        uint256 who = seed % crew.length;
        vm.prank(crew[who]);
        try bounties.claim(g.terms, crewOffers[who]) {
            g.takers.push(who);
            if (block.timestamp < parameters.newDealsPausedUntil()) wrong = "taken while paused";
            if (!record.isActive(crew[who])) wrong = "taken by an inactive provider";
            if (block.timestamp + g.terms.minRun > g.terms.deadline) wrong = "taken too late";
        } catch {}
    }

    function _stepSingle(JobGhost storage g, Jobs.Job memory job, uint256 seed) internal {
        if (g.takers.length == 0) return;
        uint256 who = g.takers[0];
        if (job.state == Jobs.State.ASSIGNED) {
            if (seed % 3 != 0) _submit(g, who, RESULT, seed >> 8);
            else _expire(g, who, g.id, g.terms.deadline);
        } else if (job.state == Jobs.State.SUBMITTED) {
            if (seed % 3 == 0) _finish(g, who, job.until);
            else if (seed % 3 == 1) _challenge(g, who, job.until);
            else _submit(g, who, "again", seed >> 8);
        } else if (job.state == Jobs.State.DISPUTED) {
            _judge(g, who, seed);
        } else {
            _tryAll(g, who);
        }
    }

    function _submit(JobGhost storage g, uint256 who, bytes32 result, uint256 seed) internal {
        bytes32 dealId = g.terms.copies == 1 ? g.id : bounties.copyIdOf(g.id, crew[who]);
        Jobs.State before = bounties.get(dealId).state;
        address by = seed % 4 == 0 ? stranger : crew[who];
        bytes32 given = g.terms.copies == 1 ? result : bounties.commitmentOf(g.id, crew[who], result, SALT);
        vm.prank(by);
        try bounties.submit(g.terms, crewOffers[who], given) {
            if (by == stranger) wrong = "submitted by a stranger";
            if (before != Jobs.State.ASSIGNED) wrong = "submitted twice";
            if (block.timestamp >= g.terms.deadline) wrong = "submitted late";
            g.submissions++;
        } catch {
            if (by != stranger && before == Jobs.State.ASSIGNED && block.timestamp < g.terms.deadline) {
                wrong = "a result in time was refused";
            }
        }
    }

    function _expire(JobGhost storage g, uint256 who, bytes32 dealId, uint256 expiresAt) internal {
        uint256 locked = held(crew[who]);
        try bounties.expire(g.terms, crewOffers[who]) {
            if (block.timestamp < expiresAt) wrong = "expired early";
            if (locked - held(crew[who]) != g.terms.bond) wrong = "another bond was touched";
            strikesOf[crew[who]]++;
            if (dealId == g.id) _left(g, Jobs.State.REFUNDED);
        } catch {
            if (block.timestamp >= expiresAt) wrong = "could not expire";
        }
    }

    function _finish(JobGhost storage g, uint256 who, uint40 until) internal {
        try bounties.finalize(g.terms, crewOffers[who]) {
            if (block.timestamp < until) wrong = "finalized early";
            _left(g, Jobs.State.VERIFIED);
        } catch {
            if (block.timestamp >= until) wrong = "could not finalize";
            vm.prank(renter);
            bounties.accept(g.terms, crewOffers[who]);
            _left(g, Jobs.State.VERIFIED);
        }
    }

    function _challenge(JobGhost storage g, uint256 who, uint40 until) internal {
        vm.prank(challenger);
        try bounties.challenge(g.terms, crewOffers[who]) {
            if (block.timestamp >= until) wrong = "challenged late";
        } catch {
            if (block.timestamp < until) wrong = "could not challenge";
        }
    }

    /// Whoever draws, and in whatever block: only once no secret of the challenge's day can come out any more.
    function _draw(JobGhost storage g, uint256 who, Juries.Case memory c) internal {
        uint256 from = (uint256(c.epoch) + 1) * 1 days + 6 hours;
        try bounties.draw(g.terms, crewOffers[who]) {
            if (c.commitUntil != 0) wrong = "drawn twice";
            if (block.timestamp < from || block.timestamp >= from + 1 days) wrong = "drawn at another time";
            drawn++;
        } catch {
            if (c.commitUntil == 0 && block.timestamp >= from && block.timestamp < from + 1 days) wrong = "could not draw";
        }
    }

    function _judge(JobGhost storage g, uint256 who, uint256 seed) internal {
        Juries.Case memory c = juries.get(g.id);
        if (c.commitUntil == 0 || seed % 16 == 0) {
            if (seed % 4 != 0) _draw(g, who, c);
            c = juries.get(g.id);
        }
        Juries.Verdict verdict = Juries.Verdict(1 + seed % 3);
        if (c.committed == 0 && c.seats >= 5 && block.timestamp < c.commitUntil && seed % 5 != 0) {
            juryFinds(g.terms, verdict, seed % 7 == 0 ? 4 : 5);
        }
        (Juries.Verdict found, bool over, uint40 endsAt) = juries.verdictOf(g.id);
        if (over && found == Juries.Verdict.NONE && g.terms.arbiter != address(0) && seed % 2 == 0) {
            vm.prank(stranger);
            try bounties.decide(g.terms, crewOffers[who], seed % 4 == 0) {
                return _left(g, seed % 4 == 0 ? Jobs.State.VERIFIED : Jobs.State.REJECTED);
            } catch {
                if (block.timestamp < endsAt + 7 days) wrong = "the arbiter could not decide";
            }
        }
        uint256 staked = stakes.slashableOf(PROVIDER, crew[who]);
        try bounties.resolve(g.terms, crewOffers[who]) {
            if (!over) wrong = "resolved before the jury's end";
            uint256 left = stakes.slashableOf(PROVIDER, crew[who]);
            if (found != Juries.Verdict.INVALID) {
                if (left != staked) wrong = "slashed without a verdict";
            } else if (left != 0 && staked - left < bounties.riskOf(g.terms)) {
                wrong = "rejected for less than was at risk";
            }
            _resolved(g, who, found);
        } catch {
            if (over && (found != Juries.Verdict.NONE || block.timestamp >= endsAt + 7 days)) wrong = "could not resolve";
        }
    }

    /// Providers leave with whatever no running job has put at risk: rarely, or nobody would have the stake that jobs ask
    /// for.
    function walkOut(uint256 seed) external {
        vm.warp(now_);
        address one = crew[seed % crew.length];
        Stakes.Stake memory s = stakes.get(PROVIDER, one);
        uint256 free = stakes.freeOf(PROVIDER, one);
        if (s.unbonding != 0) {
            if (now_ < s.releaseAt) return;
            vm.prank(one);
            stakes.release(PROVIDER);
        } else if ((seed >> 8) % 8 == 0 && free != 0) {
            vm.prank(one);
            stakes.unbond(PROVIDER, uint96(free));
        }
    }

    function _resolved(JobGhost storage g, uint256 who, Juries.Verdict verdict) internal {
        bool rejected = verdict == Juries.Verdict.INVALID;
        if (rejected) rejectionsOf[crew[who]]++;
        _left(g, rejected ? Jobs.State.REJECTED : Jobs.State.VERIFIED);
    }

    function _stepCopies(JobGhost storage g, Jobs.Job memory job, uint256 seed) internal {
        if (job.state == Jobs.State.OPEN && seed % 4 == 0) {
            try bounties.conclude(g.terms) {
                Jobs.State state = bounties.get(g.id).state;
                _left(g, state);
            } catch {
                if (block.timestamp >= uint256(g.terms.deadline) + g.terms.window) wrong = "could not conclude";
            }
            return;
        }
        if (g.takers.length == 0) return;
        uint256 who = g.takers[seed % g.takers.length];
        bytes32 dealId = bounties.copyIdOf(g.id, crew[who]);
        Jobs.State state_ = bounties.get(dealId).state;
        seed >>= 8;
        if (state_ == Jobs.State.ASSIGNED) {
            if (seed % 8 != 0 && block.timestamp < g.terms.deadline) _submit(g, who, _resultOf(g, who), seed >> 8);
            else _expire(g, who, dealId, g.terms.deadline);
        } else if (state_ == Jobs.State.SUBMITTED) {
            try bounties.reveal(g.terms, crewOffers[who], _resultOf(g, who), SALT) {}
            catch {
                _expire(g, who, dealId, job.until != 0 ? job.until : uint256(g.terms.deadline) + g.terms.window);
            }
        } else if (state_ == Jobs.State.REVEALED) {
            try bounties.collect(g.terms, crewOffers[who]) {
                if (job.state == Jobs.State.OPEN) wrong = "collected before the conclusion";
            } catch {
                if (job.state != Jobs.State.OPEN) wrong = "could not collect";
            }
        } else {
            _tryAll(g, who);
        }
    }

    /// Most say the same.
    function _resultOf(JobGhost storage g, uint256 who) internal view returns (bytes32) {
        return uint256(keccak256(abi.encode(g.id, who))) % 4 == 0 ? bytes32(who) : RESULT;
    }

    /// Nothing of what is over moves again.
    function _tryAll(JobGhost storage g, uint256 who) internal {
        bytes32 offer = crewOffers[who];
        bytes[7] memory calls = [
            abi.encodeCall(bounties.claim, (g.terms, offer)),
            abi.encodeCall(bounties.submit, (g.terms, offer, RESULT)),
            abi.encodeCall(bounties.finalize, (g.terms, offer)),
            abi.encodeCall(bounties.expire, (g.terms, offer)),
            abi.encodeCall(bounties.challenge, (g.terms, offer)),
            abi.encodeCall(bounties.resolve, (g.terms, offer)),
            abi.encodeCall(bounties.collect, (g.terms, offer))
        ];
        for (uint256 i; i < calls.length; i++) {
            vm.prank(crew[who]);
            (bool ok,) = address(bounties).call(calls[i]);
            if (ok) wrong = "moved what was over";
        }
        for (uint256 i; i < 2; i++) {
            vm.prank(renter);
            (bool ok,) = address(bounties).call(
                i == 0 ? abi.encodeCall(bounties.accept, (g.terms, offer)) : abi.encodeCall(bounties.cancel, (g.terms))
            );
            if (ok) wrong = "moved what was over";
        }
    }

    function _left(JobGhost storage g, Jobs.State state) internal {
        g.left++;
        g.ended = true;
        ends[state]++;
    }

    function pause(uint256 seed) external {
        vm.warp(now_);
        if (seed % 8 != 0 || now_ < parameters.pauseAllowedAt()) return;
        pauseDeals();
    }

    // ---------------------------------------------------------------------------------------------- the record

    function recordAndRate(uint256 seed) external {
        vm.warp(now_);
        if (ghosts.length == 0) return;
        JobGhost storage g = ghosts[seed % ghosts.length];
        if (g.takers.length == 0) return;
        uint256 who = g.takers[(seed >> 8) % g.takers.length];
        (bytes32 dealId, uint256 paid) = bounties.paidFor(g.terms, crewOffers[who]);
        try record.recordJob(g.terms, crewOffers[who]) {
            if (paid == 0) wrong = "recorded what was not paid";
            if (isRecorded[dealId]) wrong = "recorded twice";
            isRecorded[dealId] = true;
            recorded++;
        } catch {
            if (paid != 0 && !isRecorded[dealId]) wrong = "could not record";
        }
        if (!isRecorded[dealId]) return;
        Record.Side side = Record.Side((seed >> 16) % 2);
        Parties memory p = Parties(renter, crew[who], address(0), address(0));
        bytes32 commitment = record.commitmentOf(dealId, side, 4, "", SALT);
        vm.prank(side == Record.Side.RENTER ? renter : crew[who]);
        try record.commitRating(dealId, p, side, commitment, "") {} catch {}
        Record.Deal memory before = record.get(dealId);
        bool rated = (side == Record.Side.RENTER ? before.byRenter : before.byProvider) != 0;
        try record.revealRating(dealId, p, side, 4, "", SALT) {
            if (rated) wrong = "rated twice";
            ratings++;
        } catch {}
    }

    // ---------------------------------------------------------------------------------------------- everybody leaves

    /// With everything paused, strangers end every job within the times that its terms and the contracts say.
    /// @return left What stayed behind.
    function everybodyLeaves() external returns (uint256 left) {
        vm.warp(now_);
        if (now_ >= parameters.pauseAllowedAt()) pauseDeals();
        // Longest: a deadline, a window or the wait for a draw, the jury's time, the arbiter's.
        for (uint256 round; round < 4; round++) {
            vm.warp(block.timestamp + (round == 0 ? 2 days : round == 1 ? 2 days : round == 2 ? 36 hours : 7 days));
            for (uint256 i; i < ghosts.length; i++) _push(ghosts[i]);
        }
        address[] memory all = people();
        for (uint256 i; i < all.length; i++) left += held(all[i]);
        for (uint256 i; i < crew.length; i++) {
            left += offers.get(crewOffers[i]).taken + stakes.atRiskOf(PROVIDER, crew[i]);
        }
    }

    function _push(JobGhost storage g) internal {
        Jobs.State state = bounties.get(g.id).state;
        if (state == Jobs.State.OPEN && g.takers.length == 0) {
            vm.prank(renter);
            bounties.cancel(g.terms);
        }
        if (g.terms.copies != 1) {
            try bounties.conclude(g.terms) {} catch {}
        }
        for (uint256 i; i < g.takers.length; i++) {
            bytes32 offer = crewOffers[g.takers[i]];
            if (g.terms.copies != 1) {
                try bounties.collect(g.terms, offer) {} catch {}
            } else {
                try bounties.finalize(g.terms, offer) {} catch {}
                // Where somebody draws and where nobody does.
                if (uint256(g.id) % 2 == 0) {
                    try bounties.draw(g.terms, offer) {} catch {}
                }
                try bounties.resolve(g.terms, offer) {} catch {}
            }
            try bounties.expire(g.terms, offer) {} catch {}
        }
    }
}
