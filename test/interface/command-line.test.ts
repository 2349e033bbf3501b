/** The command line in real processes against a real host process whose product is the fake one. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const program = path.join(import.meta.dirname, 'fake-cli.ts');
const root = mkdtempSync(path.join(tmpdir(), 'commonwatt-cli-'));
const dataDir = path.join(root, 'data');
const started: ChildProcess[] = [];

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

const startProgram = (...args: string[]): ChildProcess => {
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, COMMONWATT_DATA_DIR: dataDir } });
  started.push(child);
  return child;
};

function run(args: readonly string[], input = ''): Promise<Ran> {
  const child = startProgram(...args);
  child.stdin?.end(input);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

/** A `serve` that has printed where it answers. */
async function serve(...args: string[]) {
  const child = startProgram('serve', '--json', '--port', '0', ...args);
  let said = '';
  const first = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      if (said.includes('\n')) resolve(said);
    });
    child.on('close', (code) => reject(new Error(`serve ended with ${code} after: ${said}`)));
  });
  const exited = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return { child, exited, ...(JSON.parse(first) as { url: string; pid: number; pairingUrl: string }) };
}

const parsed = ({ stdout }: Ran): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;

let host: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  host = await serve();
});
afterAll(() => {
  for (const child of started) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

describe('a running host', () => {
  test('status in words and as JSON', async () => {
    const words = await run(['status']);
    expect(words.code).toBe(0);
    expect(words.stdout).toContain('practice (practice money): live, block 42');
    expect(parsed(await run(['status', '--json']))).toMatchObject({ version: '0.1.0', dataDir });
  });

  test('a second serve says who runs and gives a link to it', async () => {
    const second = await run(['serve', '--json']);
    expect(second.code).toBe(0);
    expect(parsed(second)).toMatchObject({ alreadyRunning: true, pid: host.pid, url: host.url });
  });

  test('the whole way from search to settlement', async () => {
    const found = parsed(await run(['search', 'RTX 3090', '--json'])) as { offers: { offerId: string }[] };
    const offer = found.offers[0]?.offerId ?? '';
    const rented = await run(['rent', offer, '--image', 'busybox:1.36', '--for', '10m', '--port', '8080', '--json']);
    expect(rented.stderr).toContain('Deposit 0.058334 CWD');
    const rental = String(parsed(rented)['rentalId']).slice(0, 66);
    expect((await run(['rentals'])).stdout).toContain('RTX 3090');

    const echoed = await run(['exec', rental, '--', 'echo', '--json', 'two words']);
    expect([echoed.code, echoed.stdout]).toEqual([0, 'echo --json two words\n']);
    const failed = await run(['exec', rental, '--', 'fail', '7']);
    expect([failed.code, failed.stdout, failed.stderr]).toEqual([7, '', 'fail 7\n']);
    const many = await run(['exec', rental, '--', 'count', '3000']);
    expect(many.stdout.split('\n')).toHaveLength(3001);
    expect((await run(['logs', rental])).stdout).toBe('a log line\n');

    expect((await run(['forward', rental, '8080:9090'])).stdout).toContain('127.0.0.1:9090');
    expect(parsed(await run(['extend', rental, '--for', '1h', '--json']))['capSeconds']).toBe(4200);
    const ended = await run(['terminate', rental]);
    expect(ended.stdout).toBe('Ended. Billed 0.005833 CWD.\n');
  });

  // util-linux's `script` gives the program a real terminal.
  const hasScript = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
  test.skipIf(!hasScript)(
    'ssh in a real terminal: keys go through raw, nothing is echoed twice (needs script)',
    async () => {
      const rented = await run([
        'rent',
        `0x${'1'.padStart(64, '0')}`,
        '--image',
        'busybox',
        '--for',
        '10m',
        '--no-wait',
      ]);
      const command = `'${process.execPath}' '${program}' ssh ${rented.stdout.trim()} --data-dir '${dataDir}'`;
      const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: 'pipe' });
      started.push(child);
      let screen = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        screen += chunk;
        if (screen === '$ ') child.stdin.write('hello exit\r');
      });
      const code = await new Promise((resolve) => child.on('close', resolve));
      expect([code, screen]).toEqual([0, '$ hello exit\r']);
    },
  );

  test('sharing with a price in words', async () => {
    const made = await run(['offer', 'register', '--price', '0.35', '--token', 'CWD', '--per', 'hour', '--json']);
    expect(made.code).toBe(0);
    expect((await run(['offer', 'list'])).stdout).toContain('0.35 CWD per hour');
    expect((await run(['offer', 'pause', '--for', '15m'])).code).toBe(0);
    expect((await run(['offer', 'resume'])).code).toBe(0);
    expect((await run(['offer', 'delist'])).stdout).toContain('No offer is published.');
  });

  test('a password from a file or a pipe, never from the command line', async () => {
    const file = path.join(root, 'password');
    writeFileSync(file, 'open sesame\n');
    expect((await run(['wallet', 'unlock', '--password-file', file])).code).toBe(0);
    expect((await run(['wallet', 'unlock', '--password-file', '-'], 'open sesame\n')).code).toBe(0);
    const wrong = await run(['wallet', 'unlock', '--password-file', '-'], 'wrong');
    expect([wrong.code, wrong.stderr]).toEqual([6, 'commonwatt: That is not the password.\nTry again.\n']);
    const none = await run(['wallet', 'unlock']);
    expect([none.code, none.stderr.includes('--password-file')]).toEqual([2, true]);
  });

  test('money in words, exactly', async () => {
    const before = (await run(['wallet', 'balances'])).stdout;
    expect(before).toContain('100 CWD');
    expect((await run(['wallet', 'deposit', '1.25'])).stdout).toContain('Deposited 1.25 CWD');
    expect((await run(['wallet', 'balances'])).stdout).toContain('101.25 CWD');
    const poor = await run(['wallet', 'withdraw', '1000', '--json']);
    expect([poor.code, parsed(poor)['error']]).toEqual([7, expect.objectContaining({ code: 'insufficient-funds' })]);
  });

  test.each([
    [['search', '--colour'], '--colour'],
    [['--colour'], '--colour'],
    [['nonsense'], 'nonsense'],
    [['wallet', 'nonsense'], 'wallet deposit'],
    [['wallet', 'deposit'], '<amount>'],
    [['wallet', 'deposit', '1e3'], 'amount'],
    [['wallet', 'deposit', '0.0000001'], '6 digits'],
    [['wallet', 'deposit', '1', '--token', 'DOGE'], 'ETH, CWD'],
    [['rent', '0x1234567', '--image', 'x', '--for', 'long'], '--for'],
    [['rent', 'abc', '--image', 'x', '--for', '1h'], 'offer'],
    [['offer', 'register', '--price', '1', '--per', 'week'], '--per'],
    [['serve', '--port', '99999'], '--port'],
    [['serve', '--rpc', 'ftp://x'], '--rpc'],
    [['search', '--limit', '0'], '--limit'],
    [['exec', `0x${'1'.repeat(64)}`, '-la'], '-l'],
    [['status', 'surplus'], 'surplus'],
  ])('%j is refused with exit code 2 and names what is wrong', async (args, named) => {
    const { code, stderr, stdout } = await run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(named);
  });

  test('help, for all and for one', async () => {
    const all = await run(['--help']);
    expect(all.code).toBe(0);
    expect(all.stdout).toContain('wallet deposit <amount>');
    expect(all.stdout).toContain('Exit codes');
    expect((await run(['rent', '--help'])).stdout).toContain('--image IMAGE');
    expect((await run(['wallet', '--help'])).code).toBe(0);
  });

  test('completion knows groups and flags', async () => {
    const { stdout } = await run(['completion', 'bash']);
    const complete = (...words: string[]) =>
      spawnSync(
        'bash',
        [
          '-c',
          `${stdout}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _commonwatt; echo "\${COMPREPLY[@]}"`,
          'x',
          ...words,
        ],
        {
          encoding: 'utf8',
        },
      ).stdout.trim();
    expect(complete('commonwatt', 'sta')).toBe('status');
    expect(complete('commonwatt', 'wallet', 'dep')).toBe('deposit');
    expect(complete('commonwatt', 'rent', '--im')).toBe('--image');
    expect((await run(['completion', 'zsh'])).stdout).toContain('bashcompinit');
  });
});

