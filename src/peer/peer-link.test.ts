import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { LIMITS } from './limits.ts';
import type { PeerAddress, PeerConnection, PeerHandler, PeerLink, PeerStream } from './peer-link.ts';
import { type PracticeDht, startPracticeDht } from './practice-dht.ts';
import { addressOf, fakeBinder, keyPairOf, readAll, refuseAll, testLink, walletOf, WINDOW } from './test-link.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 30_000 });

/** Handlers of the answering side that a test exchanges. */
let current: Partial<PeerHandler> = {};
const swap: PeerHandler = {
  onConnection: (connection) => current.onConnection?.(connection),
  onRequest: (connection, kind, body) =>
    (current.onRequest ? current : refuseAll).onRequest?.(connection, kind, body) ?? Promise.resolve(null),
  onStream: (connection, stream) => (current.onStream ? current : refuseAll).onStream?.(connection, stream),
};

const echo: Partial<PeerHandler> = {
  onRequest: (_, __, body) => Promise.resolve(body),
  async onStream(_, stream) {
    for await (const bytes of stream.bytes) await stream.write(bytes);
    await stream.end();
  },
};

/** One stream from alice to bob, both ends in our hands. */
async function pipe(connection: PeerConnection, params = {}) {
  const arrived = Promise.withResolvers<PeerStream>();
  current = {
    ...current,
    onStream: (_, stream) => arrived.resolve(stream),
  };
  const here = await connection.open('pipe', params);
  return { here, there: await arrived.promise };
}

