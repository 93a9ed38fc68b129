import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isOwnAddress } from '../../src/control/own-address.ts';

describe('an address of our own', () => {
  const everywhere = { web: { host: '::', port: 80 } };

  it('is any of this machine, at the port of an entry point that listens everywhere', () => {
    for (const { address } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
      expect(isOwnAddress(address, 80, everywhere)).toBe(true);
      expect(isOwnAddress(address, 9000, everywhere)).toBe(false);
    }
    expect(isOwnAddress('127.0.0.53', 80, everywhere)).toBe(true);
    expect(isOwnAddress('::ffff:127.0.0.1', 80, everywhere)).toBe(true);
    expect(isOwnAddress('203.0.113.1', 80, everywhere)).toBe(false);
  });

  it('is the one that an entry point names', () => {
    const one = { web: { host: '127.0.0.1', port: 80 } };
    expect(isOwnAddress('127.0.0.1', 80, one)).toBe(true);
    expect(isOwnAddress('127.0.0.2', 80, one)).toBe(false);
  });
});
