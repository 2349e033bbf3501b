import { describe } from 'vitest';

/** A `describe` that is skipped, with the reason in its name, where something that it needs is missing. */
export function describeUnless(missing: string | null, name: string, tests: () => void): void {
  describe.skipIf(missing !== null)(`${name}${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
    tests();
  });
}
