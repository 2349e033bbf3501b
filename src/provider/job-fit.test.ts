import { describe, expect, test } from 'vitest';
import { ETH, type Address } from '../shared/ids.ts';
import { jobSpecSchema } from '../shared/job-spec.ts';
import { leastBondOf, type JobTerms } from '../shared/job-terms.ts';
import { MIB } from '../shared/units.ts';
import type { IndexedOffer } from '../store/market-rows.ts';
import { misfit, priceOf, type Means } from './job-fit.ts';
import { impossible, runEnv } from './run-plan.ts';

const ACCOUNT: Address = `0x${'aa'.repeat(20)}`;
const OTHER: Address = `0x${'bb'.repeat(20)}`;
const TOKEN: Address = `0x${'cc'.repeat(20)}`;
const NOW = 1_000_000;
const HOUR = 3600;
const DAY = 24 * HOUR;

const spec = jobSpecSchema.parse({
  work: { type: 'docker', image: 'busybox@sha256:' },
  timeouts: { runSeconds: 600 },
});
const terms = {
  assignee: ETH,
  arbiter: ETH,
  tier: 0,
  token: TOKEN,
  bounty: 1000n,
  bond: 100n,
  deadline: NOW + 1000,
  minRun: 600,
  window: 1800,
  minStake: 100n,
  slashBps: 1000,
  gpuCount: 0,
  gpuMemoryGb: 0,
  copies: 1,
  agree: 1,
} as JobTerms;
const offer = {
  status: 'active',
  gpuType: 'NVIDIA',
  gpuModel: 'GeForce RTX 4090',
  gpuCount: 2,
  gpuMemoryGb: 24,
  price: 3600n,
  unit: 3600,
  token: TOKEN,
} as IndexedOffer;
const means: Means = {
  standing: { account: ACCOUNT, staked: 100n, atRisk: 90n, reputation: 10_000 },
  inactiveBelow: 50,
  balance: 100n,
};
const at = { now: NOW, practice: false };

const withBond = (of: JobTerms, bond = leastBondOf(of)): JobTerms => ({ ...of, bond });

const why = (change: {
  terms?: Partial<JobTerms>;
  spec?: object;
  offer?: Partial<IndexedOffer>;
  means?: Partial<Means>;
  practice?: boolean;
}) =>
  misfit(
    {
      terms: withBond({ ...terms, ...change.terms }, change.terms?.bond),
      spec: jobSpecSchema.parse({ ...spec, ...change.spec }),
    },
    { ...offer, ...change.offer },
    { ...means, ...change.means },
    { ...at, practice: change.practice ?? false },
  );

