import { AppError } from '../../src/shared/errors.ts';
import { fakeHash } from './fake-market.ts';
import { expect, test } from './window.ts';

const TRICK = '<img src=x onerror="window.hacked=1">\u202Egnp.exe\u2066\u0007\u200B';

test('strangers’ words in offers stay words', async ({ open }) => {
  const { page, host } = await open();
  const [offer] = host.offers.toSorted((a, b) => Number(BigInt(a.price) - BigInt(b.price)));
  if (!offer) throw new Error('no offers');
  offer.gpuModel = `RTX ${TRICK}${'A'.repeat(5000)}`;
  offer.region = TRICK;
  offer.features = Array.from({ length: 16 }, () => TRICK);
  await page.evaluate(() => (location.hash = '#/market'));
  const row = page.locator('[data-offer-row]').first();
  await expect(row).toContainText('<img src=x');
  expect(await row.evaluate((element) => element.textContent)).not.toMatch(/[\u202A-\u202E\u2066-\u2069\u200B]/);
  expect((await row.boundingBox())?.height).toBeLessThan(40);
  await row.click();
  await expect(page.getByRole('dialog')).toContainText('onerror');
  expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
  expect(await page.locator('img').count()).toBe(0);
});

test('an error message from elsewhere stays words', async ({ open }) => {
  const { page, host } = await open();
  host.fail('share.start', new AppError('peer-refused', `The renter said: ${TRICK}`));
  await page.getByRole('switch', { name: 'Share this computer' }).click();
  await expect(page.getByRole('alert')).toContainText('The renter said: <img');
  expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
});

test('terminal output cannot take the title, the clipboard, links or the keyboard', async ({ open }) => {
  const { page, host } = await open({
    rentals: true,
    at: `#/rentals/${fakeHash(1)}`,
    context: { permissions: ['clipboard-read', 'clipboard-write'] },
  });
  await page.evaluate(() => navigator.clipboard.writeText('mine'));
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await page.getByRole('textbox', { name: 'Terminal of the machine' }).focus();
  await page.keyboard.type('hostile\n');
  const rows = page.locator('.xterm-rows');
  await expect(rows).toContainText('hostile done');
  await expect(page).toHaveTitle(/^Rentals · Commonwatt/);
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('mine');
  expect(await page.locator('.remote-terminal a').count()).toBe(0);
  expect(await rows.textContent()).not.toMatch(/[\u202A-\u202E]/);
  // Every question was left unanswered: nothing was typed but what the keyboard typed.
  expect(host.terminals.typed()).toBe('hostile\r');
  await page.keyboard.type('nvidia-smi\n');
  await expect(rows).toContainText('Driver Version');
  expect(host.terminals.acked().length).toBe(1);
});
