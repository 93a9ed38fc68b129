import type { LoadResult } from './load/load.ts';

/** One peer in one round. */
export interface Sample extends LoadResult {
  readonly peer: string;
  readonly round: number;
  readonly cpuMicrosPerRequest: number;
  readonly requestsPerSecond: number;
  /** Resident memory of the proxy's process tree right after the load. */
  readonly rssBytes: number;
  /** Share of one processor that the proxy used, 0..1. Low = the load generator was the bottleneck. */
  readonly busy: number;
  /** Share of the proxy's processor that went to others meanwhile, 0..1: above some percent the sample is suspect. */
  readonly disturbance: number;
}

/** Everything measured in one CPU scenario. */
export interface CpuResult {
  readonly kind: 'cpu';
  readonly scenario: string;
  readonly title: string;
  readonly generator: string;
  readonly samples: readonly Sample[];
  /** Peers that failed, with the reason. */
  readonly failures: readonly Failure[];
}

/** Memory of one peer after few and after many requests. */
export interface MemoryGrowth {
  readonly peer: string;
  readonly fewRequests: number;
  readonly fewRssBytes: number;
  readonly manyRequests: number;
  readonly manyRssBytes: number;
  readonly errors: number;
}

export interface MemoryResult {
  readonly kind: 'memory';
  readonly scenario: string;
  readonly title: string;
  readonly generator: string;
  readonly growth: readonly MemoryGrowth[];
  readonly failures: readonly Failure[];
}

export type Result = CpuResult | MemoryResult;

export interface Failure {
  readonly peer: string;
  readonly reason: string;
}

/** The whole run, as `--json` writes it. */
export interface Report {
  readonly date: string;
  readonly node: string;
  readonly machine: string;
  readonly upstream: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
  /** Peer → version. */
  readonly versions: Readonly<Record<string, string>>;
  /** Peers and scenarios that could not run here, with the reason. */
  readonly missing: readonly Failure[];
  readonly results: readonly Result[];
  readonly notMeasured: readonly string[];
}

/** CPU microseconds a request of one peer, round by round. */
export function cpuOf(result: CpuResult, peer: string): number[] {
  return result.samples.filter((sample) => sample.peer === peer).map((sample) => sample.cpuMicrosPerRequest);
}

/**
 * Ratios of `peer` to `of`, computed within each round where both were measured, so that what disturbs the machine
 * for a while disturbs both.
 */
export function ratiosOf(result: CpuResult, peer: string, of: string): number[] {
  return result.samples
    .filter((sample) => sample.peer === peer)
    .flatMap((sample) => {
      const other = result.samples.find((candidate) => candidate.peer === of && candidate.round === sample.round);
      return other === undefined ? [] : [sample.cpuMicrosPerRequest / other.cpuMicrosPerRequest];
    });
}
