import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Interface, Wallet } from 'ethers';
import { AppError } from '../../shared/errors.ts';
import { ETH } from '../../shared/ids.ts';
import type { Address, Bytes32, Hex } from '../../shared/ids.ts';
import { CONTRACTS } from '../abi/deployment.ts';
import { erc20Interface } from '../contract-interfaces.ts';
import { allOf, contractsOf, planDeployment } from '../deploy-market.ts';
import type { NetworkContracts } from '../profile.ts';
import { toBigQuantity, toBytes, toQuantity, toRecord } from '../rpc.ts';
import type { PracticeChain } from './practice-chain.ts';

/** The account that owns all practice money, deploys the contracts and fills wallets. Its key stays in one file. */
export interface Operator {
  readonly address: Address;
  /** Puts the contracts on the chain. */
  deploy(): Promise<NetworkContracts & { practiceDollar: Address }>;
  /** ETH for network fees, practice dollars to spend and WATT to stake. Resolves once all are in a block. */
  fill(to: Address, tokens: PracticeTokens): Promise<Bytes32>;
  /** Any amount of one token of the network. @throws AppError unsupported for another token, insufficient-funds */
  give(to: Address, token: Address, amount: bigint, tokens: PracticeTokens): Promise<Bytes32>;
}

export interface PracticeTokens {
  practiceDollar: Address;
  /** Undefined on a practice network from before there was WATT. */
  watt: Address | undefined;
}

/** 10 ETH, 1,000 practice dollars and 1,000 WATT. */
export const FAUCET_WEI = 10n ** 19n;
export const FAUCET_DOLLARS = 1_000_000_000n;
export const FAUCET_WATT = 1000n * 10n ** 18n;

const dollarInterface = new Interface(CONTRACTS.PracticeDollar.abi);

/** The operator's key, made at the first start. */
export function operatorWallet(file: string): Wallet {
  if (existsSync(file)) return new Wallet(readFileSync(file, 'utf8').trim());
  const key = `0x${randomBytes(32).toString('hex')}`;
  const temporary = `${file}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  writeFileSync(fd, key);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(temporary, file);
  return new Wallet(key);
}

export async function operate(wallet: Wallet, chainId: number, chain: PracticeChain): Promise<Operator> {
  const address = wallet.address.toLowerCase() as Address;
  let nonce = toQuantity(await chain.rpc.call('eth_getTransactionCount', [address, 'pending']), 'nonce');
  let turn: Promise<unknown> = Promise.resolve();

  /** Signs and submits in order; a refusal leaves no gap because nothing behind it was signed yet. */
  const sendAll = (
    transactions: readonly { to: Address | null; data: Hex; value?: bigint; gasLimit: bigint }[],
  ): Promise<Bytes32[]> => {
    const run = turn.then(async () => {
      const first = nonce;
      const raws = await Promise.all(
        transactions.map(
          async (transaction, index) =>
            (await wallet.signTransaction({
              type: 2,
              chainId,
              nonce: first + index,
              maxFeePerGas: 10n ** 11n,
              maxPriorityFeePerGas: 10n ** 9n,
              ...transaction,
            })) as Hex,
        ),
      );
      nonce = first + raws.length;
      try {
        return await Promise.all(raws.map((raw) => chain.submit(raw)));
      } catch (thrown) {
        nonce = toQuantity(await chain.rpc.call('eth_getTransactionCount', [address, 'pending']), 'nonce');
        throw thrown;
      }
    });
    turn = run.catch(() => undefined);
    return run;
  };

  const mined = async (hash: Bytes32): Promise<{ block: number }> => {
    for (;;) {
      const next = new Promise<void>((resolve) => {
        const off = chain.blocks.on(() => {
          off();
          resolve();
        });
      });
      const receipt = await chain.rpc.call('eth_getTransactionReceipt', [hash]);
      if (receipt !== null) {
        const { status, blockNumber } = toRecord(receipt, 'a receipt');
        if (status !== '0x1') throw new AppError('internal', 'A transaction of the practice network itself failed.');
        return { block: toQuantity(blockNumber, 'a receipt') };
      }
      await next;
    }
  };

  const holds = async (token: Address): Promise<bigint> => {
    if (token === ETH) return toBigQuantity(await chain.rpc.call('eth_getBalance', [address, 'pending']), 'a balance');
    const data = erc20Interface.encodeFunctionData('balanceOf', [address]);
    return BigInt(toBytes(await chain.rpc.call('eth_call', [{ to: token, data }, 'latest']), 'a balance', 32));
  };

  return {
    address,
    async deploy() {
      const roles = { admin: address, treasury: address };
      const plan = planDeployment(roles, { practice: true });
      const hashes = await sendAll(allOf(plan));
      const places = await Promise.all(hashes.map(mined));
      const deployedAt = Math.min(...places.map(({ block }) => block));
      return { ...contractsOf(plan, deployedAt), practiceDollar: plan.at.PracticeDollar };
    },
    async fill(to, { practiceDollar, watt }) {
      const hashes = await sendAll([
        giftOf(to, ETH, FAUCET_WEI),
        giftOf(to, practiceDollar, FAUCET_DOLLARS, practiceDollar),
        // A practice network from before there was WATT has none to give.
        ...(watt === undefined ? [] : [giftOf(to, watt, FAUCET_WATT)]),
      ]);
      const [, dollars] = hashes;
      if (!dollars) throw new AppError('internal', 'The faucet sent nothing.');
      for (const hash of hashes) await mined(hash);
      return dollars;
    },
    async give(to, token, amount, { practiceDollar, watt }) {
      if (token !== ETH && token !== practiceDollar && token !== watt) {
        throw new AppError('unsupported', `The practice network has no token ${token} to give.`, { field: 'token' });
      }
      const left = token === practiceDollar ? amount : await holds(token);
      if (amount > left) {
        throw new AppError('insufficient-funds', 'The practice network itself does not hold that much.', {
          field: 'amount',
          next: 'Ask for less.',
        });
      }
      const [hash] = await sendAll([giftOf(to, token, amount, practiceDollar)]);
      if (!hash) throw new AppError('internal', 'The practice network sent nothing.');
      await mined(hash);
      return hash;
    },
  };
}

/** Practice dollars are made as they are given; everything else the operator holds. */
function giftOf(to: Address, token: Address, amount: bigint, practiceDollar?: Address) {
  if (token === ETH) return { to, data: '0x' as Hex, value: amount, gasLimit: 50_000n };
  const data =
    token === practiceDollar
      ? dollarInterface.encodeFunctionData('mint', [to, amount])
      : erc20Interface.encodeFunctionData('transfer', [to, amount]);
  return { to: token, data: data as Hex, gasLimit: 150_000n };
}
