import type { RentalTerms } from '../shared/rental.ts';

/** Terms as JSON: the price, the one bigint, as a decimal string. */
export const termsToText = (terms: RentalTerms): string => JSON.stringify({ ...terms, price: terms.price.toString() });

export function termsFromText(text: string): RentalTerms {
  const plain = JSON.parse(text) as Omit<RentalTerms, 'price'> & { price: string };
  return { ...plain, price: BigInt(plain.price) };
}
