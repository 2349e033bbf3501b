// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Offers} from "../src/Offers.sol";
import {RentalMath} from "../src/RentalMath.sol";
import {Rentals} from "../src/Rentals.sol";
import {Vault} from "../src/Vault.sol";
import {Base} from "./Base.sol";
import {Ghost, Handler} from "./Handler.sol";

/// The numbered invariants of docs/protocol.md, held against random histories of everybody acting at once.
contract InvariantsTest is Base {
    Handler internal handler;
    address[2] internal tokens;

    function setUp() public override {
        handler = new Handler();
        (vault, offers, rentals, treasury, tokens) = handler.contracts();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// Leases are what matters: `step` comes up four times as often as the rest.
    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory s = new bytes4[](12);
        s[0] = s[1] = s[2] = s[3] = Handler.step.selector;
        s[4] = s[5] = Handler.open.selector;
        s[6] = Handler.wait.selector;
        s[7] = Handler.extend.selector;
        s[8] = Handler.forge.selector;
        s[9] = Handler.changeOffer.selector;
        s[10] = Handler.otherModule.selector;
        s[11] = Handler.depositAndWithdraw.selector;
        targets = new FuzzSelector[](2);
        targets[0] = FuzzSelector(address(handler), s);
        bytes4[] memory rules = new bytes4[](1);
        rules[0] = Handler.changeRules.selector;
        targets[1] = FuzzSelector(address(handler), rules);
    }

    /// The histories are worth something only if they get everywhere.
    function test_handler_takesEveryWay() public {
        uint256 seed = uint256(keccak256("histories"));
        uint256[5] memory exits;
        uint256 penalties;
        for (uint256 round; round < 12; round++) {
            setUp();
            for (uint256 i; i < 120; i++) {
                seed = uint256(keccak256(abi.encode(seed)));
                uint256 way = (seed >> 200) % 8;
                if (way < 4) handler.step(seed);
                else if (way < 6) handler.open(seed);
                else if (way == 6) handler.wait(seed);
                else handler.extend(seed);
            }
            for (uint256 i; i < 5; i++) exits[i] += handler.exits(Rentals.Exit(i));
            penalties += handler.penalties();
        }
        for (uint256 i; i < 5; i++) yes(exits[i] > 0, "a way out was never taken");
        yes(penalties > 0, "no penalty was ever paid");
    }

    function _held(address token) internal view returns (uint256) {
        return token == ETH ? address(vault).balance : IERC20(token).balanceOf(address(vault));
    }

    function invariant_01_vault_holds_its_reserve() public view {
        for (uint256 t; t < 2; t++) yes(_held(tokens[t]) >= vault.reserveOf(tokens[t]), "balance >= reserve");
    }

    function invariant_02_reserve_is_balances_and_locks() public view {
        for (uint256 t; t < 2; t++) {
            uint256 sum;
            for (uint256 i; i < handler.actorCount(); i++) {
                address actor = handler.actors(i);
                sum += vault.balanceOf(actor, tokens[t]);
                sum += vault.lockedOf(address(rentals), actor, tokens[t]);
                sum += vault.lockedOf(address(handler), actor, tokens[t]);
            }
            eq(sum, vault.reserveOf(tokens[t]), "reserve");
        }
    }

    function invariant_03_paid_penalty_and_refund_are_the_deposit() public view {
        for (uint256 i; i < handler.leaseCount(); i++) {
            Ghost memory g = handler.ghost(i);
            if (g.state != Rentals.State.CLOSED) continue;
            eq(g.providerGot + g.feeGot + g.refund, g.deposit, "deposit");
        }
    }

    function invariant_04_paid_seconds_only_grow_within_cap_and_elapsed() public view {
        for (uint256 i; i < handler.leaseCount(); i++) {
            Ghost memory g = handler.ghost(i);
            uint32 paid = rentals.get(g.id).paidSeconds;
            yes(paid >= g.paid, "never less");
            yes(paid <= g.cap, "cap");
            yes(paid <= handler.time() - g.openedAt, "elapsed");
        }
    }

    function invariant_05_paid_is_the_bill_of_paid_seconds() public view {
        for (uint256 i; i < handler.leaseCount(); i++) {
            Ghost memory g = handler.ghost(i);
            uint256 gross = g.providerGot - g.penalty + g.feeGot;
            eq(gross, RentalMath.billFor(g.terms.price, g.terms.unit, rentals.get(g.id).paidSeconds), "bill");
        }
    }

    function invariant_06_fee_is_the_same_however_it_was_drawn() public view {
        for (uint256 i; i < handler.leaseCount(); i++) {
            Ghost memory g = handler.ghost(i);
            uint256 gross = RentalMath.billFor(g.terms.price, g.terms.unit, g.paid);
            eq(g.feeGot, gross * g.terms.feeBps / 10_000, "fee");
            yes(g.feeGot * 10 <= gross, "at most 10 %");
            eq(g.providerGot - g.penalty + g.feeGot, gross, "provider and fee are the gross");
        }
    }

    function invariant_07_closed_is_closed() public view {
        eq(bytes(handler.reopened()).length, 0, handler.reopened());
        for (uint256 i; i < handler.leaseCount(); i++) {
            Ghost memory g = handler.ghost(i);
            yes(rentals.get(g.id).state == g.state, "state moved by itself");
        }
    }

    function invariant_12_only_entitled_signatures_raise_seconds() public view {
        eq(bytes(handler.forged()).length, 0, handler.forged());
        for (uint256 i; i < handler.leaseCount(); i++) {
            Ghost memory g = handler.ghost(i);
            Rentals.Lease memory lease = rentals.get(g.id);
            yes(lease.paidSeconds <= g.admitted, "paid what nobody signed");
            yes(lease.claimSeconds <= g.admitted, "claimed what nobody signed");
        }
    }

    function invariant_13_nobody_lowers_anothers_balance() public view {
        eq(bytes(handler.lowered()).length, 0, handler.lowered());
    }

    function invariant_14_everybody_can_leave_within_a_day() public {
        eq(handler.everybodyLeaves(), 0, "something stayed behind");
    }

    function invariant_15_totals_do_not_depend_on_order() public view {
        for (uint256 t; t < 2; t++) {
            uint256 fees;
            uint256 expected;
            for (uint256 i; i < handler.leaseCount(); i++) {
                Ghost memory g = handler.ghost(i);
                if (g.terms.token != tokens[t]) continue;
                fees += g.feeGot;
                expected += RentalMath.feeFor(
                    RentalMath.billFor(g.terms.price, g.terms.unit, rentals.get(g.id).paidSeconds), g.terms.feeBps
                );
            }
            eq(fees, expected, "sum of fees");
        }
    }

    function invariant_16_logs_rebuild_state() public view {
        for (uint256 i; i < handler.actorCount(); i++) {
            address actor = handler.actors(i);
            for (uint256 t; t < 2; t++) {
                eq(uint256(handler.mirrorBalance(actor, tokens[t])), vault.balanceOf(actor, tokens[t]), "balance");
            }
        }
        for (uint256 i; i < handler.leaseCount(); i++) {
            bytes32 id = handler.ghost(i).id;
            eq(keccak256(abi.encode(handler.mirror(id))), keccak256(abi.encode(rentals.get(id))), "lease");
        }
        for (uint256 i; i < handler.offerCount(); i++) {
            bytes32 id = handler.offerIds(i);
            Offers.Offer memory offer = offers.get(id);
            eq(handler.mirrorVersion(id), offer.version, "offer version");
            yes(handler.mirrorStatus(id) == offer.status, "offer status");
            eq(uint256(handler.mirrorTaken(id)), offer.taken, "units taken");
        }
    }

    function invariant_17_live_deals_keep_their_parameters() public view {
        for (uint256 i; i < handler.leaseCount(); i++) {
            Ghost memory g = handler.ghost(i);
            Rentals.Lease memory lease = rentals.get(g.id);
            eq(lease.cap, g.cap, "cap");
            eq(lease.openedAt, g.openedAt, "opened at");
            if (g.state == Rentals.State.CLOSED) continue;
            eq(RentalMath.depositFor(g.terms.price, g.terms.unit, lease.cap), g.deposit, "deposit");
        }
    }

    function invariant_18_units_are_live_leases() public view {
        eq(bytes(handler.refusedOpen()).length, 0, handler.refusedOpen());
        for (uint256 o; o < handler.offerCount(); o++) {
            uint256 live;
            for (uint256 i; i < handler.leaseCount(); i++) {
                Ghost memory g = handler.ghost(i);
                if (g.offer == o && g.state != Rentals.State.CLOSED) live++;
            }
            eq(offers.get(handler.offerIds(o)).taken, live, "taken");
        }
    }

    function invariant_21_modules_keep_to_their_own_locks() public view {
        for (uint256 i; i < handler.actorCount(); i++) {
            address actor = handler.actors(i);
            for (uint256 t; t < 2; t++) {
                uint256 escrowed;
                for (uint256 l; l < handler.leaseCount(); l++) {
                    Ghost memory g = handler.ghost(l);
                    if (g.terms.renter != actor || g.terms.token != tokens[t] || g.state == Rentals.State.CLOSED) continue;
                    escrowed += g.deposit - RentalMath.billFor(g.terms.price, g.terms.unit, g.paid);
                }
                eq(vault.lockedOf(address(rentals), actor, tokens[t]), escrowed, "escrow");
                eq(vault.lockedOf(address(handler), actor, tokens[t]), handler.otherLocks(actor, tokens[t]), "the other's");
            }
        }
    }
}
