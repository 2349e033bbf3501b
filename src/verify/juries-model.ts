/**
 * Juries.sol as values: who is drawn for a disputed result, what they commit to and reveal, and what that comes to. Who has
 * entered which draw is the world of `attestations-model`.
 */
import { AbiCoder, ParamType, keccak256 } from 'ethers';
import type { Address, Bytes32 } from '../shared/ids.ts';
import {
  EPOCH_SECONDS,
  REVEAL_SECONDS,
  epochAt,
  epochIn,
  sittingEpoch,
  type AttestationsWorld,
} from './attestations-model.ts';
import { STAKE_ROLE, stakeOf, type StakesWorld } from './stakes-model.ts';
import { Revert, withEntry } from './world.ts';

export const VERDICT = { NONE: 0, VALID: 1, INVALID: 2, UNAVAILABLE: 3 } as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

export const JURY_SEATS = 7;
export const JURY_QUORUM = 5;
const MAX_DRAWS = 32;
export const JURY_COMMIT_SECONDS = 24 * 3600;
export const JURY_REVEAL_SECONDS = 12 * 3600;
/** How long a jury can be drawn, from the end of the reveals of the epoch it is drawn from. */
export const JURY_DRAW_SECONDS = 24 * 3600;

export interface ModelCase {
  /** Unix seconds until which members commit; 0 while they are not drawn. */
  commitUntil: number;
  /** Unix seconds until which they reveal; while they are not drawn, until which they can be. */
  revealUntil: number;
  /** The epoch of the challenge. */
  epoch: number;
  /** By seat. */
  members: readonly Address[];
  /** By seat: what has been committed to and not revealed yet. */
  commitments: ReadonlyMap<number, Bytes32>;
  committed: number;
  revealed: number;
  valid: number;
  invalid: number;
}

export interface JuriesWorld {
  /** Stakes, and the time. */
  stakes: StakesWorld;
  /** Who has entered which draw, whose keys act for whom, who never sits again. */
  validators: Pick<AttestationsWorld, 'epochs' | 'operators' | 'barred'>;
  cases: ReadonlyMap<Bytes32, ModelCase>;
}

const NO_CASE: ModelCase = {
  commitUntil: 0,
  revealUntil: 0,
  epoch: 0,
  members: [],
  commitments: new Map(),
  committed: 0,
  revealed: 0,
  valid: 0,
  invalid: 0,
};

const coder = AbiCoder.defaultAbiCoder();
const COMMITMENT = ['bytes32', 'address', 'uint8', 'bytes32'].map((type) => ParamType.from(type));
const SEED = ['bytes32', 'bytes32'].map((type) => ParamType.from(type));
const DRAW = ['bytes32', 'uint256'].map((type) => ParamType.from(type));
const hash = (types: readonly ParamType[], values: readonly unknown[]): Bytes32 =>
  keccak256(coder.encode(types, values)) as Bytes32;

/** What to commit to: bound to case and member, so that copying it is of no use. */
export const verdictCommitment = (caseId: Bytes32, validator: Address, verdict: Verdict, salt: Bytes32): Bytes32 =>
  hash(COMMITMENT, [caseId, validator, verdict, salt]);

export const caseOf = (world: JuriesWorld, caseId: Bytes32): ModelCase => world.cases.get(caseId) ?? NO_CASE;

function refuse(error: string, ...args: unknown[]): never {
  throw new Revert('Juries', error, args);
}

const withCase = <W extends JuriesWorld>(world: W, caseId: Bytes32, one: ModelCase): W => ({
  ...world,
  cases: withEntry(world.cases, caseId, one),
});

function membersOf(
  { stakes, validators }: JuriesWorld,
  caseId: Bytes32,
  epoch: number,
  parties: readonly Address[],
): Address[] {
  const { candidates, signers, seed } = epochIn(validators, epoch);
  const total = candidates.at(-1)?.weightSum ?? 0n;
  const members: Address[] = [];
  const own = hash(SEED, [seed, caseId]);
  for (let i = 0; i < MAX_DRAWS && members.length < JURY_SEATS; i += 1) {
    const at = BigInt(hash(DRAW, [own, i])) % total;
    const index = candidates.findIndex(({ weightSum }) => weightSum > at);
    const { validator: one, weightSum } = candidates[index] as (typeof candidates)[number];
    if (!signers.get(one)?.revealed || members.includes(one) || parties.includes(one)) continue;
    const weight = weightSum - (candidates[index - 1]?.weightSum ?? 0n);
    const { staked } = stakeOf(stakes, STAKE_ROLE.VALIDATOR, one);
    if (!validators.barred.has(one) && staked >= weight) members.push(one);
  }
  return members;
}

