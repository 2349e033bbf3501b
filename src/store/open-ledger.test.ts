import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Deal, Ledger, Movement, OutgoingTransaction } from './ledger.ts';
import { LEDGER_STEPS } from './ledger-schema.ts';
import { openLedger } from './open-ledger.ts';

let folder: string;
let ledger: Ledger;
let now = 1000;
const file = () => path.join(folder, 'ledger.db');
const b32 = (byte: string): Bytes32 => `0x${byte.repeat(32)}`;
const account = (byte: string): Address => `0x${byte.repeat(20)}`;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ledger-'));
  now = 1000;
  ledger = openLedger(file(), () => now);
});
afterEach(() => {
  ledger.close();
  rmSync(folder, { recursive: true });
});

const deal = (leaseId: Bytes32, change: Partial<Deal> = {}): Deal => ({
  leaseId,
  role: 'renter',
  offerId: b32('0a'),
  terms: {
    offerId: b32('0a'),
    offerVersion: 1,
    renter: account('01'),
    provider: account('02'),
    signer: account('03'),
    providerSigner: account('04'),
    witness: account('00'),
    token: account('00'),
    price: 2n ** 100n,
    unit: 3600,
    minSeconds: 60,
    endsBy: 9999,
    feeBps: 250,
    specHash: b32('0b'),
    salt: b32('0c'),
  },
  spec: { image: 'busybox', env: {}, ports: [8080], diskBytes: 1 << 28, internet: true },
  phase: 'opening',
  detail: '',
  capSeconds: 600,
  servedSeconds: 0,
  signedSeconds: 0,
  voucherSignature: null,
  final: null,
  paidSeconds: 0,
  openedAt: null,
  closedAt: null,
  closeReason: null,
  settlement: null,
  createdAt: 1000,
  updatedAt: 1000,
  ...change,
});

const outgoing = (change: Partial<OutgoingTransaction>): OutgoingTransaction => ({
  commandId: 'command-1',
  chainId: 1,
  from: account('01'),
  nonce: 0,
  attempt: 0,
  label: 'rent',
  txHash: b32('aa'),
  raw: '0x02',
  maxFeePerGas: 10n,
  maxPriorityFeePerGas: 1n,
  state: 'stored',
  block: null,
  error: null,
  createdAt: 1,
  updatedAt: 1,
  ...change,
});

describe('deals', () => {
  test('come back whole after reopening, bigints and all', () => {
    const before = ledger.deals.put(deal(b32('11')));
    now = 1001;
    const after = ledger.deals.update(b32('11'), 'renter', {
      phase: 'closed',
      final: { secs: 61, deadline: 2000, renterSignature: '0x01', providerSignature: null },
      settlement: { seconds: 61, paid: 2n ** 90n, fee: 1n, penalty: 0n, refund: 7n, txHash: b32('cc') },
    });
    expect(after.updatedAt).toBe(1001);
    expect(after.terms).toEqual(before.terms);
    ledger.close();
    ledger = openLedger(file(), () => now);
    expect(ledger.deals.get(b32('11'), 'renter')).toEqual(after);
    expect(ledger.deals.get(b32('11'), 'provider')).toBeNull();
  });

  test('one row per lease and role; putting again changes nothing', () => {
    ledger.deals.put(deal(b32('11'), { detail: 'first' }));
    expect(ledger.deals.put(deal(b32('11'), { detail: 'second' })).detail).toBe('first');
    ledger.deals.put(deal(b32('11'), { role: 'provider', createdAt: 1500 }));
    expect(ledger.deals.list().map((row) => row.role)).toEqual(['provider', 'renter']);
    ledger.deals.update(b32('11'), 'provider', { phase: 'closed' });
    expect(ledger.deals.list({ open: true }).map((row) => row.role)).toEqual(['renter']);
    expect(() => ledger.deals.update(b32('99'), 'renter', {})).toThrow(AppError);
  });
});

