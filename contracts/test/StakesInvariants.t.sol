// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Stakes} from "../src/Stakes.sol";
import {IStakes} from "../src/interfaces/IStakes.sol";
import {StakesBase} from "./StakesBase.sol";
import {StakeGhost, StakesHandler} from "./StakesHandler.sol";

/// The numbered invariants of docs/protocol.md that stakes have to keep.
contract StakesInvariantsTest is StakesBase {
    StakesHandler internal handler;

    function setUp() public override {
        handler = new StakesHandler();
        (vault, stakes, watt) = handler.contracts();
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// What the handler is played by; the rest of it are answers.
    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory s = new bytes4[](8);
        s[0] = StakesHandler.stake.selector;
        s[1] = StakesHandler.unbond.selector;
        s[2] = StakesHandler.release.selector;
        s[3] = StakesHandler.engage.selector;
        s[4] = StakesHandler.disengage.selector;
        s[5] = StakesHandler.slash.selector;
        s[6] = StakesHandler.wait.selector;
        s[7] = StakesHandler.delegate.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), s);
    }

    /// The histories are worth something only if they get everywhere.
    function test_handler_takesEveryWay() public {
        uint256 seed = uint256(keccak256("stakes"));
        for (uint256 i; i < 400; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 way = (seed >> 200) % 8;
            if (way < 2) handler.stake(seed);
            else if (way == 2) handler.unbond(seed);
            else if (way == 3) handler.release(seed);
            else if (way == 4) handler.engage(seed);
            else if (way == 5) handler.disengage(seed);
            else if (way == 6) handler.slash(seed);
            else handler.wait(seed);
        }
        yes(handler.unbondings() > 0 && handler.releases() > 0, "nobody left");
        yes(handler.slashes() > 0 && handler.slashesOfLeavers() > 0, "nobody was slashed");
    }

    modifier everyStake() {
        for (uint256 i; i < 4; i++) {
            for (uint256 r; r < 2; r++) {
                (role_, account_) = (IStakes.Role(r), handler.actors(i));
                ghost_ = handler.ghost(role_, account_);
                _;
            }
        }
    }

    IStakes.Role internal role_;
    address internal account_;
    StakeGhost internal ghost_;

    function invariant_01_vault_holds_its_reserve() public view {
        eq(watt.balanceOf(address(vault)), vault.reserveOf(address(watt)), "WATT in the Vault");
        eq(watt.balanceOf(address(stakes)), 0, "WATT anywhere else");
    }

    function invariant_02_reserve_is_balances_and_locks() public view {
        uint256 sum = handler.finderBalance();
        for (uint256 i; i < 4; i++) {
            sum += vault.balanceOf(handler.actors(i), address(watt));
            sum += vault.lockedOf(address(stakes), handler.actors(i), address(watt));
        }
        eq(sum, vault.reserveOf(address(watt)), "reserve");
    }

    function invariant_10_slash_is_at_most_the_stake() public everyStake {
        eq(bytes(handler.oversized()).length, 0, handler.oversized());
        eq(
            stakes.slashableOf(role_, account_) + ghost_.released + ghost_.slashed, ghost_.put, "what was put is somewhere"
        );
        eq(handler.finderBalance(), handler.rewards(), "finders");
        eq(watt.SUPPLY() - watt.totalSupply(), handler.burned(), "burned");
    }

    function invariant_11_unbonding_never_undercuts_what_is_at_risk() public everyStake {
        eq(bytes(handler.undercut()).length, 0, handler.undercut());
        // Only a slash, never leaving, can bring a stake below what is at risk.
        yes(
            stakes.stakedOf(role_, account_) + ghost_.slashedBonded >= stakes.atRiskOf(role_, account_), "covered"
        );
    }

    function invariant_14_everybody_can_leave_within_fourteen_days() public {
        eq(handler.everybodyLeaves(), 0, "something stayed behind");
    }

    function invariant_21_modules_keep_to_their_own_locks() public everyStake {
        eq(bytes(handler.foreign()).length, 0, handler.foreign());
        eq(stakes.atRiskOf(role_, account_), ghost_.engagedByJobs + ghost_.engagedByAttestations, "at risk");
        eq(
            vault.lockedOf(address(stakes), account_, address(watt)),
            stakes.slashableOf(PROVIDER, account_) + stakes.slashableOf(VALIDATOR, account_),
            "locked"
        );
    }

    function invariant_votes_are_the_bonded_stake() public view {
        uint256 votes;
        uint256 staked;
        for (uint256 i; i < 4; i++) {
            address actor = handler.actors(i);
            votes += stakes.getVotes(actor);
            staked += stakes.stakedOf(PROVIDER, actor) + stakes.stakedOf(VALIDATOR, actor);
        }
        eq(votes, staked, "votes");
    }
}
