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
  /** Changes of the configuration under this load. */
  readonly reloads: number;
}

interface Measured {
  readonly scenario: string;
  readonly title: string;
  readonly generator: string;
  /** Peers that failed, with the reason. */
  readonly failures: readonly Failure[];
  /** What this scenario does not tell. */
  readonly notMeasured: string;
}

/** Everything measured in one CPU scenario. */
export interface CpuResult extends Measured {
  readonly kind: 'cpu';
  /** What a `request` is here: `request`, `message`, `event`, `MiB`. */
  readonly unit: string;
  readonly samples: readonly Sample[];
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

export interface MemoryResult extends Measured {
  readonly kind: 'memory';
  readonly growth: readonly MemoryGrowth[];
}

/** Memory of one peer before and with idle connections. */
export interface IdleMemory {
  readonly peer: string;
  readonly connections: number;
  readonly beforeRssBytes: number;
  readonly withRssBytes: number;
  /** Connections that could not be made, or did not stay. */
  readonly errors: number;
  readonly errorDetail: string;
}

export interface IdleResult extends Measured {
  readonly kind: 'idle';
  readonly memory: readonly IdleMemory[];
}

export type Result = CpuResult | MemoryResult | IdleResult;

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

/** Names of the peers that have samples, in order of appearance. */
export function peersOf(result: CpuResult): string[] {
  return [...new Set(result.samples.map((sample) => sample.peer))];
}

export function samplesOf(result: CpuResult, peer: string): Sample[] {
  return result.samples.filter((sample) => sample.peer === peer);
}

/** CPU microseconds a request of one peer, round by round. */
export function cpuOf(result: CpuResult, peer: string): number[] {
  return samplesOf(result, peer).map((sample) => sample.cpuMicrosPerRequest);
}

/**
 * Ratios of `peer` to `of`, computed within each round where both were measured, so that what disturbs the machine
 * for a while disturbs both.
 */
export function ratiosOf(result: Pick<CpuResult, 'samples'>, peer: string, of: string): number[] {
  return result.samples
    .filter((sample) => sample.peer === peer)
    .flatMap((sample) => {
      const other = result.samples.find((candidate) => candidate.peer === of && candidate.round === sample.round);
      return other === undefined ? [] : [sample.cpuMicrosPerRequest / other.cpuMicrosPerRequest];
    });
}

/** Bytes that one idle connection takes. */
export function bytesEach(memory: IdleMemory): number {
  return (memory.withRssBytes - memory.beforeRssBytes) / memory.connections;
}
