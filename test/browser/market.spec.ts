import { AppError } from '../../src/shared/errors.ts';
import { expect, test } from './window.ts';

test('filters as one types, and the mouse edits the same words', async ({ open }) => {
  const { page } = await open({ at: '#/market' });
  const search = page.getByRole('textbox', { name: 'Search offers' });
  await expect(page.getByText('240 offers')).toBeVisible();
  await search.fill('gpu:"RTX 3090" price<0.2');
  await expect(page.getByRole('combobox', { name: 'Card' })).toHaveValue('RTX 3090');
  await expect(page.locator('[data-offer-row]').first()).toContainText('RTX 3090');
  await page.getByRole('combobox', { name: 'Region' }).selectOption('EU');
  await expect(search).toHaveValue('gpu:"RTX 3090" price<0.2 region:EU');
  await page.getByRole('switch', { name: 'Free now' }).check({ force: true });
  await expect(search).toHaveValue('gpu:"RTX 3090" price<0.2 region:EU free');
  await search.fill('gpu:nothing');
  await expect(page.getByText('No offer matches')).toBeVisible();
  await page.getByRole('button', { name: 'Clear the search' }).last().click();
  await expect(page.getByText('240 offers')).toBeVisible();
});

test('sorts by columns and builds only the rows in sight', async ({ open }) => {
  const { page } = await open({ at: '#/market', offers: 1500 });
  const header = page.getByRole('columnheader', { name: 'Memory' });
  await header.getByRole('button').click();
  await expect(header).toHaveAttribute('aria-sort', 'ascending');
  await header.getByRole('button').click();
  await expect(header).toHaveAttribute('aria-sort', 'descending');
  await expect(page.locator('[data-offer-row]').first()).toContainText('80 GB');
  expect(await page.locator('[data-offer-row]').count()).toBeLessThan(60);
  await page.locator('[data-offer-row]').first().focus();
  await page.keyboard.press('End');
  await expect(page.locator('[data-index="199"]')).toBeFocused();
  await expect(page.getByRole('grid')).toHaveAttribute('aria-rowcount', '401');
});

test('by keyboard alone: search, choose, rent', async ({ open }) => {
  const { page, host } = await open({ at: '#/wallet' });
  await page.keyboard.press('/');
  await expect(page.getByRole('textbox', { name: 'Search offers' })).toBeFocused();
  await page.keyboard.type('vram>=48 free');
  await expect(page.locator('[data-offer-row]').first()).toContainText('48 GB');
  await page.keyboard.press('ArrowDown');
  await expect(page.locator('[data-index="0"]')).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog', { name: 'Rent this machine' });
  await expect(drawer).toBeVisible();
  await expect(drawer.getByText('Charged first')).toBeVisible();
  await drawer.getByLabel('Image').fill('busybox:1.36');
  await drawer.getByLabel('Ports to open').fill('8888, 22');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Rentals' })).toBeVisible();
  await expect(page.getByRole('progressbar', { name: 'Fetching the image' })).toBeVisible();
  expect(host.calls.filter((call) => call === 'rentals.open')).toHaveLength(1);
});

test('Escape closes the drawer and gives the focus back to the row', async ({ open }) => {
  const { page } = await open({ at: '#/market' });
  await page.locator('[data-offer-row]').nth(2).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
  await expect(page.locator('[data-index="2"]')).toBeFocused();
});

test('missing money is named and deposited by one click', async ({ open }) => {
  const { page, host } = await open({ at: '#/market', available: '1000' });
  await page.locator('[data-offer-row]').first().click();
  const rent = page.getByRole('button', { name: /^Rent, / });
  await expect(rent).toBeDisabled();
  await page.getByRole('button', { name: /^Deposit / }).click();
  await expect(rent).toBeEnabled();
  expect(host.calls).toContain('wallet.deposit');
});

test('wrong fields are named where they are, and nothing is paid', async ({ open }) => {
  const { page, host } = await open({ at: '#/market' });
  await page.locator('[data-offer-row]').first().click();
  await page.getByLabel('Ports to open').fill('99999');
  await page.getByRole('button', { name: /^Rent, / }).click();
  await expect(page.getByText('99999 is not a port from 1 to 65535.')).toBeVisible();
  await expect(page.getByLabel('Ports to open')).toBeFocused();
  expect(host.calls).not.toContain('rentals.open');
});

test('a changed offer is refused in words', async ({ open }) => {
  const { page, host } = await open({ at: '#/market' });
  host.fail(
    'rentals.open',
    new AppError('offer-changed', 'The provider changed this offer.', {
      next: 'Look at the new price and rent again.',
    }),
  );
  await page.locator('[data-offer-row]').first().click();
  await page.getByRole('button', { name: /^Rent, / }).click();
  await expect(page.getByRole('alert')).toContainText('Look at the new price and rent again.');
});

test('an empty market offers the practice neighbour', async ({ open }) => {
  const { page, host } = await open({ at: '#/market', offers: 0 });
  await expect(page.getByText('No offers yet')).toBeVisible();
  await page.getByRole('button', { name: 'Start the neighbour' }).click();
  await expect(page.getByText('It shares its processor')).toBeVisible();
  expect(host.calls).toContain('practice.startNeighbour');
});

test('a processor is marked as one wherever it can be rented', async ({ open }) => {
  const { page, host } = await open({ at: '#/market' });
  await page.getByRole('textbox', { name: 'Search offers' }).fill('EPYC');
  const row = page.locator('[data-offer-row]').first();
  await expect(row).toContainText('EPYC 7443P CPU, no card');
  await expect(row).not.toContainText('×');
  await row.click();
  const drawer = page.getByRole('dialog', { name: 'Rent this machine' });
  await expect(drawer.getByRole('heading', { level: 3 })).toHaveText('EPYC 7443P CPU, no card');
  await expect(drawer).toContainText('Main memory');
  await expect(drawer).not.toContainText('each card');
  await drawer.getByLabel('Image').fill('busybox:1.36');
  await drawer.getByRole('button', { name: /^Rent, / }).click();
  await expect(page.getByRole('heading', { level: 2 })).toHaveText('EPYC 7443P CPU, no card');
  await expect(page.getByRole('list', { name: 'Rentals' })).toContainText('CPU, no card');
  expect(host.calls).toContain('rentals.open');
});

test('a failing search says so and can be repeated', async ({ open }) => {
  const { page, host } = await open();
  host.fail(
    'market.search',
    new AppError('internal', 'The index cannot be read.', { next: 'Start Commonwatt again.' }),
  );
  await page.evaluate(() => (location.hash = '#/market'));
  await expect(page.getByRole('alert')).toContainText('The index cannot be read.');
  host.fail('market.search', null);
  await page.getByRole('button', { name: 'Search again' }).click();
  await expect(page.getByText('240 offers')).toBeVisible();
});
