import type { z } from 'zod';
import type { PeerAddress, PeerConnection } from '../../peer/peer-link.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { Address, Bytes32, Hex } from '../../shared/ids.ts';
import {
  JOB_REQUESTS,
  JOB_STATUS_EVENT,
  runStatusSchema,
  type JobRequest,
  type RunStatus,
} from '../../shared/job-protocol.ts';
import type { Log } from '../../shared/log.ts';
import { backoffMs, delay } from '../../shared/retry.ts';

/** Where a provider is and who has to be there. */
export interface ProviderAt {
  wallet: Address;
  peerKey: Hex;
}

export interface ConnectToProvider {
  /** Rejects with peer-unreachable or peer-refused. */
  (
    to: PeerAddress,
    options: { signal: AbortSignal; expectWallet: Address; purpose: PeerConnection['purpose'] },
  ): Promise<PeerConnection>;
}

/** What one run wants to hear over its provider's line. */
export interface RunListener {
  dealId: Bytes32;
  /** The line is up, now or again: say what the provider has to know. */
  onUp(connection: PeerConnection): Promise<void>;
  onStatus(status: RunStatus): void;
  onDown(reason: string): void;
}

const CONNECT_TIMEOUT_MS = 20_000;
/** A line that nobody needs is kept this long: the next task often goes to the same provider. */
const IDLE_MS = 30_000;
/** Runs told at once after a line came up; the provider answers so many requests of one line at a time. */
const UP_AT_ONCE = 16;

/** Asks over one connection and believes nothing that does not parse. */
export async function askJob<Kind extends JobRequest>(
  connection: PeerConnection,
  kind: Kind,
  body: z.input<(typeof JOB_REQUESTS)[Kind]['input']>,
  options?: { signal?: AbortSignal; timeoutMs?: number },
): Promise<z.infer<(typeof JOB_REQUESTS)[Kind]['output']>> {
  const answer = await connection.request(kind, body, options);
  const parsed = JOB_REQUESTS[kind].output.safeParse(answer);
  if (!parsed.success) {
    throw new AppError('peer-refused', `The provider answered ${kind} with something that makes no sense.`, {
      cause: parsed.error,
    });
  }
  return parsed.data as z.infer<(typeof JOB_REQUESTS)[Kind]['output']>;
}

/** Direct lines to providers: one for words and one for bytes each, shared by all tasks and kept while any runs there. */
export class ProviderLines {
  readonly #connect: ConnectToProvider;
  readonly #log: Log;
  readonly #words = new Map<string, WordLine>();
  readonly #bulk = new Map<string, Promise<PeerConnection>>();
  readonly #life = new AbortController();

  constructor(parts: { connect: ConnectToProvider; log: Log }) {
    this.#connect = parts.connect;
    this.#log = parts.log;
  }

  /** The line for words, opened where there is none. @throws AppError peer-unreachable, peer-refused */
  reach(provider: ProviderAt, signal: AbortSignal): Promise<PeerConnection> {
    return this.#line(provider).reach(signal);
  }

  /** The line to this provider as it is now. */
  current(provider: ProviderAt): PeerConnection | null {
    return this.#words.get(keyOf(provider))?.connection ?? null;
  }

  /** Keeps the line up for a run until the returned function is called. */
  follow(provider: ProviderAt, listener: RunListener): () => void {
    return this.#line(provider).follow(listener);
  }