describe.each(['tcp', 'dht'] as const)('over %s', (carrier) => {
  let dht: PracticeDht | null = null;
  let alice: PeerLink;
  let bob: PeerLink;
  let address: PeerAddress;

  beforeAll(async () => {
    dht = carrier === 'dht' ? await startPracticeDht({ host: '127.0.0.1' }) : null;
    const options = {
      bootstrap: dht?.bootstrap ?? null,
      tcp: carrier === 'tcp' ? { host: '127.0.0.1', port: 0 } : null,
    };
    alice = await testLink(`alice ${carrier}`, refuseAll, options);
    bob = await testLink(`bob ${carrier}`, swap, { ...options, role: 'provider' });
    address = addressOf(bob);
    if (carrier === 'dht') await Promise.all([alice.whenDhtReady, bob.whenDhtReady]);
  }, 30_000);
  afterAll(async () => {
    await alice.close();
    await bob.close();
    await dht?.close();
  });

  /** Connects with bob answering by `handler`; resolves with both ends. */
  async function meet(
    handler: Partial<PeerHandler> = echo,
    options: Parameters<PeerLink['connect']>[1] = {},
  ): Promise<{ here: PeerConnection; there: PeerConnection } & AsyncDisposable> {
    const arrived = Promise.withResolvers<PeerConnection>();
    current = { ...handler, onConnection: arrived.resolve };
    const here = await alice.connect(address, options);
    const there = await arrived.promise;
    return {
      here,
      there,
      async [Symbol.asyncDispose]() {
        here.close();
        await here.closed;
        await there.closed;
      },
    };
  }

  test('both sides know who the other is', async () => {
    await using met = await meet();
    expect(met.here.remote).toEqual({ peerKey: bob.peerKey, wallet: walletOf(`bob ${carrier}`), role: 'provider' });
    expect(met.there.remote).toEqual({ peerKey: alice.peerKey, wallet: walletOf(`alice ${carrier}`), role: 'renter' });
    expect(met.here.carrier).toBe(carrier);
    expect(met.there.carrier).toBe(carrier);
    expect(met.here.relayed).toBe(false);
  });

  test('requests are answered in both directions, large ones in parts', async () => {
    await using met = await meet();
    const body = { text: 'ü'.repeat(200_000), list: [1, null, true] };
    expect(await met.here.request('echo', body)).toEqual(body);
    await expect(met.there.request('echo', {})).rejects.toMatchObject({ code: 'internal' });
    await expect(met.here.request('echo', 'x'.repeat(LIMITS.jsonBytes))).rejects.toMatchObject({ code: 'bad-input' });
  });

  test('errors arrive with code, words, field and next step, never with a cause', async () => {
    await using met = await meet({
      onRequest: () =>
        Promise.reject(new AppError('offer-changed', 'The\u0007 price rose.', { field: 'price', next: 'Look again.' })),
    });
    await expect(met.here.request('x', null)).rejects.toMatchObject({
      code: 'offer-changed',
      message: 'The price rose.',
      field: 'price',
      next: 'Look again.',
    });
    current = { ...current, onRequest: () => Promise.reject(new Error('secret path /root')) };
    await expect(met.here.request('x', null)).rejects.toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('secret') as string,
    });
  });

  test('a request ends by its time limit and by its signal; a late answer harms nobody', async () => {
    const answer = Promise.withResolvers<null>();
    await using met = await meet({ onRequest: () => answer.promise });
    await expect(met.here.request('slow', null, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'timeout' });
    const stop = new AbortController();
    const asked = met.here.request('slow', null, { signal: stop.signal });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    answer.resolve(null);
    expect(await met.here.request('slow', null)).toBeNull();
  });

  test('too many requests at once are answered busy', async () => {
    const answer = Promise.withResolvers<null>();
    await using met = await meet({ onRequest: () => answer.promise });
    const asked = Array.from({ length: LIMITS.servedRequests + 1 }, () => met.here.request('slow', null));
    await expect(asked.pop()).rejects.toMatchObject({ code: 'busy' });
    answer.resolve(null);
    await Promise.all(asked);
  });

  test('events arrive', async () => {
    await using met = await meet();
    const heard = new Promise((resolve) => {
      met.here.onEvent((kind, body) => resolve({ kind, body }));
    });
    met.there.event('deal.changed', { phase: 'running' });
    expect(await heard).toEqual({ kind: 'deal.changed', body: { phase: 'running' } });
  });

  test('a stream carries bytes both ways, ends each direction by itself and then closes', async () => {
    await using met = await meet();
    const stream = await met.here.open('echo', { leaseId: '0x1' });
    const data = randomBytes(3_000_000);
    const back = readAll(stream.bytes);
    await stream.write(data);
    await stream.end();
    expect((await back).equals(data)).toBe(true);
    expect(await stream.closed).toEqual({ reason: null });
    await expect(stream.write(data)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('a refused stream says why; an aborted one tells the other side', async () => {
    await using met = await meet({
      onStream: () => {
        throw new AppError('not-allowed', 'This port is not exposed.', { field: 'port' });
      },
    });
    await expect(met.here.open('deal.tunnel', { port: 1 })).rejects.toMatchObject({
      code: 'not-allowed',
      field: 'port',
    });
    const { here, there } = await pipe(met.here);
    const reading = readAll(there.bytes);
    here.abort('container gone');
    await expect(reading).rejects.toMatchObject({ message: 'container gone' });
    expect(await there.closed).toEqual({ reason: 'container gone' });
    expect(await here.closed).toEqual({ reason: 'container gone' });
    await expect(there.write(randomBytes(1))).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('notes come in order with the bytes', async () => {
    await using met = await meet();
    const { here, there } = await pipe(met.here);
    const seen: string[] = [];
    there.onNote((value) => seen.push(JSON.stringify(value)));
    await here.note({ cols: 80 });
    await here.write(Buffer.from('a'));
    await here.note({ exitCode: 3 });
    await here.write(Buffer.from('b'));
    await here.end();
    for await (const bytes of there.bytes) seen.push(Buffer.from(bytes).toString());
    expect(seen).toEqual(['{"cols":80}', 'a', '{"exitCode":3}', 'b']);
    await expect(here.note('x'.repeat(LIMITS.noteBytes))).rejects.toMatchObject({ code: 'conflict' });
  });

  test('a slow reader stalls the writer at the credit, and reading sets it free', async () => {
    await using met = await meet();
    const { here, there } = await pipe(met.here);
    let written = 0;
    const chunk = Buffer.alloc(16 * 1024);
    const total = 64;
    const writing = (async () => {
      for (let index = 0; index < total; index += 1) {
        await here.write(chunk);
        written += chunk.length;
      }
      await here.end();
    })();
    // A request answered after the writes began proves that what could arrive has arrived.
    await met.here.request('echo', null);
    await met.here.request('echo', null);
    expect(written).toBeLessThanOrEqual(WINDOW);
    expect(written).toBeLessThan(total * chunk.length);
    expect((await readAll(there.bytes)).length).toBe(total * chunk.length);
    await writing;
  });

  test('a stalled stream does not hold up others', async () => {
    await using met = await meet();
    const { here } = await pipe(met.here);
    const stalled = here.write(Buffer.alloc(WINDOW * 2)).catch((error: unknown) => error);
    current = { ...current, ...echo };
    const other = await met.here.open('echo', null);
    const back = readAll(other.bytes);
    const data = randomBytes(WINDOW * 2);
    await other.write(data);
    await other.end();
    expect((await back).equals(data)).toBe(true);
    here.abort('enough');
    expect(await stalled).toBeInstanceOf(AppError);
  });

  test('many streams at once, and one too many is refused', async () => {
    await using met = await meet();
    const streams = await Promise.all(
      Array.from({ length: LIMITS.streams }, async (_, index) => {
        const stream = await met.here.open('echo', null);
        await stream.write(Buffer.alloc(10_000, index));
        return stream;
      }),
    );
    await expect(met.here.open('echo', null)).rejects.toMatchObject({ code: 'busy' });
    const sums = await Promise.all(
      streams.map(async (stream, index) => {
        await stream.end();
        return (await readAll(stream.bytes)).equals(Buffer.alloc(10_000, index));
      }),
    );
    expect(sums.every(Boolean)).toBe(true);
    await met.here.open('echo', null);
  });

  test('the end of the connection ends everything on it, with the reason', async () => {
    const met = await meet({ ...echo, onRequest: () => new Promise(() => undefined) });
    const { here, there } = await pipe(met.here);
    const asked = met.here.request('never', null);
    const written = here.write(Buffer.alloc(WINDOW * 2));
    met.there.close('lease over');
    expect(await met.here.closed).toEqual({ reason: 'lease over' });
    await expect(asked).rejects.toMatchObject({ code: 'peer-unreachable' });
    await expect(written).rejects.toMatchObject({ code: 'peer-unreachable' });
    await expect(readAll(there.bytes)).rejects.toMatchObject({ code: 'peer-unreachable' });
    await expect(met.here.request('x', null)).rejects.toMatchObject({ code: 'peer-unreachable' });
    await expect(met.here.open('x', null)).rejects.toMatchObject({ code: 'peer-unreachable' });
  });

  test('a second connection for bulk has wider credit', async () => {
    await using met = await meet(echo, { purpose: 'bulk' });
    expect(met.there.purpose).toBe('bulk');
    const { here } = await pipe(met.here);
    await here.write(Buffer.alloc(WINDOW * 3));
  });

  test('the round trip is measured', async () => {
    await using met = await meet();
    await met.here.request('echo', null);
    await met.here.request('echo', null);
    expect(met.here.rttMs()).toBeGreaterThan(0);
    expect(met.there.rttMs()).toBeGreaterThan(0);
  });

  test('an unexpected wallet is refused before the other side hears of the connection', async () => {
    let arrived = false;
    current = { onConnection: () => (arrived = true) };
    await expect(alice.connect(address, { expectWallet: walletOf('mallory') })).rejects.toMatchObject({
      code: 'peer-refused',
      message: expect.stringContaining('belongs to wallet') as string,
    });
    expect(arrived).toBe(false);
  });

  test('a peer of another chain is refused by name', async () => {
    const stranger = await testLink(`stranger ${carrier}`, refuseAll, {
      bootstrap: dht?.bootstrap ?? null,
      tcp: null,
      binder: fakeBinder('stranger', 1),
    });
    await expect(stranger.connect(address)).rejects.toMatchObject({ code: 'wrong-network' });
    await stranger.close();
  });

  test('an unknown key is unreachable, with what was tried', async () => {
    const nobody = { ...address, peerKey: `0x${Buffer.from(keyPairOf('nobody').publicKey).toString('hex')}` as const };
    await expect(alice.connect(nobody)).rejects.toMatchObject({
      code: 'peer-unreachable',
      message: expect.stringMatching(
        carrier === 'tcp' ? /another peer answers there/ : /nobody announced this key/,
      ) as string,
    });
  });

  test('a caller can give up', async () => {
    await expect(alice.connect(address, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
  });
});
