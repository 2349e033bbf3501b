import { AppError, toAppError } from '../shared/errors.ts';
import { delay } from '../shared/retry.ts';
import { isRaw, toCid } from './address.ts';
import { type BlockSource, type ContentSource, openGatewaySource, openPeerSource } from './block-sources.ts';
import {
  type BlockIntake,
  type Cid,
  type ContentRoot,
  type ContentScope,
  type ContentStore,
  DEFAULT_CAPS,
  OWN_SCOPE,
  type WorkOptions,
} from './content-store.ts';
import { childrenOf, claimedBytes } from './nodes.ts';
import { overCap } from './tree.ts';

export interface FetchOptions extends WorkOptions {
  store: ContentStore;
  /** Pins what is fetched for this owner, from the first block on. */
  pin?: string;
  /** For whom it is fetched; default `OWN_SCOPE`. What is here for others is fetched again. */
  scope?: ContentScope;
}

export interface SourceReport {
  name: string;
  blocks: number;
  bytes: number;
  /** Blocks that were not what their address says. */
  corrupt: number;
  /** Answers that did not come, or were not understood. */
  failures: number;
  /** Why it was not asked any more. */
  dropped: string | null;
}

export interface FetchReport {
  root: ContentRoot;
  /** Blocks and bytes that came now, and blocks that were here already. */
  blocks: number;
  bytes: number;
  alreadyHere: number;
  sources: SourceReport[];
}

/** Wants on their way at once; as many blocks again may be on their way to the disk. */
const OUTSTANDING = 8;
const AT_ONCE = 2 * OUTSTANDING;
/** Times one block is asked for, of all sources in turn, before the fetch gives up. */
const ROUNDS = 6;
/** Failures in a row after which a source is not asked any more. */
const FAILURES = 8;
/** Corrupt blocks a source may send however few it sent, and their part of all it sent. */
const CORRUPT_FEW = 16;
const CORRUPT_SHARE = 0.25;
const BLOCK_MS = 60_000;

interface Asked {
  source: BlockSource;
  report: SourceReport;
  inARow: number;
}

/**
 * Fetches a whole tree, each block compared with its address; what was here before or came in an earlier try is not
 * fetched again. Sources are asked in the given order; a block that is missing or wrong at one is asked of the next.
 * @throws AppError `not-found` (no source has it), `peer-unreachable` (all sources failed), `over-limit`, `disk-full`,
 * `bad-input` (the tree itself is malformed), `cancelled`. What came stays for the next try.
 */
export async function fetchContent(
  text: Cid,
  sources: readonly ContentSource[],
  { store, pin, scope = OWN_SCOPE, signal, onProgress, caps }: FetchOptions,
): Promise<FetchReport> {
  const cid = toCid(text);
  const known = store.stat(cid);
  if (store.has(cid, scope) && known !== null) {
    if (pin !== undefined) await store.pin(cid, pin);
    const root = store.stat(cid) ?? known;
    return { root, blocks: 0, bytes: 0, alreadyHere: 0, sources: [] };
  }
  const over = new AbortController();
  const until = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const opened: Asked[] = [];
  const refusals: AppError[] = [];
  for (const given of sources) {
    try {
      const source = 'peer' in given ? await openPeerSource(given.peer, cid, until) : openGatewaySource(given.gateway);
      const report = { name: source.name, blocks: 0, bytes: 0, corrupt: 0, failures: 0, dropped: null };
      opened.push({ source, report, inARow: 0 });
    } catch (thrown) {
      refusals.push(refusalOf(thrown));
    }
  }
  const [refusal] = refusals;
  if (opened.length === 0) {
    throw refusal ?? new AppError('bad-input', 'There is nowhere to fetch this content from.', { field: cid });
  }
  const intake = await store.blocks.fetching(cid, pin, scope);
  try {
    const stop = () => {
      over.abort();
      for (const { source } of opened) source.close();
    };
    const counts = await fetchTree(cid, intake, opened, { caps, onProgress, until, stop });
    const root = await intake.complete(cid);
    return { root, ...counts, sources: opened.map(({ report }) => report) };
  } catch (thrown) {
    await intake.abandon();
    throw signal?.aborted === true ? new AppError('cancelled', 'Cancelled.', { cause: thrown }) : thrown;
  }
}

const PEER_WORDS: ReadonlySet<string> = new Set([
  'not-found',
  'not-allowed',
  'bad-input',
  'peer-unreachable',
  'cancelled',
]);

/** The other machine's reason, under a code that cannot be taken for trouble of this one. */
function refusalOf(thrown: unknown): AppError {
  const error = toAppError(thrown);
  return PEER_WORDS.has(error.code) ? error : new AppError('peer-refused', error.message, { cause: error });
}

