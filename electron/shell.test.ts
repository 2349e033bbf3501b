import { describe, expect, test } from 'vitest';
import { APART_MS, GATHER_MS } from '../src/api/announcements.ts';
import { HEARTBEAT_EVERY_MS, HEARTBEAT_LOST_MS } from '../src/api/shell-messages.ts';
import { dataDirOf } from './arguments.ts';
import { MAX_RESTARTS } from './host-supervisor.ts';
import { FAILED, HOME, RETRY } from './pages.ts';
import { runShell } from './shell.ts';
import { standIn } from './stand-in.ts';
import type { StandIn, StandInHost, StandInWindow } from './stand-in.ts';

const lastHost = (electron: StandIn): StandInHost => {
  const host = electron.hosts.at(-1);
  if (!host) throw new Error('no host was started');
  return host;
};
const lastWindow = (electron: StandIn): StandInWindow => {
  const window = electron.windows.at(-1);
  if (!window) throw new Error('no window was opened');
  return window;
};
const connections = (host: StandInHost) =>
  host.sent.filter(({ message }) => message.type === 'connect').map(({ ports }) => ports.map(({ name }) => name));
const started = async (options: Parameters<typeof standIn>[0] = {}) => {
  const electron = standIn(options);
  await runShell(electron.ports);
  return electron;
};
const running = async (options: Parameters<typeof standIn>[0] = {}) => {
  const electron = await started(options);
  lastWindow(electron).finishLoading();
  lastHost(electron).say({ type: 'ready' });
  return electron;
};

describe('one window, one host, one port', () => {
  test('the page and the host get the two ends of one channel, whichever is ready first', async () => {
    const pageFirst = await running();
    expect(lastWindow(pageFirst).loads).toEqual([HOME]);
    expect(connections(lastHost(pageFirst))).toEqual([['host 0']]);
    expect(lastWindow(pageFirst).ports.map(({ name }) => name)).toEqual(['page 0']);

    const hostFirst = await started();
    lastHost(hostFirst).say({ type: 'ready' });
    expect(connections(lastHost(hostFirst))).toEqual([]);
    lastWindow(hostFirst).finishLoading();
    expect(connections(lastHost(hostFirst))).toEqual([['host 0']]);
  });

  test('a page that loads again gets a fresh port; one that still waited is closed', async () => {
    const electron = await started();
    lastWindow(electron).finishLoading();
    lastWindow(electron).finishLoading();
    lastHost(electron).say({ type: 'ready' });
    expect(electron.channels[0]?.host.closed).toBe(true);
    expect(connections(lastHost(electron))).toEqual([['host 1']]);
    lastWindow(electron).finishLoading();
    expect(connections(lastHost(electron))).toEqual([['host 1'], ['host 2']]);
  });

  test('a second start shows the first window and nothing else', async () => {
    const electron = await running();
    electron.second();
    expect(lastWindow(electron).presented).toBe(1);
    const second = await started({ first: false });
    expect([second.windows.length, second.hosts.length, second.quits]).toEqual([0, 0, 1]);
  });

  test('without a window, a second start and the dock open a new one', async () => {
    const electron = await running({ platform: 'darwin' });
    lastWindow(electron).close();
    electron.allClosed();
    expect(electron.quits).toBe(0);
    electron.activate();
    expect(electron.windows).toHaveLength(2);
    lastWindow(electron).finishLoading();
    expect(connections(lastHost(electron))).toEqual([['host 0'], ['host 1']]);
  });

  test('a crashed page is loaded again', async () => {
    const electron = await running();
    lastWindow(electron).crash();
    expect(lastWindow(electron).loads).toEqual([HOME, HOME]);
  });
});

describe('where a window may go', () => {
  test.each([
    ['app://commonwatt/index.html', true],
    ['app://commonwatt/rentals', true],
    ['https://example.com/', false],
    ['http://127.0.0.1:7310/', false],
    ['file:///etc/passwd', false],
    ['app://elsewhere/index.html', false],
    ['app://user@commonwatt/', false],
    ['javascript:alert(1)', false],
    ['data:text/html,x', false],
    ['', false],
  ])('%s: %s', async (url, allowed) => {
    const electron = await running();
    expect(lastWindow(electron).navigate(url)).toBe(allowed);
  });

  test('links open in the browser only by https and only when the owner agrees', async () => {
    const electron = await running();
    const window = lastWindow(electron);
    for (const url of [
      'http://a.example/',
      'file:///etc/passwd',
      'smb://a/b',
      'https://me:pw@a.example/',
      'ms-x:y',
      '',
    ]) {
      window.open(url);
    }
    expect(electron.asked).toEqual([]);
    window.open('https://a.example/tx');
    await Promise.resolve();
    expect([electron.asked, electron.opened]).toEqual([['https://a.example/tx'], []]);
    electron.agree = true;
    window.open('https://a.example/tx');
    await expect.poll(() => electron.opened).toEqual(['https://a.example/tx']);
    expect(electron.windows).toHaveLength(1);
  });
});

