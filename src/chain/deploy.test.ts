import { Wallet } from 'ethers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Address } from '../shared/ids.ts';
import type { TransactionSigner } from './chain.ts';
import { deploymentCost } from './deploy-cost.ts';
import { deployMarket } from './deploy.ts';
import type { DeployOptions } from './deploy.ts';
import { CREATE2_PROXY } from './deploy-market.ts';
import { findAnvil, startAnvil } from './practice/anvil-process.ts';
import type { AnvilProcess } from './practice/anvil-process.ts';
import { toQuantity } from './rpc.ts';
import { transactionSignerOf } from './testing-host.ts';

const CHAIN_ID = 424_242;
const wallet = new Wallet(`0x${'5a'.repeat(32)}`);
const account = wallet.address.toLowerCase() as Address;
const someone: Address = `0x${'12'.repeat(20)}`;

const running: AnvilProcess[] = [];
let anvil: AnvilProcess;

async function chain(chainId: number): Promise<AnvilProcess> {
  const node = await startAnvil({ binary: findAnvil(), chainId });
  running.push(node);
  await node.rpc.call('evm_setAutomine', [true]);
  await node.rpc.call('anvil_setBalance', [account, '0x3635c9adc5dea00000']);
  return node;
}

const options = (change: Partial<DeployOptions> = {}): DeployOptions => ({
  rpc: anvil.rpc,
  chainId: CHAIN_ID,
  signer: transactionSignerOf(wallet),
  treasury: account,
  practice: false,
  pollMs: 20,
  ...change,
});
const sentCount = async () =>
  toQuantity(await anvil.rpc.call('eth_getTransactionCount', [account, 'latest']), 'a nonce');

beforeEach(async () => {
  anvil = await chain(CHAIN_ID);
});
afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
});