  /** A line for bytes, beside the one for words. The caller does not close it. */
  async bulk(provider: ProviderAt, signal: AbortSignal): Promise<PeerConnection> {
    const key = keyOf(provider);
    let opening = this.#bulk.get(key);
    if (!opening) {
      opening = this.#open(provider, 'bulk', AbortSignal.timeout(CONNECT_TIMEOUT_MS));
      this.#bulk.set(key, opening);
      const forget = () => {
        if (this.#bulk.get(key) === opening) this.#bulk.delete(key);
      };
      void opening.then(({ closed }) => closed).then(forget, forget);
    }
    signal.throwIfAborted();
    return opening;
  }

  close(): void {
    this.#life.abort();
    for (const line of this.#words.values()) line.close();
    for (const opening of this.#bulk.values()) hangUp(opening, 'This host is closing.');
    this.#words.clear();
    this.#bulk.clear();
  }

  #line(provider: ProviderAt): WordLine {
    const key = keyOf(provider);
    const known = this.#words.get(key);
    if (known) return known;
    const line: WordLine = new WordLine({
      open: (signal) => this.#open(provider, 'control', signal),
      log: this.#log,
      life: this.#life.signal,
      onIdle: () => {
        if (this.#words.get(key) !== line) return;
        this.#words.delete(key);
        line.close();
        const bulk = this.#bulk.get(key);
        this.#bulk.delete(key);
        if (bulk) hangUp(bulk, 'Not needed any more.');
      },
    });
    this.#words.set(key, line);
    return line;
  }

  #open(provider: ProviderAt, purpose: PeerConnection['purpose'], signal: AbortSignal): Promise<PeerConnection> {
    return this.#connect(
      { peerKey: provider.peerKey },
      { signal: AbortSignal.any([this.#life.signal, signal]), expectWallet: provider.wallet, purpose },
    );
  }
}

const hangUp = (opening: Promise<PeerConnection>, reason: string): void => {
  void opening.then(
    (connection) => connection.close(reason),
    () => undefined,
  );
};

const keyOf = ({ wallet, peerKey }: ProviderAt): string => `${wallet}:${peerKey}`;

class WordLine {
  readonly #open: (signal: AbortSignal) => Promise<PeerConnection>;
  readonly #log: Log;
  readonly #onIdle: () => void;
  readonly #life = new AbortController();
  readonly #followers = new Map<Bytes32, RunListener>();
  #opening: Promise<PeerConnection> | null = null;
  #keeping = false;
  #idle: NodeJS.Timeout | null = null;
  connection: PeerConnection | null = null;

  constructor(parts: {
    open: (signal: AbortSignal) => Promise<PeerConnection>;
    log: Log;
    life: AbortSignal;
    onIdle: () => void;
  }) {
    this.#open = parts.open;
    this.#log = parts.log;
    this.#onIdle = parts.onIdle;
    parts.life.addEventListener('abort', () => this.#life.abort(), { once: true });
    this.#restIfIdle();
  }

  reach(signal: AbortSignal): Promise<PeerConnection> {
    signal.throwIfAborted();
    this.#restIfIdle();
    if (this.connection) return Promise.resolve(this.connection);
    this.#opening ??= this.#begin().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  follow(listener: RunListener): () => void {
    this.#followers.set(listener.dealId, listener);
    if (this.#idle) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.connection) void this.#tell([listener], this.connection);
    void this.#keep();
    return () => {
      if (this.#followers.get(listener.dealId) === listener) this.#followers.delete(listener.dealId);
      this.#restIfIdle();
    };
  }

  close(): void {
    this.#life.abort();
    if (this.#idle) clearTimeout(this.#idle);
    this.connection?.close('Not needed any more.');
  }

  #restIfIdle(): void {
    if (this.#idle) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.#followers.size > 0 || this.#life.signal.aborted) return;
    this.#idle = setTimeout(() => this.#onIdle(), IDLE_MS);
    this.#idle.unref();
  }

  async #begin(): Promise<PeerConnection> {
    const connection = await this.#open(AbortSignal.any([this.#life.signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]));
    if (this.#life.signal.aborted) {
      connection.close('Not needed any more.');
      throw new AppError('cancelled', 'The line is not needed any more.');
    }
    this.connection = connection;
    connection.onEvent((kind, body) => {
      if (kind !== JOB_STATUS_EVENT) return;
      const status = runStatusSchema.safeParse(body);
      if (status.success) this.#followers.get(status.data.dealId as Bytes32)?.onStatus(status.data);
    });
    void connection.closed.then(({ reason }) => {
      if (this.connection === connection) this.connection = null;
      for (const follower of this.#followers.values()) follower.onDown(reason);
    });
    void this.#tell([...this.#followers.values()], connection);
    return connection;
  }

  async #tell(listeners: readonly RunListener[], connection: PeerConnection): Promise<void> {
    const waiting = [...listeners];
    const next = async (): Promise<void> => {
      for (let one = waiting.shift(); one; one = waiting.shift()) {
        if (this.connection !== connection) return;
        await one.onUp(connection).catch((thrown: unknown) => {
          this.#log.info(
            { dealId: one.dealId, message: toAppError(thrown).message },
            'a provider was not told of a run',
          );
        });
      }
    };
    await Promise.all(Array.from({ length: Math.min(UP_AT_ONCE, waiting.length) }, next));
  }

  /** Connects and reconnects while anybody follows. */
  async #keep(): Promise<void> {
    if (this.#keeping) return;
    this.#keeping = true;
    const { signal } = this.#life;
    try {
      for (let attempt = 0; this.#followers.size > 0 && !signal.aborted;) {
        try {
          const connection = await this.reach(signal);
          attempt = 0;
          await Promise.race([connection.closed, aborted(signal)]);
        } catch (thrown) {
          if (signal.aborted) return;
          const { message } = toAppError(thrown);
          for (const follower of this.#followers.values()) follower.onDown(message);
          attempt += 1;
        }
        await delay(200 + backoffMs(attempt, Math.random, 300, 5000), signal).catch(() => undefined);
      }
    } finally {
      this.#keeping = false;
      this.#restIfIdle();
    }
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
