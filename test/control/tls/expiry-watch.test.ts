import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ExpiryWatch } from '../../../src/control/tls/expiry-watch.ts';
import { GENERATED } from '../build/harness.ts';

const DAY_MS = 86_400_000;

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

const until = (notAfter: number, origin: string) => ({ ...GENERATED, notAfter, origin });

it('tells each expiry once, when it comes, however far away', () => {
  const told: (readonly [number, string])[] = [];
  const watch = new ExpiryWatch((expired) => told.push(...expired.map(({ origin }) => [Date.now(), origin] as const)));
  watch.watch([until(-1, 'before'), until(1_000, 'a'), until(1_000, 'b'), until(90 * DAY_MS, 'c')]);
  vi.advanceTimersByTime(100 * DAY_MS);
  expect(told.map(([, origin]) => origin)).toEqual(['a', 'b', 'c']);
  expect(told[0]![0]).toBe(1_001);
  expect(told[2]![0] - 90 * DAY_MS).toBeLessThan(10);
  expect(vi.getTimerCount()).toBe(0);
});

it('forgets what it is not to watch any more', () => {
  const told = vi.fn();
  const watch = new ExpiryWatch(told);
  watch.watch([until(1_000, 'a')]);
  watch.watch([until(2_000, 'b')]);
  vi.advanceTimersByTime(1_500);
  expect(told).not.toHaveBeenCalled();
  watch.close();
  vi.advanceTimersByTime(10_000);
  expect(told).not.toHaveBeenCalled();
});
