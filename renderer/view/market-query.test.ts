import { describe, expect, test } from 'vitest';
import { queryWords, readFilters, setFilter, setFree } from './market-query.ts';

describe('the search line edited by mouse', () => {
  test('quoted parts stay one word, an open quote too', () => {
    expect(queryWords('gpu:"RTX 3090" vram>=24 "two words" gpu:"RTX')).toEqual([
      'gpu:"RTX 3090"',
      'vram>=24',
      '"two words"',
      'gpu:"RTX',
    ]);
  });

  test('reads what the filters can show and leaves the rest', () => {
    expect(readFilters('gpu:"RTX 3090" vram>=24 price<0.5 region:EU free nvme count>=2')).toEqual({
      gpu: 'RTX 3090',
      vram: '24',
      price: '0.5',
      region: 'EU',
      count: '2',
      free: true,
    });
    expect(readFilters('vram<24')).toEqual({ free: false });
  });

  test('sets, replaces in place and takes away', () => {
    expect(setFilter('', 'gpu', 'RTX 3090')).toBe('gpu:"RTX 3090"');
    expect(setFilter('gpu:A100 nvme', 'gpu', 'H100')).toBe('gpu:H100 nvme');
    expect(setFilter('nvme price<0.5 free', 'price', '')).toBe('nvme free');
    expect(setFilter('gpu:A100 gpu:H100', 'gpu', 'L40S')).toBe('gpu:L40S');
    expect(setFree('free nvme', false)).toBe('nvme');
    expect(setFree('nvme', true)).toBe('nvme free');
  });
});
