// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Finding} from "../src/Attestations.sol";
import {Juries} from "../src/Juries.sol";
import {JobsBase} from "./JobsBase.sol";
import {VmReplay} from "./SentReplay.sol";

interface VmBlocks is VmReplay {
    function roll(uint256 number) external;
    function coinbase(address builder) external;
    function fee(uint256 baseFee) external;
}

/// Juries.tree, leaf by leaf.
contract JuriesTest is JobsBase {
    bytes32 internal constant CASE = "case";
    VmBlocks internal constant vmr = VmBlocks(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    function setUp() public override {
        super.setUp();
        hireJury();
    }

    function _open() internal {
        vm.prank(jobs);
        juries.open(CASE);
    }

    function _draw() internal {
        vm.prank(jobs);
        juries.draw(CASE, [renter, provider, challenger]);
    }

    function _seat() internal {
        _open();
        secretsComeOut();
        _draw();
    }

    function _commit(uint256 seat, Juries.Verdict verdict) internal {
        address member = juries.memberOf(CASE, seat);
        bytes32 commitment = juries.commitmentOf(CASE, member, verdict, SALT);
        vm.prank(member);
        juries.commit(CASE, seat, commitment);
    }

    function _commitAll(Juries.Verdict verdict) internal {
        for (uint256 seat; seat < 7; seat++) _commit(seat, verdict);
    }

    function _is(Juries.Verdict verdict, bool over) internal view {
        (Juries.Verdict got, bool gotOver,) = juries.verdictOf(CASE);
        eq(uint256(got), uint256(verdict), "verdict");
        yes(gotOver == over, "over");
    }

    function _sits(address one) internal view returns (bool) {
        for (uint256 seat; seat < 7; seat++) if (juries.memberOf(CASE, seat) == one) return true;
        return false;
    }

    function test_constructor_keepsWhatItIsTold() public view {
        eq(address(juries.stakes()), address(stakes), "stakes");
        eq(address(juries.attestations()), attestations, "attestations");
        eq(juries.jobs(), jobs, "jobs");
    }

    function test_open_waitsForTheDaysSecrets() public {
        uint32 today = att.epoch();
        uint40 drawFrom = uint40(uint256(today) + 1) * 1 days + 6 hours;
        vm.warp(block.timestamp + 1 days - 1);
        vm.expectEmit(true, true, true, true, address(juries));
        emit Juries.Opened(CASE, today, drawFrom, drawFrom + 1 days);
        _open();
        Juries.Case memory c = juries.get(CASE);
        eq(c.epoch, today, "epoch");
        eq(c.seats + c.commitUntil, 0, "nobody sits yet");
        eq(c.revealUntil, drawFrom + 1 days, "until when");
        _is(Juries.Verdict.NONE, false);
    }

    function test_open_isOverAtOnceWithTooFew() public {
        for (uint256 i; i < 5; i++) commitFor(validators[i]);
        goTo(att.epoch() + 1, 0);
        _open();
        _is(Juries.Verdict.NONE, false);
        for (uint256 i; i < 4; i++) commitFor(validators[i]);
        goTo(att.epoch() + 1, 0);
        uint40 now_ = uint40(block.timestamp);
        vm.expectEmit(true, true, true, true, address(juries));
        emit Juries.Drawn("tomorrow", new address[](0), now_, now_);
        vm.prank(jobs);
        juries.open("tomorrow");
        (Juries.Verdict verdict, bool over, uint40 endsAt) = juries.verdictOf("tomorrow");
        eq(uint256(verdict), 0, "verdict");
        yes(over, "over");
        eq(endsAt, block.timestamp, "now");
    }

    function test_open_revertsForOthers() public {
        vm.expectRevert(abi.encodeWithSelector(Juries.NotModule.selector, address(this)));
        juries.open(CASE);
    }

    function test_open_revertsTwice() public {
        _open();
        vm.expectRevert(abi.encodeWithSelector(Juries.CaseExists.selector, CASE));
        _open();
    }

    function test_draw_seatsSevenOfThoseWhoHaveEntered() public {
        _seat();
        Juries.Case memory c = juries.get(CASE);
        eq(c.seats, 7, "seats");
        eq(c.commitUntil, block.timestamp + 24 hours, "commit");
        eq(c.revealUntil, block.timestamp + 36 hours, "reveal");
        uint256 seated;
        for (uint256 i; i < VALIDATORS; i++) if (_sits(validators[i])) seated++;
        eq(seated, 7, "seven different validators");
        eq(juries.memberOf(CASE, 7), address(0), "no more");
    }

    function test_draw_tellsWhoSits() public {
        _open();
        secretsComeOut();
        uint256 state = vmr.snapshotState();
        _draw();
        address[] memory members = _members();
        vmr.revertToState(state);
        vm.expectEmit(true, true, true, true, address(juries));
        emit Juries.Drawn(CASE, members, uint40(block.timestamp) + 24 hours, uint40(block.timestamp) + 36 hours);
        _draw();
    }

    function _members() internal view returns (address[] memory members) {
        members = new address[](7);
        for (uint256 seat; seat < 7; seat++) members[seat] = juries.memberOf(CASE, seat);
    }

    /// Neither the block of the challenge nor that of the draw can be chosen for its jury. A day of secrets twice a run.
    /// forge-config: default.fuzz.runs = 500
    function test_draw_dependsOnNoBlock(uint256 seed) public {
        uint256 start = vmr.snapshotState();
        _seat();
        address[] memory members = _members();
        vmr.revertToState(start);
        _anyBlock(block.timestamp + seed % 1 days, seed);
        _open();
        secretsComeOut();
        seed = uint256(keccak256(abi.encode(seed)));
        _anyBlock(block.timestamp + seed % 1 days, seed);
        _draw();
        for (uint256 seat; seat < 7; seat++) eq(juries.memberOf(CASE, seat), members[seat], "another jury");
    }

    function _anyBlock(uint256 time, uint256 seed) internal {
        vm.warp(time);
        vmr.prevrandao(bytes32(seed));
        vmr.roll(1 + seed % 1e12);
        vmr.coinbase(address(uint160(seed)));
        vmr.fee(seed % 1e12);
    }

    /// While a result can be challenged a single secret that is not known leaves the jury open.
    function test_draw_dependsOnEverySecret() public {
        _open();
        uint32 epoch = att.epoch();
        goTo(epoch + 1, 0);
        for (uint256 i; i < 8; i++) revealFor(epoch, validators[i]);
        uint256 state = vmr.snapshotState();
        goTo(epoch + 1, 6 hours);
        _draw();
        address[] memory without = _members();
        vmr.revertToState(state);
        revealFor(epoch, validators[8]);
        goTo(epoch + 1, 6 hours);
        _draw();
        uint256 same;
        for (uint256 seat; seat < 7; seat++) if (juries.memberOf(CASE, seat) == without[seat]) same++;
        yes(same < 7, "the same jury");
    }

    function test_draw_leavesOutTheParties() public {
        _open();
        secretsComeOut();
        vm.prank(jobs);
        juries.draw(CASE, [validators[0], validators[1], validators[2]]);
        eq(juries.get(CASE).seats, 6, "nine less three");
        for (uint256 i; i < 3; i++) yes(!_sits(validators[i]), "a party sits");
    }

    function test_draw_leavesOutWhoIsBarredOrHasLeft() public {
        uint32 epoch = att.epoch();
        _open();
        secretsComeOut();
        vm.prank(validators[0]);
        stakes.unbond(VALIDATOR, 1);
        Finding memory one = Finding("one", 0);
        Finding memory other = Finding("other", 0);
        uint256 key = keyOf[validators[1]];
        att.proveEquivocation(
            epoch,
            validators[1],
            one,
            signed(key, findingDigest(epoch, one)),
            other,
            signed(key, findingDigest(epoch, other))
        );
        _draw();
        yes(!_sits(validators[0]), "who has left sits");
        yes(!_sits(validators[1]), "who is barred sits");
        eq(juries.get(CASE).seats, 7, "the other seven");
    }

    function test_draw_leavesOutWhoKeptItsSecret() public {
        _open();
        uint32 epoch = att.epoch();
        goTo(epoch + 1, 0);
        for (uint256 i = 2; i < VALIDATORS; i++) revealFor(epoch, validators[i]);
        goTo(epoch + 1, 6 hours);
        _draw();
        yes(!_sits(validators[0]) && !_sits(validators[1]), "who kept its secret sits");
        eq(juries.get(CASE).seats, 7, "the other seven");
    }

    /// Each has what was asked of it when it entered.
    function test_draw_whateverTheLeastStakeIsNow() public {
        _open();
        secretsComeOut();
        vm.prank(admin);
        parameters.setMinStakes(100e18, BOND + 1);
        yes(!stakes.isActive(VALIDATOR, validators[0]), "none could enter now");
        _draw();
        eq(juries.get(CASE).seats, 7, "seats");
    }

    function test_draw_isOverAtOnceWithTooFew() public {
        _open();
        secretsComeOut();
        for (uint256 i; i < 5; i++) {
            vm.prank(validators[i]);
            stakes.unbond(VALIDATOR, BOND);
        }
        _draw();
        eq(juries.get(CASE).seats, 4, "seats");
        _is(Juries.Verdict.NONE, true);
    }

    function test_draw_findsNobodyWithoutSecrets() public {
        _open();
        goTo(att.epoch() + 1, 6 hours);
        _draw();
        eq(juries.get(CASE).seats, 0, "seats");
        _is(Juries.Verdict.NONE, true);
    }

    function test_draw_revertsForOthers() public {
        _open();
        secretsComeOut();
        vm.expectRevert(abi.encodeWithSelector(Juries.NotModule.selector, address(this)));
        juries.draw(CASE, [renter, provider, challenger]);
    }

    function test_draw_revertsBeforeTheSecretsAreOut() public {
        _open();
        secretsComeOut();
        vm.warp(block.timestamp - 1);
        vm.expectRevert(abi.encodeWithSelector(Juries.NotDrawing.selector, CASE));
        _draw();
    }

    function test_draw_revertsAfterItsTime() public {
        _open();
        secretsComeOut();
        vm.warp(block.timestamp + 1 days - 1);
        _is(Juries.Verdict.NONE, false);
        vm.warp(block.timestamp + 1);
        _is(Juries.Verdict.NONE, true);
        vm.expectRevert(abi.encodeWithSelector(Juries.NotDrawing.selector, CASE));
        _draw();
    }

    function test_draw_revertsTwice() public {
        _seat();
        vm.expectRevert(abi.encodeWithSelector(Juries.NotDrawing.selector, CASE));
        _draw();
    }

    function test_commit_byMemberOrOperator() public {
        _seat();
        _commit(0, Juries.Verdict.VALID);
        address member = juries.memberOf(CASE, 1);
        vm.prank(member);
        att.setOperator(host);
        vm.expectEmit(true, true, true, true, address(juries));
        emit Juries.Committed(CASE, 1, "commitment");
        vm.prank(host);
        juries.commit(CASE, 1, "commitment");
        eq(juries.get(CASE).committed, 2, "committed");
        eq(juries.commitments(CASE, 1), "commitment", "commitment");
    }

    function test_commit_revertsForOthers() public {
        _seat();
        vm.expectRevert(abi.encodeWithSelector(Juries.NotMember.selector, CASE, 0, stranger));
        vm.prank(stranger);
        juries.commit(CASE, 0, "commitment");
        vm.expectRevert(abi.encodeWithSelector(Juries.NotMember.selector, CASE, 7, address(0)));
        vm.prank(address(0));
        juries.commit(CASE, 7, "commitment");
    }

    function test_commit_revertsForNothing() public {
        _seat();
        address member = juries.memberOf(CASE, 0);
        vm.expectRevert(abi.encodeWithSelector(Juries.EmptyCommitment.selector));
        vm.prank(member);
        juries.commit(CASE, 0, 0);
    }

    function test_commit_revertsTwice() public {
        _seat();
        _commit(0, Juries.Verdict.VALID);
        address member = juries.memberOf(CASE, 0);
        vm.expectRevert(abi.encodeWithSelector(Juries.AlreadyCommitted.selector, CASE, 0));
        vm.prank(member);
        juries.commit(CASE, 0, "another");
    }

    /// A member whose verdict is out has no second one, even while the time to commit runs.
    function test_commit_revertsOnceRevealed() public {
        _seat();
        _commitAll(Juries.Verdict.VALID);
        juries.reveal(CASE, 0, Juries.Verdict.VALID, SALT);
        address member = juries.memberOf(CASE, 0);
        bytes32 commitment = juries.commitmentOf(CASE, member, Juries.Verdict.VALID, "again");
        vm.expectRevert(abi.encodeWithSelector(Juries.AlreadyCommitted.selector, CASE, 0));
        vm.prank(member);
        juries.commit(CASE, 0, commitment);
    }

    function test_commit_revertsAfterItsTime() public {
        _seat();
        address member = juries.memberOf(CASE, 0);
        uint40 until = juries.get(CASE).commitUntil;
        vm.warp(until - 1);
        _commit(1, Juries.Verdict.VALID);
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(Juries.CommitOver.selector, CASE, until));
        vm.prank(member);
        juries.commit(CASE, 0, "commitment");
    }

    function test_reveal_countsVerdicts() public {
        _seat();
        for (uint256 seat; seat < 3; seat++) _commit(seat, Juries.Verdict(seat + 1));
        vm.warp(juries.get(CASE).commitUntil);
        for (uint256 seat; seat < 3; seat++) {
            vm.expectEmit(true, true, true, true, address(juries));
            emit Juries.Voted(CASE, seat, Juries.Verdict(seat + 1));
            juries.reveal(CASE, seat, Juries.Verdict(seat + 1), SALT);
        }
        Juries.Case memory c = juries.get(CASE);
        eq(c.revealed, 3, "revealed");
        eq(c.valid, 1, "valid");
        eq(c.invalid, 2, "invalid");
    }

    function test_reveal_asSoonAsAllHaveCommitted() public {
        _seat();
        _commitAll(Juries.Verdict.VALID);
        juries.reveal(CASE, 3, Juries.Verdict.VALID, SALT);
        eq(juries.get(CASE).valid, 1, "valid");
    }

    function test_reveal_revertsBefore() public {
        _seat();
        _commit(0, Juries.Verdict.VALID);
        vm.warp(juries.get(CASE).commitUntil - 1);
        vm.expectRevert(abi.encodeWithSelector(Juries.NotRevealing.selector, CASE));
        juries.reveal(CASE, 0, Juries.Verdict.VALID, SALT);
    }

    function test_reveal_revertsAfterItsTime() public {
        _seat();
        _commitAll(Juries.Verdict.VALID);
        vm.warp(juries.get(CASE).revealUntil - 1);
        juries.reveal(CASE, 0, Juries.Verdict.VALID, SALT);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(Juries.NotRevealing.selector, CASE));
        juries.reveal(CASE, 1, Juries.Verdict.VALID, SALT);
    }

    function test_reveal_revertsForOtherVerdict() public {
        _seat();
        _commitAll(Juries.Verdict.VALID);
        vm.expectRevert(abi.encodeWithSelector(Juries.WrongReveal.selector, CASE, 0));
        juries.reveal(CASE, 0, Juries.Verdict.INVALID, SALT);
        vm.expectRevert(abi.encodeWithSelector(Juries.WrongReveal.selector, CASE, 0));
        juries.reveal(CASE, 0, Juries.Verdict.VALID, "another");
    }

    function test_reveal_revertsTwice() public {
        _seat();
        _commitAll(Juries.Verdict.VALID);
        juries.reveal(CASE, 0, Juries.Verdict.VALID, SALT);
        vm.expectRevert(abi.encodeWithSelector(Juries.WrongReveal.selector, CASE, 0));
        juries.reveal(CASE, 0, Juries.Verdict.VALID, SALT);
    }

    function test_reveal_revertsForCopiedCommitment() public {
        _seat();
        _commit(0, Juries.Verdict.VALID);
        address member = juries.memberOf(CASE, 1);
        bytes32 copied = juries.commitments(CASE, 0);
        vm.prank(member);
        juries.commit(CASE, 1, copied);
        vm.warp(juries.get(CASE).commitUntil);
        vm.expectRevert(abi.encodeWithSelector(Juries.WrongReveal.selector, CASE, 1));
        juries.reveal(CASE, 1, Juries.Verdict.VALID, SALT);
    }

    function test_reveal_revertsForNone() public {
        _seat();
        _commitAll(Juries.Verdict.NONE);
        vm.expectRevert(abi.encodeWithSelector(Juries.BadVerdict.selector, Juries.Verdict.NONE));
        juries.reveal(CASE, 0, Juries.Verdict.NONE, SALT);
    }

    function test_verdictOf_fiveDecide() public {
        _seat();
        _commitAll(Juries.Verdict.VALID);
        for (uint256 seat; seat < 4; seat++) juries.reveal(CASE, seat, Juries.Verdict.VALID, SALT);
        _is(Juries.Verdict.NONE, false);
        juries.reveal(CASE, 6, Juries.Verdict.VALID, SALT);
        _is(Juries.Verdict.VALID, true);
    }

    function test_verdictOf_invalidAndUnavailableCountTogether() public {
        _seat();
        for (uint256 seat; seat < 7; seat++) {
            _commit(seat, seat < 3 ? Juries.Verdict.INVALID : Juries.Verdict.UNAVAILABLE);
        }
        for (uint256 seat; seat < 5; seat++) {
            juries.reveal(CASE, seat, seat < 3 ? Juries.Verdict.INVALID : Juries.Verdict.UNAVAILABLE, SALT);
        }
        _is(Juries.Verdict.INVALID, true);
    }

    function test_verdictOf_fourDecideNothing() public {
        _seat();
        _commitAll(Juries.Verdict.INVALID);
        for (uint256 seat; seat < 4; seat++) juries.reveal(CASE, seat, Juries.Verdict.INVALID, SALT);
        vm.warp(juries.get(CASE).revealUntil - 1);
        _is(Juries.Verdict.NONE, false);
        vm.warp(juries.get(CASE).revealUntil);
        _is(Juries.Verdict.NONE, true);
    }

    function test_verdictOf_unknownCaseDecidesNothing() public view {
        _is(Juries.Verdict.NONE, true);
    }
}
