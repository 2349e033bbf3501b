import { existsSync } from 'node:fs';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type BrowserContextOptions, type Page } from '@playwright/test';
import { pino } from 'pino';
import { startHttpServer } from '../../src/host/transport/http-server.ts';
import { createRouter } from '../../src/host/transport/router.ts';
import { systemClock } from '../../src/shared/time.ts';
import { createFakeHost, type FakeHost, type FakeOptions } from './fake-host.ts';

const UI = path.resolve('dist/ui');

export interface OpenedWindow {
  page: Page;
  host: FakeHost;
  url: string;
  /** What went wrong in the page so far; whatever is left in it at the end fails the test. */
  complaints: string[];
  /** Stops answering, as if the host had died; `start` brings it back at the same address. */
  stop: () => Promise<void>;
  start: () => Promise<void>;
}

export interface WindowOptions extends FakeOptions {
  /** `#/market`: where to begin. */
  at?: string;
  scheme?: 'light' | 'dark';
  width?: number;
  height?: number;
  /** Show the first run instead of having been through it. */
  firstRun?: boolean;
  context?: BrowserContextOptions;
}

interface Fixtures {
  open: (options?: WindowOptions) => Promise<OpenedWindow>;
}

/** Opens the built window in front of a pretend host, through the real server, sign-in and WebSocket. */
export const test = base.extend<Fixtures>({
  open: async ({ browser }, use) => {
    const closers: (() => Promise<void>)[] = [];
    await use(async (options = {}) => {
      if (!existsSync(path.join(UI, 'index.html'))) throw new Error('dist/ui is missing: run `npm run build` first.');
      const host = createFakeHost(options);
      const serve = (port: number) =>
        startHttpServer({
          router: createRouter(host.services),
          log: pino({ level: 'silent' }),
          clock: systemClock,
          version: '0.1.0',
          token: 'A'.repeat(43),
          port,
          uiDir: UI,
        });
      let server = await serve(0);
      const { url } = server;
      const context = await browser.newContext({
        viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
        colorScheme: options.scheme ?? 'dark',
        ...options.context,
      });
      const page = await context.newPage();
      const problems = complaintsOf(page);
      closers.push(async () => {
        await context.close();
        await server.close();
        host.close();
        expect(problems, 'errors in the console').toEqual([]);
      });
      if (!options.firstRun) {
        await page.addInitScript(() => {
          localStorage.setItem(
            'commonwatt-preferences',
            JSON.stringify({ state: { firstRunDone: true, seenUntil: 0 }, version: 0 }),
          );
        });
      }
      await page.goto(server.pairingUrl());
      await expect(page.locator('.frame')).toBeVisible();
      if (options.at !== undefined) await page.evaluate((hash) => (location.hash = hash), options.at);
      return {
        page,
        host,
        url,
        complaints: problems,
        stop: () => server.close(),
        start: async () => {
          server = await serve(Number(new URL(url).port));
        },
      };
    });
    for (const close of closers) await close();
  },
});

/** What goes wrong in the page, but for the browser's own word on a host that is down or a container that starts. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/WebSocket connection|ERR_CONNECTION|ERR_NETWORK_CHANGED/.test(message.text()))
      complaints.push(message.text());
  });
  return complaints;
}

/** No violation that axe can see, of any level of WCAG 2.2 up to AA, nor of its best practices. */
export async function expectAccessible(page: Page): Promise<void> {
  // What fades in or out has other colours meanwhile; what turns for ever is not waited for.
  await page.evaluate(async () => {
    const ending = document.getAnimations().filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map(({ finished }) => finished));
  });
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map((node) => `${node.target.join(' ')} (${node.any[0]?.message ?? node.failureSummary ?? ''})`).join(' | ')}`,
  );
  expect(found).toEqual([]);
}

export { expect } from '@playwright/test';
