/** Nothing pretended: the built window in front of a real host, a real chain, real containers. */
import { newPairingUrl } from '../../src/host/cli/connect.ts';
import { PRACTICE_IMAGE } from '../../src/runtime/create-options.ts';
import { expect, missing, test } from './real-computer.ts';
import { complaintsOf } from './window.ts';

test.describe('the real thing', () => {
  test.skip(missing !== null, missing ?? '');
  test.setTimeout(240_000);

  test('rent the neighbour’s machine, use it, pay for it; then share and be rented', async ({ page, computer }) => {
    const complaints = complaintsOf(page);
    await test.step('sign in by the link, skip the first run', async () => {
      await page.goto(await newPairingUrl(computer.host().dataDir));
      await page.getByRole('button', { name: 'Skip' }).click();
      expect(page.url()).not.toContain('pair=');
    });
    await test.step('start the neighbour, whose offer arrives in the market', async () => {
      await page.keyboard.press('Alt+2');
      await page.getByRole('button', { name: 'Start the neighbour' }).click();
      await expect(page.locator('[data-offer-row]')).toHaveCount(1, { timeout: 60_000 });
    });
    await test.step('rent it', async () => {
      await page.locator('[data-offer-row]').click();
      const drawer = page.getByRole('dialog');
      await drawer.getByLabel('Image').fill('commonwatt/practice:1');
      await drawer.getByLabel('Ports to open').fill('8080');
      await drawer.getByText('Command, variables, internet').click();
      await drawer.getByLabel('Command', { exact: true }).fill('httpd -f -p 8080 -h /www');
      await drawer.getByRole('button', { name: /^Deposit / }).click();
      await drawer.getByRole('button', { name: /^Rent, / }).click();
      await expect(page.locator('.phase[role=status]')).toContainText('Running', { timeout: 60_000 });
    });
    await test.step('type into its terminal', async () => {
      await expect(page.getByText('Connected', { exact: true })).toBeVisible({ timeout: 30_000 });
      await expect(page.locator('.xterm-rows')).toContainText(/[#$] *$/m, { timeout: 20_000 });
      await page.getByRole('textbox', { name: 'Terminal of the machine' }).focus();
      await page.keyboard.type('echo watt-$((40+2))\n');
      await expect(page.locator('.xterm-rows')).toContainText('watt-42');
    });
    await test.step('open its port here', async () => {
      await page.getByRole('tab', { name: 'Ports' }).click();
      await page.getByRole('button', { name: 'Open port 8080' }).click();
      const href = await page.getByRole('link', { name: 'Open in browser' }).getAttribute('href');
      expect(href).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
      expect(await (await fetch(href ?? '')).text()).toContain('Commonwatt');
    });
    await test.step('end it, and see what was settled', async () => {
      await page.getByRole('button', { name: 'End rental' }).click();
      await page.getByRole('button', { name: 'End and settle' }).click();
      const settlement = page.getByRole('region', { name: 'Settlement' });
      await expect(settlement).toContainText('Refunded to you', { timeout: 60_000 });
      await expect(settlement.getByRole('button', { name: 'Copy transaction hash' })).toBeVisible();
    });
    await test.step('find every movement in the wallet', async () => {
      await page.keyboard.press('Alt+5');
      for (const kind of ['Deposited', 'Locked for a rental', 'Came back from a rental']) {
        await expect(page.getByRole('table').getByText(kind).first()).toBeVisible({ timeout: 20_000 });
      }
    });
    await test.step('share this computer', async () => {
      await page.keyboard.press('Alt+1');
      await page.getByRole('switch', { name: 'Share this computer' }).click();
      await expect(page.getByText('Sharing is on')).toBeVisible({ timeout: 30_000 });
    });
    await test.step('be rented by the neighbour', async () => {
      await page.getByRole('button', { name: 'Let it rent mine' }).click();
      await expect(page.locator('.phase[role=status]')).toContainText('Running', { timeout: 60_000 });
      await page.keyboard.press('Alt+1');
      await expect(page.getByText('Shared, in use now')).toBeVisible();
      await expect(page.locator('.tenants').getByText('Running')).toBeVisible();
    });
    await test.step('stop, ending what runs', async () => {
      await page.getByRole('switch', { name: 'Share this computer' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'End it now' }).click();
      await expect(page.getByText('Sharing is off')).toBeVisible({ timeout: 60_000 });
      await expect(page.getByText('Nobody', { exact: true })).toBeVisible();
    });
    expect(complaints).toEqual([]);
  });

  test('an open page comes back by itself, still signed in, after kill -9 of its host', async ({ page, computer }) => {
    const complaints = complaintsOf(page);
    await page.goto(await newPairingUrl(computer.host().dataDir));
    await page.getByRole('button', { name: 'Skip' }).click();
    computer.host().kill('SIGKILL');
    await computer.host().exited;
    await expect(page.getByText('Connection to Commonwatt on this computer lost.')).toBeVisible();
    await computer.startAgain();
    await expect(page.getByText('Connection to Commonwatt on this computer lost.')).toBeHidden({ timeout: 30_000 });
    await expect(page.getByText('This browser is not signed in')).toHaveCount(0);
    await page.keyboard.press('Alt+5');
    await expect(page.getByRole('button', { name: 'Get practice money' })).toBeVisible();
    expect(complaints).toEqual([]);
  });

  test('runs that fail wait for their owner in one line: one is paid, one is rejected', async ({ page, computer }) => {
    const complaints = complaintsOf(page);
    const { client, dataDir } = computer.host();
    const command = () => ({ commandId: crypto.randomUUID() });
    await client.practice.startNeighbour();
    await expect.poll(async () => (await client.market.search({})).total, { timeout: 60_000 }).toBe(1);
    const watt = (await client.wallet.balances()).find(({ token }) => token.symbol === 'WATT')?.token.address ?? '0x';
    await client.wallet.deposit({ ...command(), token: watt, amount: (20n * 10n ** 18n).toString() });
    await client.jobs.submit({
      ...command(),
      file: {
        name: 'Ends badly',
        work: { type: 'docker', image: PRACTICE_IMAGE, command: ['sh', '-c', 'echo no luck; exit 3'] },
        bounty: '5',
        array: 2,
      },
    });
    await page.goto(await newPairingUrl(dataDir));
    await page.getByRole('button', { name: 'Skip' }).click();
    await page.keyboard.press('Alt+4');
    const line = page.getByRole('list', { name: 'Jobs' }).getByRole('listitem');
    await expect(line).toContainText('1 needs you', { timeout: 120_000 });
    await line.getByRole('link').click();
    const phase = page.locator('.phase[role=status]');
    await expect(phase).toContainText('The program ended with exit code 3.');
    await expect(page.getByRole('log')).toContainText('no luck');
    await page.getByRole('button', { name: 'Accept and pay', exact: true }).click();
    await expect(phase).toContainText('was paid', { timeout: 30_000 });
    await expect(page.locator('.facts').getByText('Paid')).toBeVisible();
    await page.getByRole('button', { name: 'Show one that needs you' }).click({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Reject…' }).click();
    await page.getByRole('textbox', { name: 'What is wrong with it' }).fill('It should have had luck.');
    await page.getByRole('button', { name: 'Reject, lock 0.5 WATT' }).click();
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await expect(phase).toContainText('You rejected it: It should have had luck.');
    expect(complaints).toEqual([]);
  });
});
