/**
 * The meter both hosts run. Time comes in as seconds; what comes out is what to sign and what to do. The contract pays
 * `floor(price * s / unit)` for signed seconds and never for the clock, so everything here is about `s`.
 */
import { billFor, depositFor } from '../shared/money.ts';

/** Limits of one lease's metering, in seconds. */
export interface MeterRules {
  /** Signed ahead after each passed health check: the most a renter can lose to a provider that stops serving. */
  intervalSeconds: number;
  /** Served past the newest voucher before the provider pauses: the most a provider can lose. */
  graceSeconds: number;
  /** Unpaid, from the pause on, before the provider ends the lease (a paused container still holds the card's memory). */
  endAfterSeconds: number;
  /** Between two health checks. */
  healthSeconds: number;
}

export const METER_RULES: MeterRules = {
  intervalSeconds: 60,
  graceSeconds: 60,
  endAfterSeconds: 600,
  healthSeconds: 5,
};

export interface Tariff {
  price: bigint;
  unit: number;
  capSeconds: number;
  minSeconds: number;
}

/** Time during which the machine was really served. Pauses and outages do not count; what was counted never shrinks. */
export interface Served {
  /** Finished stretches, in milliseconds. */
  readonly countedMs: number;
  /** Start of the stretch being counted, on the caller's monotonic clock; null while nothing is served. */
  readonly sinceMs: number | null;
}

export const NOTHING_SERVED: Served = { countedMs: 0, sinceMs: null };

/** Begins (or goes on with) a stretch. */
export const resumeServing = (served: Served, nowMs: number): Served =>
  served.sinceMs === null ? { countedMs: served.countedMs, sinceMs: nowMs } : served;

/** Ends the stretch at `untilMs`: the last moment known to have been good. */
export const pauseServing = (served: Served, untilMs: number): Served =>
  served.sinceMs === null
    ? served
    : { countedMs: served.countedMs + Math.max(0, untilMs - served.sinceMs), sinceMs: null };

/** Whole seconds served up to `nowMs`, rounded down: a started second is the provider's. */
export const servedSeconds = (served: Served, nowMs: number): number =>
  Math.floor((served.countedMs + (served.sinceMs === null ? 0 : Math.max(0, nowMs - served.sinceMs))) / 1000);

/**
 * The renter's next voucher after a passed health check at `served` seconds, or null while the newest one still covers
 * enough. The first covers `minSeconds` and is given before access; later ones reach one interval ahead and are signed
 * when half an interval is left, so that one late message costs nobody anything.
 */
export function nextVoucher(
  tariff: Tariff,
  rules: MeterRules,
  { served, signed, accessGiven }: { served: number; signed: number; accessGiven: boolean },
): number | null {
  if (!accessGiven) return signed >= tariff.minSeconds ? null : Math.min(tariff.minSeconds, tariff.capSeconds);
  if (signed >= tariff.capSeconds || signed - served > rules.intervalSeconds / 2) return null;
  const target = Math.min(tariff.capSeconds, served + rules.intervalSeconds);
  return target > signed ? target : null;
}

export type ProviderVerdict =
  /** Paid for, or within the grace. */
  | 'serve'
  /** The grace is used up: hold the container still until a voucher comes. */
  | 'pause'
  /** The cap is served, or nobody has paid for too long: stop and settle. */
  | 'end';

/**
 * What a provider does now.
 * @param pausedSeconds how long the container has been held for want of a voucher, 0 while it runs
 */
export function providerVerdict(
  tariff: Tariff,
  rules: MeterRules,
  { served, signed, pausedSeconds }: { served: number; signed: number; pausedSeconds: number },
): ProviderVerdict {
  if (served >= tariff.capSeconds) return 'end';
  if (pausedSeconds >= rules.endAfterSeconds) return 'end';
  // A held container goes on only when the voucher covers what was served on credit.
  if (pausedSeconds > 0) return signed > served ? 'serve' : 'pause';
  return served - signed >= rules.graceSeconds ? 'pause' : 'serve';
}

/** Whether the provider may take this voucher: newer than the last, and within the cap. */
export const isNewerVoucher = (tariff: Tariff, signed: number, secs: number): boolean =>
  secs > signed && secs <= tariff.capSeconds;

/**
 * The seconds both sign at an honest close: what the provider served, but never past what the renter saw pass its
 * health checks (with `slack` seconds for the two clocks), never past the cap and never below what is already paid.
 */
export const agreedSeconds = (
  tariff: Tariff,
  { provider, renter, paid, slack }: { provider: number; renter: number; paid: number; slack: number },
): number => Math.max(paid, Math.min(provider, renter + slack, tariff.capSeconds));

export interface Bill {
  /** For the seconds served so far. */
  spent: bigint;
  deposit: bigint;
  /** `deposit - spent`: what would come back now. */
  left: bigint;
}

export function billOf(tariff: Tariff, seconds: number): Bill {
  const deposit = depositFor(tariff.price, tariff.unit, tariff.capSeconds);
  const spent = billFor(tariff.price, tariff.unit, Math.min(seconds, tariff.capSeconds));
  return { spent, deposit, left: deposit - spent };
}
