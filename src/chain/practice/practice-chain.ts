import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Emitter } from '../../shared/emitter.ts';
import { AppError } from '../../shared/errors.ts';
import type { Bytes32, Hex } from '../../shared/ids.ts';
import type { Log } from '../../shared/log.ts';
import type { Clock } from '../../shared/time.ts';
import { delay } from '../../shared/retry.ts';
import { toBytes, toQuantity, toRecord } from '../rpc.ts';
import type { Rpc } from '../rpc.ts';
import { startAnvil } from './anvil-process.ts';
import type { AnvilProcess } from './anvil-process.ts';
import type { Generations } from './generations.ts';
import { openJournal } from './journal.ts';
import type { Journal } from './journal.ts';

const unzip = promisify(gunzip);

/** Transactions taken into one block. */
const MOST_PER_BLOCK = 500;
/** An empty block when nothing else moved time for so long. */
const HEARTBEAT_MS = 10_000;
const DUMP_MS = 3 * 60_000;
/** Journalled transactions after which a dump is due even sooner: what a restart would have to replay. */
const DUMP_AFTER_TXS = 20_000;
/** The same for blocks, empty ones included: an idle day is thousands of them. */
const DUMP_AFTER_BLOCKS = 2000;
const GENESIS_WEI = 10n ** 27n;

interface Waiting {
  raw: Hex;
  resolve: (hash: Bytes32) => void;
  reject: (reason: unknown) => void;
}

/**
 * A chain that is mined by this process and survives its death. The node decides nothing: this class hands it
 * transactions in one order, writes order and time of each block to a journal first, and mines. Since a node's blocks
 * follow from those alone, a restart that loads the last dump and replays the journal ends in the same block hash.
 */
export class PracticeChain {
  readonly #binary: string;
  readonly #chainId: number;
  readonly #generations: Generations;
  readonly #clock: Clock;
  readonly #log: Log;
  #anvil: AnvilProcess;
  #journal: Journal;
  #head: number;
  #headAt: number;
  /** Accepted and not yet in a block. */
  readonly #pool = new Map<Bytes32, Hex>();
  readonly #queue: Waiting[] = [];
  #busy: Promise<void> | null = null;
  #mineNow = false;
  #txsSinceDump = 0;
  #blocksSinceDump = 0;
  #lastBlockMs: number;
  #lastDumpMs: number;
  readonly #heart: NodeJS.Timeout;
  #closed = false;
  #restarts = 0;
  /** The number of each new block. */
  readonly blocks = new Emitter<number>();

  private constructor(parts: {
    binary: string;
    chainId: number;
    generations: Generations;
    clock: Clock;
    log: Log;
    started: Started;
  }) {
    this.#binary = parts.binary;
    this.#chainId = parts.chainId;
    this.#generations = parts.generations;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#anvil = parts.started.anvil;
    this.#journal = parts.started.journal;
    this.#head = parts.started.head;
    this.#headAt = parts.started.headAt;
    for (const [hash, raw] of parts.started.pool) this.#pool.set(hash, raw);
    this.#lastBlockMs = this.#lastDumpMs = this.#clock.monotonicMs();
    this.#txsSinceDump = parts.started.replayed;
    this.#blocksSinceDump = parts.started.replayed;
    this.#watchProcess(this.#anvil);
    this.#heart = setInterval(() => this.#beat(), 1000);
    this.#heart.unref();
  }

  /**
   * Loads the newest dump that works, replays its journal, and goes on; without any dump it starts a new chain on
   * which `rich` owns all the money there is.
   */
  static async open(parts: {
    binary: string;
    chainId: number;
    generations: Generations;
    clock: Clock;
    log: Log;
    rich: Hex;
  }): Promise<PracticeChain> {
    const started = await restore(parts);
    if (started) return new PracticeChain({ ...parts, started });
    const anvil = await startAnvil({ binary: parts.binary, chainId: parts.chainId });
    await anvil.rpc.call('anvil_setBalance', [parts.rich, `0x${GENESIS_WEI.toString(16)}`]);
    // The first dump stands behind a mined block: a node computes the fee of the very first one differently after
    // loading a dump.
    await anvil.rpc.call('evm_mine', [{ timestamp: parts.clock.now() }]);
    const { number: head, at: headAt } = await blockOf(anvil.rpc);
    parts.generations.saveState(head, await dumpOf(anvil.rpc));
    const journal = openJournal(parts.generations.journalPath(head));
    return new PracticeChain({ ...parts, started: { anvil, journal, head, headAt, pool: new Map(), replayed: 0 } });
  }

  get head(): number {
    return this.#head;
  }

  /** Where reads go; for the gateway of this folder only. */
  get url(): string {
    return this.#anvil.url;
  }

  get rpc(): Rpc {
    return this.#anvil.rpc;
  }