describe('hosts that start and end', () => {
  test('without a host every command says how to get one', async () => {
    const none = await run(['status', '--data-dir', path.join(root, 'nobody')]);
    expect(none.code).toBe(15);
    expect(none.stderr).toContain('commonwatt serve');
  });

  test('after kill -9 the next host starts at once, and meanwhile the truth is told', async () => {
    const dir = path.join(root, 'killed');
    const first = await serve('--data-dir', dir);
    first.child.kill('SIGKILL');
    await first.exited;
    expect(existsSync(path.join(dir, 'host.json'))).toBe(true);
    const gone = await run(['status', '--data-dir', dir]);
    expect(gone.code).toBe(15);
    const second = await serve('--data-dir', dir);
    expect(second.pid).not.toBe(first.pid);
    expect(JSON.parse(readFileSync(path.join(dir, 'host.json'), 'utf8'))).toMatchObject({
      pid: second.pid,
      url: second.url,
    });
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    expect(existsSync(path.join(dir, 'host.json'))).toBe(false);
  });

  test('two that start together: one runs, the other says so', async () => {
    const dir = path.join(root, 'race');
    const [one, two] = [
      startProgram('serve', '--json', '--port', '0', '--data-dir', dir),
      startProgram('serve', '--json', '--port', '0', '--data-dir', dir),
    ];
    const loser = await Promise.race(
      [one, two].map((child) => new Promise<ChildProcess>((resolve) => child.on('close', () => resolve(child)))),
    );
    const winner = loser === one ? two : one;
    expect([winner.exitCode, winner.signalCode]).toEqual([null, null]);
    winner.kill('SIGTERM');
    await new Promise((resolve) => winner.on('close', resolve));
  });

  test('a taken port is named, stop stops', async () => {
    const { port } = new URL(host.url);
    const dir = path.join(root, 'port');
    const taken = await run(['serve', '--port', port, '--data-dir', dir]);
    expect([taken.code, taken.stderr.includes(`Port ${port} is not free`)]).toEqual([5, true]);
    const other = await serve('--data-dir', dir);
    expect((await run(['stop', '--data-dir', dir])).code).toBe(0);
    expect(await other.exited).toBe(0);
  });
});
