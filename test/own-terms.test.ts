import fc from 'fast-check';
import { expect, test } from 'vitest';
import { heldTooLong } from '../src/provider/fair-time.ts';
import { assignedTerms, waitingTerms, type TermsParts } from '../src/renter/jobs/make-terms.ts';
import { ETH, type Address } from '../src/shared/ids.ts';
import { jobSpecSchema } from '../src/shared/job-spec.ts';
import { MIB } from '../src/shared/units.ts';

const renter: Address = `0x${'aa'.repeat(20)}`;
const provider: Address = `0x${'bb'.repeat(20)}`;
const CID = `b${'a'.repeat(58)}`;
const DAY = 86_400;
const GIB_5000 = 5000 * 1024;

const works = [
  { work: { type: 'docker', image: 'busybox' }, verification: { tier: 'accept' } },
  { work: { type: 'wasm', module: CID }, verification: { tier: 'accept' } },
  { work: { type: 'docker', image: 'busybox' }, verification: { tier: 'redundancy', copies: 3, agree: 2 } },
  { work: { type: 'kernel', model: 'pca' }, verification: { tier: 'certificate' } },
];

test('no job of this app’s own renter would hold a provider too long', () => {
  const seconds = fc.integer({ min: 1, max: 30 * DAY });
  fc.assert(
    fc.property(
      fc.record({
        what: fc.constantFrom(...works),
        runSeconds: seconds,
        queueSeconds: seconds,
        totalSeconds: fc.option(seconds, { nil: undefined }),
        mebibytes: fc.integer({ min: 0, max: GIB_5000 }),
        // As operators with slow lines are told to set it.
        marginSeconds: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
      }),
      ({ what, mebibytes, marginSeconds, ...timeouts }) => {
        const isKernel = what.work.type === 'kernel';
        const inputs = [{ from: 'renter', path: isKernel ? 'data.csv' : 'in', cid: CID, bytes: mebibytes * MIB }];
        const resources = { diskBytes: (mebibytes + 64) * MIB };
        const spec = jobSpecSchema.parse({ ...what, inputs, resources, timeouts });
        const now = 1_800_000_000;
        const parts: TermsParts = {
          renter,
          token: ETH,
          bounty: 1000n,
          spec,
          specText: JSON.stringify(spec),
          requirements: { minProviderStake: 5n, slashBps: 1000, feeBps: 250, pausedUntil: 0, inactiveBelow: 50 },
          arbiter: null,
          now,
          marginSeconds,
          nonce: 'one',
        };
        expect(heldTooLong(assignedTerms(parts, provider), spec, now)).toBeNull();
        const open = waitingTerms(parts, 'open');
        // Copies that anybody may take are taken when so little of a long queue is left that waiting for the others is bearable.
        const wait = open.copies === 1 ? 0 : Math.max(0, (timeouts.totalSeconds ?? timeouts.queueSeconds) - DAY);
        expect(heldTooLong(open, spec, now + wait)).toBeNull();
      },
    ),
  );
});
