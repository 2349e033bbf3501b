import { ETH, type Address } from '../shared/ids.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import type { JobRoom } from './job-room.ts';

/** How long an answer is good enough for the next question about the same renter, and how many are kept. */
const FRESH_MS = 1000;
const MOST = 1000;

/** What renters could put into escrow now: who asks for a unit has to have the bounty. */
export class RenterFunds {
  readonly #room: Pick<JobRoom, 'chain' | 'clock'>;
  readonly #known = new Map<string, { atMs: number; value: Promise<bigint> }>();

  constructor(room: Pick<JobRoom, 'chain' | 'clock'>) {
    this.#room = room;
  }

  /**
   * Smallest units: free in the Vault, locked by Jobs (an open posting is taken back when the work is given away), and of
   * ETH what could be sent along. @throws AppError network-down
   */
  of({ renter, token }: Pick<JobTerms, 'renter' | 'token'>): Promise<bigint> {
    const nowMs = this.#room.clock.monotonicMs();
    const key = `${renter}:${token}`;
    const known = this.#known.get(key);
    if (known && nowMs - known.atMs < FRESH_MS) return known.value;
    for (const [old, { atMs }] of this.#known) {
      if (nowMs - atMs < FRESH_MS && this.#known.size < MOST) break;
      this.#known.delete(old);
    }
    const value = this.#read(renter, token);
    this.#known.delete(key);
    this.#known.set(key, { atMs: nowMs, value });
    value.catch(() => this.#known.delete(key));
    return value;
  }

  async #read(renter: Address, token: Address): Promise<bigint> {
    const { reads, profile } = this.#room.chain;
    const { jobs } = profile.contracts;
    const parts = await Promise.all([
      reads.vaultBalance(renter, token),
      jobs === undefined ? 0n : reads.vaultLocked(renter, token, jobs),
      token === ETH ? reads.walletBalance(renter, ETH) : 0n,
    ]);
    return parts.reduce((sum, part) => sum + part, 0n);
  }
}
