/** A practice network of its own, accounts that sign ahead, and how fast what they signed goes through. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { JsonRpcProvider, Wallet, keccak256, toUtf8Bytes } from 'ethers';
import { makeCalls } from '../src/chain/calls.ts';
import type { Call } from '../src/chain/chain.ts';
import { startPracticeNetwork } from '../src/chain/practice/practice-network.ts';
import type { Address, Bytes32, Hex } from '../src/shared/ids.ts';
import { silentLog } from '../src/shared/log.ts';
import { median } from './harness.ts';

/** Raw transactions in one JSON-RPC batch. */
const BATCH = 48;
/** Calls answered, of which the median counts. */
const ROUNDS = 15;

export const hash = (text: string): Bytes32 => keccak256(toUtf8Bytes(text)) as Bytes32;
const lower = (text: string): Address => text.toLowerCase() as Address;

export type ThroughputNetwork = Awaited<ReturnType<typeof startThroughputNetwork>>;
export type SigningAccount = Awaited<ReturnType<ThroughputNetwork['account']>>;

export async function startThroughputNetwork() {
  const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-bench-'));
  const network = await startPracticeNetwork({ dataDir: root, log: silentLog });
  const { profile } = network;
  const rpc = new JsonRpcProvider(network.rpcUrl, profile.chainId, { staticNetwork: true, cacheTimeout: -1 });
  rpc.pollingInterval = 20;
  const dollar = profile.tokens.find(({ symbol }) => symbol === 'PUSD');
  if (!dollar) throw new Error('the practice network names no dollar');

  /** An account that counts its own nonces and signs ahead. */
  async function account(name: string) {
    const wallet = new Wallet(hash(`bench ${name}`), rpc);
    const address = lower(wallet.address);
    await network.faucet(address);
    const { maxFeePerGas } = await rpc.getFeeData();
    let nonce = await rpc.getTransactionCount(address);
    const sign = async ({ to, data, value }: Call, gasLimit = 400_000n): Promise<Hex> => {
      const fees = { maxFeePerGas: (maxFeePerGas ?? 0n) * 2n, maxPriorityFeePerGas: 0n };
      const tx = { to, data, value, nonce: nonce++, gasLimit, chainId: profile.chainId, type: 2, ...fees };
      return (await wallet.signTransaction(tx)) as Hex;
    };
    const send = async (call: Call, gasLimit?: bigint) => {
      const sent = await rpc.broadcastTransaction(await sign(call, gasLimit));
      const receipt = await sent.wait();
      if (receipt?.status !== 1) throw new Error(`${name}: ${call.label} failed`);
    };
    return { address, sign, send, key: wallet.signingKey };
  }

  async function post(raws: readonly Hex[]): Promise<Bytes32[]> {
    const body = raws.map((raw, id) => ({ jsonrpc: '2.0', id, method: 'eth_sendRawTransaction', params: [raw] }));
    const answer = await fetch(network.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const list = (await answer.json()) as { result?: Bytes32; error?: { message: string } }[];
    return list.map(({ result, error }) => {
      if (!result) throw new Error(error?.message ?? 'no answer');
      return result;
    });
  }

  /** Sends every queue in its order, all at once; how long until the last of each is in a block, and in how many blocks. */
  async function run(
    queues: readonly (readonly Hex[])[],
  ): Promise<{ seconds: number; firstBlock: number; blocks: number }> {
    const firstBlock = await rpc.getBlockNumber();
    const started = performance.now();
    const last = await Promise.all(
      queues.map(async (raws) => {
        let hashes: Bytes32[] = [];
        for (let from = 0; from < raws.length; from += BATCH) hashes = await post(raws.slice(from, from + BATCH));
        return hashes.at(-1) ?? '';
      }),
    );
    const receipts = await Promise.all(last.map((txHash) => rpc.waitForTransaction(txHash)));
    const seconds = (performance.now() - started) / 1000;
    if (receipts.some((receipt) => receipt?.status !== 1)) throw new Error('a last transaction failed');
    return { seconds, firstBlock, blocks: (await rpc.getBlockNumber()) - firstBlock };
  }

  /** Seconds that the EVM takes for a call, without what answering any call takes. */
  async function evmSeconds(to: Address, from: Address, data: Hex, question: Hex): Promise<number> {
    const timed = async (bytes: Hex): Promise<number> => {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const began = performance.now();
        await rpc.call({ to, from, data: bytes });
        times.push((performance.now() - began) / 1000);
      }
      return median(times);
    };
    const idle = await timed(question);
    return (await timed(data)) - idle;
  }

  return {
    network,
    profile,
    rpc,
    dollar,
    calls: makeCalls(profile.contracts),
    account,
    run,
    evmSeconds,
    async close() {
      rpc.destroy();
      await network.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
