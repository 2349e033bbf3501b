import { AppError, toAppError } from '../shared/errors.ts';
import type { Bytes32, Hex } from '../shared/ids.ts';
import { backoffMs, delay } from '../shared/retry.ts';
import type { IndexBlock, IndexWriter } from '../store/open-index.ts';
import type { Head, SyncState } from './chain.ts';
import { decodeLog, EVENT_TOPICS } from './decode-logs.ts';
import { marketIndex } from './market-index.ts';
import type { PlacedLog } from './market-index.ts';
import { NEXT_BLOCK_METHOD } from './next-block.ts';
import { loggingContracts } from './profile.ts';
import type { NetworkProfile } from './profile.ts';
import { RpcError, toBytes, toHexQuantity, toQuantity, toRecord } from './rpc.ts';
import type { Rpc } from './rpc.ts';

/** Blocks behind the head that are read one by one, each with its parent checked; older ones are read in ranges. */
const CAREFUL_BLOCKS = 12;
/** Blocks whose headers and logs are asked for together near the head. */
const STEP_BLOCKS = 32;
const FIRST_RANGE = 2000;
const LARGEST_RANGE = 100_000;
/** Logs of a range after which the next one is made smaller. */
const COMFORTABLE_LOGS = 10_000;

export interface IndexerParts {
  rpc: Rpc;
  profile: NetworkProfile;
  writer: IndexWriter;
  /** Called after each step; the database is committed by then. */
  onState: (state: SyncState) => void;
  random: () => number;
}

export interface Indexer {
  /** Follows the chain until the signal aborts; resolves then. Failures are states, not exceptions. */
  run(signal: AbortSignal): Promise<void>;
  /** Look at the chain now instead of at the next poll. */
  poke(): void;
}

/**
 * Reads the market's logs into index.db: in ranges of adapting size while far behind, block by block near the head, each
 * step one transaction. A block whose parent is not the one written last means the chain was reorganised: everything
 * down to the last block both agree on is undone first.
 */
