// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Attestations} from "../src/Attestations.sol";
import {OfferParams, Offers} from "../src/Offers.sol";
import {Base} from "./Base.sol";
import {AttestationsBase} from "./AttestationsBase.sol";
import {SentReplay} from "./SentReplay.sol";
import {StakesBase} from "./StakesBase.sol";

/// As ReplayTest, for the validators: the histories of contracts/tools/attestation-histories.mjs.
contract AttestationsReplayTest is AttestationsBase, SentReplay {
    address internal constant DEPLOYER = address(0xde9103);

    bytes32[2] internal offerIds;

    function setUp() public override(Base, AttestationsBase) {
        StakesBase.setUp();
        vm.startPrank(DEPLOYER);
        deployAttestationsFrom(DEPLOYER);
        vm.stopPrank();
        for (uint256 i; i < VALIDATORS; i++) addValidator(0x7a11d + i, BOND * uint96(1 + i));
        OfferParams memory params = offerParams(ETH, 1);
        params.endsBy = START + 3_650 days;
        for (uint256 i; i < 2; i++) offerIds[i] = register(params, bytes32(i));
    }

    function _target() internal view override returns (address) {
        return address(att);
    }

    function _stateAt(uint40) internal view override returns (bytes32) {
        uint256[] memory words = new uint256[](1 + 14 + 4 * 3 + 2 * 6 + 9 * 2);
        uint256 n;
        uint32 sitting = att.sittingEpoch();
        (address[] memory members, address[] memory keys) = att.committeeOf(sitting);
        words[n++] = members.length;
        for (uint256 i; i < 7; i++) {
            words[n++] = i < members.length ? uint160(members[i]) : 0;
            words[n++] = i < members.length ? uint160(keys[i]) : 0;
        }
        for (uint32 e = sitting - 1; e < sitting + 3; e++) {
            words[n++] = uint256(att.seedOf(e));
            words[n++] = att.candidateCount(e);
            words[n++] = uint256(att.rootOf(e));
        }
        for (uint256 i; i < 2; i++) {
            Attestations.Standing memory s = att.standingOf(offerIds[i]);
            Offers.Offer memory o = offers.get(offerIds[i]);
            words[n++] = uint256(s.state);
            words[n++] = s.epoch;
            words[n++] = s.delistedEpoch;
            words[n++] = s.delistings;
            words[n++] = uint256(o.status);
            words[n++] = o.version;
        }
        for (uint256 i; i < VALIDATORS; i++) {
            words[n++] = att.isBarred(validators[i]) ? 1 : 0;
            words[n++] = stakes.stakedOf(VALIDATOR, validators[i]);
        }
        return keccak256(abi.encodePacked(words));
    }
}
