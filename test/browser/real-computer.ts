import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test as base } from '@playwright/test';
import { isReady, spawnHost, untilStatus, type SpawnedHost } from '../../src/host/spawned-host.ts';
import { anvilMissing, engineMissing } from '../support/market.ts';

const COMMAND = [process.execPath, path.resolve('src/host/cli.ts')];

/** Why real hosts cannot be tried here, or null when they can. */
export const missing = anvilMissing() ?? engineMissing();

export interface Computer {
  host: () => SpawnedHost;
  /** Starts its host again, on the same port. */
  startAgain: () => Promise<void>;
}

/** Tests with a real host, in a process of its own, on a fresh practice network. */
export const test = base.extend<{ computer: Computer }>({
  // oxlint-disable-next-line no-empty-pattern -- Playwright reads the parameter's shape
  computer: async ({}, use) => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'commonwatt-window-'));
    const start = (port: number) => spawnHost({ command: COMMAND, dataDir, network: 'practice', port });
    let host = await start(0);
    try {
      await untilStatus(host.client, isReady);
      await use({
        host: () => host,
        startAgain: async () => {
          host = await start(Number(new URL(host.url).port));
        },
      });
    } finally {
      await host.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
  },
});

export { expect } from '@playwright/test';
