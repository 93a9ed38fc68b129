import type { PassiveHealthCheck } from '../../core/config/dynamic.ts';
import type { EndpointHealth, HealthTable, OutlierReport } from '../../core/health.ts';
import type { Snapshot } from '../../core/snapshot.ts';
import { Outliers } from './outliers.ts';
import { Probe, type ProbeState } from './probe.ts';
import { checkTargets } from './targets.ts';

export interface HealthOptions {
  /** Something changed: workers are to have the new table. */
  readonly publish: (table: HealthTable) => void;
  readonly log: (level: 'info' | 'warn', message: string, fields?: Record<string, unknown>) => void;
}

/** What `proxy status` says of one server. */
export interface ServerHealth {
  readonly status: 'UP' | 'DOWN';
  /** Absent: it is not checked. */
  readonly check?: {
    readonly health: ProbeState['health'];
    /** What the last check saw: its kind, and in words. */
    readonly kind: string;
    readonly detail: string;
    /** Milliseconds since the epoch. */
    readonly checkedAt: number;
    readonly since: number;
  };
  readonly ejected?: { readonly until: number; readonly times: number; readonly reason: string };
  readonly draining?: true;
}

/** Servers whose file is empty for a moment, as it is written anew, come back with what was known of them. Milliseconds. */
const REMEMBER_MS = 60_000;
const MAX_REMEMBERED = 10_000;
const MAX_DRAINED = 10_000;

/**
 * What is known of the servers, in one place: active checks, what workers saw, what the operator wants drained. It lives in
 * the primary, so that reloads and the death of workers forget nothing.
 *
 *   Probe ──────┐
 *   Outliers ───┼─► table ─► every worker
 *   drained ────┘
 */
