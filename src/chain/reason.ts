import type { Result } from 'ethers';
import type { ErrorCode } from '../shared/errors.ts';

/** What one custom error of a contract means to a person. */
export interface Reason {
  code: ErrorCode;
  /** The input that was wrong, where there is one. */
  field?: string;
  words: (args: Result, amount: (token: unknown, value: unknown) => string) => string;
  next?: string;
}

/** "2026-11-21 04:20:00 UTC" */
export const dateText = (seconds: unknown): string => {
  const at = new Date(Number(seconds) * 1000);
  // A contract says "never" with a number that no calendar has.
  if (Number.isNaN(at.getTime())) return 'a time beyond the calendar';
  return at.toISOString().replace('.000Z', ' UTC').replace('T', ' ');
};
