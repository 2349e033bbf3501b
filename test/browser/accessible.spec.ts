import { SCREENS } from '../../renderer/view/screens.ts';
import { expect, expectAccessible, test } from './window.ts';

const SIZES = [
  [1280, 800],
  [1920, 1080],
] as const;

for (const scheme of ['dark', 'light'] as const) {
  for (const [width, height] of SIZES) {
    for (const screen of SCREENS) {
      test(`${screen} has no axe violations, ${scheme}, ${width}x${height}`, async ({ open }) => {
        const { page } = await open({
          rentals: true,
          jobs: true,
          sharing: true,
          working: true,
          at: `#/${screen}`,
          scheme,
          width,
          height,
        });
        await expect(page.locator(`.screen-${screen} .panel, .screen-${screen} .table`).first()).toBeVisible();
        if (screen === 'rentals') await expect(page.getByText('Connected', { exact: true })).toBeVisible();
        await expectAccessible(page);
      });
    }
  }

  test(`drawer, dialogs and the first run have no axe violations, ${scheme}`, async ({ open }) => {
    const { page } = await open({ firstRun: true, at: '#/market', scheme, available: '100' });
    await expect(page.getByRole('dialog', { name: /Welcome/ })).toBeVisible();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Skip' }).click();
    await page.locator('[data-offer-row]').first().click();
    await expect(page.getByRole('button', { name: /^Rent, / })).toBeVisible();
    await expect(page.getByText('Provider is ready')).toBeVisible();
    await expectAccessible(page);
  });

  test(`a job's results, runs, agreement and a new job have no axe violations, ${scheme}`, async ({ open }) => {
    const { page } = await open({ jobs: true, jobArray: 20, at: '#/jobs/task-4', scheme });
    await expect(page.getByRole('table')).toBeVisible();
    await expectAccessible(page);
    await page.evaluate(() => (location.hash = '#/jobs/task-5'));
    await expect(page.getByRole('heading', { level: 2, name: 'Cluster the customers' })).toBeVisible();
    for (const tab of ['Who ran it', 'Agreement', 'Log']) {
      await page.getByRole('tab', { name: tab }).click();
      await expectAccessible(page);
    }
    await page.evaluate(() => (location.hash = '#/jobs/task-9'));
    await expect(page.getByRole('region', { name: 'Your word is needed' })).toBeVisible();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Reject…' }).click();
    await page.getByRole('button', { name: /^Reject, lock/ }).click();
    await expect(page.getByText('Say what is wrong with the result.')).toBeVisible();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await page.evaluate(() => (location.hash = '#/jobs/task-10015'));
    await expect(page.getByRole('meter', { name: 'Tasks of the array that have ended' })).toBeVisible();
    await page.getByRole('button', { name: 'New job' }).click();
    await expect(page.getByText('Offers that could run it now')).toBeVisible();
    await page.getByText('Payment, machine, times, lists of values').click();
    await expectAccessible(page);
    await page.getByRole('tab', { name: 'Paste or open a file' }).click();
    await page.getByRole('textbox', { name: /docker run line/ }).fill('docker run --privileged alpine:3.22 true');
    await page.getByRole('button', { name: 'Read it' }).click();
    await expect(page.getByText('Not possible: --privileged')).toBeVisible();
    await expectAccessible(page);
  });

  test(`empty and failing states have no axe violations, ${scheme}`, async ({ open }) => {
    const { page } = await open({
      offers: 0,
      devices: 'none',
      docker: false,
      practice: false,
      wallet: 'none',
      network: 'down',
      scheme,
    });
    for (const screen of SCREENS) {
      await page.evaluate((hash) => (location.hash = hash), `#/${screen}`);
      await expect(page.locator(`.screen-${screen}`)).toBeVisible();
      await expect(page.locator('.loading-row')).toHaveCount(0);
      await expectAccessible(page);
    }
  });
}

test('nothing is cut off or unreachable at 200 % zoom', async ({ open }) => {
  const { page } = await open({ rentals: true, jobs: true, sharing: true, working: true, width: 640, height: 400 });
  for (const screen of SCREENS) {
    await page.evaluate((hash) => (location.hash = hash), `#/${screen}`);
    await expect(page.locator(`.screen-${screen}`)).toBeVisible();
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow, `${screen} scrolls sideways`).toBeLessThanOrEqual(0);
  }
});
