import type { ApiOutputs, Rental, ShareStatus, Status } from '../../src/api/contract.ts';
import type { ApiServices } from '../../src/api/services.ts';
import { AppError } from '../../src/shared/errors.ts';
import { Emitter, State } from '../../src/shared/emitter.ts';
import type { Address } from '../../src/shared/ids.ts';
import { billFor, depositFor } from '../../src/shared/money.ts';
import { createFakeJobs } from './fake-jobs.ts';
import { CUSD, ETHER, fakeHash, fakeOffers, searchFakeOffers, sortFakeOffers, WATT } from './fake-market.ts';
import { CARD, fakeReadings, PROCESSOR } from './fake-readings.ts';
import { fakeRental, settled, ticked } from './fake-rentals.ts';
import { createFakeTerminals } from './fake-terminal.ts';
import { fakeWallet } from './fake-wallet.ts';
import { createFakeWork } from './fake-work.ts';

type Notice = ApiOutputs['system']['notifications'][number];

export interface FakeOptions {
  offers?: number;
  devices?: 'card' | 'processor' | 'none';
  docker?: boolean;
  practice?: boolean;
  network?: Status['network']['state'];
  wallet?: 'open' | 'locked' | 'none' | 'not-backed-up';
  /** Rentals that are there from the start. */
  rentals?: boolean;
  /** Jobs that are there from the start, one in every state, and an array of this many tasks. */
  jobs?: boolean;
  jobArray?: number;
  /** So many tasks of the array wait for their owner's word. */
  jobArrayReview?: number;
  sharing?: boolean;
  /** This computer takes jobs too, and runs one. */
  working?: boolean;
  /** Smallest units of CUSD in the deposit account. */
  available?: string;
  /** Commands that the terminal has run already. */
  warm?: string[];
}

export type FakeHost = ReturnType<typeof createFakeHost>;

const ok = { ok: true as const };
const OWN: Address = `0x${'a1c4'.repeat(10)}`;
const now = () => Math.floor(Date.now() / 1000);

/**
 * A pretend host for the window's own tests: no chain, no Docker, no peers. Everything it says is made up; it keeps the
 * interface's promises (ids done once, errors with a next step, credit), so that the screens can be tried whole.
 */
