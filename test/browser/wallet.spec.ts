import { AppError } from '../../src/shared/errors.ts';
import { PASSWORD, WORDS } from './fake-wallet.ts';
import { expect, test } from './window.ts';

test('balances per currency, deposit and withdraw', async ({ open }) => {
  const { page, host } = await open({ at: '#/wallet' });
  const row = page.getByRole('row', { name: /^CUSD/ });
  await expect(row).toContainText('84.250000 CUSD');
  await page.getByRole('button', { name: 'Deposit CUSD' }).click();
  await page.getByLabel('Amount').fill('10.5');
  await page.keyboard.press('Enter');
  await expect(row).toContainText('94.750000 CUSD');
  await page.getByRole('button', { name: 'Withdraw CUSD' }).click();
  await page.getByLabel('Amount').fill('1000');
  await expect(page.getByText('That is more than there is.')).toBeVisible();
  await page.getByRole('button', { name: 'All of it' }).click();
  await page.getByRole('button', { name: 'Withdraw 94.75 CUSD' }).click();
  await expect(row).toContainText('0.000000 CUSD');
  expect(host.calls).toContain('wallet.withdraw');
});

test('a refused deposit says why and keeps what was typed', async ({ open }) => {
  const { page, host } = await open({ at: '#/wallet' });
  host.fail(
    'wallet.deposit',
    new AppError('insufficient-funds', 'There is not enough ETH for the network’s fee.', {
      next: 'Get some practice money.',
    }),
  );
  await page.getByRole('button', { name: 'Deposit CUSD' }).click();
  await page.getByLabel('Amount').fill('1');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('Get some practice money.');
  await expect(page.getByLabel('Amount')).toHaveValue('1');
});

test('practice money by one click', async ({ open }) => {
  const { page, host } = await open({ at: '#/wallet' });
  await page.getByRole('button', { name: 'Get practice money' }).click();
  await expect(page.getByRole('row', { name: /^CUSD/ })).toContainText('416.750000 CUSD');
  expect(host.calls).toContain('wallet.faucet');
});

test('history names each movement with its transaction', async ({ open }) => {
  const { page } = await open({ at: '#/wallet' });
  await expect(page.getByRole('row', { name: /Came back from a rental/ })).toContainText('+0.170000 CUSD');
  await expect(page.getByRole('row', { name: /Network fee/ })).toContainText('−0.000854 CUSD');
});

test('spending limits are saved, empty means none', async ({ open }) => {
  const { page, host } = await open({ at: '#/wallet' });
  const field = page.getByLabel('Per rental, CUSD');
  await expect(field).toHaveValue('20');
  await field.fill('much');
  await expect(page.getByRole('button', { name: 'Save limits' })).toBeDisabled();
  await field.fill('');
  await page.getByRole('button', { name: 'Save limits' }).click();
  await expect(page.getByText('Spending limits saved')).toBeVisible();
  expect(host.calls).toContain('wallet.setPolicy');
});

test('a new wallet: password twice, words, three of them asked back', async ({ open }) => {
  const { page, host } = await open({ at: '#/wallet', practice: false, wallet: 'none' });
  await page.getByLabel('New password for this computer').fill(PASSWORD);
  await page.getByLabel('The same again').fill('something else');
  await expect(page.getByText('Not the same')).toBeVisible();
  await page.getByLabel('The same again').fill(PASSWORD);
  await page.getByRole('button', { name: 'Make the wallet' }).click();
  await expect(page.getByRole('list', { name: 'Backup words' }).getByRole('listitem')).toHaveCount(12);
  await page.getByRole('button', { name: 'I have written them down' }).click();
  const asked = page.getByLabel(/^Word \d+$/);
  for (const field of await asked.all()) await field.fill('wrong');
  await page.getByRole('button', { name: 'Check' }).click();
  await expect(page.getByRole('alert')).toContainText('These are not the words');
  expect(host.calls).not.toContain('wallet.confirmBackup');
  const words = WORDS.split(' ');
  const labels = await page.locator('label', { hasText: /^Word \d+$/ }).allTextContents();
  for (const [index, field] of (await asked.all()).entries()) {
    await field.fill(words[Number(labels[index]?.replace('Word ', '')) - 1] ?? '');
  }
  await page.getByRole('button', { name: 'Check' }).click();
  await expect(page.getByRole('heading', { name: 'Balances' })).toBeVisible();
  expect(host.calls).toContain('wallet.confirmBackup');
});

test('a wallet is imported', async ({ open }) => {
  const { page, host } = await open({ at: '#/wallet', practice: false, wallet: 'none' });
  await page.getByText('Private key').click();
  await page.getByRole('textbox', { name: 'Private key' }).fill(`0x${'11'.repeat(32)}`);
  await page.getByLabel('New password for this computer').fill(PASSWORD);
  await page.getByLabel('The same again').fill(PASSWORD);
  await page.getByRole('button', { name: 'Import the wallet' }).click();
  await expect(page.getByRole('heading', { name: 'Balances' })).toBeVisible();
  expect(host.calls).toContain('wallet.import');
});

test('locked: the wrong password is refused, the right one opens', async ({ open }) => {
  const { page } = await open({ at: '#/wallet', practice: false, wallet: 'locked' });
  await expect(page.getByRole('button', { name: 'Deposit CUSD' })).toBeDisabled();
  await page.getByLabel('Password', { exact: true }).fill('nope');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('That is not the password.');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.keyboard.press('Enter');
  await expect(page.getByText('Open', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Lock', exact: true }).click();
  await expect(page.getByLabel('Password', { exact: true })).toBeVisible();
});
