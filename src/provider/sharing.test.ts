import { expect, test } from 'vitest';
import { Sharing, type SharingPorts } from './sharing.ts';

/** Nothing is on chain: only what keeps the computer busy matters here. */
function sharingOf(busy: { rentals: number; jobs: number }): Sharing {
  const ports = {
    ledger: {
      offers: { get: () => null },
      settings: { get: () => undefined, set: () => undefined, remove: () => undefined },
    },
    engine: { keepWarm: async () => undefined },
    clock: { now: () => 1000, monotonicMs: () => 0 },
    activeRentals: () => busy.rentals,
    activeJobs: () => busy.jobs,
    endRentals: async () => void (busy.rentals = 0),
    endJobs: async () => void (busy.jobs = 0),
  } as unknown as SharingPorts;
  return new Sharing(ports);
}

test('the words say what still keeps the computer busy, jobs too, and `now` ends both', async () => {
  const words = async (rentals: number, jobs: number, when: 'after' | 'now') => {
    const sharing = sharingOf({ rentals, jobs });
    await sharing.stop(when);
    return sharing.state.value.detail;
  };
  expect(await words(0, 0, 'after')).toBe('Nobody can rent this computer.');
  expect(await words(0, 1, 'after')).toBe('Not on the market; 1 job may finish.');
  expect(await words(2, 3, 'after')).toBe('Not on the market; 2 rentals and 3 jobs may finish.');
  expect(await words(2, 3, 'now')).toBe('Nobody can rent this computer.');
});

test('snoozed while a job runs: it says so', async () => {
  const sharing = sharingOf({ rentals: 0, jobs: 1 });
  sharing.state.set({ ...sharing.state.value, state: 'on' });
  await sharing.snooze(60);
  expect(sharing.state.value.detail).toBe('Snoozed: not on the market until then; 1 job may finish.');
  sharing.close();
});
