import type { Outcome } from './outcome.ts';

/** What the primary decided about one server of one service. Whoever is not named is up and takes part fully. */
export interface EndpointHealth {
  /** Qualified name of the service. */
  readonly service: string;
  /** As configured. */
  readonly url: string;
  /** What active checks say. */
  readonly up: boolean;
  /** Taken out by passive checks. */
  readonly ejected: boolean;
  /** Gets nothing new, by the operator's word. */
  readonly draining: boolean;
  /** Why it is not up or was ejected, in one line; empty where there is nothing to say. */
  readonly reason: string;
}

/** The whole table, which takes the place of the one before. */
export interface HealthTable {
  /** Counts up. */
  readonly revision: number;
  readonly endpoints: readonly EndpointHealth[];
}

/** Attempts at a server that failed, as a worker saw them. Only servers with passive checks are told of. */
export interface OutlierReport {
  readonly service: string;
  readonly url: string;
  readonly failures: number;
  readonly last: Outcome;
}
