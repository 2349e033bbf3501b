import { chromium } from '@playwright/test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newPairingUrl } from '../../src/host/cli/connect.ts';
import { isReady, spawnHost, untilStatus } from '../../src/host/spawned-host.ts';
const dataDir = await mkdtemp(path.join(tmpdir(), 'commonwatt-look-'));
const host = await spawnHost({
  command: [process.execPath, path.resolve('src/host/cli.ts')],
  dataDir,
  network: 'practice',
  port: 0,
});
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const out = '/tmp/shots';
try {
  await untilStatus(host.client, isReady);
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
  const shoot = async (name: string, all = true) => {
    for (const [w, h] of all
      ? ([
          [1280, 800],
          [1920, 1080],
        ] as const)
      : ([[1280, 800]] as const)) {
      await page.setViewportSize({ width: w, height: h });
      for (const scheme of ['dark', 'light'] as const) {
        if (!all && scheme === 'light') continue;
        await page.emulateMedia({ colorScheme: scheme });
        await page.waitForTimeout(400);
        await page.screenshot({ path: `${out}/${name}-${w}-${scheme}.png` });
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme: 'dark' });
  };
  await page.goto(await newPairingUrl(dataDir));
  await page.waitForTimeout(1000);
  await page.getByRole('button', { name: 'Skip' }).click();
  await page.waitForTimeout(3000);
  await page.keyboard.press('Alt+2');
  await page.waitForTimeout(800);
  await shoot('02-market-empty');
  await page.keyboard.press('Alt+3');
  await page.waitForTimeout(500);
  await page.keyboard.press('Alt+2');
  await page.getByRole('button', { name: 'Start the neighbour' }).click();
  await page.waitForTimeout(700);
  await page.locator('[data-offer-row]').first().waitFor({ timeout: 60000 });
  await page.waitForTimeout(800);
  await shoot('05-market-one');
  await page.locator('[data-offer-row]').click();
  const drawer = page.getByRole('dialog');
  await drawer.getByLabel('Image').fill('commonwatt/practice:1');
  await drawer.getByLabel('Ports to open').fill('8080');
  await drawer.getByText('Command, variables, internet').click();
  await drawer.getByLabel('Command', { exact: true }).fill('httpd -f -p 8080 -h /www');
  await page.waitForTimeout(1500);
  await drawer.getByRole('button', { name: /^Deposit / }).click();
  await drawer.getByRole('button', { name: /^Rent, / }).click();
  await page.waitForTimeout(300);
  await page.locator('.xterm-rows').filter({ hasText: /[#$]/ }).waitFor({ timeout: 60000 });
  await page.getByRole('textbox', { name: 'Terminal of the machine' }).focus();
  await page.keyboard.type('uname -srm; nproc; free -m; ls /; echo watt-$((40+2))\n', { delay: 20 });
  await page.waitForTimeout(1500);
  await shoot('08-rentals');
  await page.getByRole('tab', { name: 'Ports' }).click();
  await page.getByRole('button', { name: 'Open port 8080' }).click();
  await page.waitForTimeout(600);
  await page.getByRole('tab', { name: 'Log' }).click();
  await page.waitForTimeout(1000);
  await page.getByRole('tab', { name: 'Agreement' }).click();
  await page.waitForTimeout(500);
  await page.keyboard.press('Alt+1');
  await page.getByRole('switch', { name: 'Share this computer' }).click();
  await page.getByText('Sharing is on').waitFor({ timeout: 30000 });
  await page.getByRole('button', { name: 'Let it rent mine' }).click();
  await page.locator('.phase[role=status]').filter({ hasText: 'Running' }).waitFor({ timeout: 60000 });
  await page.keyboard.press('Alt+1');
  await page.waitForTimeout(45000);
  await shoot('13-share-used');
  await page.getByRole('switch', { name: 'Share this computer' }).click();
  await page.waitForTimeout(500);
  await page.getByRole('dialog').getByRole('button', { name: 'End it now' }).click();
  await page.getByText('Sharing is off').waitFor({ timeout: 60000 });
  await page.keyboard.press('Alt+3');
  await page.waitForTimeout(500);
  await page.getByRole('button', { name: 'End rental' }).click();
  await page.waitForTimeout(400);
  await page.getByRole('button', { name: 'End and settle' }).click();
  await page.getByRole('region', { name: 'Settlement' }).waitFor({ timeout: 60000 });
  await page.waitForTimeout(500);
  await shoot('16-settled');
  await page.keyboard.press('Alt+4');
  await page.waitForTimeout(1500);
  await shoot('17-wallet');
  await page.getByRole('button', { name: /^Notifications/ }).click();
  await page.waitForTimeout(400);
  await shoot('18-notifications', false);
} catch (e) {
  console.error(e);
  for (const p of browser.contexts().flatMap((c) => c.pages())) await p.screenshot({ path: `${out}/fail.png` });
} finally {
  await browser.close();
  await host.stop();
  await rm(dataDir, { recursive: true, force: true });
}
