import type { JobsReader } from '../store/index-jobs.ts';
import type { ChainEvent } from './events.ts';

/** Members that are amounts, wherever they stand in an event. */
const AMOUNTS: ReadonlySet<string> = new Set([
  'price',
  'deposit',
  'added',
  'paid',
  'fee',
  'paidNow',
  'feeNow',
  'penalty',
  'refund',
  'amount',
  'bounty',
  'bond',
  'minStake',
  'challengeBond',
  'forfeit',
  'staked',
  'fromUnbonding',
  'fromStaked',
  'reward',
]);

/**
 * An event as index.db keeps it: JSON with amounts as decimal strings. A job's terms stand in its JobPosted event only;
 * on the others `eventFromText` puts them back.
 */
export function eventToText(event: ChainEvent): string {
  const kept = 'jobId' in event && event.kind !== 'JobPosted' ? { ...event, terms: undefined } : event;
  return JSON.stringify(kept, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}

/**
 * Only for text that `eventToText` made. Null for an event of a job that index.db does not have: a reorganisation has
 * undone both since the text was read.
 */
export function eventFromText(text: string, known: Pick<JobsReader, 'job'>): ChainEvent | null {
  const event = JSON.parse(text, (key, value: unknown) =>
    AMOUNTS.has(key) && typeof value === 'string' ? BigInt(value) : value,
  ) as ChainEvent;
  if (!('jobId' in event) || event.kind === 'JobPosted') return event;
  const job = known.job(event.jobId);
  return job && { ...event, terms: job.terms };
}

/** As `eventFromText`, of many. */
export const eventsFromTexts = (texts: readonly string[], known: Pick<JobsReader, 'job'>): ChainEvent[] =>
  texts.map((text) => eventFromText(text, known)).filter((event) => event !== null);
