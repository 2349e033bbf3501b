import type { JobSpec } from '../shared/job-spec.ts';
import { lastStartOf, leastBondOf, riskOf, type JobTerms } from '../shared/job-terms.ts';
import { ETH, type Address } from '../shared/ids.ts';
import { formatSeconds } from '../shared/time.ts';
import type { Standing } from '../store/indexed-jobs.ts';
import type { IndexedOffer } from '../store/market-rows.ts';
import { heldTooLong } from './fair-time.ts';

/** Between the end of the longest run and the deadline: packing, and a transaction. */
const SUBMIT_SECONDS = 20;
const HOUR = 3600;

/** What a taker needs on chain besides its offer. */
export interface Means {
  standing: Pick<Standing, 'account' | 'staked' | 'atRisk' | 'reputation'>;
  /** Reputation in points below which a provider gets no new jobs. */
  inactiveBelow: number;
  /** In the Vault and not promised to another job, in the bounty's token. */
  balance: bigint;
}

/** One provider's part of the bounty, network fee included: copies share it. */
export const shareOf = (terms: JobTerms): bigint => terms.bounty / BigInt(terms.copies);

/** What the owner asks for the longest this job may run, in the offer's token, rounded up. */
export const priceOf = (offer: Pick<IndexedOffer, 'price' | 'unit'>, spec: JobSpec): bigint =>
  (offer.price * BigInt(spec.timeouts.runSeconds) + BigInt(offer.unit) - 1n) / BigInt(offer.unit);

/**
 * Why this offer is not the place for this job, in words for the renter; null when it is. Nothing that the owner
 * decides: only what the terms, the spec, the offer and the provider's standing on chain say.
 * @param practice money without value: bounties in another token than the offer's are taken at any amount
 */
export function misfit(
  job: { terms: JobTerms; spec: JobSpec },
  offer: IndexedOffer,
  means: Means,
  { now, practice }: { now: number; practice: boolean },
): string | null {
  const { terms, spec } = job;
  return (
    badTerms(terms, spec, means.standing.account, now) ??
    tooSmall(terms, spec, offer) ??
    badPay(terms, spec, offer, practice) ??
    badMeans(terms, means)
  );
}

function badTerms(terms: JobTerms, spec: JobSpec, account: Address, now: number): string | null {
  if (terms.assignee !== ETH && terms.assignee !== account) return 'The job is meant for another provider.';
  // It may be the renter's own second address: where a jury finds no quorum it alone would decide about the bond.
  if (terms.arbiter !== ETH) return 'The job names an arbiter that this owner does not know.';
  const { copies, agree } = spec.verification.tier === 'redundancy' ? spec.verification : { copies: 1, agree: 1 };
  if (terms.copies !== copies || terms.agree !== agree)
    return 'The spec and the terms name different numbers of copies.';
  if (now > lastStartOf(terms)) return 'It is too late to take this job.';
  const left = terms.deadline - now;
  if (left < spec.timeouts.runSeconds + SUBMIT_SECONDS) {
    return `The job may run for ${formatSeconds(spec.timeouts.runSeconds)}, and its deadline is in ${formatSeconds(left)}.`;
  }
  return heldTooLong(terms, spec, now);
}

function tooSmall(terms: JobTerms, { resources }: JobSpec, offer: IndexedOffer): string | null {
  if (offer.status !== 'active') return 'The offer is not on the market now.';
  const cards = offer.gpuType === 'CPU' ? 0 : offer.gpuCount;
  if (resources.gpuCount > cards)
    return `The offer has ${cards} of the ${resources.gpuCount} cards that the job needs.`;
  // Counted by the contract, for which a processor's offer has a count and a memory too.
  if (
    terms.gpuCount > offer.gpuCount ||
    terms.gpuMemoryGb > offer.gpuMemoryGb ||
    resources.gpuMemoryGb > offer.gpuMemoryGb
  ) {
    return `The offer has ${offer.gpuCount} × ${offer.gpuMemoryGb} GiB, less than the job needs.`;
  }
  const names = (text: string, part: string | undefined) =>
    part === undefined || text.toLowerCase().includes(part.toLowerCase());
  if (resources.gpuType !== undefined && resources.gpuType.toLowerCase() !== offer.gpuType.toLowerCase()) {
    return `The job needs ${resources.gpuType}, this is ${offer.gpuType}.`;
  }
  if (!names(offer.gpuModel, resources.gpuModel))
    return `The job needs ${resources.gpuModel}, this is ${offer.gpuModel}.`;
  return null;
}

function badPay(terms: JobTerms, spec: JobSpec, offer: IndexedOffer, practice: boolean): string | null {
  if (terms.token !== offer.token) {
    return practice ? null : 'The bounty is in another token than the price of the offer.';
  }
  const least = priceOf(offer, spec);
  if (shareOf(terms) >= least) return null;
  const perHour = (offer.price * BigInt(HOUR)) / BigInt(offer.unit);
  return `At ${perHour} per hour (smallest units) the longest run costs ${least}; the bounty pays ${shareOf(terms)}.`;
}

function badMeans(terms: JobTerms, { standing, inactiveBelow, balance }: Means): string | null {
  const { staked, atRisk, reputation } = standing;
  if (staked < terms.minStake) return 'This provider has staked less than the job asks for.';
  if (staked - atRisk < riskOf(terms)) return 'This provider’s stake answers for other jobs already.';
  if (reputation < inactiveBelow * 100) return 'This provider’s reputation is too low to take jobs now.';
  // Whatever goes wrong, it is all that can be lost besides stake.
  const bond = leastBondOf(terms);
  if (terms.bond > bond) return `The job asks for a bond of ${terms.bond}, more than the ${bond} that it has to.`;
  if (balance < terms.bond) return 'This provider cannot lock the bond now.';
  return null;
}
