import { toAppError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import type { Ledger } from '../store/ledger.ts';
import type { Call, Chain } from './chain.ts';
import { insist } from './insist.ts';

interface Parts {
  chain: Pick<Chain, 'send'>;
  ledger: Pick<Ledger, 'outgoing'>;
  log: Log;
  /** Why it waits: a locked wallet, a node that is down. */
  onWaiting: (reason: string) => void;
  /** The chain refused it for good: what it was based on has changed. */
  onRefused: () => void;
}

/**
 * What one lease sends: a single transaction at a time, through failures that pass. A newer wish takes the place of one
 * that still waits (for an unlocked wallet, say), never of one that is signed and on its way.
 */
export class LatestSend {
  readonly #parts: Parts;
  #current: { commandId: string; stop: AbortController } | null = null;
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** False when another transaction is on its way: ask again once it is through. */
  send(call: Call, commandId: string): boolean {
    if (this.#closed) return false;
    if (this.#current?.commandId === commandId) return true;
    if (this.isOnItsWay) return false;
    this.#current?.stop.abort();
    const mine = { commandId, stop: new AbortController() };
    this.#current = mine;
    void this.#insist(call, mine);
    return true;
  }

  /** Signed and in the ledger, so that it may be mined at any time. */
  get isOnItsWay(): boolean {
    return this.#current !== null && this.#parts.ledger.outgoing.byCommand(this.#current.commandId)?.state === 'stored';
  }

  /** Stops waiting; what was sent stays sent. */
  close(): void {
    this.#closed = true;
    this.#current?.stop.abort();
  }

  async #insist(call: Call, mine: { commandId: string; stop: AbortController }): Promise<void> {
    const { chain, log, onWaiting, onRefused } = this.#parts;
    const { commandId, stop } = mine;
    try {
      const receipt = await insist(chain, call, { commandId, signal: stop.signal, log, onWaiting });
      this.#done(mine);
      if (receipt === null && !this.#closed) onRefused();
    } catch (thrown) {
      this.#done(mine);
      if (!stop.signal.aborted) log.warn({ commandId, message: toAppError(thrown).message }, 'sending failed');
    }
  }

  #done(mine: { commandId: string }): void {
    if (this.#current === mine) this.#current = null;
  }
}