const movement = (change: Partial<Movement>): Movement => ({
  chainId: 1,
  txHash: b32('aa'),
  logIndex: 0,
  account: account('01'),
  token: account('00'),
  amount: 5n,
  kind: 'earned',
  leaseId: b32('11'),
  jobId: null,
  dealId: null,
  block: 7,
  at: 100,
  ...change,
});

describe('movements', () => {
  test('are booked once and add up beyond 64 bits', () => {
    expect(ledger.movements.book(movement({ amount: 2n ** 80n }))).toBe(true);
    expect(ledger.movements.book(movement({ amount: 2n ** 80n }))).toBe(false);
    expect(ledger.movements.book(movement({ kind: 'refund', amount: 3n }))).toBe(true);
    expect(ledger.movements.book(movement({ logIndex: 1, amount: -1n, at: 200 }))).toBe(true);
    expect(ledger.movements.sum({ chainId: 1, account: account('01') })).toEqual(
      new Map([[account('00'), 2n ** 80n + 2n]]),
    );
    expect(ledger.movements.sum({ chainId: 1, account: account('01'), kinds: ['earned'], sinceAt: 150 })).toEqual(
      new Map([[account('00'), -1n]]),
    );
    expect(ledger.movements.sum({ chainId: 2, account: account('01') })).toEqual(new Map());
    expect(ledger.movements.list({ chainId: 1, leaseId: b32('11') })).toHaveLength(3);
    const ofJobs = () => ledger.movements.sumOfJobs({ chainId: 1, account: account('01'), kinds: ['earned', 'fee'] });
    expect(ofJobs()).toEqual(new Map());
    ledger.movements.book(movement({ logIndex: 2, leaseId: null, jobId: b32('22'), amount: 40n }));
    ledger.movements.book(movement({ logIndex: 2, leaseId: null, jobId: b32('22'), amount: -1n, kind: 'fee' }));
    ledger.movements.book(movement({ logIndex: 3, leaseId: null, jobId: b32('22'), amount: 9n, kind: 'refund' }));
    expect(ofJobs()).toEqual(new Map([[account('00'), 39n]]));
  });
});

describe('outgoing transactions', () => {
  test('a command cannot be stored twice, nor two commands on one nonce', () => {
    ledger.outgoing.put(outgoing({}));
    expect(() => ledger.outgoing.put(outgoing({ txHash: b32('bb'), nonce: 1 }))).toThrow(/UNIQUE/);
    expect(() => ledger.outgoing.put(outgoing({ txHash: b32('bb'), commandId: 'command-2' }))).toThrow(/UNIQUE/);
    ledger.outgoing.put(outgoing({ txHash: b32('bb'), attempt: 1, maxFeePerGas: 12n }));
    expect(ledger.outgoing.byCommand('command-1')?.txHash).toBe(b32('bb'));
    ledger.outgoing.setState(b32('aa'), 'mined', { block: 3 });
    expect(ledger.outgoing.byCommand('command-1')).toMatchObject({ txHash: b32('aa'), block: 3 });
  });

  test('what no node took gives its command and nonce back', () => {
    ledger.outgoing.put(outgoing({}));
    ledger.outgoing.setState(b32('aa'), 'failed', { error: 'no funds' });
    expect(ledger.outgoing.lastNonce(1, account('01'))).toBeNull();
    ledger.outgoing.put(outgoing({ txHash: b32('bb') }));
    expect(ledger.outgoing.pending(1, account('01')).map((row) => row.txHash)).toEqual([b32('bb')]);
    expect(ledger.outgoing.byCommand('command-1')?.txHash).toBe(b32('bb'));
  });
});