/** Lets so many calls run at once, the others in line. */
function createSlots(free: number): <T>(act: () => Promise<T>) => Promise<T> {
  const line: (() => void)[] = [];
  return async (act) => {
    if (free === 0) await new Promise<void>((resolve) => line.push(resolve));
    else free -= 1;
    try {
      return await act();
    } finally {
      const next = line.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

type Slots = ReturnType<typeof createSlots>;

interface Work {
  caps: WorkOptions['caps'];
  onProgress: WorkOptions['onProgress'];
  until: AbortSignal;
  stop: () => void;
}

async function fetchTree(
  root: Cid,
  intake: BlockIntake,
  sources: readonly Asked[],
  { caps: given, onProgress, until, stop }: Work,
): Promise<{ blocks: number; bytes: number; alreadyHere: number }> {
  const caps = { ...DEFAULT_CAPS, ...given };
  // Blocks that hold others together take a thousandth of what they hold, unless the tree is all small files.
  const maxBytes = caps.bytes * 1.01 + caps.entries * 512 + 1024 * 1024;
  const maxBlocks = 1000 + caps.entries * 4 + caps.bytes / 4096;
  const waiting: Cid[] = [root];
  const seen = new Set<Cid>(waiting);
  const counts = { blocks: 0, bytes: 0, alreadyHere: 0 };
  const slots = createSlots(OUTSTANDING);
  let done = 0;
  let totalBytes: number | null = null;

  async function one(cid: Cid): Promise<void> {
    let bytes = await intake.get(cid);
    if (bytes === null) {
      bytes = await fetchBlock(cid, sources, intake, slots, until);
      counts.blocks += 1;
      counts.bytes += bytes.byteLength;
    } else {
      counts.alreadyHere += 1;
    }
    done += bytes.byteLength;
    if (done > maxBytes) throw overCap(`more than ${caps.bytes} bytes`, root);
    if (cid === root) {
      totalBytes = claimedBytes(cid, bytes);
      if (totalBytes !== null && totalBytes > maxBytes) throw overCap(`more than ${caps.bytes} bytes`, root);
    }
    if (!isRaw(cid)) {
      // Last in, first out, so that the first file comes first and little waits.
      for (const child of childrenOf(cid, bytes).toReversed()) {
        if (seen.has(child)) continue;
        seen.add(child);
        waiting.push(child);
      }
      if (seen.size > maxBlocks) throw overCap('too many parts', root);
    }
    onProgress?.({ bytes: done, totalBytes: totalBytes === null ? null : Math.max(totalBytes, done) });
  }

  const running = new Set<Promise<void>>();
  try {
    while (waiting.length > 0 || running.size > 0) {
      until.throwIfAborted();
      for (let cid = next(); cid !== undefined; cid = next()) {
        const work: Promise<void> = one(cid).finally(() => running.delete(work));
        work.catch(() => undefined);
        running.add(work);
      }
      await Promise.race(running);
    }
  } finally {
    stop();
    await Promise.allSettled(running);
  }
  return counts;

  function next(): Cid | undefined {
    return running.size < AT_ONCE ? waiting.pop() : undefined;
  }
}

/** The block, stored: checking it is part of that. */
async function fetchBlock(
  cid: Cid,
  sources: readonly Asked[],
  intake: BlockIntake,
  slots: Slots,
  until: AbortSignal,
): Promise<Uint8Array> {
  let absent = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round > 1) await delay(50 * 2 ** round, until);
    for (const asked of sources) {
      if (asked.report.dropped !== null) continue;
      until.throwIfAborted();
      const bytes = await slots(() => askOne(asked, cid, until));
      if (bytes === null) absent += 1;
      if (bytes === null || bytes === 'failed') continue;
      const { report } = asked;
      if (await intake.put(cid, bytes)) {
        report.blocks += 1;
        report.bytes += bytes.byteLength;
        return bytes;
      }
      report.corrupt += 1;
      if (report.corrupt > CORRUPT_FEW && report.corrupt > CORRUPT_SHARE * (report.blocks + report.corrupt)) {
        report.dropped = `sent ${report.corrupt} corrupt blocks`;
      }
    }
    const left = sources.filter(({ report }) => report.dropped === null);
    if (left.length === 0) break;
    if (absent >= left.length * 2) break;
  }
  const reasons = sources.map(({ report }) => `${report.name}: ${report.dropped ?? lastWords(report)}`).join('; ');
  throw absent > 0
    ? new AppError('not-found', `A part of the content could not be found (${reasons}).`, {
        field: cid,
        next: 'Add another gateway, or ask the publisher to keep it online.',
      })
    : new AppError('peer-unreachable', `The content could not be fetched (${reasons}).`, {
        field: cid,
        next: 'Try again: what has arrived is kept.',
      });
}

const lastWords = ({ corrupt, failures }: SourceReport): string =>
  `${corrupt} corrupt blocks, ${failures} failed requests`;

async function askOne(asked: Asked, cid: Cid, until: AbortSignal): Promise<Uint8Array | 'failed' | null> {
  const { source, report } = asked;
  try {
    const bytes = await source.get(cid, AbortSignal.any([until, AbortSignal.timeout(BLOCK_MS)]));
    asked.inARow = 0;
    return bytes;
  } catch (thrown) {
    until.throwIfAborted();
    report.failures += 1;
    asked.inARow += 1;
    if (asked.inARow >= FAILURES) report.dropped = thrown instanceof Error ? thrown.message : 'failed';
  }
  return 'failed';
}
