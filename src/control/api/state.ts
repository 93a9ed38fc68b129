import type { StaticConfig } from '../../core/config/static.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { Snapshot } from '../../core/snapshot.ts';
import type { ProxyStatus } from '../status.ts';

/** What the internal services tell about: the state of the moment, asked for with each request. */
export interface ApiState {
  readonly snapshot: Snapshot;
  readonly static: StaticConfig;
  readonly diagnostics: readonly Diagnostic[];
  readonly startedAt: Date;
  /** The proxy is shutting down. */
  readonly draining: boolean;
  readonly version: string;
  /** What ping answers while draining. */
  readonly terminatingStatusCode: number;
  /** The answer of ACME's http-01 to a token, where that challenge is under way. Absent: nothing is ordered. */
  readonly keyAuthorization?: (token: string) => string | undefined;
  /** What `proxy status` says; absent until workers are started. */
  readonly status?: () => ProxyStatus;
  /** Where health checks tell what is known of a server. Absent: nothing is checked, and every server counts as up. */
  readonly serverStatus?: (service: string, url: string) => 'UP' | 'DOWN';
}
