import { keccak256 } from 'ethers';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { Clock } from '../shared/time.ts';
import type { Ledger, OutgoingTransaction } from '../store/ledger.ts';
import type { Call, Receipt, SendOptions, TransactionSigner } from './chain.ts';
import { estimateGas } from './estimate-gas.ts';
import { FEE_CAP, raiseFees, suggestFees } from './fees.ts';
import type { Fees } from './fees.ts';
import type { NetworkProfile } from './profile.ts';
import { receiptsOf } from './receipts.ts';
import type { NodeReceipt } from './receipts.ts';
import { explainRefusal } from './revert-reasons.ts';
import { toHexQuantity, toQuantity } from './rpc.ts';
import type { Rpc, RpcError } from './rpc.ts';
import { readTransaction } from './raw-transaction.ts';

export interface SendQueueParts {
  profile: NetworkProfile;
  rpc: Rpc;
  ledger: Ledger;
  signer: TransactionSigner;
  clock: Clock;
  log: Log;
  /** Highest block whose logs are in index.db. */
  indexedBlock: () => number;
  /** What the market's contracts said in a transaction that is indexed, and its block's time. */
  receiptOf: (receipt: NodeReceipt) => Promise<Receipt>;
  /** Milliseconds without a block before a transaction is sent again, with a higher fee where it pays too little. */
  replaceAfterMs?: number;
  feeCap?: bigint;
}

/** Everything one account sends, in one order of nonces. */
export interface SendQueue {
  send(call: Call, options: SendOptions): Promise<Receipt>;
  /** Sends again what was stored and never seen in a block: after a start, and when the network comes back. */
  resume(): Promise<void>;
  /** The head moved: looks for receipts. Cheap when nothing is under way. */
  onHead(): Promise<void>;
  /** Transactions that are not in a block yet. */
  readonly underway: number;
  close(): void;
}

interface Waiting {
  call: Call;
  commandId: string;
  done: (receipt: Receipt) => void;
  failed: (reason: unknown) => void;
}

/** One nonce under way, with every attempt to get it into a block; any of them may be the one. */
interface Underway {
  commandId: string;
  nonce: number;
  attempts: OutgoingTransaction[];
  sentAtMs: number;
  waiting: Pick<Waiting, 'done' | 'failed'> | null;
}

/** Calls prepared together: one round of estimates, one ledger transaction, one round of sending. */
const TOGETHER = 64;
const RECEIPTS_TOGETHER = 200;
const FEES_FRESH_MS = 2000;

