import { randomBytes } from 'node:crypto';
import net from 'node:net';
import type { KeyPair } from '@hyperswarm/secret-stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Hex } from '../shared/ids.ts';
import { systemClock } from '../shared/time.ts';
import { toHex } from './bytes.ts';
import { createControlDecoder, encodeControl, type Hello } from './frames.ts';
import { createGate } from './gate.ts';
import { greetAsInitiator } from './greet.ts';
import { createCredentials } from './identity.ts';
import { LIMITS } from './limits.ts';
import type { PeerConnection, PeerLink, PeerStream } from './peer-link.ts';
import { connectTcp } from './tcp-carrier.ts';
import { addressOf, fakeBinder, keyPairOf, refuseAll, testLink, walletOf } from './test-link.ts';
import { openWire, type Wire } from './wire.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 30_000 });

let bob: PeerLink;
let arrived: PromiseWithResolvers<PeerConnection>;
let streams: PeerStream[];
let turnedAway: PromiseWithResolvers<string>;

beforeEach(async () => {
  arrived = Promise.withResolvers();
  turnedAway = Promise.withResolvers();
  streams = [];
  bob = await testLink(
    'bob',
    {
      onConnection: (connection) => arrived.resolve(connection),
      onRequest: (_, __, body) => Promise.resolve(body),
      onStream: (_, stream) => void streams.push(stream),
    },
    {
      timing: { greetingMs: 400, farewellMs: 100 },
      log: (_, details) => turnedAway.resolve(String(details?.['reason'])),
    },
  );
});
afterEach(() => bob.close());

const closed = (socket: net.Socket) => new Promise((resolve) => socket.once('close', resolve));
const endpoint = () => bob.endpoints[0] ?? { host: '', port: 0 };
const signal = () => AbortSignal.timeout(3000);

/** A peer that says whatever it is told to, over real TCP and real encryption. */
async function mallory<T>(use: (wire: Wire) => Promise<T>, keyPair = keyPairOf('mallory')): Promise<T> {
  const stream = await connectTcp(endpoint(), keyPair, signal());
  return openWire(stream, { farewellMs: 100, signal: signal() }, use);
}

const helloOf = (name: string, keyPair: KeyPair, clock = systemClock, chainId = 31337): Promise<Hello> =>
  createCredentials(keyPair, fakeBinder(name, chainId), clock)('renter', 'control');

const greetWith = (hello: Hello, keyPair?: KeyPair) =>
  mallory(
    (wire) =>
      greetAsInitiator(wire, {
        hello: () => Promise.resolve(hello),
        check: (theirs) => ({ peerKey: wire.remoteKey, wallet: theirs.wallet as Hex, role: theirs.role }),
        signal: signal(),
      }).then(({ confirm }) => {
        confirm();
        return wire;
      }),
    keyPair,
  );

/** A wire on which everybody has proven who they are; what mallory does next is up to the test. */
async function insider(): Promise<Wire> {
  const wire = await greetWith(await helloOf('mallory', keyPairOf('mallory')));
  wire.receiver = { control: () => undefined, data: () => undefined, credit: () => undefined, pong: () => undefined };
  await arrived.promise;
  return wire;
}

const refused = (message: string, code = 'peer-refused') => ({
  code,
  message: expect.stringContaining(message) as string,
});

describe('who is not who they say is refused, and told why', () => {
  test('a stolen binding', async () => {
    const stolen = await helloOf('alice', keyPairOf('alice'));
    await expect(greetWith(stolen)).rejects.toMatchObject(refused('did not sign for this wallet'));
  });

  test('a stolen wallet signature with an own peer signature', async () => {
    const stolen = await helloOf('alice', keyPairOf('alice'));
    const own = await createCredentials(keyPairOf('mallory'), fakeBinder('alice'), systemClock)('renter', 'control');
    const mixed = { ...own, walletSignature: stolen.walletSignature, notAfter: stolen.notAfter };
    await expect(greetWith(mixed)).rejects.toMatchObject(refused('wallet did not sign'));
  });

  test('a swapped wallet', async () => {
    const hello = await helloOf('mallory', keyPairOf('mallory'));
    await expect(greetWith({ ...hello, wallet: walletOf('alice') })).rejects.toMatchObject(refused('did not sign'));
  });

  test('another role, another end of validity than was signed', async () => {
    const hello = await helloOf('mallory', keyPairOf('mallory'));
    await expect(greetWith({ ...hello, role: 'provider' })).rejects.toMatchObject(refused('wallet did not sign'));
    await expect(greetWith({ ...hello, notAfter: hello.notAfter + 1 })).rejects.toMatchObject(refused('did not sign'));
  });

  test('an expired binding', async () => {
    const past = { ...systemClock, now: () => systemClock.now() - 30 * 86_400 };
    await expect(greetWith(await helloOf('mallory', keyPairOf('mallory'), past))).rejects.toMatchObject(
      refused('expired'),
    );
  });

  test('another chain', async () => {
    const hello = await helloOf('mallory', keyPairOf('mallory'), systemClock, 1);
    await expect(greetWith(hello)).rejects.toMatchObject(refused('chain 31337', 'wrong-network'));
  });

  test('a nonsense signature', async () => {
    const hello = await helloOf('mallory', keyPairOf('mallory'));
    await expect(greetWith({ ...hello, peerSignature: `0x${'00'.repeat(64)}` })).rejects.toMatchObject(
      refused('did not sign'),
    );
    await expect(greetWith({ ...hello, walletSignature: '0x00' })).rejects.toMatchObject(
      refused('wallet did not sign'),
    );
  });

  test('who asks before saying who they are', async () => {
    const reason = await mallory(async (wire) => {
      wire.control({ t: 'ask', id: 0, kind: 'x', body: null });
      await wire.closed;
      return wire.farewell;
    });
    expect(reason).toMatchObject({ code: 'peer-refused', reason: 'The other side spoke before it said who it is.' });
  });

  test('who says nothing is dropped in time', async () => {
    const socket = net.connect(endpoint());
    await closed(socket);
    expect(await turnedAway.promise).toMatch(/gave up/);
    const farewell = await mallory(async (wire) => {
      await wire.closed;
      return wire.farewell;
    });
    expect(farewell?.reason).toMatch(/in time/);
  });
});

