/** What every door must do alike: the same calls, streams, failures and limits over WebSocket, MessagePort and REST. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApiOutputs } from '../../src/api/contract.ts';
import { fromWireError } from '../../src/api/wire.ts';
import { AppError } from '../../src/shared/errors.ts';
import { doors, type Door } from './doors.ts';

const OFFER = `0x${'0'.repeat(63)}1`;
const spec = { image: 'busybox:1.36' };

async function failureOf(call: Promise<unknown>): Promise<AppError> {
  try {
    await call;
  } catch (thrown) {
    return thrown instanceof AppError ? thrown : fromWireError(thrown);
  }
  throw new Error('The call was expected to fail.');
}

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 5000, interval: 5 }).toBe(true);
}

async function* breaking<T>(first: T): AsyncGenerator<T, void> {
  yield first;
  throw new AppError('network-down', 'The chain is gone.', { next: 'Wait.' });
}

describe.each(Object.entries(doors))('over %s', (name, openDoor) => {
  let door: Door;
  beforeEach(async () => {
    door = await openDoor();
  });
  afterEach(() => door.close());

  const rent = (commandId = 'command-1') => door.client.rentals.open({ commandId, offerId: OFFER, seconds: 600, spec });

  test('a call answers with checked, plain values', async () => {
    const status = await door.client.system.status();
    expect(status.network.name).toBe('practice');
    const { offers, total } = await door.client.market.search({ query: 'RTX 3090', limit: 1 });
    expect(total).toBe(2);
    expect(offers).toHaveLength(1);
    const quote = await door.client.market.quote({ offerId: OFFER.toUpperCase().replace('0X', '0x'), seconds: 600 });
    expect(quote.deposit).toBe('58334');
  });

  test('the same command id does the thing once', async () => {
    const [first, second] = [await rent('same-command'), await rent('same-command')];
    expect(second.rentalId).toBe(first.rentalId);
    expect(door.host.done).toEqual(['rentals.open']);
  });

  test("a service's refusal arrives with its code, field and next step", async () => {
    const failure = await failureOf(door.client.wallet.unlock({ password: 'wrong' }));
    expect(failure.toJSON()).toEqual({
      code: 'wrong-password',
      message: 'That is not the password.',
      field: 'password',
      next: 'Try again.',
    });
  });

  test('wrong input names its field and never reaches the service', async () => {
    const bad = door.client.rentals.open({
      commandId: 'command-1',
      offerId: OFFER,
      seconds: 600,
      spec: { image: 'x y' },
    });
    const failure = await failureOf(bad);
    expect(failure.code).toBe('bad-input');
    expect(failure.field).toBe('spec.image');
    expect(failure.message).toContain('must be an image reference');
    expect(failure.next).toContain('spec.image');
    const short = await failureOf(door.client.market.quote({ offerId: OFFER, seconds: 1 }));
    expect(short.field).toBe('seconds');
    const hex = await failureOf(door.client.wallet.deposit({ commandId: 'command-2', token: '0x12', amount: '1' }));
    expect(hex.message).toBe('token must be an address: 0x and 40 hexadecimal digits.');
    expect(door.host.done).toEqual([]);
  });

  test('an unexpected failure is logged and leaves without its text', async () => {
    door.host.services.wallet.balances = () => {
      throw new Error('secret path /home/somebody');
    };
    const failure = await failureOf(door.client.wallet.balances());
    expect(failure.code).toBe('internal');
    expect(JSON.stringify(failure)).not.toContain('secret');
    expect(JSON.stringify(door.lines)).toContain('secret path');
  });

  test('an answer that breaks the contract is not passed on', async () => {
    door.host.services.wallet.status = () => ({ exists: 'yes' }) as unknown as ApiOutputs['wallet']['status'];
    expect((await failureOf(door.client.wallet.status())).code).toBe('internal');
  });

  test('an unknown rental is refused, also where a stream was asked for', async () => {
    const rentalId = `0x${'f'.repeat(64)}`;
    expect((await failureOf(door.client.rentals.get({ rentalId }))).code).toBe('not-found');
    expect((await failureOf(door.client.rentals.watch({ rentalId }))).code).toBe('not-found');
  });

  test('a stream brings the newest state and ends when its reader leaves', async () => {
    const events = await door.client.system.watch();
    const first = await events.next();
    expect(first.value).toMatchObject({ pid: process.pid });
    door.host.status.set({ ...door.host.status.value, pid: 7 });
    const second = await events.next();
    expect(second.value).toMatchObject({ pid: 7 });
    expect(door.host.streams()).toBe(1);
    await events.return?.();
    await until(() => door.host.streams() === 0);
  });

  test('a cancelled call is cancelled at the host too', async () => {
    const leave = new AbortController();
    let reached!: () => void;
    const arrived = new Promise<void>((resolve) => (reached = resolve));
    let stopped = false;
    door.host.services.share.status = (_input, { signal }) =>
      new Promise((_resolve, reject) => {
        reached();
        signal.addEventListener('abort', () => {
          stopped = true;
          reject(new AppError('cancelled', 'Cancelled.'));
        });
      });
    const call = failureOf(door.client.share.status(undefined, { signal: leave.signal }));
    await arrived;
    leave.abort();
    expect((await call).code).toBe('cancelled');
    await until(() => stopped);
  });

  test('a caller that goes away ends its streams', async () => {
    const events = await door.client.system.watch();
    await events.next();
    const ended = failureOf(
      (async () => {
        for (;;) if ((await events.next()).done) throw new AppError('cancelled', 'ended');
      })(),
    );
    await door.close();
    await until(() => door.host.streams() === 0);
    expect(['host-down', 'cancelled', 'internal']).toContain((await ended).code);
  });

  test('a failure in the middle of a stream arrives as itself', async () => {
    door.host.services.system.watch = () => breaking(door.host.status.value);
    const events = await door.client.system.watch();
    await events.next();
    const failure = await failureOf(events.next());
    expect(failure.code).toBe('network-down');
    expect(failure.message).toBe('The chain is gone.');
  });

  test('a terminal echoes what is typed, frame by frame', async () => {
    const { rentalId } = await rent();
    const frames = await door.client.rentals.terminal({ rentalId, cols: 80, rows: 24 });
    let sessionId = '';
    let seen = '';
    for await (const frame of frames) {
      if (frame.type === 'opened') sessionId = frame.sessionId;
      if (frame.type !== 'data') continue;
      seen += Buffer.from(frame.base64, 'base64').toString();
      await door.client.rentals.ack({ sessionId, seq: frame.seq });
      if (seen === '$ ')
        await door.client.rentals.input({ sessionId, base64: Buffer.from('exit\n').toString('base64') });
    }
    expect(seen).toBe('$ exit\n');
  });

  test('output waits for acknowledgements: a reader is never flooded', async () => {
    const { rentalId } = await rent();
    const frames = await door.client.rentals.exec({ rentalId, command: ['count', '2000'] });
    const opened = await frames.next();
    const sessionId = (opened.value as { sessionId: string }).sessionId;
    const lines: number[] = [];
    for await (const frame of frames) {
      if (frame.type !== 'data') continue;
      lines.push(Number(Buffer.from(frame.base64, 'base64').toString()));
      if (frame.seq % 64 === 0) await door.client.rentals.ack({ sessionId, seq: frame.seq });
    }
    expect(lines).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1));
  });

  test('a slow reader of a state stream skips to the newest value', async () => {
    const events = await door.client.system.watch();
    await events.next();
    for (let block = 1; block <= 5000; block++) {
      const { network } = door.host.status.value;
      door.host.status.set({ ...door.host.status.value, network: { ...network, headBlock: block } });
      if (block % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    let read = 0;
    for await (const status of events) {
      read++;
      if (status.network.headBlock === 5000) break;
    }
    // REST hands events to the kernel, whose buffers are the window there.
    expect(read).toBeLessThan(name === 'REST' ? 501 : 20);
  });

  test('1000 calls at once are all answered', async () => {
    const calls = Array.from({ length: 1000 }, (_, index) =>
      door.client.market.quote({ offerId: OFFER, seconds: 60 + index }),
    );
    const quotes = await Promise.all(calls);
    expect(quotes.map((quote) => quote.seconds)).toEqual(Array.from({ length: 1000 }, (_, index) => 60 + index));
  });

  test('an input that is too large is refused and the connection lives on', async () => {
    const huge = 'x'.repeat(2 * 1024 * 1024);
    const failure = await failureOf(door.client.wallet.import({ kind: 'mnemonic', mnemonic: huge, password: 'x' }));
    expect(failure.code).toBe('bad-input');
    expect((await door.client.system.status()).pid).toBe(process.pid);
  });
});
