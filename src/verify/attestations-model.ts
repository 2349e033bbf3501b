/**
 * Attestations.sol as values: who may sign, whom the seed seats, what becomes of an offer. A signature is the address it
 * recovers to; the zero address stands for nonsense. Of Stakes it knows only what every validator has bonded.
 */
import { AbiCoder, ParamType, keccak256 } from 'ethers';
import { ETH, type Address, type Bytes32 } from '../shared/ids.ts';
import type { Finding } from '../shared/typed-data.ts';
import { setSuspended } from './offers-model.ts';
import { Revert, withEntry, type World } from './world.ts';

export const EPOCH_SECONDS = 86_400;
/** How long after its epoch a secret can be revealed. */
export const REVEAL_SECONDS = 6 * 3600;
export const SEATS = 7;
export const QUORUM = 5;
const MAX_DRAWS = 128;
/** Epochs that a relisted offer has to have been watched after its wait. */
export const PROBATION_EPOCHS = 3;
const MAX_WAIT_EPOCHS = 64;
const EQUIVOCATION_BPS = 5000n;

const ZERO: Bytes32 = `0x${'0'.repeat(64)}`;

/** A verdict, and what it makes of an offer. */
export const STANDING = { CLEAR: 0, SUSPENDED: 1, DELISTED: 2 } as const;
export type StandingState = (typeof STANDING)[keyof typeof STANDING];

export interface ModelStanding {
  state: StandingState;
  /** Epoch of the last verdict carried out. */
  epoch: number;
  delistedEpoch: number;
  delistings: number;
}

export interface ModelEpoch {
  /** In the order of their commitments; `weightSum` counts everybody up to and including this one. */
  candidates: readonly { validator: Address; weightSum: bigint }[];
  commitments: ReadonlyMap<Address, Bytes32>;
  signers: ReadonlyMap<Address, { key: Address; revealed: boolean }>;
  seed: Bytes32;
  root: Bytes32;
}

export interface AttestationsWorld {
  /** Offers, and the time. */
  market: World;
  /** Bonded by validators, in the smallest unit of WATT. */
  staked: ReadonlyMap<Address, bigint>;
  minStake: bigint;
  operators: ReadonlyMap<Address, Address>;
  barred: ReadonlySet<Address>;
  epochs: ReadonlyMap<number, ModelEpoch>;
  standings: ReadonlyMap<Bytes32, ModelStanding>;
}

/** A committee member's signature, by its seat. */
export interface SeatSigned {
  seat: number;
  signedBy: Address;
}

const coder = AbiCoder.defaultAbiCoder();
const typed = (...types: readonly string[]) => types.map((type) => ParamType.from(type));
const COMMITMENT = typed('uint32', 'address', 'bytes32');
const LEAF = typed('bytes32', 'uint8');
const SECRET = typed('address', 'bytes32');
const DRAW = typed('bytes32', 'uint256');
const hash = (types: readonly ParamType[], values: readonly unknown[]): Bytes32 =>
  keccak256(coder.encode(types, values)) as Bytes32;

const word = (value: bigint): Bytes32 => `0x${value.toString(16).padStart(64, '0')}`;

/** What to commit to: bound to epoch and validator, so that copying it is of no use. */
export const commitmentOf = (epoch: number, validator: Address, secret: Bytes32): Bytes32 =>
  hash(COMMITMENT, [epoch, validator, secret]);

/** A leaf of an epoch's tree of verdicts. */
export const leafOf = (offerId: Bytes32, verdict: StandingState): Bytes32 =>
  keccak256(hash(LEAF, [offerId, verdict])) as Bytes32;

/** An inner node: the smaller child first. */
export const nodeOf = (a: Bytes32, b: Bytes32): Bytes32 =>
  keccak256(BigInt(a) < BigInt(b) ? `${a}${b.slice(2)}` : `${b}${a.slice(2)}`) as Bytes32;

const NO_EPOCH: ModelEpoch = { candidates: [], commitments: new Map(), signers: new Map(), seed: ZERO, root: ZERO };
const NO_STANDING: ModelStanding = { state: STANDING.CLEAR, epoch: 0, delistedEpoch: 0, delistings: 0 };

export const epochIn = (world: Pick<AttestationsWorld, 'epochs'>, epoch: number): ModelEpoch =>
  world.epochs.get(epoch) ?? NO_EPOCH;

