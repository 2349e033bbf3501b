/** A new job: filled in, pasted or opened, and from there into the form. */
import type { Page } from '@playwright/test';
import { AppError } from '../../src/shared/errors.ts';
import { expect, expectAccessible, test } from './window.ts';

const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 2, name });
const submit = (page: Page) => page.getByRole('button', { name: /^Lock the bounty and submit/ });

test.describe('a new job', () => {
  test('a container, filled in: the cost first, then it waits in the list', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await expect(page.getByText('No jobs yet')).toBeVisible();
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('My first job');
    await page.getByRole('textbox', { name: 'Image' }).fill('busybox:1.36');
    await page.getByRole('textbox', { name: 'Command' }).fill('sh -c "echo hi"');
    await page.getByRole('textbox', { name: 'Bounty' }).fill('2.5');
    const cost = page.getByRole('region', { name: 'Cost' });
    await expect(cost).toContainText('2.500000 WATT');
    await expect(cost).toContainText(/Offers that could run it now\s*240/);
    await submit(page).click();
    await expect(heading(page, 'My first job')).toBeVisible();
    await expect(page.getByRole('region', { name: 'Why it waits' })).toContainText(/12\s*over your price/);
    expect(host.jobs.tasks()[0]).toMatchObject({
      bounty: '2500000000000000000',
      spec: { work: { type: 'docker', command: ['sh', '-c', 'echo hi'] }, verification: { tier: 'accept' } },
    });
  });

  for (const [kind, option, more] of [
    ['linear_regression', 'Linear regression', { params: {}, target: 'price' }],
    ['k_means', 'K-means clustering', { params: { k: 7 } }],
    ['pca', 'Principal components (PCA)', { params: { components: 7 } }],
  ] as const) {
    test(`${option} on the sample, proved by arithmetic`, async ({ open }) => {
      const { page, host } = await open({ at: '#/jobs' });
      await page.getByRole('button', { name: 'New job' }).click();
      await page.getByRole('combobox', { name: 'What runs' }).selectOption(option);
      await expect(page.getByText('Left empty, a small sample made by this computer.')).toBeVisible();
      if (kind === 'linear_regression') await page.getByRole('textbox', { name: 'Column to predict' }).fill('price');
      else await page.getByRole('textbox', { name: /^(Clusters|Components)$/ }).fill('7');
      await submit(page).click();
      await expect(page.getByText('The bounty is locked; it waits for a provider.')).toBeVisible();
      expect(host.jobs.tasks()[0]?.spec).toMatchObject({
        work: { type: 'kernel', model: kind, ...more },
        verification: { tier: 'certificate' },
      });
    });
  }

  test('a module, as an array, with secrets and inputs from elsewhere', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('combobox', { name: 'What runs' }).selectOption('A WASM module');
    await page.getByRole('textbox', { name: 'Module' }).fill(`bafybei${'a'.repeat(52)}`);
    await page.getByRole('textbox', { name: 'Arguments' }).fill('--fast');
    await page.getByRole('textbox', { name: 'Tasks' }).fill('3');
    await page.getByRole('button', { name: 'Web address' }).click();
    await page.getByRole('textbox', { name: 'Address' }).fill('https://data.example/table.csv');
    await page.getByRole('textbox', { name: 'SHA-256' }).fill('ab'.repeat(32));
    await page.getByRole('button', { name: 'IPFS' }).click();
    await page.getByRole('textbox', { name: 'Content id' }).fill(`bafybei${'b'.repeat(52)}`);
    await page.getByText('Payment, machine, times, lists of values').click();
    await page.getByRole('textbox', { name: 'Secrets' }).fill('TOKEN=hush');
    await page.getByRole('switch', { name: /^Any qualified provider may take it/ }).click();
    await expect(page.getByRole('region', { name: 'Cost' })).toContainText('15.000000 WATT');
    await submit(page).click();
    await expect(heading(page, /1 of 3/)).toBeVisible();
    await expect(page.getByRole('region', { name: 'The whole array' })).toContainText('0 of 3 tasks have ended');
    const specs = host.jobs.tasks().map(({ spec }) => spec);
    expect(specs).toHaveLength(3);
    expect(specs[0]).toMatchObject({ secrets: ['TOKEN'], inputs: [{ from: 'url' }, { from: 'ipfs' }] });
    expect(JSON.stringify(specs)).not.toContain('hush');
  });

  test('what is wrong is named, and the keyboard is where it is put right, folded away or not', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('textbox', { name: 'Bounty' }).fill('much');
    await submit(page).click();
    await expect(page.getByRole('textbox', { name: 'Bounty' })).toBeFocused();
    await expect(page.getByRole('alert')).toContainText('Bounty must be a decimal number');
    await page.getByRole('textbox', { name: 'Bounty' }).fill('5');
    await page.getByText('Payment, machine, times, lists of values').click();
    await page.getByRole('textbox', { name: 'Main memory' }).fill('lots');
    await page.getByText('Payment, machine, times, lists of values').click();
    await submit(page).click();
    await expect(page.getByRole('textbox', { name: 'Main memory' })).toBeFocused();
    expect(host.calls).not.toContain('jobs.submit');
  });

  test('lists of values, times, attempts and machine, by the keyboard alone', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    const more = page.getByText('Payment, machine, times, lists of values');
    await page.getByRole('combobox', { name: 'How the result is checked' }).focus();
    await page.keyboard.press('Tab');
    await expect(more).toBeFocused();
    await page.keyboard.press('Enter');
    const box = (name: string) => page.getByRole('textbox', { name, exact: true });
    for (const [name, start, typed] of [
      ['Cards', '0', '1'],
      ['Memory of each', '0', '24'],
      ['Maker', '', 'NVIDIA'],
      ['Model', '', ''],
      ['Processor', '1', '2.5'],
      ['Main memory', '1', '8'],
      ['Disk', '4', '40'],
      ['Longest wait', '60', '5'],
      ['All together', '', '90'],
      ['New attempts', '2', '11'],
      ['Priority', '50', '80'],
      ['Lists of values', '', 'SEED=1 2 3'],
    ] as const) {
      await page.keyboard.press('Tab');
      if (name === 'Cards') await page.keyboard.press('Tab');
      await expect(box(name)).toBeFocused();
      await expect(box(name)).toHaveValue(start);
      await page.keyboard.press('ControlOrMeta+a');
      await page.keyboard.type(typed);
    }
    await page.keyboard.press('Enter');
    await page.keyboard.type('WHO="Ada L." Bob');
    await expectAccessible(page);
    await submit(page).click();
    await expect(box('New attempts')).toBeFocused();
    await expect(page.getByText('New attempts must be a whole number from 0 to 10.').first()).toBeVisible();
    await box('New attempts').fill('0');
    await expect(page.getByRole('region', { name: 'Cost' })).toContainText('30.000000 WATT');
    await submit(page).click();
    await expect(heading(page, /1 of 6/)).toBeVisible();
    expect(host.jobs.submittedFiles().at(-1)).toMatchObject({
      array: { SEED: ['1', '2', '3'], WHO: ['Ada L.', 'Bob'] },
      retries: 0,
      priority: 80,
      resources: { gpuCount: 1, gpuMemoryGb: 24, gpuType: 'NVIDIA', cpus: 2.5, diskBytes: 40 * 2 ** 30 },
      timeouts: { queueSeconds: 300, runSeconds: 3600, totalSeconds: 5400 },
    });
  });

  test('a refused job stays in the form, and sent again it is the same job', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    host.fail(
      'jobs.submit',
      new AppError('network-down', 'The network does not answer.', { next: 'Try again when it is back.' }),
    );
    await submit(page).click();
    await expect(page.getByRole('alert')).toContainText('Try again when it is back.');
    host.fail('jobs.submit', null);
    await submit(page).click();
    await expect(page.getByText('The bounty is locked; it waits for a provider.')).toBeVisible();
    expect(host.jobs.tasks()).toHaveLength(1);
  });

  test('too little in the deposit account is put there by one click', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('textbox', { name: 'Bounty' }).fill('41');
    await expect(page.getByText('1 WATT are missing in your deposit account')).toBeVisible();
    await page.getByRole('button', { name: 'Deposit 1 WATT' }).click();
    await expect.poll(() => host.calls).toContain('wallet.deposit');
  });

  test('files of this computer go up whole', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    const table = Buffer.from('x,y\n1,2\n'.repeat(300_000));
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Files of this computer' }).click();
    await (
      await chooser
    ).setFiles([
      { name: 'data.csv', mimeType: 'text/csv', buffer: table },
      { name: 'empty.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) },
    ]);
    await expect(page.getByText('2.3 MiB')).toBeVisible();
    await expect(page.getByText('empty.txt')).toBeVisible();
    expect(host.jobs.uploaded().get('data.csv')?.equals(table)).toBe(true);
    await submit(page).click();
    await expect(page.getByText('The bounty is locked; it waits for a provider.')).toBeVisible();
    expect(host.jobs.tasks()[0]?.spec.inputs.map(({ path }) => path)).toEqual(['data.csv', 'empty.txt']);
  });
});

