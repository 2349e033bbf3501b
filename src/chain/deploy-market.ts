import { getCreateAddress, Interface } from 'ethers';
import type { Address, Hex } from '../shared/ids.ts';
import { ETH } from '../shared/ids.ts';
import { CONTRACTS, DEPLOYMENT, WIRING } from './abi/deployment.ts';
import type { ContractName, DeploymentRoles } from './abi/deployment.ts';

/** A transaction of a deployment: `to` is null where it creates a contract. */
export interface DeploymentTransaction {
  nonce: number;
  to: Address | null;
  data: Hex;
  gasLimit: bigint;
  label: string;
}

/**
 * Everything that puts a market on a chain, in order, and where its contracts will be. Pure: the deployer's account and
 * its next nonce decide all addresses. `practice` adds the practice dollar.
 */
export function planDeployment(
  deployer: Address,
  firstNonce: number,
  roles: DeploymentRoles,
  { practice }: { practice: boolean },
): { transactions: DeploymentTransaction[]; at: Readonly<Record<ContractName, Address>> } {
  const steps = DEPLOYMENT.filter((step) => practice || !step.practiceOnly);
  const at: Record<ContractName, Address> = {
    AccessManager: ETH,
    Parameters: ETH,
    Vault: ETH,
    Offers: ETH,
    Rentals: ETH,
    PracticeDollar: ETH,
  };
  for (const [index, { name }] of steps.entries()) {
    at[name] = getCreateAddress({ from: deployer, nonce: firstNonce + index }).toLowerCase() as Address;
  }
  const creations = steps.map(({ name, args }, index): DeploymentTransaction => {
    const { abi, bytecode } = CONTRACTS[name];
    const constructorArgs = new Interface(abi).encodeDeploy([...args(at, roles)]);
    return {
      nonce: firstNonce + index,
      to: null,
      data: `${bytecode}${constructorArgs.slice(2)}` as Hex,
      gasLimit: 8_000_000n,
      label: `deploy ${name}`,
    };
  });
  const wiring = WIRING.filter((call) => practice || !call.practiceOnly).map((call, index): DeploymentTransaction => {
    const data = new Interface(CONTRACTS[call.contract].abi).encodeFunctionData(call.method, [...call.args(at)]);
    return {
      nonce: firstNonce + steps.length + index,
      to: at[call.contract],
      data: data as Hex,
      gasLimit: 500_000n,
      label: `${call.contract}.${call.method}`,
    };
  });
  return { transactions: [...creations, ...wiring], at };
}
