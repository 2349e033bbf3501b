import type { Address, Bytes32 } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import { misfit, type Means } from './job-fit.ts';
import type { JobRoom, WorkDoor } from './job-room.ts';
import { RenterFunds } from './renter-funds.ts';
import { impossible } from './run-plan.ts';

/** How long a read from the contracts is good enough for the next job that is looked at. */
const FRESH_MS = 1000;
const REQUIREMENTS_MS = 60_000;
/** How long a unit is kept for one work, however often it is asked for under other terms. */
const PROMISED_SECONDS = 120;
/** How long a renter that let a promise pass gets no other one, and how many of those are remembered. */
const PAUSE_SECONDS = 300;
const MOST_PAUSES = 10_000;

export interface JobToTake {
  jobId: Bytes32;
  terms: JobTerms;
  spec: JobSpec;
}

interface Promised {
  offerId: Bytes32;
  dealId: Bytes32;
  renter: Address;
  specHash: Bytes32;
  token: Address;
  bond: bigint;
  bounty: bigint;
  /** Unix seconds; of the first promise for this work. */
  since: number;
  until: number;
  asked: boolean;
}

/**
 * Whether a job is taken, and what is promised meanwhile: an acceptance that may still be used, and a claim on its way,
 * each hold one unit and one bond, so that two jobs never get the same.
 */
export class WorkChoice {
  readonly #room: JobRoom;
  readonly #door: WorkDoor;
  readonly #promised = new Map<Bytes32, Promised>();
  readonly #balances = new Map<Address, { atMs: number; value: Promise<bigint> }>();
  readonly #pauses = new Map<Address, number>();
  readonly #funds: RenterFunds;
  #inactiveBelow: { atMs: number; value: Promise<number> } | null = null;

  constructor(room: JobRoom, door: WorkDoor) {
    this.#room = room;
    this.#door = door;
    this.#funds = new RenterFunds(room);
  }

  /**
   * Why not, in words for the renter; null when it is taken, and promised until then. What was promised before may be
   * promised again.
   * @param asked by a stranger, for whom nothing is looked up before what costs nothing says yes
   * @throws AppError network-down
   */
  async take(job: JobToTake, offerId: Bytes32, until: number, { asked }: { asked: boolean }): Promise<string | null> {
    const { jobId, terms, spec } = job;
    const hopeless = this.#hopeless(job);
    if (hopeless !== null) return hopeless;
    const early = this.#refusal(job, offerId, { inactiveBelow: 0, balance: terms.bond }, asked);
    if (early !== null) return early;
    const [balance, inactiveBelow, funds] = await Promise.all([
      this.#balance(terms.token),
      this.#floor(),
      asked ? this.#funds.of(terms) : null,
    ]);
    // From here on nothing waits: what is looked at and what is promised belong together.
    const before = this.#sameWork(job, offerId);
    const others = this.#alive().filter(([id]) => id !== jobId && id !== before?.[0]);
    const sum = (of: (promised: Promised) => bigint) =>
      others.reduce((all, [, one]) => all + (one.token === terms.token ? of(one) : 0n), 0n);
    const means = { inactiveBelow, balance: balance - sum(({ bond }) => bond) };
    const why = this.#refusal(job, offerId, means, asked);
    if (why !== null) return why;
    if (funds !== null && this.#room.chain.job(jobId)?.state !== 'open') {
      const promised = sum(({ renter, bounty }) => (renter === terms.renter ? bounty : 0n));
      if (funds - promised < terms.bounty) return 'The bounty is not in the renter’s deposit account.';
    }
    const owner = this.#door.mayTake(offerId, spec);
    if (!owner.free) return owner.reason;
    if (before) this.#promised.delete(before[0]);
    const { renter, specHash, token, bond, bounty } = terms;
    const dealId = this.#room.chain.calls.jobDealId(terms, offerId);
    const since = before?.[1].since ?? this.#now();
    this.#promised.set(jobId, { offerId, dealId, renter, specHash, token, bond, bounty, since, until, asked });
    return null;
  }

