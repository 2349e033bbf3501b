import type { Page } from '@playwright/test';
import { AppError } from '../../src/shared/errors.ts';
import { fakeRun } from './fake-job-list.ts';
import { CUSD } from './fake-market.ts';
import { expect, expectAccessible, test } from './window.ts';

const now = () => Math.floor(Date.now() / 1000);
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 2, name });
const submit = (page: Page) => page.getByRole('button', { name: /^Lock the bounty and submit/ });

test.describe('a job on its way', () => {
  test('waits with reasons, runs with progress, ends with its result, all in sight', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-1' });
    const waiting = page.getByRole('region', { name: 'Why it waits' });
    await expect(waiting).toContainText('None of 16 offers fits:');
    await expect(waiting.getByRole('listitem')).toHaveCount(3);
    const run = fakeRun({ seed: 800, now: now(), phase: 'preparing', startedAgo: null });
    const fetching = { label: 'Fetching the image', done: 1_073_741_824, total: 4_294_967_296, unit: 'bytes' as const };
    host.jobs.change('task-1', (job) => ({
      ...job,
      status: 'assigned',
      detail: '',
      runs: [{ ...run, progress: fetching }],
    }));
    await expect(page.locator('.phase[role=status]')).toContainText('A provider works on it.');
    await expect(page.getByText('1 GiB of 4 GiB')).toBeVisible();
    await expect(page.getByText('Nothing printed yet')).toBeVisible();
    host.jobs.change('task-1', (job) => ({ ...job, runs: [{ ...run, startedAt: now() }] }));
    const log = page.getByRole('log');
    await expect(log).toContainText('step   390');
    host.jobs.print('task-1', '\u001B[32mgreen\u001B[0m 10 %\r\u001B[K20 %\r30 %\ndone\n');
    await expect(log).toContainText('done');
    expect(await log.textContent()).toMatch(/\n30 %\ndone\n$/);
    host.jobs.change('task-1', (job) => ({
      ...job,
      status: 'verified',
      detail: 'The result is whole.',
      resultCid: 'bafybeiresult',
      resultHere: true,
      paid: job.bounty,
      refund: '0',
    }));
    await expect(page.getByRole('tab', { name: 'Results' })).toHaveAttribute('aria-selected', 'true');
    await expect(page.getByRole('radio', { name: /Ended/ })).toBeChecked();
    await expect(page.getByRole('button', { name: 'Run again' })).toBeVisible();
  });

  test('a flood in the log is read to its end, at the reader’s pace', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-2' });
    const log = page.getByRole('log');
    await expect(log).toContainText('step   390');
    host.jobs.print('task-2', `${Array.from({ length: 5000 }, (_, line) => `line ${line}`).join('\n')}\nflood over\n`);
    await expect(log).toContainText('flood over', { timeout: 30_000 });
    expect(await log.evaluate((view) => view.scrollHeight - view.scrollTop - view.clientHeight)).toBeLessThan(2);
  });

  test('is cancelled with its bounty back; one that somebody took says why not', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-1' });
    host.fail(
      'jobs.cancel',
      new AppError('conflict', 'Somebody works on it already.', { next: 'Wait for the result.' }),
    );
    await page.getByRole('button', { name: 'Cancel, get the bounty back' }).click();
    await expect(page.getByRole('alert')).toContainText('Somebody works on it already.');
    host.fail('jobs.cancel', null);
    await page.getByRole('button', { name: 'Cancel, get the bounty back' }).click();
    await expect(page.locator('.phase[role=status]')).toContainText('You took it back.');
    await expect(page.locator('.facts').getByText('Back to you')).toBeVisible();
  });

  test('saves a checkpoint when asked', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-2' });
    await page.getByRole('button', { name: 'Save a checkpoint' }).click();
    await expect(page.getByText('The work was asked to save its state')).toBeVisible();
    expect(host.calls).toContain('jobs.checkpoint');
  });

  test('that failed says its exit code, and runs again as a new job', async ({ open }) => {
    const { page } = await open({ jobs: true, at: '#/jobs/task-7' });
    await expect(page.locator('.phase[role=status]')).toContainText('exit code 1');
    await page.getByRole('button', { name: 'Run again' }).click();
    await expect(page.locator('.phase[role=status]')).toContainText('it waits for a provider');
    await expect(heading(page, 'Plot the survey')).toBeVisible();
  });

  test('unknown ids are said, with the way back', async ({ open }) => {
    const { page } = await open({ jobs: true, at: '#/jobs/no-such-task' });
    await expect(page.getByRole('alert')).toContainText('This host knows no such job.');
    await page.getByRole('button', { name: 'Show the newest' }).click();
    await expect(heading(page, 'Fine-tune the small model')).toBeVisible();
  });
});

