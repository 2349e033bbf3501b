import type { Address, Bytes32 } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import { misfit } from './job-fit.ts';
import type { JobRoom, WorkDoor } from './job-room.ts';
import { impossible } from './run-plan.ts';

/** How long a read from the contracts is good enough for the next job that is looked at. */
const FRESH_MS = 1000;
const REQUIREMENTS_MS = 60_000;

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
  /** Unix seconds. */
  until: number;
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
  #inactiveBelow: { atMs: number; value: Promise<number> } | null = null;

  constructor(room: JobRoom, door: WorkDoor) {
    this.#room = room;
    this.#door = door;
  }

  /**
   * Why not, in words for the renter; null when it is taken, and promised until then. What was promised before may be
   * promised again.
   * @throws AppError network-down
   */
  async take({ jobId, terms, spec }: JobToTake, offerId: Bytes32, until: number): Promise<string | null> {
    const { account, chain } = this.#room;
    const hopeless = impossible(spec);
    if (hopeless !== null) return hopeless;
    const { content } = this.#room;
    const fromIpfs = spec.inputs.filter((input) => input.from === 'ipfs').map(({ cid }) => cid);
    if (spec.work.type === 'wasm' && spec.renterPeer === undefined) fromIpfs.push(spec.work.module);
    if (this.#room.gateways().length === 0 && fromIpfs.some((cid) => !content.has(cid))) {
      return 'This host has no IPFS gateway to fetch from.';
    }
    const [balance, inactiveBelow] = await Promise.all([this.#balance(terms.token), this.#floor()]);
    // The same work under other terms: the renter has begun anew, and the chain gives a unit away once anyhow.
    for (const [id, { renter, specHash, offerId: of }] of this.#promised) {
      if (renter === terms.renter && specHash === terms.specHash && of === offerId) this.#promised.delete(id);
    }
    // From here on nothing waits: what is looked at and what is promised belong together.
    const now = Math.max(chain.now(), this.#room.clock.now());
    const others = this.#alive().filter(([id]) => id !== jobId);
    const offer = chain.offer(offerId);
    if (!offer || offer.provider !== account.address || !this.#door.offers().includes(offerId)) {
      return 'This is not an offer that jobs are taken on now.';
    }
    const dealId = chain.calls.jobDealId(terms, offerId);
    if (chain.jobDeal(dealId)) return 'This provider has taken the job already.';
    if (this.freeUnits(offerId, jobId) === 0) {
      return 'Every unit of this offer is busy or promised now.';
    }
    const bonds = others.reduce((sum, [, { token, bond }]) => sum + (token === terms.token ? bond : 0n), 0n);
    const means = { standing: chain.standing(account.address), inactiveBelow, balance: balance - bonds };
    const why = misfit({ terms, spec }, offer, means, { now, practice: chain.profile.practice });
    if (why !== null) return why;
    const owner = this.#door.mayTake(offerId, spec);
    if (!owner.free) return owner.reason;
    const { renter, specHash, token, bond } = terms;
    this.#promised.set(jobId, { offerId, dealId, renter, specHash, token, bond, until });
    return null;
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
    const now = Math.max(this.#room.chain.now(), this.#room.clock.now());
    for (const [jobId, { until, dealId }] of this.#promised) {
      // Once it is on chain the offer's own count, and the balance, say so.
      if (now > until || this.#room.chain.jobDeal(dealId)) this.#promised.delete(jobId);
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
