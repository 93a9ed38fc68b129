import type { Exchange } from '../exchange.ts';
import type { UpstreamPool } from '../upstream/pool.ts';
import type { EndpointState } from './endpoint-state.ts';

/** What balancers choose among: endpoints of a service, or services of a weighted one. */
export interface Candidate {
  /** What it is known by across reloads: an endpoint's URL as configured, a service's name. */
  readonly url: string;
  readonly weight: number;
  readonly state: {
    /** Whether it may get new requests. */
    readonly available: boolean;
    /** Share of its weight that it gets, 0..1. */
    readonly share: number;
  };
}

/** One server of a service, as this worker reaches it. */
export interface Endpoint extends Candidate {
  /** Value of the Host header where the client's own is not passed on. */
  readonly host: string;
  /** Put before the request's path; empty but for `preservePath`. */
  readonly basePath: string;
  readonly pool: UpstreamPool;
  /** Health and counts; the same object as long as the service has this URL. */
  readonly state: EndpointState;
}

/** Chooses who answers. */
export interface Balancer<T extends Candidate = Endpoint> {
  readonly candidates: readonly T[];
  /** Whether it wants to know the time to the first byte. */
  readonly measures: boolean;
  /**
   * Who answers next: available, of a weight above 0, and not among `tried`.
   * @returns null where nobody can
   */
  pick(exchange: Exchange, tried: readonly T[] | null): T | null;
  /** Who `pick` would choose, without a turn being taken; absent where that depends on the exchange. */
  peek?(): T | null;
}