test.describe('a result that waits for its owner', () => {
  const panel = (page: Page) => page.getByRole('region', { name: 'Your word is needed' });

  test('says so in the list, counts down, and is paid when accepted', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-9' });
    const line = page
      .getByRole('list', { name: 'Jobs' })
      .getByRole('listitem')
      .filter({ hasText: 'Segment the scans' });
    await expect(line).toContainText('Needs you');
    await expect(page.locator('.phase[role=status]')).toContainText('Needs you');
    await expect(page.locator('.phase[role=status]')).toContainText(
      'The program ended with exit code 1. Look at its log.',
    );
    await expect(page.getByRole('tab', { name: 'Log' })).toHaveAttribute('aria-selected', 'true');
    await expect(panel(page)).toContainText(/Paid in 23 h 1[12] min unless you reject it\./);
    host.jobs.change('task-9', (job) => ({ ...job, review: { until: now() + 90, bond: job.review?.bond ?? '0' } }));
    await expect(panel(page)).toContainText(/Paid in 1 min 2\d s/);
    await expect(panel(page)).toContainText(/Paid in 1 min 1\d s/, { timeout: 20_000 });
    host.fail('jobs.accept', new AppError('network-down', 'The network does not answer.'));
    await page.getByRole('button', { name: 'Accept and pay' }).click();
    await expect(panel(page).getByRole('alert')).toContainText('The network does not answer.');
    host.fail('jobs.accept', null);
    await page.getByRole('button', { name: 'Accept and pay' }).click();
    await expect(page.locator('.phase[role=status]')).toContainText('was paid; the logs are kept.');
    await expect(panel(page)).toHaveCount(0);
  });

  test('is rejected with a reason, after it was said what that locks', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-9' });
    await page.getByRole('button', { name: 'Reject…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Reject this result?' });
    await expect(dialog).toContainText('A jury of validators looks at it.');
    await expect(dialog).toContainText('0.5 WATT of yours are locked as a bond');
    await expect(dialog).toContainText('Without enough jurors the provider is paid.');
    const reason = dialog.getByRole('textbox', { name: 'What is wrong with it' });
    const reject = dialog.getByRole('button', { name: 'Reject, lock 0.5 WATT' });
    await expect(reason).toBeFocused();
    await reject.click();
    await expect(dialog.getByText('Say what is wrong with the result.')).toBeVisible();
    await expect(reason).toBeFocused();
    expect(host.calls).not.toContain('jobs.reject');
    await reason.fill('x'.repeat(400));
    expect((await reason.inputValue()).length).toBe(300);
    await reason.fill('The log says that it never began.');
    host.fail(
      'jobs.reject',
      new AppError('insufficient-funds', 'The deposit account does not hold the bond of a challenge.', {
        field: 'bond',
        next: 'Deposit what is missing, then challenge again.',
      }),
    );
    await reject.click();
    await expect(dialog.getByRole('alert')).toContainText('Deposit what is missing');
    host.fail('jobs.reject', null);
    await reject.click();
    await expect(dialog).toHaveCount(0);
    await expect(page.locator('.phase[role=status]')).toContainText(
      'You rejected it: The log says that it never began.',
    );
    await expect(panel(page)).toHaveCount(0);
  });

  test('a bond that is missing is deposited by one click', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-9' });
    host.jobs.change('task-9', (job) => ({ ...job, token: CUSD, review: { until: now() + 9000, bond: '100000000' } }));
    await page.getByRole('button', { name: 'Reject…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Reject this result?' });
    await expect(dialog.getByText('15.75 CUSD are missing in your deposit account')).toBeVisible();
    await dialog.getByRole('button', { name: 'Deposit 15.75 CUSD' }).click();
    await expect(dialog.getByText(/are missing in your deposit account/)).toHaveCount(0);
    expect(host.calls).toContain('wallet.deposit');
  });

  test('is let be by Cancel, and cannot be decided once its time is over', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-9' });
    await page.getByRole('button', { name: 'Reject…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await expect(page.getByRole('button', { name: 'Reject…' })).toBeFocused();
    host.jobs.change('task-9', (job) => ({ ...job, review: { until: now() + 2, bond: '1' } }));
    await expect(panel(page)).toContainText('It is being paid.');
    await expect(page.getByRole('button', { name: 'Accept and pay' })).toBeDisabled();
    expect(host.calls).not.toContain('jobs.reject');
  });

  test('whether one is asked is chosen in the form', async ({ open }) => {
    const { page, host } = await open({ at: '#/jobs' });
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByText('Payment, machine, times, lists of values').click();
    const choice = page.getByRole('combobox', { name: 'Pay without asking you' });
    await expect(choice).toHaveValue('failures');
    await choice.selectOption('Never: look at every result first');
    await page.getByRole('combobox', { name: 'How the result is checked' }).selectOption('redundancy');
    await expect(choice).toHaveCount(0);
    await page.getByRole('combobox', { name: 'How the result is checked' }).selectOption('accept');
    await expect(choice).toHaveValue('always');
    await submit(page).click();
    await expect(page.getByText('The bounty is locked; it waits for a provider.')).toBeVisible();
    expect(host.jobs.submittedFiles().at(-1)?.review).toBe('always');
  });
});

