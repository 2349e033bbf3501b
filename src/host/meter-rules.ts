import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { METER_RULES, type MeterRules } from '../verify/meter.ts';

const seconds = z.number().min(0.2).max(86_400);
const schema = z.strictObject({
  intervalSeconds: seconds.optional(),
  graceSeconds: seconds.optional(),
  endAfterSeconds: seconds.optional(),
  healthSeconds: seconds.optional(),
});

/**
 * The meter's rules, with what `COMMONWATT_METER` changes: JSON such as `{"graceSeconds": 120}`. An operator may be more
 * patient than the default; tests are less.
 * @throws AppError bad-input
 */
export function meterRules(text: string | undefined): MeterRules {
  if (text === undefined || text === '') return METER_RULES;
  try {
    return { ...METER_RULES, ...schema.parse(JSON.parse(text)) } as MeterRules;
  } catch (thrown) {
    throw new AppError(
      'bad-input',
      'COMMONWATT_METER must be JSON with seconds by name, such as {"graceSeconds": 120}.',
      {
        field: 'COMMONWATT_METER',
        cause: thrown,
      },
    );
  }
}
