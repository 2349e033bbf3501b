import { deployWith } from './cli/deploy-command.ts';
import { hostCommands, serveWith } from './cli/host-commands.ts';
import { jobCommands } from './cli/job-commands.ts';
import { offerCommands } from './cli/offer-commands.ts';
import { rentalCommands } from './cli/rental-commands.ts';
import { runCommand } from './cli/run-command.ts';
import { sessionCommands } from './cli/session-commands.ts';
import { walletCommands } from './cli/wallet-commands.ts';
import { workCommands } from './cli/work-commands.ts';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second time means now.
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort();
  });
}
// The reader of our output may close it first (`commonwatt search | head`).
process.stdout.on('error', () => process.exit(0));

// The product's rooms are loaded only where a host is really run: every other command answers sooner.
const serve = serveWith(async (options) => (await import('./run-host.ts')).runHost(options));
const deploy = deployWith(async (context) => (await import('./cli/run-deploy.ts')).runDeploy(context));

process.exitCode = await runCommand(
  process.argv.slice(2),
  [
    serve,
    ...hostCommands,
    ...offerCommands,
    ...rentalCommands,
    ...sessionCommands,
    ...jobCommands,
    ...workCommands,
    ...walletCommands,
    deploy,
  ],
  {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    platform: process.platform,
    signal: interrupted.signal,
  },
);
// Open handles (a terminal's input, a keep-alive socket) must not hold a finished command.
process.stdout.write('', () => process.exit());
