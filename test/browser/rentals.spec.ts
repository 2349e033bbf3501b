import { AppError } from '../../src/shared/errors.ts';
import { fakeHash } from './fake-market.ts';
import { fakeRental } from './fake-rentals.ts';
import { expect, test } from './window.ts';

const MINE = `#/rentals/${fakeHash(1)}`;

test('a terminal in the machine: type, read, leave with the keyboard', async ({ open }) => {
  const { page } = await open({ rentals: true, at: MINE });
  const terminal = page.getByRole('textbox', { name: 'Terminal of the machine' });
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await terminal.focus();
  await page.keyboard.type('nvidia-smi');
  await page.keyboard.press('Enter');
  await expect(page.locator('.xterm-rows')).toContainText('Driver Version: 580.95.05');
  await page.keyboard.press('Control+Shift+M');
  await expect(page.getByRole('button', { name: 'Find in the terminal' })).toBeFocused();
});

test('a flood of output is drawn and acknowledged', async ({ open }) => {
  const { page, host } = await open({ rentals: true, at: MINE });
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await page.getByRole('textbox', { name: 'Terminal of the machine' }).focus();
  await page.keyboard.type('flood\n');
  await expect(page.locator('.xterm-rows')).toContainText('flood done', { timeout: 30_000 });
  // The shell stops at 256 frames that nobody acknowledged: without acknowledgements the end had never come.
  expect(Math.max(...host.terminals.acked())).toBeGreaterThan(1000);
  expect(host.terminals.furthest()).toBeLessThanOrEqual(256);
});

test('without acknowledgements a flood stops, and the window lives on', async ({ open }) => {
  const { page, host } = await open({ rentals: true, at: MINE });
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await page.getByRole('textbox', { name: 'Terminal of the machine' }).focus();
  host.terminals.loseAcks();
  await page.keyboard.type('flood\n');
  await expect.poll(() => host.terminals.furthest()).toBe(256);
  await expect(page.locator('.xterm-rows')).not.toContainText('flood done');
  await page.getByRole('tab', { name: 'Ports' }).click();
  await expect(page.getByRole('button', { name: 'Open port 6006' })).toBeVisible();
});

test('the shell’s end is said, and a new one opens by a click', async ({ open }) => {
  const { page } = await open({ rentals: true, at: MINE });
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await page.getByRole('textbox', { name: 'Terminal of the machine' }).focus();
  await page.keyboard.type('exit\n');
  await expect(page.getByText(/The shell ended with exit code 0/)).toBeVisible();
  await page.getByRole('button', { name: 'New shell' }).click();
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
});

test('spent and left run by the second', async ({ open }) => {
  const { page } = await open({ rentals: true, at: MINE });
  const spent = page.locator('.stat', { hasText: 'Spent' }).locator('.figure');
  const before = await spent.first().textContent();
  await expect(spent.first()).not.toHaveText(before ?? '');
  await expect(page.getByRole('meter', { name: 'Rented time used' })).toHaveAttribute(
    'aria-valuetext',
    /of 2 h 00 min used/,
  );
});

test('ports open on loopback by one click, and close', async ({ open }) => {
  const { page, host } = await open({ rentals: true, at: MINE });
  await page.getByRole('tab', { name: 'Ports' }).click();
  await page.getByRole('button', { name: 'Open port 6006' }).click();
  await expect(page.getByText('127.0.0.1:41006')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Open in browser' }).last()).toHaveAttribute(
    'href',
    'http://127.0.0.1:41006/',
  );
  await page.getByRole('button', { name: 'Close' }).last().click();
  await expect(page.getByText('127.0.0.1:41006')).toBeHidden();
  expect(host.calls).toContain('rentals.closeForward');
});

test('extend says what more is locked', async ({ open }) => {
  const { page } = await open({ rentals: true, at: MINE });
  await page.getByRole('button', { name: 'Extend' }).click();
  await page.getByRole('button', { name: 'Extend, 0.34 CUSD deposit' }).click();
  await expect(page.getByRole('dialog')).toBeHidden();
  await expect(page.getByText('of 3 h 00 min')).toBeVisible();
});

test('ending shows the bill first, then the settlement with its transaction', async ({ open }) => {
  const { page, host } = await open({ rentals: true, at: MINE });
  await page.getByRole('button', { name: 'End rental' }).click();
  const dialog = page.getByRole('dialog', { name: 'End this rental?' });
  await expect(dialog).toContainText('You pay');
  await expect(dialog.getByRole('button', { name: 'Keep it running' })).toBeFocused();
  await dialog.getByRole('button', { name: 'End and settle' }).click();
  await expect(page.getByText('Settled on the network')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Copy transaction hash' })).toBeVisible();
  expect(host.calls).toContain('rentals.terminate');
});

test('what ends while one looks at it stays in sight with its settlement', async ({ open }) => {
  const { page } = await open({ rentals: true, at: '#/rentals' });
  await page.getByRole('button', { name: 'End rental' }).click();
  await page.getByRole('button', { name: 'End and settle' }).click();
  await expect(page.getByRole('region', { name: 'Settlement' })).toContainText('Refunded to you');
  await expect(page.getByRole('radio', { name: 'Ended' })).toBeChecked();
  await page.getByText('Open (1)').click();
  await expect(page.getByText('Somebody is using this computer and pays by the second.')).toBeVisible();
});

test('a failed end keeps the dialog with the reason', async ({ open }) => {
  const { page, host } = await open({ rentals: true, at: MINE });
  host.fail(
    'rentals.terminate',
    new AppError('network-down', 'The network does not answer.', { next: 'It is settled when it is back.' }),
  );
  await page.getByRole('button', { name: 'End rental' }).click();
  await page.getByRole('button', { name: 'End and settle' }).click();
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('It is settled when it is back.');
});

test('a phase change is announced, preparation can be cancelled', async ({ open }) => {
  const { page, host } = await open({ rentals: true });
  const rental = fakeRental({ seed: 70, now: 1_790_000_000, phase: 'preparing', served: 0 });
  host.addRental(rental);
  await page.evaluate((hash) => (location.hash = hash), `#/rentals/${rental.rentalId}`);
  await expect(page.locator('.phase[role=status]')).toContainText('Nothing is charged yet');
  await expect(page.getByText('1.5 GiB of 4 GiB')).toBeVisible();
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(page.getByRole('dialog', { name: 'Cancel this rental?' })).toBeVisible();
  await page.keyboard.press('Escape');
  host.change(rental.rentalId, (old) => ({ ...old, phase: 'paused', progress: null }));
  await expect(page.locator('.phase[role=status]')).toContainText('Paused');
  await expect(page.getByText('Nothing is charged while the meter stands still')).toBeVisible();
});

test('a provided rental says so and has no terminal', async ({ open }) => {
  const { page } = await open({ rentals: true, at: `#/rentals/${fakeHash(2)}` });
  await expect(page.getByText('Somebody is using this computer and pays by the second.')).toBeVisible();
  await expect(page.getByRole('tab', { name: 'Terminal' })).toHaveCount(0);
});

test('arrows walk the list', async ({ open }) => {
  const { page } = await open({ rentals: true, at: MINE });
  const list = page.getByRole('list', { name: 'Rentals' });
  await list.getByRole('link').first().focus();
  await page.keyboard.press('ArrowDown');
  await expect(list.getByRole('link').nth(1)).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(list.getByRole('link').nth(1)).toHaveAttribute('aria-current', 'true');
});