describe('what an offer takes', () => {
  test('a job that fits in every respect, to the unit', () => {
    expect(why({})).toBeNull();
    expect(why({ terms: { bounty: priceOf(offer, spec) } })).toBeNull();
    expect(why({ terms: { deadline: NOW + 620 } })).toBeNull();
  });

  test('pay: the longest run at the price of the offer, a copy its share, no other token for real money', () => {
    expect(priceOf({ price: 1n, unit: 3600 }, spec)).toBe(1n);
    expect(why({ terms: { bounty: priceOf(offer, spec) - 1n } })).toMatch(/costs 600; the bounty pays 599/);
    const copies = { spec: { verification: { tier: 'redundancy', copies: 2, agree: 2 } } };
    expect(why({ ...copies, terms: { copies: 2, agree: 2, bounty: 1199n } })).toMatch(/the bounty pays 599/);
    expect(why({ ...copies, terms: { copies: 2, agree: 2, bounty: 1200n } })).toBeNull();
    expect(why({ terms: { token: OTHER } })).toMatch(/another token/);
    expect(why({ terms: { token: OTHER }, practice: true })).toBeNull();
  });

  test('time: what the contract asks for, and what the run may take', () => {
    expect(why({ terms: { deadline: NOW + 599 } })).toMatch(/too late/);
    expect(why({ terms: { deadline: NOW + 610, minRun: 1 } })).toMatch(/its deadline is in/);
  });

  test('no stranger holds a unit and a bond for longer than the job explains', () => {
    const upload = (bytes: number) => [{ from: 'renter', path: 'in', cid: `b${'a'.repeat(58)}`, bytes }];
    const sure = { ...terms, assignee: ACCOUNT };
    const most = 600 + 2 * HOUR;
    expect(why({ terms: { ...sure, deadline: NOW + most } })).toBeNull();
    expect(why({ terms: { ...sure, deadline: NOW + most + 1 } })).toMatch(/deadline is in 2 h 10 min, later than/);
    expect(why({ terms: { ...sure, deadline: NOW + 90 * DAY } })).toMatch(/deadline is in 90 d/);
    // The queue that the spec names, where anybody may take it: and not the one that only the terms do.
    expect(why({ terms: { deadline: NOW + most + HOUR } })).toBeNull();
    expect(why({ terms: { deadline: NOW + most + HOUR + 1 } })).toMatch(/later than/);
    const timeouts = { queueSeconds: 10 * DAY, runSeconds: 600 };
    expect(why({ terms: { deadline: NOW + 10 * DAY }, spec: { timeouts } })).toBeNull();
    expect(why({ terms: { ...sure, deadline: NOW + 10 * DAY }, spec: { timeouts } })).toMatch(/later than/);
    // Inputs take time, those that fit on the disk that is asked for.
    const resources = { diskBytes: 3 * HOUR * MIB };
    expect(
      why({ terms: { ...sure, deadline: NOW + most + 3 * HOUR }, spec: { resources, inputs: upload(10 ** 15) } }),
    ).toBeNull();
    expect(
      why({ terms: { ...sure, deadline: NOW + most + 3 * HOUR + 1 }, spec: { resources, inputs: upload(10 ** 15) } }),
    ).toMatch(/later than/);
    // Those who took a copy are held until the deadline, however few others come.
    const verification = { tier: 'redundancy', copies: 2, agree: 2 };
    const copies = { copies: 2, agree: 2, bounty: 1200n, window: 1800 };
    expect(why({ terms: { ...copies, deadline: NOW + DAY }, spec: { timeouts, verification } })).toBeNull();
    expect(why({ terms: { ...copies, deadline: NOW + 2 * DAY }, spec: { timeouts, verification } })).toMatch(
      /copies wait for each other/,
    );

    expect(why({ terms: { window: DAY } })).toBeNull();
    expect(why({ terms: { window: DAY + 1 } })).toMatch(/wait 1 d 0 h to be settled; 1 d 0 h are enough/);
    expect(why({ terms: { window: 14 * DAY } })).toMatch(/wait 14 d 0 h to be settled/);
    expect(why({ terms: { ...copies, window: HOUR }, spec: { verification } })).toBeNull();
    expect(why({ terms: { ...copies, window: DAY }, spec: { verification } })).toMatch(/1 h 00 min are enough/);
  });

  test('hardware: count, memory, kind and model of the card', () => {
    expect(why({ spec: { resources: { gpuCount: 3 } } })).toMatch(/2 of the 3 cards/);
    expect(why({ terms: { gpuMemoryGb: 25 } })).toMatch(/less than/);
    expect(why({ spec: { resources: { gpuMemoryGb: 25 } } })).toMatch(/less than/);
    expect(why({ spec: { resources: { gpuType: 'nvidia', gpuModel: 'rtx 4090', gpuCount: 2 } } })).toBeNull();
    expect(why({ spec: { resources: { gpuType: 'AMD' } } })).toMatch(/needs AMD/);
    expect(why({ spec: { resources: { gpuModel: 'H100' } } })).toMatch(/needs H100/);
    // A processor is no card, whatever its offer counts.
    expect(why({ offer: { gpuType: 'CPU', gpuCount: 1 }, spec: { resources: { gpuCount: 1 } } })).toMatch(/0 of the 1/);
    expect(why({ offer: { status: 'paused' } })).toMatch(/not on the market/);
  });

  test('standing: stake, what of it is free, reputation, bond', () => {
    const standing = (change: Partial<Means['standing']>) => ({
      means: { standing: { ...means.standing, ...change } },
    });
    expect(why(standing({ staked: 99n }))).toMatch(/staked less/);
    expect(why(standing({ atRisk: 91n }))).toMatch(/other jobs already/);
    expect(why(standing({ reputation: 4999 }))).toMatch(/reputation/);
    expect(why({ means: { balance: 99n } })).toMatch(/bond/);
  });

  test('what could be taken from the provider: no stranger decides about its bond, and that is the least there can be', () => {
    expect(why({ terms: { arbiter: OTHER } })).toMatch(/arbiter that this owner does not know/);
    const rich = { means: { balance: 10n ** 20n } };
    expect(why({ ...rich, terms: { bond: 101n } })).toMatch(/bond of 101, more than the 100/);
    expect(why({ ...rich, terms: { tier: 1, bond: 1000n } })).toBeNull();
    expect(why({ ...rich, terms: { tier: 1, bond: 1001n } })).toMatch(/more than the 1000/);
    const copies = { spec: { verification: { tier: 'redundancy', copies: 2, agree: 2 } } };
    expect(why({ ...copies, ...rich, terms: { tier: 2, copies: 2, agree: 2, bounty: 1200n, bond: 61n } })).toMatch(
      /more than the 60/,
    );
  });

  test('whom it is for, and whether spec and terms agree', () => {
    expect(why({ terms: { assignee: OTHER } })).toMatch(/another provider/);
    expect(why({ terms: { assignee: ACCOUNT } })).toBeNull();
    expect(why({ terms: { copies: 3, agree: 2 } })).toMatch(/numbers of copies/);
  });
});

describe('a run’s variables', () => {
  test('public ones, then the task’s place and values, then secrets', () => {
    const task = { index: 3, of: 100, values: { SEED: '7' } };
    const one = jobSpecSchema.parse({
      ...spec,
      work: { type: 'docker', image: 'busybox', env: { A: '1', SEED: '0', TOKEN: 'public' } },
      secrets: ['TOKEN'],
      task,
    });
    expect(runEnv(one, { TOKEN: 'hidden', OTHER: 'not named' })).toEqual({
      A: '1',
      SEED: '7',
      TOKEN: 'hidden',
      COMMONWATT_TASK_INDEX: '3',
      COMMONWATT_TASK_COUNT: '100',
    });
  });

  test('what nobody could run is said before it is taken', () => {
    const input = (path: string) => ({ from: 'url', path, url: 'https://example.org/x', sha256: '0'.repeat(64) });
    const made = (change: object) => impossible(jobSpecSchema.parse({ ...spec, ...change }));
    expect(made({})).toBeNull();
    expect(made({ inputs: [input('a'), input('b/c')] })).toBeNull();
    expect(made({ inputs: [input('a/b'), input('a')] })).toMatch(/a is in the way/);
    expect(made({ task: { index: 0, of: 1, values: { LD_PRELOAD: '/x.so' } } })).toMatch(/cannot be set/);
    expect(made({ secrets: ['LD_PRELOAD'] })).toMatch(/cannot be set/);
    const upload = { from: 'renter', path: 'a', cid: `bafy${'a'.repeat(55)}`, bytes: 1 };
    expect(made({ inputs: [upload] })).toMatch(/where its host is/);
    expect(made({ inputs: [upload], renterPeer: `0x${'09'.repeat(32)}` })).toBeNull();
  });
});
