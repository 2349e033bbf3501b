/** Puts a market on any EVM network, one transaction after the other; run again, it goes on where it was. */
import { Interface } from 'ethers';
import { AppError } from '../shared/errors.ts';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import { delay } from '../shared/retry.ts';
import { CONTRACTS } from './abi/deployment.ts';
import type { DeploymentRoles } from './abi/deployment.ts';
import type { TransactionSigner } from './chain.ts';
import { CREATE2_PROXY, contractsOf, deployerInterface, planDeployment } from './deploy-market.ts';
import type { DeploymentPlan, DeploymentTransaction, PlannedCheck } from './deploy-market.ts';
import { FEE_CAP, suggestFees } from './fees.ts';
import type { NetworkContracts } from './profile.ts';
import { receiptsOf } from './receipts.ts';
import { RpcError, toBigQuantity, toBytes, toHexQuantity, toQuantity } from './rpc.ts';
import type { Rpc } from './rpc.ts';

/** EIP-170: a contract that is larger cannot have been deployed. */
const MAX_DEPLOYED_BYTES = 24_576;

/** One thing a deployment did, or found done. */
export interface DeploymentStep {
  label: string;
  /** Where the contract stands; null for a call. */
  place: Address | null;
  /** False where an earlier run had done it; then it cost nothing now. */
  sent: boolean;
  gas: bigint;
  /** Wei. */
  networkFee: bigint;
}

export interface Deployment {
  contracts: NetworkContracts;
  /** Only with `practice`. */
  practiceDollar: Address | null;
  steps: DeploymentStep[];
}

export interface DeployOptions {
  rpc: Rpc;
  chainId: number;
  /** The admin: sends everything, and pays for it. */
  signer: TransactionSigner;
  /** Vault account of the network fees, and first holder of all WATT. */
  treasury: Address;
  /** May pause new deals; the signer where nobody is named. */
  guardian?: Address;
  /** With play money: adds the practice dollar. */
  practice: boolean;
  /** Milliseconds between looks for a receipt. */
  pollMs: number;
  /** Most wei per gas. */
  feeCap?: bigint;
  onStep?: (step: DeploymentStep) => void;
  signal?: AbortSignal;
}

/**
 * Deploys what is missing, wires it, hands it over to the holders of stake, and checks sizes and wiring of everything.
 * @throws AppError insufficient-funds, reverted, network-down, over-limit; conflict when something else stands there
 */
export async function deployMarket(options: DeployOptions): Promise<Deployment> {
  const { rpc, signer, treasury, guardian, practice, onStep } = options;
  const roles: DeploymentRoles = { admin: signer.address, treasury, ...(guardian === undefined ? {} : { guardian }) };
  const plan = planDeployment(roles, { practice });
  const steps: DeploymentStep[] = [];
  const note = (step: DeploymentStep) => {
    steps.push(step);
    onStep?.(step);
  };
  const send = makeSender(options);
  const step = async ({ place, ...transaction }: DeploymentTransaction & { place: Address | null }, done: boolean) => {
    const cost = done ? { gas: 0n, networkFee: 0n } : await send(transaction);
    note({ label: transaction.label, place, sent: !done, ...cost });
  };

  await settled(options);
  // Nothing of it is older than this block, unless an earlier run began.
  const startedAt = toQuantity(await rpc.call('eth_blockNumber', []), 'eth_blockNumber') + 1;
  const began = await exists(rpc, plan.deployer);

  if (!began) await placeProxy(options, send, note);
  await step({ ...plan.first, place: plan.deployer }, began);
  const created = await createdBy(rpc, plan.deployer);
  // Said before anything is paid for it.
  await insist(rpc, plan, standing(plan, created));
  for (const [number, creation] of plan.creations.entries()) await step(creation, number < created);
  await checkSizes(rpc, plan);
  // The last call lets go: after it the admin could send none of them, and `miswired` says what is not as asked for.
  const last = plan.wiring.at(-1);
  const handedOver = last === undefined || (await holds(rpc, plan, last.done));
  for (const { done, ...call } of plan.wiring) {
    await step({ ...call, place: null }, handedOver || (await holds(rpc, plan, done)));
  }
  await insist(rpc, plan, [...plan.checks, ...plan.wiring.map(({ done }) => done)]);

  const { at } = plan;
  return {
    contracts: contractsOf(plan, await firstBlock(rpc, plan.deployer, began ? 0 : startedAt)),
    practiceDollar: practice ? at.PracticeDollar : null,
    steps,
  };
}

