/**
 * Rentals per second that the practice network itself sustains: every transaction is signed beforehand, so that what is
 * measured is the network (HTTP, journal, mempool, blocks, EVM), not a wallet. A rental is an open and a close with both
 * signatures. The EVM's own part is measured by running the same calls inside a single one, fifty at a time; the rest of
 * the time was spent outside of it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { JsonRpcProvider, Wallet, keccak256, toUtf8Bytes } from 'ethers';
import { makeCalls } from '../src/chain/calls.ts';
import type { Call } from '../src/chain/chain.ts';
import { rentalsInterface } from '../src/chain/contract-interfaces.ts';
import { startPracticeNetwork } from '../src/chain/practice/practice-network.ts';
import { ETH, type Address, type Bytes32, type Hex } from '../src/shared/ids.ts';
import { silentLog } from '../src/shared/log.ts';
import type { RentalTerms } from '../src/shared/rental.ts';
import { digestOf, finalPayload, leaseIdOf, specHash } from '../src/shared/typed-data.ts';
import { median, report, say } from './harness.ts';

const RENTERS = 8;
const RENTALS_EACH = 150;
const RENTALS = RENTERS * RENTALS_EACH;
/** Raw transactions in one JSON-RPC batch. */
const BATCH = 50;
const INSIDE = 50;
/** The founding limit: 100 rental transactions a minute. */
const BASELINE = 100 / 60;
const CAP_SECONDS = 600;

const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-bench-'));
const network = await startPracticeNetwork({ dataDir: root, log: silentLog });
const { profile } = network;
const rpc = new JsonRpcProvider(network.rpcUrl, profile.chainId, { staticNetwork: true, cacheTimeout: -1 });
rpc.pollingInterval = 20;
const hash = (text: string): Bytes32 => keccak256(toUtf8Bytes(text)) as Bytes32;
const lower = (text: string): Address => text.toLowerCase() as Address;

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

try {
  const dollar = profile.tokens.find(({ symbol }) => symbol === 'PUSD');
  if (!dollar) throw new Error('the practice network names no dollar');
  const calls = makeCalls(profile.contracts);
  const [provider, host, session] = await Promise.all(['provider', 'host', 'session'].map(account));
  if (!provider || !host || !session) throw new Error('no accounts');
  const offer = {
    gpuType: 'cpu',
    gpuModel: 'bench',
    gpuCount: 1,
    gpuMemoryGb: 1,
    price: 360n,
    unit: 3600,
    token: dollar.address,
    region: 'bench',
    features: [],
    peerKey: hash('peer'),
    providerSigner: host.address,
    endsBy: Math.floor(Date.now() / 1000) + 86_400,
    minSeconds: 60,
    units: 60_000,
  };
  const salt = hash('offer');
  await provider.send(calls.registerOffer(offer, salt));
  const offerId = calls.offerId(provider.address, salt);
  const at = { chainId: profile.chainId, rentals: profile.contracts.rentals };
  const deadline = Math.floor(Date.now() / 1000) + 6 * 3600;

  const rental = (renter: Address, name: string) => {
    const terms: RentalTerms = {
      offerId,
      offerVersion: 1,
      renter,
      provider: provider.address,
      signer: session.address,
      providerSigner: host.address,
      witness: ETH,
      token: dollar.address,
      price: offer.price,
      unit: offer.unit,
      minSeconds: offer.minSeconds,
      endsBy: offer.endsBy,
      feeBps: 250,
      specHash: specHash('bench'),
      salt: hash(name),
    };
    const digest = digestOf(finalPayload(at, leaseIdOf(terms), 0, deadline));
    const final = {
      secs: 0,
      deadline,
      renterSignature: session.key.sign(digest).serialized as Hex,
      providerSignature: host.key.sign(digest).serialized as Hex,
    };
    return { open: calls.openLease(terms, CAP_SECONDS), close: calls.closeLease(terms, final) };
  };

  const renters = await Promise.all(Array.from({ length: RENTERS }, (_, index) => account(`renter ${index}`)));
  const deposit = 10_000_000n;
  for (const renter of renters) {
    await renter.send(calls.approve(dollar.address, deposit));
    await renter.send(calls.deposit(dollar.address, deposit, renter.address));
    await renter.send(calls.authorize(profile.contracts.rentals, true));
  }
  say(`Signing ${RENTALS} rentals of ${RENTERS} renters…`);
  const signed = await Promise.all(
    renters.map(async (renter, index) => {
      const raws: Hex[] = [];
      for (let n = 0; n < RENTALS_EACH; n += 1) {
        const { open, close } = rental(renter.address, `lease ${index} ${n}`);
        raws.push(await renter.sign(open), await renter.sign(close));
      }
      return raws;
    }),
  );

  const firstBlock = await rpc.getBlockNumber();
  const started = performance.now();
  const last = await Promise.all(
    signed.map(async (raws) => {
      let hashes: Bytes32[] = [];
      for (let from = 0; from < raws.length; from += BATCH) hashes = await post(raws.slice(from, from + BATCH));
      return hashes.at(-1) ?? '';
    }),
  );
  const receipts = await Promise.all(last.map((txHash) => rpc.waitForTransaction(txHash)));
  const seconds = (performance.now() - started) / 1000;
  if (receipts.some((receipt) => receipt?.status !== 1)) throw new Error('a close failed');
  const blocks = (await rpc.getBlockNumber()) - firstBlock;
  const closedLogs = await rpc.getLogs({
    address: profile.contracts.rentals,
    topics: [rentalsInterface.getEvent('Closed')?.topicHash ?? ''],
    fromBlock: firstBlock,
  });
  if (closedLogs.length !== RENTALS) throw new Error(`${closedLogs.length} of ${RENTALS} leases were closed`);

  // The same work inside one call each: what the EVM alone takes.
  const [renter] = renters;
  if (!renter) throw new Error('no renter');
  const inside = Array.from({ length: INSIDE }, (_, n) => rental(renter.address, `inside ${n}`));
  const multicall = (of: readonly Call[]): Hex =>
    rentalsInterface.encodeFunctionData('multicall', [of.map(({ data }) => data)]) as Hex;
  const openAll = multicall(inside.map(({ open }) => open));
  const closeAll = multicall(inside.map(({ close }) => close));
  const timed = async (data: Hex): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < 15; round += 1) {
      const from = performance.now();
      await rpc.call({ to: profile.contracts.rentals, from: renter.address, data });
      times.push((performance.now() - from) / 1000);
    }
    return median(times);
  };
  const question = rentalsInterface.encodeFunctionData('domainSeparator') as Hex;
  const idle = await timed(question);
  const openSeconds = (await timed(openAll)) - idle;
  await renter.send({ to: profile.contracts.rentals, data: openAll, value: 0n, label: 'open all' }, 20_000_000n);
  const closeSeconds = (await timed(closeAll)) - idle;
  const evm = (openSeconds + closeSeconds) / INSIDE;
  const each = seconds / RENTALS;
  say(`${RENTALS} rentals (${2 * RENTALS} transactions) in ${seconds.toFixed(1)} s and ${blocks} blocks`);
  say(`EVM: ${(evm * 1e6).toFixed(0)} µs of the ${(each * 1e6).toFixed(0)} µs that a rental takes`);
  say(`Outside the EVM: ${(100 * (1 - evm / each)).toFixed(1)} %`);
  report({ name: 'chain-throughput', value: RENTALS / seconds, unit: 'rentals/s', baseline: BASELINE, n: RENTALS });
} finally {
  rpc.destroy();
  await network.close();
  await rm(root, { recursive: true, force: true });
}
