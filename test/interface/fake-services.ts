import type { ApiOutputs } from '../../src/api/contract.ts';
import type { ApiServices } from '../../src/api/services.ts';
import { AppError } from '../../src/shared/errors.ts';
import { State } from '../../src/shared/emitter.ts';
import { ETH, type Bytes32 } from '../../src/shared/ids.ts';
import { depositFor } from '../../src/shared/money.ts';
import { createFakeJobs } from '../browser/fake-jobs.ts';
import { createFakeWork } from '../browser/fake-work.ts';

type Rental = ApiOutputs['rentals']['get'];
type Frame = { type: 'data'; seq: number; stream: 1 | 2; base64: string };

const CWD = { address: `0x${'c0'.repeat(20)}` as const, symbol: 'CWD', name: 'Commonwatt Dollar', decimals: 6 };
const WINDOW = 256;
const id = (n: number): Bytes32 => `0x${n.toString(16).padStart(64, '0')}`;
const ok = { ok: true as const };

const data = (seq: number, text: string, stream: 1 | 2 = 1): Frame => ({
  type: 'data',
  seq,
  stream,
  base64: Buffer.from(text).toString('base64'),
});

async function* just<T>(...values: T[]): AsyncGenerator<T, void> {
  yield* values;
}

export interface FakeHost {
  services: ApiServices;
  status: State<ApiOutputs['system']['status']>;
  /** How many streams are open now. */
  streams(): number;
  /** Commands that were really done, by noun.verb. */
  done: string[];
  /** Resolves when `shutdown` was called. */
  stopped: Promise<void>;
}

/**
 * A small honest stand-in for the product behind the interface: it keeps its state in memory, refuses what the real one
 * refuses with the same errors, and its terminal is an echo.
 */
