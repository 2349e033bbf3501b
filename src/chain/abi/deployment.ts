/** In which order the contracts go on chain, with what they are told, and how they are then wired. Written by hand. */
import { getCreateAddress, id } from 'ethers';
import { ETH, type Address } from '../../shared/ids.ts';
import { ACCESS_MANAGER_ABI, ACCESS_MANAGER_BYTECODE } from './AccessManager.ts';
import { ATTESTATIONS_ABI, ATTESTATIONS_BYTECODE } from './Attestations.ts';
import { JOBS_ABI, JOBS_BYTECODE } from './Jobs.ts';
import { JURIES_ABI, JURIES_BYTECODE } from './Juries.ts';
import { OFFERS_ABI, OFFERS_BYTECODE } from './Offers.ts';
import { PARAMETERS_ABI, PARAMETERS_BYTECODE } from './Parameters.ts';
import { PRACTICE_DOLLAR_ABI, PRACTICE_DOLLAR_BYTECODE } from './PracticeDollar.ts';
import { RECORD_ABI, RECORD_BYTECODE } from './Record.ts';
import { RENTALS_ABI, RENTALS_BYTECODE } from './Rentals.ts';
import { STAKES_ABI, STAKES_BYTECODE } from './Stakes.ts';
import { STAKE_GOVERNOR_ABI, STAKE_GOVERNOR_BYTECODE } from './StakeGovernor.ts';
import { TIMELOCK_CONTROLLER_ABI, TIMELOCK_CONTROLLER_BYTECODE } from './TimelockController.ts';
import { VAULT_ABI, VAULT_BYTECODE } from './Vault.ts';
import { WATT_ABI, WATT_BYTECODE } from './Watt.ts';

export const CONTRACTS = {
  AccessManager: { abi: ACCESS_MANAGER_ABI, bytecode: ACCESS_MANAGER_BYTECODE },
  Parameters: { abi: PARAMETERS_ABI, bytecode: PARAMETERS_BYTECODE },
  Vault: { abi: VAULT_ABI, bytecode: VAULT_BYTECODE },
  Offers: { abi: OFFERS_ABI, bytecode: OFFERS_BYTECODE },
  Rentals: { abi: RENTALS_ABI, bytecode: RENTALS_BYTECODE },
  PracticeDollar: { abi: PRACTICE_DOLLAR_ABI, bytecode: PRACTICE_DOLLAR_BYTECODE },
  Watt: { abi: WATT_ABI, bytecode: WATT_BYTECODE },
  Stakes: { abi: STAKES_ABI, bytecode: STAKES_BYTECODE },
  TimelockController: { abi: TIMELOCK_CONTROLLER_ABI, bytecode: TIMELOCK_CONTROLLER_BYTECODE },
  StakeGovernor: { abi: STAKE_GOVERNOR_ABI, bytecode: STAKE_GOVERNOR_BYTECODE },
  Attestations: { abi: ATTESTATIONS_ABI, bytecode: ATTESTATIONS_BYTECODE },
  Juries: { abi: JURIES_ABI, bytecode: JURIES_BYTECODE },
  Record: { abi: RECORD_ABI, bytecode: RECORD_BYTECODE },
  Jobs: { abi: JOBS_ABI, bytecode: JOBS_BYTECODE },
} as const;

export type ContractName = keyof typeof CONTRACTS;

export interface DeploymentRoles {
  /** First admin of the AccessManager. Sends the wiring calls, and lets go with the last of `HANDOVER`. */
  admin: Address;
  /** Vault account that network fees are credited to; holds all WATT at first. */
  treasury: Address;
  /** May pause new deals after the hand-over; the admin where nobody is named. */
  guardian?: Address;
}

/** How long a decision waits before it happens, in seconds. */
export const TIMELOCK_SECONDS = 2 * 86_400;

