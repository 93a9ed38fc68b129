import type { PassiveHealthCheck } from '../core/config/dynamic.ts';
import type { EndpointHealth, HealthTable, OutlierReport } from '../core/health.ts';
import type { Outcome } from '../core/outcome.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { EndpointState } from './balancer/endpoint-state.ts';
import type { Services } from './services.ts';

/** An ejection that the primary has not confirmed by then is taken back. Milliseconds. */
const UNCONFIRMED_MS = 1_000;
/** Failures are told together, this many milliseconds after the first. */
const REPORT_AFTER_MS = 10;
/** Share of its weight that a server begins with when it comes back. */
const FIRST_SHARE = 0.1;

/** What is counted of a server with passive checks, in this worker. */
interface Watched {
  readonly check: PassiveHealthCheck;
  /** performance.now() of its failures within the window. */
  failures: number[];
}

/** The health of servers as this worker acts on it: the primary's word, and at once what it sees itself. */
export class HealthView {
  readonly #tell: (reports: readonly OutlierReport[]) => void;
  #table: HealthTable = { revision: 0, endpoints: [] };
  #services: Services | null = null;
  #slowStartMs = new Map<string, number>();
  readonly #watched = new WeakMap<EndpointState, Watched>();
  /** Ejected here and not yet by the primary: until when. */
  readonly #unconfirmed = new Map<EndpointState, number>();
  /** Coming back: since when. */
  readonly #recovering = new Map<EndpointState, number>();
  readonly #unsaid = new Map<EndpointState, { failures: number; last: Outcome }>();
  #timer: NodeJS.Timeout | null = null;

  /** @param tell hands failures to the primary */
  constructor(tell: (reports: readonly OutlierReport[]) => void) {
    this.#tell = tell;
  }

  /** The primary's word. */
  take(table: HealthTable): void {
    if (table.revision < this.#table.revision) return;
    this.#table = table;
    this.#apply();
  }

  /** A runtime took over: its servers are the ones to be judged from now on. */
  attach(services: Services, snapshot: Snapshot): void {
    this.#services = services;
    this.#slowStartMs = new Map();
    for (const state of services.states()) {
      const config = snapshot.http.services[state.service]?.config.loadBalancer;
      this.#slowStartMs.set(state.service, config?.slowStart ?? 0);
      const check = config?.passiveHealthCheck;
      if (check === undefined) {
        state.observer = null;
        continue;
      }
      const failures = this.#watched.get(state)?.failures ?? [];
      this.#watched.set(state, { check, failures });
      state.observer = this.#observe;
    }
    this.#apply();
  }

  /** Called each time the coarse clock advances. @param now of it */
  tick(now: number): void {
    for (const [state, until] of this.#unconfirmed) {
      if (now < until) continue;
      this.#unconfirmed.delete(state);
      state.ejected = false;
    }
    for (const [state, since] of this.#recovering) {
      const slow = this.#slowStartMs.get(state.service) ?? 0;
      const share = slow <= 0 ? 1 : FIRST_SHARE + (1 - FIRST_SHARE) * ((now - since) / slow);
      if (share < 1 && state.available) {
        state.share = share;
      } else {
        state.share = 1;
        this.#recovering.delete(state);
      }
    }
  }

  #apply(): void {
    const services = this.#services;
    if (services === null) return;
    const named = new Map<EndpointState, EndpointHealth>();
    for (const health of this.#table.endpoints) {
      const state = services.state(health.service, health.url);
      if (state !== undefined) named.set(state, health);
    }
    for (const state of services.states()) this.#set(state, named.get(state), services);
  }

  #set(state: EndpointState, health: EndpointHealth | undefined, services: Services): void {
    const wasReachable = state.reachable;
    const wasUp = state.up;
    state.up = health?.up ?? true;
    state.draining = health?.draining ?? false;
    if (health?.ejected === true) this.#unconfirmed.delete(state);
    state.ejected = health?.ejected === true || this.#unconfirmed.has(state);
    // Requests that wait there without a byte of an answer need not wait for their time to be over.
    if (wasUp && !state.up) services.abandon(state, health?.reason ?? '');
    if (!wasReachable && state.reachable && (this.#slowStartMs.get(state.service) ?? 0) > 0) {
      state.share = FIRST_SHARE;
      this.#recovering.set(state, Math.trunc(performance.now()));
    }
  }

  readonly #observe = (state: EndpointState, outcome: Outcome): void => {
    if (outcome === 'success') return;
    const watched = this.#watched.get(state);
    if (watched === undefined) return;
    const unsaid = this.#unsaid.get(state);
    if (unsaid === undefined) this.#unsaid.set(state, { failures: 1, last: outcome });
    else {
      unsaid.failures++;
      unsaid.last = outcome;
    }
    this.#timer ??= setTimeout(() => this.#flush(), REPORT_AFTER_MS);
    this.#eject(state, watched);
  };

  /** What this worker has seen itself it acts on at once; the primary, who sees all, confirms it. */
  #eject(state: EndpointState, { check, failures }: Watched): void {
    if (state.ejected) return;
    const now = performance.now();
    const needed = Math.max(1, check.maxFailedAttempts);
    failures.push(now);
    while (failures.length > needed || now - failures[0]! > check.failureWindow) failures.shift();
    if (failures.length < needed) return;
    let servers = 0;
    let ejected = 0;
    for (const other of this.#services?.states() ?? []) {
      if (other.service !== state.service) continue;
      servers++;
      if (other.ejected) ejected++;
    }
    if (ejected >= Math.max(1, Math.floor((servers * check.maxEjectionPercent) / 100))) return;
    failures.length = 0;
    state.ejected = true;
    this.#unconfirmed.set(state, Math.trunc(now) + UNCONFIRMED_MS);
  }

  #flush(): void {
    this.#timer = null;
    const reports = [...this.#unsaid].map(([{ service, url }, { failures, last }]) => ({
      service,
      url,
      failures,
      last,
    }));
    this.#unsaid.clear();
    this.#tell(reports);
  }
}