test.describe('pasted from elsewhere', () => {
  test('a docker run line, with everything named that is not honoured', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('tab', { name: 'Paste or open a file' }).click();
    await expect(submit(page)).toBeDisabled();
    await page
      .getByRole('textbox', { name: /docker run line/ })
      .fill('docker run --rm --privileged -p 80:80 --gpus 2 -e SEED=7 pytorch/pytorch:2.9.0 python train.py');
    await page.getByRole('button', { name: 'Read it' }).click();
    await expect(page.getByText('Not possible: --privileged')).toBeVisible();
    await expect(page.getByText('Left out: --rm')).toBeVisible();
    await expect(page.getByText('pytorch/pytorch:2.9.0 python train.py', { exact: true })).toBeVisible();
    await page.getByRole('textbox', { name: 'Bounty, where the text names none' }).fill('3');
    await expect(page.getByRole('region', { name: 'Cost' })).toContainText('3.000000 WATT');
    await page.getByRole('button', { name: 'Lock the bounty and submit without what is not possible' }).click();
    await expect(page.getByText('The bounty is locked; it waits for a provider.')).toBeVisible();
    expect(host.jobs.tasks()[0]).toMatchObject({
      bounty: '3000000000000000000',
      spec: { work: { env: { SEED: '7' } }, resources: { gpuCount: 2 } },
    });
  });

  test('a file is opened, changed text is read again, nonsense is refused', async ({ open }) => {
    const { page } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('tab', { name: 'Paste or open a file' }).click();
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Open a file' }).click();
    await (
      await chooser
    ).setFiles({
      name: 'job.yaml',
      mimeType: 'application/yaml',
      buffer: Buffer.from('version: 1\nname: From a file\nwork: {type: docker, image: "alpine:3.22"}\nbounty: "4"\n'),
    });
    await page.getByRole('button', { name: 'Read it' }).click();
    await expect(page.getByText('Everything in it can be honoured.')).toBeVisible();
    await expect(submit(page)).toBeEnabled();
    const text = page.getByRole('textbox', { name: /docker run line/ });
    await text.fill('what is this?');
    await expect(submit(page)).toBeDisabled();
    await page.getByRole('button', { name: 'Read it' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await expect(submit(page)).toBeDisabled();
  });
});

test.describe('a job file in the form', () => {
  const read = async (page: Page, text: string) => {
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('tab', { name: 'Paste or open a file' }).click();
    await page.getByRole('textbox', { name: /docker run line/ }).fill(text);
    await page.getByRole('button', { name: 'Read it' }).click();
  };
  const FILE = [
    'name: From a file',
    'work: {type: docker, image: "alpine:3.22", command: [sh, -c, "echo $SEED"]}',
    'bounty: "4"',
    'array: {SEED: ["1", "2 and a half"]}',
    'retries: 5',
    'priority: 90',
    'timeouts: {queueSeconds: 90, runSeconds: 600, totalSeconds: 7200}',
    'resources: {gpuType: AMD, gpuCount: 1, cpus: 4, diskBytes: 8589934592}',
    'inputs: [{path: note.txt, text: "by hand"}]',
  ].join('\n');

  test('fills it whole, and is changed there', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await read(page, FILE);
    await page.getByRole('button', { name: 'Change it in the form' }).click();
    const box = (name: string) => page.getByRole('textbox', { name, exact: true });
    await expect(box('Name')).toBeFocused();
    await expect(box('Name')).toHaveValue('From a file');
    await expect(box('Command')).toHaveValue("sh -c 'echo $SEED'");
    await expect(page.getByText('text of 7 characters')).toBeVisible();
    await page.getByText('Payment, machine, times, lists of values').click();
    for (const [name, value] of [
      ['Lists of values', "SEED=1 '2 and a half'"],
      ['New attempts', '5'],
      ['Priority', '90'],
      ['Longest wait', '1.5'],
      ['All together', '120'],
      ['Maker', 'AMD'],
      ['Processor', '4'],
      ['Disk', '8'],
    ] as const) {
      await expect(box(name)).toHaveValue(value);
    }
    await box('Priority').fill('10');
    await expectAccessible(page);
    await submit(page).click();
    await expect(heading(page, /1 of 2/)).toBeVisible();
    expect(host.jobs.submittedFiles().at(-1)).toMatchObject({
      priority: 10,
      array: { SEED: ['1', '2 and a half'] },
      inputs: [{ path: 'note.txt', text: 'by hand' }],
    });
  });

  test('that says more than it can show is submitted as it is', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await read(page, `${FILE}\noutputs: {maxFiles: 3}`);
    await expect(page.getByText('Submitted as it is: the form cannot show all of it (outputs).')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Change it in the form' })).toHaveCount(0);
    await submit(page).click();
    await expect(heading(page, /1 of 2/)).toBeVisible();
    expect(host.jobs.submittedFiles().at(-1)).toMatchObject({ outputs: { maxFiles: 3 } });
  });
});
