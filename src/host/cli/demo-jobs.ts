import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { FoundingClient, FoundingJob, FoundingWorker } from '../founding/founding.ts';
import { spawnHost } from '../spawned-host.ts';

export interface JobsDemo {
  workers: {
    id: string;
    gpuType: string;
    simulatedCard: boolean;
    reputation: number;
    /** WATT. */
    balanceBefore: number;
    balanceAfter: number;
  }[];
  clients: { id: string; balanceBefore: number; balanceAfter: number }[];
  jobs: { id: string; model: string; worker: string | null; status: string; reward: number; resultId: string | null }[];
}

const WORKERS = [
  { worker_id: 'worker_rtx4090_01', gpu_type: 'RTX 4090', compute_capacity: 82.6, stake_amount: 150 },
  { worker_id: 'worker_rtx3090_01', gpu_type: 'RTX 3090', compute_capacity: 35.6, stake_amount: 120 },
  { worker_id: 'worker_a100_01', gpu_type: 'A100', compute_capacity: 19.5, stake_amount: 200 },
];
const CLIENTS = [
  { client_address: 'alice', initial_balance: 1000 },
  { client_address: 'bob', initial_balance: 800 },
  { client_address: 'carol', initial_balance: 600 },
];
const JOBS = [
  { client_address: 'alice', model_type: 'linear_regression', reward: 50 },
  { client_address: 'bob', model_type: 'k_means', reward: 75 },
  { client_address: 'carol', model_type: 'pca', reward: 60 },
];
/** Each cycle ends when its jobs have; more are needed only where a worker refused. */
const MAX_CYCLES = 5;

const isOver = ({ status }: FoundingJob): boolean =>
  status === 'verified' || status === 'failed' || status === 'cancelled';

/**
 * The founding documents' demo through their own endpoints, on a fresh practice network: three workers with declared
 * cards, three clients, three jobs, posted, assigned, run, verified and paid on chain.
 */
export async function demoJobs(command: readonly string[], say: (line: string) => void): Promise<JobsDemo> {
  const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-demo-'));
  say('1/5 Starting a host with its practice network.');
  const host = await spawnHost({ command, dataDir: path.join(root, 'host'), network: 'practice' });
  try {
    const ask = <T>(pathname: string, body?: unknown) => askFounding<T>(host.url, pathname, body);
    say('2/5 Registering three workers with declared cards, and three clients.');
    const workers = [];
    for (const worker of WORKERS) workers.push(await ask<FoundingWorker>('/worker/register', worker));
    const clients = [];
    for (const client of CLIENTS) clients.push(await ask<FoundingClient>('/client/register', client));
    say('3/5 Posting three jobs.');
    const posted = [];
    for (const job of JOBS) posted.push(await ask<FoundingJob>('/job/submit', job));
    say('4/5 Assigning, running, checking, paying.');
    let jobs = posted;
    for (let cycle = 0; cycle < MAX_CYCLES && !jobs.every(isOver); cycle += 1) {
      await ask('/network/coordination/trigger', {});
      jobs = await Promise.all(posted.map(({ job_id }) => ask<FoundingJob>(`/job/${job_id}/status`)));
    }
    say('5/5 Reading balances.');
    const [after, left] = await Promise.all([
      ask<{ workers: FoundingWorker[] }>('/workers'),
      ask<{ clients: FoundingClient[] }>('/clients'),
    ]);
    return {
      workers: workers.map((worker) => {
        const now = after.workers.find(({ worker_id }) => worker_id === worker.worker_id);
        return {
          id: worker.worker_id,
          gpuType: worker.gpu_type,
          simulatedCard: worker.simulated_card,
          reputation: now?.reputation ?? worker.reputation,
          balanceBefore: worker.balance,
          balanceAfter: now?.balance ?? worker.balance,
        };
      }),
      clients: clients.map((client) => ({
        id: client.client_address,
        balanceBefore: client.balance,
        balanceAfter: left.clients.find(({ client_address }) => client_address === client.client_address)?.balance ?? 0,
      })),
      jobs: jobs.map((job) => ({
        id: job.job_id,
        model: job.model_type,
        worker: job.worker_id,
        status: job.status,
        reward: job.reward,
        resultId: job.result_id,
      })),
    };
  } finally {
    await host.stop();
    await rm(root, { recursive: true, force: true });
  }
}

/** @throws AppError internal with what the host said */
async function askFounding<T>(url: string, pathname: string, body?: unknown): Promise<T> {
  const response = await fetch(new URL(pathname, url), {
    ...(body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(120_000),
  });
  const text = await response.text();
  if (!response.ok) throw new AppError('internal', `${pathname} answered ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as T;
}
