import { describe, expect, it } from 'vitest';
import { connectionsThatFit } from '../../src/data/descriptors.ts';

const limits = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft}                 524288               files     \n`;

describe('connections that fit', () => {
  it('leave a third of the descriptors for upstreams', () => {
    expect(connectionsThatFit(limits('1024'))).toBe(640);
    expect(connectionsThatFit(limits('524288'))).toBeGreaterThan(300_000);
  });

  it('are one at least, and without end where the system does not say', () => {
    expect(connectionsThatFit(limits('10'))).toBe(1);
    expect(connectionsThatFit(limits('unlimited'))).toBe(Number.POSITIVE_INFINITY);
    expect(connectionsThatFit('')).toBe(Number.POSITIVE_INFINITY);
  });
});
