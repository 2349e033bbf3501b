import { rmSync } from 'node:fs';
import path from 'node:path';
import { Wallet } from 'ethers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import type { Address } from '../shared/ids.ts';
import { silentLog } from '../shared/log.ts';
import { systemClock } from '../shared/time.ts';
import type { Ledger } from '../store/ledger.ts';
import { openLedger } from '../store/open-ledger.ts';
import { makeCalls } from './calls.ts';
import type { Call, TransactionSigner } from './chain.ts';
import { allOf, planDeployment } from './deploy-market.ts';
import { findAnvil, startAnvil } from './practice/anvil-process.ts';
import type { AnvilProcess } from './practice/anvil-process.ts';
import { ETH_TOKEN } from './profile.ts';
import type { NetworkProfile } from './profile.ts';
import { createRpc, RpcError, toQuantity } from './rpc.ts';
import type { Rpc } from './rpc.ts';
import { createSendQueue } from './send-queue.ts';
import type { SendQueue } from './send-queue.ts';
import { transactionSignerOf, testFolder } from './testing-host.ts';

const CHAIN_ID = 777;
const wallet = new Wallet(`0x${'77'.repeat(32)}`);
const account = wallet.address.toLowerCase() as Address;
const someone: Address = `0x${'12'.repeat(20)}`;
let anvil: AnvilProcess;
let folder: string;
let ledger: Ledger;
let profile: NetworkProfile;
let head = 0;
const queues: SendQueue[] = [];

const rpc = (method: string, ...params: unknown[]) => anvil.rpc.call(method, params);
const openBook = () => openLedger(path.join(folder, 'ledger.db'), systemClock.now);

function makeQueue(options: { rpc?: Rpc; signer?: TransactionSigner; replaceAfterMs?: number } = {}): SendQueue {
  const queue = createSendQueue({
    profile,
    rpc: options.rpc ?? anvil.rpc,
    ledger,
    signer: options.signer ?? transactionSignerOf(wallet),
    clock: systemClock,
    log: silentLog,
    indexedBlock: () => head,
    receiptOf: ({ succeeded: _succeeded, ...receipt }) => Promise.resolve({ ...receipt, at: 0, events: [] }),
    ...(options.replaceAfterMs === undefined ? {} : { replaceAfterMs: options.replaceAfterMs }),
  });
  queues.push(queue);
  return queue;
}

async function mine(): Promise<void> {
  await rpc('evm_mine');
  head = toQuantity(await rpc('eth_blockNumber'), 'head');
  for (const queue of queues) await queue.onHead();
}

async function pooled(count: number): Promise<void> {
  await expect
    .poll(
      async () => {
        const { pending, queued } = (await rpc('txpool_status')) as { pending: string; queued: string };
        return Number(pending) + Number(queued);
      },
      { interval: 5, timeout: 5000 },
    )
    .toBe(count);
}

const sentCount = async () => toQuantity(await rpc('eth_getTransactionCount', account, 'latest'), 'nonce');
const pay = (value: bigint): Call => ({ to: someone, data: '0x', value, label: 'pay', gasLimit: 21_000n });

beforeEach(async () => {
  folder = testFolder();
  ledger = openBook();
  anvil = await startAnvil({ binary: findAnvil(), chainId: CHAIN_ID });
  await rpc('anvil_setBalance', account, '0xde0b6b3a7640000');
  const { at } = planDeployment({ admin: account, treasury: account }, { practice: false });
  profile = {
    name: 'test',
    chainId: CHAIN_ID,
    rpcUrls: [anvil.url],
    contracts: { vault: at.Vault, offers: at.Offers, rentals: at.Rentals, deployedAt: 1 },
    tokens: [ETH_TOKEN],
    confirmations: 0,
    pollMs: 20,
    explorer: null,
    peers: { bootstrap: [], relays: [] },
    faucet: null,
    practice: false,
  };
  head = 0;
});

