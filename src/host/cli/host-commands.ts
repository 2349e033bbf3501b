import { spawn } from 'node:child_process';
import path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import { formatSeconds, systemClock } from '../../shared/time.ts';
import { LOG_LEVELS, type LogLevel } from '../log.ts';
import { readHostInfo } from '../lock.ts';
import type { RunningHost, RunOptions } from '../run-host.ts';
import type { Command, CommandContext } from './command.ts';
import { newPairingUrl } from './connect.ts';
import { parseWhole, table } from './values.ts';

const serveOptions = {
  network: { type: 'string', value: 'NAME', about: 'practice (the default), or a network profile' },
  rpc: { type: 'string', value: 'URL', about: 'RPC endpoint; with practice: the host to join' },
  port: { type: 'string', value: 'N', about: 'port on 127.0.0.1 (default 7310, or any free one); 0 for any free one' },
  open: { type: 'boolean', about: 'open the window in the browser' },
  log: { type: 'string', value: 'LEVEL', about: `${LOG_LEVELS.join(', ')}; default info` },
} as const;

/** The program and arguments that run this command line again. */
const ownCommand = (): string[] => [process.execPath, ...process.execArgv, path.resolve(process.argv[1] ?? '')];

function runOptions({ options, dataDir }: CommandContext): RunOptions {
  const rpcUrl = options.text('rpc');
  if (rpcUrl !== undefined && !/^(https?|wss?):$/.test(URL.parse(rpcUrl)?.protocol ?? '')) {
    throw new AppError('bad-input', '--rpc must be an http or ws address.', {
      field: '--rpc',
      next: 'Write it like http://127.0.0.1:8545.',
    });
  }
  const level = options.text('log') ?? 'info';
  if (!LOG_LEVELS.includes(level as LogLevel)) {
    throw new AppError('bad-input', '--log must be a level.', {
      field: '--log',
      next: `One of: ${LOG_LEVELS.join(', ')}.`,
    });
  }
  const port = options.text('port');
  return {
    dataDir,
    network: options.text('network') ?? 'practice',
    logLevel: level as LogLevel,
    serveCommand: ownCommand(),
    ...(rpcUrl === undefined ? {} : { rpcUrl }),
    ...(port === undefined ? {} : { port: parseWhole(port, '--port', { max: 65_535 }) }),
  };
}

function openBrowser(url: string): void {
  const [program, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url];
  if (program === undefined) return;
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  // No browser here is no failure: the link was printed.
  child.on('error', () => undefined);
  child.unref();
}

/** Attaches to who runs already; anything else is thrown on. */
async function attach(context: CommandContext, thrown: unknown): Promise<void> {
  const running = readHostInfo(context.dataDir);
  const locked = thrown instanceof AppError && thrown.code === 'conflict' && thrown.field === 'data-dir';
  if (!locked || !running) throw thrown;
  const url = await newPairingUrl(context.dataDir);
  context.print({ alreadyRunning: true, pid: running.pid, url: running.url, pairingUrl: url }, [
    `Commonwatt already runs here: process ${running.pid} at ${running.url}.`,
    `Open it in a browser: ${url}`,
  ]);
  if (context.options.flag('open')) openBrowser(url);
}

