import { formatAddress } from '../core/config/address.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Report } from '../core/messages.ts';
import type { Snapshot, Status } from '../core/snapshot.ts';
import type { AcmeProgress } from './acme-commands.ts';
import { maskText } from './api/redact.ts';
import type { ServerHealth } from './health/health.ts';
import type { Attempt } from './publisher.ts';
import type { SlotStatus } from './slots/service-slots.ts';
import { type StreamStatus, streamStatus } from './stream-status.ts';
import type { WorkerStatus } from './supervisor.ts';

/** What `proxy status --json` prints. Times are milliseconds since the epoch. */
export interface ProxyStatus {
  readonly pid: number;
  /** Of the program. */
  readonly code: string;
  /** The static file; empty where it runs on flags alone. */
  readonly config: string;
  readonly state: 'starting' | 'serving' | 'degraded' | 'stopping';
  /** Why it is degraded. */
  readonly problems: readonly string[];
  readonly startedAt: number;
  readonly uptimeSeconds: number;
  readonly snapshot: {
    readonly version: number;
    readonly createdAt: number;
    readonly routers: number;
    readonly services: number;
    readonly errors: number;
    readonly warnings: number;
  };
  readonly entryPoints: readonly { readonly name: string; readonly address: string }[];
  readonly workers: readonly WorkerStatus[];
  /** Workers that died since the start, how the last one did, and when another start is tried (0 = none waits). */
  readonly workerDeaths: { readonly count: number; readonly last: string | null; readonly retryAt: number };
  readonly requests: {
    readonly total: number;
    readonly perSecond: number;
    readonly connections: number;
    readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
    /** Lines of the access log, and of the workers' log, that were lost because a destination was slow or full. */
    readonly accessLogDropped: number;
    readonly logDropped: number;
  };
  /** Copies for mirrors that were left out because too many were under way. */
  readonly mirrorsDropped: number;
  readonly certificates: readonly {
    readonly names: readonly string[];
    readonly origin: string;
    readonly notAfter: number;
  }[];
  /** Certificates by ACME; null where no resolver is configured. */
  readonly acme: AcmeProgress | null;
  readonly services: readonly {
    readonly name: string;
    readonly status: Status;
    readonly servers: readonly ({ readonly url: string } & ServerHealth)[];
    /** Places at its servers; null where they have no limit. */
    readonly slots: SlotStatus | null;
    /** How often requests were sent again, or to another server. */
    readonly retries: number;
    /** Its streamed responses; null where there were none. */
    readonly streams: StreamStatus | null;
  }[];
  readonly lastReload: Attempt | null;
  readonly reloads: { readonly succeeded: number; readonly failed: number };
}

/** What a status is made of. */
export interface StatusSources {
  readonly code: string;
  readonly config: string;
  readonly startedAt: Date;
  readonly stopping: boolean;
  readonly wantedWorkers: number;
  readonly snapshot: Snapshot;
  readonly diagnostics: readonly Diagnostic[];
  readonly workers: readonly WorkerStatus[];
  readonly deaths: { readonly respawns: number; readonly last: string | null; readonly retryAt: number };
  readonly report: Report;
  readonly requestsPerSecond: number;
  readonly attempts: { readonly last: Attempt | null; readonly succeeded: number; readonly failed: number };
  /** Why the last snapshot is not served. */
  readonly problem: string | null;
  readonly acme: AcmeProgress | null;
  readonly health: (service: string, url: string) => ServerHealth;
  readonly slots: Readonly<Record<string, SlotStatus>>;
}

/** Puts together what an operator wants to know first. */
export function statusOf(sources: StatusSources): ProxyStatus {
  const { snapshot, workers, deaths, attempts, report } = sources;
  const serving = workers.filter((worker) => worker.state === 'serving').length;
  const problems: string[] = [];
  if (serving < sources.wantedWorkers) problems.push(`${serving} of ${sources.wantedWorkers} workers serve`);
  if (sources.problem !== null) problems.push(sources.problem);
  return {
    pid: process.pid,
    code: sources.code,
    config: sources.config,
    state: sources.stopping ? 'stopping' : serving === 0 ? 'starting' : problems.length > 0 ? 'degraded' : 'serving',
    problems,
    startedAt: sources.startedAt.getTime(),
    uptimeSeconds: Math.floor((Date.now() - sources.startedAt.getTime()) / 1_000),
    snapshot: {
      version: snapshot.version,
      createdAt: snapshot.createdAt,
      routers: Object.keys(snapshot.http.routers).length,
      services: Object.keys(snapshot.http.services).length,
      errors: sources.diagnostics.filter((d) => d.severity === 'error').length,
      warnings: sources.diagnostics.filter((d) => d.severity === 'warning').length,
    },
    entryPoints: Object.values(snapshot.entryPoints).map(({ name, host, port }) => ({
      name,
      address: formatAddress(host, port),
    })),
    workers,
    workerDeaths: { count: deaths.respawns, last: deaths.last, retryAt: deaths.retryAt },
    requests: {
      total: report.requests,
      perSecond: sources.requestsPerSecond,
      connections: report.connections,
      errors: report.errors,
      accessLogDropped: report.accessLogDropped,
      logDropped: report.logDropped,
    },
    mirrorsDropped: report.mirrorsDropped,
    certificates: [...snapshot.tls.certificates, snapshot.tls.defaultCertificate].map(
      ({ names, origin, notAfter }) => ({
        names,
        origin,
        notAfter,
      }),
    ),
    acme: sources.acme,
    services: Object.values(snapshot.http.services)
      .filter((service) => service.kind === 'configured')
      .map((service) => ({
        name: service.name,
        status: service.status,
        servers: (service.config.loadBalancer?.servers ?? []).map(({ url }) => ({
          url: maskText(url),
          ...sources.health(service.name, url),
        })),
        slots: masked(sources.slots[service.name]),
        retries: report.retries[service.name] ?? 0,
        streams: streamStatus(report.streams[service.name]),
      })),
    lastReload: attempts.last,
    reloads: { succeeded: attempts.succeeded, failed: attempts.failed },
  };
}

/** A server's URL may hold a password. */
function masked(slots: SlotStatus | undefined): SlotStatus | null {
  if (slots === undefined) return null;
  const inUse = Object.fromEntries(Object.entries(slots.inUse).map(([url, count]) => [maskText(url), count]));
  return { ...slots, inUse };
}