describe('commands', () => {
  test('run once, also while running, and answer the same after a restart', async () => {
    let runs = 0;
    const act = async () => {
      runs += 1;
      await Promise.resolve();
      return { runs };
    };
    const [a, b] = await Promise.all([
      ledger.commands.once('command-1', 'rent', act),
      ledger.commands.once('command-1', 'rent', act),
    ]);
    expect([a, b]).toEqual([{ runs: 1 }, { runs: 1 }]);
    ledger.close();
    ledger = openLedger(file(), () => now);
    expect(await ledger.commands.once('command-1', 'rent', act)).toEqual({ runs: 1 });
    await expect(ledger.commands.once('command-1', 'deposit', act)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('a failure is not kept', async () => {
    await expect(ledger.commands.once('command-2', 'rent', () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    );
    expect(await ledger.commands.once('command-2', 'rent', () => Promise.resolve(1))).toBe(1);
  });
});

describe('the rest of the book', () => {
  test('a transaction writes all or nothing', () => {
    expect(() =>
      ledger.transaction(() => {
        ledger.settings.set('a', 1);
        ledger.deals.put(deal(b32('11')));
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(ledger.settings.get('a')).toBeUndefined();
    expect(ledger.deals.list()).toEqual([]);
  });

  test('settings, own offers, cursors and notifications', () => {
    ledger.settings.set('theme', { dark: true });
    expect(ledger.settings.get('theme')).toEqual({ dark: true });
    ledger.settings.remove('theme');
    expect(ledger.settings.get('theme')).toBeUndefined();
    ledger.offers.put({ key: 'main', offerId: null, sharing: true, params: { price: '5' } });
    ledger.offers.put({ key: 'main', offerId: b32('0a'), sharing: false, params: {} });
    expect(ledger.offers.list()).toEqual([
      { key: 'main', offerId: b32('0a'), sharing: false, params: {}, updatedAt: 1000 },
    ]);
    ledger.cursors.set(1, account('01'), 9);
    expect(ledger.cursors.get(1, account('01'))).toBe(9);
    for (let at = 0; at < 1010; at += 1) {
      ledger.notifications.add({ id: `n${at}`, at, level: 'info', title: 't', body: '', leaseId: null });
    }
    expect(ledger.notifications.list(1)[0]?.id).toBe('n1009');
    expect(ledger.notifications.list(5000)).toHaveLength(1000);
  });

  test('a book from before there were jobs keeps its money and learns about them', () => {
    ledger.close();
    rmSync(file());
    const old = new Database(file());
    old.exec(LEDGER_STEPS[0] ?? '');
    old.pragma('user_version = 1');
    const { jobId: _job, dealId: _deal, amount, ...rest } = movement({});
    old
      .prepare(
        `INSERT INTO movements VALUES (:chainId, :txHash, :logIndex, :account, :kind, :token, :amount, :leaseId, :block, :at)`,
      )
      .run({ ...rest, amount: `${amount}` });
    old.exec(`INSERT INTO notifications VALUES ('n', 5, 'info', 'old', '', NULL)`);
    old.close();
    ledger = openLedger(file(), () => now);
    expect(ledger.movements.list({ chainId: 1 })).toEqual([movement({})]);
    expect(ledger.notifications.list()).toEqual([
      { id: 'n', at: 5, level: 'info', title: 'old', body: '', leaseId: null, taskId: null, dealId: null },
    ]);
    expect(ledger.movements.book(movement({ logIndex: 1, leaseId: null, jobId: b32('77'), dealId: b32('78') }))).toBe(
      true,
    );
    expect(ledger.movements.list({ chainId: 1, jobId: b32('77') })).toHaveLength(1);
    expect(ledger.tasks.list().rows).toEqual([]);
  });

  test('a book written by a newer version is left alone', () => {
    ledger.close();
    const raw = new Database(file());
    const version = Number(raw.pragma('user_version', { simple: true }));
    raw.pragma('user_version = 99');
    raw.close();
    expect(() => openLedger(file(), () => now)).toThrow(/newer Commonwatt/);
    const back = new Database(file());
    back.pragma(`user_version = ${version}`);
    back.close();
    ledger = openLedger(file(), () => now);
  });
});
