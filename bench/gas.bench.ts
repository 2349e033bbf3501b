/**
 * What the contracts cost, transaction by transaction, on a chain of its own with the committed bytecode. The value is one
 * rental, opened and closed, against the aim of 170,000 gas; every call stands in the table on stderr with its own aim.
 */
import { measureGas } from '../contracts/tools/gas.mjs';
import { report, say } from './harness.ts';

/** Highest gas of a call, or of calls taken together. */
const AIMS: readonly { name: string; calls: readonly string[]; aim: number; known?: string }[] = [
  { name: 'a rental: open + close', calls: ['Rentals.open', 'Rentals.close'], aim: 170_000 },
  { name: 'an open, batched', calls: ['Rentals.open, each of 50'], aim: 70_000 },
  { name: 'a close, batched', calls: ['Rentals.close, each of 50'], aim: 70_000 },
  {
    name: 'registering an offer',
    calls: ['Offers.register'],
    aim: 100_000,
    known: 'a plain listing contract that stores strings took 159k',
  },
  {
    name: 'a job: post + assign + submit + accept',
    calls: ['Jobs.post', 'Jobs.assign', 'Jobs.submit', 'Jobs.accept'],
    aim: 300_000,
    known: 'a plain string-keyed registry without bond or window took 487k',
  },
];

const gas: Record<string, number> = await measureGas();
const width = Math.max(...Object.keys(gas).map((name) => name.length));
for (const [name, used] of Object.entries(gas)) {
  say(`${name.padEnd(width)}  ${used.toLocaleString('en').padStart(10)}`);
}
say('');
for (const { name, calls, aim, known } of AIMS) {
  if (!calls.every((call) => call in gas)) {
    say(`${name}: not measured yet`);
    continue;
  }
  const used = calls.reduce((sum, call) => sum + (gas[call] ?? 0), 0);
  const verdict = used <= aim ? 'met' : 'MISSED';
  say(`${name}: ${used.toLocaleString('en')}, aim ${aim.toLocaleString('en')} ${verdict}${known ? ` (${known})` : ''}`);
}

const rental = (gas['Rentals.open'] ?? Number.NaN) + (gas['Rentals.close'] ?? Number.NaN);
report({ name: 'gas', value: rental, unit: 'gas/rental', baseline: 170_000, n: Object.keys(gas).length });