export interface DeploymentStep {
  name: ContractName;
  /** Constructor arguments. `at` holds every contract's address, also of those that come later: see `addressesFrom`. */
  args: (at: Readonly<Record<ContractName, Address>>, roles: DeploymentRoles) => readonly unknown[];
  /** Only where money is play money. */
  practiceOnly?: true;
}

/** In this order, one transaction each, nothing of the deployer's in between: contracts name each other's addresses. */
export const DEPLOYMENT: readonly DeploymentStep[] = [
  { name: 'AccessManager', args: (_at, roles) => [roles.admin] },
  { name: 'Parameters', args: (at, roles) => [at.AccessManager, roles.treasury] },
  { name: 'Vault', args: (at) => [at.Parameters] },
  { name: 'Offers', args: (at) => [at.Parameters, at.Rentals, at.Jobs, at.Attestations] },
  { name: 'Rentals', args: (at) => [at.Parameters, at.Vault, at.Offers] },
  { name: 'PracticeDollar', args: (_at, roles) => [roles.admin], practiceOnly: true },
  { name: 'Watt', args: (_at, roles) => [roles.treasury] },
  { name: 'Stakes', args: (at) => [at.Parameters, at.Vault, at.Watt, at.Jobs, at.Attestations] },
  // The governor proposes and cancels, anybody executes, nobody administers it but itself.
  { name: 'TimelockController', args: (at) => [TIMELOCK_SECONDS, [at.StakeGovernor], [ETH], ETH] },
  { name: 'StakeGovernor', args: (at) => [at.Stakes, at.TimelockController] },
  { name: 'Attestations', args: (at) => [at.Stakes, at.Offers, at.Rentals] },
  { name: 'Juries', args: (at) => [at.Stakes, at.Attestations, at.Jobs] },
  { name: 'Record', args: (at) => [at.Parameters, at.Rentals, at.Jobs, at.Stakes] },
  { name: 'Jobs', args: (at) => [at.Parameters, at.Vault, at.Offers, at.Stakes, at.Juries, at.Record] },
];

/** Where everything will stand when `deployer` sends the steps one after the other, the first with `firstNonce`. */
export function addressesFrom(deployer: Address, firstNonce: number): Record<ContractName, Address> {
  const entries = DEPLOYMENT.map(({ name }, index) => [
    name,
    getCreateAddress({ from: deployer, nonce: firstNonce + index }).toLowerCase(),
  ]);
  return Object.fromEntries(entries) as Record<ContractName, Address>;
}

/** A question to a contract of the deployment, and what it must answer; of several values, the first. */
export interface WiringCheck {
  contract: ContractName;
  method: string;
  args?: (at: Readonly<Record<ContractName, Address>>, roles: DeploymentRoles) => readonly unknown[];
  answer: (at: Readonly<Record<ContractName, Address>>, roles: DeploymentRoles) => Address | bigint | boolean;
  practiceOnly?: true;
}

export interface WiringCall {
  contract: ContractName;
  method: string;
  args: (at: Readonly<Record<ContractName, Address>>, roles: DeploymentRoles) => readonly unknown[];
  /** How the same contract answers once the call is done. */
  done: Omit<WiringCheck, 'contract' | 'practiceOnly'>;
  practiceOnly?: true;
}

const allowed = (token: ContractName): WiringCall => ({
  contract: 'Parameters',
  method: 'allowToken',
  args: (at) => [at[token]],
  done: { method: 'isTokenAllowed', args: (at) => [at[token]], answer: () => true },
});

/** Sent by the admin once everything stands. */
export const WIRING: readonly WiringCall[] = [allowed('Watt'), { ...allowed('PracticeDollar'), practiceOnly: true }];

/** Roles of the AccessManager. */
export const ADMIN_ROLE = 0n;
export const GUARDIAN_ROLE = 1n;

const selector = (signature: string) => id(signature).slice(0, 10);
const PAUSING = [selector('pauseNewDeals()'), selector('resumeNewDeals()')];
const guardianOf = (roles: DeploymentRoles): Address => roles.guardian ?? roles.admin;