type Cost = Pick<DeploymentStep, 'gas' | 'networkFee'>;
type Send = (transaction: Omit<DeploymentTransaction, 'gasLimit'> & { value?: bigint }) => Promise<Cost>;

/** Sends one transaction and waits until it is in a block. */
function makeSender({ rpc, chainId, signer, feeCap = FEE_CAP, pollMs, signal }: DeployOptions): Send {
  return async ({ to, data, value = 0n, label }) => {
    const call = { from: signer.address, to, data, value: toHexQuantity(value) };
    try {
      const estimate = toBigQuantity(await rpc.call('eth_estimateGas', [call]), 'eth_estimateGas');
      const nonce = toQuantity(await rpc.call('eth_getTransactionCount', [signer.address, 'latest']), 'a nonce');
      const fees = await suggestFees(rpc, feeCap);
      const gasLimit = estimate + estimate / 10n;
      const raw = await signer.signTransaction({ chainId, nonce, to, data, value, gasLimit, ...fees });
      const hash = toBytes(await rpc.call('eth_sendRawTransaction', [raw]), 'a hash', 32);
      const receipt = await mined(rpc, hash, pollMs, signal);
      if (!receipt.succeeded)
        throw new AppError('reverted', `${label} failed in block ${receipt.block}.`, { next: AGAIN });
      return { gas: receipt.gasUsed, networkFee: receipt.networkFee };
    } catch (thrown) {
      throw refused(thrown, label, signer.address);
    }
  };
}

const AGAIN = 'Run the same command again: what stands already is kept.';

function refused(thrown: unknown, label: string, account: Address): unknown {
  if (!(thrown instanceof RpcError)) return thrown;
  const poor = /insufficient funds|gas required exceeds allowance/i.test(thrown.message);
  return new AppError(
    poor ? 'insufficient-funds' : 'reverted',
    poor ? `${account} has too little ETH for: ${label}.` : `The network refuses: ${label} (${thrown.message}).`,
    { next: poor ? `Send it ETH. ${AGAIN}` : AGAIN, cause: thrown },
  );
}

async function mined(rpc: Rpc, hash: Bytes32, pollMs: number, signal?: AbortSignal) {
  for (;;) {
    const receipt = (await receiptsOf(rpc, [hash])).get(hash);
    if (receipt) return receipt;
    await delay(pollMs, signal);
  }
}

/** A run that was killed may have left a transaction on its way: it is waited for, not sent twice. */
async function settled({ rpc, signer, pollMs, signal }: DeployOptions): Promise<void> {
  const count = async (block: string) =>
    toQuantity(await rpc.call('eth_getTransactionCount', [signer.address, block]), 'a nonce');
  while ((await count('pending')) > (await count('latest'))) await delay(pollMs, signal);
}

