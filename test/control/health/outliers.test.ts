import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Outliers } from '../../../src/control/health/outliers.ts';
import type { PassiveHealthCheck } from '../../../src/core/config/dynamic.ts';

let changes = 0;
let outliers: Outliers;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  changes = 0;
});
afterEach(() => {
  outliers.stop();
  vi.useRealTimers();
});

function watch(servers: number, check: Partial<PassiveHealthCheck> = {}): void {
  outliers = new Outliers(() => changes++);
  const urls = new Set(Array.from({ length: servers }, (_, i) => `http://s${i}`));
  const whole: PassiveHealthCheck = {
    failureWindow: 10_000,
    maxFailedAttempts: 3,
    maxEjectionPercent: 50,
    maxEjectionTime: 300_000,
    panic: 'refuse',
    ...check,
  };
  outliers.watch(new Map([['app@file', { check: whole, urls }]]));
}

const fail = (server: number, failures = 1): void =>
  outliers.report({ service: 'app@file', url: `http://s${server}`, failures, last: 'connect-failed' }, Date.now());
const out = (): string[] => outliers.ejections(Date.now()).map((ejection) => ejection.url);

it('counts failures of all workers within the window', () => {
  watch(2);
  fail(0, 2);
  expect(out()).toEqual([]);
  vi.advanceTimersByTime(10_001);
  fail(0, 2);
  expect(out()).toEqual([]);
  fail(0);
  expect(out()).toEqual(['http://s0']);
  expect(changes).toBe(1);
});

it('lets a server return after its time, and says so', () => {
  watch(2, { maxFailedAttempts: 1 });
  fail(0);
  vi.advanceTimersByTime(9_999);
  expect(out()).toEqual(['http://s0']);
  vi.advanceTimersByTime(10);
  expect(out()).toEqual([]);
  expect(changes).toBe(2);
});

it('keeps one that fails again soon after out twice as long each time, up to a bound', () => {
  watch(2, { maxFailedAttempts: 1, maxEjectionTime: 30_000 });
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    fail(0);
    times.push(outliers.ejections(Date.now())[0]!.until - Date.now());
    vi.advanceTimersByTime(times.at(-1)! + 5);
  }
  expect(times).toEqual([10_000, 20_000, 30_000, 30_000]);
  vi.advanceTimersByTime(120_000);
  fail(0);
  expect(outliers.ejections(Date.now())[0]).toMatchObject({ times: 1 });
});

it.each([
  [4, 50, 2],
  [3, 50, 1],
  [1, 50, 1],
  [10, 0, 1],
  [10, 100, 10],
])('of %i servers with maxEjectionPercent %i takes out at most %i', (servers, maxEjectionPercent, expected) => {
  watch(servers, { maxFailedAttempts: 1, maxEjectionPercent });
  for (let server = 0; server < servers; server++) fail(server);
  expect(out()).toHaveLength(expected);
});

it('forgets servers that are gone, and keeps those that stay', () => {
  watch(4, { maxFailedAttempts: 1 });
  fail(0);
  fail(1);
  const check = { failureWindow: 10_000, maxFailedAttempts: 1, maxEjectionPercent: 50, maxEjectionTime: 300_000 };
  outliers.watch(
    new Map([
      ['app@file', { check: { ...check, panic: 'refuse' as const }, urls: new Set(['http://s1', 'http://s9']) }],
    ]),
  );
  expect(out()).toEqual(['http://s1']);
});
