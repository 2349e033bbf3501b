import { z } from 'zod';
import { State } from '../shared/emitter.ts';
import { toAppError, type ErrorCode } from '../shared/errors.ts';
import { delay } from '../shared/retry.ts';
import { Serial } from '../shared/serial.ts';
import type { JobRoom, WorkDoor } from './job-room.ts';
import { bondsMissing, prepareToWork } from './work-setup.ts';

/** After a restart what stands in the way of the owner's wish may pass. */
const RETRY_MS = 5000;
const PASSING: ReadonlySet<ErrorCode> = new Set(['locked', 'network-down', 'timeout', 'busy']);

/**
 * The id makes what is sent be sent once through a death in between. Once it is done the wish gets another: what was taken
 * back since has to be sent anew, and the old id would only give the old receipt.
 */
const wishSchema = z.object({ commandId: z.string(), claimsOpen: z.boolean() }).nullable();
type Wish = z.infer<typeof wishSchema>;

/** Whether this account takes jobs. */
export interface WorkState {
  state: 'off' | 'starting' | 'on' | 'failed';
  detail: string;
  /** Also takes open jobs by itself. */
  claimsOpen: boolean;
}

const OFF: WorkState = { state: 'off', detail: 'This computer takes no jobs.', claimsOpen: false };

/** The owner's wish to take jobs: in the book first, then the chain is brought to allow it, again after every restart. */
export class WorkSwitch {
  readonly state = new State<WorkState>(OFF);
  readonly #room: JobRoom;
  readonly #door: WorkDoor;
  readonly #steps = new Serial();
  readonly #life = new AbortController();

  constructor(room: JobRoom, door: WorkDoor) {
    this.#room = room;
    this.#door = door;
  }

  get isOn(): boolean {
    return this.state.value.state === 'on';
  }

  /** To what the owner wanted when this host last ran, as soon as it can be had. */
  async recover(): Promise<void> {
    const { signal } = this.#life;
    for (let wish = this.#wish(); wish && !signal.aborted; wish = this.#wish()) {
      try {
        await this.#bring(wish);
        return;
      } catch (thrown) {
        if (signal.aborted || !PASSING.has(toAppError(thrown).code)) return;
        await delay(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  start(wish: NonNullable<Wish>): Promise<void> {
    this.#room.ledger.settings.set(this.#key(), wish);
    return this.#bring(wish);
  }

  /** @param left runs that may finish */
  stop(left: () => number): Promise<void> {
    this.#room.ledger.settings.remove(this.#key());
    return this.#steps.run(async () => {
      const count = left();
      this.state.set({ ...OFF, detail: count === 0 ? OFF.detail : `Takes no more jobs; ${count} may finish.` });
    });
  }

  close(): void {
    this.#life.abort();
  }

  #bring({ commandId, claimsOpen }: NonNullable<Wish>): Promise<void> {
    return this.#steps.run(async () => {
      const { chain, log } = this.#room;
      if (this.state.value.state !== 'failed') {
        this.state.set({ state: 'starting', detail: 'Getting ready to take jobs.', claimsOpen });
      }
      try {
        await prepareToWork(this.#room, commandId, this.#life.signal);
        this.#renew(commandId);
        const tokens = this.#door.offers().flatMap((offerId) => chain.offer(offerId)?.token ?? []);
        const detail = (await bondsMissing(this.#room, tokens)) || 'This computer takes jobs.';
        this.state.set({ state: 'on', detail, claimsOpen });
      } catch (thrown) {
        if (this.#life.signal.aborted) throw thrown;
        const { code, message, cause } = toAppError(thrown);
        log.warn({ code, message, cause }, 'jobs cannot be taken');
        if (code === 'reverted') this.#renew(commandId);
        this.state.set({ state: 'failed', detail: message, claimsOpen });
        throw thrown;
      }
    });
  }

  #renew(commandId: string): void {
    const wish = this.#wish();
    if (wish?.commandId !== commandId) return;
    this.#room.ledger.settings.set(this.#key(), { ...wish, commandId: `work:${this.#room.randomBytes32()}` });
  }

  #key(): string {
    return `work:${this.#room.account.address}`;
  }

  #wish(): Wish {
    const wish = wishSchema.safeParse(this.#room.ledger.settings.get(this.#key()) ?? null);
    return wish.success ? wish.data : null;
  }
}