/** Sent by the admin after the wiring: from then on the holders of stake decide, and the admin decides nothing. */
export const HANDOVER: readonly WiringCall[] = [
  {
    contract: 'AccessManager',
    method: 'setTargetFunctionRole',
    args: (at) => [at.Parameters, PAUSING, GUARDIAN_ROLE],
    done: {
      method: 'getTargetFunctionRole',
      args: (at) => [at.Parameters, PAUSING[1]],
      answer: () => GUARDIAN_ROLE,
    },
  },
  {
    contract: 'AccessManager',
    method: 'grantRole',
    args: (_at, roles) => [GUARDIAN_ROLE, guardianOf(roles), 0],
    done: { method: 'hasRole', args: (_at, roles) => [GUARDIAN_ROLE, guardianOf(roles)], answer: () => true },
  },
  {
    contract: 'AccessManager',
    method: 'grantRole',
    args: (at) => [ADMIN_ROLE, at.TimelockController, 0],
    done: { method: 'hasRole', args: (at) => [ADMIN_ROLE, at.TimelockController], answer: () => true },
  },
  {
    contract: 'AccessManager',
    method: 'renounceRole',
    args: (_at, roles) => [ADMIN_ROLE, roles.admin],
    done: { method: 'hasRole', args: (_at, roles) => [ADMIN_ROLE, roles.admin], answer: () => false },
  },
];

const points = (contract: ContractName, method: string, to: ContractName): WiringCheck => ({
  contract,
  method,
  answer: (at) => at[to],
});

/** What a finished deployment has to say of itself, besides that its wiring is done. */
export const CHECKS: readonly WiringCheck[] = [
  points('Parameters', 'authority', 'AccessManager'),
  { contract: 'Parameters', method: 'treasury', answer: (_at, roles) => roles.treasury },
  points('Vault', 'parameters', 'Parameters'),
  points('Offers', 'parameters', 'Parameters'),
  points('Offers', 'rentals', 'Rentals'),
  points('Rentals', 'parameters', 'Parameters'),
  points('Rentals', 'vault', 'Vault'),
  points('Rentals', 'offers', 'Offers'),
  points('Stakes', 'parameters', 'Parameters'),
  points('Stakes', 'vault', 'Vault'),
  points('Stakes', 'watt', 'Watt'),
  points('Offers', 'jobs', 'Jobs'),
  points('Offers', 'attestations', 'Attestations'),
  points('Stakes', 'jobs', 'Jobs'),
  points('Stakes', 'attestations', 'Attestations'),
  points('Attestations', 'stakes', 'Stakes'),
  points('Attestations', 'offers', 'Offers'),
  points('Attestations', 'rentals', 'Rentals'),
  points('Juries', 'stakes', 'Stakes'),
  points('Juries', 'attestations', 'Attestations'),
  points('Juries', 'jobs', 'Jobs'),
  points('Record', 'parameters', 'Parameters'),
  points('Record', 'rentals', 'Rentals'),
  points('Record', 'jobs', 'Jobs'),
  points('Record', 'stakes', 'Stakes'),
  points('Jobs', 'parameters', 'Parameters'),
  points('Jobs', 'vault', 'Vault'),
  points('Jobs', 'offers', 'Offers'),
  points('Jobs', 'stakes', 'Stakes'),
  points('Jobs', 'juries', 'Juries'),
  points('Jobs', 'record', 'Record'),
  points('StakeGovernor', 'token', 'Stakes'),
  points('StakeGovernor', 'timelock', 'TimelockController'),
  { contract: 'TimelockController', method: 'getMinDelay', answer: () => BigInt(TIMELOCK_SECONDS) },
  {
    contract: 'TimelockController',
    method: 'hasRole',
    args: (at) => [id('PROPOSER_ROLE'), at.StakeGovernor],
    answer: () => true,
  },
  {
    contract: 'TimelockController',
    method: 'hasRole',
    args: () => [id('EXECUTOR_ROLE'), ETH],
    answer: () => true,
  },
];
