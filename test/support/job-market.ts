/** Jobs between hosts of their own processes: what every test of them does, and what the chain itself says about it. */
import { execFileSync } from 'node:child_process';
import { openChain } from '../../src/chain/open-chain.ts';
import type { Chain } from '../../src/chain/chain.ts';
import { joinPractice } from '../../src/chain/practice/practice-network.ts';
import type { ApiClient, Job } from '../../src/api/contract.ts';
import type { SpawnedHost } from '../../src/host/spawned-host.ts';
import type { Address, Bytes32, Hex } from '../../src/shared/ids.ts';
import { jobFileSchema } from '../../src/shared/job-spec.ts';
import { silentLog } from '../../src/shared/log.ts';
import { systemClock } from '../../src/shared/time.ts';
import { openLedger } from '../../src/store/open-ledger.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Wallet } from 'ethers';
import type { z } from 'zod';
import type { TypedPayload } from '../../src/shared/typed-data.ts';
import type { TestMarket } from './market.ts';

export const WATT = 10n ** 18n;
type JobFileText = z.input<typeof jobFileSchema>;

export const isOver = ({ status }: Job): boolean => ['verified', 'failed', 'cancelled'].includes(status);

export async function wattOf({ client }: SpawnedHost): Promise<Address> {
  const { network } = await client.system.status();
  const watt = network.tokens.find(({ symbol }) => symbol === 'WATT');
  if (!watt) throw new Error('The practice network has no WATT.');
  return watt.address;
}

export async function depositWatt(host: SpawnedHost, amount: bigint): Promise<void> {
  const token = await wattOf(host);
  await host.client.wallet.deposit({ commandId: crypto.randomUUID(), token, amount: `${amount}` });
}

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
  readonly wallet = new Wallet(Wallet.createRandom().privateKey);
  readonly account = this.wallet.address.toLowerCase() as Address;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-raw-'));
  chain!: Chain;
  #ledger!: ReturnType<typeof openLedger>;
  #sent = 0;

  static async open(joinUrl: string): Promise<RawParty> {
    const party = new RawParty();
    party.#ledger = openLedger(path.join(party.#folder, 'ledger.db'), systemClock.now);
    party.chain = await openChain({
      profile: await joinPractice(joinUrl),
      indexPath: path.join(party.#folder, 'index.db'),
      ledger: party.#ledger,
      signer: {
        address: party.account,
        signTransaction: async (transaction) =>
          (await party.wallet.signTransaction({ type: 2, ...transaction })) as Hex,
      },
      clock: systemClock,
      log: silentLog,
    });
    return party;
  }

  send(call: Parameters<Chain['send']>[0]) {
    this.#sent += 1;
    return this.chain.send(call, { commandId: `raw-${this.#sent}` });
  }

  async sign({ domain, types, message }: TypedPayload): Promise<Hex> {
    const mutable = Object.fromEntries(Object.entries(types).map(([name, fields]) => [name, [...fields]]));
    return (await this.wallet.signTypedData(domain, mutable, message)) as Hex;
  }

  /** Resolves once this party's own view of the chain says so. */
  async until(test: () => boolean): Promise<void> {
    await this.chain.sync.until(test);
  }

  async close(): Promise<void> {
    await this.chain.close();
    this.#ledger.close();
    rmSync(this.#folder, { recursive: true, force: true });
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