export const standingOf = (world: AttestationsWorld, offerId: Bytes32): ModelStanding =>
  world.standings.get(offerId) ?? NO_STANDING;

/** Days since 1970. */
export const epochAt = (now: number): number => Math.floor(now / EPOCH_SECONDS);

/** The epoch whose committee sits. */
export const sittingEpoch = (now: number): number => epochAt(now - REVEAL_SECONDS) - 1;

function refuse(error: string, ...args: unknown[]): never {
  throw new Revert('Attestations', error, args);
}

const withEpoch = (world: AttestationsWorld, epoch: number, changes: Partial<ModelEpoch>): AttestationsWorld => ({
  ...world,
  epochs: withEntry(world.epochs, epoch, { ...epochIn(world, epoch), ...changes }),
});

export const setOperator = (world: AttestationsWorld, caller: Address, operator: Address): AttestationsWorld => ({
  ...world,
  operators: withEntry(world.operators, caller, operator),
});

export function commit(
  world: AttestationsWorld,
  caller: Address,
  validator: Address,
  commitment: Bytes32,
): AttestationsWorld {
  if (caller !== validator && caller !== world.operators.get(validator)) refuse('NotOperator', caller, validator);
  if (world.barred.has(validator)) refuse('Barred', validator);
  const weight = world.staked.get(validator) ?? 0n;
  if (weight < world.minStake) refuse('InactiveValidator', validator);
  if (commitment === ZERO) refuse('EmptyCommitment');
  const next = epochAt(world.market.now) + 1;
  const { candidates, commitments, signers } = epochIn(world, next);
  if (commitments.has(validator)) refuse('AlreadyCommitted', next, validator);
  return withEpoch(world, next, {
    candidates: [...candidates, { validator, weightSum: (candidates.at(-1)?.weightSum ?? 0n) + weight }],
    commitments: withEntry(commitments, validator, commitment),
    signers: withEntry(signers, validator, { key: caller, revealed: false }),
  });
}

export function reveal(
  world: AttestationsWorld,
  epoch: number,
  validator: Address,
  secret: Bytes32,
): AttestationsWorld {
  const end = (epoch + 1) * EPOCH_SECONDS;
  if (world.market.now < end || world.market.now >= end + REVEAL_SECONDS) refuse('NotRevealing', epoch);
  const { commitments, signers, seed } = epochIn(world, epoch);
  const signer = signers.get(validator);
  if (!signer || commitments.get(validator) !== commitmentOf(epoch, validator, secret)) {
    refuse('WrongSecret', epoch, validator);
  }
  if (signer.revealed) refuse('AlreadyRevealed', epoch, validator);
  return withEpoch(world, epoch, {
    signers: withEntry(signers, validator, { ...signer, revealed: true }),
    seed: word(BigInt(seed) ^ BigInt(hash(SECRET, [validator, secret]))),
  });
}

type Seated = { validator: Address; key: Address };

/** An epoch's value is never changed, so what is drawn from it is not either; drawing is most of a history's work. */
const drawn = new WeakMap<ModelEpoch, readonly Seated[]>();

/** Seat by seat; the same for ever once the secrets are out. */
export function committeeOf(world: AttestationsWorld, epoch: number): readonly Seated[] {
  if (epoch > sittingEpoch(world.market.now)) refuse('NotDrawn', epoch);
  const one = epochIn(world, epoch);
  const known = drawn.get(one) ?? drawFrom(one);
  drawn.set(one, known);
  return known;
}

function drawFrom({ candidates, signers, seed }: ModelEpoch): readonly Seated[] {
  const total = candidates.at(-1)?.weightSum ?? 0n;
  const seated: Seated[] = [];
  for (let draw = 0; draw < MAX_DRAWS && seated.length < SEATS && seed !== ZERO; draw += 1) {
    const at = BigInt(hash(DRAW, [seed, draw])) % total;
    const validator = candidates.find(({ weightSum }) => weightSum > at)?.validator;
    const signer = validator && signers.get(validator);
    if (!validator || !signer?.revealed || seated.some((one) => one.validator === validator)) continue;
    seated.push({ validator, key: signer.key });
  }
  return seated;
}

function checkSigned(signedBy: Address, expected: Address): void {
  if (signedBy === ETH || signedBy !== expected) refuse('BadSignature', signedBy, expected);
}

