/** Where the load goes. */
export interface Target {
  readonly port: number;
  readonly tls: boolean;
  /** Path of the request, from the root. */
  readonly path: string;
}

/** Name that clients use for the proxy: in the URL, the SNI and the Host header. Resolves to 127.0.0.1 everywhere. */
export const HOST = 'localhost';

/** Name of the n-th of many hosts, for scenarios with many routers. */
export function manyHost(index: number): string {
  return `host-${index}.bench.internal`;
}

/** Requests and answers. */
export interface HttpPattern {
  readonly kind: 'http';
  /** `keep-alive`: HTTP/1.1 on connections kept open. `per-request`: one connection for each request. */
  readonly connection: 'keep-alive' | 'per-request';
  /** Version written by the client. Only `per-request` speaks 1.0, as a gateway without keep-alive does. */
  readonly httpVersion: '1.0' | '1.1';
  /** Connections open at once. */
  readonly connections: number;
  /** Bytes of a POST's body; 0 = GET. */
  readonly upload: number;
  /** Whether `per-request` TLS connections come back with the session ticket of an earlier one. */
  readonly resume: boolean;
  /** Count MiB of answers that came instead of complete answers: where few are complete within a round. */
  readonly countMebibytes: boolean;
  /** Hosts that are asked in turn, see {@link manyHost}; 0 = {@link HOST} alone. */
  readonly hosts: number;
}

/** Requests that are sent when they are due, whatever became of the earlier ones. */
export interface PacedPattern {
  readonly kind: 'paced';
  readonly requestsPerSecond: number;
}

/** Messages of `bytes` sent to an upstream that returns each; the next one goes when it is back. Counted: round trips. */
export interface WebSocketPattern {
  readonly kind: 'websocket';
  readonly connections: number;
  readonly bytes: number;
}

/** Server-sent events that the upstream stamps with its time. Counted: events; latency: from stamp to arrival. */
export interface EventsPattern {
  readonly kind: 'events';
  readonly streams: number;
  readonly eventsPerSecond: number;
}

/** The load that a scenario asks for. */
export type Pattern = HttpPattern | PacedPattern | WebSocketPattern | EventsPattern;

/** Microseconds, NaN where the generator does not tell. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
}

/** What a load generator saw. */
export interface LoadResult {
  /** Complete answers with status 200; messages or events where the pattern has them. */
  readonly requests: number;
  readonly seconds: number;
  readonly latencyMicros: Latency;
  /** Anything that was not as it should be. */
  readonly errors: number;
  /** Kinds of errors for a reader; empty when there were none. */
  readonly errorDetail: string;
}

/** A program that makes load. */
export interface Generator {
  readonly name: string;
  /** null when it can make this pattern here; else why not. */
  refuses(pattern: Pattern, tls: boolean): string | null;
  /** Loads the target for `seconds`. Rejects when the generator itself fails. */
  run(target: Target, pattern: Pattern, seconds: number): Promise<LoadResult>;
}