describe('deploying', () => {
  test('once is enough: a second run sends nothing and says the same', async () => {
    const first = await deployMarket(options());
    const count = await sentCount();
    expect(first.steps.every(({ sent, gas }) => sent && gas > 20_000n)).toBe(true);
    expect(count).toBe(first.steps.length);
    expect(first.practiceDollar).toBeNull();
    const second = await deployMarket(options());
    expect(second.contracts).toEqual(first.contracts);
    expect(second.steps.some(({ sent }) => sent)).toBe(false);
    expect(await sentCount()).toBe(count);
    expect(first.contracts.deployedAt).toBeGreaterThan(0);
  }, 60_000);

  test('the same account gets the same addresses on every network', async () => {
    const here = await deployMarket(options());
    const other = await chain(CHAIN_ID + 1);
    // What it did there before does not matter.
    await other.rpc.call('anvil_setNonce', [account, '0x2a']);
    const there = await deployMarket(options({ rpc: other.rpc, chainId: CHAIN_ID + 1 }));
    expect({ ...there.contracts, deployedAt: 0 }).toEqual({ ...here.contracts, deployedAt: 0 });
  }, 60_000);

  test('broken off anywhere, it goes on where it was', async () => {
    const real = transactionSignerOf(wallet);
    let refusals = 0;
    for (;;) {
      // Each run gets two transactions further than the last one and dies: once before a third is sent, once while it is
      // on its way.
      let left = 3;
      const dying: TransactionSigner = {
        address: account,
        async signTransaction(transaction) {
          left -= 1;
          const raw = await real.signTransaction(transaction);
          if (left > 0) return raw;
          if (refusals % 2 === 1) await anvil.rpc.call('eth_sendRawTransaction', [raw]);
          throw new Error('killed');
        },
      };
      try {
        const done = await deployMarket(options({ signer: dying }));
        const again = await deployMarket(options());
        expect(again.contracts).toEqual(done.contracts);
        break;
      } catch (thrown) {
        if (!(thrown instanceof Error) || thrown.message !== 'killed') throw thrown;
        refusals += 1;
      }
    }
    expect(refusals).toBeGreaterThan(4);
    const all = await deployMarket(options());
    const blocks = toQuantity(await anvil.rpc.call('eth_blockNumber', []), 'eth_blockNumber');
    const receipts = await anvil.rpc.batch(
      Array.from({ length: blocks }, (_, index) => ({
        method: 'eth_getBlockReceipts',
        params: [`0x${(index + 1).toString(16)}`],
      })),
    );
    const succeeded = receipts.flatMap((answer) => (answer.ok ? (answer.result as { status: string }[]) : []));
    expect(succeeded.every(({ status }) => status === '0x1')).toBe(true);
    // Nothing was done twice, nothing was left out.
    expect(succeeded).toHaveLength(all.steps.length);
  }, 90_000);

  test('another treasury half-way is refused before anything is paid', async () => {
    const real = transactionSignerOf(wallet);
    let left = 5;
    const dying: TransactionSigner = {
      address: account,
      async signTransaction(transaction) {
        left -= 1;
        if (left < 0) throw new Error('killed');
        return real.signTransaction(transaction);
      },
    };
    await expect(deployMarket(options({ signer: dying }))).rejects.toThrow('killed');
    const count = await sentCount();
    await expect(deployMarket(options({ treasury: someone }))).rejects.toMatchObject({ code: 'conflict' });
    expect(await sentCount()).toBe(count);
    await deployMarket(options());
  }, 60_000);

  test('a network without the deterministic deployment proxy gets it where it always is', async () => {
    const code = await anvil.rpc.call('eth_getCode', [CREATE2_PROXY.address, 'latest']);
    const usual = await deployMarket(options());
    const bare = await chain(CHAIN_ID + 2);
    await bare.rpc.call('anvil_setCode', [CREATE2_PROXY.address, '0x']);
    await bare.rpc.call('anvil_setNonce', [CREATE2_PROXY.address, '0x0']);
    const { steps, contracts } = await deployMarket(options({ rpc: bare.rpc, chainId: CHAIN_ID + 2 }));
    expect(await bare.rpc.call('eth_getCode', [CREATE2_PROXY.address, 'latest'])).toBe(code);
    expect(steps[0]).toMatchObject({
      label: 'deploy the deterministic deployment proxy',
      place: CREATE2_PROXY.address,
    });
    expect(contracts.vault).toBe(usual.contracts.vault);
  }, 60_000);

  test('what is not as asked for is said', async () => {
    await deployMarket(options());
    await expect(deployMarket(options({ treasury: someone }))).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('treasury') as string,
    });
    await expect(deployMarket(options({ guardian: someone }))).rejects.toMatchObject({ code: 'conflict' });
    const poor = Wallet.createRandom();
    await expect(
      deployMarket(options({ signer: transactionSignerOf(new Wallet(poor.privateKey)) })),
    ).rejects.toMatchObject({
      code: 'insufficient-funds',
    });
    const stop = AbortSignal.abort(new Error('enough'));
    await anvil.rpc.call('evm_setAutomine', [false]);
    const another = new Wallet(Wallet.createRandom().privateKey);
    await anvil.rpc.call('anvil_setBalance', [another.address, '0x3635c9adc5dea00000']);
    await expect(deployMarket(options({ signer: transactionSignerOf(another), signal: stop }))).rejects.toThrow(
      'enough',
    );
  }, 60_000);

  test('a rehearsal sends nothing and costs what the real thing does', async () => {
    const cost = await deploymentCost(anvil.rpc, { practice: false });
    expect(await sentCount()).toBe(0);
    const { steps } = await deployMarket(options());
    expect(cost.steps.map(({ label }) => label)).toEqual(steps.map(({ label }) => label));
    const gas = steps.reduce((sum, step) => sum + step.gas, 0n);
    const difference = Number(cost.gas - gas) / Number(gas);
    expect(Math.abs(difference)).toBeLessThan(0.001);
    expect(cost.networkFee).toBe(cost.gas * cost.gasPrice);
  }, 60_000);
});
