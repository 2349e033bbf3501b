/**
 * Why an offer is out of the question for a task, in the order in which they are looked at: each offer is counted under
 * the first that applies.
 */
export const REASONS = [
  'not on the market',
  'provider suspended',
  'not reachable',
  'no graphics card',
  'another kind of card',
  'too few cards',
  'too little memory',
  'stake too low',
  'ends too soon',
  'over your price',
  'failed before or runs a copy',
  'taken',
] as const;
export type Reason = (typeof REASONS)[number];

export interface ReasonCount {
  reason: Reason;
  offers: number;
}

/** Offers by reason; indexes as in `REASONS`. */
export type Counts = number[];
export const noCounts = (): Counts => REASONS.map(() => 0);
export const codeOf = (reason: Reason): number => REASONS.indexOf(reason);

/** The reasons that occur, most offers first. */
export const reasonCounts = (counts: Counts): ReasonCount[] =>
  REASONS.map((reason, code) => ({ reason, offers: counts[code] ?? 0 }))
    .filter(({ offers }) => offers > 0)
    .toSorted((a, b) => b.offers - a.offers);

const NUMBERS = new Intl.NumberFormat('en');

/** "Waiting: 12 offers over your price, 3 too little memory, 2 taken." */
export function waitingSentence(reasons: readonly ReasonCount[], missing: number, wanted: number): string {
  const copies = wanted > 1 ? ` for ${missing} of ${wanted} copies` : '';
  if (reasons.length === 0) return `Waiting${copies}: there are no offers yet.`;
  const list = reasons.map(({ reason, offers }, place) => {
    const noun = place > 0 ? '' : offers === 1 ? ' offer' : ' offers';
    return `${NUMBERS.format(offers)}${noun} ${reason}`;
  });
  return `Waiting${copies}: ${list.join(', ')}.`;
}
