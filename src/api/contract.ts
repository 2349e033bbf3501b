import type { ContractRouterClient, InferContractRouterInputs, InferContractRouterOutputs } from '@orpc/contract';
import { gpuContract } from './gpu.ts';
import { jobsContract } from './jobs.ts';
import { marketContract } from './market.ts';
import { practiceContract } from './practice.ts';
import { rentalsContract } from './rentals.ts';
import { shareContract } from './share.ts';
import { systemContract } from './system.ts';
import { walletContract } from './wallet.ts';
import { workContract } from './work.ts';

/** The host's whole typed interface. Window, browser, command line and HTTP speak this and nothing else. */
export const apiContract = {
  system: systemContract,
  gpu: gpuContract,
  wallet: walletContract,
  share: shareContract,
  market: marketContract,
  rentals: rentalsContract,
  jobs: jobsContract,
  work: workContract,
  practice: practiceContract,
};

export type ApiContract = typeof apiContract;
export type ApiClient = ContractRouterClient<ApiContract>;
export type ApiInputs = InferContractRouterInputs<ApiContract>;
export type ApiOutputs = InferContractRouterOutputs<ApiContract>;

export type Status = ApiOutputs['system']['status'];
export type Rental = ApiOutputs['rentals']['get'];
export type Job = ApiOutputs['jobs']['get'];
export type WorkStatus = ApiOutputs['work']['status'];
export type Offer = ApiOutputs['market']['get'];
export type ShareStatus = ApiOutputs['share']['status'];
export type WalletStatus = ApiOutputs['wallet']['status'];
