/** Every kind of job from submission to payment, between real hosts, on a real chain, in real containers. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openContentStore } from '../src/content/open-content-store.ts';
import type { ContentStore } from '../src/content/content-store.ts';
import { serveGateway } from '../src/content/serve-blocks.ts';
import type { Job } from '../src/api/contract.ts';
import type { SpawnedHost } from '../src/host/spawned-host.ts';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import { ECHO } from '../src/runtime/child/tiny-wasm.ts';
import type { Bytes32 } from '../src/shared/ids.ts';
import { silentLog } from '../src/shared/log.ts';
import { systemClock } from '../src/shared/time.ts';
import { GIB, MIB } from '../src/shared/units.ts';
import { describeUnless } from './support/describe-unless.ts';
import { TestMarket, anvilMissing, engineMissing } from './support/market.ts';
import {
  RawParty,
  WATT,
  depositWatt,
  dockerLeftovers,
  isOver,
  ledgerIsChain,
  resultText,
  submit,
  untilJob,
  upload,
  worksFor,
} from './support/job-market.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** In the container: the hash of every input file, by name. */
const HASHES = 'cd /job/in && find . -type f | sort | xargs sha256sum > /job/out/hashes && echo done';

describeUnless(engineMissing() ?? anvilMissing(), 'jobs', () => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'commonwatt-jobs-'));
  let market: TestMarket;
  let provider: SpawnedHost;
  let renter: SpawnedHost;
  let raw: RawParty;
  let shelf: ContentStore;
  const gateway = { url: '', answered: 0, spoiled: 0 };
  const server = http.createServer((request, response) => void answer(request.url ?? '', response));

  /** A gateway as the path-style ones are, of which one answer in fifty is wrong in one bit. */
  async function answer(url: string, response: http.ServerResponse): Promise<void> {
    const block = await serveGateway(shelf, () => true)(url.split('/')[2]?.split('?')[0] ?? '');
    if (!block) return void response.writeHead(404).end();
    gateway.answered += 1;
    const bytes = Uint8Array.from(block);
    if (gateway.answered % 50 === 7) {
      gateway.spoiled += 1;
      const at = Math.floor(bytes.length / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    }
    response.end(bytes);
  }

  beforeAll(async () => {
    shelf = await openContentStore({
      dir: path.join(scratch, 'shelf'),
      limitBytes: () => GIB,
      log: silentLog,
      clock: systemClock,
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    gateway.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    market = await TestMarket.open();
    [provider, renter, raw] = await Promise.all([
      market.host('provider', { COMMONWATT_IPFS_GATEWAYS: gateway.url }),
      market.host('renter'),
      RawParty.open(market.joinUrl),
    ]);
    await worksFor(market, provider, renter);
    await depositWatt(renter, 100n * WATT);
  });
  afterAll(async () => {
    await raw?.close();
    await market?.close();
    server.close();
    await shelf?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** Files of a folder, by the name that `HASHES` gives them. */
  const randomFolder = (name: string, files: readonly [string, number][]) => {
    const folder = path.join(scratch, name);
    const hashes = files.map(([file, size]) => {
      const bytes = randomBytes(size);
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), bytes);
      return `${sha256(bytes)}  ./${name}/${file}`;
    });
    return { folder, hashes: hashes.toSorted((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join('\n') };
  };

  /** Paid once, by the bounty, and both sides' books say what the chain says. */
  const paidOnce = async (job: Job): Promise<void> => {
    expect(job).toMatchObject({ status: 'verified', resultHere: true, paid: job.bounty, refund: '0', attempts: 1 });
    const dealId = job.runs[0]?.dealId as Bytes32;
    await raw.until(() => raw.chain.jobDeal(dealId)?.state === 'verified');
    const deal = raw.chain.jobDeal(dealId);
    const { feeBps } = await raw.chain.reads.jobRequirements();
    expect(deal).toMatchObject({
      paid: BigInt(job.bounty),
      fee: (BigInt(job.bounty) * BigInt(feeBps)) / 10_000n,
      refund: 0n,
      forfeit: 0n,
    });
    expect(raw.chain.jobDeals(job.jobId as Bytes32)).toHaveLength(1);
    await expect.poll(async () => (await provider.client.work.status()).recent[0]?.dealId).toBe(dealId);
    const [run] = (await provider.client.work.status()).recent;
    expect(run).toMatchObject({ phase: 'settled', paid: job.bounty });
    expect(await ledgerIsChain(renter.client)).toBe(true);
    expect(await ledgerIsChain(provider.client)).toBe(true);
    await expect.poll(() => dockerLeftovers(dealId), { timeout: 20_000, interval: 200 }).toEqual([]);
  };

  test('a container with an uploaded folder: every byte goes in, every byte comes back, paid once', async () => {
    const { folder, hashes } = randomFolder('data', [
      ['big.bin', 24 * MIB],
      ['deep/er/still/five.bin', 5 * MIB],
      ['deep/one.bin', MIB],
      ['empty.txt', 0],
    ]);
    const [taskId = ''] = await submit(renter, {
      name: 'folder',
      work: {
        type: 'docker',
        image: PRACTICE_IMAGE,
        command: ['sh', '-c', `${HASHES} && cp -r /job/in/data /job/out/back`],
      },
      inputs: [{ path: 'data', upload: folder }],
      bounty: '2.5',
      timeouts: { runSeconds: 120 },
    });
    const job = await untilJob(renter, taskId, isOver);
    expect((await resultText(renter, taskId, 'out/hashes')).trim()).toBe(hashes);
    expect(await resultText(renter, taskId, 'logs/stdout')).toBe('done\n');
    const back = path.join(scratch, 'back');
    await renter.client.jobs.saveResults({ taskId, folder: back });
    for (const file of ['big.bin', 'deep/er/still/five.bin', 'deep/one.bin', 'empty.txt']) {
      expect(sha256(readFileSync(path.join(back, 'out/back', file)))).toBe(
        sha256(readFileSync(path.join(folder, file))),
      );
    }
    await paidOnce(job);
  });

  test('content by its address, through a gateway that spoils one answer in fifty', async () => {
    const { folder, hashes } = randomFolder('set', [
      ['a/large.bin', 60 * MIB],
      ['small.bin', 12_345],
    ]);
    const { cid } = await shelf.importFolder(folder);
    const [taskId = ''] = await submit(renter, {
      name: 'ipfs',
      work: { type: 'docker', image: PRACTICE_IMAGE, command: ['sh', '-c', HASHES] },
      inputs: [{ path: 'set', ipfs: cid }],
      bounty: '1',
      timeouts: { runSeconds: 120 },
    });
    const job = await untilJob(renter, taskId, isOver);
    expect((await resultText(renter, taskId, 'out/hashes')).trim()).toBe(hashes);
    expect(gateway.answered).toBeGreaterThan(60);
    // Otherwise this shows nothing about a gateway that is wrong.
    expect(gateway.spoiled).toBeGreaterThan(0);
    await paidOnce(job);
  });

  test('a module: no container, the same way', async () => {
    const module = await upload(renter, 'echo.wasm', ECHO);
    const [taskId = ''] = await submit(renter, {
      name: 'module',
      work: { type: 'wasm', module },
      inputs: [{ path: 'data.txt', text: 'what a module reads' }],
      bounty: '1',
      timeouts: { runSeconds: 60 },
    });
    const job = await untilJob(renter, taskId, isOver);
    expect(await resultText(renter, taskId, 'out/copy.txt')).toBe('what a module reads');
    expect(await resultText(renter, taskId, 'logs/stdout')).toBe('what a module reads');
    await paidOnce(job);
  });

  test('secrets reach the work, and are nowhere afterwards', async () => {
    const secret = randomBytes(24).toString('hex');
    const [taskId = ''] = await submit(renter, {
      name: 'secrets',
      work: {
        type: 'docker',
        image: PRACTICE_IMAGE,
        command: ['sh', '-c', 'printf %s "$PASSWORD" | sha256sum > /job/out/hash'],
      },
      secrets: { PASSWORD: secret },
      bounty: '1',
      timeouts: { runSeconds: 60 },
    });
    const job = await untilJob(renter, taskId, isOver);
    expect(await resultText(renter, taskId, 'out/hash')).toMatch(new RegExp(`^${sha256(Buffer.from(secret))} `));
    expect(job.spec.secrets).toEqual(['PASSWORD']);
    await paidOnce(job);
    // The chain, both ledgers and indexes with their freed pages, logs, content, runs: every file of every host.
    expect(filesWith(market.folder, 'PASSWORD').length).toBeGreaterThan(0);
    await expect.poll(() => filesWith(market.folder, secret)).toEqual([]);
  });
});

function filesWith(folder: string, text: string): string[] {
  try {
    return execFileSync('grep', ['-rlaF', text, folder], { encoding: 'utf8' }).split('\n').filter(Boolean);
  } catch (thrown) {
    if ((thrown as { status?: number }).status === 1) return [];
    throw thrown;
  }
}