test.describe('results', () => {
  test('tables, pictures and notebooks are shown, nothing of them runs', async ({ open }) => {
    const { page } = await open({ jobs: true, at: '#/jobs/task-4' });
    const file = (name: string | RegExp) => page.getByRole('list', { name: 'Files' }).getByRole('button', { name });
    await expect(page.getByRole('columnheader', { name: 'accuracy' })).toBeVisible();
    await expect(page.getByText('At most 200 rows')).toBeVisible();
    await file(/curve\.png/).click();
    await expect
      .poll(() =>
        page.getByRole('img', { name: 'out/curve.png' }).evaluate((img: HTMLImageElement) => img.naturalWidth),
      )
      .toBe(480);
    await file(/report\.ipynb/).click();
    await expect(page.getByText('final loss 0.3402')).toBeVisible();
    await expect(page.getByRole('img', { name: 'Output' })).toHaveCount(1);
    await expect(page.locator('.notebook')).toContainText('<img src=x');
    await file(/hostile\.csv/).click();
    await expect(page.getByRole('cell', { name: /=HYPERLINK/ })).toBeVisible();
    for (const name of [/hostile\.svg/, /hostile\.html/]) {
      await file(name).click();
      await expect(page.locator('.result-text')).toContainText('window.hacked');
    }
    await file(/<img src=x/).click();
    await expect(page.getByText('The name is the worst of it.')).toBeVisible();
    expect(await file(/<img src=x/).textContent()).not.toMatch(/[\u202A-\u202E\u2066-\u2069\u200B]/);
    await file(/safetensors/).click();
    await expect(page.getByText('There is no preview for this kind of file.')).toBeVisible();
    await file(/empty\.txt/).click();
    await expect(page.getByText('This file is empty.')).toBeVisible();
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
    expect(await page.locator('.results a[href], .results iframe, .results svg [onload]').count()).toBe(0);
  });

  test('a file is saved whole, the folder is copied and pushed', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-4' });
    await page.getByRole('button', { name: /safetensors/ }).click();
    const arrives = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save this file' }).click();
    const download = await arrives;
    expect(download.suggestedFilename()).toBe('model.safetensors');
    const chunks = await (await download.createReadStream()).toArray();
    expect(Buffer.concat(chunks).equals(Buffer.alloc(2_400_000, 7))).toBe(true);
    await page.getByText('Take the whole folder along').click();
    await page.getByRole('textbox', { name: 'Folder on this computer' }).fill('/tmp/here');
    await page.getByRole('button', { name: 'Copy there' }).click();
    await expect(page.getByText(/13 files, .* in \/tmp\/here/)).toBeVisible();
    host.fail('jobs.pushResults', new AppError('network-down', 'No IPFS node answers there.'));
    await page.getByRole('button', { name: 'Push there' }).click();
    await expect(page.getByRole('alert')).toContainText('No IPFS node answers there.');
    host.fail('jobs.pushResults', null);
    await page.getByRole('button', { name: 'Push there' }).click();
    await expect(page.getByText('Your node has it now.')).toBeVisible();
  });

  test('space: how much is taken, another limit, and this result removed', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs/task-4' });
    await page.getByText('Space on this computer').click();
    await expect(page.getByText('take 5 GiB of the 100 GiB they may')).toBeVisible();
    await page.getByRole('textbox', { name: 'They may take (GiB)' }).fill('250');
    await page.getByRole('button', { name: 'Set the limit' }).click();
    await expect(page.getByText('of the 250 GiB they may')).toBeVisible();
    const remove = page.getByRole('button', { name: 'Remove this result…' });
    await remove.click();
    await page.getByRole('button', { name: 'Keep it' }).click();
    await remove.click();
    expect(host.calls).not.toContain('jobs.removeResults');
    await page.getByRole('button', { name: 'Remove it from this computer' }).click();
    await expect(page.getByText('Space on this computer')).toHaveCount(0);
    expect(host.jobs.get('task-4').resultHere).toBe(false);
  });

  test('who ran it: certificates with their checks, copies with the one that differs, simulated cards named', async ({
    open,
  }) => {
    const { page } = await open({ jobs: true, at: '#/jobs/task-5' });
    await page.getByRole('tab', { name: 'Who ran it' }).click();
    await expect(page.getByText('simulated card')).toBeVisible();
    await expect(page.getByRole('row', { name: /every centre is the mean of its points/ })).toContainText('3.10e-15');
    await page.evaluate(() => (location.hash = '#/jobs/task-6'));
    await page.getByRole('tab', { name: 'Who ran it' }).click();
    await expect(page.getByRole('row', { name: /outvoted/ })).toContainText(
      'Its result differs from the two that agree.',
    );
    await expect(page.getByText('2 of 3 providers agree to the byte.').first()).toBeVisible();
  });
});

