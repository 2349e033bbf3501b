/** The founding documents' six-step test, as printed there, against a real host on its practice network. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnHost, type SpawnedHost } from '../src/host/spawned-host.ts';
import { describeUnless } from './support/describe-unless.ts';
import { depositWatt } from './support/job-market.ts';
import { anvilMissing, COMMAND } from './support/market.ts';

describeUnless(anvilMissing(), 'founding endpoints', () => {
  let root: string;
  let host: SpawnedHost;

  beforeAll(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'commonwatt-founding-'));
    host = await spawnHost({ command: COMMAND, dataDir: path.join(root, 'host'), network: 'practice' });
  });
  afterAll(async () => {
    await host?.stop();
    await rm(root, { recursive: true, force: true });
  });

  const call = async (
    method: 'GET' | 'POST',
    pathname: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) => {
    const response = await fetch(new URL(pathname, host.url), {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  test('the six steps, with no token', async () => {
    const worker = await call('POST', '/worker/register', {
      worker_id: 'test_worker',
      gpu_type: 'RTX 4090',
      compute_capacity: 82.6,
      stake_amount: 150,
    });
    expect(worker).toMatchObject({
      status: 201,
      body: {
        worker_id: 'test_worker',
        gpu_type: 'RTX 4090',
        compute_capacity: 82.6,
        stake_amount: 150,
        status: 'registered',
      },
    });
    const client = await call('POST', '/client/register', { client_address: 'test_client', initial_balance: 1000 });
    expect(client).toMatchObject({
      status: 201,
      body: { client_address: 'test_client', initial_balance: 1000, status: 'registered' },
    });
    const job = await call('POST', '/job/submit', {
      client_address: 'test_client',
      model_type: 'linear_regression',
      reward: 50,
    });
    expect(job).toMatchObject({
      status: 201,
      body: { client_address: 'test_client', model_type: 'linear_regression', reward: 50 },
    });
    expect(await call('GET', '/client/test_client/balance')).toMatchObject({ status: 200, body: { balance: 950 } });
    expect((await call('POST', '/network/coordination/trigger')).status).toBe(200);
    const jobId = String(job.body['job_id']);
    expect(await call('GET', `/job/${jobId}/status`)).toMatchObject({
      status: 200,
      body: { status: 'verified', worker_id: 'test_worker', result: { coefficients: expect.any(Array) as unknown } },
    });
    expect(await call('GET', '/network/stats')).toEqual({
      status: 200,
      body: {
        total_workers: 1,
        active_workers: 1,
        total_jobs: 1,
        completed_jobs: 1,
        pending_jobs: 0,
        success_rate: 100,
        contract_balance: 0,
      },
    });
    const paid = await call('GET', '/worker/test_worker/status');
    expect(paid).toMatchObject({ status: 200, body: { reputation: 100, jobs_completed: 1, simulated_card: true } });
    // 50 less the network's fee of 2.5 percent.
    expect(Number(paid.body['balance']) - Number(worker.body['balance'])).toBe(48.75);
    expect((await call('GET', '/jobs/pending')).body).toMatchObject({ jobs: [], total: 0 });
    expect((await call('GET', '/jobs')).body).toMatchObject({ jobs: [{ job_id: jobId, result: null }], total: 1 });
    expect((await call('GET', '/workers')).body).toMatchObject({ total: 1 });
    expect((await call('GET', '/clients')).body).toMatchObject({ total: 1 });
  });

  test('what is wrong is named, and a web page needs a session', async () => {
    expect(await call('POST', '/worker/register', { worker_id: 'x' })).toMatchObject({
      status: 400,
      body: { field: 'gpu_type' },
    });
    expect(await call('POST', '/client/register', { client_address: 'a b', initial_balance: 1 })).toMatchObject({
      status: 400,
      body: { field: 'client_address' },
    });
    for (const name of ['.', '..', '...']) {
      const worker = { worker_id: name, gpu_type: 'RTX 4090', compute_capacity: 1, stake_amount: 150 };
      expect(await call('POST', '/worker/register', worker)).toMatchObject({
        status: 400,
        body: { field: 'worker_id' },
      });
      expect(await call('POST', '/client/register', { client_address: name, initial_balance: 1 })).toMatchObject({
        status: 400,
        body: { field: 'client_address' },
      });
    }
    const folder = path.join(root, 'host', 'practice-accounts');
    const { wallet } = (await call('GET', '/worker/test_worker/status')).body;
    expect(await readdir(path.join(folder, 'peer-keys'))).toContain(wallet);
    expect((await readdir(folder)).includes('accounts.json')).toBe(true);
    expect(await call('POST', '/job/submit', { client_address: 'nobody', model_type: 'pca', reward: 1 })).toMatchObject(
      {
        status: 404,
      },
    );
    expect(
      await call('POST', '/job/submit', { client_address: 'test_client', model_type: 'sorcery', reward: 1 }),
    ).toMatchObject({ status: 400, body: { field: 'model_type' } });
    expect(
      await call('POST', '/job/submit', { client_address: 'test_client', model_type: 'pca', reward: 100_000 }),
    ).toMatchObject({ status: 402 });
    expect(await call('GET', '/job/submit')).toMatchObject({ status: 400, body: { field: 'method' } });
    for (const name of ['forwarded', 'x-forwarded-for', 'via']) {
      expect((await call('GET', '/workers', undefined, { [name]: 'for=203.0.113.7' })).status).toBe(401);
    }
    const own = new URL(host.url).origin;
    expect((await call('GET', '/workers', undefined, { origin: own })).status).toBe(401);
    expect((await call('GET', '/workers', undefined, { origin: 'https://evil.example' })).status).toBe(403);
  });

  test('stopped, a job of a named account waits until a cycle is asked for, and the owner’s scheduling goes on', async () => {
    expect((await call('POST', '/network/coordination/stop')).status).toBe(200);
    expect(await host.client.jobs.scheduling()).toMatchObject({ automatic: true });
    const asked = { client_address: 'test_client', model_type: 'pca', reward: 5 };
    const { body } = await call('POST', '/job/submit', asked);
    const state = async () => (await call('GET', `/job/${String(body['job_id'])}/status`)).body;
    expect(await state()).toMatchObject({ status: 'pending', worker_id: null });
    expect((await call('POST', '/network/coordination/trigger')).body).toMatchObject({ assigned: 1 });
    expect(await state()).toMatchObject({ status: 'verified' });
    expect((await call('POST', '/network/coordination/start')).status).toBe(200);
  });

  test('a cycle that anybody may ask for does not give away what the owner keeps for later', async () => {
    await depositWatt(host, 10n ** 18n);
    await host.client.jobs.setScheduling({ automatic: false });
    const { taskIds } = await host.client.jobs.submit({
      commandId: crypto.randomUUID(),
      file: {
        name: 'mine',
        work: { type: 'kernel', model: 'pca', table: 'table.csv' },
        inputs: [{ path: 'table.csv', sample: 'pca' }],
        bounty: '1',
        verification: { tier: 'certificate' },
      },
    });
    const own = async () => (await host.client.jobs.list({})).jobs.find(({ taskId }) => taskId === taskIds[0]);
    await expect.poll(async () => (await own())?.phase, { timeout: 20_000 }).toBe('open');
    expect((await call('POST', '/network/coordination/trigger')).body).toMatchObject({ assigned: 0 });
    expect(await own()).toMatchObject({ phase: 'open', runs: [] });
    expect(await host.client.jobs.schedule({})).toMatchObject({ assigned: 1 });
    await host.client.jobs.setScheduling({ automatic: true });
  });

  test('the front door says what there is to whoever does not ask for a page', async () => {
    const { status, body } = await call('GET', '/');
    expect(status).toBe(200);
    expect(Object.keys(body['endpoints'] as object)).toContain('POST /worker/register');
  });
});
