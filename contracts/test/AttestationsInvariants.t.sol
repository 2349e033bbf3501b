// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations} from "../src/Attestations.sol";
import {AttestationsBase} from "./AttestationsBase.sol";
import {AttestationsHandler} from "./AttestationsHandler.sol";

/// The numbered invariants of docs/protocol.md that validators have to keep. A call here is often a whole day.
/// forge-config: default.invariant.runs = 8
/// forge-config: default.invariant.depth = 48
contract AttestationsInvariantsTest is AttestationsBase {
    AttestationsHandler internal handler;

    function setUp() public override {
        handler = new AttestationsHandler();
        (att, offers) = handler.contracts();
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
        bytes4[] memory s = new bytes4[](9);
        s[0] = s[1] = AttestationsHandler.day.selector;
        s[2] = s[3] = AttestationsHandler.judge.selector;
        s[4] = AttestationsHandler.attestOne.selector;
        s[5] = AttestationsHandler.carryOut.selector;
        s[6] = AttestationsHandler.equivocate.selector;
        s[7] = AttestationsHandler.owner.selector;
        s[8] = AttestationsHandler.open.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), s);
    }

    /// The histories are worth something only if they get everywhere.
    function test_handler_takesEveryWay() public {
        uint256 seed = uint256(keccak256("days"));
        for (uint256 i; i < 120; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 way = (seed >> 200) % 6;
            if (way < 2) handler.day(seed);
            else if (way == 2) handler.judge(seed, seed >> 128);
            else if (way == 3) handler.attestOne(seed);
            else if (way == 4) handler.owner(seed);
            else handler.equivocate(seed);
        }
        yes(handler.roots() > 3, "hardly anything was attested");
        yes(handler.carriedOut() > 2, "hardly a verdict was carried out");
        yes(handler.bars() > 0, "nobody was barred");
    }

    function invariant_07_a_root_once_attested_stands() public view {
        eq(bytes(handler.forged()).length, 0, handler.forged());
        (uint32 first, uint32 last) = handler.epochs();
        for (uint32 e = last > first + 8 ? last - 8 : first; e <= last; e++) eq(att.rootOf(e), handler.mirrorRoot(e), "root");
    }

    function invariant_14_validators_and_renters_can_leave_whatever_the_verdicts() public {
        eq(handler.everybodyLeaves(), 0, "something stayed behind");
    }

    function invariant_16_logs_rebuild_attestations() public view {
        (uint32 first, uint32 last) = handler.epochs();
        for (uint32 e = last > first + 8 ? last - 8 : first; e <= last + 1; e++) {
            eq(att.seedOf(e), handler.mirrorSeed(e), "seed");
            eq(att.candidateCount(e), handler.mirrorCandidates(e), "candidates");
        }
        for (uint256 i; i < 2; i++) {
            (bytes32 id, Attestations.Standing memory mirror) = handler.offerAt(i);
            eq(keccak256(abi.encode(att.standingOf(id))), keccak256(abi.encode(mirror)), "standing");
            yes(offers.get(id).status == handler.mirrorStatus(id), "status");
        }
        for (uint256 i; i < VALIDATORS; i++) {
            address validator = handler.validatorAt(i);
            yes(att.isBarred(validator) == handler.mirrorBarred(validator), "barred");
        }
    }

    function invariant_18_a_suspended_offer_cannot_be_opened() public view {
        eq(bytes(handler.openedSuspended()).length, 0, handler.openedSuspended());
        eq(bytes(handler.moved()).length, 0, handler.moved());
        for (uint256 i; i < 2; i++) {
            (bytes32 id, Attestations.Standing memory mirror) = handler.offerAt(i);
            if (mirror.state != Attestations.State.CLEAR) eq(offers.freeUnits(id), 0, "for rent while suspended");
        }
    }

    function invariant_22_a_committee_is_at_most_seven_who_revealed_and_never_changes() public view {
        yes(handler.committeesStay(), "a committee changed");
        (address[] memory members, address[] memory keys) = att.committeeOf(att.sittingEpoch());
        yes(members.length <= 7 && members.length == keys.length, "seats");
        uint32 epoch = att.sittingEpoch();
        uint256 count = att.candidateCount(epoch);
        for (uint256 i; i < members.length; i++) {
            for (uint256 j; j < i; j++) yes(members[i] != members[j], "a seat each");
            bool revealed;
            for (uint256 c; c < count; c++) {
                (Attestations.Candidate memory candidate, Attestations.Signer memory signer) = att.candidateAt(epoch, c);
                if (candidate.validator == members[i]) revealed = signer.revealed;
            }
            yes(revealed, "has not revealed");
        }
    }
}
