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
  const refused = [
    ['price', '0', 'more than zero'],
    ['region', ' ', 'where this computer is'],
    ['days', '400', 'from 1 to 365'],
    ['cpus', '0', 'cores'],
    ['diskGib', 'many', 'GiB'],
    ['uploadMbit', '0', 'Mbit/s'],
  ] as const;
  for (const [name, value, words] of refused) {
    expect(() => buildOffer({ ...fields, [name]: value }, token, suggested, NOW)).toThrow(words);
  }
});