export function createSendQueue(parts: SendQueueParts): SendQueue {
  const { profile, rpc, ledger, signer, clock, log, replaceAfterMs = 45_000, feeCap = FEE_CAP } = parts;
  const { chainId } = profile;
  const from = signer.address;
  const queue: Waiting[] = [];
  const underway = new Map<number, Underway>();
  /** By commandId, so that a repeated send finds the first. */
  const promises = new Map<string, Promise<Receipt>>();
  /** Given back by transactions that no node took; they come before new ones. */
  const freeNonces: number[] = [];
  let nextNonce: number | null = null;
  let fees: { value: Fees; atMs: number } | null = null;
  let draining: Promise<void> | null = null;
  let looking: Promise<void> | null = null;
  let lookAgain = false;
  let closed = false;
  let emptied: (() => void) | null = null;

  const explain = (thrown: unknown, to?: Address): AppError => toAppError(explainRefusal(thrown, profile, to));

  const currentFees = async (): Promise<Fees> => {
    if (fees && clock.monotonicMs() - fees.atMs < FEES_FRESH_MS) return fees.value;
    const value = await suggestFees(rpc, feeCap);
    fees = { value, atMs: clock.monotonicMs() };
    return value;
  };

  const track = (row: OutgoingTransaction, waiting: Underway['waiting']): void => {
    const known = underway.get(row.nonce);
    if (known) {
      known.attempts.push(row);
      known.sentAtMs = clock.monotonicMs();
      known.waiting ??= waiting;
      return;
    }
    const { commandId, nonce } = row;
    underway.set(nonce, { commandId, nonce, attempts: [row], sentAtMs: clock.monotonicMs(), waiting });
  };

  const settle = (entry: Underway, act: (waiting: NonNullable<Underway['waiting']>) => void): void => {
    underway.delete(entry.nonce);
    if (entry.waiting) act(entry.waiting);
    if (underway.size === 0) {
      emptied?.();
      emptied = null;
    }
  };

  const firstNonce = async (): Promise<number> => {
    const counted = toQuantity(await rpc.call('eth_getTransactionCount', [from, 'pending']), 'eth_getTransactionCount');
    // The node may have forgotten what we stored and will send again.
    const stored = Math.max(-1, ...underway.keys());
    return Math.max(counted, stored + 1);
  };

  const store = async (batch: readonly { waiting: Waiting; gasLimit: bigint }[]): Promise<OutgoingTransaction[]> => {
    const now = await currentFees();
    nextNonce ??= await firstNonce();
    const nonces: number[] = [];
    let next = nextNonce;
    const free = freeNonces.toSorted((a, b) => a - b);
    for (let index = 0; index < batch.length; index += 1) {
      const reused = free.shift();
      nonces.push(reused ?? next);
      if (reused === undefined) next += 1;
    }
    const raws = await Promise.all(
      batch.map(({ waiting: { call }, gasLimit }, index) =>
        signer.signTransaction({
          chainId,
          nonce: nonces[index] ?? 0,
          to: call.to,
          value: call.value,
          data: call.data,
          gasLimit,
          ...now,
        }),
      ),
    );
    const at = clock.now();
    const rows = batch.map(({ waiting }, index): OutgoingTransaction => {
      const raw = raws[index] ?? '0x';
      return {
        commandId: waiting.commandId,
        chainId,
        from,
        nonce: nonces[index] ?? 0,
        attempt: 0,
        label: waiting.call.label,
        txHash: keccak256(raw) as Bytes32,
        raw,
        ...now,
        state: 'stored',
        block: null,
        error: null,
        createdAt: at,
        updatedAt: at,
      };
    });
    ledger.transaction(() => {
      for (const row of rows) ledger.outgoing.put(row);
    });
    nextNonce = next;
    freeNonces.splice(0, freeNonces.length, ...free);
    return rows;
  };

  const giveUp = (row: OutgoingTransaction, error: AppError): void => {
    ledger.outgoing.setState(row.txHash, 'failed', { error: error.message });
    const entry = underway.get(row.nonce);
    if (!entry) return;
    if (nextNonce === row.nonce + 1) nextNonce = row.nonce;
    else freeNonces.push(row.nonce);
    settle(entry, (waiting) => waiting.failed(error));
  };

  /** Hands raw transactions to the node. What is refused for good is given up, with its nonce. */
  const broadcast = async (rows: readonly OutgoingTransaction[]): Promise<void> => {
    if (rows.length === 0) return;
    const answers = await rpc.batch(rows.map(({ raw }) => ({ method: 'eth_sendRawTransaction', params: [raw] })));
    for (const [index, answer] of answers.entries()) {
      const row = rows[index];
      if (!row || !answer || answer.ok) continue;
      if (isKnown(answer.error)) continue;
      const error = explain(answer.error, readTransaction(row.raw)?.to);
      // Another attempt of this nonce is with the node: that this one was not taken changes nothing.
      if (row.attempt > 0) ledger.outgoing.setState(row.txHash, 'failed', { error: error.message });
      else if (error.code === 'insufficient-funds' || error.code === 'reverted') giveUp(row, error);
      else log.warn({ txHash: row.txHash, message: answer.error.message }, 'a node did not take a transaction yet');
    }
    await fillGaps();
  };

  /** A freed nonce below one that is with the node would block it for ever: a transfer of nothing to oneself fills it. */
  const fillGaps = async (): Promise<void> => {
    const highest = Math.max(-1, ...underway.keys());
    const gaps = freeNonces.filter((nonce) => nonce < highest);
    if (gaps.length === 0 || queue.length > 0) return;
    const fillers = gaps.map((): Waiting => {
      const call: Call = { to: from, data: '0x', value: 0n, label: 'fill a gap', gasLimit: 21_000n };
      return { call, commandId: `gap:${crypto.randomUUID()}`, done: () => {}, failed: () => {} };
    });
    const rows = await store(fillers.map((waiting) => ({ waiting, gasLimit: 21_000n })));
    for (const row of rows) track(row, null);
    const answers = await rpc.batch(rows.map(({ raw }) => ({ method: 'eth_sendRawTransaction', params: [raw] })));
    for (const [index, answer] of answers.entries()) {
      const row = rows[index];
      if (row && answer && !answer.ok && !isKnown(answer.error)) giveUp(row, explain(answer.error));
    }
  };

  const drain = async (): Promise<void> => {
    while (queue.length > 0 && !closed) {
      const batch = queue.splice(0, TOGETHER);
      try {
        const { ready, later, refused } = await estimateGas(rpc, from, batch, underway.size > 0);
        for (const { waiting, error } of refused) waiting.failed(explain(error, waiting.call.to));
        if (later.length > 0) queue.unshift(...later);
        if (ready.length > 0) {
          const rows = await store(ready);
          for (const [index, row] of rows.entries()) track(row, ready[index]?.waiting ?? null);
          await broadcast(rows).catch((thrown: unknown) => {
            // Stored: it goes out when the network is back.
            log.warn({ error: explain(thrown).message }, 'transactions are stored and will be sent later');
          });
        }
        if (later.length > 0 && underway.size > 0) {
          await new Promise<void>((resolve) => {
            emptied = resolve;
          });
        }
      } catch (thrown) {
        const error = explain(thrown);
        for (const waiting of batch) {
          // What was stored before the failure is under way and not lost.
          const stored = ledger.outgoing.byCommand(waiting.commandId);
          if (!stored || stored.state === 'failed') {
            const position = queue.indexOf(waiting);
            if (position >= 0) queue.splice(position, 1);
            waiting.failed(error);
          }
        }
        // The count may be wrong after a failure in between: ask again.
        if (underway.size === 0) nextNonce = null;
      }
    }
  };

  const kick = (): void => {
    draining ??= drain().finally(() => {
      draining = null;
      if (queue.length > 0 && !closed) kick();
    });
  };

  /** Everything confirmed at once is written at once: each write of the book waits for the disk. */
  const confirm = async (confirmed: readonly { entry: Underway; receipt: NodeReceipt }[]): Promise<void> => {
    if (confirmed.length === 0) return;
    const reasons = new Map<Underway, AppError>();
    for (const { entry, receipt } of confirmed) {
      if (!receipt.succeeded) reasons.set(entry, await reasonOf(entry));
    }
    ledger.transaction(() => {
      for (const { entry, receipt } of confirmed) {
        for (const { txHash } of entry.attempts) {
          if (txHash !== receipt.txHash) ledger.outgoing.setState(txHash, 'replaced');
        }
        const reason = reasons.get(entry);
        ledger.outgoing.setState(receipt.txHash, reason ? 'reverted' : 'mined', {
          block: receipt.block,
          ...(reason ? { error: JSON.stringify(reason) } : {}),
        });
      }
    });
    for (const { entry, receipt } of confirmed) {
      const reason = reasons.get(entry);
      if (reason) settle(entry, (waiting) => waiting.failed(reason));
      else {
        const whole = await parts.receiptOf(receipt);
        settle(entry, (waiting) => waiting.done(whole));
      }
    }
  };

  /** Why a mined transaction failed, by doing it again without a transaction. */
  const reasonOf = async ({ attempts }: Underway): Promise<AppError> => {
    const transaction = attempts[0] && readTransaction(attempts[0].raw);
    try {
      if (transaction) {
        const { to, data, value } = transaction;
        await rpc.call('eth_call', [{ from, to, data, value: toHexQuantity(value) }, 'latest']);
      }
    } catch (thrown) {
      const error = explain(thrown, transaction?.to);
      if (error.code !== 'network-down') return error;
    }
    return new AppError('reverted', 'The contract refused this at the moment it was mined.', {
      next: 'Look at where it stands now and try again.',
    });
  };

  const replaceSlow = async (): Promise<void> => {
    const now = clock.monotonicMs();
    const slow = [...underway.values()].filter((entry) => now - entry.sentAtMs > replaceAfterMs);
    if (slow.length === 0) return;
    const used = toQuantity(await rpc.call('eth_getTransactionCount', [from, 'latest']), 'eth_getTransactionCount');
    const price = await currentFees();
    for (const entry of slow.toSorted((a, b) => a.nonce - b.nonce)) {
      entry.sentAtMs = now;
      const last = entry.attempts.at(-1);
      if (!last) continue;
      if (entry.nonce < used) {
        await lost(entry);
        continue;
      }
      const raised = last.maxFeePerGas < price.maxFeePerGas ? raiseFees(last, price, feeCap) : null;
      if (raised) await replace(entry, last, raised);
      else await broadcast(entry.attempts);
    }
  };

  /** The nonce is used and none of our attempts has a receipt: the wallet is used elsewhere too. */
  const lost = async (entry: Underway): Promise<void> => {
    const receipts = await receiptsOf(
      rpc,
      entry.attempts.map(({ txHash }) => txHash),
    );
    if (receipts.size > 0) return;
    const error = new AppError('conflict', 'Another transaction of this wallet took the place of this one.', {
      next: 'Use a wallet in one place only, and try again.',
    });
    ledger.transaction(() => {
      for (const { txHash } of entry.attempts) ledger.outgoing.setState(txHash, 'failed', { error: error.message });
    });
    nextNonce = null;
    settle(entry, (waiting) => waiting.failed(error));
  };

  const replace = async (entry: Underway, last: OutgoingTransaction, raised: Fees): Promise<void> => {
    const before = readTransaction(last.raw);
    if (!before) return;
    const raw = await signer.signTransaction({ ...before, ...raised });
    const at = clock.now();
    const row: OutgoingTransaction = {
      ...last,
      ...raised,
      raw,
      txHash: keccak256(raw) as Bytes32,
      attempt: Math.max(...entry.attempts.map(({ attempt }) => attempt)) + 1,
      createdAt: at,
      updatedAt: at,
    };
    ledger.outgoing.put(row);
    track(row, null);
    await broadcast([row]);
  };

  const look = async (): Promise<void> => {
    const indexed = parts.indexedBlock();
    const entries = [...underway.values()].toSorted((a, b) => a.nonce - b.nonce).slice(0, RECEIPTS_TOGETHER);
    const receipts = await receiptsOf(
      rpc,
      entries.flatMap(({ attempts }) => attempts.map(({ txHash }) => txHash)),
    );
    const confirmed: { entry: Underway; receipt: NodeReceipt }[] = [];
    for (const entry of entries) {
      const mined = entry.attempts.map(({ txHash }) => receipts.get(txHash)).find((receipt) => receipt !== undefined);
      // Its logs must be in index.db too, so that whoever waited sees its effect there.
      if (mined && indexed >= mined.block + profile.confirmations) confirmed.push({ entry, receipt: mined });
      else if (mined) entry.sentAtMs = clock.monotonicMs();
    }
    await confirm(confirmed);
    await replaceSlow();
  };

  const onHead = async (): Promise<void> => {
    lookAgain = true;
    looking ??= (async () => {
      while (lookAgain && underway.size > 0 && !closed) {
        lookAgain = false;
        await look();
      }
    })().finally(() => {
      looking = null;
    });
    await looking;
  };

  const enqueue = (call: Call, commandId: string): Promise<Receipt> =>
    new Promise((done, failed) => {
      queue.push({ call, commandId, done, failed });
      kick();
    });

  /** A command of an earlier life: its outcome, or joining what is still under way. */
  const known = async (row: OutgoingTransaction): Promise<Receipt> => {
    if (row.state === 'mined') {
      const receipt = (await receiptsOf(rpc, [row.txHash])).get(row.txHash);
      if (receipt) return parts.receiptOf(receipt);
    }
    if (row.state === 'reverted') throw storedError(row.error);
    return new Promise((done, failed) => {
      if (!underway.has(row.nonce)) track(row, null);
      const entry = underway.get(row.nonce);
      if (entry) entry.waiting = { done, failed };
      void onHead().catch(() => undefined);
    });
  };

  return {
    get underway() {
      return underway.size;
    },
    send(call, { commandId, signal }) {
      let promise = promises.get(commandId);
      if (!promise) {
        const row = ledger.outgoing.byCommand(commandId);
        promise = (row && row.state !== 'failed' ? known(row) : enqueue(call, commandId)).finally(() => {
          promises.delete(commandId);
        });
        promises.set(commandId, promise);
        promise.catch(() => undefined);
      }
      return signal ? untilAborted(promise, signal) : promise;
    },
    async resume() {
      for (const row of ledger.outgoing.pending(chainId, from)) {
        const entry = underway.get(row.nonce);
        if (!entry?.attempts.some(({ txHash }) => txHash === row.txHash)) track(row, null);
      }
      const rows = [...underway.values()].toSorted((a, b) => a.nonce - b.nonce).flatMap(({ attempts }) => attempts);
      await broadcast(rows);
      await onHead();
    },
    onHead,
    close() {
      closed = true;
      const error = new AppError('cancelled', 'Commonwatt is closing; what was sent stays sent.');
      for (const waiting of queue.splice(0)) waiting.failed(error);
      for (const entry of underway.values()) entry.waiting?.failed(error);
      emptied?.();
    },
  };
}

/** The node has it already, in its pool or in a block: receipts will tell. */
const isKnown = (error: RpcError): boolean =>
  /already (known|imported|exists)|known transaction|nonce too low|replacement transaction underpriced/i.test(
    error.message,
  );

function storedError(text: string | null): AppError {
  const fallback = new AppError('reverted', 'The contract refused this.');
  if (text === null) return fallback;
  try {
    const { code, message, field, next } = JSON.parse(text) as ReturnType<AppError['toJSON']>;
    return new AppError(code, message, {
      ...(field === undefined ? {} : { field }),
      ...(next === undefined ? {} : { next }),
    });
  } catch {
    return fallback;
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(toAppError(signal.reason));
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
