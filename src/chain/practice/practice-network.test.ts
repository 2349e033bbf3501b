import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ETH } from '../../shared/ids.ts';
import type { Address } from '../../shared/ids.ts';
import { silentLog } from '../../shared/log.ts';
import { createRpc } from '../rpc.ts';
import { testFolder, testHost } from '../testing-host.ts';
import { findAnvil } from './anvil-process.ts';
import { openJournal, readJournal } from './journal.ts';
import { askFaucet, joinPractice, startPracticeNetwork } from './practice-network.ts';
import type { PracticeNetwork } from './practice-network.ts';

let dataDir: string;
const open: PracticeNetwork[] = [];
const someone: Address = `0x${'12'.repeat(20)}`;

async function start(): Promise<PracticeNetwork> {
  const network = await startPracticeNetwork({ dataDir, log: silentLog });
  open.push(network);
  return network;
}

beforeEach(() => {
  dataDir = testFolder();
});
afterEach(async () => {
  for (const network of open.splice(0)) await network.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const head = async ({ profile }: PracticeNetwork) => {
  const block = await createRpc({ urls: profile.rpcUrls, chainId: profile.chainId }).call('eth_getBlockByNumber', [
    'latest',
    false,
  ]);
  const { hash, number } = block as { hash: string; number: string };
  return { hash, number };
};

/** A process that runs the network, fills `someone`, says where the chain stands, and waits to be killed. */
const CHILD = `
const { startPracticeNetwork } = await import(process.argv[1]);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const network = await startPracticeNetwork({ dataDir: process.argv[2], log: silent });
for (let n = 0; n < 5; n += 1) await network.faucet(process.argv[3]);
const response = await fetch(network.rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getBlockByNumber', params: ['latest', false] }) });
console.log(JSON.stringify((await response.json()).result));
setInterval(() => {}, 1000);
`;

async function runAndKill(): Promise<{ hash: string; number: string }> {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', CHILD, new URL('./practice-network.ts', import.meta.url).href, dataDir, someone],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  child.kill('SIGKILL');
  await once(child, 'exit');
  return JSON.parse(line) as { hash: string; number: string };
}

describe('the practice network', () => {
  test('funds an account with any amount of its tokens, for its own host only', async () => {
    const network = await start();
    const host = await testHost(network.profile);
    const { watt = ETH } = network.profile.contracts;
    const dollar = network.profile.tokens.find(({ symbol }) => symbol === 'PUSD')?.address ?? ETH;
    try {
      for (const [token, amount] of [
        [ETH, 7n],
        [watt, 123_456n * 10n ** 18n],
        [dollar, 1n],
      ] as const) {
        await network.fund(someone, { token, amount });
        expect(await host.chain.reads.walletBalance(someone, token)).toBe(amount);
      }
      await expect(network.fund(someone, { token: someone, amount: 1n })).rejects.toMatchObject({
        code: 'unsupported',
      });
      const all = { token: watt, amount: 10n ** 27n };
      await expect(network.fund(someone, all)).rejects.toMatchObject({ code: 'insufficient-funds' });
      const asked = await fetch(`${network.rpcUrl}/fund`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ address: someone, token: ETH, amount: '1' }),
      });
      expect(asked.status).toBe(404);
      expect(await host.chain.reads.walletBalance(someone, ETH)).toBe(7n);
    } finally {
      await host.close();
    }
  }, 30_000);

  test('kill -9 loses nothing: the same block, the same money, twice', async () => {
    const first = await runAndKill();
    const network = await start();
    const { hash, number } = await head(network);
    expect([number, hash]).toEqual([first.number, first.hash]);
    const host = await testHost(network.profile);
    expect(await host.chain.reads.walletBalance(someone, ETH)).toBe(50n * 10n ** 18n);
    await host.close();
    await open.pop()?.close();
    const second = await runAndKill();
    const again = await start();
    expect((await head(again)).hash).toBe(second.hash);
    const other = await testHost(again.profile);
    expect(await other.chain.reads.walletBalance(someone, ETH)).toBe(100n * 10n ** 18n);
    expect(again.profile).toEqual(network.profile);
    await other.close();
  }, 60_000);

  test('a damaged dump and a torn journal cost nothing that was mined', async () => {
    const network = await start();
    await network.faucet(someone);
    await network.close();
    const again = await start();
    await again.faucet(someone);
    const before = await head(again);
    await again.close();
    const folder = path.join(dataDir, 'practice');
    const states = readdirSync(folder)
      .filter((file) => file.startsWith('state-'))
      .toSorted();
    expect(states).toHaveLength(2);
    writeFileSync(path.join(folder, states.at(-1) ?? ''), '{"half":');
    const third = await start();
    expect((await head(third)).hash).toBe(before.hash);
    const host = await testHost(third.profile);
    expect(await host.chain.reads.walletBalance(someone, ETH)).toBe(20n * 10n ** 18n);
    await host.close();
  }, 60_000);

  test('a second host needs only the URL; pages and foreign methods are refused', async () => {
    const network = await start();
    const profile = await joinPractice(network.rpcUrl);
    expect(profile).toEqual(network.profile);
    await askFaucet(profile, someone);
    await expect(askFaucet(profile, someone)).rejects.toMatchObject({ code: 'busy' });
    const post = (body: string, headers: Record<string, string> = {}) =>
      fetch(network.rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
    for (const method of [
      'anvil_setBalance',
      'evm_mine',
      'debug_traceTransaction',
      'eth_sendTransaction',
      'eth_accounts',
    ]) {
      const answer: unknown = await (await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] }))).json();
      expect(answer).toMatchObject({ error: { code: -32_601 } });
    }
    const chainId = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}';
    expect((await post(chainId, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await post(chainId, { 'content-type': 'text/plain' })).status).toBe(400);
    expect((await post('x')).status).toBe(400);
    expect((await post('"'.padEnd(5_000_000, 'x'))).status).toBe(400);
    expect(
      (
        await fetch(`${network.rpcUrl}/faucet`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"address":1}',
        })
      ).status,
    ).toBe(400);
    expect(await (await post('[]')).json()).toMatchObject({ error: { code: -32_600 } });
    expect(await (await post('[1, null]')).json()).toHaveLength(2);
    await expect(joinPractice('http://127.0.0.1:1')).rejects.toMatchObject({ code: 'network-down', field: 'rpc' });
  }, 30_000);

  test('a missing node is said with its fix', () => {
    expect(() => findAnvil({ COMMONWATT_ANVIL: '/nowhere/anvil' })).toThrow(/COMMONWATT_ANVIL/);
  });
});

describe('the journal', () => {
  test('goes on behind the last whole record', async () => {
    const file = path.join(dataDir, 'journal.jsonl');
    const journal = openJournal(file);
    await journal.append({ block: 1, at: 10, txs: ['0x01'] });
    journal.close();
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"block":2,"at":1`);
    expect(readJournal(file)).toHaveLength(1);
    const again = openJournal(file);
    await again.append({ block: 2, at: 11, txs: [] });
    again.close();
    expect(readJournal(file)).toEqual([
      { block: 1, at: 10, txs: ['0x01'] },
      { block: 2, at: 11, txs: [] },
    ]);
  });
});
