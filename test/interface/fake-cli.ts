/** The real command line with the fake product behind `serve`: what the command line's tests start as a process. */
import { hostCommands, serveWith } from '../../src/host/cli/host-commands.ts';
import { offerCommands } from '../../src/host/cli/offer-commands.ts';
import { rentalCommands } from '../../src/host/cli/rental-commands.ts';
import { runCommand } from '../../src/host/cli/run-command.ts';
import { sessionCommands } from '../../src/host/cli/session-commands.ts';
import { walletCommands } from '../../src/host/cli/wallet-commands.ts';
import { runHost } from '../../src/host/run-host.ts';
import { createFakeHost } from './fake-services.ts';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

const serve = serveWith((options) =>
  runHost({
    ...options,
    create({ dataDir, onShutdown }) {
      const { services, stopped } = createFakeHost({ dataDir });
      void stopped.then(onShutdown);
      return Promise.resolve({ services, close: () => Promise.resolve() });
    },
  }),
);
process.exitCode = await runCommand(
  process.argv.slice(2),
  [serve, ...hostCommands, ...offerCommands, ...rentalCommands, ...sessionCommands, ...walletCommands],
  {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    platform: process.platform,
    signal: interrupted.signal,
  },
);
process.stdout.write('', () => process.exit());