export function createFakeHost({ dataDir = '/tmp/none', offers: count = 3 } = {}): FakeHost {
  const done: string[] = [];
  const commands = new Map<string, unknown>();
  let open = 0;
  const once = <T>(commandId: string, what: string, act: () => T): T => {
    if (!commands.has(commandId)) {
      commands.set(commandId, act());
      done.push(what);
    }
    return commands.get(commandId) as T;
  };
  async function* counted<T>(source: AsyncIterable<T>): AsyncGenerator<T, void> {
    open++;
    try {
      yield* source;
    } finally {
      open--;
    }
  }

  let wallet: ApiOutputs['wallet']['status'] = {
    exists: true,
    locked: false,
    address: `0x${'a1'.repeat(20)}`,
    backedUp: false,
    practice: true,
  };
  const status = new State<ApiOutputs['system']['status']>({
    version: '0.1.0',
    dataDir,
    pid: process.pid,
    startedAt: 1_790_000_000,
    network: {
      name: 'practice',
      chainId: 31_337,
      practice: true,
      state: 'live',
      detail: 'Following the chain.',
      headBlock: 42,
      progress: null,
      tokens: [{ address: ETH, symbol: 'ETH', name: 'Ether', decimals: 18 }, CWD],
      explorer: null,
      feeBps: 100,
      joinUrl: 'http://127.0.0.1:8545',
    },
    wallet,
    engine: { state: 'up', version: '28.0.0', detail: 'Docker answers.' },
    peer: { peerKey: 'ab'.repeat(32), state: 'online', endpoints: [], connections: 0 },
    sharing: { state: 'off', activeRentals: 0 },
  });

  const offers: ApiOutputs['market']['get'][] = Array.from({ length: count }, (_, index) => ({
    offerId: id(index + 1),
    version: 1,
    provider: `0x${'b2'.repeat(20)}`,
    gpuType: 'nvidia',
    gpuModel: index % 2 === 0 ? 'RTX 3090' : 'RTX 4090',
    gpuCount: 1,
    gpuMemoryGb: 24,
    token: CWD,
    price: String(350_000 + index * 10_000),
    unit: 3600,
    minSeconds: 60,
    region: 'EU',
    features: ['internet'],
    units: 1,
    free: 1,
    status: 'active',
    endsBy: 1_900_000_000,
    createdAt: 1_790_000_000,
    mine: false,
  }));
  const offerOf = (offerId: Bytes32) => {
    const offer = offers.find((one) => one.offerId === offerId);
    if (!offer) throw new AppError('not-found', 'There is no such offer.', { field: 'offerId', next: 'Search again.' });
    return offer;
  };

  const rentals = new Map<string, State<Rental>>();
  const rentalOf = (rentalId: string) => {
    const rental = rentals.get(rentalId);
    if (!rental) throw new AppError('not-found', 'There is no such rental.', { field: 'rentalId' });
    return rental;
  };
  let balances: ApiOutputs['wallet']['balances'] = [
    { token: CWD, wallet: '5000000', available: '100000000', locked: '0' },
  ];
  let forwards: ApiOutputs['rentals']['forward'][] = [];

  const sessions = new Map<string, { input: State<string>; acked: State<number>; ended: AbortController }>();
  let sessionCount = 0;
  const sessionOf = (sessionId: string) => {
    const session = sessions.get(sessionId);
    if (!session) throw new AppError('not-found', 'This session has ended.', { field: 'sessionId' });
    return session;
  };

  async function* echo(rentalId: string, signal: AbortSignal) {
    rentalOf(rentalId);
    const sessionId = `s${++sessionCount}`;
    const session = { input: new State(''), acked: new State(0), ended: new AbortController() };
    sessions.set(sessionId, session);
    const over = AbortSignal.any([signal, session.ended.signal]);
    try {
      yield { type: 'opened' as const, sessionId };
      let seq = 0;
      yield data(++seq, '$ ');
      for await (const text of session.input.watch(over)) {
        if (text === '') continue;
        await session.acked.until((acked) => seq - acked < WINDOW, over);
        yield data(++seq, text);
        if (text.includes('exit')) break;
      }
      yield { type: 'exit' as const, exitCode: 0, reason: 'exited' };
    } finally {
      sessions.delete(sessionId);
    }
  }

  /** `count N` prints N lines as fast as they are acknowledged; `fail N` exits N; anything else is echoed. */
  async function* run(rentalId: string, [name = '', ...rest]: string[], signal: AbortSignal) {
    rentalOf(rentalId);
    const sessionId = `s${++sessionCount}`;
    const session = { input: new State(''), acked: new State(0), ended: new AbortController() };
    sessions.set(sessionId, session);
    const over = AbortSignal.any([signal, session.ended.signal]);
    try {
      yield { type: 'opened' as const, sessionId };
      const lines = name === 'count' ? Number(rest[0]) : 1;
      for (let seq = 1; seq <= lines; seq++) {
        await session.acked.until((acked) => seq - acked <= WINDOW, over);
        yield name === 'count'
          ? data(seq, `${seq}\n`)
          : data(seq, `${[name, ...rest].join(' ')}\n`, name === 'fail' ? 2 : 1);
      }
      yield { type: 'exit' as const, exitCode: name === 'fail' ? Number(rest[0]) : 0, reason: 'exited' };
    } finally {
      sessions.delete(sessionId);
    }
  }

  let share: ApiOutputs['share']['status'] = {
    state: 'off',
    detail: 'Not sharing.',
    snoozedUntil: null,
    offer: null,
    rentals: [],
    earned: [],
  };
  let stop!: () => void;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const neighbour = { state: 'off' as const, detail: 'No neighbour.', wallet: null };
  const txHash = id(0xfeed);

  const SECONDS = 1_790_000_000;
  const jobs = createFakeJobs({
    account: `0x${'a1'.repeat(20)}`,
    now: () => SECONDS,
    tokens: [CWD],
    available: () => BigInt(balances[0]?.available ?? 0),
    offers: () => offers,
    call: () => undefined,
    done: (what) => done.push(what),
  });
  const work = createFakeWork({
    now: () => SECONDS,
    isSharing: () => share.state === 'on',
    call: () => undefined,
    done: (what) => done.push(what),
  });

  const services: ApiServices = {
    system: {
      status: () => status.value,
      watch: (_input, { signal }) => counted(status.watch(signal)),
      checks: () => [
        { id: 'docker', title: 'Docker engine', state: 'ok', detail: 'Docker 28 answers.' },
        {
          id: 'gpu',
          title: 'GPU runtime',
          state: 'warn',
          detail: 'No NVIDIA card here.',
          fix: { text: 'Share the processor instead.' },
        },
      ],
      notifications: () => [],
      watchNotifications: (_input, { signal }) =>
        counted(
          (async function* quiet() {
            await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
            yield* [];
          })(),
        ),
      shutdown: () => {
        stop();
        return ok;
      },
    },
    gpu: {
      list: () => [
        {
          id: 'cpu',
          kind: 'cpu',
          vendor: 'Test',
          model: 'Two cores',
          memoryBytes: 4_000_000_000,
          index: 0,
          driver: null,
          computeCapability: null,
          pciBusId: null,
          mig: false,
          cores: 2,
        },
      ],
      watch: () => counted(just()),
    },
    wallet: {
      status: () => wallet,
      create: ({ password }) => {
        if (password.length < 8) {
          throw new AppError('bad-input', 'password must have at least 8 characters.', { field: 'password' });
        }
        return {
          address: wallet.address ?? ETH,
          mnemonic: 'test test test test test test test test test test test junk',
        };
      },
      import: () => ({ address: wallet.address ?? ETH }),
      unlock: ({ password }) => {
        if (password !== 'open sesame') {
          throw new AppError('wrong-password', 'That is not the password.', { field: 'password', next: 'Try again.' });
        }
        return (wallet = { ...wallet, locked: false });
      },
      lock: () => (wallet = { ...wallet, locked: true }),
      backup: () => ({ mnemonic: null, keystore: '{}' }),
      confirmBackup: () => (wallet = { ...wallet, backedUp: true }),
      balances: () => balances,
      deposit: ({ commandId, amount }) =>
        once(commandId, 'wallet.deposit', () => {
          balances = balances.map((one) => ({ ...one, available: String(BigInt(one.available) + BigInt(amount)) }));
          return { txHash };
        }),
      withdraw: ({ commandId, amount }) =>
        once(commandId, 'wallet.withdraw', () => {
          if (BigInt(amount) > BigInt(balances[0]?.available ?? 0)) {
            throw new AppError('insufficient-funds', 'There is less than that.', {
              field: 'amount',
              next: 'Take less.',
            });
          }
          return { txHash };
        }),
      history: () => [
        { at: 1_790_000_000, kind: 'faucet', token: CWD, amount: '100000000', rentalId: null, txHash, block: 1 },
      ],
      faucet: () => ok,
      policy: () => [],
      setPolicy: (limits) => limits,
    },
    share: {
      status: () => share,
      watch: () => counted(just(share)),
      suggest: () => ({
        offer: {
          deviceIds: ['cpu'],
          price: '350000',
          unit: 3600,
          token: CWD.address,
          region: 'EU',
          features: [],
          minSeconds: 60,
          endsBy: 1_900_000_000,
        },
        priceReason: 'A starting price.',
        marketOffers: count,
      }),
      start: ({ commandId, offer }) =>
        once(commandId, 'share.start', () => {
          const made = {
            ...(offers[0] as (typeof offers)[number]),
            offerId: id(99),
            price: offer.price,
            unit: offer.unit,
            mine: true,
          };
          share = { ...share, state: 'on', detail: 'Sharing.', offer: made };
          return { offerId: id(99), status: 'active' };
        }),
      stop: () => (share = { ...share, state: 'off', detail: 'Not sharing.', offer: null }),
      snooze: ({ seconds }) => (share = { ...share, snoozedUntil: seconds === 0 ? null : 1_790_000_000 + seconds }),
    },
    market: {
      search: ({ query, limit }) => {
        const found = offers.filter((offer) => query === '' || offer.gpuModel.includes(query));
        return { offers: found.slice(0, limit), total: found.length, cursor: null, tookMs: 0.1 };
      },
      get: ({ offerId }) => offerOf(offerId),
      quote: ({ offerId, seconds }) => {
        const offer = offerOf(offerId);
        return {
          offerId,
          seconds,
          token: offer.token,
          deposit: depositFor(BigInt(offer.price), offer.unit, seconds).toString(),
          chargedFirst: depositFor(BigInt(offer.price), offer.unit, 60).toString(),
          firstSeconds: 60,
          maxSeconds: 86_400,
          feeBps: 100,
          available: balances[0]?.available ?? '0',
          missing: '0',
        };
      },
      ask: () => ({ free: true, reason: '', imagePresent: true, rttMs: 1 }),
    },
    rentals: {
      open: ({ commandId, offerId, seconds, spec }) =>
        once(commandId, 'rentals.open', () => {
          const offer = offerOf(offerId);
          const rentalId = id(1000 + rentals.size);
          const deposit = depositFor(BigInt(offer.price), offer.unit, seconds).toString();
          rentals.set(
            rentalId,
            new State<Rental>({
              rentalId,
              role: 'renter',
              counterparty: offer.provider,
              offerId,
              gpuType: offer.gpuType,
              gpuModel: offer.gpuModel,
              gpuCount: offer.gpuCount,
              token: offer.token,
              price: offer.price,
              unit: offer.unit,
              phase: 'running',
              detail: '',
              progress: null,
              connected: true,
              rttMs: 1,
              spec,
              openedAt: 1_790_000_000,
              capSeconds: seconds,
              servedSeconds: 0,
              signedSeconds: 0,
              deposit,
              spent: '0',
              left: deposit,
              settlement: null,
              forwards: [],
            }),
          );
          return { rentalId, status: 'open' };
        }),
      list: () => [...rentals.values()].map((rental) => rental.value),
      get: ({ rentalId }) => rentalOf(rentalId).value,
      watch: ({ rentalId }, { signal }) => counted(rentalOf(rentalId).watch(signal)),
      watchList: () => counted(just([...rentals.values()].map((rental) => rental.value))),
      extend: ({ commandId, rentalId, seconds }) =>
        once(commandId, 'rentals.extend', () => {
          const rental = rentalOf(rentalId);
          rental.set({ ...rental.value, capSeconds: rental.value.capSeconds + seconds });
          return rental.value;
        }),
      terminate: ({ commandId, rentalId }) =>
        once(commandId, 'rentals.terminate', () => {
          const rental = rentalOf(rentalId);
          rental.set({
            ...rental.value,
            phase: 'closed',
            spent: '5833',
            left: String(BigInt(rental.value.deposit) - 5833n),
          });
          return { status: 'terminated', billingAmount: '5833', rental: rental.value };
        }),
      terminal: ({ rentalId }, { signal }) => counted(echo(rentalId, signal)),
      exec: ({ rentalId, command }, { signal }) => counted(run(rentalId, command, signal)),
      logs: ({ rentalId }, { signal }) => counted(run(rentalId, ['a', 'log', 'line'], signal)),
      ack: ({ sessionId, seq }) => {
        sessions.get(sessionId)?.acked.set(seq);
        jobs.ack(sessionId, seq);
        return ok;
      },
      input: ({ sessionId, base64 }) => {
        sessionOf(sessionId).input.set(Buffer.from(base64, 'base64').toString());
        return ok;
      },
      resize: ({ sessionId }) => {
        sessionOf(sessionId);
        return ok;
      },
      closeSession: ({ sessionId }) => {
        sessionOf(sessionId).ended.abort(new AppError('cancelled', 'Closed.'));
        return ok;
      },
      forward: ({ rentalId, containerPort, localPort }) => {
        rentalOf(rentalId);
        const made = { containerPort, localPort: localPort || 40_000 + containerPort, connections: 0 };
        forwards = [...forwards, made];
        return made;
      },
      closeForward: ({ containerPort }) => {
        forwards = forwards.filter((one) => one.containerPort !== containerPort);
        return ok;
      },
    },
    jobs: jobs.services,
    work: work.services,
    practice: {
      neighbour: () => neighbour,
      startNeighbour: () => neighbour,
      stopNeighbour: () => neighbour,
      rentMine: () => ({ rentalId: id(7) }),
    },
  };
  return { services, status, streams: () => open, done, stopped };
}
