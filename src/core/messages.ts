import type { AccessLog, Log } from './config/static.ts';
import type { ConnectionCounts } from './connection-counts.ts';
import type { ErrorCode } from './errors.ts';
import type { Explained, ExplainRequest } from './explain.ts';
import type { HealthTable, OutlierReport } from './health.ts';
import type { FromLimiter, ToLimiter } from './limiting.ts';
import type { Snapshot } from './snapshot.ts';
import type { StreamFigures } from './streams.ts';

/**
 * What primary and workers agree on. A rolling restart after an upgrade runs new workers under the old primary: where the
 * messages or the snapshot change in a way that the other side would misread, this number goes up.
 */
export const PROTOCOL = 3;

/** The parts of the static configuration that workers act on themselves; fixed for a process's life. */
export interface WorkerSettings {
  readonly log: Log;
  /** Absent: no access log. */
  readonly accessLog?: AccessLog;
}

/** What the primary says to a worker. A `listen` message carries the listening socket. */
export type ToWorker =
  /** The first message. */
  | { readonly type: 'configure'; readonly settings: WorkerSettings }
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'listen'; readonly entryPoint: string }
  /** Acknowledged by `challenged`: the authority must not come before. */
  | { readonly type: 'challenges'; readonly challenges: Challenges }
  /** What another worker said of its connections on an entry point. */
  | {
      readonly type: 'neighbour';
      readonly worker: number;
      readonly entryPoint: string;
      readonly counts: ConnectionCounts;
    }
  /** Another worker has ended, and its connections with it. */
  | { readonly type: 'neighbour-gone'; readonly worker: number }
  /** A worker has begun to listen, and knows nothing of the others: say all your connections. */
  | { readonly type: 'recount' }
  /** What is known of the servers, all of it. */
  | { readonly type: 'health'; readonly table: HealthTable }
  /** Finish what is under way, within `graceMs`, then exit. `acceptMs`: go on accepting for that long first. */
  | { readonly type: 'drain'; readonly acceptMs: number; readonly graceMs: number }
  /** Another worker has taken over: accept no more, finish what is under way without haste, then exit. */
  | { readonly type: 'retire'; readonly graceMs: number }
  /** Say what would become of a request; answered by `explained` with the same id. */
  | { readonly type: 'explain'; readonly id: number; readonly request: ExplainRequest }
  /** `url` is the server that may be used; null where there is no place, not even to wait. */
  | { readonly type: 'slot'; readonly id: number; readonly url: string | null; readonly retryAfterS: number }
  | ToLimiter
  /** Close and reopen log files (after a rotation). */
  | { readonly type: 'reopen' };

/** What a worker says to the primary. */
export type FromWorker =
  /** The first message. `code` is the version of the program. */
  | { readonly type: 'ready'; readonly code: string; readonly protocol: number }
  | { readonly type: 'applied'; readonly version: number; readonly problems: readonly string[] }
  | { readonly type: 'refused'; readonly version: number; readonly reason: string }
  | { readonly type: 'listening'; readonly entryPoint: string }
  | { readonly type: 'challenged'; readonly revision: number }
  /** The worker cannot accept on the entry point's socket. `code` is the system's. */
  | { readonly type: 'deaf'; readonly entryPoint: string; readonly code: string }
  | { readonly type: 'report'; readonly report: Report }
  /** How the open connections on an entry point changed. */
  | { readonly type: 'connections'; readonly entryPoint: string; readonly counts: ConnectionCounts }
  /** `answer` is a message where the question failed. */
  | { readonly type: 'explained'; readonly id: number; readonly answer: Explained | string }
  /** Failed attempts at servers with passive checks. */
  | { readonly type: 'outliers'; readonly reports: readonly OutlierReport[] }
  | { readonly type: 'slot-request'; readonly request: SlotRequest }
  /** The servers that may be used have changed. */
  | { readonly type: 'slot-among'; readonly id: number; readonly among: readonly string[] }
  /** The place is free, taken or still waited for. */
  | { readonly type: 'slot-release'; readonly id: number }
  | FromLimiter
  | { readonly type: 'drained' };

/** Asks for a place at a server of a service that has a limit; the primary gives them, so that all workers keep to it. */
export interface SlotRequest {
  /** The worker's own, counting up. */
  readonly id: number;
  readonly service: string;
  /** The servers that may be used, as configured; the first is preferred. */
  readonly among: readonly string[];
  /** Take the least busy of them whoever is preferred: `leastconn` over all workers. */
  readonly leastBusy: boolean;
  /** Higher goes first. */
  readonly priority: number;
  /** Those with the same one share; empty = everybody alike. */
  readonly fairKey: string;
}

/** Counters of one worker since its start. */
export interface Report {
  readonly requests: number;
  readonly connections: number;
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
  /** How often requests were sent again, or to another server, by service. */
  readonly retries: Readonly<Record<string, number>>;
  /** Copies for mirrors that were left out because too many were under way. */
  readonly mirrorsDropped: number;
  /** What was measured of streams, by service. */
  readonly streams: Readonly<Record<string, StreamFigures>>;
  /** Lines that were lost because the destination was slow or full: of the access log, and of this worker's log. */
  readonly accessLogDropped: number;
  readonly logDropped: number;
}

/** The ACME challenges under way, all of them; each message takes the place of the one before. */
export interface Challenges {
  /** Counts up. */
  readonly revision: number;
  /** Of http-01: requests for these are passed to `acme-http@internal`. */
  readonly tokens: readonly string[];
  /** Of tls-alpn-01: what a connection with this server name is answered with. */
  readonly alpn: readonly { readonly serverName: string; readonly cert: string; readonly key: string }[];
}