  /** What no state of this computer changes. */
  #hopeless({ terms, spec }: JobToTake): string | null {
    const { content, chain } = this.#room;
    const hopeless = impossible(spec);
    if (hopeless !== null) return hopeless;
    // Each would cost a question to the chain, and a place in memory.
    if (!chain.profile.tokens.some(({ address }) => address === terms.token)) {
      return 'The bounty is in a token that this network does not name.';
    }
    const fromIpfs = spec.inputs.filter((input) => input.from === 'ipfs').map(({ cid }) => cid);
    if (spec.work.type === 'wasm' && spec.renterPeer === undefined) fromIpfs.push(spec.work.module);
    if (this.#room.gateways().length === 0 && fromIpfs.some((cid) => !content.has(cid))) {
      return 'This host has no IPFS gateway to fetch from.';
    }
    return null;
  }

  /** What is known without asking anybody. */
  #refusal(job: JobToTake, offerId: Bytes32, means: Omit<Means, 'standing'>, asked: boolean): string | null {
    const { account, chain } = this.#room;
    const { terms, jobId } = job;
    const offer = chain.offer(offerId);
    if (!offer || offer.provider !== account.address || !this.#door.offers().includes(offerId)) {
      return 'This is not an offer that jobs are taken on now.';
    }
    if (chain.jobDeal(chain.calls.jobDealId(terms, offerId))) return 'This provider has taken the job already.';
    const before = this.#sameWork(job, offerId);
    if (asked && before && this.#now() - before[1].since > PROMISED_SECONDS)
      this.#disappointed(terms.renter, this.#now());
    if (this.freeUnits(offerId, before?.[0] ?? jobId) === 0) return 'Every unit of this offer is busy or promised now.';
    const pausedUntil = this.#pauses.get(terms.renter) ?? 0;
    if (asked && this.#now() < pausedUntil) {
      return 'This renter did not use what was promised to it lately. Ask again in a few minutes.';
    }
    const standing = chain.standing(account.address);
    return misfit(job, offer, { ...means, standing }, { now: this.#now(), practice: chain.profile.practice });
  }

  /** The same work under other terms: the renter has begun anew, and the chain gives a unit away once anyhow. */
  #sameWork({ terms, jobId }: JobToTake, offerId: Bytes32): [Bytes32, Promised] | undefined {
    return this.#alive().find(
      ([id, of]) =>
        of.offerId === offerId && (id === jobId || (of.renter === terms.renter && of.specHash === terms.specHash)),
    );
  }

  /** A unit that was kept for somebody in vain: it is kept for others first now. */
  #disappointed(renter: Address, at: number): void {
    const now = this.#now();
    for (const [of, until] of this.#pauses) if (until <= now) this.#pauses.delete(of);
    const [oldest] = this.#pauses.keys();
    if (this.#pauses.size >= MOST_PAUSES && oldest !== undefined) this.#pauses.delete(oldest);
    if (at + PAUSE_SECONDS > now && !this.#pauses.has(renter)) this.#pauses.set(renter, at + PAUSE_SECONDS);
  }

  #now(): number {
    return Math.max(this.#room.chain.now(), this.#room.clock.now());
  }

  /** Units of an offer that nobody has and that are not promised to another job. */
  freeUnits(offerId: Bytes32, except?: Bytes32): number {
    const promised = this.#alive().filter(([jobId, of]) => of.offerId === offerId && jobId !== except).length;
    return Math.max(0, (this.#room.chain.offer(offerId)?.free ?? 0) - promised);
  }

  /** The promise was not kept: somebody else has the job, or nothing was signed. */
  release(jobId: Bytes32): void {
    this.#promised.delete(jobId);
  }

  /** Promises that may still become runs. */
  #alive(): [Bytes32, Promised][] {
    const now = this.#now();
    for (const [jobId, { until, dealId, asked, renter }] of this.#promised) {
      // Once it is on chain the offer's own count, and the balance, say so.
      const isUsed = this.#room.chain.jobDeal(dealId) !== null;
      if (now <= until && !isUsed) continue;
      this.#promised.delete(jobId);
      if (asked && !isUsed) this.#disappointed(renter, until);
    }
    return [...this.#promised];
  }

  #balance(token: Address): Promise<bigint> {
    const { account, chain, clock } = this.#room;
    const known = this.#balances.get(token);
    if (known && clock.monotonicMs() - known.atMs < FRESH_MS) return known.value;
    const value = chain.reads.vaultBalance(account.address, token);
    this.#balances.set(token, { atMs: clock.monotonicMs(), value });
    value.catch(() => this.#balances.delete(token));
    return value;
  }

  #floor(): Promise<number> {
    const { chain, clock } = this.#room;
    const known = this.#inactiveBelow;
    if (known && clock.monotonicMs() - known.atMs < REQUIREMENTS_MS) return known.value;
    const value = chain.reads.jobRequirements().then(({ inactiveBelow }) => inactiveBelow);
    this.#inactiveBelow = { atMs: clock.monotonicMs(), value };
    value.catch(() => {
      this.#inactiveBelow = null;
    });
    return value;
  }
}
