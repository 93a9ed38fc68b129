import type { LoadBalancer } from '../core/config/dynamic.ts';
import { ProxyError } from '../core/errors.ts';
import { slotsPerServer } from '../core/limits.ts';
import type { ServiceSnapshot, Snapshot } from '../core/snapshot.ts';
import type { Steps } from '../core/steps.ts';
import type { StreamFigures } from '../core/streams.ts';
import { AffinityBalancer } from './balancer/affinity.ts';
import { EndpointState } from './balancer/endpoint-state.ts';
import { makeBalancer } from './balancer/make.ts';
import { RoundRobin } from './balancer/round-robin.ts';
import { StickyCookie } from './balancer/sticky.ts';
import type { Balancer, Endpoint } from './balancer/types.ts';
import { RetryBudget } from './retry/budget.ts';
import { defaultPolicy } from './retry/policy.ts';
import { ByModelService } from './service/by-model.ts';
import { FailoverService } from './service/failover.ts';
import { HighestRandomWeightService } from './service/highest-random-weight.ts';
import { LoadBalancedService } from './service/load-balanced.ts';
import { MirroringService } from './service/mirroring.ts';
import type { Serving } from './service/serving.ts';
import { WeightedService } from './service/weighted.ts';
import { type SlotDesk, SlotPolicy } from './slots.ts';
import { StreamMeter } from './stream-meter.ts';
import { timeoutsOf } from './timeouts.ts';
import { Pools } from './upstream/pools.ts';

const DEFAULT_RETRY = defaultPolicy(4);
const NO_RETRY = defaultPolicy(1);
/** Retries after something was sent, as a share of the requests. */
const RETRY_SHARE = 0.2;

/**
 * The services of one snapshot. Connections are taken over by content from the snapshot before, what is known of endpoints
 * and balancer positions by name and URL.
 */
export class Services {
  readonly #servings = new Map<string, Serving>();
  readonly #pools: Pools;
  /** By service, then by URL. */
  readonly #states = new Map<string, Map<string, EndpointState>>();
  readonly #broken = new Map<string, string>();
  readonly #snapshot: Snapshot;
  #previous: Services | null;
  readonly #desk: SlotDesk | null;

  /**
   * Its services are there when {@link compile} is done.
   * @param desk where places at servers with a limit are asked for; null: there are no limits
   */
  constructor(snapshot: Snapshot, previous: Services | null, desk: SlotDesk | null) {
    this.#snapshot = snapshot;
    this.#desk = desk;
    this.#previous = previous;
    this.#pools = new Pools(snapshot, previous === null ? null : previous.#pools);
  }

