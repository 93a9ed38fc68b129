import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../src/core/config/duration.ts';

describe('parseDuration', () => {
  it.each([
    ['1m30s', 90_000],
    ['100ms', 100],
    ['1.5h', 5_400_000],
    ['-1s', -1000],
    ['+2s', 2000],
    ['.5s', 500],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['30', 30_000],
    ['-1', -1000],
    ['0', 0],
    [10, 10_000],
    [-1, -1000],
  ])('reads %j as %d ms', (written, ms) => {
    expect(parseDuration(written)).toBe(ms);
  });

  it.each(['', ' ', '3 s', '1d', 'abc', '1m30', 's', '1.2.3s', '99999999999h', `${'1'.repeat(70)}s`, 1.5, Number.NaN])(
    'refuses %j',
    (written) => {
      expect(parseDuration(written)).toBeUndefined();
    },
  );
});
