// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Offers} from "./Offers.sol";
import {Rentals, Terms} from "./Rentals.sol";
import {IStakes} from "./interfaces/IStakes.sol";

/// What a committee says about one epoch.
struct Finding {
    /// Root of the Merkle tree of verdicts; see `Attestations.leafOf`.
    bytes32 root;
    /// Hash of the transcripts that the verdicts rest on, kept off chain.
    bytes32 evidence;
}

/// One committee member's signature.
struct SeatSignature {
    /// Place in the committee, from 0.
    uint8 seat;
    bytes signature;
}

/// @title Attestations
/// @notice What validators have found out about offers: one Merkle root per epoch, signed by five of a committee of seven,
/// which suspends, delists and relists offers by proof. It decides only whether an offer takes *new* deals; running deals,
/// exits and money are out of its reach. A lease may name this contract as its witness.
/// @dev An epoch is a day of Unix time. The life of epoch e:
///   before it begins    validators commit to a secret; their stake is taken down as weight
///   while it lasts      they measure at times drawn from their secrets
///   6 hours after it    secrets are revealed; the seed is all of them together, so nobody knows it before the last
///   the 24 hours then   its committee sits: seven who have revealed, drawn by weight; it attests, once, and witnesses
///   24 hours more       the verdicts of its root can still be carried out
/// Weights stand before the first secret is known. Who withholds a secret to sway the seed gives up its own seat.
/// Stake takes 14 days to leave, so whoever signs can be slashed for it. Nothing is engaged: no validator is kept.
contract Attestations is EIP712, Multicall {
    enum State {
        CLEAR,
        SUSPENDED,
        DELISTED
    }

    /// @dev One slot: 160 + 96 = 256 bits.
    struct Candidate {
        address validator;
        /// Stake of all candidates up to and including this one.
        uint96 weightSum;
    }

    /// @dev One slot: 160 + 8 = 168 bits.
    struct Signer {
        /// Key that committed, and so signs, for a validator in an epoch.
        address key;
        bool revealed;
    }

    /// @dev One slot: 8 + 32 + 32 + 8 = 80 bits.
    struct Standing {
        State state;
        /// Epoch of the last verdict carried out; only later ones count.
        uint32 epoch;
        /// Epoch of the last delisting.
        uint32 delistedEpoch;
        /// How often it has been delisted; 255 is the end of counting.
        uint8 delistings;
    }

    /// @notice Length of an epoch, in seconds.
    uint256 public constant EPOCH_SECONDS = 24 hours;

    /// @notice How long after its epoch a secret can be revealed, in seconds.
    uint256 public constant REVEAL_SECONDS = 6 hours;

    /// @notice Members of a full committee. With fewer, nothing is attested.
    uint256 public constant SEATS = 7;

    /// @notice Members who have to sign.
    uint256 public constant QUORUM = 5;

    /// @notice Draws after which a committee stays as incomplete as it is. Each looks at log2(candidates) slots.
    uint256 public constant MAX_DRAWS = 128;

    /// @notice Epochs that a relisted offer has to have been watched after its wait.
    uint32 public constant PROBATION_EPOCHS = 3;

    /// @notice Longest wait after a delisting, in epochs. The first is one epoch, each further one twice as long.
    uint32 public constant MAX_WAIT_EPOCHS = 64;

    /// @notice Share of its stake that a validator loses for signing two findings of one epoch, in hundredths of a percent.
    uint16 public constant EQUIVOCATION_BPS = 5_000;

    /// @dev keccak256("Attestation(uint32 epoch,bytes32 root,bytes32 evidence)")
    bytes32 public constant ATTESTATION_TYPEHASH = keccak256("Attestation(uint32 epoch,bytes32 root,bytes32 evidence)");

    /// @dev The voucher of Rentals, in this contract's domain.
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 leaseId,uint32 secs)");

    IStakes public immutable stakes;
    Offers public immutable offers;
    Rentals public immutable rentals;

    /// @notice The key that may act for a validator besides itself, so that its wallet stays locked.
    mapping(address validator => address operator) public operatorOf;

    /// @notice Whether a validator has signed two findings of one epoch. It never sits again.
    mapping(address validator => bool) public isBarred;

    /// @notice What a validator has committed to for an epoch: see `commitmentOf`.
    mapping(uint32 epoch => mapping(address validator => bytes32)) public commitments;

    /// @notice The secrets of an epoch revealed so far, hashed and joined by exclusive or: their order cannot matter.
    mapping(uint32 epoch => bytes32) public seedOf;

    /// @notice The root attested for an epoch; zero before.
    mapping(uint32 epoch => bytes32) public rootOf;

    mapping(uint32 epoch => Candidate[]) private _candidates;
    mapping(uint32 epoch => mapping(address validator => Signer)) private _signers;
    mapping(bytes32 offerId => Standing) private _standings;

    event OperatorSet(address indexed validator, address indexed operator);
    /// @param weight Stake that counts when the committee is drawn.
    event Committed(
        uint32 indexed epoch, address indexed validator, address indexed signer, bytes32 commitment, uint96 weight
    );
    event Revealed(uint32 indexed epoch, address indexed validator, bytes32 secret);
    event Attested(uint32 indexed epoch, bytes32 root, bytes32 evidence);
    event Suspended(bytes32 indexed offerId, uint32 indexed epoch);
    event Delisted(bytes32 indexed offerId, uint32 indexed epoch, uint32 relistFrom);
    event Relisted(bytes32 indexed offerId, uint32 indexed epoch);
    event Equivocated(address indexed validator, uint32 indexed epoch, address indexed finder);
    event Witnessed(bytes32 indexed leaseId, uint32 indexed epoch, uint32 secs);

    error NotOperator(address caller, address validator);
    error Barred(address validator);
    error InactiveValidator(address validator);
    error AlreadyCommitted(uint32 epoch, address validator);
    error EmptyCommitment();
    error NotRevealing(uint32 epoch);
    error WrongSecret(uint32 epoch, address validator);
    error AlreadyRevealed(uint32 epoch, address validator);
    error NotDrawn(uint32 epoch);
    error NotSitting(uint32 epoch, uint32 sitting);
    error AlreadyAttested(uint32 epoch);
    error EmptyRoot();
    error NoQuorum(uint256 signatures);
    error BadSeat(uint8 seat);
    error BadSignature(address recovered, address expected);
    error NotAttested(uint32 epoch);
    error VerdictTooOld(uint32 epoch, uint32 sitting);
    error VerdictOvertaken(bytes32 offerId, uint32 epoch, uint32 last);
    error BadProof(bytes32 offerId, uint32 epoch);
    error WrongState(bytes32 offerId, State state);
    error TooEarlyToRelist(bytes32 offerId, uint32 epoch, uint32 relistFrom);
    error NoEquivocation(uint32 epoch, address validator);

    constructor(IStakes stakes_, Offers offers_, Rentals rentals_) EIP712("Commonwatt", "1") {
        stakes = stakes_;
        offers = offers_;
        rentals = rentals_;
    }

    // ------------------------------------------------------------------------------------------------ validators

    /// @notice Names the key that may commit and sign for the caller, from the next commitment on.
    /// @param operator An EOA, such as the host's key; the zero address for none.
    function setOperator(address operator) external {
        operatorOf[msg.sender] = operator;
        emit OperatorSet(msg.sender, operator);
    }

    /// @notice Enters the draw for the committee of the next epoch, with the validator's stake as it is now, and binds the
    /// validator to a secret. The caller's key is the one that signs for it in that epoch.
    /// @param commitment `commitmentOf(epoch, validator, secret)` of a fresh random secret, for `epoch() + 1`.
    function commit(address validator, bytes32 commitment) external {
        if (msg.sender != validator && msg.sender != operatorOf[validator]) revert NotOperator(msg.sender, validator);
        if (isBarred[validator]) revert Barred(validator);
        if (!stakes.isActive(IStakes.Role.VALIDATOR, validator)) revert InactiveValidator(validator);
        if (commitment == 0) revert EmptyCommitment();
        uint32 next = epoch() + 1;
        if (commitments[next][validator] != 0) revert AlreadyCommitted(next, validator);

        // Fits: Stakes keeps every account's stake, and WATT its whole supply, in 96 bits.
        uint96 weight = uint96(stakes.stakedOf(IStakes.Role.VALIDATOR, validator));
        Candidate[] storage candidates = _candidates[next];
        uint256 count = candidates.length;
        candidates.push(Candidate(validator, (count == 0 ? 0 : candidates[count - 1].weightSum) + weight));
        commitments[next][validator] = commitment;
        _signers[next][validator].key = msg.sender;
        emit Committed(next, validator, msg.sender, commitment, weight);
    }

    /// @notice Reveals a secret in the 6 hours after its epoch. Anybody who knows it may.
    function reveal(uint32 epoch_, address validator, bytes32 secret) external {
        uint256 end = (uint256(epoch_) + 1) * EPOCH_SECONDS;
        if (block.timestamp < end || block.timestamp >= end + REVEAL_SECONDS) revert NotRevealing(epoch_);
        if (commitments[epoch_][validator] != commitmentOf(epoch_, validator, secret)) revert WrongSecret(epoch_, validator);
        if (_signers[epoch_][validator].revealed) revert AlreadyRevealed(epoch_, validator);
        _signers[epoch_][validator].revealed = true;
        seedOf[epoch_] ^= keccak256(abi.encode(validator, secret));
        emit Revealed(epoch_, validator, secret);
    }

    // ------------------------------------------------------------------------------------------------ committees

    /// @notice Attests the finding of the epoch whose committee sits now. Once: what is attested stands.
    /// @param signatures Of `Attestation(epoch, root, evidence)`, by rising seat, at least `QUORUM`.
    function attest(uint32 epoch_, Finding calldata finding, SeatSignature[] calldata signatures) external {
        uint32 sitting = sittingEpoch();
        if (epoch_ != sitting) revert NotSitting(epoch_, sitting);
        if (rootOf[epoch_] != 0) revert AlreadyAttested(epoch_);
        if (finding.root == 0) revert EmptyRoot();
        _checkQuorum(epoch_, _attestationDigest(epoch_, finding), signatures);
        rootOf[epoch_] = finding.root;
        emit Attested(epoch_, finding.root, finding.evidence);
    }

    /// @notice Draws on a lease that names this contract as its witness: the committee that sits has seen it served while
    /// the renter was away. The provider then draws again or releases.
    /// @param signatures Of `Voucher(leaseId, secs)` in this contract's domain, by rising seat, at least `QUORUM`.
    function witness(Terms calldata terms, uint32 secs, SeatSignature[] calldata signatures) external {
        uint32 sitting = sittingEpoch();
        bytes32 leaseId = keccak256(abi.encode(terms));
        _checkQuorum(sitting, _hashTypedDataV4(keccak256(abi.encode(VOUCHER_TYPEHASH, leaseId, secs))), signatures);
        emit Witnessed(leaseId, sitting, secs);
        rentals.draw(terms, secs, "");
    }

    // ------------------------------------------------------------------------------------------------ anybody

    /// @notice Carries out a verdict: no new deals until the offer is relisted, at the committee's next say.
    function suspend(bytes32 offerId, uint32 epoch_, bytes32[] calldata proof) external {
        Standing memory standing = _proven(offerId, epoch_, State.SUSPENDED, proof);
        if (standing.state != State.CLEAR) revert WrongState(offerId, standing.state);
        standing.state = State.SUSPENDED;
        _standings[offerId] = standing;
        emit Suspended(offerId, epoch_);
        offers.suspend(offerId);
    }

    /// @notice Carries out a verdict: no new deals until the offer is relisted, after a wait that doubles each time and a
    /// probation.
    function delist(bytes32 offerId, uint32 epoch_, bytes32[] calldata proof) external {
        Standing memory standing = _proven(offerId, epoch_, State.DELISTED, proof);
        State before = standing.state;
        if (before == State.DELISTED) revert WrongState(offerId, before);
        standing.state = State.DELISTED;
        standing.delistedEpoch = epoch_;
        if (standing.delistings < type(uint8).max) standing.delistings += 1;
        _standings[offerId] = standing;
        emit Delisted(offerId, epoch_, _relistFrom(standing));
        if (before == State.CLEAR) offers.suspend(offerId);
    }

    /// @notice Carries out a verdict: the provider may resume the offer.
    function relist(bytes32 offerId, uint32 epoch_, bytes32[] calldata proof) external {
        Standing memory standing = _proven(offerId, epoch_, State.CLEAR, proof);
        if (standing.state == State.CLEAR) revert WrongState(offerId, standing.state);
        if (standing.state == State.DELISTED && epoch_ < _relistFrom(standing)) {
            revert TooEarlyToRelist(offerId, epoch_, _relistFrom(standing));
        }
        standing.state = State.CLEAR;
        _standings[offerId] = standing;
        emit Relisted(offerId, epoch_);
        offers.unsuspend(offerId);
    }

    /// @notice Shows that a validator has signed two findings of one epoch: it loses part of its stake, of which the caller
    /// gets the finder's share, and never sits again.
    function proveEquivocation(
        uint32 epoch_,
        address validator,
        Finding calldata one,
        bytes calldata oneSignature,
        Finding calldata other,
        bytes calldata otherSignature
    ) external {
        if (isBarred[validator]) revert Barred(validator);
        bytes32 oneDigest = _attestationDigest(epoch_, one);
        bytes32 otherDigest = _attestationDigest(epoch_, other);
        if (oneDigest == otherDigest) revert NoEquivocation(epoch_, validator);
        address key = _signers[epoch_][validator].key;
        _checkSigner(oneDigest, oneSignature, key);
        _checkSigner(otherDigest, otherSignature, key);
        isBarred[validator] = true;
        emit Equivocated(validator, epoch_, msg.sender);
        stakes.slash(IStakes.Role.VALIDATOR, validator, EQUIVOCATION_BPS, 0, msg.sender);
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @notice The epoch it is now: days since 1970.
    function epoch() public view returns (uint32) {
        return uint32(block.timestamp / EPOCH_SECONDS);
    }

    /// @notice The epoch whose committee sits now.
    function sittingEpoch() public view returns (uint32) {
        return uint32((block.timestamp - REVEAL_SECONDS) / EPOCH_SECONDS) - 1;
    }

    /// @notice The committee of an epoch, seat by seat, once its secrets are revealed; the same for ever from then on.
    /// @return validators At most `SEATS`; fewer where too few have revealed.
    /// @return keys The keys that sign for them.
    function committeeOf(uint32 epoch_) public view returns (address[] memory validators, address[] memory keys) {
        if (epoch_ > sittingEpoch()) revert NotDrawn(epoch_);
        validators = new address[](SEATS);
        keys = new address[](SEATS);
        Candidate[] storage candidates = _candidates[epoch_];
        uint256 count = candidates.length;
        uint256 total = count == 0 ? 0 : candidates[count - 1].weightSum;
        bytes32 seed = seedOf[epoch_];
        uint256 seats;
        for (uint256 i; i < MAX_DRAWS && seats < SEATS && seed != 0; i++) {
            address validator = _at(candidates, count, uint256(keccak256(abi.encode(seed, i))) % total);
            Signer memory signer = _signers[epoch_][validator];
            if (!signer.revealed || _contains(validators, seats, validator)) continue;
            (validators[seats], keys[seats]) = (validator, signer.key);
            ++seats;
        }
        assembly ("memory-safe") {
            mstore(validators, seats)
            mstore(keys, seats)
        }
    }

    /// @notice How many validators have entered the draw of an epoch.
    function candidateCount(uint32 epoch_) external view returns (uint256) {
        return _candidates[epoch_].length;
    }

    /// @notice One of them, in the order of their commitments, and the key that signs for it.
    function candidateAt(uint32 epoch_, uint256 index) external view returns (Candidate memory, Signer memory) {
        Candidate memory candidate = _candidates[epoch_][index];
        return (candidate, _signers[epoch_][candidate.validator]);
    }

    /// @notice What the validators' verdicts have made of an offer.
    function standingOf(bytes32 offerId) external view returns (Standing memory) {
        return _standings[offerId];
    }

    /// @notice First epoch whose root can relist a delisted offer.
    function relistFrom(bytes32 offerId) external view returns (uint32) {
        return _relistFrom(_standings[offerId]);
    }

    /// @notice What to commit to: bound to epoch and validator, so that copying it is of no use.
    function commitmentOf(uint32 epoch_, address validator, bytes32 secret) public pure returns (bytes32) {
        return keccak256(abi.encode(epoch_, validator, secret));
    }

    /// @notice A leaf of an epoch's tree: what is to become of an offer. Hashed twice, so that no inner node is one.
    /// @param verdict SUSPENDED, DELISTED, or CLEAR to relist.
    function leafOf(bytes32 offerId, State verdict) public pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(offerId, verdict))));
    }

    /// @notice The EIP-712 domain that findings and witnessed vouchers are signed under.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ------------------------------------------------------------------------------------------------ internal

    /// The candidate on whom a draw falls: the first whose weight sum is above it.
    function _at(Candidate[] storage candidates, uint256 count, uint256 draw) private view returns (address) {
        (uint256 low, uint256 high) = (0, count - 1);
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (candidates[middle].weightSum > draw) high = middle;
            else low = middle + 1;
        }
        return candidates[low].validator;
    }

    function _contains(address[] memory list, uint256 count, address one) private pure returns (bool) {
        for (uint256 i; i < count; i++) {
            if (list[i] == one) return true;
        }
        return false;
    }

    function _attestationDigest(uint32 epoch_, Finding calldata finding) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ATTESTATION_TYPEHASH, epoch_, finding.root, finding.evidence)));
    }

    /// A validator barred meanwhile keeps its seat, so that the others keep theirs, but has no say.
    function _checkQuorum(uint32 epoch_, bytes32 digest, SeatSignature[] calldata signatures) private view {
        if (signatures.length < QUORUM) revert NoQuorum(signatures.length);
        (address[] memory validators, address[] memory keys) = committeeOf(epoch_);
        uint256 next;
        for (uint256 i; i < signatures.length; i++) {
            uint8 seat = signatures[i].seat;
            if (seat < next || seat >= keys.length) revert BadSeat(seat);
            if (isBarred[validators[seat]]) revert Barred(validators[seat]);
            _checkSigner(digest, signatures[i].signature, keys[seat]);
            next = uint256(seat) + 1;
        }
    }

    function _checkSigner(bytes32 digest, bytes calldata signature, address expected) private pure {
        (address by,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (by == address(0) || by != expected) revert BadSignature(by, expected);
    }

    /// The standing after a verdict that the epoch's root holds, still with its old state.
    function _proven(bytes32 offerId, uint32 epoch_, State verdict, bytes32[] calldata proof)
        private
        view
        returns (Standing memory standing)
    {
        bytes32 root = rootOf[epoch_];
        if (root == 0) revert NotAttested(epoch_);
        uint32 sitting = sittingEpoch();
        if (sitting > epoch_ + 1) revert VerdictTooOld(epoch_, sitting);
        standing = _standings[offerId];
        if (epoch_ <= standing.epoch) revert VerdictOvertaken(offerId, epoch_, standing.epoch);
        if (!MerkleProof.verifyCalldata(proof, root, leafOf(offerId, verdict))) revert BadProof(offerId, epoch_);
        standing.epoch = epoch_;
    }

    function _relistFrom(Standing memory standing) private pure returns (uint32) {
        if (standing.delistings == 0) return 0;
        uint32 wait = standing.delistings > 6 ? MAX_WAIT_EPOCHS : uint32(1) << (standing.delistings - 1);
        return standing.delistedEpoch + wait + PROBATION_EPOCHS;
    }
}
