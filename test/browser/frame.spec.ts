import { expect, expectAccessible, test } from './window.ts';

test('keys go to every screen, and the title says where one is', async ({ open }) => {
  const { page } = await open({ sharing: true });
  for (const [digit, name] of [
    ['2', 'Market'],
    ['3', 'Rentals'],
    ['4', 'Jobs'],
    ['5', 'Wallet'],
    ['1', 'Share'],
  ] as const) {
    await page.keyboard.press(`Alt+${digit}`);
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
    await expect(page.getByRole('main')).toBeFocused();
    await expect(page).toHaveTitle(`${name} · Commonwatt · sharing`);
  }
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
});

test('practice money is named on every screen, and nowhere on a real network', async ({ open }) => {
  const { page } = await open();
  for (const screen of ['share', 'market', 'rentals', 'jobs', 'wallet']) {
    await page.evaluate((hash) => (location.hash = hash), `#/${screen}`);
    await expect(page.getByText('practice money, worth nothing')).toBeVisible();
  }
  const { page: real } = await open({ practice: false, wallet: 'locked' });
  await expect(real.getByText('Base Sepolia, live')).toBeVisible();
  await expect(real.getByText('practice money')).toHaveCount(0);
});

test('a lost host is said, and everything comes back by itself, still signed in', async ({ open }) => {
  const { page, host, stop, start } = await open({ rentals: true, at: '#/rentals' });
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await stop();
  await expect(page.getByText('Connection to Commonwatt on this computer lost.')).toBeVisible();
  await expect(page.getByText('reconnecting', { exact: true })).toBeVisible();
  const terminalsBefore = host.calls.filter((name) => name === 'rentals.terminal').length;
  await start();
  await expect(page.getByText('Connection to Commonwatt on this computer lost.')).toBeHidden({ timeout: 20_000 });
  await expect(page.getByText('connected', { exact: true })).toBeVisible();
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  expect(host.calls.filter((name) => name === 'rentals.terminal').length).toBe(terminalsBefore + 1);
});

test('a browser without a session is told how to sign in', async ({ open, browser }) => {
  const { url } = await open();
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await expect(page.getByText('This browser is not signed in')).toBeVisible();
  await page.goto(`${url}/#pair=long-used`);
  await page.reload();
  await expect(page.getByText('This sign-in link was used already or is too old.')).toBeVisible();
  expect(page.url()).not.toContain('pair=');
  await context.close();
});

test('networks that are wrong, down or catching up are said with a next step', async ({ open }) => {
  const { page } = await open({ practice: false, wallet: 'locked', network: 'wrong-network' });
  await expect(page.getByText('Connected to another network than Base Sepolia')).toBeVisible();
  const { page: down } = await open({ practice: false, wallet: 'locked', network: 'down' });
  await expect(down.getByText('Base Sepolia cannot be reached')).toBeVisible();
  const { page: behind } = await open({ practice: false, wallet: 'locked', network: 'catching-up' });
  await expect(behind.getByRole('progressbar', { name: 'Reading the market' })).toHaveAttribute('aria-valuenow', '64');
});

test('notifications: a toast, a count, a list with the way to the rental', async ({ open }) => {
  const { page, host } = await open({ rentals: true });
  await expect(page.getByRole('button', { name: 'Notifications, 2 new' })).toBeVisible();
  const [rental] = host.share.value.rentals;
  host.notify({
    id: 'n9',
    at: Math.floor(Date.now() / 1000),
    level: 'warning',
    title: 'Card is hot',
    body: 'It reached 84 °C.',
    rentalId: rental ?? null,
    taskId: null,
  });
  await expect(page.getByRole('alert').filter({ hasText: 'Card is hot' })).toBeVisible();
  await page.getByRole('button', { name: 'Notifications, 3 new' }).click();
  await page.getByRole('link', { name: 'Open the rental' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Rentals' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Notifications', exact: true })).toBeVisible();
});

test('a notification about a job leads to it', async ({ open }) => {
  const { page, host } = await open({ jobs: true });
  host.notify({
    id: 'n8',
    at: Math.floor(Date.now() / 1000),
    level: 'success',
    title: 'A job is done',
    body: 'Cluster the customers',
    rentalId: null,
    taskId: 'task-5',
  });
  await page.getByRole('button', { name: 'Notifications, 3 new' }).click();
  await page.getByRole('link', { name: 'Open the job' }).click();
  await expect(page.getByRole('heading', { level: 2, name: 'Cluster the customers' })).toBeVisible();
});

