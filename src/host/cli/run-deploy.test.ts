import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Wallet } from 'ethers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findAnvil, startAnvil, type AnvilProcess } from '../../chain/practice/anvil-process.ts';
import { loadProfiles } from '../../chain/profile.ts';
import { networksFiles } from '../networks-file.ts';
import { deployWith } from './deploy-command.ts';
import { runCommand } from './run-command.ts';
import { runDeploy } from './run-deploy.ts';

const CHAIN_ID = 616_161;
const wallet = new Wallet(`0x${'6b'.repeat(32)}`);

let folder: string;
let anvil: AnvilProcess;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'commonwatt-deploy-'));
  writeFileSync(path.join(folder, 'key'), `${wallet.privateKey}\n`);
  anvil = await startAnvil({ binary: findAnvil(), chainId: CHAIN_ID });
  await anvil.rpc.call('evm_setAutomine', [true]);
  await anvil.rpc.call('anvil_setBalance', [wallet.address, '0x3635c9adc5dea00000']);
});
afterEach(async () => {
  await anvil.stop();
  rmSync(folder, { recursive: true });
});

async function deploy(...args: string[]): Promise<{ code: number; out: string; said: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const [out, said] = [text(stdout), text(stderr)];
  const code = await runCommand(['deploy', ...args, '--data-dir', folder], [deployWith(runDeploy)], {
    stdout,
    stderr,
    env: {},
    platform: process.platform,
    signal: new AbortController().signal,
  });
  stdout.end();
  stderr.end();
  return { code, out: await out, said: await said };
}
const key = () => ['--private-key-file', path.join(folder, 'key')];

test('a dry run names every contract with its cost, and sends and writes nothing', async () => {
  const { code, out } = await deploy('--network', 'mine', '--rpc', anvil.url, '--dry-run');
  expect(code).toBe(0);
  for (const contract of ['AccessManager', 'Vault', 'Rentals', 'Stakes', 'StakeGovernor']) {
    expect(out).toMatch(new RegExp(`deploy ${contract} +\\d{6,7} gas +0\\.\\d+ ETH`));
  }
  expect(out).toContain('Nothing was sent.');
  expect(await anvil.rpc.call('eth_blockNumber', [])).toBe('0x0');
  expect(() => statSync(path.join(folder, 'networks.json'))).toThrow('ENOENT');
}, 60_000);

test('deploys, writes the profile beside what was there, and needs no --rpc the second time', async () => {
  const own = path.join(folder, 'networks.json');
  const place = `0x${'12'.repeat(20)}`;
  const contracts = { vault: place, offers: place, rentals: place, deployedAt: 1 };
  const other = { chainId: 5, rpcUrls: ['http://127.0.0.1:9'], contracts };
  writeFileSync(own, JSON.stringify({ about: 'mine', networks: { other } }));
  const told = ['--network', 'mine', ...key()];
  const first = await deploy(...told, '--rpc', anvil.url, '--confirmations', '1');
  expect(first).toMatchObject({ code: 0, out: expect.stringContaining('Sizes and wiring are right.') as string });
  expect(JSON.parse(readFileSync(own, 'utf8'))).toMatchObject({ about: 'mine', networks: { other } });
  const profile = loadProfiles(networksFiles(folder)).get('mine');
  expect(profile).toMatchObject({ chainId: CHAIN_ID, rpcUrls: [anvil.url], confirmations: 1, practice: false });
  expect(profile?.tokens.map(({ symbol }) => symbol)).toEqual(['ETH', 'WATT']);

  const second = await deploy(...told, '--json');
  expect(JSON.parse(second.out)).toMatchObject({ cost: '0', profile });
  expect(second.said).not.toContain(' gas,');
}, 60_000);

test.each([
  [[], 'bad-input', '--network'],
  [['--network', 'practice'], 'bad-input', '--network'],
  [['--network', 'mine'], 'bad-input', '--rpc'],
  [['--network', 'mine', '--rpc', 'ftp://x'], 'bad-input', '--rpc'],
  [['--network', 'mine', '--rpc', 'http://127.0.0.1:9'], 'network-down', '--rpc'],
])('%j is refused: %s, %s', async (args, code, field) => {
  const { out } = await deploy(...args, ...key(), '--json');
  expect(JSON.parse(out)).toMatchObject({ error: { code, field } });
});

test('what is no key, and no address, is said without repeating it', async () => {
  writeFileSync(path.join(folder, 'key'), 'not a key');
  const told = ['--network', 'mine', '--rpc', anvil.url, ...key()];
  const { code, said } = await deploy(...told);
  expect([code, said]).toEqual([2, expect.stringContaining('That is not a private key.')]);
  expect(said).not.toContain('not a key\n');
  writeFileSync(path.join(folder, 'key'), wallet.privateKey);
  expect(await deploy(...told, '--treasury', '0x12')).toMatchObject({ code: 2 });
});