export function createFakeHost(options: FakeOptions = {}) {
  const { devices: kind = 'card', docker = true, practice = true, network = 'live' } = options;
  const devices = kind === 'card' ? [CARD] : kind === 'processor' ? [PROCESSOR] : [];
  const offers = fakeOffers(options.offers ?? 240, now());
  const terminals = createFakeTerminals(options.warm ?? []);
  const noticed = new Emitter<Notice>();
  const calls: string[] = [];
  const failures = new Map<string, AppError>();
  const rentals = new Map<string, State<Rental>>();
  const listed = new State<Rental[]>([]);
  const wallet = fakeWallet({
    own: OWN,
    mode: options.wallet ?? 'open',
    practice,
    available: options.available ?? '84250000',
  });

  const status = new State<Status>({
    version: '0.1.0',
    dataDir: '/home/ada/.commonwatt',
    pid: 4711,
    startedAt: now() - 7200,
    network: {
      name: practice ? 'practice' : 'Base Sepolia',
      chainId: practice ? 31_337 : 84_532,
      practice,
      state: network,
      detail: network === 'wrong-network' ? 'The address answers for chain 1, not 84532.' : '',
      headBlock: 48_211,
      progress:
        network === 'catching-up' ? { label: 'Reading the market', done: 31_000, total: 48_211, unit: 'blocks' } : null,
      tokens: [CUSD, ETHER, WATT],
      explorer: practice ? null : 'https://explorer.example',
      feeBps: 100,
      joinUrl: practice ? 'http://127.0.0.1:8545' : null,
    },
    wallet: wallet.status(),
    engine: {
      state: docker ? 'up' : 'down',
      version: docker ? '28.5.1' : null,
      detail: docker ? 'Docker 28.5.1' : 'The Docker engine does not answer.',
    },
    peer: { peerKey: 'ab'.repeat(32), state: 'online', endpoints: [], connections: 2 },
    sharing: { state: 'off', activeRentals: 0 },
  });
  const share = new State<ShareStatus>({
    state: 'off',
    detail: docker ? '' : 'Docker is not running, so nobody can rent this computer. See the ready checks.',
    snoozedUntil: null,
    offer: null,
    rentals: [],
    earned: [{ token: CUSD.address, amount: '12405118' }],
  });
  let neighbour: ApiOutputs['practice']['neighbour'] = { state: 'off', detail: '', wallet: null };

  const relist = () => {
    listed.set([...rentals.values()].map((rental) => rental.value));
    const active = listed.value.filter((rental) => rental.role === 'provider' && rental.phase !== 'closed');
    share.set({ ...share.value, rentals: active.map((rental) => rental.rentalId) });
    status.set({ ...status.value, sharing: { state: share.value.state, activeRentals: active.length } });
  };
  const addRental = (rental: Rental) => {
    rentals.set(rental.rentalId, new State(rental));
    relist();
  };
  const change = (rentalId: string, next: (rental: Rental) => Rental) => {
    const rental = rentalOf(rentalId);
    rental.set(next(rental.value));
    relist();
    return rental.value;
  };
  const rentalOf = (rentalId: string) => {
    const rental = rentals.get(rentalId);
    if (!rental) throw new AppError('not-found', 'There is no such rental.', { next: 'Choose one from the list.' });
    return rental;
  };
  const offerOf = (offerId: string) => {
    const offer = offers.find((one) => one.offerId === offerId);
    if (!offer) throw new AppError('not-found', 'This offer is gone.', { next: 'Search again.' });
    return offer;
  };
  const call = (name: string) => {
    calls.push(name);
    const failure = failures.get(name);
    if (failure) throw failure;
  };
  const jobs = createFakeJobs({
    account: OWN,
    now,
    tokens: [CUSD, ETHER, WATT],
    available: (token) => (token === WATT ? 40n * 10n ** 18n : wallet.available()),
    offers: () => offers,
    call,
    seeded: options.jobs ?? false,
    array: options.jobArray ?? 0,
    review: options.jobArrayReview ?? 0,
  });
  const work = createFakeWork({
    now,
    isSharing: () => share.value.state === 'on',
    call,
    busy: options.working ?? false,
  });
  const setShare = (next: Partial<ShareStatus>) => {
    share.set({ ...share.value, ...next });
    relist();
    return share.value;
  };
  const setWallet = () => {
    status.set({ ...status.value, wallet: wallet.status() });
    return wallet.status();
  };
  const publish = (offer: { price: string; unit: 60 | 3600 | 86_400; region: string; endsBy: number }) => {
    const [device] = devices;
    setShare({
      state: 'on',
      detail: '',
      offer: {
        offerId: fakeHash(9),
        version: 1,
        provider: OWN,
        gpuType: device?.kind === 'cpu' ? 'CPU' : 'NVIDIA',
        gpuModel: device?.model ?? 'CPU',
        gpuCount: 1,
        gpuMemoryGb: 24,
        token: CUSD,
        price: offer.price,
        unit: offer.unit,
        minSeconds: 60,
        region: offer.region,
        features: ['CUDA'],
        units: 1,
        free: 1,
        status: 'active',
        endsBy: offer.endsBy,
        createdAt: now(),
        mine: true,
      },
    });
  };

  if (options.rentals) {
    addRental(fakeRental({ seed: 1, now: now(), phase: 'running', served: 2310 }));
    addRental(fakeRental({ seed: 2, now: now(), phase: 'running', served: 905, role: 'provider' }));
    addRental(settled(fakeRental({ seed: 3, now: now() - 90_000, phase: 'running', served: 5400 }), now() - 84_600));
  }
  if (options.sharing) publish({ price: '340000', unit: 3600, region: 'EU', endsBy: now() + 86_400 * 60 });
  const clock = setInterval(() => {
    for (const rental of rentals.values()) rental.set(ticked(rental.value));
    if (rentals.size > 0) relist();
    jobs.tick();
    status.set({
      ...status.value,
      network: { ...status.value.network, headBlock: status.value.network.headBlock + 1 },
    });
  }, 1000);

  const services: ApiServices = {
    system: {
      status: () => status.value,
      watch: (_input, { signal }) => status.watch(signal),
      checks: () => [
        docker
          ? { id: 'docker', title: 'Docker engine', state: 'ok', detail: 'Docker 28.5.1 answers.' }
          : {
              id: 'docker',
              title: 'Docker engine',
              state: 'fail',
              detail: 'The Docker engine does not answer.',
              fix: { text: 'Start it, then check again.', command: 'sudo systemctl start docker' },
            },
        kind === 'card'
          ? {
              id: 'toolkit',
              title: 'GPU runtime',
              state: 'warn',
              detail: 'Containers reach the card, but without CDI.',
              fix: {
                text: 'Write the CDI file once.',
                command: 'sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml',
              },
            }
          : {
              id: 'toolkit',
              title: 'GPU runtime',
              state: 'warn',
              detail: 'No graphics card: the processor is offered instead.',
            },
        { id: 'disk', title: 'Disk', state: 'ok', detail: '412 GiB free, renters get at most 82 GiB.' },
        { id: 'peer', title: 'Reachability', state: 'ok', detail: 'Others reach this computer directly.' },
      ],
      notifications: () => {
        call('system.notifications');
        return [
          {
            id: 'n1',
            at: now() - 900,
            level: 'success',
            title: 'Rental started',
            body: 'Somebody rents your RTX 4090.',
            rentalId: null,
            taskId: null,
          },
          {
            id: 'n2',
            at: now() - 84_600,
            level: 'info',
            title: 'Rental settled',
            body: '0.51 CUSD paid, 0.17 CUSD came back.',
            rentalId: null,
            taskId: null,
          },
        ];
      },
      watchNotifications: async function* watchNotifications(_input, { signal }) {
        const queue: Notice[] = [];
        const bell = new State(0);
        const off = noticed.on((notice) => {
          queue.push(notice);
          bell.set(bell.value + 1);
        });
        try {
          for await (const _ of bell.watch(signal)) while (queue.length > 0) yield queue.shift() as Notice;
        } finally {
          off();
        }
      },
      shutdown: () => ok,
    },
    gpu: {
      list: () => devices,
      watch: (_input, { signal }) =>
        fakeReadings(
          devices,
          () => listed.value.some((one) => one.role === 'provider' && one.phase === 'running'),
          signal,
        ),
    },
    wallet: wallet.services({ call, setWallet }),
    share: {
      status: () => share.value,
      watch: (_input, { signal }) => share.watch(signal),
      suggest: () => {
        const [device] = devices;
        if (!device) {
          throw new AppError('not-found', 'No device was found on this computer.', {
            next: 'Install the driver, then look again.',
          });
        }
        return {
          offer: {
            deviceIds: [device.id],
            price: '340000',
            unit: 3600,
            token: CUSD.address,
            region: 'EU',
            features: ['CUDA'],
            minSeconds: 60,
            endsBy: now() + 86_400 * 60,
            limits: {
              cpus: 12,
              memoryBytes: 32 * 1024 ** 3,
              diskBytes: 82 * 1024 ** 3,
              uploadBitsPerSecond: 20_000_000,
            },
          },
          priceReason: 'The middle of 27 offers of this model on the market now.',
          marketOffers: 27,
        };
      },
      start: ({ offer }) => {
        call('share.start');
        publish(offer);
        return { offerId: fakeHash(9), status: 'registered' };
      },
      stop: ({ rentals: how }) => {
        call(`share.stop:${how}`);
        return setShare({ state: 'off', offer: null, snoozedUntil: null });
      },
      snooze: ({ seconds }) => {
        call('share.snooze');
        return setShare({ snoozedUntil: seconds === 0 ? null : now() + seconds });
      },
    },
    market: {
      search: ({ query, sort, descending, limit, cursor }) => {
        call('market.search');
        const found = sortFakeOffers(searchFakeOffers(offers, query), sort, descending);
        const from = Number(cursor ?? 0);
        const next = from + limit;
        return {
          offers: found.slice(from, next),
          total: found.length,
          cursor: next < found.length ? String(next) : null,
          tookMs: 0.4,
        };
      },
      get: ({ offerId }) => offerOf(offerId),
      quote: ({ offerId, seconds }) => {
        call('market.quote');
        const { token, price, unit } = offerOf(offerId);
        const deposit = depositFor(BigInt(price), unit, seconds);
        const available = wallet.available();
        return {
          offerId,
          seconds,
          token,
          deposit: deposit.toString(),
          chargedFirst: billFor(BigInt(price), unit, 60).toString(),
          firstSeconds: 60,
          maxSeconds: 86_400 * 10,
          feeBps: 100,
          available: available.toString(),
          missing: (deposit > available ? deposit - available : 0n).toString(),
        };
      },
      ask: () => {
        call('market.ask');
        return { free: true, reason: '', imagePresent: true, rttMs: 18 };
      },
    },
    rentals: {
      open: ({ offerId, seconds, spec }) => {
        call('rentals.open');
        const rental = fakeRental({
          seed: 50 + rentals.size,
          now: now(),
          phase: 'preparing',
          served: 0,
          offer: offerOf(offerId),
          seconds,
          spec,
        });
        addRental(rental);
        return { rentalId: rental.rentalId, status: 'open' };
      },
      list: () => listed.value,
      get: ({ rentalId }) => rentalOf(rentalId).value,
      watch: ({ rentalId }, { signal }) => rentalOf(rentalId).watch(signal),
      watchList: (_input, { signal }) => listed.watch(signal),
      extend: ({ rentalId, seconds }) => {
        call('rentals.extend');
        return change(rentalId, (rental) => {
          const capSeconds = rental.capSeconds + seconds;
          return {
            ...rental,
            capSeconds,
            deposit: depositFor(BigInt(rental.price), rental.unit, capSeconds).toString(),
          };
        });
      },
      terminate: ({ rentalId }) => {
        call('rentals.terminate');
        const rental = change(rentalId, (before) => settled(before, now()));
        return { status: 'terminated', billingAmount: rental.spent, rental };
      },
      terminal: ({ rentalId, cols }, { signal }) => {
        call('rentals.terminal');
        rentalOf(rentalId);
        return terminals.open(signal, cols);
      },
      exec: (_input, { signal }) => terminals.log(signal),
      logs: (_input, { signal }) => terminals.log(signal),
      ack: ({ sessionId, seq }) => {
        if (sessionId.startsWith('job-')) jobs.ack(sessionId, seq);
        else terminals.ack(sessionId, seq);
        return ok;
      },
      input: ({ sessionId, base64 }) => {
        terminals.type(sessionId, Buffer.from(base64, 'base64').toString());
        return ok;
      },
      resize: ({ sessionId, cols }) => {
        terminals.resize(sessionId, cols);
        return ok;
      },
      closeSession: ({ sessionId }) => {
        terminals.close(sessionId);
        return ok;
      },
      forward: ({ rentalId, containerPort, localPort }) => {
        call('rentals.forward');
        const forward = {
          containerPort,
          localPort: localPort === 0 ? 41_000 + (containerPort % 1000) : localPort,
          connections: 0,
        };
        change(rentalId, (rental) => ({ ...rental, forwards: [...rental.forwards, forward] }));
        return forward;
      },
      closeForward: ({ rentalId, containerPort }) => {
        call('rentals.closeForward');
        change(rentalId, (rental) => ({
          ...rental,
          forwards: rental.forwards.filter((one) => one.containerPort !== containerPort),
        }));
        return ok;
      },
    },
    jobs: jobs.services,
    work: work.services,
    practice: {
      neighbour: () => neighbour,
      startNeighbour: () => {
        call('practice.startNeighbour');
        neighbour = { state: 'on', detail: 'It shares its processor and can rent yours.', wallet: fakeHash(77, 20) };
        return neighbour;
      },
      stopNeighbour: () => (neighbour = { state: 'off', detail: '', wallet: null }),
      rentMine: () => {
        call('practice.rentMine');
        const rental = fakeRental({ seed: 60, now: now(), phase: 'running', served: 0, role: 'provider' });
        addRental(rental);
        return { rentalId: rental.rentalId };
      },
    },
  };

  return {
    services,
    status,
    share,
    offers,
    /** Names of the commands that arrived, in order. */
    calls,
    terminals,
    jobs,
    work,
    change,
    addRental,
    /** From now on this procedure fails like this; null lets it work again. */
    fail: (name: string, error: AppError | null) => (error ? failures.set(name, error) : failures.delete(name)),
    notify: (notice: Notice) => noticed.emit(notice),
    close: () => clearInterval(clock),
  };
}
