import { describe, expect, it } from 'vitest';
import { quantile, summarise } from '../../bench/measure/statistics.ts';

describe('summarise', () => {
  it('takes the middle of an odd number, the mean of the two in the middle of an even one', () => {
    expect(summarise([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
    expect(summarise([4, 1, 2, 3])).toEqual({ median: 2.5, least: 1, most: 4 });
  });

  it('has no figures for no values', () => {
    expect(summarise([])).toEqual({ median: Number.NaN, least: Number.NaN, most: Number.NaN });
  });
});

describe('quantile', () => {
  it('is a value of the list', () => {
    const sorted = Array.from({ length: 1_000 }, (_, index) => index);
    expect([0, 0.5, 0.99, 0.999, 1].map((q) => quantile(sorted, q))).toEqual([0, 500, 990, 999, 999]);
    expect(quantile([], 0.5)).toBeNaN();
  });
});
