/**
 * From the click to the first prompt: `rentals.open` on a renter's host until the terminal's first byte, over a real
 * chain, a real line and a real engine with the image present. Against `docker run -it` of the same image, in turns.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { untilListed, untilRental } from '../src/host/cli/demo.ts';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import { isReady, spawnHost, untilStatus } from '../src/host/spawned-host.ts';
import { COMMAND, median, report, say } from './harness.ts';

const ROUNDS = 7;
const SECONDS = 600;

/** A prompt from `docker run -it`, which wants a terminal of its own: util-linux `script` gives it one. */
function dockerRun(): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn('script', ['-qefc', `docker run --rm -it ${PRACTICE_IMAGE} sh`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.once('error', reject);
    child.stdout.once('data', () => {
      const took = performance.now() - started;
      child.stdin.end('exit\n');
      child.once('exit', () => resolve(took));
    });
  });
}

const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-bench-'));
const provider = await spawnHost({ command: COMMAND, dataDir: path.join(root, 'provider'), network: 'practice' });
const { network } = await untilStatus(provider.client, isReady);
const renter = await spawnHost({
  command: COMMAND,
  dataDir: path.join(root, 'renter'),
  network: 'practice',
  rpcUrl: network.joinUrl ?? '',
});
try {
  await untilStatus(renter.client, isReady);
  const { offer } = await provider.client.share.suggest();
  const { offerId } = await provider.client.share.start({ commandId: crypto.randomUUID(), offer });
  await untilListed(renter.client, offerId);
  const { missing } = await renter.client.market.quote({ offerId, seconds: SECONDS });
  await renter.client.wallet.deposit({
    commandId: crypto.randomUUID(),
    token: offer.token,
    amount: `${BigInt(missing) * 20n}`,
  });

  const rent = async (): Promise<number> => {
    const started = performance.now();
    const { rentalId } = await renter.client.rentals.open({
      commandId: crypto.randomUUID(),
      offerId,
      seconds: SECONDS,
      spec: { image: PRACTICE_IMAGE, internet: false },
    });
    await untilRental(renter.client, rentalId, (rental) => rental.phase === 'running');
    let took = Number.NaN;
    for await (const frame of await renter.client.rentals.terminal({ rentalId, cols: 80, rows: 24 })) {
      if (frame.type !== 'data') continue;
      took = performance.now() - started;
      break;
    }
    await renter.client.rentals.terminate({ rentalId, commandId: crypto.randomUUID() });
    await untilRental(provider.client, rentalId, (rental) => rental.settlement !== null);
    return took;
  };

  await dockerRun();
  say(`warm-up ${(await rent()).toFixed(0)} ms`);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    // The next guard is made in the background: the figure is for one that is there.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    bare.push(await dockerRun());
    ours.push(await rent());
    say(
      `round ${round + 1}/${ROUNDS}: ours ${ours.at(-1)?.toFixed(0)} ms, docker run -it ${bare.at(-1)?.toFixed(0)} ms`,
    );
  }
  report({ name: 'rent-to-shell', value: median(ours), unit: 'ms', baseline: median(bare), n: ROUNDS });
} finally {
  await renter.stop();
  await provider.stop();
  await rm(root, { recursive: true, force: true });
}
