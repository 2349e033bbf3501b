import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSpendingPolicy } from './spending-policy.ts';
import { temporaryFolder } from './testing.ts';

const TOKEN = `0x${'01'.repeat(20)}` as const;
const OTHER = `0x${'02'.repeat(20)}` as const;

const open = async (now = { seconds: 1_800_000_000 }) => {
  const file = path.join(await temporaryFolder(), 'spending.json');
  const clock = { now: () => now.seconds, monotonicMs: () => 0 };
  return { file, clock, now, policy: await openSpendingPolicy({ file, clock }) };
};
const spend = (id: string, deal: string, amount: bigint, token: `0x${string}` = TOKEN) => ({ id, deal, token, amount });

test('the limit that stops a deal is named, and nothing is reserved', async () => {
  const { policy } = await open();
  await policy.setLimits([{ token: TOKEN, perDeal: 100n, perDay: 150n }]);
  await expect(policy.reserve(spend('a', 'one', 101n))).rejects.toMatchObject({
    code: 'over-limit',
    field: 'perDeal',
    message: expect.stringContaining('one deal'),
    next: expect.any(String),
  });
  expect(policy.spentToday(TOKEN)).toBe(0n);
  await policy.reserve(spend('b', 'one', 60n));
  await expect(policy.reserve(spend('c', 'one', 41n))).rejects.toMatchObject({ field: 'perDeal' });
  await policy.reserve(spend('d', 'two', 90n));
  await expect(policy.reserve(spend('e', 'three', 1n))).rejects.toMatchObject({ field: 'perDay' });
  await policy.reserve(spend('f', 'three', 1000n, OTHER));
});

test('releasing frees the amount; committing keeps it; both may come twice', async () => {
  const { policy } = await open();
  await policy.setLimits([{ token: TOKEN, perDeal: null, perDay: 100n }]);
  await policy.reserve(spend('a', 'one', 100n));
  await policy.reserve(spend('a', 'one', 100n));
  await policy.release('a');
  await policy.release('a');
  expect(policy.spentToday(TOKEN)).toBe(0n);
  await policy.reserve(spend('b', 'two', 100n));
  await policy.commit('b');
  await policy.release('b');
  expect(policy.spentToday(TOKEN)).toBe(100n);
});

test('a day is any 24 hours, and a deal that still runs keeps counting', async () => {
  const { policy, now } = await open();
  await policy.setLimits([{ token: TOKEN, perDeal: 100n, perDay: 100n }]);
  await policy.reserve(spend('a', 'long', 80n));
  await policy.commit('a');
  now.seconds += 86_399;
  await expect(policy.reserve(spend('b', 'short', 30n))).rejects.toMatchObject({ field: 'perDay' });
  now.seconds += 1;
  await policy.reserve(spend('b', 'short', 30n));
  await expect(policy.reserve(spend('c', 'long', 30n))).rejects.toMatchObject({ field: 'perDeal' });
  await policy.endDeal('long');
  await policy.reserve(spend('c', 'long', 30n));
});

test('reservations and limits survive a restart', async () => {
  const { policy, file, clock } = await open();
  await policy.setLimits([{ token: TOKEN, perDeal: null, perDay: 2n ** 200n }]);
  await policy.reserve(spend('a', 'one', 2n ** 199n));
  const again = await openSpendingPolicy({ file, clock });
  expect(again.limits).toEqual([{ token: TOKEN, perDeal: null, perDay: 2n ** 200n }]);
  expect(again.spentToday(TOKEN)).toBe(2n ** 199n);
  await again.release('a');
  expect((await openSpendingPolicy({ file, clock })).spentToday(TOKEN)).toBe(0n);
});

test('malformed limits are refused by field', async () => {
  const { policy } = await open();
  const limit = { token: TOKEN, perDeal: 1n, perDay: null };
  await expect(policy.setLimits([limit, limit])).rejects.toMatchObject({ code: 'bad-input', field: 'limits[1]' });
  await expect(policy.setLimits([{ ...limit, perDay: -1n }])).rejects.toMatchObject({ field: 'limits[0]' });
  await expect(policy.setLimits([{ ...limit, token: '0x12' }])).rejects.toMatchObject({ field: 'limits[0]' });
  await expect(policy.reserve(spend('a', 'one', -5n))).rejects.toMatchObject({ code: 'bad-input', field: 'amount' });
});

test('a damaged file stops the start: limits are never forgotten silently', async () => {
  const { policy, file, clock } = await open();
  await policy.setLimits([{ token: TOKEN, perDeal: 1n, perDay: null }]);
  const text = await readFile(file, 'utf8');
  for (const broken of ['', '{}', text.slice(0, -5), text.replace('"1"', '"-1"')]) {
    await writeFile(file, broken);
    await expect(openSpendingPolicy({ file, clock })).rejects.toMatchObject({
      message: expect.stringContaining('spending.json'),
    });
  }
});

test('whatever is asked, at once or in turn, no limit is ever passed and the file agrees with memory', async () => {
  const step = fc.record({
    act: fc.constantFrom('reserve', 'reserve', 'reserve', 'commit', 'release', 'end', 'wait'),
    id: fc.integer({ min: 0, max: 12 }),
    deal: fc.integer({ min: 0, max: 3 }),
    amount: fc.bigInt({ min: 0n, max: 60n }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.boolean(), async (steps, atOnce) => {
      const { policy, file, clock, now } = await open({ seconds: 1_800_000_000 });
      await policy.setLimits([{ token: TOKEN, perDeal: 70n, perDay: 100n }]);
      // The model: what was accepted and not released, by id.
      const accepted = new Map<string, { deal: string; amount: bigint; at: number; committed: boolean }>();
      const refusals = new Set<string>();
      const run = async ({ act, id, deal, amount }: (typeof steps)[number]) => {
        const name = `id${id}`;
        if (act === 'reserve') {
          const known = accepted.has(name);
          const at = now.seconds;
          const refusal = await policy.reserve(spend(name, `deal${deal}`, amount)).then(
            () => null,
            (thrown: { code: string }) => thrown.code,
          );
          if (refusal !== null) refusals.add(refusal);
          if (!refusal && !known) accepted.set(name, { deal: `deal${deal}`, amount, at, committed: false });
        } else if (act === 'commit') {
          const entry = accepted.get(name);
          if (entry) entry.committed = true;
          await policy.commit(name);
        } else if (act === 'release') {
          if (!atOnce && accepted.get(name)?.committed === false) accepted.delete(name);
          if (!atOnce) await policy.release(name);
        } else if (act === 'end') {
          if (!atOnce) await policy.endDeal(`deal${deal}`);
        } else if (!atOnce) {
          now.seconds += 40_000;
        }
      };
      if (atOnce) await Promise.all(steps.filter(({ act }) => act === 'reserve').map(run));
      else for (const one of steps) await run(one);

      refusals.delete('over-limit');
      expect([...refusals]).toEqual([]);
      const today = [...accepted.values()]
        .filter((entry) => entry.at > now.seconds - 86_400)
        .reduce((total, entry) => total + entry.amount, 0n);
      expect(today <= 100n).toBe(true);
      expect(policy.spentToday(TOKEN) <= 100n).toBe(true);
      await policy.close();
      const again = await openSpendingPolicy({ file, clock });
      expect(again.spentToday(TOKEN)).toBe(policy.spentToday(TOKEN));
    }),
    { numRuns: 40 },
  );
});
