import { describe, expect, it } from 'vitest';
import { ratiosOf } from '../../bench/results.ts';
import { checkTargets } from '../../bench/verdict.ts';
import { cpuResult } from './sample-report.ts';

describe('ratios', () => {
  it('are computed within a round, and only where both were measured', () => {
    const result = cpuResult('keepalive', [
      [10, 8, 12, 80],
      [20, 16, 26, 160],
    ]);
    expect(ratiosOf(result, 'phoenix', 'splice')).toEqual([1.2, 1.3]);
    const without = { ...result, samples: result.samples.filter((s) => s.peer !== 'splice' || s.round !== 1) };
    expect(ratiosOf(without, 'phoenix', 'splice')).toEqual([1.3]);
  });
});

describe('targets', () => {
  it('are met, missed, or not measured, but never met without a measurement', () => {
    const met = checkTargets({ results: [cpuResult('keepalive', [[10, 8, 12, 80]])] });
    expect(met.map(({ verdict }) => verdict)).toEqual(['met', 'met']);
    const missed = checkTargets({ results: [cpuResult('keepalive', [[10, 8, 14, 30]])] });
    expect(missed.map(({ verdict }) => verdict)).toEqual(['MISSED', 'MISSED']);
    const empty = checkTargets({ results: [{ ...cpuResult('keepalive', []), samples: [] }] });
    expect(empty.map(({ verdict }) => verdict)).toEqual(['not measured', 'not measured']);
  });

  it('hold idle connections to KiB', () => {
    const memory = { peer: 'phoenix', connections: 1_000, beforeRssBytes: 0, errors: 0, errorDetail: '' };
    const idle = (kibibytes: number) =>
      ({
        kind: 'idle',
        scenario: 'tls-idle',
        title: '',
        generator: 'own',
        failures: [],
        notMeasured: '',
        memory: [{ ...memory, withRssBytes: kibibytes * 1_024_000 }],
      }) as const;
    expect(checkTargets({ results: [idle(39)] })[0]).toMatchObject({ seen: '39.0 KiB', verdict: 'met' });
    expect(checkTargets({ results: [idle(41)] })[0]?.verdict).toBe('MISSED');
  });
});
