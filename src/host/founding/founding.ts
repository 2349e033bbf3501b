/** What the founding documents' own endpoints ask for, in their words and numbers: WATT as plain numbers. */
import type { JobModel, JobStatus } from '../../shared/job-spec.ts';

export interface FoundingWorker {
  worker_id: string;
  gpu_type: string;
  compute_capacity: number;
  stake_amount: number;
  /** 0 to 100. */
  reputation: number;
  jobs_completed: number;
  /** WATT that it has earned and can spend. */
  balance: number;
  wallet: string;
  /** The card is a declaration, not hardware. */
  simulated_card: boolean;
  status: 'active' | 'working' | 'inactive';
}

export interface FoundingClient {
  client_address: string;
  initial_balance: number;
  /** What it can still spend. */
  balance: number;
  wallet: string;
  status: 'registered';
}

export interface FoundingJob {
  job_id: string;
  client_address: string;
  model_type: JobModel;
  reward: number;
  worker_id: string | null;
  status: JobStatus;
  /** Plain words about it. */
  detail: string;
  /** Content id of the result; null until it is here. */
  result_id: string | null;
  /** What the model found, once it is verified; null in lists. */
  result: unknown;
}

export interface FoundingStats {
  total_workers: number;
  active_workers: number;
  total_jobs: number;
  completed_jobs: number;
  pending_jobs: number;
  /** 0 to 100: verified among those that have ended. */
  success_rate: number;
  /** WATT locked for jobs that have not ended. */
  contract_balance: number;
}

export interface FoundingJobRequest {
  client_address: string;
  model_type: JobModel;
  reward: number;
  /** Rows of numbers; the host's own sample where it is left out. */
  x?: readonly (readonly number[])[] | undefined;
  /** Linear regression: one number per row. */
  y?: readonly number[] | undefined;
  params: Readonly<Record<string, number | boolean | string>>;
}

/** Named accounts of the practice network behind the founding words. */
export interface Founding {
  registerWorker(asked: {
    worker_id: string;
    gpu_type: string;
    compute_capacity: number;
    stake_amount: number;
  }): Promise<FoundingWorker>;
  worker(id: string): Promise<FoundingWorker>;
  workers(): Promise<FoundingWorker[]>;
  registerClient(asked: { client_address: string; initial_balance: number }): Promise<FoundingClient>;
  client(name: string): Promise<FoundingClient>;
  clients(): Promise<FoundingClient[]>;
  submit(asked: FoundingJobRequest): Promise<FoundingJob>;
  job(id: string): Promise<FoundingJob>;
  jobs(filter: { pending: boolean }): Promise<FoundingJob[]>;
  stats(): Promise<FoundingStats>;
  /** Of the named accounts alone; the owner's own scheduling stays as it is set. */
  automatic(on: boolean): Promise<void>;
  /** One cycle; resolves when what it assigned has ended, or after a minute. */
  trigger(signal: AbortSignal): Promise<{ assigned: number; completed: number; pending: number }>;
}
