/**
 * From the click to the first prompt: `rentals.open` on a renter's host until the terminal's first byte, over a real
 * chain, a real line and a real engine with the image present. Against `docker run -it` of the same image, in turns.
 */
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { untilRental } from '../src/host/cli/demo.ts';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import { compareInTurns } from './harness.ts';
import { withTwoHosts } from './two-hosts.ts';

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

await withTwoHosts(async ({ provider, renter, offerId }) => {
  const { missing, token } = await renter.client.market.quote({ offerId, seconds: SECONDS });
  await renter.client.wallet.deposit({
    commandId: crypto.randomUUID(),
    token: token.address,
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
  await compareInTurns({
    name: 'rent-to-shell',
    rounds: 7,
    ours: rent,
    bare: async () => {
      // The next guard is made in the background: the figure is for one that is there.
      await pause(3000);
      return dockerRun();
    },
  });
});