/** Whether the committee of an epoch has said so; throws what the contract reverts with. */
export function checkQuorum(world: AttestationsWorld, epoch: number, signatures: readonly SeatSigned[]): void {
  if (signatures.length < QUORUM) refuse('NoQuorum', signatures.length);
  const committee = committeeOf(world, epoch);
  let next = 0;
  for (const { seat, signedBy } of signatures) {
    const member = committee[seat];
    if (seat < next || !member) refuse('BadSeat', seat);
    if (world.barred.has(member.validator)) refuse('Barred', member.validator);
    checkSigned(signedBy, member.key);
    next = seat + 1;
  }
}

export function attest(
  world: AttestationsWorld,
  epoch: number,
  finding: Finding,
  signatures: readonly SeatSigned[],
): AttestationsWorld {
  const sitting = sittingEpoch(world.market.now);
  if (epoch !== sitting) refuse('NotSitting', epoch, sitting);
  if (epochIn(world, epoch).root !== ZERO) refuse('AlreadyAttested', epoch);
  if (finding.root === ZERO) refuse('EmptyRoot');
  checkQuorum(world, epoch, signatures);
  return withEpoch(world, epoch, { root: finding.root });
}

/** First epoch whose root can relist a delisted offer: a wait that doubles each time, then the probation. */
export function relistFrom({ delistings, delistedEpoch }: ModelStanding): number {
  if (delistings === 0) return 0;
  return delistedEpoch + Math.min(2 ** (delistings - 1), MAX_WAIT_EPOCHS) + PROBATION_EPOCHS;
}

/** `suspend`, `delist` and `relist`: carries out the verdict `to` that the epoch's root holds. */
export function carryOut(
  world: AttestationsWorld,
  to: StandingState,
  offerId: Bytes32,
  epoch: number,
  proof: readonly Bytes32[],
): AttestationsWorld {
  const { root } = epochIn(world, epoch);
  if (root === ZERO) refuse('NotAttested', epoch);
  const sitting = sittingEpoch(world.market.now);
  if (sitting > epoch + 1) refuse('VerdictTooOld', epoch, sitting);
  const before = standingOf(world, offerId);
  if (epoch <= before.epoch) refuse('VerdictOvertaken', offerId, epoch, before.epoch);
  if (proof.reduce(nodeOf, leafOf(offerId, to)) !== root) refuse('BadProof', offerId, epoch);

  const { CLEAR, SUSPENDED, DELISTED } = STANDING;
  const wrong = {
    [SUSPENDED]: before.state !== CLEAR,
    [DELISTED]: before.state === DELISTED,
    [CLEAR]: before.state === CLEAR,
  };
  if (wrong[to]) refuse('WrongState', offerId, before.state);
  if (to === CLEAR && before.state === DELISTED && epoch < relistFrom(before)) {
    refuse('TooEarlyToRelist', offerId, epoch, relistFrom(before));
  }
  const standing: ModelStanding =
    to === DELISTED
      ? { state: to, epoch, delistedEpoch: epoch, delistings: Math.min(before.delistings + 1, 255) }
      : { ...before, state: to, epoch };
  const changes = to === CLEAR || before.state === CLEAR;
  return {
    ...world,
    standings: withEntry(world.standings, offerId, standing),
    market: changes ? setSuspended(world.market, offerId, to !== CLEAR) : world.market,
  };
}

/** Both findings are of `epoch`; who signed them is given. */
export function proveEquivocation(
  world: AttestationsWorld,
  epoch: number,
  validator: Address,
  one: { finding: Finding; signedBy: Address },
  other: { finding: Finding; signedBy: Address },
): AttestationsWorld {
  if (world.barred.has(validator)) refuse('Barred', validator);
  const same = one.finding.root === other.finding.root && one.finding.evidence === other.finding.evidence;
  if (same) refuse('NoEquivocation', epoch, validator);
  const key = epochIn(world, epoch).signers.get(validator)?.key ?? ETH;
  checkSigned(one.signedBy, key);
  checkSigned(other.signedBy, key);
  const staked = world.staked.get(validator) ?? 0n;
  return {
    ...world,
    barred: new Set([...world.barred, validator]),
    staked: withEntry(world.staked, validator, staked - (staked * EQUIVOCATION_BPS) / 10_000n),
  };
}
