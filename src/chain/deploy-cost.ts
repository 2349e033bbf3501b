/** What a deployment would cost, measured by doing it on a private chain that is thrown away. */
import { Wallet } from 'ethers';
import type { Address, Hex } from '../shared/ids.ts';
import { deployMarket } from './deploy.ts';
import type { DeploymentStep } from './deploy.ts';
import { CREATE2_PROXY } from './deploy-market.ts';
import { findAnvil, startAnvil } from './practice/anvil-process.ts';
import { toBigQuantity, toBytes } from './rpc.ts';
import type { Rpc } from './rpc.ts';

export interface DeploymentCost {
  steps: { label: string; gas: bigint }[];
  gas: bigint;
  /** Wei per gas on the network now. */
  gasPrice: bigint;
  /** Wei at that price, the proxy's own transaction included where the network lacks it. */
  networkFee: bigint;
}

/** @param rpc the network it is meant for: asked for its price and for the proxy, sent nothing */
export async function deploymentCost(rpc: Rpc, { practice }: { practice: boolean }): Promise<DeploymentCost> {
  const gasPrice = toBigQuantity(await rpc.call('eth_gasPrice', []), 'eth_gasPrice');
  const proxyCode = toBytes(await rpc.call('eth_getCode', [CREATE2_PROXY.address, 'latest']), 'code');
  const steps = (await rehearse(practice)).map(({ label, gas }) => ({ label, gas }));
  const gas = steps.reduce((sum, step) => sum + step.gas, 0n);
  const proxy = proxyCode === '0x' ? CREATE2_PROXY.funds : 0n;
  return { steps, gas, gasPrice, networkFee: gas * gasPrice + proxy };
}

async function rehearse(practice: boolean): Promise<DeploymentStep[]> {
  const chainId = 31_337;
  const anvil = await startAnvil({ binary: findAnvil(), chainId });
  try {
    const wallet = new Wallet(Wallet.createRandom().privateKey);
    const address = wallet.address.toLowerCase() as Address;
    await anvil.rpc.call('evm_setAutomine', [true]);
    await anvil.rpc.call('anvil_setBalance', [address, '0xd3c21bcecceda1000000']);
    const signer = {
      address,
      signTransaction: async (transaction: object) =>
        (await wallet.signTransaction({ type: 2, ...transaction })) as Hex,
    };
    const { steps } = await deployMarket({
      rpc: anvil.rpc,
      chainId,
      signer,
      treasury: address,
      practice,
      pollMs: 20,
    });
    return steps;
  } finally {
    await anvil.stop();
  }
}
