/**
 * A chain of its own for measuring and replaying: anvil as a child on a free port, every contract deployed as the
 * product deploys it, from the committed bytecode. Fixed keys and times, so that numbers are the same everywhere.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { Contract, ContractFactory, JsonRpcProvider, Wallet, keccak256, toUtf8Bytes } from 'ethers';
import { CONTRACTS as PRODUCTS, DEPLOYMENT, WIRING, addressesFrom } from '../../src/chain/abi/deployment.ts';
import { ROOT } from './compiler.mjs';

export const START_AT = 1_800_000_000;
export const CHAIN_ID = 31_337;
/** On a computer that does other things too. */
const PATIENCE_MS = 30_000;
const anvil = path.join(ROOT, 'node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil');
export const hasAnvil = existsSync(anvil);

/** The same key for the same name, always. */
export const keyOf = (name) => keccak256(toUtf8Bytes(`commonwatt test key ${name}`));

/** @returns {Promise<{provider, contracts, wallet(name), send(promise), close()}>} */
export async function startChain() {
  const child = spawn(
    anvil,
    [
      '--port',
      '0',
      '--chain-id',
      `${CHAIN_ID}`,
      '--timestamp',
      `${START_AT}`,
      '--order',
      'fifo',
      '--hardfork',
      'cancun',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout });
  let url;
  for await (const line of lines) {
    const listening = /Listening on (\S+)/.exec(line);
    if (listening) {
      url = `http://${listening[1]}`;
      break;
    }
  }
  child.stdout.resume();
  const provider = new JsonRpcProvider(url, CHAIN_ID, { staticNetwork: true, cacheTimeout: -1, batchStallTime: 0 });
  provider.pollingInterval = 5;

  const wallets = new Map();
  const wallet = async (name) => {
    if (!wallets.has(name)) {
      const made = new Wallet(keyOf(name), provider);
      await provider.send('anvil_setBalance', [made.address, '0x21e19e0c9bab2400000']);
      wallets.set(name, made);
    }
    return wallets.get(name);
  };
  /** Sends and waits for the receipt, which says what the call cost. The chain mines within milliseconds. */
  const send = async (sending) => {
    const { hash } = await sending;
    for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await setTimeout(2)) {
      const receipt = await provider.getTransactionReceipt(hash);
      if (receipt?.status === 1) return receipt;
      if (receipt) throw new Error(`Transaction ${hash} failed`);
    }
    throw new Error(`Transaction ${hash} was not mined`);
  };

  const admin = await wallet('admin');
  const treasury = await wallet('treasury');
  const at = addressesFrom(admin.address, 0);
  const contracts = {};
  const deployGas = {};
  for (const { name, args } of DEPLOYMENT) {
    const { abi, bytecode } = PRODUCTS[name];
    const factory = new ContractFactory(abi, bytecode, admin);
    const deployed = await factory.deploy(...args(at, { admin: admin.address, treasury: treasury.address }));
    deployGas[name] = Number((await send(deployed.deploymentTransaction())).gasUsed);
    if ((await deployed.getAddress()).toLowerCase() !== at[name]) throw new Error(`${name} is not where it should be`);
    contracts[name] = new Contract(at[name], abi, admin);
  }
  for (const { contract, method, args } of WIRING) {
    await send(contracts[contract][method](...args(at, { admin: admin.address, treasury: treasury.address })));
  }

  return {
    provider,
    at,
    contracts,
    deployGas,
    wallet,
    send,
    async close() {
      provider.destroy();
      child.kill();
      await once(child, 'exit');
    },
  };
}
