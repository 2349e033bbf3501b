// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Jobs} from "../src/Jobs.sol";
import {Juries} from "../src/Juries.sol";
import {Offers} from "../src/Offers.sol";
import {Record} from "../src/Record.sol";
import {Stakes} from "../src/Stakes.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {Vault} from "../src/Vault.sol";
import {JobsBase} from "./JobsBase.sol";
import {JobGhost, JobsHandler} from "./JobsHandler.sol";

/// The numbered invariants of docs/protocol.md that jobs and the record have to keep.
contract JobsInvariantsTest is JobsBase {
    JobsHandler internal handler;
    address[] internal all;

    function setUp() public override {
        handler = new JobsHandler();
        (bounties, record, crew, crewOffers) = handler.market();
        (address vault_,, address stakes_, address offers_, address juries_) = handler.world();
        juries = Juries(juries_);
        (vault, stakes, offers) = (Vault(vault_), Stakes(stakes_), Offers(offers_));
        (, address dollar_,,,) = handler.world();
        token_ = dollar_;
        all = handler.people();
    }

    address internal token_;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory s = new bytes4[](11);
        s[0] = s[1] = s[2] = s[3] = s[4] = JobsHandler.step.selector;
        s[5] = s[6] = JobsHandler.postJob.selector;
        s[7] = JobsHandler.wait.selector;
        s[8] = JobsHandler.recordAndRate.selector;
        s[9] = JobsHandler.pause.selector;
        s[10] = JobsHandler.walkOut.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), s);
    }

    /// The histories are worth something only if they get everywhere.
    function test_handler_takesEveryWay() public {
        uint256 seed = uint256(keccak256("jobs"));
        uint256[10] memory ends;
        uint256 rated;
        uint256 drawn;
        for (uint256 round; round < 6; round++) {
            setUp();
            for (uint256 i; i < 500; i++) {
                seed = uint256(keccak256(abi.encode(seed)));
                uint256 way = (seed >> 200) % 16;
                if (way < 9) handler.step(seed);
                else if (way < 11) handler.postJob(seed);
                else if (way < 13) handler.wait(seed);
                else handler.recordAndRate(seed);
            }
            for (uint256 i; i < 10; i++) ends[i] += handler.ends(Jobs.State(i));
            rated += handler.ratings();
            drawn += handler.drawn();
            eq(bytes(handler.wrong()).length, 0, handler.wrong());
        }
        yes(ends[uint256(Jobs.State.VERIFIED)] > 0, "nothing was verified");
        yes(ends[uint256(Jobs.State.REFUNDED)] > 0, "nothing was refunded");
        yes(ends[uint256(Jobs.State.REJECTED)] > 0, "nothing was rejected");
        yes(rated > 0, "nobody rated");
        yes(drawn > 0, "no jury was drawn");
    }

    function invariant_08_a_bounty_leaves_escrow_exactly_once() public view {
        uint256 open;
        for (uint256 i; i < handler.jobCount(); i++) {
            JobGhost memory g = handler.ghost(i);
            yes(g.left == (g.ended ? 1 : 0), "left more than once");
            if (!g.ended) open += g.terms.bounty;
            else open += _uncollected(g);
        }
        eq(vault.lockedOf(address(bounties), renter, token_), open, "escrow is what has not left");
    }

    /// Shares of a concluded job that nobody has fetched.
    function _uncollected(JobGhost memory g) internal view returns (uint256 sum) {
        Jobs.Job memory job = bounties.get(g.id);
        if (g.terms.copies == 1 || job.state != Jobs.State.VERIFIED) return 0;
        sum = g.terms.bounty - g.terms.bounty % job.agreeing;
        for (uint256 i; i < g.takers.length; i++) {
            (, uint256 paid) = bounties.paidFor(g.terms, crewOffers[g.takers[i]]);
            sum -= paid;
        }
    }

    function invariant_09_results_come_from_the_assignee_once_and_in_time() public view {
        eq(bytes(handler.wrong()).length, 0, handler.wrong());
        for (uint256 i; i < handler.jobCount(); i++) {
            JobGhost memory g = handler.ghost(i);
            yes(g.submissions <= g.takers.length, "more results than takers");
            yes(g.takers.length <= g.terms.copies, "more takers than copies");
        }
    }

    function invariant_10_bonds_paid_are_bonds_locked() public view {
        for (uint256 c; c < crew.length; c++) {
            uint256 bonds;
            uint256 risk;
            uint256 units;
            for (uint256 i; i < handler.jobCount(); i++) {
                JobGhost memory g = handler.ghost(i);
                if (!_runs(g, c)) continue;
                bonds += g.terms.bond;
                risk += bounties.riskOf(g.terms);
                units++;
            }
            eq(vault.lockedOf(address(bounties), crew[c], token_), bonds, "locked is what running deals have locked");
            eq(stakes.atRiskOf(IStakes.Role.PROVIDER, crew[c]), risk, "at risk is what running deals risk");
            eq(offers.get(crewOffers[c]).taken, units, "units are what running deals have taken");
        }
    }

    function _runs(JobGhost memory g, uint256 c) internal view returns (bool) {
        for (uint256 i; i < g.takers.length; i++) {
            if (g.takers[i] != c) continue;
            Jobs.State s = bounties.get(g.terms.copies == 1 ? g.id : bounties.copyIdOf(g.id, crew[c])).state;
            return s == Jobs.State.ASSIGNED || s == Jobs.State.SUBMITTED || s == Jobs.State.DISPUTED
                || s == Jobs.State.REVEALED;
        }
        return false;
    }

    /// Nobody sits before the secrets of the challenge's day are out, and so in no block in which it could be challenged.
    function invariant_23_a_jury_is_drawn_after_its_challenge_from_what_nobody_knew() public view {
        eq(bytes(handler.wrong()).length, 0, handler.wrong());
        for (uint256 i; i < handler.jobCount(); i++) {
            bytes32 id = handler.ghost(i).id;
            Juries.Case memory c = juries.get(id);
            if (juries.memberOf(id, 0) == address(0)) continue;
            uint256 drawnAt = c.seats < 5 ? c.commitUntil : c.commitUntil - 24 hours;
            yes(drawnAt >= (uint256(c.epoch) + 1) * 1 days + 6 hours, "drawn before the secrets were out");
        }
    }

    function invariant_02_reserve_is_balances_and_locks() public view {
        uint256 sum;
        for (uint256 i; i < all.length; i++) {
            sum += vault.balanceOf(all[i], token_) + vault.lockedOf(address(bounties), all[i], token_);
        }
        eq(sum, vault.reserveOf(token_), "reserve");
    }

    function invariant_14_every_job_ends_within_its_times_with_everything_paused() public {
        eq(handler.everybodyLeaves(), 0, "something stayed behind");
    }

    function invariant_19_one_rating_per_side_and_paid_deal() public view {
        yes(handler.ratings() <= 2 * handler.recorded(), "more ratings than sides");
        eq(bytes(handler.wrong()).length, 0, handler.wrong());
    }

    function invariant_20_counters_equal_settled_deals() public view {
        uint256 provided;
        for (uint256 c; c < crew.length; c++) {
            Record.Standing memory s = record.standingOf(crew[c]);
            provided += s.provided;
            eq(s.strikes, handler.strikesOf(crew[c]), "strikes");
            eq(s.rejections, handler.rejectionsOf(crew[c]), "rejections");
        }
        eq(provided, handler.recorded(), "deals of providers");
        eq(record.standingOf(renter).rented, handler.recorded(), "deals of the renter");
    }
}
