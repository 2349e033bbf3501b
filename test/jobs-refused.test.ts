/** What is late, double, somebody else's, malformed or forged: refused on chain, in the app, or outvoted and challenged. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hexlify, randomBytes } from 'ethers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SpawnedHost } from '../src/host/spawned-host.ts';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import { ECHO } from '../src/runtime/child/tiny-wasm.ts';
import type { Bytes32 } from '../src/shared/ids.ts';
import {
  type RawParty,
  WATT,
  depositWatt,
  isOver,
  ledgerIsChain,
  submit,
  untilJob,
  worksFor,
} from './support/job-market.ts';
import { TestMarket, anvilMissing, engineMissing } from './support/market.ts';
import { RawProvider } from './support/raw-provider.ts';
import { cidToBytes32 } from '../src/content/address.ts';

const missing = engineMissing() ?? anvilMissing();
/** Short, so that a deadline passes within a test. */
const QUICK_JOBS = { COMMONWATT_JOBS: JSON.stringify({ marginSeconds: 16 }) };
const ZERO: Bytes32 = `0x${'00'.repeat(32)}`;
const b32 = (): Bytes32 => hexlify(randomBytes(32)) as Bytes32;

const rejected = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it was taken',
    (thrown: unknown) => thrown,
  );

describe.skipIf(missing !== null)(`refused jobs${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'commonwatt-refused-'));
  let market: TestMarket;
  let renter: SpawnedHost;
  const honest: SpawnedHost[] = [];
  let forger: RawProvider;
  let module: string;

  beforeAll(async () => {
    market = await TestMarket.open();
    [renter, forger] = await Promise.all([market.host('renter', QUICK_JOBS), RawProvider.open(market.joinUrl)]);
    for (const name of ['first', 'second']) {
      const provider = await market.host(name);
      await worksFor(market, provider, renter);
      honest.push(provider);
    }
    await depositWatt(renter, 300n * WATT);
    const { cid } = await renter.client.jobs.upload({
      uploadId: crypto.randomUUID(),
      path: 'echo.wasm',
      offset: 0,
      base64: Buffer.from(ECHO).toString('base64'),
      end: true,
    });
    module = cid ?? '';
  });
  afterAll(async () => {
    await forger?.close();
    await market?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const echo = () => ({
    name: 'echo',
    work: { type: 'wasm' as const, module },
    inputs: [{ path: 'data.txt', text: 'say it again' }],
    resources: { memoryBytes: 64 * 2 ** 20 },
    timeouts: { runSeconds: 5 },
    bounty: '10',
    retries: 0,
    assignment: 'open' as const,
  });
  /** Only the forger takes it: nobody else claims now. */
  const open = async (change: object = {}): Promise<{ taskId: string; jobId: Bytes32 }> => {
    // What only the renter could deliver would be given away by the renter itself.
    const [taskId = ''] = await submit(renter, { ...echo(), inputs: [], ...change });
    const { jobId } = await untilJob(renter, taskId, (job) => job.phase === 'open' && job.jobId !== null);
    return { taskId, jobId: jobId as Bytes32 };
  };

  test('foreign, malformed and double submissions are refused by the contract, each with its reason', async () => {
    const { jobId, taskId } = await open();
    const { party, offerId } = forger;
    const { calls } = party.chain;
    const terms = await forger.termsOf(jobId);
    const send = (call: Parameters<RawParty['send']>[0]) => rejected(party.send(call));
    expect(await send(calls.submitJob(terms, offerId, b32()))).toMatchObject({
      code: expect.stringMatching(/conflict|not-allowed/) as string,
    });
    await party.send(calls.claimJob(terms, offerId));
    expect(await send(calls.claimJob(terms, offerId))).toMatchObject({ code: 'conflict' });
    expect(await send(calls.submitJob(terms, offerId, ZERO))).toMatchObject({ code: 'bad-input' });
    // Terms that were never posted are no job at all.
    expect(await send(calls.submitJob({ ...terms, bounty: terms.bounty * 2n }, offerId, b32()))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('does not exist') as string,
    });
    const stranger = await RawProvider.open(market.joinUrl);
    try {
      const { party: other } = stranger;
      expect(await rejected(other.send(other.chain.calls.submitJob(terms, offerId, b32())))).toMatchObject({
        code: 'not-allowed',
      });
      expect(await rejected(other.send(other.chain.calls.claimJob(terms, stranger.offerId)))).toMatchObject({
        code: 'conflict',
      });
      expect(await rejected(other.send(other.chain.calls.acceptJob(terms, offerId)))).toMatchObject({
        code: expect.stringMatching(/conflict|not-allowed/) as string,
      });
    } finally {
      await stranger.close();
    }
    const folder = path.join(scratch, 'whole');
    mkdirSync(path.join(folder, 'out'), { recursive: true });
    writeFileSync(path.join(folder, 'result.json'), '{"version":1,"exitCode":0,"reason":"exited","detail":""}');
    const resultId = await forger.submitFolder(terms, folder);
    expect(await send(calls.submitJob(terms, offerId, resultId))).toMatchObject({ code: 'conflict' });
    const job = await untilJob(renter, taskId, isOver);
    expect(job).toMatchObject({ status: 'verified', paid: job.bounty });
    expect(await send(calls.submitJob(terms, offerId, b32()))).toMatchObject({ code: 'conflict' });
    expect(await send(calls.acceptJob(terms, offerId))).toMatchObject({
      code: expect.stringMatching(/conflict|not-allowed/) as string,
    });
  });

  test('the app refuses what makes no sense, and says which field', async () => {
    const { client } = renter;
    const ask = (file: object) =>
      rejected(client.jobs.submit({ commandId: crypto.randomUUID(), file: { ...echo(), ...file } }));
    expect(await ask({ bounty: '0' })).toMatchObject({ code: 'bad-input', field: 'bounty' });
    expect(await ask({ bounty: '1e3' })).toMatchObject({ code: 'bad-input' });
    expect(await ask({ token: 'DOGE' })).toMatchObject({ code: 'bad-input', field: 'token' });
    expect(await ask({ bounty: '100000' })).toMatchObject({ code: 'insufficient-funds', field: 'bounty' });
    expect(await ask({ verification: { tier: 'certificate' } })).toMatchObject({ code: 'bad-input' });
    expect(await ask({ inputs: [{ path: '../up', text: 'x' }] })).toMatchObject({ code: 'bad-input' });
    expect(await ask({ inputs: [{ path: 'a', upload: '/no/such/file' }] })).toMatchObject({ code: 'not-found' });
    // It exists, seen from where this test and its hosts were started.
    expect(await ask({ inputs: [{ path: 'a', upload: './package.json' }] })).toMatchObject({
      code: 'bad-input',
      field: 'inputs[0].upload',
      next: expect.stringContaining('whole path') as string,
    });
    expect(await ask({ name: 'x'.repeat(81) })).toMatchObject({ code: 'bad-input' });
    expect(await rejected(client.jobs.get({ taskId: 'nothing' }))).toMatchObject({ code: 'not-found' });
    const commandId = crypto.randomUUID();
    const once = await submit(renter, { ...echo(), timeouts: { runSeconds: 5, queueSeconds: 60 } }, commandId);
    expect(await submit(renter, { ...echo(), timeouts: { runSeconds: 5, queueSeconds: 60 } }, commandId)).toEqual(once);
    await untilJob(renter, once[0] ?? '', ({ phase }) => phase === 'open');
    const taken = await client.jobs.cancel({ taskId: once[0] ?? '', commandId: crypto.randomUUID() });
    expect(['refunding', 'cancelled']).toContain(taken.phase);
  });

  test('a deadline that passes: nothing can be submitted any more, bounty and late fee come back, a strike is seen', async () => {
    const before = await wattBalance();
    const { taskId, jobId } = await open({ timeouts: { runSeconds: 5, totalSeconds: 30 } });
    const terms = await forger.claim(jobId);
    const { party, offerId } = forger;
    await expect.poll(() => Date.now() / 1000 > terms.deadline, { timeout: 60_000, interval: 100 }).toBe(true);
    expect(await rejected(party.send(party.chain.calls.submitJob(terms, offerId, b32())))).toMatchObject({
      code: expect.stringMatching(/conflict|timeout|reverted/) as string,
    });
    const job = await untilJob(renter, taskId, isOver);
    expect(job).toMatchObject({ status: 'failed', paid: null, refund: job.bounty });
    expect(job.detail).toContain('no result in time');
    await party.until(() => party.chain.jobDeal(jobId)?.state === 'refunded');
    expect(party.chain.standing(party.account)).toMatchObject({ strikes: 1 });
    expect(party.chain.jobDeal(jobId)).toMatchObject({ refund: terms.bounty, forfeit: terms.bounty / 10n, paid: 0n });
    expect((await wattBalance()) - before).toBe(terms.bounty / 10n);
    expect(await ledgerIsChain(renter.client)).toBe(true);
  });

  test('a kernel result that was forged fails its certificate and is challenged', async () => {
    const kernel = {
      name: 'line',
      work: { type: 'kernel' as const, model: 'linear_regression' as const },
      inputs: [{ path: 'data.csv', sample: 'linear_regression' as const }],
      timeouts: { runSeconds: 30 },
      verification: { tier: 'certificate' as const },
      bounty: '5',
      retries: 0,
    };
    const [first = ''] = await submit(renter, kernel);
    expect(await untilJob(renter, first, isOver)).toMatchObject({ status: 'verified', verdict: { valid: true } });
    const right = path.join(scratch, 'right');
    await renter.client.jobs.saveResults({ taskId: first, folder: right });
    const wrong = path.join(scratch, 'wrong');
    cpSync(right, wrong, { recursive: true });
    const file = path.join(wrong, 'out/result.json');
    const result = JSON.parse(readFileSync(file, 'utf8')) as { coefficients: number[] };
    result.coefficients[0] = (result.coefficients[0] ?? 0) * 1.001 + 0.001;
    writeFileSync(file, JSON.stringify(result));

    // The same table by its address: without a gateway no honest provider claims that.
    const [table] = (await renter.client.jobs.get({ taskId: first })).spec.inputs;
    const ipfs = table && 'cid' in table ? table.cid : '';
    const { taskId, jobId } = await open({ ...kernel, inputs: [{ path: 'data.csv', ipfs }], assignment: 'open' });
    const terms = await forger.claim(jobId);
    await forger.submitFolder(terms, wrong);
    const { party } = forger;
    await party.until(() => (party.chain.jobDeal(jobId)?.challenger ?? null) !== null);
    expect(party.chain.jobDeal(jobId)).toMatchObject({ challenger: terms.renter });
    // Nobody validates on this network: there is no quorum, and then the protocol pays the provider. The renter is told.
    const job = await untilJob(renter, taskId, isOver);
    expect(job).toMatchObject({ status: 'failed', verdict: { valid: false } });
    expect(job.detail).toContain('Wrong: ');
    expect(job.verdict?.checks.some(({ ok }) => !ok)).toBe(true);
  });

  test('copies at three owners of which one says something else: outvoted, unpaid, the others share', async () => {
    for (const { client } of honest) await client.work.start({ commandId: crypto.randomUUID(), claimsOpen: true });
    const [taskId = ''] = await submit(renter, {
      ...echo(),
      // Nobody claims what needs the renter's own computer: this needs nothing of it.
      work: { type: 'docker', image: PRACTICE_IMAGE, command: ['sh', '-c', 'echo the same > /job/out/copy.txt'] },
      inputs: [],
      verification: { tier: 'redundancy', copies: 3, agree: 2 },
    });
    const { jobId } = await untilJob(renter, taskId, ({ jobId: id, phase }) => id !== null && phase === 'open');
    const { party, offerId, content } = forger;
    const { calls } = party.chain;
    const terms = await forger.claim(jobId as Bytes32);
    const salt = b32();
    const lying = path.join(scratch, 'lie');
    mkdirSync(path.join(lying, 'out'), { recursive: true });
    writeFileSync(path.join(lying, 'result.json'), '{"version":1,"exitCode":0,"reason":"exited","detail":""}');
    writeFileSync(path.join(lying, 'out/copy.txt'), 'not what was asked for');
    const lie = cidToBytes32((await content.importFolder(lying)).cid);
    await party.send(calls.submitJob(terms, offerId, calls.commitmentOf(jobId as Bytes32, party.account, lie, salt)));
    await party.until(() => (party.chain.job(jobId as Bytes32)?.submitted ?? 0) === 3);
    await party.send(calls.revealJob(terms, offerId, lie, salt));
    const job = await untilJob(renter, taskId, isOver);
    expect(job).toMatchObject({ status: 'verified', resultHere: true });
    expect(job.resultCid === null ? null : cidToBytes32(job.resultCid)).not.toBe(lie);
    const settled = new Set(['verified', 'outvoted']);
    await party.until(() =>
      party.chain
        .jobDeals(jobId as Bytes32)
        .every(({ provider, state }) => provider === party.account || settled.has(state)),
    );
    // The bond is there for whoever asks for it.
    await party.send(calls.collectJob(terms, offerId));
    const own = calls.copyId(jobId as Bytes32, party.account);
    await party.until(() => party.chain.jobDeal(own)?.state === 'outvoted');
    const deals = party.chain.jobDeals(jobId as Bytes32);
    const mine = deals.find(({ provider }) => provider === party.account);
    expect(mine?.paid).toBe(0n);
    const others = deals.filter(({ provider }) => provider !== party.account);
    expect(others.map(({ state }) => state)).toEqual(['verified', 'verified']);
    const paid = others.reduce((sum, deal) => sum + deal.paid, 0n);
    expect(paid).toBe(BigInt(job.paid ?? 0));
    expect(BigInt(job.paid ?? 0) + BigInt(job.refund ?? 0)).toBe(terms.bounty);
    for (const { client } of honest) await client.work.start({ commandId: crypto.randomUUID(), claimsOpen: false });
  });

  async function wattBalance(): Promise<bigint> {
    const balances = await renter.client.wallet.balances();
    return BigInt(balances.find(({ token }) => token.symbol === 'WATT')?.available ?? 0);
  }
});
