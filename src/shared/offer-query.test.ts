import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from './errors.ts';
import { OFFER_QUERY_EXAMPLE, parseOfferQuery } from './offer-query.ts';

const nothing = parseOfferQuery('');

function fieldOf(text: string): string | undefined {
  try {
    parseOfferQuery(text);
    return undefined;
  } catch (thrown) {
    return thrown instanceof AppError && thrown.code === 'bad-input' ? thrown.field : 'not an AppError';
  }
}

describe('parseOfferQuery', () => {
  test('understands the example', () => {
    expect(parseOfferQuery(`${OFFER_QUERY_EXAMPLE} PyTorch "cuda 12"`)).toEqual({
      ...nothing,
      gpu: ['rtx 3090'],
      vram: { min: 24 },
      price: { below: 0.5 },
      region: ['eu'],
      unit: 3600,
      free: true,
      words: ['pytorch', 'cuda', '12'],
    });
  });

  test('blanks around operators, ranges, equality and flags', () => {
    expect(parseOfferQuery('vram > 8 vram <= 24 count=2 free:no token:PUSD feature:docker')).toEqual({
      ...nothing,
      vram: { above: 8, max: 24 },
      count: { min: 2, max: 2 },
      token: 'pusd',
      features: ['docker'],
    });
    expect(parseOfferQuery('"free"')).toEqual({ ...nothing, words: ['free'] });
    expect(parseOfferQuery('   ')).toEqual(nothing);
  });

  test('what is wrong is named', () => {
    expect(fieldOf('vram>=lots')).toBe('vram');
    expect(fieldOf('price<-1')).toBe('price');
    expect(fieldOf('unit:week')).toBe('unit');
    expect(fieldOf('gpu>3')).toBe('gpu');
    expect(fieldOf('colour:red')).toBe('colour');
    expect(fieldOf('provider:0x12')).toBe('provider');
    expect(fieldOf('gpu:"RTX')).toBe('query');
    expect(fieldOf('x'.repeat(501))).toBe('query');
    expect(fieldOf('a '.repeat(40))).toBe('query');
    expect(fieldOf('region:""')).toBe('region');
  });

  test('any text is understood or refused, never a crash', () => {
    const part = fc.constantFrom(
      'gpu',
      'vram',
      'price',
      ':',
      '>=',
      '<',
      '"',
      ' ',
      '3090',
      '0.5',
      'free',
      'ß漢',
      '\u0000',
      '-',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 600 }),
          fc.array(part, { maxLength: 60 }).map((all) => all.join('')),
        ),
        (text) => {
          expect(fieldOf(text)).not.toBe('not an AppError');
        },
      ),
      { numRuns: 2000 },
    );
  });
});