/** Networks without the deterministic deployment proxy get it: its sender is given what its transaction costs. */
async function placeProxy(options: DeployOptions, send: Send, note: (step: DeploymentStep) => void): Promise<void> {
  const { rpc, pollMs, signal } = options;
  if (await exists(rpc, CREATE2_PROXY.address)) return;
  const label = 'deploy the deterministic deployment proxy';
  const held = toBigQuantity(await rpc.call('eth_getBalance', [CREATE2_PROXY.sender, 'latest']), 'a balance');
  const value = held < CREATE2_PROXY.funds ? CREATE2_PROXY.funds - held : 0n;
  const cost =
    value === 0n ? { gas: 0n, networkFee: 0n } : await send({ to: CREATE2_PROXY.sender, data: '0x', value, label });
  let hash: Hex;
  try {
    hash = toBytes(await rpc.call('eth_sendRawTransaction', [CREATE2_PROXY.transaction]), 'a hash', 32);
  } catch (thrown) {
    if (!(thrown instanceof RpcError)) throw thrown;
    throw new AppError(
      'unsupported',
      `This network does not take the transaction that deploys the deterministic deployment proxy (${thrown.message}).`,
      {
        next: `Ask the network’s operators to put it at ${CREATE2_PROXY.address}; what was sent for it stays there.`,
        cause: thrown,
      },
    );
  }
  const receipt = await mined(rpc, hash, pollMs, signal);
  // What the proxy's sender was given is spent, whatever is left of it.
  note({
    label,
    place: CREATE2_PROXY.address,
    sent: true,
    gas: cost.gas + receipt.gasUsed,
    networkFee: cost.networkFee + value,
  });
}

async function codeOf(rpc: Rpc, place: Address): Promise<Hex> {
  return toBytes(await rpc.call('eth_getCode', [place, 'latest']), 'code');
}

const exists = async (rpc: Rpc, place: Address): Promise<boolean> => (await codeOf(rpc, place)) !== '0x';

async function createdBy(rpc: Rpc, deployer: Address): Promise<number> {
  const answer = await rpc.call('eth_call', [
    { to: deployer, data: deployerInterface.encodeFunctionData('created') },
    'latest',
  ]);
  return Number(deployerInterface.decodeFunctionResult('created', toBytes(answer, 'created'))[0]);
}

/** The block in which the first contract was created; `otherwise`, which is before it, where the node does not say. */
async function firstBlock(rpc: Rpc, deployer: Address, otherwise: number): Promise<number> {
  const topics = deployerInterface.encodeFilterTopics('Created', [0]);
  try {
    const logs = await rpc.call('eth_getLogs', [{ address: deployer, fromBlock: '0x0', toBlock: 'latest', topics }]);
    const [first] = logs as { blockNumber: unknown }[];
    return toQuantity(first?.blockNumber, 'a log');
  } catch {
    return otherwise;
  }
}

async function checkSizes(rpc: Rpc, { creations }: DeploymentPlan): Promise<void> {
  for (const { contract, place } of creations) {
    const bytes = (await codeOf(rpc, place)).length / 2 - 1;
    if (bytes === 0 || bytes > MAX_DEPLOYED_BYTES) {
      throw new AppError('conflict', `${contract} at ${place} has ${bytes} bytes, of at most ${MAX_DEPLOYED_BYTES}.`);
    }
  }
}

async function holds(rpc: Rpc, { at }: DeploymentPlan, { contract, method, args, answer }: PlannedCheck) {
  const contractInterface = new Interface(CONTRACTS[contract].abi);
  const data = contractInterface.encodeFunctionData(method, [...args]);
  const given: unknown = contractInterface.decodeFunctionResult(
    method,
    toBytes(await rpc.call('eth_call', [{ to: at[contract], data }, 'latest']), method),
  )[0];
  return typeof given === 'string' ? given.toLowerCase() === answer : given === answer;
}

/** Checks of those contracts that stand when `created` do. */
function standing({ creations, checks }: DeploymentPlan, created: number): PlannedCheck[] {
  const there = new Set(creations.slice(0, created).map(({ contract }) => contract));
  return checks.filter(({ contract }) => there.has(contract));
}

async function insist(rpc: Rpc, plan: DeploymentPlan, checks: readonly PlannedCheck[]): Promise<void> {
  for (const check of checks) {
    if (!(await holds(rpc, plan, check))) throw miswired(plan, check);
  }
}

function miswired({ at }: DeploymentPlan, { contract, method, args, answer }: PlannedCheck): AppError {
  const question = `${method}(${args.map(String).join(', ')})`;
  return new AppError('conflict', `${contract} at ${at[contract]} does not answer ${String(answer)} to ${question}.`, {
    next: 'This account has deployed with another treasury, guardian or version before: use another account.',
  });
}
