import { describe, expect, it } from 'vitest';
import { Permits } from '../../../src/control/limits/permits.ts';

describe('Permits', () => {
  it('counts over workers, for each source, and frees what is over', () => {
    const permits = new Permits();
    expect([1, 2, 3].map((id) => permits.take(1, id, 'm', 'a', 2))).toEqual([true, true, false]);
    expect(permits.take(2, 1, 'm', 'a', 2)).toBe(false);
    expect(permits.take(2, 2, 'm', 'b', 2)).toBe(true);
    permits.release(1, 3);
    expect(permits.take(2, 3, 'm', 'a', 2)).toBe(false);
    permits.release(1, 1);
    permits.release(1, 1);
    expect(permits.take(2, 4, 'm', 'a', 2)).toBe(true);
    expect(permits.take(2, 5, 'm', 'a', 2)).toBe(false);
  });

  it('frees what a worker held that is gone, and then holds nothing', () => {
    const permits = new Permits();
    permits.take(1, 1, 'm', 'a', 2);
    permits.take(2, 1, 'm', 'a', 2);
    permits.gone(1);
    expect(permits.size).toBe(1);
    permits.release(2, 1);
    expect(permits.size).toBe(0);
  });
});
