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