export const serveWith = (run: (options: RunOptions) => Promise<RunningHost>): Command => ({
  name: 'serve',
  about: 'run Commonwatt in the foreground: the window in a browser, and this command line',
  options: serveOptions,
  async run(context) {
    const options = runOptions(context);
    context.say(`Starting Commonwatt on ${options.dataDir} (${options.network}).`);
    let host: RunningHost;
    try {
      host = await run(options);
    } catch (thrown) {
      return attach(context, thrown);
    }
    const { url } = host;
    const pairingUrl = host.pairingUrl();
    context.print({ url, pairingUrl, pid: process.pid, dataDir: options.dataDir }, [
      `Commonwatt answers at ${url}.`,
      `Open it in a browser (the link works once): ${pairingUrl}`,
      'Stop it with Ctrl-C.',
    ]);
    if (context.options.flag('open')) openBrowser(pairingUrl);
    await Promise.race([
      host.stopAsked,
      new Promise<void>((resolve) => {
        if (context.signal.aborted) resolve();
        context.signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    ]);
    context.say('Stopping.');
    await host.close();
    return undefined;
  },
});

export const hostCommands: readonly Command[] = [
  {
    name: 'open',
    about: 'print a link that signs one browser in, and open it',
    options: { print: { type: 'boolean', about: 'only print it' } },
    async run(context) {
      const url = await newPairingUrl(context.dataDir);
      context.print({ url }, url);
      if (!context.options.flag('print') && !context.json) openBrowser(url);
    },
  },
  {
    name: 'status',
    about: 'how this host stands',
    async run(context) {
      const client = await context.api();
      const status = await client.system.status();
      const { network, wallet, engine, peer, sharing } = status;
      const locked = wallet.locked ? 'locked' : 'unlocked';
      context.print(
        status,
        table([
          [
            'Host',
            `version ${status.version}, process ${status.pid}, up ${formatSeconds(systemClock.now() - status.startedAt)}`,
          ],
          [
            'Network',
            `${network.name}${network.practice ? ' (practice money)' : ''}: ${network.state}, block ${network.headBlock}`,
          ],
          ['Wallet', wallet.exists ? `${wallet.address ?? ''} (${locked})` : 'none yet: commonwatt wallet create'],
          ['Engine', engine.detail],
          ['Direct line', `${peer.state}, ${peer.connections} connected`],
          ['Sharing', `${sharing.state}, ${sharing.activeRentals} rentals now`],
        ]),
      );
    },
  },
  {
    name: 'checks',
    about: 'what this computer still needs, each with its fix',
    async run(context) {
      const checks = await (await context.api()).system.checks();
      const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };
      const lines = checks.flatMap(({ state, title, detail, fix }) => [
        `${marks[state]}  ${title}: ${detail}`,
        ...(fix ? [`      ${fix.text}${fix.command === undefined ? '' : ` ${fix.command}`}`] : []),
      ]);
      context.print(checks, lines);
    },
  },
  {
    name: 'stop',
    about: 'stop the host cleanly; running rentals go on in their containers',
    async run(context) {
      await (await context.api()).system.shutdown();
      context.print({ ok: true }, 'Stopping.');
    },
  },
  {
    name: 'gpu list',
    about: 'the cards (or the processor) of this computer',
    async run(context) {
      const devices = await (await context.api()).gpu.list();
      const rows = devices.map(({ id, kind, model, memoryBytes, driver }) => [
        id,
        kind,
        model,
        memoryBytes === null ? '-' : `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`,
        driver ?? '-',
      ]);
      context.print(devices, table([['DEVICE', 'KIND', 'MODEL', 'MEMORY', 'DRIVER'], ...rows]));
    },
  },
  {
    name: 'neighbour start',
    about: 'practice network: a second host on this computer, which shares its processor and takes jobs',
    async run(context) {
      const neighbour = await (await context.api()).practice.startNeighbour();
      context.print(neighbour, `The neighbour is ${neighbour.state}. ${neighbour.detail}`.trim());
    },
  },
  {
    name: 'neighbour stop',
    about: 'practice network: stop the neighbour',
    async run(context) {
      const neighbour = await (await context.api()).practice.stopNeighbour();
      context.print(neighbour, `The neighbour is ${neighbour.state}. ${neighbour.detail}`.trim());
    },
  },
  {
    name: 'demo',
    about: 'three workers with declared cards, three clients, three jobs: posted, run, verified and paid',
    async run(context) {
      const { demoJobs } = await import('./demo-jobs.ts');
      const result = await demoJobs(ownCommand(), (line) => context.say(line));
      context.print(result, [
        ...table([
          ['WORKER', 'CARD (SIMULATED)', 'REPUTATION', 'WATT BEFORE', 'WATT AFTER'],
          ...result.workers.map((one) => [
            one.id,
            one.gpuType,
            `${one.reputation}`,
            `${one.balanceBefore}`,
            `${one.balanceAfter}`,
          ]),
        ]),
        '',
        ...table([
          ['JOB', 'MODEL', 'WORKER', 'STATUS', 'REWARD', 'RESULT'],
          ...result.jobs.map((one) => [
            one.id,
            one.model,
            one.worker ?? '',
            one.status,
            `${one.reward}`,
            one.resultId ?? '',
          ]),
        ]),
      ]);
      return result.jobs.every(({ status }) => status === 'verified') ? undefined : 1;
    },
  },
  {
    name: 'demo rental',
    about: 'two hosts, one real rental from offer to settlement, on a fresh practice network',
    async run(context) {
      const { demoRental } = await import('./demo.ts');
      const result = await demoRental(ownCommand(), (line) => context.say(line));
      context.print(result, table(Object.entries(result).map(([name, value]) => [name, String(value)])));
      return result.terminalEcho && result.tunnelOk && result.ledgersAgree ? undefined : 1;
    },
  },
  {
    name: 'demo governance',
    about: 'the fee is changed by a vote of stake, on a fresh practice network; deals that are open keep theirs',
    async run(context) {
      const { demoGovernance } = await import('./demo-governance.ts');
      const result = await demoGovernance((line) => context.say(line));
      context.print(result, table(Object.entries(result).map(([name, value]) => [name, JSON.stringify(value)])));
    },
  },
];
