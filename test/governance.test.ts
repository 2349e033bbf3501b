/** A decision by stake on the embedded practice network, as the demo shows it. */
import { describe, expect, test } from 'vitest';
import { demoGovernance } from '../src/host/cli/demo-governance.ts';
import { feeFor } from '../src/shared/money.ts';
import { anvilMissing } from './support/market.ts';

const missing = anvilMissing();
const WATT = 10n ** 18n;

describe.skipIf(missing !== null)(`governance${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  test('proposed, voted by stake, queued, executed: the fee of new deals changes, an open one keeps its own', async () => {
    const result = await demoGovernance(() => undefined);
    expect(result).toMatchObject({
      votes: { for: `${600n * WATT}`, against: `${400n * WATT}`, abstain: '0' },
      states: ['pending', 'active', 'queued', 'executed'],
      feeBpsBefore: 250,
      feeBpsAfter: 500,
      feeOfOpenLease: `${feeFor(WATT, 250)}`,
      feeOfNewLease: `${feeFor(WATT, 500)}`,
    });
  }, 90_000);
});
