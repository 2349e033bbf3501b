import type { ScheduleOffer, ScheduleTask } from './schedule-types.ts';

/** An offer as a task sees it. */
export interface Candidate {
  offer: ScheduleOffer;
  /** Place of its price among all prices in the task's token, equal prices sharing one; -1 in another token. */
  priceRank: number;
}

/** Which task comes first, and which offer it gets of those that it may have. Ties are decided by id. */
export interface Strategy {
  /** For people, one sentence. */
  about: string;
  tasks: (a: ScheduleTask, b: ScheduleTask) => number;
  /** Ignored in a ring. */
  offers: (a: Candidate, b: Candidate) => number;
  /** Providers take turns, in the order of their addresses. */
  ring?: true;
}

const oldestFirst = (a: ScheduleTask, b: ScheduleTask): number => a.createdAt - b.createdAt;
const oldestOffer = (a: Candidate, b: Candidate): number => a.offer.createdAt - b.offer.createdAt;
/** Prices in other tokens cannot be compared: they come last. */
const known = (rank: number): number => (rank === -1 ? Number.MAX_SAFE_INTEGER : rank);
const cheapest = (a: Candidate, b: Candidate): number => known(a.priceRank) - known(b.priceRank);
const cardsOf = ({ offer }: Candidate): number => (offer.gpuType.toLowerCase() === 'cpu' ? 0 : offer.gpuCount);
const smallest = (a: Candidate, b: Candidate): number =>
  cardsOf(a) - cardsOf(b) || a.offer.gpuMemoryGb - b.offer.gpuMemoryGb;

/** Speed of a provider that nobody here has tried: before those known to be slow, after those known to be fast. */
const USUAL = 1;
const UNMEASURED = Number.MAX_SAFE_INTEGER;

export const STRATEGIES = {
  'first-come-first-served': {
    about: 'The oldest task first, on the offer that has been there longest.',
    tasks: oldestFirst,
    offers: oldestOffer,
  },
  'round-robin': {
    about: 'The oldest task first, and providers take turns.',
    tasks: oldestFirst,
    offers: () => 0,
    ring: true,
  },
  'resource-matching': {
    about: 'The oldest task first, on the smallest card that is enough for it.',
    tasks: oldestFirst,
    offers: (a, b) => smallest(a, b) || cheapest(a, b),
  },
  reputation: {
    about: 'The oldest task first, at the provider with the best reputation.',
    tasks: oldestFirst,
    offers: (a, b) => b.offer.reputation - a.offer.reputation || cheapest(a, b),
  },
  priority: {
    about: 'The task with the highest priority first, on the cheapest offer.',
    tasks: (a, b) => b.priority - a.priority || oldestFirst(a, b),
    offers: cheapest,
  },
  cheapest: {
    about: 'The oldest task first, on the cheapest offer.',
    tasks: oldestFirst,
    offers: (a, b) => cheapest(a, b) || b.offer.reputation - a.offer.reputation,
  },
  fastest: {
    about:
      'The oldest task first, at the provider whose card was fastest in your own earlier runs; unknown ones count as usual, then the nearest open line and the lowest price decide.',
    tasks: oldestFirst,
    offers: (a, b) =>
      (b.offer.score ?? USUAL) - (a.offer.score ?? USUAL) ||
      (a.offer.rttMs ?? UNMEASURED) - (b.offer.rttMs ?? UNMEASURED) ||
      cheapest(a, b),
  },
} as const satisfies Record<string, Strategy>;

export type StrategyName = keyof typeof STRATEGIES;