test.describe('many', () => {
  test('a thousand tasks are one line that says how they stand', async ({ open }) => {
    const { page, host } = await open({ jobs: true, jobArray: 1000, jobArrayReview: 2, at: '#/jobs/task-1' });
    const list = page.getByRole('list', { name: 'Jobs' });
    const line = list.getByRole('listitem').filter({ hasText: 'Sweep' });
    await expect(list.getByRole('listitem')).toHaveCount(5);
    await expect(line).toContainText('600 of 1,000 ended');
    await expect(line).toContainText('Needs you');
    await expect(line).toContainText('2 need you');
    await expect(page.getByText('Open (404)')).toBeVisible();
    await line.getByRole('link').click();
    await expect(heading(page, 'Sweep · 601 of 1000')).toBeVisible();
    await expect(line.getByRole('link')).toHaveAttribute('aria-current', 'true');
    host.jobs.change('task-10700', (job) => ({ ...job, status: 'failed', phase: 'failed', endedAt: now() }));
    await expect(line).toContainText('601 of 1,000 ended');
    await expect(line).toContainText('1 failed, 2 need you');
    await page.getByText('Ended (606)').click();
    await expect(heading(page, 'Sweep · 701 of 1000')).toBeVisible();
  });

  test('a thousand tasks one by one: few rows built, pages come as one scrolls, the end is reached', async ({
    open,
  }) => {
    const { page, host } = await open({ jobArray: 1000, at: '#/jobs' });
    const list = page.getByRole('list', { name: 'Jobs' });
    await page.getByText('Ended (600)').click();
    await page.getByRole('button', { name: 'List only these' }).click();
    const rows = list.getByRole('listitem');
    await expect(rows.first()).toHaveAttribute('aria-setsize', '100');
    await list.getByRole('link').first().focus();
    // Something changes all the while, and pages that are here are read again for it.
    const changes = setInterval(() => host.jobs.change('task-10000', (job) => ({ ...job })), 100);
    for (let seen = 100; seen < 600; seen += 100) {
      await page.keyboard.press('End');
      await expect(list.locator(`[aria-posinset="${seen}"] a`)).toBeFocused();
      await expect(rows.first()).toHaveAttribute('aria-setsize', String(seen + 100));
    }
    clearInterval(changes);
    await page.keyboard.press('End');
    await expect(list.getByRole('link', { name: 'Sweep · 600 of 1000' })).toBeFocused();
    expect(await rows.count()).toBeLessThan(40);
  });

  test('an array alone, and all of it that waits is cancelled', async ({ open }) => {
    const { page, host } = await open({ jobs: true, jobArray: 100, at: '#/jobs/task-10090' });
    const strip = page.getByRole('region', { name: 'The whole array' });
    await expect(strip).toContainText('60 of 100 tasks have ended');
    await page.getByRole('button', { name: 'List only these' }).click();
    await expect(page.getByText('Open (40)')).toBeVisible();
    await page.getByRole('button', { name: 'Cancel the 20 waiting' }).click();
    await expect(strip).toContainText('80 of 100 tasks have ended');
    await expect(strip).toContainText('20 cancelled');
    expect(host.jobs.get('task-1').status).toBe('pending');
    await page.getByRole('button', { name: 'List all jobs again' }).first().click();
    await expect(page.getByText('Ended (85)')).toBeVisible();
  });

  test('all of an array that wait for their owner are accepted', async ({ open }) => {
    const { page, host } = await open({ jobs: true, jobArray: 300, jobArrayReview: 3, at: '#/jobs/task-10000' });
    const strip = page.getByRole('region', { name: 'The whole array' });
    await expect(strip).toContainText('3 need you');
    await strip.getByRole('button', { name: 'Accept and pay all 3 that wait for you' }).click();
    await expect(strip.getByRole('button', { name: /Accept and pay/ })).toHaveCount(0);
    await expect(strip).not.toContainText('need you');
    expect(host.jobs.get('task-9').review).not.toBeNull();
  });

  test('scheduling: another rule, by hand, one cycle', async ({ open }) => {
    const { page, host } = await open({ jobs: true, at: '#/jobs' });
    const scheduling = page.getByRole('region', { name: 'Scheduling' });
    await scheduling.getByRole('combobox').selectOption('reputation');
    await expect(scheduling).toContainText('at the provider with the best reputation');
    await scheduling.getByRole('switch', { name: 'Assign by itself' }).click();
    await scheduling.getByRole('button', { name: 'Assign now' }).click();
    await expect(scheduling.getByRole('status')).toHaveText('None assigned, 1 still wait.');
    expect(host.calls).toContain('jobs.schedule');
  });

  test('with the keyboard alone', async ({ open }) => {
    const { page } = await open({ jobs: true });
    await page.keyboard.press('Alt+4');
    await expect(heading(page, 'Fine-tune the small model')).toBeVisible();
    const list = page.getByRole('list', { name: 'Jobs' });
    await list.getByRole('link').first().focus();
    await page.keyboard.press('ArrowDown');
    await expect(list.getByRole('link').nth(1)).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(heading(page, 'Embed the archive')).toBeVisible();
    await page.keyboard.press('End');
    await expect(list.getByRole('link').last()).toBeFocused();
    await page.getByRole('button', { name: 'New job' }).focus();
    await page.keyboard.press('Enter');
    // It gives the keyboard back only once it has had it.
    await expect(page.getByRole('dialog', { name: 'New job' }).locator(':focus')).toHaveCount(1);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await expect(page.getByRole('button', { name: 'New job' })).toBeFocused();
    await page.getByRole('tab', { name: 'Log' }).focus();
    await page.keyboard.press('ArrowRight');
    await expect(page.getByRole('tab', { name: 'Results' })).toBeFocused();
  });
});

