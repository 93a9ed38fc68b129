import { describe, expect, it } from 'vitest';
import { type Baseline, renewed } from '../../bench/ci/baseline.ts';
import {
  judge,
  MARGIN_OTHER_MACHINE,
  MARGIN_SAME_MACHINE,
  MOST_TOLERATED,
  noiseOf,
  type ScenarioMeasurement,
  sees,
} from '../../bench/ci/gate.ts';

const measured = (ratio: number, noise = 0.02): ScenarioMeasurement => ({ ratio, noise, generator: 'wrk', rounds: 16 });

describe('the noise of an A/A run', () => {
  it('is nothing where both are the same', () => {
    expect(noiseOf([10, 12, 11], [10, 12, 11])).toBe(0);
  });

  it('is at least what the two differ by all the time', () => {
    expect(noiseOf([11, 11, 11, 11], [10, 10, 10, 10])).toBeCloseTo(Math.log(1.1), 6);
  });

  it('grows with the spread of the rounds, and shrinks with their number', () => {
    const spread = noiseOf([10, 12, 8, 11], [10, 10, 10, 10]);
    expect(spread).toBeGreaterThan(0.05);
    const often = (values: readonly number[]): number[] => Array.from({ length: 8 }, () => values).flat();
    expect(noiseOf(often([10, 12, 8, 11]), often([10, 10, 10, 10]))).toBeLessThan(spread);
  });

  it('does not follow one disturbed round', () => {
    expect(noiseOf([10, 10, 10, 10, 90], [10, 10, 10, 10, 10])).toBe(0);
  });

  it('cannot be told from a single round', () => {
    expect(noiseOf([10], [10])).toBeNaN();
  });
});

describe('the gate', () => {
  it('lets through what is within the margin and the noise, and nothing else', () => {
    const allowed = MARGIN_SAME_MACHINE + 0.02;
    expect(judge(measured(1 + allowed - 0.001), measured(1), true).verdict).toBe('same');
    expect(judge(measured(1 + allowed + 0.001), measured(1), true).verdict).toBe('WORSE');
    expect(judge(measured(1 - allowed - 0.001), measured(1), true).verdict).toBe('better');
  });

  it('is wider where the baseline is of another machine', () => {
    const allowed = MARGIN_OTHER_MACHINE + 0.02;
    expect(judge(measured(1 + allowed - 0.001), measured(1), false).verdict).toBe('same');
    expect(judge(measured(1 + allowed + 0.001), measured(1), false).verdict).toBe('WORSE');
  });

  it('goes by the noise of now, not by that of the recording', () => {
    expect(judge(measured(1.2, 0.02), measured(1, 0.3), true).verdict).toBe('WORSE');
    expect(judge(measured(1.2, 0.3), measured(1, 0.02), true).verdict).toBe('same');
  });

  it('fails on half as much again, however noisy it is', () => {
    expect(judge(measured(1 + MOST_TOLERATED + 0.01, 5), measured(1), true).verdict).toBe('WORSE');
  });

  it('judges nothing that it cannot compare, and says why', () => {
    expect(judge(measured(1), undefined, true)).toMatchObject({
      verdict: 'not judged',
      reason: expect.stringContaining('no such'),
    });
    const other = { ...measured(1), generator: 'autocannon' };
    expect(judge(other, measured(1), true)).toMatchObject({
      verdict: 'not judged',
      reason: expect.stringContaining('autocannon'),
    });
    expect(judge(measured(Number.NaN), measured(1), true).verdict).toBe('not judged');
    expect(judge(measured(1, Number.NaN), measured(1), true).verdict).toBe('not judged');
  });

  it('knows whether it would have noticed a slower proxy', () => {
    expect(sees(1.6, measured(1), true)).toBe(true);
    expect(sees(1.1, measured(1), true)).toBe(false);
    expect(sees(1.4, measured(1, 0.4), true)).toBe(false);
  });
});

describe('a renewed baseline', () => {
  const fresh = (reason: string, ratio: number): Omit<Baseline, 'history'> => ({
    date: '2026-11-25',
    machine: 'm',
    node: 'v26.10.0',
    reason,
    scenarios: { keepalive: { ratio, noise: 0.01, generator: 'wrk' } },
  });

  it('keeps what was before, with its reason', () => {
    const first = renewed(null, fresh('first', 1.3));
    expect(first.history).toEqual([]);
    const second = renewed(first, fresh('a faster parser', 1.2));
    expect(second.scenarios.keepalive?.ratio).toBe(1.2);
    expect(second.history).toEqual([{ date: '2026-11-25', machine: 'm', reason: 'first', ratios: { keepalive: 1.3 } }]);
  });

  it('does not grow for ever', () => {
    let baseline: Baseline | null = null;
    for (let index = 0; index < 50; index += 1) baseline = renewed(baseline, fresh(`${index}`, 1));
    expect(baseline?.history.length).toBe(20);
    expect(baseline?.history[0]?.reason).toBe('48');
  });
});
