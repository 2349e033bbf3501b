import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sibling } from '../shared/sibling.ts';
import { defaultDataDir } from './cli/connect.ts';
import { runHost } from './run-host.ts';
import { runForShell, type ShellPort } from './shell-link.ts';

/** The desktop app's host: the same as `commonwatt serve`, started and watched by the shell. */
const { parentPort } = process as unknown as { parentPort?: ShellPort };
if (!parentPort) throw new Error('This program is started by the desktop app; without it use `commonwatt serve`.');

const text = { type: 'string' } as const;
const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { 'data-dir': text, network: text, rpc: text },
  // The desktop app's own switches come along; they are not ours to judge.
  strict: false,
});
const given = (name: string): string | undefined => {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
};
const dataDir = given('data-dir');
const rpcUrl = given('rpc');

process.exitCode = await runForShell(
  parentPort,
  {
    dataDir: dataDir === undefined ? defaultDataDir(process.env, process.platform) : path.resolve(dataDir),
    network: given('network') ?? 'practice',
    serveCommand: [process.execPath, fileURLToPath(sibling(import.meta.url, 'cli'))],
    ...(rpcUrl === undefined ? {} : { rpcUrl }),
  },
  runHost,
);
process.exit();
