import { describe, expect, it } from 'vitest';
import { parseExpression } from '../../../src/core/expression.ts';
import { BREAKER_FUNCTIONS } from '../../../src/core/expressions.ts';
import { Breaker } from '../../../src/data/limits/breaker.ts';
import { RollingFigures } from '../../../src/data/limits/rolling-figures.ts';

function breaker(expression: string): Breaker {
  const parsed = parseExpression(expression, BREAKER_FUNCTIONS);
  if (!parsed.ok) throw new Error(parsed.message);
  const { expression: read } = parsed;
  return new Breaker({ expression: read, checkPeriod: 100, fallbackDuration: 10_000, recoveryDuration: 10_000 });
}

describe('Breaker', () => {
  it('opens when the expression holds, refuses until fallbackDuration is over, and closes bit by bit', () => {
    const one = breaker('ResponseCodeRatio(500, 600, 0, 600) > 0.3');
    let now = 1_000;
    const opens = (status: number): boolean => {
      now += 200;
      return one.record(status, false, 1, now);
    };
    for (let i = 0; i < 8; i++) expect(opens(200)).toBe(false);
    for (let i = 0; i < 3; i++) expect(opens(500)).toBe(false);
    expect(opens(500)).toBe(true);
    expect([one.state, one.admits(now + 1), one.waitMs(now + 4_000)]).toEqual(['open', false, 6_000]);
    expect(one.admits(now + 9_999)).toBe(false);
    // Half of them at the end of the recovery, a quarter in its middle, next to none at its begin.
    const recovering = now + 10_000;
    const passed = [0, 0, 0, 0];
    for (let i = 0; i < 4_000; i++) {
      const at = recovering + i * 2.5;
      if (one.admits(at)) passed[Math.floor(i / 1_000)]!++;
    }
    expect(one.state).toBe('recovering');
    for (let i = 1; i < 4; i++) expect(passed[i]!).toBeGreaterThan(passed[i - 1]!);
    const all = passed.reduce((sum, count) => sum + count, 0);
    expect(all).toBeGreaterThan(4_000 * 0.4);
    expect(all).toBeLessThan(4_000 * 0.5);
    expect([one.admits(recovering + 10_001), one.state]).toEqual([true, 'closed']);
  });

  it('opens again where what passes while it recovers fails', () => {
    const one = breaker('NetworkErrorRatio() > 0.5');
    expect(one.record(502, true, 1, 1_000)).toBe(true);
    let now = 11_000;
    while (!one.admits(now)) now += 10;
    expect([one.state, one.record(502, true, 1, now), one.state]).toEqual(['recovering', true, 'open']);
  });

  it('hears nothing of what was under way as it opened', () => {
    const one = breaker('NetworkErrorRatio() > 0.5');
    one.record(502, true, 1, 1_000);
    for (let i = 0; i < 100; i++) expect(one.record(502, true, 1, 2_000)).toBe(false);
    expect([one.waitMs(2_000), one.admits(10_999)]).toEqual([9_000, false]);
  });

  it('looks no more often than checkPeriod', () => {
    const one = breaker('NetworkErrorRatio() > 0.5');
    expect(one.record(200, false, 1, 1_000)).toBe(false);
    expect([one.record(502, true, 1, 1_050), one.record(502, true, 1, 1_099)]).toEqual([false, false]);
    expect(one.record(502, true, 1, 1_100)).toBe(true);
  });

  it('opens by latency', () => {
    const one = breaker('LatencyAtQuantileMS(50.0) > 100');
    let opened = false;
    for (let i = 0; i < 20; i++) opened = one.record(200, false, i < 10 ? 20 : 300, 1_000 + i * 200) || opened;
    expect(opened).toBe(false);
    expect([0, 1, 2].some((i) => one.record(200, false, 300, 6_000 + i * 200))).toBe(true);
  });
});

describe('RollingFigures', () => {
  it('forgets responses after ten seconds, latencies after a minute', () => {
    const figures = new RollingFigures(true);
    figures.record(502, true, 500, 1_000);
    figures.record(200, false, 500, 1_000);
    expect([figures.networkErrorRatio(9_000), figures.codeRatio(500, 600, 200, 300, 9_000)]).toEqual([0.5, 1]);
    expect(figures.networkErrorRatio(11_500)).toBe(0);
    expect(figures.latencyMs(50, 59_000)).toBeGreaterThanOrEqual(500);
    expect(figures.latencyMs(50, 61_000)).toBe(0);
    expect(figures.codeRatio(500, 600, 0, 600, 9e9)).toBe(0);
  });

  it('gives quantiles within 2 %', () => {
    const figures = new RollingFigures(true);
    for (let ms = 1; ms <= 1000; ms++) figures.record(200, false, ms, 1_000);
    for (const quantile of [50, 90, 99, 100]) {
      const found = figures.latencyMs(quantile, 1_000);
      expect(Math.abs(found - quantile * 10)).toBeLessThanOrEqual(quantile * 0.2 + 1);
    }
  });
});
