/** Where the load goes. */
export interface Target {
  readonly port: number;
  readonly tls: boolean;
  /** Path of the request, from the root. */
  readonly path: string;
}

/** Name that clients use for the proxy: in the URL, the SNI and the Host header. Resolves to 127.0.0.1 everywhere. */
export const HOST = 'localhost';

/** The pattern of requests that a scenario asks for. */
export interface Pattern {
  /** `keep-alive`: HTTP/1.1 on connections kept open. `per-request`: one connection for each request. */
  readonly connection: 'keep-alive' | 'per-request';
  /** Version written by the client. Only `per-request` speaks 1.0, as a gateway without keep-alive does. */
  readonly httpVersion: '1.0' | '1.1';
  /** Connections open at once. */
  readonly connections: number;
}

/** What a load generator saw. Latencies in microseconds, NaN where the generator does not tell. */
export interface LoadResult {
  /** Complete answers with status 200. */
  readonly requests: number;
  readonly seconds: number;
  readonly latencyMicros: { readonly p50: number; readonly p90: number; readonly p99: number; readonly p999: number };
  /** Anything that was not a complete answer with status 200. */
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
