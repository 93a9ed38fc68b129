import type { Exchange } from '../exchange.ts';
import type { UpstreamPool } from '../upstream/pool.ts';

/** One server of a service, as this worker reaches it. */
export interface Endpoint {
  /** As configured. */
  readonly url: string;
  readonly weight: number;
  /** Value of the Host header where the client's own is not passed on. */
  readonly host: string;
  /** Put before the request's path; empty but for `preservePath`. */
  readonly basePath: string;
  readonly pool: UpstreamPool;
}

/** Chooses who answers. */
export interface Balancer {
  readonly endpoints: readonly Endpoint[];
  /** `null`: nobody can. */
  pick(exchange: Exchange): Endpoint | null;
}