/** The time of a jury counts from its draw. */
function seatJury<W extends JuriesWorld>(world: W, caseId: Bytes32, epoch: number, members: readonly Address[]): W {
  const { now } = world.stakes.market;
  const able = members.length >= JURY_QUORUM;
  const commitUntil = able ? now + JURY_COMMIT_SECONDS : now;
  const revealUntil = able ? commitUntil + JURY_REVEAL_SECONDS : now;
  return withCase(world, caseId, { ...NO_CASE, epoch, members, commitUntil, revealUntil });
}

/** Only from Jobs, when a result is challenged. */
export function open<W extends JuriesWorld>(world: W, caseId: Bytes32): W {
  if (caseOf(world, caseId).revealUntil !== 0) refuse('CaseExists', caseId);
  const epoch = epochAt(world.stakes.market.now);
  if (epochIn(world.validators, epoch).candidates.length < JURY_QUORUM) return seatJury(world, caseId, epoch, []);
  return withCase(world, caseId, { ...NO_CASE, epoch, revealUntil: drawFrom(epoch) + JURY_DRAW_SECONDS });
}

/** Unix seconds from which the jury of a case of this epoch can be drawn. */
export const drawFrom = (epoch: number): number => (epoch + 1) * EPOCH_SECONDS + REVEAL_SECONDS;

/** Only from Jobs, on anybody's call. */
export function draw<W extends JuriesWorld>(world: W, caseId: Bytes32, parties: readonly Address[]): W {
  const { commitUntil, epoch } = caseOf(world, caseId);
  if (commitUntil !== 0 || sittingEpoch(world.stakes.market.now) !== epoch) refuse('NotDrawing', caseId);
  return seatJury(world, caseId, epoch, membersOf(world, caseId, epoch, parties));
}

export function commit<W extends JuriesWorld>(
  world: W,
  caller: Address,
  caseId: Bytes32,
  { seat, commitment }: { seat: number; commitment: Bytes32 },
): W {
  const one = caseOf(world, caseId);
  const validator = one.members[seat];
  if (!validator || (caller !== validator && caller !== world.validators.operators.get(validator))) {
    refuse('NotMember', caseId, seat, caller);
  }
  if (BigInt(commitment) === 0n) refuse('EmptyCommitment');
  if (world.stakes.market.now >= one.commitUntil) refuse('CommitOver', caseId, one.commitUntil);
  if (one.commitments.has(seat) || one.committed === one.members.length) refuse('AlreadyCommitted', caseId, seat);
  return withCase(world, caseId, {
    ...one,
    commitments: withEntry(one.commitments, seat, commitment),
    committed: one.committed + 1,
  });
}

export function reveal<W extends JuriesWorld>(
  world: W,
  caseId: Bytes32,
  { seat, verdict, salt }: { seat: number; verdict: Verdict; salt: Bytes32 },
): W {
  if (verdict === VERDICT.NONE) refuse('BadVerdict', verdict);
  const one = caseOf(world, caseId);
  const { now } = world.stakes.market;
  const early = now < one.commitUntil && one.committed < one.members.length;
  if (early || now >= one.revealUntil) refuse('NotRevealing', caseId);
  const validator = one.members[seat];
  const known = one.commitments.get(seat);
  if (!validator || known !== verdictCommitment(caseId, validator, verdict, salt)) refuse('WrongReveal', caseId, seat);
  const commitments = new Map(one.commitments);
  commitments.delete(seat);
  return withCase(world, caseId, {
    ...one,
    commitments,
    revealed: one.revealed + 1,
    valid: one.valid + (verdict === VERDICT.VALID ? 1 : 0),
    invalid: one.invalid + (verdict === VERDICT.VALID ? 0 : 1),
  });
}

/** What a case has come to, and whether that stands. */
export function verdictOf(
  world: JuriesWorld,
  caseId: Bytes32,
): { verdict: Exclude<Verdict, 3>; over: boolean; endsAt: number } {
  const { valid, invalid, revealUntil: endsAt } = caseOf(world, caseId);
  if (valid >= JURY_QUORUM) return { verdict: VERDICT.VALID, over: true, endsAt };
  if (invalid >= JURY_QUORUM) return { verdict: VERDICT.INVALID, over: true, endsAt };
  return { verdict: VERDICT.NONE, over: world.stakes.market.now >= endsAt, endsAt };
}
