import { Worker } from 'node:worker_threads';
import { Emitter, State } from '../shared/emitter.ts';
import { AppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import { sibling } from '../shared/sibling.ts';
import type { Clock } from '../shared/time.ts';
import type { Ledger } from '../store/ledger.ts';
import type { IndexedOffer } from '../store/market-rows.ts';
import { openIndexReader } from '../store/open-index.ts';
import type { IndexReader } from '../store/open-index.ts';
import { openSearch } from '../store/open-search.ts';
import { bookMovements } from './book-movements.ts';
import { makeCalls } from './calls.ts';
import type { Call, Chain, Receipt, SendOptions, SyncState, TransactionSigner } from './chain.ts';
import { eventsFromTexts } from './event-text.ts';
import type { ChainEvent } from './events.ts';
import type { FromIndexer, IndexerWorkerData, ToIndexer } from './indexer-worker.ts';
import type { NetworkProfile } from './profile.ts';
import { createReads } from './reads.ts';
import type { NodeReceipt } from './receipts.ts';
import { createRpc, toHexQuantity, toQuantity, toRecord } from './rpc.ts';
import { createSendQueue } from './send-queue.ts';
import type { SendQueue } from './send-queue.ts';

export interface OpenChainOptions {
  profile: NetworkProfile;
  /** index.db; made when missing, rebuilt when it belongs to another deployment. */
  indexPath: string;
  ledger: Ledger;
  /** Its address may change between sends, as when another wallet is opened; each address has its own order of nonces. */
  signer: TransactionSigner;
  clock: Clock;
  log: Log;
}

/** Last blocks whose events an account has heard, and of which the book knows it. */
interface Cursor {
  delivered: number;
  stored: number;
}

/** Blocks whose events are delivered together while catching up. */
const DELIVER_BLOCKS = 5000;
/** An account's cursor is also written when nothing happened for so many blocks. */
const CURSOR_BLOCKS = 1000;
const INDEX_WAIT_MS = 10_000;

/**
 * Connects to a network: follows it in a worker thread, answers from index.db, sends. Works (and says so) while the
 * network is down. Transactions of an earlier life are sent again by the first `watch` of their account.
 */
export async function openChain(options: OpenChainOptions): Promise<Chain> {
  const { profile, indexPath, ledger, signer, clock, log } = options;
  const { chainId } = profile;
  const rpc = createRpc({ urls: profile.rpcUrls, chainId });
  const listeners = new Set<(events: readonly ChainEvent[]) => void>();
  const sync = new State<SyncState>({
    state: 'connecting',
    detail: 'Connecting to the network.',
    head: null,
    progress: null,
    skippedLogs: 0,
    revision: 0,
  });
  const queues = new Map<Address, SendQueue>();
  /** Whom `as` was given; the newest signer of an address counts. */
  const signers = new Map<Address, TransactionSigner>();
  const watched = new Map<Address, Cursor>();
  const indexed = new Emitter<number>();

  const worker = new Worker(sibling(import.meta.url, 'indexer-worker'), {
    workerData: { profile: structuredClone(profile), indexPath } satisfies IndexerWorkerData,
  });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
  const tell = (message: ToIndexer) => worker.postMessage(message);
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
  let closing = false;
  worker.on('error', (thrown) => {
    log.error({ error: String(thrown) }, 'the indexer stopped');
    if (closing) return;
    sync.set({ ...sync.value, state: 'down', detail: 'Reading the network stopped because of an error.' });
  });

  let reader: IndexReader | null = null;
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (message: FromIndexer) => {
      if (message.type === 'ready') {
        resolve();
        return;
      }
      onState(message.state);
    });
  });

  const onState = (state: SyncState): void => {
    const wasDown = sync.value.state !== 'live';
    const moved = state.head?.hash !== sync.value.head?.hash;
    sync.set(state);
    if (closing || !reader) return;
    if (moved && state.head) {
      deliver();
      indexed.emit(state.head.block);
    }
    if (!moved && !(wasDown && state.state === 'live')) return;
    for (const queue of queues.values()) {
      const turn = wasDown && state.state === 'live' ? queue.resume() : queue.onHead();
      turn.catch((thrown: unknown) => log.debug({ error: String(thrown) }, 'receipts were not read'));
    }
  };

  const tellListeners = (events: readonly ChainEvent[]): void => {
    for (const listener of listeners) {
      try {
        listener(events);
      } catch (thrown) {
        log.error({ error: String(thrown) }, 'a listener of chain events failed');
      }
    }
  };

  /**
   * Hands on what is confirmed and new for the watched accounts, in order. Accounts that have heard the same go on
   * together, so that what concerns two of them comes once; one that was watched later catches up with the others first.
   */
  const deliver = (): void => {
    const head = sync.value.head;
    if (!reader || !head) return;
    const until = head.block - profile.confirmations;
    for (;;) {
      const behind = [...watched].filter(([, { delivered }]) => delivered < until);
      const from = Math.min(...behind.map(([, { delivered }]) => delivered));
      if (behind.length === 0) return;
      const together = behind.filter(([, { delivered }]) => delivered === from);
      const ahead = behind.map(([, { delivered }]) => delivered).filter((delivered) => delivered > from);
      deliverTo(reader, together, from, Math.min(until, from + DELIVER_BLOCKS, ...ahead));
    }
  };

  const deliverTo = (from: IndexReader, together: [Address, Cursor][], after: number, to: number): void => {
    const accounts = together.map(([account]) => account);
    const texts = from.eventsOf(accounts, after, to).map(({ event }) => event);
    const events = eventsFromTexts(texts, from);
    for (const [, cursor] of together) cursor.delivered = to;
    const store = (due: [Address, Cursor][]) => {
      for (const [account, cursor] of due) {
        ledger.cursors.set(chainId, account, to);
        cursor.stored = to;
      }
    };
    if (events.length === 0) {
      store(together.filter(([, { stored }]) => to - stored >= CURSOR_BLOCKS));
      return;
    }
    // One transaction, with whatever the listeners write: the disk is waited for once.
    ledger.transaction(() => {
      bookMovements(ledger, chainId, events, accounts);
      tellListeners(events);
      store(together);
    });
  };

  const receiptOf = async (receipt: NodeReceipt): Promise<Receipt> => {
    const { succeeded: _succeeded, ...rest } = receipt;
    const events = reader ? eventsFromTexts(reader.eventsOfTransaction(receipt.txHash), reader) : [];
    const known = events[0]?.at ?? (sync.value.head?.block === receipt.block ? sync.value.head.at : null);
    if (known !== null) return { ...rest, at: known, events };
    const block = toRecord(await rpc.call('eth_getBlockByNumber', [toHexQuantity(receipt.block), false]), 'a block');
    return { ...rest, at: toQuantity(block['timestamp'], 'a block'), events };
  };

  const queueOf = (account: Address): SendQueue => {
    let queue = queues.get(account);
    if (!queue) {
      const ofAccount: TransactionSigner = {
        address: account,
        signTransaction(transaction) {
          const own = signers.get(account) ?? signer;
          if (own.address !== account) throw new AppError('locked', 'Another wallet is open now.');
          return own.signTransaction(transaction);
        },
      };
      queue = createSendQueue({
        profile,
        rpc,
        ledger,
        signer: ofAccount,
        clock,
        log,
        receiptOf,
        indexedBlock: () => sync.value.head?.block ?? -1,
      });
      queues.set(account, queue);
      // What an earlier life stored comes first: it holds the lower nonces.
      queue
        .resume()
        .catch((thrown: unknown) => log.debug({ error: String(thrown) }, 'resending waits for the network'));
    }
    return queue;
  };

  const sendAs = async (account: Address, call: Call, sendOptions: SendOptions): Promise<Receipt> => {
    const receipt = queueOf(account).send(call, sendOptions);
    tell({ type: 'poke' });
    return receipt;
  };

  const offerFromIndex = (offerId: Bytes32, version: number): Promise<IndexedOffer> =>
    new Promise((resolve, reject) => {
      const look = (): boolean => {
        const offer = reader?.offer(offerId);
        if (!offer || offer.version < version) return false;
        clearTimeout(timer);
        off();
        resolve(offer);
        return true;
      };
      const off = indexed.on(() => void look());
      const timer = setTimeout(() => {
        off();
        reject(
          new AppError('network-down', 'The market is still being read from the network.', { next: 'Wait a moment.' }),
        );
      }, INDEX_WAIT_MS);
      look();
    });

  try {
    await ready;
    reader = openIndexReader(indexPath);
  } catch (thrown) {
    await worker.terminate();
    throw new AppError('internal', `The index ${indexPath} cannot be written.`, {
      next: 'Check that the data directory is writable and the disk not full.',
      cause: thrown,
    });
  }
  const opened = reader;
  const search = openSearch(indexPath, profile.tokens);
  onState(sync.value);

  const now = () => sync.value.head?.at ?? clock.now();
  return {
    profile,
    calls: makeCalls(profile.contracts),
    reads: createReads(profile, rpc, offerFromIndex),
    sync,
    now,
    onEvents(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async watch(accounts) {
      for (const account of watched.keys()) if (!accounts.includes(account)) watched.delete(account);
      for (const account of accounts) {
        const stored = ledger.cursors.get(chainId, account) ?? profile.contracts.deployedAt - 1;
        if (!watched.has(account)) watched.set(account, { delivered: stored, stored });
        if (account === signer.address) queueOf(account);
      }
      deliver();
    },
    send: (call, sendOptions) => sendAs(signer.address, call, sendOptions),
    as(other) {
      signers.set(other.address, other);
      queueOf(other.address);
      return { send: (call, sendOptions) => sendAs(other.address, call, sendOptions) };
    },
    search: (query) => search.find(query, clock.now()),
    offer: (offerId) => opened.offer(offerId),
    lease: (leaseId) => opened.lease(leaseId),
    offersOf: (provider) => opened.offersOf(provider),
    leasesOf: (account, leaseOptions) => opened.leasesOf(account, leaseOptions),
    job: (jobId) => opened.job(jobId),
    jobDeals: (jobId) => opened.jobDeals(jobId),
    jobDeal: (dealId) => opened.jobDeal(dealId),
    jobsOf: (account, jobOptions) => opened.jobsOf(account, jobOptions),
    jobDealsOf: (provider, dealOptions) => opened.jobDealsOf(provider, dealOptions),
    openJobs: (filter) => opened.openJobs(filter, now()),
    jobStats: () => opened.jobStats(),
    standing: (account) => opened.standing(account),
    async close() {
      if (closing) return;
      closing = true;
      for (const queue of queues.values()) queue.close();
      tell({ type: 'stop' });
      await Promise.all([search.close(), ended]);
      opened.close();
    },
  };
}
