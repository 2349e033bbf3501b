/** A practice network with hosts of their own processes on it, run from source; cleaned up whatever happens. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ApiInputs, Rental } from '../../src/api/contract.ts';
import { untilListed, untilRental } from '../../src/host/cli/demo.ts';
import { PRACTICE_IMAGE } from '../../src/runtime/create-options.ts';
import { isReady, spawnHost, untilStatus, type SpawnedHost } from '../../src/host/spawned-host.ts';
import type { Bytes32 } from '../../src/shared/ids.ts';

const root = path.join(import.meta.dirname, '../..');
/** Runs this product's command line from source. */
export const COMMAND = [process.execPath, path.join(root, 'src/host/cli.ts')];

/** Why tests that run containers cannot run here, or null when they can. */
export function engineMissing(): string | null {
  try {
    execFileSync('docker', ['info'], { stdio: 'ignore', timeout: 20_000 });
    return null;
  } catch {
    return 'no Docker engine answers here';
  }
}

export const anvilMissing = (): string | null =>
  existsSync(path.join(root, 'node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil')) || process.env['COMMONWATT_ANVIL']
    ? null
    : 'no anvil binary for this system';

export class TestMarket {
  readonly #hosts = new Map<string, SpawnedHost>();
  readonly #dir: string;
  #joinUrl = '';

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** The network has a host of its own, so that providers and renters can be killed without taking it along. */
  static async open(): Promise<TestMarket> {
    const market = new TestMarket(await mkdtemp(path.join(tmpdir(), 'commonwatt-market-')));
    const network = await spawnHost({
      command: COMMAND,
      dataDir: path.join(market.#dir, 'network'),
      network: 'practice',
    });
    market.#hosts.set('network', network);
    const status = await untilStatus(network.client, (now) => now.network.state === 'live');
    market.#joinUrl = status.network.joinUrl ?? '';
    return market;
  }

  /** Holds the data directory of every host. */
  get folder(): string {
    return this.#dir;
  }

  /** Where programs reach the network's chain. */
  get joinUrl(): string {
    return this.#joinUrl;
  }

  /** Starts (or starts again, on the same data directory) a host of this name and waits until it is ready. */
  async host(name: string, env: Record<string, string> = {}): Promise<SpawnedHost> {
    const host = await spawnHost({
      command: COMMAND,
      dataDir: path.join(this.#dir, name),
      network: 'practice',
      rpcUrl: this.#joinUrl,
      env,
    });
    this.#hosts.set(name, host);
    await untilStatus(host.client, isReady);
    return host;
  }

  /** The provider shares its processor; resolves with the offer as the renter sees it. */
  async share(provider: SpawnedHost, renter: SpawnedHost): Promise<Bytes32> {
    const { offer } = await provider.client.share.suggest();
    const { offerId } = await provider.client.share.start({ commandId: crypto.randomUUID(), offer });
    await untilListed(renter.client, offerId);
    return offerId;
  }

  async deposit(renter: SpawnedHost, offerId: Bytes32, seconds: number): Promise<void> {
    const { missing, token } = await renter.client.market.quote({ offerId, seconds });
    if (missing === '0') return;
    await renter.client.wallet.deposit({ commandId: crypto.randomUUID(), token: token.address, amount: missing });
  }

  /** Rents the practice image and waits until access is given. */
  async rent(
    renter: SpawnedHost,
    offerId: Bytes32,
    seconds = 600,
    spec: Partial<ApiInputs['rentals']['open']['spec']> = {},
  ): Promise<Bytes32> {
    await this.deposit(renter, offerId, seconds);
    const { rentalId } = await renter.client.rentals.open({
      commandId: crypto.randomUUID(),
      offerId,
      seconds,
      spec: { image: PRACTICE_IMAGE, internet: false, ...spec },
    });
    await untilRental(renter.client, rentalId, (rental) => rental.phase === 'running');
    return rentalId;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#hosts.entries()].filter(([name]) => name !== 'network').map(([, host]) => host.stop()));
    await this.#hosts.get('network')?.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

export const isSettled = (rental: Rental): boolean => rental.settlement !== null;

/** Ids of containers of this lease that the engine has in any state (its guard included). */
export function containersOf(leaseId: Bytes32, socket?: string): string[] {
  const args = [
    ...(socket === undefined ? [] : ['-H', `unix://${socket}`]),
    'ps',
    '-aq',
    '--no-trunc',
    '--filter',
    `name=${leaseId.slice(2, 34)}`,
  ];
  return execFileSync('docker', args, { encoding: 'utf8' }).split('\n').filter(Boolean).toSorted();
}