describe('watching over the host', () => {
  test('a heartbeat keeps it; silence ends it and starts another, and the page gets a new port', async () => {
    const electron = await running();
    const first = lastHost(electron);
    for (let beat = 0; beat < 30; beat += 1) {
      electron.advance(HEARTBEAT_EVERY_MS);
      first.say({ type: 'heartbeat' });
    }
    expect(first.killed).toBe(false);
    electron.advance(HEARTBEAT_LOST_MS);
    expect(first.killed).toBe(true);
    electron.advance(10_000);
    expect(electron.hosts).toHaveLength(2);
    lastHost(electron).say({ type: 'ready' });
    expect(connections(lastHost(electron))).toEqual([['host 1']]);
    expect(lastWindow(electron).ports.map(({ name }) => name)).toEqual(['page 0', 'page 1']);
  });

  test('after five restarts it says so, and tries again when asked', async () => {
    const electron = await running();
    for (let death = 0; death <= MAX_RESTARTS; death += 1) {
      lastHost(electron).exit(1);
      electron.advance(10_000);
    }
    expect(electron.hosts).toHaveLength(1 + MAX_RESTARTS);
    const window = lastWindow(electron);
    expect(window.loads.at(-1)).toBe(FAILED);
    const page = await electron.fetch({ url: FAILED, method: 'GET' });
    expect(await page.text()).toContain('6 times in a row (code 1)');
    window.finishLoading();
    expect(window.ports).toHaveLength(1 + MAX_RESTARTS);

    expect(window.navigate(RETRY)).toBe(false);
    expect(window.loads.at(-1)).toBe(HOME);
    expect(electron.hosts).toHaveLength(2 + MAX_RESTARTS);
    window.finishLoading();
    lastHost(electron).say({ type: 'ready' });
    expect(connections(lastHost(electron))).toHaveLength(1);
  });

  test('a crash now and then is no crash loop', async () => {
    const electron = await running();
    for (let death = 0; death < 20; death += 1) {
      lastHost(electron).exit(1);
      electron.advance(10_000);
      lastHost(electron).say({ type: 'ready' });
      for (let beat = 0; beat < 60; beat += 1) {
        electron.advance(5000);
        lastHost(electron).say({ type: 'heartbeat' });
      }
    }
    expect(electron.hosts).toHaveLength(21);
    expect(lastWindow(electron).loads).toEqual([HOME]);
  });

  test('a host that cannot run is not restarted; its reason is shown, harmless', async () => {
    const electron = await started();
    lastHost(electron).say({ type: 'fatal', message: 'Runs <b>already</b> & "there".', next: 'Close the other one.' });
    electron.advance(600_000);
    expect(electron.hosts).toHaveLength(1);
    expect(lastHost(electron).killed).toBe(true);
    const page = await electron.fetch({ url: FAILED, method: 'GET' });
    const text = await page.text();
    expect(text).toContain('Runs &lt;b&gt;already&lt;/b&gt; &amp; &quot;there&quot;.');
    expect(text).toContain('Close the other one.');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('content-security-policy')).not.toContain('script-src');
  });

  test('a new try waits until the failed host has let go', async () => {
    const electron = await started();
    const failed = lastHost(electron);
    failed.kill = () => {};
    failed.say({ type: 'fatal', message: 'No.' });
    failed.say({ type: 'ready' });
    lastWindow(electron).navigate(RETRY);
    expect(electron.hosts).toHaveLength(1);
    failed.exit(1);
    expect(electron.hosts).toHaveLength(2);
  });

  test('a host that never gets ready is replaced', async () => {
    const electron = await started();
    lastHost(electron).say({ type: 'heartbeat' });
    electron.advance(120_000);
    expect(electron.hosts[0]?.killed).toBe(true);
  });

  test('nonsense from the host changes nothing', async () => {
    const electron = await running();
    const host = lastHost(electron);
    for (const message of ['ready', { type: 'nothing' }, { type: 'fatal' }, { type: 'seal', id: 1.5, text: '' }]) {
      host.say(message);
    }
    expect(host.killed).toBe(false);
    expect(host.sent.filter(({ message }) => message.type !== 'connect')).toEqual([]);
  });

  test("the keychain answers the host's questions", async () => {
    const electron = await running();
    const host = lastHost(electron);
    host.say({ type: 'seal', id: 1, text: 'key' });
    host.say({ type: 'open', id: 2, text: 'sealed key' });
    host.say({ type: 'open', id: 3, text: 'not ours' });
    expect(host.sent.map(({ message }) => message).filter(({ type }) => type === 'secret')).toEqual([
      { type: 'secret', id: 1, text: 'sealed key' },
      { type: 'secret', id: 2, text: 'key' },
      { type: 'secret', id: 3, text: null },
    ]);
  });
});