export function createIndexer({ rpc, profile, writer, onState, random }: IndexerParts): Indexer {
  const market = marketIndex(writer, profile);
  const addresses = loggingContracts(profile.contracts);
  const start = profile.contracts.deployedAt;
  const careful = Math.max(CAREFUL_BLOCKS, profile.confirmations);
  let range = FIRST_RANGE;
  let revision = 0;
  let skippedLogs = 0;
  let longPoll = profile.practice;
  let poked: (() => void) | null = null;

  const report = (state: SyncState['state'], detail: string, progress: SyncState['progress'] = null) => {
    const written = writer.head();
    const head: Head | null = written && { block: written.number, hash: written.hash, at: written.at };
    onState({ state, detail, head, progress, skippedLogs, revision });
  };

  const header = async (block: Hex | 'latest', signal: AbortSignal): Promise<Header | null> =>
    toHeader(await rpc.call('eth_getBlockByNumber', [block, false], { signal }));

  /** The newest written block that is still on the chain. */
  const rollBack = async (signal: AbortSignal): Promise<void> => {
    let written = writer.head();
    const top = written?.number ?? -1;
    while (written) {
      const there = await header(toHexQuantity(written.number), signal);
      if (there?.hash === written.hash) break;
      written = writer.blockAtOrBelow(written.number - 1);
    }
    const ancestor = written?.number ?? start - 1;
    if (ancestor === top) return;
    market.rollBackTo(ancestor);
    revision += 1;
  };

  const write = (blocks: readonly IndexBlock[], logs: readonly PlacedLog[]) => {
    const { written, skipped } = market.append(blocks, logs);
    skippedLogs += skipped;
    if (written > 0) revision += 1;
  };

  const readRange = async (from: number, to: number, signal: AbortSignal): Promise<void> => {
    let answer: unknown;
    try {
      const filter = {
        fromBlock: toHexQuantity(from),
        toBlock: toHexQuantity(to),
        address: addresses,
        topics: [EVENT_TOPICS],
      };
      answer = await rpc.call('eth_getLogs', [filter], { signal, timeoutMs: 60_000 });
    } catch (thrown) {
      // Nodes limit blocks, logs or bytes of an answer, each in its own words: ask for less until it fits.
      const refused = thrown instanceof RpcError || (thrown instanceof AppError && thrown.code === 'network-down');
      if (!refused || range === 1 || signal.aborted) throw thrown;
      range = Math.max(1, Math.floor(range / 4));
      return;
    }
    const { logs, skipped } = checkLogs(answer, addresses, (block) => block >= from && block <= to);
    skippedLogs += skipped;
    const numbers = [...new Set([...logs.map((log) => log.block), to])].toSorted((a, b) => a - b);
    const headers = await headersOf(numbers, signal);
    write(headers, placed(logs, headers));
    if (logs.length > COMFORTABLE_LOGS) range = Math.max(1, Math.floor(range / 2));
    else if (logs.length < COMFORTABLE_LOGS / 4) range = Math.min(LARGEST_RANGE, range * 2);
  };

  const headersOf = async (numbers: readonly number[], signal: AbortSignal): Promise<Header[]> => {
    const answers = await rpc.batch(
      numbers.map((number) => ({ method: 'eth_getBlockByNumber', params: [toHexQuantity(number), false] })),
      { signal },
    );
    return answers.map((answer, index) => {
      if (!answer.ok) throw answer.error;
      const found = toHeader(answer.result);
      if (!found || found.number !== numbers[index]) throw moved();
      return found;
    });
  };

  /** Blocks near the head: false when the first does not follow what is written. */
  const readBlocks = async (from: number, to: number, signal: AbortSignal): Promise<boolean> => {
    const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    const headers = await headersOf(numbers, signal);
    let parent = writer.head();
    for (const block of headers) {
      if (parent && parent.number === block.number - 1 && parent.hash !== block.parent) return false;
      parent = block;
    }
    const full = headers.filter((block) => block.mayHaveLogs);
    const answers = await rpc.batch(
      full.map((block) => ({
        method: 'eth_getLogs',
        params: [{ blockHash: block.hash, address: addresses, topics: [EVENT_TOPICS] }],
      })),
      { signal },
    );
    const logs: CheckedLog[] = [];
    for (const [index, answer] of answers.entries()) {
      const block = full[index];
      // The block left the chain between both questions.
      if (!answer.ok || !block) return false;
      const checked = checkLogs(answer.result, addresses, (number) => number === block.number);
      skippedLogs += checked.skipped;
      logs.push(...checked.logs);
    }
    write(headers, placed(logs, headers));
    return true;
  };

  /** Up to the head as it is now. */
  const catchUp = async (latest: Header, signal: AbortSignal): Promise<void> => {
    let next = (writer.head()?.number ?? start - 1) + 1;
    const first = next;
    while (next <= latest.number) {
      signal.throwIfAborted();
      const safe = latest.number - careful;
      if (next <= safe) {
        await readRange(next, Math.min(safe, next + range - 1), signal);
      } else if (!(await readBlocks(next, Math.min(latest.number, next + STEP_BLOCKS - 1), signal))) {
        await rollBack(signal);
        return;
      }
      next = (writer.head()?.number ?? start - 1) + 1;
      const total = latest.number - first + 1;
      if (total > careful) {
        const done = next - first;
        report('catching-up', `Reading the market: ${done} of ${total} blocks.`, {
          label: 'Reading the market',
          done,
          total,
          unit: 'blocks',
        });
      }
    }
  };

  const untilNextBlock = async (signal: AbortSignal): Promise<void> => {
    if (longPoll) {
      try {
        await rpc.call(NEXT_BLOCK_METHOD, [writer.head()?.number ?? -1], { signal });
        return;
      } catch (thrown) {
        if (!(thrown instanceof RpcError)) throw thrown;
        longPoll = false;
      }
    }
    const wake = new Promise<void>((resolve) => {
      poked = resolve;
    });
    await Promise.race([delay(profile.pollMs, signal), wake]);
  };

  const pass = async (signal: AbortSignal): Promise<void> => {
    const latest = await header('latest', signal);
    if (!latest) throw moved();
    const written = writer.head();
    if (
      written &&
      (latest.number < written.number || (latest.number === written.number && latest.hash !== written.hash))
    ) {
      await rollBack(signal);
    }
    await catchUp(latest, signal);
  };

  return {
    async run(signal) {
      report('connecting', 'Connecting to the network.');
      let failures = 0;
      while (!signal.aborted) {
        try {
          await pass(signal);
          failures = 0;
          report('live', 'Up to date.');
          await untilNextBlock(signal);
        } catch (thrown) {
          if (signal.aborted) return;
          const error =
            thrown instanceof RpcError
              ? new AppError('network-down', `The node refused: ${thrown.message}`)
              : toAppError(thrown);
          if (failures > 0 || error.code === 'wrong-network') {
            report(error.code === 'wrong-network' ? 'wrong-network' : 'down', error.message);
          }
          await delay(50 + backoffMs(failures, random, 100, 10_000), signal).catch(() => undefined);
          failures += 1;
        }
      }
    },
    poke() {
      poked?.();
      poked = null;
    },
  };
}

