/** What has to be sent so that a market stands on a chain, and where its contracts will be. Pure. */
import { Interface, concat, getCreate2Address, getCreateAddress, id, keccak256 } from 'ethers';
import type { Address, Hex } from '../shared/ids.ts';
import { ETH } from '../shared/ids.ts';
import { CHECKS, CONTRACTS, DEPLOYMENT, HANDOVER, WIRING } from './abi/deployment.ts';
import type { ContractName, DeploymentRoles, WiringCall, WiringCheck } from './abi/deployment.ts';
import { DEPLOYER_ABI, DEPLOYER_BYTECODE } from './abi/Deployer.ts';
import type { NetworkContracts } from './profile.ts';

/**
 * The deterministic deployment proxy: at the same address on every EVM network, and where it is not yet, one transaction
 * without an owner (signed in advance, valid on any chain) puts it there once its sender holds `funds` wei.
 * Source: https://github.com/Arachnid/deterministic-deployment-proxy
 */
export const CREATE2_PROXY = {
  address: '0x4e59b44847b379578588920ca78fbf26c0b4956c',
  sender: '0x3fab184622dc19b6109349b94811493bf2a45362',
  funds: 10n ** 16n,
  transaction:
    '0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222',
} as const satisfies { address: Address; sender: Address; funds: bigint; transaction: Hex };

/** Another version of the contracts that should live beside this one takes another salt. */
const SALT = id('commonwatt 1') as Hex;

export const deployerInterface = new Interface(DEPLOYER_ABI);

export interface DeploymentTransaction {
  to: Address;
  data: Hex;
  gasLimit: bigint;
  label: string;
}

export interface CreationTransaction extends DeploymentTransaction {
  contract: ContractName;
  place: Address;
}

/** A question to one of the contracts, and what it must answer. */
export interface PlannedCheck {
  contract: ContractName;
  method: string;
  args: readonly unknown[];
  answer: Address | bigint | boolean;
}

export interface WiringTransaction extends DeploymentTransaction {
  /** Holds once the call is done. */
  done: PlannedCheck;
}

export interface DeploymentPlan {
  /** The contract that creates all others. */
  deployer: Address;
  /** Creates `deployer`, through the deterministic deployment proxy. */
  first: DeploymentTransaction;
  /** In this order; the n-th is done when `deployer.created()` is more than n. */
  creations: readonly CreationTransaction[];
  /** By the admin, in this order, once everything stands. */
  wiring: readonly WiringTransaction[];
  /** Hold for every contract from the moment it stands. */
  checks: readonly PlannedCheck[];
  at: Readonly<Record<ContractName, Address>>;
}

/**
 * Everything that puts a market on a chain, in order, and where its contracts will be: the same `roles.admin` gets the
 * same addresses on every network. `practice` adds the practice dollar. The admin sends all of it.
 */
export function planDeployment(roles: DeploymentRoles, { practice }: { practice: boolean }): DeploymentPlan {
  const here = <T extends { practiceOnly?: true }>(all: readonly T[]) =>
    all.filter((one) => practice || one.practiceOnly !== true);
  const deployerCode = concat([DEPLOYER_BYTECODE, deployerInterface.encodeDeploy([roles.admin])]);
  const deployer = lower(getCreate2Address(CREATE2_PROXY.address, SALT, keccak256(deployerCode)));

  const steps = here(DEPLOYMENT);
  const places = steps.map(({ name }, index) => [name, lower(getCreateAddress({ from: deployer, nonce: index + 1 }))]);
  const nowhere = Object.fromEntries(Object.keys(CONTRACTS).map((name) => [name, ETH]));
  const at = { ...nowhere, ...Object.fromEntries(places) } as Record<ContractName, Address>;

  const creations = steps.map(({ name, args }, number): CreationTransaction => {
    const { abi, bytecode } = CONTRACTS[name];
    const code = concat([bytecode, new Interface(abi).encodeDeploy([...args(at, roles)])]);
    return {
      contract: name,
      place: at[name],
      to: deployer,
      data: deployerInterface.encodeFunctionData('create', [number, code]) as Hex,
      gasLimit: creationGas(code),
      label: `deploy ${name}`,
    };
  });
  const check = ({ contract, method, args, answer }: WiringCheck): PlannedCheck => ({
    contract,
    method,
    args: args?.(at, roles) ?? [],
    answer: answer(at, roles),
  });
  const wiring = [...here(WIRING), ...here(HANDOVER)].map(
    ({ contract, method, args, done }: WiringCall): WiringTransaction => ({
      to: at[contract],
      data: new Interface(CONTRACTS[contract].abi).encodeFunctionData(method, [...args(at, roles)]) as Hex,
      gasLimit: 500_000n,
      label: `${contract}.${method}`,
      done: check({ contract, ...done }),
    }),
  );
  return {
    deployer,
    first: {
      to: CREATE2_PROXY.address,
      data: concat([SALT, deployerCode]) as Hex,
      gasLimit: creationGas(deployerCode),
      label: 'deploy Deployer',
    },
    creations,
    wiring,
    checks: here(CHECKS).map(check),
    at,
  };
}

/** 200 gas for a byte that stays, 18 for one of calldata, and room for what a constructor does. */
const creationGas = (code: string): bigint => 1_000_000n + BigInt((code.length / 2) * 220);

/** The plan's contracts as a profile names them. @param deployedAt block before which there is nothing of them */
export const contractsOf = ({ at }: DeploymentPlan, deployedAt: number): NetworkContracts => ({
  vault: at.Vault,
  offers: at.Offers,
  rentals: at.Rentals,
  parameters: at.Parameters,
  watt: at.Watt,
  stakes: at.Stakes,
  jobs: at.Jobs,
  juries: at.Juries,
  record: at.Record,
  attestations: at.Attestations,
  timelock: at.TimelockController,
  governor: at.StakeGovernor,
  deployedAt,
});

const lower = (address: string) => address.toLowerCase() as Address;

/** All of a plan on a chain where nothing of it is yet and the proxy is. */
export const allOf = ({ first, creations, wiring }: DeploymentPlan): DeploymentTransaction[] => [
  first,
  ...creations,
  ...wiring,
];