describe('notifications of the operating system', () => {
  const done = (taskId: string) => ({
    type: 'notice' as const,
    level: 'success' as const,
    title: `“${taskId}” is done`,
    body: 'Paid.',
    rentalId: null,
    taskId,
  });

  test('what happens behind the owner’s back is told, several at once as one; a click leads to it', async () => {
    const electron = await running();
    const host = lastHost(electron);
    for (const task of ['job-1', 'job-2', 'job-3']) host.say(done(task));
    expect(electron.announced).toEqual([]);
    electron.advance(GATHER_MS);
    expect(electron.announced.map(({ announcement }) => announcement)).toEqual([
      { title: '“job-1” is done', body: 'Paid.\nAnd 2 more.', place: '#/jobs/job-1' },
    ]);
    electron.announced[0]?.click();
    expect(lastWindow(electron).loads).toEqual([HOME, `${HOME}#/jobs/job-1`]);
    expect(lastWindow(electron).presented).toBe(1);
    expect(electron.windows).toHaveLength(1);
  });

  test('without a window it is told too, and a click opens one there', async () => {
    const electron = await running({ platform: 'darwin' });
    lastWindow(electron).close();
    electron.allClosed();
    lastHost(electron).say({ ...done('job-1'), taskId: null, rentalId: '0xabcd' });
    electron.advance(GATHER_MS);
    electron.announced[0]?.click();
    expect(electron.windows).toHaveLength(2);
    expect(lastWindow(electron).loads).toEqual([`${HOME}#/rentals/0xabcd`]);
    lastWindow(electron).finishLoading();
    expect(connections(lastHost(electron))).toEqual([['host 0'], ['host 1']]);
  });

  test('nothing while the window has the focus, and nothing that is malformed', async () => {
    const electron = await running();
    lastWindow(electron).focused = true;
    lastHost(electron).say(done('job-1'));
    electron.advance(APART_MS);
    lastWindow(electron).focused = false;
    lastHost(electron).say({ ...done('job-1'), title: 'x'.repeat(1_000_000) });
    lastHost(electron).say({ type: 'notice' });
    electron.advance(APART_MS);
    expect(electron.announced).toEqual([]);
  });

  test('while the host cannot run, a click only shows why', async () => {
    const electron = await running();
    lastHost(electron).say(done('job-1'));
    electron.advance(GATHER_MS);
    lastHost(electron).say({ type: 'fatal', message: 'The disk is full.' });
    electron.announced[0]?.click();
    expect(lastWindow(electron).loads).toEqual([HOME, FAILED]);
    expect(lastWindow(electron).presented).toBe(1);
  });
});

describe('quitting', () => {
  test('waits until the host has closed', async () => {
    const electron = await running();
    electron.allClosed();
    expect(electron.quits).toBe(0);
    expect(lastHost(electron).sent.at(-1)?.message).toEqual({ type: 'stop' });
    expect(electron.askQuit()).toBe(false);
    lastHost(electron).exit(0);
    await expect.poll(() => electron.quits).toBe(1);
    expect(electron.hosts).toHaveLength(1);
  });

  test('insists when the host does not close', async () => {
    const electron = await running();
    electron.ports.quit();
    electron.advance(16_000);
    expect(lastHost(electron).killed).toBe(false);
    electron.advance(1000);
    expect(lastHost(electron).killed).toBe(true);
    await expect.poll(() => electron.quits).toBe(1);
  });

  test('while a restart is pending, starts nothing any more', async () => {
    const electron = await running();
    lastHost(electron).exit(1);
    electron.ports.quit();
    await expect.poll(() => electron.quits).toBe(1);
    electron.advance(60_000);
    expect(electron.hosts).toHaveLength(1);
  });
});

test('the data directory is found among the arguments', () => {
  expect(dataDirOf([])).toBeNull();
  expect(dataDirOf(['--network', 'practice', '--data-dir', '/a'])).toBe('/a');
  expect(dataDirOf(['--data-dir=/a', '--data-dir=/b'])).toBe('/b');
  expect(dataDirOf(['--data-dir'])).toBeNull();
  expect(dataDirOf(['--data-dir='])).toBeNull();
});
