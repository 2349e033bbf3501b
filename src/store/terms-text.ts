import type { JobTerms } from '../shared/job-terms.ts';
import type { RentalTerms } from '../shared/rental.ts';

/** Terms as JSON: the price, the one bigint, as a decimal string. */
export const termsToText = (terms: RentalTerms): string => JSON.stringify({ ...terms, price: terms.price.toString() });

export function termsFromText(text: string): RentalTerms {
  const plain = JSON.parse(text) as Omit<RentalTerms, 'price'> & { price: string };
  return { ...plain, price: BigInt(plain.price) };
}

/** Terms of a job as JSON: its three bigints as decimal strings. */
export const jobTermsToText = (terms: JobTerms): string =>
  JSON.stringify({ ...terms, bounty: `${terms.bounty}`, bond: `${terms.bond}`, minStake: `${terms.minStake}` });

export function jobTermsFromText(text: string): JobTerms {
  const plain = JSON.parse(text) as Omit<JobTerms, 'bounty' | 'bond' | 'minStake'> & {
    bounty: string;
    bond: string;
    minStake: string;
  };
  return {
    ...plain,
    bounty: BigInt(plain.bounty),
    bond: BigInt(plain.bond),
    minStake: BigInt(plain.minStake),
  };
}