export class Health {
  readonly #options: HealthOptions;
  readonly #outliers: Outliers;
  /** By the target's key. */
  #probes = new Map<string, Probe>();
  /** By service and URL. */
  #byServer = new Map<string, Probe>();
  /** Until the operator's word to the contrary; also while a file that is being written does not name them. */
  readonly #drained = new Map<string, { readonly service: string; readonly url: string }>();
  /** What was known of servers that a snapshot no longer had, by service and URL. */
  readonly #gone = new Map<string, { readonly state: ProbeState; readonly at: number }>();
  #table: HealthTable = { revision: 0, endpoints: [] };
  #snapshot: Snapshot | null = null;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#outliers = new Outliers(() => this.#publish());
  }

  /** What workers are to have now. */
  get table(): HealthTable {
    return this.#table;
  }

  /** A snapshot went live. Checks of servers that stay go on with what they know. */
  follow(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    const before = this.#probes;
    const known = this.#byServer;
    const now = Date.now();
    for (const [key, { at }] of this.#gone) if (now - at > REMEMBER_MS) this.#gone.delete(key);
    this.#probes = new Map();
    this.#byServer = new Map();
    for (const target of checkTargets(snapshot)) {
      const server = `${target.service} ${target.url}`;
      const probe =
        before.get(target.key) ??
        new Probe(
          target,
          (changed) => this.#probed(changed),
          known.get(server)?.state ?? this.#gone.get(server)?.state ?? null,
        );
      this.#probes.set(target.key, probe);
      this.#byServer.set(server, probe);
    }
    for (const [key, probe] of before) if (!this.#probes.has(key)) probe.stop();
    for (const [server, { state }] of known) {
      if (!this.#byServer.has(server) && this.#gone.size < MAX_REMEMBERED) this.#gone.set(server, { state, at: now });
    }
    for (const server of this.#byServer.keys()) this.#gone.delete(server);
    this.#outliers.watch(passiveChecks(snapshot));
    this.#publish();
  }

  /** What workers saw of servers with passive checks. */
  report(reports: readonly OutlierReport[]): void {
    const now = Date.now();
    for (const report of reports) this.#outliers.report(report, now);
  }

  /**
   * Takes a server out, or in again, by the operator's word.
   *
   * @returns why that cannot be done; null where it was
   */
  drain(service: string, url: string, draining: boolean): string | null {
    const name = service.includes('@') ? service : `${service}@file`;
    const present = this.#snapshot === null ? [] : serversOf(this.#snapshot, name);
    // Who was drained and is in no file now can be undrained, too.
    const absent = [...this.#drained.values()].filter((one) => one.service === name && !present.includes(one.url));
    const servers = draining ? present : [...present, ...absent.map((one) => one.url)];
    if (servers.length === 0) return `there is no service ${name} with servers`;
    const server = servers.find((one) => one === url) ?? servers.find((one) => sameServer(one, url));
    if (server === undefined) return `${name} has no server ${url}; it has: ${servers.join(', ')}`;
    const key = `${name} ${server}`;
    if (draining && !this.#drained.has(key) && this.#drained.size >= MAX_DRAINED) {
      return `${MAX_DRAINED} servers are drained already: undrain those that are no longer there`;
    }
    if (draining) this.#drained.set(key, { service: name, url: server });
    else if (!this.#drained.delete(key)) return `${server} of ${name} is not being drained`;
    this.#options.log(
      'info',
      `${server} of ${name} ${draining ? 'is drained: it gets nothing new' : 'takes part again'}`,
    );
    this.#publish();
    return null;
  }

  /** What is known of one server. */
  of(service: string, url: string): ServerHealth {
    const key = `${service} ${url}`;
    const probe = this.#byServer.get(key);
    const ejection = this.#outliers.ejections(Date.now()).find((one) => one.service === service && one.url === url);
    const up = (probe?.up ?? true) && ejection === undefined;
    return {
      status: up ? 'UP' : 'DOWN',
      ...(probe === undefined
        ? {}
        : {
            check: {
              health: probe.state.health,
              kind: probe.state.last?.kind ?? 'unknown',
              detail: probe.state.last?.detail ?? 'not checked yet',
              checkedAt: probe.state.checkedAt,
              since: probe.state.changedAt,
            },
          }),
      ...(ejection === undefined
        ? {}
        : { ejected: { until: ejection.until, times: ejection.times, reason: ejection.reason } }),
      ...(this.#drained.has(key) ? { draining: true as const } : {}),
    };
  }

  async close(): Promise<void> {
    for (const probe of this.#probes.values()) probe.stop();
    this.#outliers.stop();
  }

  #probed({ target, state, up }: Probe): void {
    const fields = { service: target.service, server: target.url };
    const detail = state.last?.detail ?? '';
    if (!up) this.#options.log('warn', `${target.url} of ${target.service} is down: ${detail}`, fields);
    else this.#options.log('info', `${target.url} of ${target.service} is up: ${detail}`, fields);
    this.#publish();
  }

  #publish(): void {
    const endpoints = new Map<string, EndpointHealth>();
    const change = (service: string, url: string, what: Partial<EndpointHealth>): void => {
      const key = `${service} ${url}`;
      const known = endpoints.get(key) ?? { service, url, up: true, ejected: false, draining: false, reason: '' };
      endpoints.set(key, { ...known, ...what });
    };
    for (const { target, state, up } of this.#probes.values()) {
      if (!up) change(target.service, target.url, { up: false, reason: state.last?.detail ?? 'not checked yet' });
    }
    for (const { service, url, reason } of this.#outliers.ejections(Date.now())) {
      change(service, url, { ejected: true, reason });
    }
    for (const { service, url } of this.#drained.values()) change(service, url, { draining: true });
    this.#table = { revision: this.#table.revision + 1, endpoints: [...endpoints.values()] };
    this.#options.publish(this.#table);
  }
}

function passiveChecks(
  snapshot: Snapshot,
): Map<string, { readonly check: PassiveHealthCheck; readonly urls: ReadonlySet<string> }> {
  const services = new Map<string, { check: PassiveHealthCheck; urls: Set<string> }>();
  for (const { name, config } of Object.values(snapshot.http.services)) {
    const check = config.loadBalancer?.passiveHealthCheck;
    if (check !== undefined) services.set(name, { check, urls: new Set(serversOf(snapshot, name)) });
  }
  return services;
}

function serversOf(snapshot: Snapshot, service: string): string[] {
  return (snapshot.http.services[service]?.config.loadBalancer?.servers ?? []).map((server) => server.url);
}

/** `127.0.0.1:8000` means `http://127.0.0.1:8000/`. */
function sameServer(url: string, written: string): boolean {
  return url.replace(/^\w+:\/\//, '').replace(/\/$/, '') === written.replace(/^\w+:\/\//, '').replace(/\/$/, '');
}
