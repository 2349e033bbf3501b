import type { PeerConnection, PeerStream } from '../peer/peer-link.ts';
import {
  DEAL_REQUESTS,
  DEAL_STATUS_EVENT,
  dealStatusSchema,
  type DealRequest,
  type DealStatus,
} from '../shared/deal-protocol.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { Json } from '../shared/json.ts';
import type { Log } from '../shared/log.ts';
import { backoffMs, delay } from '../shared/retry.ts';
import type { z } from 'zod';

/** Asks over one connection and believes nothing that does not parse. */
export async function ask<Kind extends DealRequest>(
  connection: PeerConnection,
  kind: Kind,
  body: z.input<(typeof DEAL_REQUESTS)[Kind]['input']>,
  options?: { signal?: AbortSignal; timeoutMs?: number },
): Promise<z.infer<(typeof DEAL_REQUESTS)[Kind]['output']>> {
  const answer = await connection.request(kind, body, options);
  const parsed = DEAL_REQUESTS[kind].output.safeParse(answer);
  if (!parsed.success) {
    throw new AppError('peer-refused', `The provider answered ${kind} with something that makes no sense.`, {
      cause: parsed.error,
    });
  }
  return parsed.data as z.infer<(typeof DEAL_REQUESTS)[Kind]['output']>;
}

/** Keeps one rental's direct line up: connects, reconnects with back-off, hands on what the provider says. */
export class Line {
  readonly #leaseId: Bytes32;
  readonly #connect: (signal: AbortSignal) => Promise<PeerConnection>;
  readonly #log: Log;
  readonly #onUp: (connection: PeerConnection) => Promise<void>;
  readonly #onStatus: (status: DealStatus) => void;
  readonly #onDown: (reason: string) => void;
  readonly #life = new AbortController();
  #connection: PeerConnection | null = null;

  constructor(options: {
    leaseId: Bytes32;
    connect: (signal: AbortSignal) => Promise<PeerConnection>;
    log: Log;
    onUp: (connection: PeerConnection) => Promise<void>;
    onStatus: (status: DealStatus) => void;
    onDown: (reason: string) => void;
  }) {
    this.#leaseId = options.leaseId;
    this.#connect = options.connect;
    this.#log = options.log;
    this.#onUp = options.onUp;
    this.#onStatus = options.onStatus;
    this.#onDown = options.onDown;
    void this.#keep().catch(() => undefined);
  }

  get connection(): PeerConnection | null {
    return this.#connection;
  }

  async open(kind: string, params: Json): Promise<PeerStream> {
    if (!this.#connection) {
      throw new AppError('peer-unreachable', 'There is no line to the provider right now.', {
        next: 'Wait for the line to come back; it is being tried all the time.',
      });
    }
    return this.#connection.open(kind, params);
  }

  close(): void {
    this.#life.abort();
    this.#connection?.close('The rental is over.');
  }

  async #keep(): Promise<void> {
    const { signal } = this.#life;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const connection = await this.#connect(signal);
        if (signal.aborted) {
          connection.close('The rental is over.');
          return;
        }
        this.#connection = connection;
        const off = connection.onEvent((kind, body) => {
          if (kind !== DEAL_STATUS_EVENT) return;
          const status = dealStatusSchema.safeParse(body);
          if (status.success && status.data.leaseId === this.#leaseId) this.#onStatus(status.data);
        });
        await this.#onUp(connection);
        attempt = 0;
        const { reason } = await connection.closed;
        off();
        this.#connection = null;
        this.#onDown(reason);
      } catch (thrown) {
        this.#connection?.close('The rental could not be begun over this line.');
        this.#connection = null;
        if (signal.aborted) return;
        const error = toAppError(thrown);
        this.#log.info({ leaseId: this.#leaseId, code: error.code, message: error.message }, 'no line to the provider');
        this.#onDown(error.message);
      }
      await delay(200 + backoffMs(attempt, Math.random, 300, 3000), signal);
    }
  }
}
