import { expect, test } from 'vitest';
import { ETH } from '../../../src/shared/ids.ts';
import { GIB } from '../../../src/shared/units.ts';
import { buildOffer, fieldsOf, type OfferInput } from './offer-draft.ts';

const NOW = 1_790_000_000;
const token = { address: ETH, symbol: 'ETH', name: 'Ether', decimals: 18 };
const suggested: OfferInput = {
  deviceIds: ['cpu'],
  price: '340000000000000',
  unit: 3600,
  token: ETH,
  region: 'EU',
  features: [],
  minSeconds: 60,
  endsBy: NOW + 60 * 86_400,
  limits: { cpus: 4, memoryBytes: 8 * GIB, diskBytes: 20 * GIB, uploadBitsPerSecond: 20_000_000 },
};

test('an untouched form publishes exactly the suggestion', () => {
  expect(buildOffer(fieldsOf(suggested, token, NOW), token, suggested, NOW)).toEqual(suggested);
});

test('wrong fields are refused by name', () => {
  const fields = fieldsOf(suggested, token, NOW);
  const refused = { price: '0', region: ' ', days: '400', cpus: '0', diskGib: 'many', uploadMbit: '0' };
  for (const [name, value] of Object.entries(refused)) {
    expect(() => buildOffer({ ...fields, [name]: value }, token, suggested, NOW), name).toThrow();
  }
});