  *compile(): Steps<void> {
    for (const service of Object.values(this.#snapshot.http.services)) {
      if (service.status === 'disabled') continue;
      try {
        this.#serving(service.name);
      } catch {
        // Noted; the routers that lead here say so when they ask for it.
      }
      yield;
    }
    // The previous generation must not be held through this one.
    this.#pools.seal();
    this.#previous = null;
  }

  /** @throws where there is no such service, or it cannot be served */
  serving(name: string): Serving {
    const serving = this.#servings.get(name);
    if (serving === undefined)
      throw new Error(`the service ${name} cannot be served: ${this.#broken.get(name) ?? 'it does not exist'}`);
    return serving;
  }

  /** What is known of a server of a service; undefined where the service has no such server. */
  state(service: string, url: string): EndpointState | undefined {
    return this.#states.get(service)?.get(url);
  }

  /** Every server of every service. */
  *states(): Iterable<EndpointState> {
    for (const states of this.#states.values()) yield* states.values();
  }

  /**
   * An endpoint was found dead: requests that wait there for a connection, or without a byte of a response, go elsewhere or
   * end with 504 at once.
   * @param why for the log
   */
  abandon(state: EndpointState, why: string): void {
    this.#pools.abandon(state, new ProxyError('UPSTREAM_RESPONSE_TIMEOUT', `${state.url} was found dead: ${why}`));
  }

  /** What was measured of streams, by service. */
  get streams(): Readonly<Record<string, StreamFigures>> {
    const figures: Record<string, StreamFigures> = {};
    for (const [name, serving] of this.#servings) {
      if (serving instanceof LoadBalancedService && serving.target.streams.used)
        figures[name] = serving.target.streams.figures;
    }
    return figures;
  }

  /** How often requests were sent again, or elsewhere, by service; those of none are not named. */
  get retries(): Readonly<Record<string, number>> {
    const retries: Record<string, number> = {};
    for (const [name, serving] of this.#servings) {
      if (serving instanceof LoadBalancedService && serving.target.counts.retries > 0)
        retries[name] = serving.target.counts.retries;
    }
    return retries;
  }

  /** Called each time the coarse clock advances. */
  tick(now: number): void {
    this.#pools.tick(now);
  }

  /** Closes what the next generation does not use. */
  retire(next: Services): void {
    this.#pools.retire(next.#pools);
  }

  closeAll(): void {
    this.#pools.closeAll();
  }

  /** Compiles a service once, those it is made of first. The control plane has disabled circles. @throws why it cannot be */
  #serving(name: string): Serving {
    const known = this.#servings.get(name);
    if (known !== undefined) return known;
    try {
      const service = this.#snapshot.http.services[name];
      if (service === undefined || service.status === 'disabled') throw new Error(`there is no service ${name}`);
      const serving = this.#compile(service);
      this.#servings.set(name, serving);
      return serving;
    } catch (error) {
      this.#broken.set(name, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  #compile({ name, kind, config }: ServiceSnapshot): Serving {
    const before = this.#previous === null ? null : (this.#previous.#servings.get(name) ?? null);
    if (kind === 'internal') return this.#internal(name);
    if (config.loadBalancer !== undefined) return this.#loadBalancer(name, config.loadBalancer, before);
    const find = (member: string): Serving => this.#serving(member);
    if (config.weighted !== undefined) return new WeightedService(name, config.weighted, find, before);
    if (config.highestRandomWeight !== undefined)
      return new HighestRandomWeightService(name, config.highestRandomWeight, find);
    if (config.failover !== undefined) return new FailoverService(name, config.failover, find);
    if (config.mirroring !== undefined) return new MirroringService(name, config.mirroring, find);
    if (config.byModel !== undefined) return new ByModelService(name, config.byModel, find);
    throw new Error('it has no type');
  }

  #loadBalancer(name: string, config: LoadBalancer, before: Serving | null): Serving {
    const transportName = config.serversTransport ?? 'default@internal';
    const endpoints = config.servers.map((server): Endpoint => {
      const { pool, host, path } = this.#pools.server(
        server.url,
        transportName,
        (config.maxConnections ?? 0) > 0 ? 0 : undefined,
      );
      const { url, weight } = server;
      const basePath = server.preservePath ? path : '';
      return { url, weight, host, basePath, pool, state: this.#stateOf(name, url) };
    });
    const previous = before instanceof LoadBalancedService ? before.target : null;
    const balancer = makeBalancer(config.strategy, endpoints, previous === null ? null : plain(previous.balancer));
    const timeouts = this.#snapshot.http.serversTransports[transportName]?.config.forwardingTimeouts;
    return new LoadBalancedService({
      name,
      passHostHeader: config.passHostHeader,
      balancer: config.affinity === undefined ? balancer : new AffinityBalancer(balancer, config.affinity.loadFactor),
      affinity: config.affinity ?? null,
      leastBad: config.passiveHealthCheck?.panic === 'leastBad',
      sticky: config.sticky?.cookie === undefined ? null : new StickyCookie(config.sticky.cookie, name, endpoints),
      timeouts: timeoutsOf(config.timeouts, {
        connect: timeouts?.dialTimeout ?? 30_000,
        firstByte: timeouts?.responseHeaderTimeout ?? 0,
        idle: timeouts?.readTimeout ?? 0,
        total: 0,
      }),
      retryPolicy: DEFAULT_RETRY,
      retryBudget: previous?.retryBudget ?? new RetryBudget(RETRY_SHARE),
      streams: previous?.streams ?? new StreamMeter(),
      counts: previous?.counts ?? { retries: 0 },
      slots:
        this.#desk === null || slotsPerServer(config) === 0
          ? null
          : new SlotPolicy(this.#desk, config.queue, config.strategy === 'leastconn'),
    });
  }

  /** Internal services are served by the primary on a unix socket, each under a path of its name. */
  #internal(name: string): Serving {
    const url = `unix:${this.#snapshot.internalSocket}`;
    const endpoint: Endpoint = {
      url,
      weight: 1,
      host: 'internal',
      basePath: `/${name}`,
      pool: this.#pools.internal(),
      state: this.#stateOf(name, url),
    };
    return new LoadBalancedService({
      name,
      passHostHeader: true,
      balancer: new RoundRobin([endpoint], null),
      leastBad: false,
      sticky: null,
      affinity: null,
      timeouts: { connect: 5_000, firstByte: 30_000, idle: 0, total: 0 },
      retryPolicy: NO_RETRY,
      retryBudget: new RetryBudget(0),
      streams: new StreamMeter(),
      counts: { retries: 0 },
      slots: null,
    });
  }

  #stateOf(service: string, url: string): EndpointState {
    let states = this.#states.get(service);
    if (states === undefined) {
      states = new Map();
      this.#states.set(service, states);
    }
    let state = states.get(url);
    if (state === undefined) {
      state = this.#previous?.state(service, url) ?? new EndpointState(service, url);
      states.set(url, state);
    }
    return state;
  }
}

/** The balancer by strategy, without what is before it. */
function plain(balancer: Balancer): Balancer {
  return balancer instanceof AffinityBalancer ? balancer.inner : balancer;
}
