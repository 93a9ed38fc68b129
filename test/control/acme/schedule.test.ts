import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { firstRenewalAt, outageDelay, renewalAt, retryDelay, windowTime } from '../../../src/control/acme/schedule.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

describe('a renewal', () => {
  it.each([
    ['5 minutes', 5 * MINUTE],
    ['24 hours', DAY],
    ['90 days', 90 * DAY],
  ])('of a certificate for %s is at two thirds of its life, spread by less than a tenth', (_, life) => {
    const shares = Array.from({ length: 500 }, () => renewalAt({ notBefore: 0, notAfter: life }, randomUUID()) / life);
    expect(Math.min(...shares)).toBeGreaterThan((2 / 3) * 0.9);
    expect(Math.max(...shares)).toBeLessThan((2 / 3) * 1.1);
    expect(Math.max(...shares) - Math.min(...shares)).toBeGreaterThan(0.05);
  });

  it('is at the same moment after a restart', () => {
    const life = { notBefore: 1000, notAfter: 1000 + DAY };
    expect(renewalAt(life, 'AA:BB')).toBe(renewalAt(life, 'AA:BB'));
  });

  it('of a certificate that is old when it comes is not at once: orders do not chase each other', () => {
    const life = { notBefore: -4 * MINUTE, notAfter: MINUTE };
    expect(renewalAt(life, 'x')).toBeLessThan(0);
    expect(firstRenewalAt(life, 'x', 0)).toBe(MINUTE / 2);
  });

  it('is in the window that the CA suggests, and not at its end', () => {
    const life = { notBefore: 0, notAfter: 90 * DAY };
    const time = windowTime({ start: 20 * DAY, end: 22 * DAY }, life, 'x', 0);
    expect(time).toBeGreaterThanOrEqual(20 * DAY);
    expect(time).toBeLessThanOrEqual(22 * DAY);
    expect(windowTime({ start: 89 * DAY, end: 90 * DAY }, life, 'x', 0)).toBeNull();
  });

  it('that the CA wants at once is soon, and not in a circle', () => {
    expect(windowTime({ start: -2, end: -1 }, { notBefore: 0, notAfter: 90 * DAY }, 'x', 5 * DAY)).toBe(
      5 * DAY + 60 * MINUTE,
    );
    expect(windowTime({ start: -2, end: -1 }, { notBefore: 0, notAfter: 5 * MINUTE }, 'x', 0)).toBe(MINUTE / 2);
  });
});

describe('the wait after a failure', () => {
  const random = 0;

  it('doubles', () => {
    const waits = [1, 2, 3].map((failures) => retryDelay({ failures, remaining: DAY, random }));
    expect(waits).toEqual([2000, 4000, 8000]);
  });

  it('is at most 15 minutes, a tenth of what remains, or 10 s where nothing valid is served', () => {
    expect(retryDelay({ failures: 50, remaining: 90 * DAY, random })).toBe(15 * MINUTE);
    expect(retryDelay({ failures: 50, remaining: 100 * MINUTE, random })).toBe(10 * MINUTE);
    expect(retryDelay({ failures: 50, remaining: 0, random })).toBe(10_000);
  });

  it('heeds what the CA asks for up to the same limits', () => {
    expect(retryDelay({ failures: 1, remaining: 90 * DAY, retryAfter: 60_000, random })).toBe(60_000);
    expect(retryDelay({ failures: 1, remaining: 90 * DAY, retryAfter: DAY, random })).toBe(15 * MINUTE);
    expect(retryDelay({ failures: 1, remaining: 0, retryAfter: DAY, random })).toBe(10_000);
  });

  it('stays at 10 s however long nothing valid is served: what is mended is seen soon', () => {
    expect(retryDelay({ failures: 10_000, remaining: 0, random })).toBe(10_000);
  });

  it('is spread by a fifth at most', () => {
    expect(retryDelay({ failures: 50, remaining: 0, random: 1 })).toBe(8_000);
  });
});

describe('a CA that is away', () => {
  it('is asked at least every 4 s where nothing valid is served, and less often where something is', () => {
    expect(outageDelay({ failures: 1, remaining: 0, random: 0 })).toBe(1000);
    expect(outageDelay({ failures: 20, remaining: 0, random: 0 })).toBe(4000);
    expect(outageDelay({ failures: 20, remaining: 10 * 60 * MINUTE, random: 0 })).toBe(15 * MINUTE);
    expect(outageDelay({ failures: 20, remaining: 10_000, random: 0 })).toBe(4000);
  });
});
