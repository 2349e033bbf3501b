import { keccak256, toUtf8Bytes } from 'ethers';
import type { Call, Chain, ChainCalls } from '../../chain/chain.ts';
import { PASSING } from '../../chain/insist.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import { backoffMs, delay } from '../../shared/retry.ts';

interface Item {
  key: string;
  call: Call;
  isNeeded: () => Promise<boolean>;
  onWaiting: (reason: string) => void;
  done: (sent: boolean) => void;
  failed: (reason: unknown) => void;
  /** How often it stepped aside. */
  attempts: number;
  state: 'waiting' | 'sending' | 'withdrawn';
}

const MOST_CALLS = 20;
/** Of one transaction's data: nodes take 128 KiB at most. */
const MOST_BYTES = 60_000;

/** While this lasts nothing of the account is sent, whatever it is. */
const holdsAll = ({ code }: AppError): boolean => code === 'locked' || code === 'network-down';
/** Nothing was stored under this command, or what was did nothing: its calls may go under others. */
const cannotPay = ({ code }: AppError): boolean => code === 'insufficient-funds';
const againMs = (attempt: number): number => 500 + backoffMs(attempt, Math.random, 500);

/**
 * Calls of one account to the Jobs contract, several in one transaction where they come together. All or nothing per
 * transaction: where one of them is refused, each is looked at again and sent alone. One that has to wait for something,
 * money above all, steps aside for a while: the others go on.
 */
export class CallBatcher {
  readonly #sender: Pick<Chain, 'send'>;
  readonly #calls: Pick<ChainCalls, 'batch'>;
  readonly #log: Log;
  readonly #waiting: Item[] = [];
  readonly #known = new Map<string, { item: Item; result: Promise<boolean> }>();
  /** How many commands of a call have had their answer: one that is in a block has the same answer for ever. */
  readonly #answered = new Map<string, number>();
  readonly #life = new AbortController();
  #running = false;

  constructor(parts: { sender: Pick<Chain, 'send'>; calls: Pick<ChainCalls, 'batch'>; log: Log }) {
    this.#sender = parts.sender;
    this.#calls = parts.calls;
    this.#log = parts.log;
  }

  /**
   * Resolves once it is in a block: true, or false where the chain does not need it any more. The same key that is under
   * way is one call.
   * @param isNeeded asks the chain whether this call would still do something
   * @throws AppError where the contract refuses it and it is needed all the same; cancelled when this host closes
   */
  add(
    key: string,
    call: Call,
    isNeeded: () => Promise<boolean>,
    onWaiting: (reason: string) => void = () => undefined,
  ): Promise<boolean> {
    const known = this.#known.get(key);
    if (known) return known.result;
    const { promise, resolve: done, reject: failed } = Promise.withResolvers<boolean>();
    const item: Item = { key, call, isNeeded, onWaiting, done, failed, attempts: 0, state: 'waiting' };
    const result = promise.finally(() => this.#known.delete(key));
    this.#known.set(key, { item, result });
    this.#queue(item);
    return result;
  }

  /**
   * Takes back a call that waits; its `add` is rejected (cancelled).
   * @returns false where it is not known, or just being sent
   */
  withdraw(key: string): boolean {
    const item = this.#known.get(key)?.item;
    if (item?.state !== 'waiting') return false;
    item.state = 'withdrawn';
    item.failed(new AppError('cancelled', 'It was taken back.'));
    return true;
  }

  close(): void {
    this.#life.abort(new AppError('cancelled', 'This host is closing.'));
    for (const item of this.#waiting.splice(0)) item.failed(this.#life.signal.reason);
  }

  #queue(item: Item): void {
    this.#waiting.push(item);
    if (!this.#running) void this.#run();
  }

  #stepAside(item: Item, reason: string): void {
    item.onWaiting(reason);
    item.attempts += 1;
    delay(againMs(item.attempts), this.#life.signal).then(() => this.#queue(item), item.failed);
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Everything that asks in this turn of the event loop travels together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const group = this.#take().filter(({ state }) => state !== 'withdrawn');
      await this.#together(group).catch((thrown: unknown) => {
        for (const item of group) item.failed(thrown);
      });
    }
    this.#running = false;
  }

  #take(): Item[] {
    const [first] = this.#waiting;
    const group: Item[] = [];
    let bytes = 0;
    while (this.#waiting.length > 0 && group.length < MOST_CALLS) {
      const item = this.#waiting[0];
      if (!item || item.call.to !== first?.call.to) break;
      const alone = item.call.value > 0n;
      bytes += item.call.data.length / 2;
      if (group.length > 0 && (bytes > MOST_BYTES || alone)) break;
      group.push(item);
      this.#waiting.shift();
      if (alone) break;
    }
    return group;
  }

  async #together(group: readonly Item[]): Promise<void> {
    const [first] = group;
    if (!first) return;
    if (group.length > 1) {
      const commandId = `jobs:${keccak256(toUtf8Bytes(group.map(({ key }) => key).join(' ')))}`;
      const whole = this.#calls.batch(group.map(({ call }) => call));
      const refusal = await this.#send(whole, commandId, {
        group,
        waitsFor: (error) => PASSING.has(error.code) && !cannotPay(error),
      });
      if (refusal === null) {
        for (const item of group) item.done(true);
        return;
      }
      this.#log.info({ calls: group.length }, 'a batch was refused; looking at each of its calls');
    }
    for (const item of group) await this.#alone(item);
  }

  async #alone(item: Item): Promise<void> {
    if (item.state === 'withdrawn') return;
    try {
      if (!(await item.isNeeded())) {
        item.done(false);
        return;
      }
      const answered = this.#answered.get(item.key) ?? 0;
      const commandId = answered === 0 ? item.key : `${item.key}:${answered}`;
      const refusal = await this.#send(item.call, commandId, { group: [item], waitsFor: holdsAll });
      if (refusal === null) {
        this.#answered.delete(item.key);
        item.done(true);
        return;
      }
      const isAnswer = cannotPay(refusal) || !(PASSING.has(refusal.code) || refusal.code === 'cancelled');
      if (isAnswer) this.#answered.set(item.key, answered + 1);
      if (PASSING.has(refusal.code)) this.#stepAside(item, refusal.message);
      // Somebody else has done it meanwhile, or it has come to nothing.
      else if (await item.isNeeded()) item.failed(refusal);
      else item.done(false);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (PASSING.has(error.code) && !this.#life.signal.aborted) this.#stepAside(item, error.message);
      else item.failed(error);
    }
  }

  /**
   * Holds up everything behind it while it waits.
   * @returns why it is not in a block, else null
   */
  async #send(
    call: Call,
    commandId: string,
    { group, waitsFor }: { group: readonly Item[]; waitsFor: (error: AppError) => boolean },
  ): Promise<AppError | null> {
    const { signal } = this.#life;
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted();
      if (group.some(({ state }) => state === 'withdrawn'))
        return new AppError('cancelled', 'Not all of it is wanted.');
      try {
        for (const item of group) item.state = 'sending';
        await this.#sender.send(call, { commandId, signal });
        return null;
      } catch (thrown) {
        for (const item of group) item.state = 'waiting';
        signal.throwIfAborted();
        const error = toAppError(thrown);
        if (!waitsFor(error)) {
          const { code, message } = error;
          this.#log.warn({ commandId, label: call.label, code, message }, 'transaction refused');
          return error;
        }
        for (const item of group) item.onWaiting(error.message);
        await delay(againMs(attempt), signal);
      }
    }
  }
}
