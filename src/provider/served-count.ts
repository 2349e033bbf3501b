import type { Clock } from '../shared/time.ts';
import { pauseServing, resumeServing, servedSeconds, type MeterRules, type Served } from '../verify/meter.ts';

/** The provider's count of one lease: what was served, and how much of it the renter can have seen. */
export class ServedCount {
  readonly #clock: Clock;
  readonly #rules: MeterRules;
  readonly #startedMs: number;
  #served: Served;
  #lastHeardMs: number | null = null;
  /** Served while the renter could not see it, because the line was down. */
  #unseenMs = 0;
  #forgivenMs = 0;

  /** @param seconds counted in an earlier life of this host */
  constructor(clock: Clock, rules: MeterRules, seconds: number) {
    this.#clock = clock;
    this.#rules = rules;
    this.#startedMs = clock.monotonicMs();
    this.#served = { countedMs: seconds * 1000, sinceMs: null };
  }

  get seconds(): number {
    return servedSeconds(this.#served, this.#clock.monotonicMs());
  }

  /**
   * What this side insists on. A renter counts what it saw pass; seconds served while the line was down are this side's
   * risk, up to the grace over the whole lease, so that one outage does not spoil an honest close.
   */
  get owedSeconds(): number {
    return Math.max(0, this.seconds - Math.ceil(this.#forgivableMs() / 1000));
  }

  /** Counts from here on from what this side insists on, so that a renter who is back and pays is not held for ever. */
  forgive(): void {
    const ms = Math.min(this.#forgivableMs(), this.#served.countedMs);
    this.#served = { ...this.#served, countedMs: this.#served.countedMs - ms };
    this.#forgivenMs += ms;
    this.#unseenMs = 0;
  }

  /** After a restart nothing is counted before the renter is back: till then nobody had access. */
  get heard(): boolean {
    return this.#lastHeardMs !== null;
  }

  /** The renter has not come back to a restarted host within the grace. */
  get absent(): boolean {
    return !this.heard && this.#clock.monotonicMs() - this.#startedMs >= this.#rules.graceSeconds * 1000;
  }

  /** The renter has checked on its machine. */
  touch(): void {
    this.#unseenMs += this.#unseenNowMs();
    this.#lastHeardMs = this.#clock.monotonicMs();
  }

  resume(): void {
    if (this.heard) this.#served = resumeServing(this.#served, this.#clock.monotonicMs());
  }

  /** @param untilMs the last moment known to have been good, by the monotonic clock */
  pause(untilMs: number): void {
    this.#unseenMs += this.#unseenNowMs();
    this.#served = pauseServing(this.#served, untilMs);
  }

  #forgivableMs(): number {
    const left = this.#rules.graceSeconds * 1000 - this.#forgivenMs;
    return Math.max(0, Math.min(this.#unseenMs + this.#unseenNowMs(), left));
  }

  /** Of the stretch that is being counted now. */
  #unseenNowMs(): number {
    if (this.#lastHeardMs === null || this.#served.sinceMs === null) return 0;
    const gap = this.#clock.monotonicMs() - Math.max(this.#lastHeardMs, this.#served.sinceMs);
    // Half an interval late is a check that was missed.
    return gap > this.#rules.healthSeconds * 1500 ? gap : 0;
  }
}
