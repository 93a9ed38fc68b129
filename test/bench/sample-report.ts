import type { CpuResult, Report, Sample } from '../../bench/results.ts';

export function sample(peer: string, round: number, cpu: number, more: Partial<Sample> = {}): Sample {
  return {
    peer,
    round,
    cpuMicrosPerRequest: cpu,
    requests: 1_000,
    seconds: 1,
    latencyMicros: { p50: 500, p90: 900, p99: 2_000, p999: 9_000 },
    errors: 0,
    errorDetail: '',
    requestsPerSecond: 1_000,
    rssBytes: 50 * 1_048_576,
    busy: 0.9,
    disturbance: 0,
    reloads: 0,
    ...more,
  };
}

/** Rounds of splice, nginx, phoenix and http-proxy-3, in that order, as CPU times. */
export function cpuResult(scenario: string, rounds: readonly (readonly [number, number, number, number])[]): CpuResult {
  const peers = ['splice', 'nginx', 'phoenix', 'http-proxy-3'];
  return {
    kind: 'cpu',
    scenario,
    title: 'a load',
    unit: 'request',
    generator: 'wrk',
    samples: rounds.flatMap((round, at) => round.map((cpu, index) => sample(peers[index] ?? '', at + 1, cpu))),
    failures: [],
    notMeasured: 'the weather',
  };
}

export function report(results: Report['results'], more: Partial<Report> = {}): Report {
  return {
    date: '2026-11-25T10:00:00.000Z',
    node: 'v26.10.0',
    machine: 'a machine',
    upstream: 'an upstream',
    rounds: 3,
    seconds: 1,
    quick: false,
    versions: { splice: '1', nginx: '1.22' },
    missing: [{ peer: 'traefik', reason: 'TRAEFIK_BIN is not set' }],
    results,
    notMeasured: ['the network'],
    ...more,
  };
}
