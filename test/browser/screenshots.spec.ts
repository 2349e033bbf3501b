import { untilListed, untilRental } from '../../src/host/cli/demo.ts';
import { newPairingUrl } from '../../src/host/cli/connect.ts';
import { PRACTICE_IMAGE } from '../../src/runtime/create-options.ts';
import type { SpawnedHost } from '../../src/host/spawned-host.ts';
import { missing, test as real } from './real-computer.ts';
import { expect, test } from './window.ts';

const FOLDER = process.env['COMMONWATT_SCREENSHOT_DIR'] ?? 'docs/screenshots';
const unasked = process.env['COMMONWATT_SCREENSHOTS'] === undefined;
const HOW = 'set COMMONWATT_SCREENSHOTS=1 to write docs/screenshots';
const SCHEMES = ['dark', 'light'] as const;

test.describe('screenshots with simulated offers (made when asked for)', () => {
  test.skip(unasked, HOW);
  for (const scheme of SCHEMES) {
    test(`market, ${scheme}`, async ({ open }) => {
      const { page } = await open({ at: '#/market', scheme });
      await page.getByRole('textbox', { name: 'Search offers' }).fill('vram>=24 price<0.5');
      await page.waitForTimeout(1500);
      await page.screenshot({ path: `${FOLDER}/market-${scheme}.png` });
    });
  }
});

real.describe('screenshots of a real host (made when asked for)', () => {
  real.skip(unasked || missing !== null, missing ?? HOW);
  real.setTimeout(300_000);
  real('share, rentals, wallet', async ({ page, computer }) => {
    const host = computer.host();
    await beBusy(host);
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(await newPairingUrl(host.dataDir));
    await page.getByRole('button', { name: 'Skip' }).click();
    const shoot = async (name: string) => {
      for (const scheme of SCHEMES) {
        await page.emulateMedia({ colorScheme: scheme });
        await page.waitForTimeout(500);
        await page.screenshot({ path: `${FOLDER}/${name}-${scheme}.png` });
      }
    };
    await page.keyboard.press('Alt+3');
    await page.getByRole('link', { name: 'You rent' }).click();
    await expect(page.locator('.xterm-rows')).toContainText('#');
    await page.getByRole('textbox', { name: 'Terminal of the machine' }).focus();
    for (const line of ['nproc', 'free -m', 'wget -qO- 127.0.0.1:8080 | head -n 3', 'echo watt-$((40+2))']) {
      await page.keyboard.type(`${line}\n`, { delay: 15 });
      await page.waitForTimeout(300);
    }
    await shoot('rentals');
    await page.keyboard.press('Alt+5');
    await shoot('wallet');
    await page.keyboard.press('Alt+1');
    // Two minutes of readings fill the graphs.
    await page.waitForTimeout(120_000);
    await shoot('share');
  });
});

real.describe('screenshots of jobs on a real host (made when asked for)', () => {
  real.skip(unasked || missing !== null, missing ?? HOW);
  real.setTimeout(300_000);
  real('jobs', async ({ page, computer }) => {
    const done = await haveJobs(computer.host());
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(await newPairingUrl(computer.host().dataDir));
    await page.getByRole('button', { name: 'Skip' }).click();
    await page.evaluate((id) => (location.hash = `#/jobs/${id}`), done);
    await expect(page.getByRole('list', { name: 'Files' })).toBeVisible();
    await page.getByRole('tab', { name: 'Who ran it' }).click();
    for (const scheme of SCHEMES) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.waitForTimeout(500);
      await page.screenshot({ path: `${FOLDER}/jobs-${scheme}.png` });
    }
  });
});

/** Two practice workers on simulated cards; three kernels that they ran, and a container that nobody can run. */
async function haveJobs({ client, url }: SpawnedHost): Promise<string> {
  for (const [worker_id, gpu_type] of [
    ['worker_rtx4090_01', 'RTX 4090'],
    ['worker_a100_01', 'A100'],
  ]) {
    const answer = await fetch(new URL('/worker/register', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ worker_id, gpu_type, compute_capacity: 40, stake_amount: 150 }),
    });
    expect(answer.status, await answer.text()).toBeLessThan(300);
  }
  const watt = (await client.wallet.balances()).find(({ token }) => token.symbol === 'WATT')?.token;
  if (!watt) throw new Error('This network has no WATT.');
  const deposit = { token: watt.address, amount: (60n * 10n ** 18n).toString() };
  await client.wallet.deposit({ commandId: crypto.randomUUID(), ...deposit });
  const submit = async (file: Parameters<typeof client.jobs.submit>[0]['file']) =>
    (await client.jobs.submit({ commandId: crypto.randomUUID(), file })).taskIds[0] ?? '';
  const kernel = (name: string, model: 'linear_regression' | 'k_means' | 'pca') =>
    submit({
      name,
      work: { type: 'kernel', model },
      inputs: [{ path: 'data.csv', sample: model }],
      verification: { tier: 'certificate' },
      bounty: '5',
    });
  const ids = [
    await kernel('House prices', 'linear_regression'),
    await kernel('Main directions', 'pca'),
    await kernel('Cluster the customers', 'k_means'),
  ];
  await submit({
    name: 'Fine-tune the small model',
    work: { type: 'docker', image: PRACTICE_IMAGE, command: ['train'], env: {} },
    resources: { gpuCount: 4, gpuMemoryGb: 80 },
    bounty: '20',
  });
  for (const taskId of ids) {
    await expect.poll(async () => (await client.jobs.get({ taskId })).status, { timeout: 120_000 }).toBe('verified');
  }
  return ids[2] ?? '';
}

/** Shares, was rented once, is rented now, and rents from its neighbour. */
async function beBusy({ client }: SpawnedHost): Promise<void> {
  const commandId = () => crypto.randomUUID();
  await client.practice.startNeighbour();
  const { offer } = await client.share.suggest();
  const mine = await client.share.start({ commandId: commandId(), offer: { ...offer, region: 'EU' } });
  await untilListed(client, mine.offerId);
  const before = await client.practice.rentMine({ seconds: 600 });
  await untilRental(client, before.rentalId, (rental) => rental.servedSeconds >= 20);
  await client.rentals.terminate({ commandId: commandId(), rentalId: before.rentalId });
  const { offers } = await client.market.search({});
  const theirs = offers.find((one) => !one.mine);
  if (!theirs) throw new Error('The neighbour offers nothing.');
  const seconds = 3600;
  const { missing: amount, token } = await client.market.quote({ offerId: theirs.offerId, seconds });
  await client.wallet.deposit({ commandId: commandId(), token: token.address, amount });
  const rented = await client.rentals.open({
    commandId: commandId(),
    offerId: theirs.offerId,
    seconds,
    spec: { image: PRACTICE_IMAGE, command: ['httpd', '-f', '-p', '8080', '-h', '/www'], ports: [8080] },
  });
  await untilRental(client, rented.rentalId, (rental) => rental.phase === 'running');
  await expect.poll(async () => (await client.market.get({ offerId: mine.offerId })).free, { timeout: 30_000 }).toBe(1);
  const now = await client.practice.rentMine({ seconds: 3600 });
  await untilRental(client, now.rentalId, (rental) => rental.phase === 'running');
}
