/** In which order the contracts go on chain, with what they are told, and how they are then wired. Written by hand. */
import { getCreateAddress } from 'ethers';
import { ETH, type Address } from '../../shared/ids.ts';
import { ACCESS_MANAGER_ABI, ACCESS_MANAGER_BYTECODE } from './AccessManager.ts';
import { OFFERS_ABI, OFFERS_BYTECODE } from './Offers.ts';
import { PARAMETERS_ABI, PARAMETERS_BYTECODE } from './Parameters.ts';
import { PRACTICE_DOLLAR_ABI, PRACTICE_DOLLAR_BYTECODE } from './PracticeDollar.ts';
import { RENTALS_ABI, RENTALS_BYTECODE } from './Rentals.ts';
import { VAULT_ABI, VAULT_BYTECODE } from './Vault.ts';

export const CONTRACTS = {
  AccessManager: { abi: ACCESS_MANAGER_ABI, bytecode: ACCESS_MANAGER_BYTECODE },
  Parameters: { abi: PARAMETERS_ABI, bytecode: PARAMETERS_BYTECODE },
  Vault: { abi: VAULT_ABI, bytecode: VAULT_BYTECODE },
  Offers: { abi: OFFERS_ABI, bytecode: OFFERS_BYTECODE },
  Rentals: { abi: RENTALS_ABI, bytecode: RENTALS_BYTECODE },
  PracticeDollar: { abi: PRACTICE_DOLLAR_ABI, bytecode: PRACTICE_DOLLAR_BYTECODE },
} as const;

export type ContractName = keyof typeof CONTRACTS;

export interface DeploymentRoles {
  /** Admin of the AccessManager: may allow tokens, set the fee, pause new deals. Sends the wiring calls. */
  admin: Address;
  /** Vault account that network fees are credited to. */
  treasury: Address;
}

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
  { name: 'Offers', args: (at) => [at.Parameters, at.Rentals, ETH, ETH] },
  { name: 'Rentals', args: (at) => [at.Parameters, at.Vault, at.Offers] },
  { name: 'PracticeDollar', args: (_at, roles) => [roles.admin], practiceOnly: true },
];

/** Where everything will stand when `deployer` sends the steps one after the other, the first with `firstNonce`. */
export function addressesFrom(deployer: Address, firstNonce: number): Record<ContractName, Address> {
  const entries = DEPLOYMENT.map(({ name }, index) => [
    name,
    getCreateAddress({ from: deployer, nonce: firstNonce + index }).toLowerCase(),
  ]);
  return Object.fromEntries(entries) as Record<ContractName, Address>;
}

export interface WiringCall {
  contract: ContractName;
  method: string;
  args: (at: Readonly<Record<ContractName, Address>>) => readonly unknown[];
  practiceOnly?: true;
}

/** Sent by the admin once everything stands. */
export const WIRING: readonly WiringCall[] = [
  { contract: 'Parameters', method: 'allowToken', args: (at) => [at.PracticeDollar], practiceOnly: true },
];
