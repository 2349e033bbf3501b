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

/** An event as index.db keeps it: JSON with amounts as decimal strings. */
export const eventToText = (event: ChainEvent): string =>
  JSON.stringify(event, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));

/** Only for text that `eventToText` made. */
export const eventFromText = (text: string): ChainEvent =>
  JSON.parse(text, (key, value: unknown) =>
    AMOUNTS.has(key) && typeof value === 'string' ? BigInt(value) : value,
  ) as ChainEvent;
