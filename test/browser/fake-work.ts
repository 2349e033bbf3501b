import type { ApiServices } from '../../src/api/services.ts';
import type { WorkStatus } from '../../src/api/contract.ts';
import { AppError } from '../../src/shared/errors.ts';
import { State } from '../../src/shared/emitter.ts';
import { fakeHash, WATT } from './fake-market.ts';

const WHOLE = 10n ** 18n;
/** What the network asks of every provider. */
const MIN_STAKE = 100n * WHOLE;

interface FakeWorkOptions {
  /** Unix seconds. */
  now: () => number;
  isSharing: () => boolean;
  call: (name: string) => void;
  done?: (name: string) => void;
  /** Jobs are taken from the start, one runs and some have run. */
  busy?: boolean;
}

/** Jobs that this computer runs for others, without a chain: stake is a number here. */
export function createFakeWork({ now, isSharing, call, done, busy = false }: FakeWorkOptions) {
  const commands = new Set<string>();
  const run = (seed: number, more: Partial<WorkStatus['running'][number]>): WorkStatus['running'][number] => ({
    dealId: fakeHash(seed),
    jobId: fakeHash(seed + 1),
    renter: fakeHash(seed + 2, 20),
    name: '',
    phase: 'running',
    detail: '',
    progress: null,
    token: WATT,
    bounty: (5n * WHOLE).toString(),
    paid: null,
    startedAt: now() - 95,
    finishedAt: null,
    exitCode: null,
    submitBy: now() + 3600,
    createdAt: now() - 120,
    ...more,
  });
  const state = new State<WorkStatus>({
    state: busy ? 'on' : 'off',
    detail: '',
    claimsOpen: true,
    staked: busy ? MIN_STAKE.toString() : '0',
    unbonding: '0',
    atRisk: busy ? (10n * WHOLE).toString() : '0',
    minStake: MIN_STAKE.toString(),
    stakeToken: WATT,
    reputation: 100,
    active: busy,
    running: busy
      ? [
          run(91_000, {
            name: 'Embed the archive',
            progress: { label: 'Fetching the image', done: 1_610_612_736, total: 4_294_967_296, unit: 'bytes' },
            phase: 'preparing',
          }),
        ]
      : [],
    recent: busy
      ? [
          run(92_000, {
            name: 'Sweep',
            phase: 'settled',
            paid: '4950000000000000000',
            startedAt: now() - 4000,
            finishedAt: now() - 3940,
            exitCode: 0,
          }),
        ]
      : [],
    earned: busy ? [{ token: WATT, amount: '24750000000000000000' }] : [],
  });
  const set = (change: Partial<WorkStatus>): WorkStatus => {
    state.set({ ...state.value, ...change });
    return state.value;
  };
  const once = (commandId: string, name: string, act: () => Partial<WorkStatus>): WorkStatus => {
    call(name);
    if (commands.has(commandId)) return state.value;
    const changed = set(act());
    commands.add(commandId);
    done?.(name);
    return changed;
  };
  const positive = (amount: string): bigint => {
    const value = BigInt(amount);
    if (value > 0n) return value;
    throw new AppError('bad-input', 'The amount must be more than nothing.', { field: 'amount' });
  };

  const services: ApiServices['work'] = {
    status: () => {
      call('work.status');
      return state.value;
    },
    watch: (_input, { signal }) => state.watch(signal),
    start: ({ commandId, claimsOpen }) =>
      once(commandId, 'work.start', () => {
        if (!isSharing()) {
          throw new AppError('conflict', 'Jobs are taken on the shared offer, and this computer does not share.', {
            next: 'Turn sharing on first.',
          });
        }
        const staked = BigInt(state.value.staked);
        return {
          state: 'on',
          claimsOpen,
          active: true,
          staked: (staked < MIN_STAKE ? MIN_STAKE : staked).toString(),
        };
      }),
    stop: ({ commandId }) => once(commandId, 'work.stop', () => ({ state: 'off' })),
    stopRun: ({ dealId }) => {
      call('work.stopRun');
      const { running, recent } = state.value;
      const ended = running.find((one) => one.dealId === dealId);
      if (!ended) throw new AppError('conflict', 'This job does not run now.', { field: 'dealId' });
      return set({
        running: running.filter((one) => one !== ended),
        recent: [{ ...ended, phase: 'failed', detail: 'The owner ended it.' }, ...recent],
      });
    },
    stake: ({ commandId, amount }) =>
      once(commandId, 'work.stake', () => {
        const staked = BigInt(state.value.staked) + positive(amount);
        return { staked: staked.toString(), active: staked >= MIN_STAKE };
      }),
    unbond: ({ commandId, amount }) =>
      once(commandId, 'work.unbond', () => {
        const { staked, atRisk, unbonding } = state.value;
        const left = BigInt(staked) - positive(amount);
        if (left < BigInt(atRisk)) {
          throw new AppError('insufficient-funds', 'That much is not free: some of it stands behind jobs that run.', {
            field: 'amount',
            next: 'Take less, or wait until they have ended.',
          });
        }
        return {
          staked: left.toString(),
          unbonding: (BigInt(unbonding) + BigInt(amount)).toString(),
          active: left >= MIN_STAKE,
        };
      }),
    release: ({ commandId }) =>
      once(commandId, 'work.release', () => {
        if (state.value.unbonding === '0') throw new AppError('conflict', 'There is nothing to take back yet.');
        return { unbonding: '0' };
      }),
  };
  return { services, state, set };
}