const openThen = (wire: Wire, act: () => void) => {
  wire.control({ t: 'open', id: 0, kind: 'x', params: null, bulk: false });
  act();
};
const flood = (wire: Wire) => {
  for (let index = 0; index < 6; index += 1) wire.data(0, Buffer.alloc(50_000));
};
const trickle = (wire: Wire) => {
  for (let index = 0; index < 5000; index += 1) wire.data(0, Buffer.alloc(1));
};
const afterEnd = (wire: Wire) => {
  wire.control({ t: 'eof', id: 0 });
  wire.data(0, Buffer.alloc(1));
};
const twoEnds = (wire: Wire) => {
  wire.control({ t: 'eof', id: 0 });
  wire.control({ t: 'eof', id: 0 });
};

describe('who breaks the rules is disconnected, and told why', () => {
  const breaks: [string, (wire: Wire) => void, RegExp][] = [
    ['a second hello', (wire) => wire.control({ t: 'welcome' }), /greeted twice/],
    [
      'an open stream number of ours',
      (wire) => wire.control({ t: 'open', id: 1, kind: 'x', params: null, bulk: false }),
      /not free/,
    ],
    ['credit out of nowhere', (wire) => openThen(wire, () => wire.credit(0, 0xffff_ffff)), /granted more/],
    ['bytes beyond the credit', (wire) => openThen(wire, () => flood(wire)), /more than it was granted/],
    ['tiny messages without end', (wire) => openThen(wire, () => trickle(wire)), /more than it was granted/],
    ['bytes after the end', (wire) => openThen(wire, () => afterEnd(wire)), /after the end/],
    ['two ends', (wire) => openThen(wire, () => twoEnds(wire)), /twice/],
  ];
  test.each(breaks)('%s', async (_, act, reason) => {
    const wire = await insider();
    act(wire);
    await wire.closed;
    expect(wire.farewell?.reason).toMatch(reason);
  });

  test('more streams than allowed are refused, the connection stays', async () => {
    const wire = await insider();
    const answers: string[] = [];
    const last = Promise.withResolvers<void>();
    wire.receiver = {
      ...wire.receiver,
      control: (frame) => {
        answers.push(frame.t);
        if (answers.length === LIMITS.streams + 10) last.resolve();
      },
    };
    for (let index = 0; index < LIMITS.streams + 10; index += 1) {
      wire.control({ t: 'open', id: index * 2, kind: 'x', params: null, bulk: false });
    }
    await last.promise;
    expect(answers.filter((answer) => answer === 'refused')).toHaveLength(10);
    expect(wire.open).toBe(true);
    wire.close('cancelled', 'done');
    await wire.closed;
  });

  test('who asks much and reads nothing is cut off before it costs memory', async () => {
    const stream = await connectTcp(endpoint(), keyPairOf('mallory'), signal());
    const hello = await helloOf('mallory', keyPairOf('mallory'));
    const wire = await openWire(stream, { farewellMs: 100, signal: signal() }, (opened) =>
      greetAsInitiator(opened, {
        hello: () => Promise.resolve(hello),
        check: (theirs) => ({ peerKey: opened.remoteKey, wallet: theirs.wallet as Hex, role: theirs.role }),
        signal: signal(),
      }).then(({ confirm }) => {
        confirm();
        return opened;
      }),
    );
    const connection = await arrived.promise;
    (stream.rawStream as net.Socket).pause();
    const body = 'x'.repeat(LIMITS.jsonBytes / 2);
    // Paused for good: what SecretStream resumes is paused again.
    (stream.rawStream as net.Socket).on('resume', () => (stream.rawStream as net.Socket).pause());
    for (let index = 0; index < 60; index += 1) wire.control({ t: 'ask', id: index, kind: 'x', body });
    expect(await connection.closed).toEqual({ reason: 'does not read what it asked for' });
    stream.destroy();
  });
});

