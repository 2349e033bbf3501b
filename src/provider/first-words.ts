import type { PeerConnection } from '../peer/peer-link.ts';
import type { Bytes32 } from '../shared/ids.ts';

/** Words waiting for the chain, over all strangers and over one line. */
const MAX_WAITING = 1000;
const MAX_WAITING_PER_LINE = 32;

/**
 * What a renter says about something this host has not seen on chain yet waits here for a moment: its view may be ahead
 * of ours. How many wait is limited, because anybody can invent ids.
 */
export class FirstWords {
  readonly #waitMs: number;
  readonly #waiting = new Map<Bytes32, Set<() => void>>();
  readonly #ofLine = new WeakMap<PeerConnection, number>();
  #count = 0;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Resolves when `id` was seen, the wait or the line is over, or at once where too much waits already. */
  until(id: Bytes32, connection: PeerConnection): Promise<void> {
    const ofLine = this.#ofLine.get(connection) ?? 0;
    if (this.#count >= MAX_WAITING || ofLine >= MAX_WAITING_PER_LINE) return Promise.resolve();
    this.#count += 1;
    this.#ofLine.set(connection, ofLine + 1);
    return new Promise((resolve) => {
      const wakes = this.#waiting.get(id) ?? new Set();
      const wake = () => {
        clearTimeout(timer);
        if (!wakes.delete(wake)) return;
        if (wakes.size === 0) this.#waiting.delete(id);
        this.#count -= 1;
        this.#ofLine.set(connection, (this.#ofLine.get(connection) ?? 1) - 1);
        resolve();
      };
      const timer = setTimeout(wake, this.#waitMs);
      this.#waiting.set(id, wakes.add(wake));
      void connection.closed.then(wake);
    });
  }

  seen(id: Bytes32): void {
    for (const wake of this.#waiting.get(id) ?? []) wake();
  }

  close(): void {
    for (const id of this.#waiting.keys()) this.seen(id);
  }
}
