import { keccak256, toUtf8Bytes } from 'ethers';
import { insist } from '../../chain/insist.ts';
import type { Call, Chain, ChainCalls } from '../../chain/chain.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';

interface Item {
  key: string;
  call: Call;
  isNeeded: () => Promise<boolean>;
  onWaiting: (reason: string) => void;
  done: (sent: boolean) => void;
  failed: (reason: unknown) => void;
}

const MOST_CALLS = 20;
/** Of one transaction's data: nodes take 128 KiB at most. */
const MOST_BYTES = 60_000;

/**
 * Calls of one account to the Jobs contract, several in one transaction where they come together. All or nothing per
 * transaction: where one of them is refused, each is looked at again and sent alone.
 */
export class CallBatcher {
  readonly #send: Pick<Chain, 'send'>;
  readonly #calls: Pick<ChainCalls, 'batch'>;
  readonly #log: Log;
  readonly #waiting: Item[] = [];
  readonly #known = new Map<string, Promise<boolean>>();
  readonly #life = new AbortController();
  #running = false;

  constructor(parts: { sender: Pick<Chain, 'send'>; calls: Pick<ChainCalls, 'batch'>; log: Log }) {
    this.#send = parts.sender;
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
    if (known) return known;
    const result = new Promise<boolean>((done, failed) => {
      this.#waiting.push({ key, call, isNeeded, onWaiting, done, failed });
    }).finally(() => this.#known.delete(key));
    this.#known.set(key, result);
    if (!this.#running) void this.#run();
    return result;
  }

  close(): void {
    this.#life.abort(new AppError('cancelled', 'This host is closing.'));
    for (const item of this.#waiting.splice(0)) item.failed(this.#life.signal.reason);
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Everything that asks in this turn of the event loop travels together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const group = this.#take();
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
      const refusal = await this.#insist(this.#calls.batch(group.map(({ call }) => call)), commandId, (reason) => {
        for (const item of group) item.onWaiting(reason);
      });
      if (refusal === null) {
        for (const item of group) item.done(true);
        return;
      }
      this.#log.info({ calls: group.length }, 'a batch was refused; looking at each of its calls');
    }
    for (const item of group) {
      try {
        if (!(await item.isNeeded())) {
          item.done(false);
          continue;
        }
        const refusal = await this.#insist(item.call, item.key, item.onWaiting);
        if (refusal === null) item.done(true);
        // Somebody else has done it meanwhile, or it has come to nothing.
        else if (await item.isNeeded()) item.failed(refusal);
        else item.done(false);
      } catch (thrown) {
        item.failed(toAppError(thrown));
      }
    }
  }

  /** The chain's reason where it refuses for good, else null: it is in a block. */
  async #insist(call: Call, commandId: string, onWaiting: (reason: string) => void): Promise<AppError | null> {
    let refusal: AppError | null = null;
    const sender: Pick<Chain, 'send'> = {
      send: (given, options) =>
        this.#send.send(given, options).catch((thrown: unknown) => {
          refusal = toAppError(thrown);
          throw thrown;
        }),
    };
    const options = { commandId, signal: this.#life.signal, log: this.#log, onWaiting };
    if (await insist(sender, call, options)) return null;
    return refusal ?? new AppError('reverted', `The contract refuses to ${call.label}.`);
  }
}
