import { expect, test } from 'vitest';
import { ETH, type Address } from '../../shared/ids.ts';
import { jobSpecSchema } from '../../shared/job-spec.ts';
import { lastStartOf } from '../../shared/job-terms.ts';
import { MIB } from '../../shared/units.ts';
import { assignedTerms, transferSeconds, waitingTerms, type TermsParts } from './make-terms.ts';

const renter: Address = `0x${'aa'.repeat(20)}`;
const provider: Address = `0x${'bb'.repeat(20)}`;
const NOW = 1_800_000_000;

function partsOf(change: object = {}): TermsParts {
  const spec = jobSpecSchema.parse({
    work: { type: 'wasm', module: `b${'a'.repeat(58)}` },
    timeouts: { queueSeconds: 1000, runSeconds: 100 },
    ...change,
  });
  return {
    renter,
    token: ETH,
    bounty: 1000n,
    spec,
    specText: JSON.stringify(spec),
    requirements: { minProviderStake: 5n, slashBps: 1000, feeBps: 250, pausedUntil: 0, inactiveBelow: 50 },
    arbiter: null,
    now: NOW,
    marginSeconds: undefined,
    nonce: 'one',
  };
}

test('what waits for this host’s choice names the renter, so that nobody else takes it', () => {
  expect(waitingTerms(partsOf(), 'mine').assignee).toBe(renter);
  expect(waitingTerms(partsOf(), 'open').assignee).toBe(ETH);
});

test('it can be taken for as long as the queue lasts, and every taker has the time it needs', () => {
  const terms = waitingTerms(partsOf(), 'open');
  expect(lastStartOf(terms) - NOW).toBe(1000);
  expect(terms.minRun).toBe(100 + 120);
  const total = waitingTerms(partsOf({ timeouts: { queueSeconds: 1000, runSeconds: 100, totalSeconds: 500 } }), 'open');
  expect(total.deadline - NOW).toBe(500);
});

test('a chosen provider costs no more than its own time', () => {
  const terms = assignedTerms(partsOf(), provider);
  expect(terms).toMatchObject({ assignee: provider, deadline: NOW + 100 + 120 + 60, copies: 1, agree: 1, tier: 0 });
});

test('copies name no single taker and share the late fee', () => {
  const terms = assignedTerms(partsOf({ verification: { tier: 'redundancy', copies: 4, agree: 3 } }), provider);
  expect(terms).toMatchObject({ assignee: ETH, copies: 4, agree: 3, tier: 2, bond: 25n });
});

test('inputs and images take time', () => {
  const bytes = 300 * MIB;
  const inputs = [{ from: 'renter', path: 'in', cid: `b${'a'.repeat(58)}`, bytes }];
  expect(transferSeconds(partsOf({ inputs }).spec)).toBe(120 + 300);
  expect(transferSeconds(partsOf({ work: { type: 'docker', image: 'busybox' } }).spec, 10)).toBe(60);
});