  /** Hands a signed transaction in and mines it at once. Resolves with its hash once the node has accepted it. */
  submit(raw: Hex): Promise<Bytes32> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new AppError('network-down', 'The practice network is shutting down.'));
        return;
      }
      this.#queue.push({ raw, resolve, reject });
      this.#kick();
    });
  }

  /** An empty block: time moves. */
  async mine(): Promise<void> {
    this.#mineNow = true;
    this.#kick();
    await this.#busy;
  }

  /** Writes the whole state; afterwards the journal starts empty. */
  async dump(): Promise<void> {
    await this.#exclusive(() => this.#dump());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heart);
    try {
      await this.#exclusive(async () => {
        if (this.#blocksSinceDump > 0) await this.#dump();
      });
    } catch (thrown) {
      this.#log.warn({ error: String(thrown) }, 'no last dump of the practice chain: its journal has it all');
    } finally {
      this.#journal.close();
      await this.#anvil.stop();
    }
  }

  async #exclusive(act: () => Promise<void>): Promise<void> {
    while (this.#busy) await this.#busy.catch(() => undefined);
    const busy = act().finally(() => {
      this.#busy = null;
    });
    this.#busy = busy;
    await busy;
    if (this.#queue.length > 0) this.#kick();
  }

  #kick(): void {
    if (this.#busy) return;
    this.#busy = this.#work().finally(() => {
      this.#busy = null;
      if (!this.#closed && (this.#queue.length > 0 || this.#mineNow)) this.#kick();
    });
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0 || this.#mineNow) {
      const startMs = this.#clock.monotonicMs();
      const batch = this.#queue.splice(0, MOST_PER_BLOCK);
      const empty = this.#mineNow;
      this.#mineNow = false;
      try {
        const accepted = await this.#accept(batch);
        if (accepted.length > 0 || empty) await this.#mine(accepted);
        // What did not fit into the block's gas waits in the pool, ready.
        while (this.#pool.size > 0 && (await this.#readyInPool()) > 0) await this.#mine([]);
      } catch (thrown) {
        for (const waiting of batch) waiting.reject(thrown);
        if (this.#closed) return;
        // Whether the node mined is unknown now; the journal knows what it should have. Its end brings a new one.
        this.#log.error({ error: String(thrown) }, 'the practice chain could not mine');
        await this.#anvil.stop();
        return;
      }
      // Blocks get slower as the chain grows: never mine for more than half the time, and let the rest gather.
      const tookMs = this.#clock.monotonicMs() - startMs;
      if (tookMs > 5) await delay(Math.min(tookMs, 50));
    }
  }

  async #accept(batch: readonly Waiting[]): Promise<Hex[]> {
    if (batch.length === 0) return [];
    const answers = await this.#anvil.rpc.batch(
      batch.map(({ raw }) => ({ method: 'eth_sendRawTransaction', params: [raw] })),
    );
    const accepted: Hex[] = [];
    for (const [index, waiting] of batch.entries()) {
      const answer = answers[index];
      if (answer?.ok) {
        const hash = toBytes(answer.result, 'eth_sendRawTransaction', 32);
        this.#pool.set(hash, waiting.raw);
        accepted.push(waiting.raw);
        waiting.resolve(hash);
      } else waiting.reject(answer?.error);
    }
    return accepted;
  }

  async #mine(txs: Hex[]): Promise<void> {
    const at = Math.max(this.#headAt, this.#clock.now());
    await this.#journal.append({ block: this.#head + 1, at, txs });
    await this.#anvil.rpc.call('evm_mine', [{ timestamp: at }], { timeoutMs: 120_000 });
    const block = await blockOf(this.#anvil.rpc);
    if (block.number !== this.#head + 1) throw new Error(`mined block ${block.number} after ${this.#head}`);
    this.#head = block.number;
    this.#headAt = at;
    for (const hash of block.transactions) this.#pool.delete(hash);
    this.#txsSinceDump += txs.length;
    this.#blocksSinceDump += 1;
    this.#lastBlockMs = this.#clock.monotonicMs();
    this.blocks.emit(block.number);
  }

  async #readyInPool(): Promise<number> {
    const status = toRecord(await this.#anvil.rpc.call('txpool_status', []), 'txpool_status');
    return toQuantity(status['pending'], 'txpool_status');
  }

  async #dump(): Promise<void> {
    const json = await dumpOf(this.#anvil.rpc);
    this.#generations.saveState(this.#head, json);
    this.#journal.close();
    this.#journal = openJournal(this.#generations.journalPath(this.#head));
    if (this.#pool.size > 0) await this.#journal.append({ pool: [...this.#pool.values()] });
    this.#generations.prune();
    this.#txsSinceDump = this.#blocksSinceDump = 0;
    this.#lastDumpMs = this.#clock.monotonicMs();
  }

  #beat(): void {
    if (this.#closed || this.#busy) return;
    const now = this.#clock.monotonicMs();
    const due =
      (this.#txsSinceDump > 0 && now - this.#lastDumpMs > DUMP_MS) ||
      this.#txsSinceDump > DUMP_AFTER_TXS ||
      this.#blocksSinceDump > DUMP_AFTER_BLOCKS;
    if (due) {
      this.dump().catch((thrown: unknown) => {
        this.#log.warn({ error: String(thrown) }, 'the practice chain could not be dumped; its journal grows');
      });
    } else if (now - this.#lastBlockMs > HEARTBEAT_MS) {
      this.#mineNow = true;
      this.#kick();
    }
  }

  /** A node that dies is started again from what is on disk, which is all of it. */
  #watchProcess(anvil: AnvilProcess): void {
    void anvil.ended.then(async (reason) => {
      if (this.#closed || anvil !== this.#anvil) return;
      this.#restarts += 1;
      this.#log.error({ reason, restarts: this.#restarts }, 'the practice node ended; starting it again');
      if (this.#restarts > 5) return;
      await this.#exclusive(async () => {
        this.#journal.close();
        const started = await restore({
          binary: this.#binary,
          chainId: this.#chainId,
          generations: this.#generations,
          log: this.#log,
        });
        if (!started) throw new AppError('internal', 'The practice chain has no state on disk.');
        this.#anvil = started.anvil;
        this.#journal = started.journal;
        this.#head = started.head;
        this.#headAt = started.headAt;
        this.#pool.clear();
        for (const [hash, raw] of started.pool) this.#pool.set(hash, raw);
        this.#watchProcess(started.anvil);
        this.blocks.emit(this.#head);
      }).catch((thrown: unknown) => {
        this.#log.error({ error: String(thrown) }, 'the practice node did not come back');
      });
    });
  }
}

interface Started {
  anvil: AnvilProcess;
  journal: Journal;
  head: number;
  headAt: number;
  pool: Map<Bytes32, Hex>;
  /** Blocks that came out of the journal. */
  replayed: number;
}

/** Null when there is nothing on disk. @throws AppError internal when there is, and none of it works */
async function restore(parts: {
  binary: string;
  chainId: number;
  generations: Generations;
  log: Log;
}): Promise<Started | null> {
  const { binary, chainId, generations, log } = parts;
  let failure: unknown;
  for (const block of generations.list()) {
    try {
      const anvil = await startAnvil({ binary, chainId, loadState: generations.statePath(block) });
      try {
        return await replay(anvil, generations, block);
      } catch (thrown) {
        await anvil.stop();
        throw thrown;
      }
    } catch (thrown) {
      failure ??= thrown;
      log.warn({ block, error: String(thrown) }, 'a dump of the practice chain is of no use; trying the one before');
    }
  }
  if (failure === undefined) return null;
  throw new AppError('internal', 'The practice chain on disk cannot be read.', {
    next: 'Delete the folder “practice” in the data directory to start a new practice network; practice money is lost.',
    cause: failure,
  });
}

async function replay(anvil: AnvilProcess, generations: Generations, from: number): Promise<Started> {
  const loaded = await blockOf(anvil.rpc);
  if (loaded.number !== from) throw new Error(`the dump says block ${loaded.number}, its name ${from}`);
  const { pool: waiting, blocks } = generations.recordsAfter(from);
  const pool = new Map<Bytes32, Hex>();
  const hand = async (txs: readonly string[]) => {
    const answers = await anvil.rpc.batch(txs.map((raw) => ({ method: 'eth_sendRawTransaction', params: [raw] })));
    for (const [index, answer] of answers.entries()) {
      if (answer.ok) pool.set(toBytes(answer.result, 'eth_sendRawTransaction', 32), txs[index] as Hex);
    }
  };
  await hand(waiting);
  let { number, at } = loaded;
  for (const record of blocks) {
    await hand(record.txs);
    await anvil.rpc.call('evm_mine', [{ timestamp: record.at }], { timeoutMs: 120_000 });
    const block = await blockOf(anvil.rpc);
    if (block.number !== record.block) throw new Error(`replay of block ${record.block} gave ${block.number}`);
    ({ number, at } = block);
    for (const hash of block.transactions) pool.delete(hash);
  }
  // Appending goes on in the newest journal: its name is the newest dump's, whichever dump was usable.
  const newest = generations.list()[0] ?? from;
  return {
    anvil,
    journal: openJournal(generations.journalPath(newest)),
    head: number,
    headAt: at,
    pool,
    replayed: blocks.length,
  };
}

async function blockOf(rpc: Rpc): Promise<{ number: number; at: number; transactions: Bytes32[] }> {
  const block = toRecord(await rpc.call('eth_getBlockByNumber', ['latest', false]), 'a block');
  const transactions = Array.isArray(block['transactions']) ? block['transactions'] : [];
  return {
    number: toQuantity(block['number'], 'a block'),
    at: toQuantity(block['timestamp'], 'a block'),
    transactions: transactions.map((hash) => toBytes(hash, 'a block', 32)),
  };
}

/** The node's state as the JSON its own --load-state takes; the RPC gives it zipped, as hexadecimal. */
async function dumpOf(rpc: Rpc): Promise<Buffer> {
  const dump = await rpc.call('anvil_dumpState', [], { timeoutMs: 300_000 });
  return unzip(Buffer.from(toBytes(dump, 'anvil_dumpState').slice(2), 'hex'));
}
