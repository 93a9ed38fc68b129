import { EndpointState } from '../../../src/data/balancer/endpoint-state.ts';
import type { Endpoint } from '../../../src/data/balancer/types.ts';
import type { UpstreamPool } from '../../../src/data/upstream/pool.ts';

/** Endpoints of these weights, called `a`, `b`, `c` …; nothing is behind them. */
export function endpointsOf(...weights: readonly number[]): Endpoint[] {
  return weights.map((weight, i) => endpoint(nameOf(i), weight));
}

export function endpoint(url: string, weight = 1, state = new EndpointState('s@file', url)): Endpoint {
  return { url, weight, state, host: url, basePath: '', pool: null as unknown as UpstreamPool };
}

function nameOf(i: number): string {
  return i < 26 ? String.fromCharCode(97 + i) : `n${i}`;
}

/** How often each was picked, by URL. */
export function count(picks: readonly (Endpoint | null)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const pick of picks) {
    const url = pick?.url ?? 'nobody';
    counts[url] = (counts[url] ?? 0) + 1;
  }
  return counts;
}

/** A repeatable random number generator, 0..1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
