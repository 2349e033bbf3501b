import { AppError } from '../../src/shared/errors.ts';
import { expect, test } from './window.ts';

test('the switch publishes the suggested offer, and turns it off again', async ({ open }) => {
  const { page, host } = await open();
  const power = page.getByRole('switch', { name: 'Share this computer' });
  await expect(page.getByText(/others can rent it for 0\.34 CUSD per hour/)).toBeVisible();
  await expect(page.getByText('The middle of 27 offers of this model on the market now.')).toBeVisible();
  await power.focus();
  await page.keyboard.press('Space');
  await expect(power).toHaveAttribute('aria-checked', 'true');
  await expect(page.getByText('Sharing is on')).toBeVisible();
  expect(host.share.value.offer?.price).toBe('340000');
  await power.click();
  await expect(page.getByText('Sharing is off')).toBeVisible();
  expect(host.calls).toContain('share.stop:after');
});

test('what the owner types is what is published, and wrong input is named', async ({ open }) => {
  const { page, host } = await open();
  const price = page.getByLabel('Price', { exact: true });
  await price.fill('cheap');
  await expect(page.getByText('The price must be an amount such as 0.25.')).toBeVisible();
  await page.getByRole('switch', { name: 'Share this computer' }).click();
  await expect(page.getByRole('alert')).toContainText('The price must be an amount');
  expect(host.calls).not.toContain('share.start');
  await price.fill('1.25');
  await page.getByLabel('Charged').selectOption('per day');
  await page.getByRole('switch', { name: 'Share this computer' }).click();
  await expect(page.getByText('In the market', { exact: true })).toBeVisible();
  expect(host.share.value.offer).toMatchObject({ price: '1250000', unit: 86_400 });
});

test('turning off with somebody on it asks whether to finish first', async ({ open }) => {
  const { page, host } = await open({ rentals: true, sharing: true });
  await expect(page.getByText('Shared, in use now')).toBeVisible();
  await page.getByRole('switch', { name: 'Share this computer' }).click();
  const dialog = page.getByRole('dialog', { name: 'Somebody is using this computer' });
  await expect(dialog.getByRole('button', { name: 'Let it finish, then stop' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(dialog).toBeHidden();
  expect(host.calls).toContain('share.stop:after');
});

test('snooze says until when, and ends at a click', async ({ open }) => {
  const { page, host } = await open({ sharing: true });
  await page.getByRole('button', { name: 'Snooze' }).click();
  await page.getByRole('menuitem', { name: '15 minutes' }).click();
  await expect(page.getByText(/Snoozed until \d\d:\d\d/)).toBeVisible();
  await page.getByRole('button', { name: 'Share again now' }).click();
  await expect(page.getByText('Sharing is on')).toBeVisible();
  expect(host.share.value.snoozedUntil).toBeNull();
});

test('graphs follow the card, without a card there is one next step', async ({ open }) => {
  const { page } = await open();
  await expect(page.locator('.graph')).toHaveCount(4);
  await expect(page.locator('.graph', { hasText: 'Power' }).locator('.graph-now')).toHaveText(/\d+ W/);
  const { page: bare } = await open({ devices: 'none' });
  await expect(bare.getByText('No card found')).toBeVisible();
  await expect(bare.getByRole('button', { name: 'Look again' })).toBeVisible();
});

test('a stopped Docker is said with the command that starts it', async ({ open }) => {
  const { page } = await open({ docker: false });
  const check = page.getByRole('listitem').filter({ hasText: 'Docker engine' });
  await expect(check).toContainText('sudo systemctl start docker');
  await expect(check.getByRole('button', { name: 'Copy command' })).toBeVisible();
});

test('a refused start shows what happened and what to do', async ({ open }) => {
  const { page, host } = await open();
  host.fail(
    'share.start',
    new AppError('locked', 'The wallet is locked.', { next: 'Unlock it on the Wallet screen.' }),
  );
  await page.getByRole('switch', { name: 'Share this computer' }).click();
  await expect(page.getByRole('alert')).toHaveText(/The wallet is locked\.\s*Unlock it on the Wallet screen\./);
  await expect(page.getByRole('switch', { name: 'Share this computer' })).toHaveAttribute('aria-checked', 'false');
});

test('the practice neighbour starts, and rents this computer', async ({ open }) => {
  const { page, host } = await open({ sharing: true });
  await page.getByRole('button', { name: 'Start the neighbour' }).click();
  await page.getByRole('button', { name: 'Let it rent mine' }).click();
  await expect(page.getByRole('heading', { name: 'Rentals' })).toBeVisible();
  await expect(page.getByText('Somebody is using this computer')).toBeVisible();
  expect(host.calls).toContain('practice.rentMine');
});
