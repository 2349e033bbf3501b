/** Jobs between hosts of their own processes: what every test of them does, and what the chain itself says about it. */
import { execFileSync } from 'node:child_process';
import type { Call, Chain } from '../../src/chain/chain.ts';
import { joinPractice } from '../../src/chain/practice/practice-network.ts';
import { testHost, type TestHost } from '../../src/chain/testing-host.ts';
import type { ApiClient, Job } from '../../src/api/contract.ts';
import type { SpawnedHost } from '../../src/host/spawned-host.ts';
import type { Address, Bytes32 } from '../../src/shared/ids.ts';
import { jobFileSchema } from '../../src/shared/job-spec.ts';
import type { Wallet } from 'ethers';
import type { z } from 'zod';
import type { TestMarket } from './market.ts';

export const WATT = 10n ** 18n;
type JobFileText = z.input<typeof jobFileSchema>;

export const isOver = ({ status }: Job): boolean => ['verified', 'failed', 'cancelled'].includes(status);

/** What a host has in the Vault. */
export async function balanceOf(
  { client }: SpawnedHost,
  symbol: string,
): Promise<{ token: Address; available: bigint }> {
  const balances = await client.wallet.balances();
  const found = balances.find(({ token }) => token.symbol === symbol);
  if (!found) throw new Error(`The practice network has no ${symbol}.`);
  return { token: found.token.address, available: BigInt(found.available) };
}

export async function deposit(host: SpawnedHost, symbol: string, amount: bigint): Promise<void> {
  const { token } = await balanceOf(host, symbol);
  await host.client.wallet.deposit({ commandId: crypto.randomUUID(), token, amount: `${amount}` });
}

export const depositWatt = (host: SpawnedHost, amount: bigint): Promise<void> => deposit(host, 'WATT', amount);

/** Shares, takes jobs, and has something to lock bonds with. */
export async function worksFor(
  market: TestMarket,
  provider: SpawnedHost,
  renter: SpawnedHost,
  claimsOpen = false,
): Promise<Bytes32> {
  const offerId = await market.share(provider, renter);
  await provider.client.work.start({ commandId: crypto.randomUUID(), claimsOpen });
  await depositWatt(provider, 20n * WATT);
  return offerId;
}

/** Sends a job file as a person wrote it, and resolves with the ids of its tasks. */
export async function submit(
  { client }: SpawnedHost,
  file: JobFileText,
  commandId: string = crypto.randomUUID(),
): Promise<string[]> {
  return (await client.jobs.submit({ commandId, file: jobFileSchema.parse(file) })).taskIds;
}

/** Gives the host a file for jobs to come; resolves with its address. */
export async function upload({ client }: SpawnedHost, name: string, bytes: Uint8Array): Promise<string> {
  const { cid } = await client.jobs.upload({
    uploadId: crypto.randomUUID(),
    path: name,
    offset: 0,
    base64: Buffer.from(bytes).toString('base64'),
    end: true,
  });
  return cid ?? '';
}

/** Resolves with the first state of the task that `test` accepts. */
export async function untilJob(
  { client }: SpawnedHost,
  taskId: string,
  test: (job: Job) => boolean,
  timeoutMs = 90_000,
): Promise<Job> {
  const giveUp = AbortSignal.timeout(timeoutMs);
  const stop = new AbortController();
  const seen: string[] = [];
  try {
    const signal = AbortSignal.any([giveUp, stop.signal]);
    for await (const job of await client.jobs.watch({ taskId }, { signal })) {
      const words = `${job.phase}${job.runs.map(({ phase }) => ` ${phase}`).join('')}: ${job.detail}`;
      if (seen.at(-1) !== words) seen.push(words);
      if (test(job)) return job;
      if (isOver(job)) break;
    }
  } catch (thrown) {
    if (!giveUp.aborted) throw thrown;
  } finally {
    stop.abort();
  }
  throw new Error(`The job did not get there. It said:\n${seen.slice(-12).join('\n')}`);
}

export async function resultText({ client }: SpawnedHost, taskId: string, file: string): Promise<string> {
  const { base64 } = await client.jobs.resultFile({ taskId, path: file });
  return Buffer.from(base64, 'base64').toString();
}

/** Whether a ledger's movements add up to what the Vault holds for its owner, token by token, to the smallest unit. */
export async function ledgerIsChain(client: ApiClient): Promise<boolean> {
  const booked = new Map<string, bigint>();
  for (const { token, amount, kind } of await client.wallet.history({ limit: 500 })) {
    // Practice money arrives in the wallet's own account, outside the Vault.
    if (kind === 'faucet') continue;
    booked.set(token.address, (booked.get(token.address) ?? 0n) + BigInt(amount));
  }
  const balances = await client.wallet.balances();
  return balances.every(({ token, available }) => (booked.get(token.address) ?? 0n) === BigInt(available));
}

/** A wallet of nobody's host: reads and sends on the practice chain as it likes. */
export class RawParty {
  readonly wallet: Wallet;
  readonly account: Address;
  readonly chain: Chain;
  readonly #host: TestHost;
  #sent = 0;

  private constructor(host: TestHost) {
    this.#host = host;
    ({ wallet: this.wallet, account: this.account, chain: this.chain } = host);
  }

  static async open(joinUrl: string): Promise<RawParty> {
    return new RawParty(await testHost(await joinPractice(joinUrl)));
  }

  send(call: Call) {
    this.#sent += 1;
    return this.chain.send(call, { commandId: `raw-${this.#sent}` });
  }

  /** Resolves once this party's own view of the chain says so. */
  async until(test: () => boolean): Promise<void> {
    await this.chain.sync.until(test);
  }

  close(): Promise<void> {
    return this.#host.close();
  }
}

/** Containers and volumes that belong to a deal, in any state. */
export function dockerLeftovers(dealId: Bytes32): string[] {
  const name = `name=${dealId.slice(2, 34)}`;
  return [
    ['ps', '-aq', '--filter', name],
    ['volume', 'ls', '-q', '--filter', name],
  ].flatMap((args) => execFileSync('docker', args, { encoding: 'utf8' }).split('\n').filter(Boolean));
}