test.describe('jobs of others on this computer', () => {
  test('sharing off: said first, nothing to turn on', async ({ open }) => {
    const { page } = await open();
    const panel = page.getByRole('region', { name: 'Jobs', exact: true });
    await expect(panel).toContainText('Turn sharing on first');
    await expect(panel.getByRole('switch', { name: 'Also take jobs' })).toBeDisabled();
    await expect(panel).toContainText('stakes 100 WATT from your wallet');
    await expect(panel).toContainText('100 is the starting value');
  });

  test('turned on with its stake, by hand only, and off again', async ({ open }) => {
    const { page, host } = await open({ sharing: true });
    const panel = page.getByRole('region', { name: 'Jobs', exact: true });
    await panel.getByRole('switch', { name: 'Also take jobs' }).focus();
    await page.keyboard.press('Space');
    await expect(panel.getByText('No job runs now')).toBeVisible();
    expect(host.work.state.value).toMatchObject({ state: 'on', staked: '100000000000000000000', claimsOpen: true });
    await panel.getByRole('switch', { name: 'Take open jobs by itself' }).click();
    await expect.poll(() => host.work.state.value.claimsOpen).toBe(false);
    await panel.getByRole('switch', { name: 'Also take jobs' }).click();
    await expect(panel.getByRole('switch', { name: 'Also take jobs' })).not.toBeChecked();
    expect(host.calls).toContain('work.stop');
  });

  test('what runs has a denominator, strangers’ names stay words, what ran shows what it paid', async ({ open }) => {
    const { page, host } = await open({ sharing: true, working: true });
    const running = page.getByRole('region', { name: 'Running now' });
    await expect(running).toContainText('1.5 GiB of 4 GiB');
    await expect(page.getByRole('region', { name: 'Done lately' })).toContainText('4.95 WATT');
    host.work.set({
      running: host.work.state.value.running.map((run) => ({ ...run, name: '<b>\u202Egnp.exe</b>' })),
    });
    await expect(running).toContainText('<b>gnp.exe</b>');
  });

  test('one that runs is ended by its owner, who was told what it costs', async ({ open }) => {
    const { page, host } = await open({ sharing: true, working: true });
    const running = page.getByRole('region', { name: 'Running now' });
    await running.getByRole('button', { name: 'End it…' }).click();
    const dialog = page.getByRole('dialog', { name: 'End this job?' });
    await expect(dialog).toContainText('you are not paid for it');
    await expect(dialog).toContainText('Late fee: up to 0.5 WATT');
    await expect(dialog).toContainText('A strike');
    await expectAccessible(page);
    await dialog.getByRole('button', { name: 'Keep it running' }).click();
    await expect(dialog).toHaveCount(0);
    expect(host.calls).not.toContain('work.stopRun');
    await running.getByRole('button', { name: 'End it…' }).click();
    host.fail('work.stopRun', new AppError('conflict', 'This job does not run now.'));
    await dialog.getByRole('button', { name: 'End it' }).click();
    await expect(dialog.getByRole('alert')).toContainText('This job does not run now.');
    host.fail('work.stopRun', null);
    await dialog.getByRole('button', { name: 'End it' }).click();
    await expect(dialog).toHaveCount(0);
    await expect(page.getByText('No job runs now')).toBeVisible();
    const lately = page.getByRole('region', { name: 'Done lately' });
    await expect(lately).toContainText('The owner ended it.');
    await expect(lately.getByRole('button')).toHaveCount(0);
  });

  test('stake more, too much back, back, and home', async ({ open }) => {
    const { page, host } = await open({ sharing: true, working: true });
    const panel = page.getByRole('region', { name: 'Jobs', exact: true });
    await panel.getByText('Stake more, or take it back').click();
    const amount = panel.getByRole('textbox', { name: 'Amount' });
    await amount.fill('20');
    await panel.getByRole('button', { name: 'Stake', exact: true }).click();
    await expect(panel).toContainText('120.000000 WATT');
    await amount.fill('115');
    await panel.getByRole('button', { name: 'Begin to take back' }).click();
    await expect(panel.getByRole('alert')).toContainText('some of it stands behind jobs that run');
    await amount.fill('20');
    await panel.getByRole('button', { name: 'Begin to take back' }).click();
    await expect(panel).toContainText('On its way back');
    await panel.getByRole('button', { name: 'Take 20 WATT to the wallet' }).click();
    await expect(panel.getByText('On its way back')).toHaveCount(0);
    expect(host.work.state.value.staked).toBe('100000000000000000000');
  });

  test('a failure says why and offers another try; so does a host that cannot tell', async ({ open }) => {
    const { page, host } = await open({ sharing: true });
    const panel = page.getByRole('region', { name: 'Jobs', exact: true });
    host.fail('work.start', new AppError('insufficient-funds', 'The wallet holds 3 WATT.', { next: 'Get more WATT.' }));
    await panel.getByRole('switch', { name: 'Also take jobs' }).click();
    await expect(panel.getByRole('alert')).toContainText('Get more WATT.');
    host.fail('work.start', null);
    host.work.set({ state: 'failed', detail: 'The stake could not be placed.' });
    await expect(panel).toContainText('The stake could not be placed.');
    await panel.getByRole('button', { name: 'Try again' }).click();
    await expect(panel.getByRole('switch', { name: 'Also take jobs' })).toBeChecked();
  });
});
