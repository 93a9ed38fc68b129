import type { Exchange } from '../exchange.ts';
import type { UpstreamPool } from '../upstream/pool.ts';
import type { EndpointState } from './endpoint-state.ts';

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
  /** Health and counts; the same object as long as the service has this URL. */
  readonly state: EndpointState;
}

/** Chooses who answers. */
export interface Balancer {
  readonly endpoints: readonly Endpoint[];
  /**
   * Who answers next: available, of a weight above 0, and not among `tried`.
   * @returns null where nobody can
   */
  pick(exchange: Exchange, tried: readonly Endpoint[] | null): Endpoint | null;
  /** Who `pick` would choose, without a turn being taken; absent where that depends on the exchange. */
  peek?(): Endpoint | null;
}
