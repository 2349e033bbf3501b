// Plain Node >= 20, no dependencies: `npm start` and `npm test` work from a fresh clone.
// Puts the pinned Node into scripts/node, installs the packages under it, builds what changed, then runs the task.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { testAll } from './suites.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const callerCwd = process.env['INIT_CWD'] ?? process.cwd();
process.chdir(root);
const [task = 'start', ...rest] = process.argv.slice(2);
const say = (line) => process.stderr.write(`${line}\n`);
const fail = (line) => {
  say(line);
  process.exit(1);
};
const hashOf = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');
const isFresh = (stamp, want) => existsSync(stamp) && readFileSync(stamp, 'utf8') === want;

/** npm's own entry file, so that npm runs under the Node of our choice rather than the one its wrapper finds. */
function npmCli() {
  const fromNpm = process.env['npm_execpath'];
  if (fromNpm?.endsWith('.js')) return fromNpm;
  const where = spawnSync(process.platform === 'win32' ? 'where' : 'which', ['npm'], { encoding: 'utf8' }).stdout;
  const beside = path.join(path.dirname(where.split('\n')[0] ?? ''), 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const prefix = spawnSync('npm', ['root', '-g'], { encoding: 'utf8', shell: process.platform === 'win32' });
  const global = path.join((prefix.stdout ?? '').trim(), 'npm', 'bin', 'npm-cli.js');
  return [beside, global].find((file) => existsSync(file)) ?? fail('npm was not found. Install Node.js with npm.');
}

function npmCi(node, cwd, what) {
  say(`Installing ${what}…`);
  const started = Date.now();
  const args = [npmCli(), 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = spawnSync(node, args, {
    cwd,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env['PATH']}` },
  });
  if (result.status !== 0) {
    fail(`Installing ${what} failed (npm ci, exit ${result.status}). Check that the npm registry can be reached.`);
  }
  say(`Installed ${what} in ${Math.round((Date.now() - started) / 1000)} s.`);
}

/** The pinned Node from the registry where one is published for this system, else a new enough Node that is here. */
function ensureNode() {
  const os = { win32: 'win', linux: 'linux', darwin: 'darwin' }[process.platform];
  const home = path.join(root, 'scripts', 'node');
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const pinned = path.join(home, 'node_modules', `node-${os}-${process.arch}`, 'bin', name);
  const want = hashOf(path.join(home, 'package-lock.json'));
  const stamp = path.join(home, 'node_modules', '.installed');
  if (!isFresh(stamp, want)) {
    npmCi(process.execPath, home, 'the pinned Node');
    writeFileSync(stamp, want);
  }
  if (existsSync(pinned)) return pinned;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  return fail(
    `Commonwatt needs Node 22.18 or newer here: this is ${process.version}, and no pinned Node is published for ${process.platform}-${process.arch}.`,
  );
}

function ensurePackages(node) {
  const want = hashOf('package-lock.json');
  const stamp = 'node_modules/.installed';
  if (isFresh(stamp, want)) return;
  npmCi(node, root, 'packages');
  writeFileSync(stamp, want);
}

const node = ensureNode();
ensurePackages(node);

function run(command, args, { env = {}, cwd = root, stdio = 'inherit' } = {}) {
  return new Promise((resolve) => {
    const bin = path.join(root, 'node_modules', '.bin');
    const child = spawn(command, args, {
      stdio,
      cwd,
      env: {
        ...process.env,
        PATH: `${path.dirname(node)}${path.delimiter}${bin}${path.delimiter}${process.env['PATH']}`,
        ...env,
      },
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    // `npm start` killed by pid takes only its shell with it; follow our parent so that nothing is left running.
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) child.kill('SIGTERM');
    }, 500).unref();
    child.on('close', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

const tools = {
  vite: 'vite/bin/vite.js',
  vitest: 'vitest/vitest.mjs',
  playwright: '@playwright/test/cli.js',
  oxlint: 'oxlint/bin/oxlint',
  oxfmt: 'oxfmt/bin/oxfmt',
  knip: 'knip/bin/knip.js',
  tsc: 'typescript/bin/tsc',
};
const tool = (name, args, options) =>
  run(node, [path.join(root, 'node_modules', tools[name] ?? fail(`Unknown tool ${name}`)), ...args], options);

const newest = (dir) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((time, entry) => Math.max(time, statSync(path.join(entry.parentPath, entry.name)).mtimeMs), 0);

async function ensureBuild() {
  const out = 'node_modules/.cache/built';
  const changed = Math.max(
    ...['src', 'electron', 'renderer'].map(newest),
    ...['vite.config.ts', 'package-lock.json'].map((file) => statSync(file).mtimeMs),
  );
  if (existsSync(out) && existsSync('dist/host/cli.js') && statSync(out).mtimeMs >= changed) return;
  say('Building…');
  if (await tool('vite', ['build', '--app', '--logLevel', 'error'], { stdio: ['ignore', 2, 2] })) {
    rmSync(out, { force: true });
    fail('The build failed.');
  }
  mkdirSync(path.dirname(out), { recursive: true });
  writeFileSync(out, '');
}

/** The Electron binary if it is here, fetched once if it can be. Never `require('electron')`: that downloads too. */
function electronBinary() {
  const dir = path.join(root, 'node_modules', 'electron');
  const installed = () => {
    const file = path.join(dir, 'path.txt');
    const binary = existsSync(file) ? path.join(dir, 'dist', readFileSync(file, 'utf8')) : undefined;
    return binary && existsSync(binary) ? binary : undefined;
  };
  const tried = 'node_modules/.cache/electron-tried';
  if (installed() || existsSync(tried)) return installed();
  say('Fetching the Electron binary (once)…');
  const result = spawnSync(node, [path.join(dir, 'install.js')], { timeout: 120_000, encoding: 'utf8' });
  mkdirSync(path.dirname(tried), { recursive: true });
  if (result.status !== 0) writeFileSync(tried, `${result.stderr}`);
  return installed();
}

const hasDisplay = process.platform !== 'linux' || Boolean(process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']);
const cli = (args, options) => run(node, ['--enable-source-maps', 'dist/host/cli.js', ...args], options);

async function check() {
  const steps = { oxfmt: ['--check', '.'], oxlint: ['--type-aware', '--deny-warnings'], tsc: ['--noEmit'], knip: [] };
  for (const [name, args] of Object.entries(steps)) {
    const started = Date.now();
    const code = await tool(name, args);
    say(`${name}: ${code === 0 ? 'ok' : `exit ${code}`} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    if (code) return code;
  }
  return 0;
}

const tasks = {
  async start() {
    await ensureBuild();
    const wantsWindow = !rest.includes('--browser');
    const electron = wantsWindow && hasDisplay ? electronBinary() : undefined;
    if (electron) return run(electron, ['.', ...rest]);
    say(
      !wantsWindow
        ? 'Opening in the browser, as asked.'
        : !hasDisplay
          ? 'No display found: Commonwatt opens in the browser instead of its own window.'
          : 'The Electron binary could not be fetched: Commonwatt opens in the browser instead of its own window.',
    );
    return cli(['serve', '--open', ...rest.filter((arg) => arg !== '--browser')]);
  },
  test: () => ensureBuild().then(() => testAll({ node, tool, say })),
  check,
  /** Everything the gate runs. */
  async ready() {
    return (await check()) || (await run(node, ['contracts/tools/build.mjs', '--check'])) || tasks.test();
  },
  async build() {
    return tool('vite', ['build', '--app', ...rest]);
  },
  dev: () => tool('vite', rest),
  async commonwatt() {
    await ensureBuild();
    return run(node, ['--enable-source-maps', path.join(root, 'dist/host/cli.js'), ...rest], { cwd: callerCwd });
  },
  async bench() {
    await ensureBuild();
    const [name, ...args] = rest;
    const known = readdirSync('bench').flatMap((file) => /^([a-z-]+)\.bench\.ts$/.exec(file)?.[1] ?? []);
    if (!name || !known.includes(name)) fail(`Which benchmark? One of: ${known.join(', ')}.`);
    return run(node, [`bench/${name}.bench.ts`, ...args]);
  },
  contracts: () =>
    run(node, [rest.includes('--report') ? 'contracts/tools/report.mjs' : 'contracts/tools/build.mjs', ...rest]),
  exec: () => (tools[rest[0]] ? tool(rest[0], rest.slice(1)) : run(node, rest)),
};
process.exit(await (tasks[task] ?? (() => fail(`Unknown task ${task}. One of: ${Object.keys(tasks).join(', ')}.`)))());
