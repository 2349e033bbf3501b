import { Wallet } from 'ethers';
import { deploymentCost, type DeploymentCost } from '../../chain/deploy-cost.ts';
import { deployMarket, type Deployment, type DeploymentStep } from '../../chain/deploy.ts';
import { loadProfiles, parseProfile, wattToken, type NetworkProfile } from '../../chain/profile.ts';
import { createRpc } from '../../chain/rpc.ts';
import { AppError } from '../../shared/errors.ts';
import { toAddress, type Address, type Hex } from '../../shared/ids.ts';
import { formatAmount } from '../../shared/money.ts';
import { networksFiles, writeProfile } from '../networks-file.ts';
import type { CommandContext } from './command.ts';
import { readSecret } from './prompt.ts';
import { parseWhole, table } from './values.ts';

const ether = (wei: bigint) => `${formatAmount(wei, 18, { maxFraction: 9 })} ETH`;

/** `commonwatt deploy`. Its own module, so that no other command loads what it needs. */
export async function runDeploy(context: CommandContext): Promise<void> {
  const name = context.options.text('network');
  if (name === undefined || name === 'practice') {
    throw new AppError('bad-input', 'deploy needs --network and the name of a network.', {
      field: '--network',
      next: 'The practice network deploys by itself: commonwatt serve.',
    });
  }
  const known = loadProfiles(networksFiles(context.dataDir)).get(name);
  const rpcUrls = urlsFrom(context, known);
  const chainId = await chainIdOf(rpcUrls[0] ?? '', context.signal);
  if (known && known.chainId !== chainId) {
    throw new AppError(
      'wrong-network',
      `${name} is chain ${known.chainId}, and ${rpcUrls[0]} serves chain ${chainId}.`,
      {
        field: '--rpc',
        next: 'Give another --rpc, or another name for the new network.',
      },
    );
  }
  const rpc = createRpc({ urls: rpcUrls, chainId });
  if (context.options.flag('dry-run')) {
    const cost = await deploymentCost(rpc, { practice: false });
    context.print({ chainId, ...inWords(cost) }, costTable(name, chainId, cost));
    return;
  }
  const wallet = walletFrom(
    await readSecret(context, { option: 'private-key-file', question: 'Private key of the account that pays' }),
  );
  const account = wallet.address.toLowerCase() as Address;
  const guardian = addressFrom(context, 'guardian');
  const deployment = await deployMarket({
    rpc,
    chainId,
    signer: {
      address: account,
      signTransaction: async (transaction) => (await wallet.signTransaction({ type: 2, ...transaction })) as Hex,
    },
    treasury: addressFrom(context, 'treasury') ?? account,
    ...(guardian === undefined ? {} : { guardian }),
    practice: false,
    pollMs: 1000,
    onStep: (step) => context.say(stepLine(step)),
    signal: context.signal,
  });
  const confirmations = context.options.text('confirmations');
  const profile = parseProfile({
    ...known,
    name,
    chainId,
    rpcUrls,
    ...(confirmations === undefined ? {} : { confirmations: parseWhole(confirmations, '--confirmations') }),
    contracts: deployment.contracts,
    tokens: tokensOf(known, deployment),
  });
  const file = writeProfile(context.dataDir, profile);
  const cost = deployment.steps.reduce((sum, { networkFee }) => sum + networkFee, 0n);
  context.print({ file, cost: cost.toString(), profile }, [
    ...table(Object.entries(deployment.contracts).map(([contract, place]) => [contract, String(place)])),
    `Sizes and wiring are right. This run cost ${ether(cost)}.`,
    `Written to ${file}. Start on it with: commonwatt serve --network ${name}`,
  ]);
}

function urlsFrom({ options: given }: CommandContext, known: NetworkProfile | undefined): readonly string[] {
  const url = given.text('rpc');
  if (url === undefined) {
    if (known) return known.rpcUrls;
    throw new AppError('bad-input', 'There is no profile of that network, so deploy needs --rpc.', {
      field: '--rpc',
      next: 'Give its RPC endpoint, like --rpc http://127.0.0.1:8545.',
    });
  }
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new AppError('bad-input', '--rpc must be an http address.', {
      field: '--rpc',
      next: 'Write it like http://127.0.0.1:8545.',
    });
  }
  return [url, ...(known?.rpcUrls ?? []).filter((other) => other !== url)];
}

/** Asked of the node itself: the profile that says it is only being written. */
async function chainIdOf(url: string, signal: AbortSignal): Promise<number> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
      signal: AbortSignal.any([signal, AbortSignal.timeout(15_000)]),
      redirect: 'error',
    });
    const { result } = (await response.json()) as { result?: unknown };
    const chainId = Number(result);
    if (typeof result !== 'string' || !Number.isSafeInteger(chainId) || chainId < 1) throw new Error('no chain id');
    return chainId;
  } catch (thrown) {
    throw new AppError('network-down', `${url} does not answer as a node of a network does.`, {
      field: '--rpc',
      cause: thrown,
    });
  }
}

function walletFrom(key: string): Wallet {
  try {
    return new Wallet(key.trim());
  } catch {
    // The cause would repeat the key.
    throw new AppError('bad-input', 'That is not a private key.', {
      field: '--private-key-file',
      next: 'A private key is 64 hexadecimal digits.',
    });
  }
}

function addressFrom({ options: given }: CommandContext, option: string): Address | undefined {
  const text = given.text(option);
  return text === undefined ? undefined : toAddress(text, `--${option}`);
}

const tokensOf = (known: NetworkProfile | undefined, { contracts }: Deployment) => [
  ...(known?.tokens ?? []).filter(({ symbol }) => symbol !== 'WATT'),
  ...(contracts.watt === undefined ? [] : [wattToken(contracts.watt)]),
];

const stepLine = ({ label, place, sent, gas, networkFee }: DeploymentStep): string =>
  `${label}${place === null ? '' : ` at ${place}`}: ${sent ? `${gas} gas, ${ether(networkFee)}` : 'there already'}`;

const inWords = ({ steps, gas, gasPrice, networkFee }: DeploymentCost) => ({
  steps: steps.map((step) => ({ label: step.label, gas: Number(step.gas) })),
  gas: Number(gas),
  gasPrice: gasPrice.toString(),
  networkFee: networkFee.toString(),
});

const costTable = (name: string, chainId: number, { steps, gas, gasPrice, networkFee }: DeploymentCost): string[] => [
  `What deploying to ${name} (chain ${chainId}) costs at ${formatAmount(gasPrice, 9, { maxFraction: 3 })} gwei per gas:`,
  ...table([
    ...steps.map((step) => [`  ${step.label}`, `${step.gas} gas`, ether(step.gas * gasPrice)]),
    ['  all of it', `${gas} gas`, ether(networkFee)],
  ]),
  'Nothing was sent.',
];
