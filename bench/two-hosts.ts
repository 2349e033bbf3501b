import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { untilListed } from '../src/host/cli/demo.ts';
import { isReady, spawnHost, untilStatus, type SpawnedHost } from '../src/host/spawned-host.ts';
import type { Bytes32 } from '../src/shared/ids.ts';
import { COMMAND } from './harness.ts';

export interface TwoHosts {
  /** Runs the practice network and shares its processor. */
  provider: SpawnedHost;
  renter: SpawnedHost;
  /** The provider's offer, which the renter sees. */
  offerId: Bytes32;
}

/**
 * A market of two: hosts of the bundled command line, each a process with a wallet and a data directory of its own, on a
 * practice network of their own. Both are gone, with everything they wrote, once `measure` has ended, however it did.
 */
export async function withTwoHosts(measure: (hosts: TwoHosts) => Promise<void>): Promise<void> {
  const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-bench-'));
  const hosts: SpawnedHost[] = [];
  const start = async (name: string, join: { rpcUrl?: string } = {}) => {
    const host = await spawnHost({ command: COMMAND, dataDir: path.join(root, name), network: 'practice', ...join });
    // The provider, on whose network the other is, is stopped last.
    hosts.unshift(host);
    const { network } = await untilStatus(host.client, isReady);
    return { host, rpcUrl: network.joinUrl ?? '' };
  };
  try {
    const { host: provider, rpcUrl } = await start('provider');
    const { host: renter } = await start('renter', { rpcUrl });
    const { offer } = await provider.client.share.suggest();
    const { offerId } = await provider.client.share.start({ commandId: crypto.randomUUID(), offer });
    await untilListed(renter.client, offerId);
    await measure({ provider, renter, offerId });
  } finally {
    for (const host of hosts) await host.stop();
    await rm(root, { recursive: true, force: true });
  }
}