afterEach(async () => {
  for (const queue of queues.splice(0)) queue.close();
  await anvil.stop();
  ledger.close();
  rmSync(folder, { recursive: true });
});

describe('sending', () => {
  test('a command is sent once, however often it is asked for', async () => {
    const queue = makeQueue();
    const both = [queue.send(pay(1n), { commandId: 'one' }), queue.send(pay(1n), { commandId: 'one' })];
    await pooled(1);
    await mine();
    const [first, second] = await Promise.all(both);
    expect(first).toEqual(second);
    expect(await queue.send(pay(1n), { commandId: 'one' })).toEqual(first);
    expect(await sentCount()).toBe(1);
  });

  test('a transaction that a node forgot is sent again after a restart, and not twice', async () => {
    const dying = makeQueue();
    dying.send(pay(1n), { commandId: 'forgotten' }).catch(() => undefined);
    await pooled(1);
    queues.splice(0);
    await rpc('anvil_dropTransaction', ledger.outgoing.byCommand('forgotten')?.txHash);
    await pooled(0);
    ledger.close();
    ledger = openBook();
    const queue = makeQueue();
    await queue.resume();
    await pooled(1);
    const again = queue.send(pay(1n), { commandId: 'forgotten' });
    await mine();
    expect((await again).block).toBe(1);
    expect(await sentCount()).toBe(1);
    dying.close();
  });

  test('killed between storing and sending: stored is sent', async () => {
    const cut: Rpc = {
      call: (method, params, options) => anvil.rpc.call(method, params, options),
      batch: (requests, options) =>
        requests.some(({ method }) => method === 'eth_sendRawTransaction')
          ? Promise.reject(new AppError('network-down', 'cut'))
          : anvil.rpc.batch(requests, options),
    };
    const dying = makeQueue({ rpc: cut });
    dying.send(pay(1n), { commandId: 'cut' }).catch(() => undefined);
    await expect.poll(() => ledger.outgoing.byCommand('cut')?.state, { interval: 5 }).toBe('stored');
    queues.splice(0);
    dying.close();
    const queue = makeQueue();
    await queue.resume();
    await pooled(1);
    const sent = queue.send(pay(1n), { commandId: 'cut' });
    await mine();
    await sent;
    expect(await sentCount()).toBe(1);
  });

  test('one that pays too little is replaced with a higher fee', async () => {
    const queue = makeQueue({ replaceAfterMs: 0 });
    const sent = queue.send(pay(1n), { commandId: 'cheap' });
    await pooled(1);
    const cheap = ledger.outgoing.byCommand('cheap');
    await rpc('anvil_setNextBlockBaseFeePerGas', '0x2540be400');
    await rpc('evm_mine');
    head = 1;
    await expect
      .poll(
        async () => {
          await queue.onHead();
          return ledger.outgoing.byCommand('cheap')?.attempt;
        },
        { interval: 50, timeout: 5000 },
      )
      .toBe(1);
    await mine();
    const receipt = await sent;
    expect(receipt.txHash).not.toBe(cheap?.txHash);
    expect(ledger.outgoing.byNonce(CHAIN_ID, account, 0).map(({ state }) => state)).toEqual(['replaced', 'mined']);
    expect(await sentCount()).toBe(1);
  }, 20_000);

  test('a nonce that no node took is used again, so nothing behind it waits for ever', async () => {
    const queue = makeQueue();
    const sent = [
      queue.send(pay(1n), { commandId: 'a' }),
      queue.send(pay(10n ** 20n), { commandId: 'too-much' }),
      queue.send(pay(3n), { commandId: 'c' }),
    ];
    const outcomes = Promise.allSettled(sent);
    await expect(sent[1]).rejects.toMatchObject({ code: 'insufficient-funds' });
    await pooled(3);
    await mine();
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await sentCount()).toBe(3);
    const next = queue.send(pay(4n), { commandId: 'too-much' });
    await pooled(1);
    await mine();
    await next;
    expect(await sentCount()).toBe(4);
  });

  test('a refusal on chain is the same answer for ever', async () => {
    const admin = transactionSignerOf(wallet);
    const transactions = allOf(planDeployment({ admin: account, treasury: account }, { practice: false }));
    for (const [nonce, { to, data, gasLimit }] of transactions.entries()) {
      const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n };
      await rpc(
        'eth_sendRawTransaction',
        await wallet.signTransaction({ type: 2, chainId: CHAIN_ID, nonce, to, data, gasLimit, ...fees }),
      );
    }
    await mine();
    const calls = makeCalls(profile.contracts);
    const queue = makeQueue({ signer: admin });
    // Behind another one, so that it is sent without being tried first.
    const first = queue.send(pay(1n), { commandId: 'first' });
    const withdraw = { ...calls.withdraw(ETH, account, 5n), gasLimit: 200_000n };
    const refused = queue.send(withdraw, { commandId: 'refused' });
    refused.catch(() => undefined);
    await pooled(2);
    await mine();
    await first;
    const answer = {
      code: 'insufficient-funds',
      message: 'The deposit account holds 0 ETH; 0.000000000000000005 ETH are needed.',
    };
    await expect(refused).rejects.toMatchObject(answer);
    await expect(queue.send(withdraw, { commandId: 'refused' })).rejects.toMatchObject(answer);
    // Alone it is tried first and costs nothing.
    const before = await sentCount();
    await expect(queue.send(withdraw, { commandId: 'refused-2' })).rejects.toMatchObject(answer);
    expect(await sentCount()).toBe(before);
  });

  test('a wallet used elsewhere at the same time is noticed', async () => {
    const queue = makeQueue({ replaceAfterMs: 0 });
    const sent = queue.send(pay(1n), { commandId: 'mine' });
    sent.catch(() => undefined);
    await pooled(1);
    await rpc('anvil_dropTransaction', ledger.outgoing.byCommand('mine')?.txHash);
    const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n };
    await rpc(
      'eth_sendRawTransaction',
      await wallet.signTransaction({
        type: 2,
        chainId: CHAIN_ID,
        nonce: 0,
        to: someone,
        value: 9,
        gasLimit: 21_000,
        ...fees,
      }),
    );
    await mine();
    await expect
      .poll(
        async () => {
          await queue.onHead();
          return queue.underway;
        },
        { interval: 20 },
      )
      .toBe(0);
    await expect(sent).rejects.toMatchObject({ code: 'conflict' });
    const again = queue.send(pay(1n), { commandId: 'mine' });
    await pooled(1);
    await mine();
    await again;
  });

  test('a locked wallet, a wrong network and a cancelled wait', async () => {
    let locked = true;
    const signer: TransactionSigner = {
      address: account,
      signTransaction: (transaction) =>
        locked
          ? Promise.reject(new AppError('locked', 'The wallet is locked.'))
          : transactionSignerOf(wallet).signTransaction(transaction),
    };
    const queue = makeQueue({ signer });
    await expect(queue.send(pay(1n), { commandId: 'locked' })).rejects.toMatchObject({ code: 'locked' });
    locked = false;
    const stop = new AbortController();
    const waiting = queue.send(pay(1n), { commandId: 'locked', signal: stop.signal });
    await pooled(1);
    stop.abort(new AppError('cancelled', 'Cancelled.'));
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    const kept = queue.send(pay(1n), { commandId: 'locked' });
    await mine();
    await kept;
    expect(await sentCount()).toBe(1);
    const wrong = makeQueue({ rpc: createRpc({ urls: [anvil.url], chainId: 5 }) });
    await expect(wrong.send(pay(1n), { commandId: 'wrong' })).rejects.toMatchObject({ code: 'wrong-network' });
    const refusing: Rpc = { ...anvil.rpc, batch: () => Promise.reject(new RpcError(-32_000, 'no', undefined)) };
    await expect(makeQueue({ rpc: refusing }).send(pay(1n), { commandId: 'no' })).rejects.toMatchObject({
      code: 'network-down',
    });
  });
});
