import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ApiClient, Rental } from '../../api/contract.ts';
import { AppError } from '../../shared/errors.ts';
import type { Bytes32 } from '../../shared/ids.ts';
import { PRACTICE_IMAGE } from '../../runtime/create-options.ts';
import { isReady, spawnHost, untilStatus, type SpawnedHost } from '../spawned-host.ts';
import { booksAgree } from './books.ts';

export interface RentalDemo {
  leaseId: Bytes32;
  seconds: number;
  /** All amounts in the token's smallest unit. */
  token: string;
  deposit: string;
  paid: string;
  refund: string;
  fee: string;
  terminalEcho: boolean;
  tunnelOk: boolean;
  ledgersAgree: boolean;
}

const WEB_PORT = 8080;
/** The practice image's own web server. */
const WEB_SERVER = ['httpd', '-f', '-p', `${WEB_PORT}`, '-h', '/www'];
const RENTED_SECONDS = 600;
/** Long enough that there is something to pay. */
const WORKED_SECONDS = 5;

/**
 * The whole first rental, for real: two hosts with wallets, data directories and processes of their own on a fresh
 * practice network; one shares, the other rents, works in a container, reaches its port, ends; then the books are
 * compared with the chain.
 */
export async function demoRental(command: readonly string[], say: (line: string) => void): Promise<RentalDemo> {
  const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-demo-'));
  const hosts: SpawnedHost[] = [];
  try {
    say('1/7 Starting the provider with its practice network.');
    const provider = await spawnHost({ command, dataDir: path.join(root, 'provider'), network: 'practice' });
    hosts.push(provider);
    const { network } = await untilStatus(provider.client, isReady);
    say('2/7 Starting the renter; it joins that network.');
    const renter = await spawnHost({
      command,
      dataDir: path.join(root, 'renter'),
      network: 'practice',
      ...(network.joinUrl === null ? {} : { rpcUrl: network.joinUrl }),
    });
    hosts.push(renter);
    await untilStatus(renter.client, isReady);

    say('3/7 The provider shares.');
    const { offer } = await provider.client.share.suggest();
    const { offerId } = await provider.client.share.start({ commandId: crypto.randomUUID(), offer });
    await untilListed(renter.client, offerId);

    say('4/7 The renter deposits and rents.');
    const quote = await renter.client.market.quote({ offerId, seconds: RENTED_SECONDS });
    await renter.client.wallet.deposit({ commandId: crypto.randomUUID(), token: offer.token, amount: quote.missing });
    const { rentalId } = await renter.client.rentals.open({
      commandId: crypto.randomUUID(),
      offerId,
      seconds: RENTED_SECONDS,
      spec: { image: PRACTICE_IMAGE, command: WEB_SERVER, ports: [WEB_PORT], internet: false },
    });
    await untilRental(renter.client, rentalId, (rental) => rental.phase === 'running');

    say('5/7 Typing into the terminal and opening a port.');
    const terminalEcho = await echoes(renter.client, rentalId);
    const tunnelOk = await answers(renter.client, rentalId);
    await untilRental(renter.client, rentalId, (rental) => rental.servedSeconds >= WORKED_SECONDS);

    say('6/7 Ending the rental.');
    await renter.client.rentals.terminate({ rentalId, commandId: crypto.randomUUID() });
    const closed = await untilRental(renter.client, rentalId, (rental) => rental.settlement !== null);
    await untilRental(provider.client, rentalId, (rental) => rental.settlement !== null);

    say('7/7 Comparing both ledgers with the chain.');
    const ledgersAgree = await booksAgree([renter.client, provider.client], rentalId);
    const { settlement } = closed;
    if (!settlement) throw new AppError('internal', 'The rental closed without a settlement.');
    const { seconds, paid, refund, fee } = settlement;
    return {
      leaseId: rentalId,
      seconds,
      token: closed.token.symbol,
      deposit: closed.deposit,
      paid,
      refund,
      fee,
      terminalEcho,
      tunnelOk,
      ledgersAgree,
    };
  } finally {
    await Promise.all(hosts.toReversed().map((host) => host.stop()));
    await rm(root, { recursive: true, force: true });
  }
}

/** Resolves when the offer shows on this host's market. */
export async function untilListed(client: ApiClient, offerId: Bytes32): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const { offers } = await client.market.search({ query: '', limit: 500 });
    if (offers.some((offer) => offer.offerId === offerId)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new AppError('timeout', 'The offer did not show on the market.');
}

/** Resolves with the first state of the rental that `test` accepts. @throws AppError timeout, or conflict when it closed first. */
export async function untilRental(
  client: ApiClient,
  rentalId: Bytes32,
  test: (rental: Rental) => boolean,
  timeoutMs = 60_000,
): Promise<Rental> {
  const giveUp = AbortSignal.timeout(timeoutMs);
  const stop = new AbortController();
  let last: Rental | null = null;
  try {
    for await (const rental of await client.rentals.watch(
      { rentalId },
      { signal: AbortSignal.any([giveUp, stop.signal]) },
    )) {
      last = rental;
      if (test(rental)) return rental;
      if (rental.phase === 'closed')
        throw new AppError('conflict', `The rental closed: ${rental.settlement?.reason ?? rental.detail}`);
    }
  } catch (thrown) {
    if (!giveUp.aborted) throw thrown;
  } finally {
    stop.abort();
  }
  throw new AppError('timeout', `The rental stayed ${last?.phase ?? 'unknown'}: ${last?.detail ?? ''}`);
}

/** Types a line into a terminal of the rented machine and reads it back as its shell evaluated it. */
export async function echoes(client: ApiClient, rentalId: Bytes32): Promise<boolean> {
  const giveUp = AbortSignal.timeout(20_000);
  let text = '';
  let sessionId = '';
  try {
    for await (const frame of await client.rentals.terminal({ rentalId, cols: 80, rows: 24 }, { signal: giveUp })) {
      if (frame.type === 'opened') {
        ({ sessionId } = frame);
        const line = 'echo "watt-$((40 + 2))"; exit\n';
        await client.rentals.input({ sessionId, base64: Buffer.from(line).toString('base64') });
      } else if (frame.type === 'data') {
        text += Buffer.from(frame.base64, 'base64').toString();
        await client.rentals.ack({ sessionId, seq: frame.seq });
      } else break;
    }
  } catch (thrown) {
    if (!giveUp.aborted) throw thrown;
  }
  return text.includes('watt-42');
}

/** Opens the machine's web port on this computer and fetches its page. */
async function answers(client: ApiClient, rentalId: Bytes32): Promise<boolean> {
  const { localPort } = await client.rentals.forward({ rentalId, containerPort: WEB_PORT });
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const response = await fetch(`http://127.0.0.1:${localPort}/`, { signal: AbortSignal.timeout(5000) }).catch(
      () => null,
    );
    if (response?.ok && (await response.text()).includes('Commonwatt')) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}