const moved = (): AppError =>
  new AppError('network-down', 'The chain moved while it was read; reading again.', { next: 'Wait a moment.' });

interface Header extends IndexBlock {
  mayHaveLogs: boolean;
}

function toHeader(value: unknown): Header | null {
  if (value === null) return null;
  const block = toRecord(value, 'a block');
  const bloom = block['logsBloom'];
  return {
    number: toQuantity(block['number'], 'a block'),
    hash: toBytes(block['hash'], 'a block', 32),
    parent: toBytes(block['parentHash'], 'a block', 32),
    at: toQuantity(block['timestamp'], 'a block'),
    mayHaveLogs: typeof bloom !== 'string' || /[1-9a-f]/i.test(bloom.slice(2)),
  };
}

interface CheckedLog {
  block: number;
  blockHash: Bytes32;
  txHash: Bytes32;
  logIndex: number;
  topics: Hex[];
  data: Hex;
}

const MAX_TOPICS = 4;

/** What of an answer to eth_getLogs has the form of a log of ours, in chain order. Anything else is counted and left out. */
export function checkLogs(
  answer: unknown,
  addresses: readonly Hex[],
  inRange: (block: number) => boolean,
): { logs: CheckedLog[]; skipped: number } {
  if (!Array.isArray(answer)) throw new AppError('network-down', 'The node answered nonsense to eth_getLogs.');
  const logs: CheckedLog[] = [];
  let skipped = 0;
  for (const item of answer as unknown[]) {
    try {
      const log = toRecord(item, 'a log');
      const topics = log['topics'];
      if (log['removed'] === true || !Array.isArray(topics) || topics.length > MAX_TOPICS) throw moved();
      const checked: CheckedLog = {
        block: toQuantity(log['blockNumber'], 'a log'),
        blockHash: toBytes(log['blockHash'], 'a log', 32),
        txHash: toBytes(log['transactionHash'], 'a log', 32),
        logIndex: toQuantity(log['logIndex'], 'a log'),
        topics: topics.map((topic) => toBytes(topic, 'a log', 32)),
        data: toBytes(log['data'], 'a log'),
      };
      if (!inRange(checked.block) || !addresses.includes(toBytes(log['address'], 'a log', 20))) throw moved();
      logs.push(checked);
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      skipped += 1;
    }
  }
  return { logs: logs.toSorted((a, b) => a.block - b.block || a.logIndex - b.logIndex), skipped };
}

/** @throws AppError network-down when a log names another block than the header of its height: the chain moved */
function placed(logs: readonly CheckedLog[], headers: readonly Header[]): PlacedLog[] {
  const byNumber = new Map(headers.map((block) => [block.number, block]));
  return logs.map(({ block, blockHash, txHash, logIndex, topics, data }) => {
    const at = byNumber.get(block);
    if (at?.hash !== blockHash) throw moved();
    return { place: { block, blockHash, at: at.at, txHash, logIndex }, decoded: decodeLog({ topics, data }) };
  });
}
