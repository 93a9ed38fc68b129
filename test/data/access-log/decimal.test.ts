import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decimal } from '../../../src/data/access-log/decimal.ts';

it('says of every whole number what String says', () => {
  for (const n of [0, 9, 999, 1_000, 1_001, 999_999, 1_000_000, 1_000_001, 999_999_999, 1e9, 1e21, -1]) {
    expect(decimal(n)).toBe(String(n));
  }
  fc.assert(fc.property(fc.nat(2 ** 31 - 1), (n) => decimal(n) === String(n)));
  fc.assert(fc.property(fc.maxSafeNat(), (n) => decimal(n) === String(n)));
});
