import { describe, expect, it } from 'vitest';
import { OpenConnections } from '../../src/data/open-connections.ts';

const limits = { maxConnections: 3, maxConnectionsPerIP: 2 };

describe('open connections', () => {
  it('are bounded in total and by address', () => {
    const open = new OpenConnections();
    open.opened('192.0.2.1');
    open.opened('192.0.2.1');
    expect(open.excess('192.0.2.1', limits, false)).toBe('address');
    expect(open.excess('192.0.2.2', limits, false)).toBeNull();
    open.opened('192.0.2.2');
    expect(open.excess('192.0.2.3', limits, false)).toBe('total');
    open.closed('192.0.2.1');
    expect(open.excess('192.0.2.1', limits, false)).toBeNull();
  });

  it('of a trusted gateway count in total alone', () => {
    const open = new OpenConnections();
    open.opened('192.0.2.1');
    open.opened('192.0.2.1');
    expect(open.excess('192.0.2.1', limits, true)).toBeNull();
    open.opened('192.0.2.1');
    expect(open.excess('192.0.2.1', limits, true)).toBe('total');
  });

  it('have no limit where it is 0', () => {
    const open = new OpenConnections();
    for (let i = 0; i < 100; i++) open.opened('192.0.2.1');
    expect(open.excess('192.0.2.1', { maxConnections: 0, maxConnectionsPerIP: 0 }, false)).toBeNull();
  });

  it('of other workers count, until those end', () => {
    const open = new OpenConnections();
    open.heard(7, { total: 2, addresses: { '192.0.2.1': 2 } });
    expect(open.excess('192.0.2.1', limits, false)).toBe('address');
    open.heard(8, { total: 1, addresses: { '192.0.2.2': 1 } });
    expect(open.excess('192.0.2.9', limits, false)).toBe('total');
    open.heard(7, { total: 1, addresses: { '192.0.2.1': 1 } });
    expect(open.excess('192.0.2.1', limits, false)).toBeNull();
    open.gone(8);
    open.gone(8);
    open.heard(7, { total: 2, addresses: { '192.0.2.1': 2 } });
    expect(open.excess('192.0.2.1', limits, false)).toBe('address');
    open.gone(7);
    expect(open.excess('192.0.2.1', limits, false)).toBeNull();
  });

  it('tell what changed, once, and all of it to a newcomer', () => {
    const open = new OpenConnections();
    expect(open.changes()).toBeNull();
    open.opened('192.0.2.1');
    open.opened('192.0.2.2');
    open.closed('192.0.2.2');
    expect(open.changes()).toEqual({ total: 1, addresses: { '192.0.2.1': 1, '192.0.2.2': 0 } });
    expect(open.changes()).toBeNull();
    open.sayAll();
    expect(open.changes()).toEqual({ total: 1, addresses: { '192.0.2.1': 1 } });
  });

  it('a listener that repeats what another says keeps the same counts', () => {
    const here = new OpenConnections();
    const there = new OpenConnections();
    for (let i = 0; i < 200; i++) {
      const address = `192.0.2.${(i * 7) % 13}`;
      if (i % 3 === 2) here.closed(`192.0.2.${((i - 1) * 7) % 13}`);
      else here.opened(address);
      const counts = here.changes();
      if (counts !== null) there.heard(1, counts);
    }
    for (let n = 0; n < 13; n++) {
      for (let max = 1; max < 30; max++) {
        const bounds = { maxConnections: 0, maxConnectionsPerIP: max };
        expect(there.excess(`192.0.2.${n}`, bounds, false)).toBe(here.excess(`192.0.2.${n}`, bounds, false));
      }
    }
  });
});
