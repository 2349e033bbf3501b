// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {OfferParams} from "../src/Offers.sol";
import {Parameters} from "../src/Parameters.sol";
import {RentalMath} from "../src/RentalMath.sol";
import {Rentals, Terms} from "../src/Rentals.sol";
import {StakeGovernor} from "../src/StakeGovernor.sol";
import {StakesBase} from "./StakesBase.sol";

/// Governance.tree, leaf by leaf: everything wired as src/chain/abi/deployment.ts does it.
contract GovernanceTest is StakesBase {
    uint64 internal constant ADMIN_ROLE = 0;
    uint64 internal constant GUARDIAN_ROLE = 1;
    uint8 internal constant FOR = 1;
    uint8 internal constant AGAINST = 0;

    TimelockController internal timelock;
    StakeGovernor internal governor;
    address internal guardian = address(0x6a4d);
    /// The compiler may keep a block's time where a test turns the clock.
    uint256 internal now_ = START;

    function setUp() public override {
        super.setUp();
        address[] memory proposers = new address[](1);
        address[] memory executors = new address[](1);
        proposers[0] = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        timelock = new TimelockController(2 days, proposers, executors, address(0));
        governor = new StakeGovernor(stakes, timelock);
        eq(address(governor), proposers[0], "the governor stands where the timelock expects it");

        bytes4[] memory pausing = new bytes4[](2);
        pausing[0] = Parameters.pauseNewDeals.selector;
        pausing[1] = Parameters.resumeNewDeals.selector;
        vm.startPrank(admin);
        manager.setTargetFunctionRole(address(parameters), pausing, GUARDIAN_ROLE);
        manager.grantRole(GUARDIAN_ROLE, guardian, 0);
        manager.grantRole(ADMIN_ROLE, address(timelock), 0);
        manager.renounceRole(ADMIN_ROLE, admin);
        vm.stopPrank();

        bond(PROVIDER, provider, 600e18);
        bond(VALIDATOR, renter, 400e18);
        _wait(1);
    }

    function _wait(uint256 secs) internal {
        now_ += secs;
        vm.warp(now_);
    }

    struct Proposal {
        address[] targets;
        uint256[] values;
        bytes[] calls;
        string words;
        uint256 id;
    }

    function _propose(address target, bytes memory call) internal returns (Proposal memory p) {
        p.targets = new address[](1);
        p.values = new uint256[](1);
        p.calls = new bytes[](1);
        (p.targets[0], p.calls[0], p.words) = (target, call, "as the test wants it");
        vm.prank(provider);
        p.id = governor.propose(p.targets, p.values, p.calls, p.words);
    }

    function _vote(Proposal memory p, address who, uint8 support) internal {
        if (governor.state(p.id) == IGovernor.ProposalState.Pending) _wait(1 days + 1);
        vm.prank(who);
        governor.castVote(p.id, support);
    }

    function _queue(Proposal memory p) internal {
        _wait(5 days + 1);
        governor.queue(p.targets, p.values, p.calls, keccak256(bytes(p.words)));
    }

    function _execute(Proposal memory p) internal {
        governor.execute(p.targets, p.values, p.calls, keccak256(bytes(p.words)));
    }

    function _decide(address target, bytes memory call) internal {
        Proposal memory p = _propose(target, call);
        _vote(p, provider, FOR);
        _queue(p);
        _wait(2 days);
        _execute(p);
    }

    function _rent(bytes32 salt) internal returns (Terms memory terms, uint256 deposit) {
        OfferParams memory params = offerParams(address(dollar), 3_600_000);
        bytes32 offerId = register(params, salt);
        terms = termsFor(offerId, params, salt);
        deposit = RentalMath.depositFor(params.price, params.unit, 3_600);
        fund(renter, address(dollar), deposit);
        vm.startPrank(renter);
        vault.authorize(address(rentals), true);
        rentals.open(terms, 3_600);
        vm.stopPrank();
    }

    function _closeAfter(Terms memory terms, uint32 secs) internal returns (uint256 fee) {
        uint256 before = vault.balanceOf(treasury, address(dollar));
        bytes32 id = idOf(terms);
        rentals.close(
            terms,
            secs,
            uint40(now_),
            finalBy(SESSION_KEY, id, secs, uint40(now_)),
            finalBy(HOST_KEY, id, secs, uint40(now_))
        );
        return vault.balanceOf(treasury, address(dollar)) - before;
    }

    // ------------------------------------------------------------------------------------------------ proposal

    function test_proposal_changesTheFeeForNewDealsOnly() public {
        (Terms memory old, uint256 deposit) = _rent("old");
        _decide(address(parameters), abi.encodeCall(parameters.setFee, (500)));
        eq(parameters.feeBps(), 500, "the new fee");
        (Terms memory fresh,) = _rent("fresh");
        _wait(3_600);
        eq(old.feeBps, 250, "the old lease keeps its fee");
        eq(fresh.feeBps, 500, "the new lease has the new one");
        eq(_closeAfter(old, 3_600), deposit * 250 / 10_000, "paid at the old fee");
        eq(_closeAfter(fresh, 3_600), deposit * 500 / 10_000, "paid at the new fee");
    }

    function test_proposal_allowsATokenForGood() public {
        _decide(address(parameters), abi.encodeCall(parameters.allowToken, (address(governor))));
        yes(parameters.isTokenAllowed(address(governor)), "allowed");
    }

    function test_proposal_cannotLeaveTheBounds() public {
        Proposal memory p = _propose(address(parameters), abi.encodeCall(parameters.setFee, (1_001)));
        _vote(p, provider, FOR);
        _queue(p);
        _wait(2 days);
        vm.expectRevert(abi.encodeWithSelector(Parameters.FeeTooHigh.selector, 1_001, 1_000));
        _execute(p);
    }

    function test_proposal_revertsForTooLittleStake() public {
        address[] memory targets = new address[](1);
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, stranger, 0, 100e18)
        );
        vm.prank(stranger);
        governor.propose(targets, new uint256[](1), new bytes[](1), "");
    }

    function test_proposal_waitsInTheTimelock() public {
        Proposal memory p = _propose(address(parameters), abi.encodeCall(parameters.setFee, (500)));
        _vote(p, provider, FOR);
        _queue(p);
        _wait(2 days - 1);
        vm.expectRevert();
        _execute(p);
        eq(parameters.feeBps(), 250, "not yet");
        _wait(1);
        _execute(p);
        eq(parameters.feeBps(), 500, "now");
    }

    function test_proposal_isTakenBackByItsProposerBeforeTheVote() public {
        Proposal memory p = _propose(address(parameters), abi.encodeCall(parameters.setFee, (500)));
        bytes32 words = keccak256(bytes(p.words));
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, p.id, renter));
        vm.prank(renter);
        governor.cancel(p.targets, p.values, p.calls, words);
        vm.prank(provider);
        governor.cancel(p.targets, p.values, p.calls, words);
        yes(governor.state(p.id) == IGovernor.ProposalState.Canceled, "cancelled");
    }

    function test_proposal_changesTheGovernorsOwnNumbers() public {
        eq(governor.proposalThreshold(), 100e18, "100 WATT at first");
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, provider));
        vm.prank(provider);
        governor.setProposalThreshold(5e18);
        Proposal memory p = _propose(address(governor), abi.encodeCall(governor.setProposalThreshold, (5e18)));
        yes(governor.proposalNeedsQueuing(p.id), "everything waits in the timelock");
        _vote(p, provider, FOR);
        _queue(p);
        _wait(2 days);
        _execute(p);
        eq(governor.proposalThreshold(), 5e18, "as decided");
    }

    function test_proposal_startsWithItsNumbers() public view {
        eq(governor.votingDelay(), 1 days, "until a vote begins");
        eq(governor.votingPeriod(), 5 days, "of voting");
        eq(governor.quorumNumerator(), 10, "a tenth of all stake");
    }

    // ------------------------------------------------------------------------------------------------ vote

    function test_vote_byStakeAtTheSnapshot() public {
        Proposal memory p = _propose(address(parameters), abi.encodeCall(parameters.setFee, (500)));
        _wait(1 days + 1);
        // Too late for this one: stake counts as it was when voting began.
        bond(VALIDATOR, renter, 10_000e18);
        _vote(p, provider, FOR);
        _vote(p, renter, AGAINST);
        (uint256 against, uint256 favour,) = governor.proposalVotes(p.id);
        eq(favour, 600e18, "for");
        eq(against, 400e18, "against");
        _wait(5 days + 1);
        yes(governor.state(p.id) == IGovernor.ProposalState.Succeeded, "more stake was for it");
    }

    function test_vote_isLostAgainstMoreStake() public {
        Proposal memory p = _propose(address(parameters), abi.encodeCall(parameters.setFee, (500)));
        bond(VALIDATOR, renter, 200e18 + 1);
        _vote(p, provider, FOR);
        _vote(p, renter, AGAINST);
        _wait(5 days + 1);
        yes(governor.state(p.id) == IGovernor.ProposalState.Defeated, "defeated");
    }

    function test_vote_needsATenthOfAllStake() public {
        bond(PROVIDER, stranger, 5_000e18 + 10);
        _wait(1);
        Proposal memory p = _propose(address(parameters), abi.encodeCall(parameters.setFee, (500)));
        _vote(p, provider, FOR);
        eq(governor.quorum(governor.proposalSnapshot(p.id)), 600e18 + 1, "quorum");
        _wait(5 days + 1);
        yes(governor.state(p.id) == IGovernor.ProposalState.Defeated, "no quorum");
    }

    function test_vote_whoIsLeavingHasNone() public {
        vm.prank(provider);
        stakes.unbond(PROVIDER, 600e18);
        _wait(1);
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, provider, 0, 100e18)
        );
        vm.prank(provider);
        governor.propose(new address[](1), new uint256[](1), new bytes[](1), "");
    }

    // ------------------------------------------------------------------------------------------------ powers

    function test_powers_nobodyButTheTimelockIsAdmin() public view {
        (bool deployer,) = manager.hasRole(ADMIN_ROLE, admin);
        (bool lock,) = manager.hasRole(ADMIN_ROLE, address(timelock));
        yes(!deployer, "who deployed has let go");
        yes(lock, "the timelock");
        yes(!timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), admin), "nor over the timelock");
        yes(timelock.hasRole(timelock.PROPOSER_ROLE(), address(governor)), "the governor proposes");
        yes(timelock.hasRole(timelock.CANCELLER_ROLE(), address(governor)), "the governor cancels");
        yes(timelock.hasRole(timelock.EXECUTOR_ROLE(), address(0)), "anybody executes");
    }

    function test_powers_theDeployerHasNone() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, admin));
        vm.prank(admin);
        parameters.setFee(0);
    }

    function test_powers_theGuardianPausesAndNothingElse() public {
        vm.startPrank(guardian);
        parameters.pauseNewDeals();
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, guardian));
        parameters.setFee(0);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, guardian));
        parameters.allowToken(address(governor));
        parameters.resumeNewDeals();
        vm.expectRevert(abi.encodeWithSelector(Parameters.PauseNotAllowedYet.selector, now_ + 37 days));
        parameters.pauseNewDeals();
        vm.stopPrank();
    }

    function test_powers_noExitIsRestricted() public {
        (Terms memory terms, uint256 deposit) = _rent("lease");
        vm.prank(guardian);
        parameters.pauseNewDeals();
        // The worst that governance can do: shut the door to every restricted function, and let nobody in again.
        _decide(address(manager), abi.encodeCall(manager.setTargetClosed, (address(parameters), true)));
        vm.prank(renter);
        rentals.terminate(terms, 0);
        vm.prank(provider);
        stakes.unbond(PROVIDER, 600e18);
        _wait(7 days);
        rentals.finalize(terms);
        vm.prank(provider);
        stakes.release(PROVIDER);
        vm.prank(provider);
        vault.withdraw(address(watt), provider, 600e18);
        vm.prank(renter);
        vault.withdraw(address(dollar), renter, deposit);
        eq(watt.balanceOf(provider), 600e18, "stake");
        eq(dollar.balanceOf(renter), deposit, "deposit");
    }
}