describe('bytes of strangers', () => {
  test('an announced message of 16 MiB is not waited for', async () => {
    const socket = net.connect(endpoint());
    socket.write(Buffer.from([0xff, 0xff, 0xff]));
    socket.on('error', () => undefined);
    await closed(socket);
    expect(await turnedAway.promise).toMatch(/too large/);
  });

  test('garbage instead of a key exchange', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 3000 }), async (garbage) => {
        const socket = net.connect(endpoint());
        socket.on('error', () => undefined);
        socket.resume();
        socket.write(garbage);
        socket.end();
        await closed(socket);
      }),
      { numRuns: 60 },
    );
    const good = await testLink('alice', refuseAll);
    const connection = await good.connect(addressOf(bob));
    expect(await connection.request('echo', 1)).toBe(1);
    await good.close();
  });

  test('garbage on an open line: that line closes with a reason, the host goes on', async () => {
    let count = 0;
    for (let run = 0; run < 25; run += 1) {
      const stream = await connectTcp(endpoint(), keyPairOf(`m${run}`), signal());
      const hello = await helloOf('mallory', keyPairOf(`m${run}`));
      arrived = Promise.withResolvers();
      const wire = await openWire(stream, { farewellMs: 50, signal: signal() }, (opened) =>
        greetAsInitiator(opened, {
          hello: () => Promise.resolve(hello),
          check: (theirs) => ({ peerKey: opened.remoteKey, wallet: theirs.wallet as Hex, role: theirs.role }),
          signal: signal(),
        }).then(({ confirm }) => {
          confirm();
          return opened;
        }),
      );
      const connection = await arrived.promise;
      // Below our messages: straight into the multiplexer at the other end.
      const raw = stream as unknown as { write(bytes: Uint8Array): boolean };
      for (let index = 0; index < 20; index += 1) raw.write(randomBytes(1 + ((run * 37 + index * 101) % 900)));
      for (let type = 0; type < 5; type += 1) raw.write(Buffer.concat([Buffer.from([1, type]), randomBytes(40)]));
      const { reason } = await connection.closed;
      expect(reason.length).toBeGreaterThan(3);
      count += 1;
      await wire.closed;
    }
    expect(count).toBe(25);
  });

  test('any bytes as a control message are a value or a reason', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (messages) => {
        const decode = createControlDecoder();
        let reason = 'sent a valid message';
        try {
          for (const message of messages) decode(message);
        } catch (error) {
          reason = (error as Error).message;
        }
        expect(reason).toMatch(/^sent a/);
      }),
    );
  });

  test('any JSON survives the way in parts', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (body) => {
        const decode = createControlDecoder();
        const parts = encodeControl({ t: 'event', kind: 'x', body });
        const values = parts.map((part) => decode(part));
        expect(JSON.stringify(values.at(-1))).toBe(JSON.stringify({ t: 'event', kind: 'x', body }));
      }),
    );
  });

  test('nesting that would overflow a stack is refused', () => {
    const text = `{"t":"event","kind":"x","body":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    expect(() => createControlDecoder()(Buffer.from(`\0${text}`))).toThrow(/nested too deeply/);
    const quoted = `{"t":"event","kind":"x","body":"${'[\\"'.repeat(1000)}"}`;
    expect(createControlDecoder()(Buffer.from(`\0${quoted}`))).toMatchObject({ kind: 'x' });
  });

  test('a message larger than allowed is refused while it arrives', () => {
    const decode = createControlDecoder();
    const part = Buffer.alloc(LIMITS.messageBytes, 0x20);
    part[0] = 1;
    expect(() => {
      for (let index = 0; index < 30; index += 1) decode(part);
    }).toThrow(/too large/);
  });
});

describe('crowds', () => {
  test('one key cannot hold more than its share of connections', async () => {
    const wires: Wire[] = [];
    for (let index = 0; index < LIMITS.connectionsPerKey; index += 1) wires.push(await insider());
    await expect(insider()).rejects.toMatchObject({ code: 'busy' });
    const alice = await testLink('alice', refuseAll);
    expect(await (await alice.connect(addressOf(bob))).request('echo', 1)).toBe(1);
    await alice.close();
    for (const wire of wires) wire.close('cancelled', 'done');
  });

  test('strangers are counted per host, in all, and forgotten when they are done', () => {
    let now = 0;
    const gate = createGate(() => now);
    const from = (host: string, count: number) => Array.from({ length: count }, () => gate.stranger(host));
    const first = from('a', LIMITS.strangersPerHost);
    expect(gate.stranger('a')).toBeNull();
    from('b', LIMITS.strangers - LIMITS.strangersPerHost);
    expect(gate.stranger('c')).toBeNull();
    first[0]?.();
    first[0]?.();
    expect(gate.stranger('c')).not.toBeNull();
    expect(gate.stranger('c')).toBeNull();

    const key = toHex(keyPairOf('x').publicKey);
    for (let index = 0; index < LIMITS.arrivalsPerKey; index += 1) expect(gate.isFlooding(key)).toBe(false);
    expect(gate.isFlooding(key)).toBe(true);
    now = LIMITS.keyWindowMs + 1;
    expect(gate.isFlooding(key)).toBe(false);
  });
});