test('a browser shows them on the desktop only once its owner said so, and not while the page is looked at', async ({
  open,
}) => {
  const { page, host } = await open({ jobs: true });
  await page.addInitScript(() => {
    const at = { looking: false, asked: 0, shown: [] as { title: string; body: string; click: () => void }[] };
    class Fake extends EventTarget {
      static permission = 'default';
      static requestPermission() {
        at.asked += 1;
        Fake.permission = 'granted';
        return Promise.resolve('granted');
      }
      constructor(title: string, options: { body: string }) {
        super();
        at.shown.push({ title, body: options.body, click: () => this.dispatchEvent(new Event('click')) });
      }
      close() {}
    }
    Object.assign(window, { Notification: Fake, at });
    document.hasFocus = () => at.looking;
  });
  await page.reload();
  interface Seen {
    at: { looking: boolean; asked: number; shown: { title: string; body: string; click: () => void }[] };
  }
  const seen = () => page.evaluate(() => (window as unknown as Seen).at);
  const done = (id: string) =>
    host.notify({
      id,
      at: Math.floor(Date.now() / 1000),
      level: 'success',
      title: `“${id}” is <b>done</b>`,
      body: 'Paid.',
      rentalId: null,
      taskId: 'task-5',
    });
  await expect(page.locator('.frame')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Notifications, 2 new' })).toBeVisible();
  done('before');
  await page.getByRole('button', { name: 'Notifications, 3 new' }).click();
  await expectAccessible(page);
  await page.getByRole('switch', { name: /On the desktop too/ }).click();
  expect((await seen()).asked).toBe(1);
  await page.evaluate(() => ((window as unknown as Seen).at.looking = true));
  done('looked-at');
  await expect(page.getByRole('alert').filter({ hasText: 'looked-at' })).toBeVisible();
  await page.evaluate(() => ((window as unknown as Seen).at.looking = false));
  done('a');
  done('b');
  await expect.poll(async () => (await seen()).shown.length).toBe(1);
  expect((await seen()).shown).toMatchObject([{ title: '“a” is ‹b›done‹/b›', body: 'Paid.\nAnd 1 more.' }]);
  await page.evaluate(() => (window as unknown as Seen).at.shown[0]?.click());
  await expect(page.getByRole('heading', { level: 2, name: 'Cluster the customers' })).toBeVisible();
  expect(await page.evaluate(() => localStorage.getItem('commonwatt-preferences'))).toContain('"onDesktop":true');
});

test('a browser that refuses them is said, and where to allow it', async ({ open }) => {
  const { page } = await open();
  await page.addInitScript(() => {
    const fake = { permission: 'default', requestPermission: () => Promise.resolve((fake.permission = 'denied')) };
    Object.assign(window, { Notification: fake });
  });
  await page.reload();
  await page.getByRole('button', { name: 'Notifications, 2 new' }).click();
  const choice = page.getByRole('switch', { name: 'On the desktop too' });
  await choice.click();
  await expect(page.getByText('Allow it in the browser’s settings of this site.')).toBeVisible();
  await expect(choice).not.toBeChecked();
  await expectAccessible(page);
});

test('the first run takes three steps, can be skipped, and does not come back', async ({ open }) => {
  const { page, host } = await open({ firstRun: true });
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Start the neighbour' }).click();
  await expect(page.getByRole('dialog').getByText('The neighbour is on')).toBeVisible();
  await page.getByRole('button', { name: 'Rent a machine' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Market' })).toBeVisible();
  expect(host.calls).toContain('practice.startNeighbour');
  await page.reload();
  await expect(page.locator('.frame')).toBeVisible();
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('a screen whose code cannot be fetched any more is said, and the others work', async ({ open }) => {
  const { page, complaints } = await open();
  await page.route('**/WalletScreen-*.js', (route) => route.abort('connectionrefused'));
  await page.reload();
  await expect(page.locator('.frame')).toBeVisible();
  await page.keyboard.press('Alt+5');
  await expect(page.getByRole('alert')).toContainText('This screen could not be shown.');
  await expect(page.getByRole('button', { name: 'Reload the window' })).toBeVisible();
  await page.keyboard.press('Alt+2');
  await expect(page.locator('[data-offer-row]').first()).toBeVisible();
  // React tells the console what a boundary caught.
  expect(complaints.splice(0).join()).toContain('dynamically imported module');
});

test('code that fails to come is fetched again', async ({ open }) => {
  const { page } = await open();
  await page.route('**/WalletScreen-*.js', (route) => route.abort('connectionrefused'), { times: 2 });
  await page.reload();
  await expect(page.locator('.frame')).toBeVisible();
  await page.keyboard.press('Alt+5');
  await expect(page.getByRole('heading', { level: 2, name: 'Balances' })).toBeVisible();
});

test('light and dark follow the system until chosen', async ({ open }) => {
  const { page } = await open({ scheme: 'light' });
  await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'light');
  await page.getByRole('button', { name: 'Light or dark' }).click();
  await page.getByRole('menuitem', { name: 'Dark' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark');
});

test('nothing moves for those who asked for less motion', async ({ open }) => {
  const { page } = await open({ context: { reducedMotion: 'reduce' } });
  const knob = page.locator('.power-knob');
  expect(await knob.evaluate((element) => getComputedStyle(element).transitionDuration)).toBe('0s');
});
