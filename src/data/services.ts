import tls from 'node:tls';
import type { LoadBalancer } from '../core/config/dynamic.ts';
import type { ServersTransportSnapshot, Snapshot } from '../core/snapshot.ts';
import { mapVersion } from '../core/tls/versions.ts';
import { EndpointState } from './balancer/endpoint-state.ts';
import { makeBalancer } from './balancer/make.ts';
import { RoundRobin } from './balancer/round-robin.ts';
import type { Balancer, Endpoint } from './balancer/types.ts';
import type { ForwardTarget } from './forward.ts';
import { type PoolTarget, UpstreamPool } from './upstream/pool.ts';

/** Connections to one upstream address, in one worker. Beyond it requests are refused rather than the machine brought down. */
const MAX_CONNECTIONS = 8_192;
const INTERNAL_TRANSPORT = 'internal';

/** The services of one snapshot, with their endpoints and pools. Pools are taken over by content, balancer positions by URL. */
export class Services {
  readonly #targets = new Map<string, ForwardTarget>();
  readonly #pools = new Map<string, UpstreamPool>();
  /** By service, then by URL. */
  readonly #states = new Map<string, Map<string, EndpointState>>();
  readonly #contexts = new Map<string, tls.SecureContext>();
  readonly #broken = new Map<string, string>();
  readonly #snapshot: Snapshot;
  readonly #previous: Services | null;

  constructor(snapshot: Snapshot, previous: Services | null) {
    this.#snapshot = snapshot;
    this.#previous = previous;
    for (const service of Object.values(snapshot.http.services)) {
      if (service.status === 'disabled') continue;
      const before = previous === null ? null : (previous.#targets.get(service.name)?.balancer ?? null);
      try {
        if (service.kind === 'internal') {
          const balancer = new RoundRobin([this.#internal(service.name)], null);
          this.#targets.set(service.name, { name: service.name, passHostHeader: true, balancer });
        } else if (service.config.loadBalancer !== undefined) {
          this.#targets.set(service.name, this.#loadBalancer(service.name, service.config.loadBalancer, before));
        }
      } catch (error) {
        // The routers that lead here say so when they ask for it.
        this.#broken.set(service.name, error instanceof Error ? error.message : String(error));
      }
    }
    // The previous generation must not be held through this one.
    this.#previous = null;
  }

  /** @throws where there is no such service, or it cannot be served */
  target(name: string): ForwardTarget {
    const target = this.#targets.get(name);
    if (target === undefined)
      throw new Error(`the service ${name} cannot be served: ${this.#broken.get(name) ?? 'it does not exist'}`);
    return target;
  }

  /** What is known of a server of a service; undefined where the service has no such server. */
  state(service: string, url: string): EndpointState | undefined {
    return this.#states.get(service)?.get(url);
  }

  /** Every server of every service. */
  *states(): Iterable<EndpointState> {
    for (const states of this.#states.values()) yield* states.values();
  }

  get pools(): Iterable<UpstreamPool> {
    return this.#pools.values();
  }

  /** Closes the pools that the next generation does not use. */
  retire(next: Services): void {
    for (const [key, pool] of this.#pools) if (!next.#pools.has(key)) pool.close();
  }

  closeAll(): void {
    for (const pool of this.#pools.values()) pool.close();
  }

  #loadBalancer(name: string, config: LoadBalancer, before: Balancer | null): ForwardTarget {
    const transport = config.serversTransport ?? 'default@internal';
    const endpoints = config.servers.map((server) => this.#endpoint(name, server, transport));
    return { name, passHostHeader: config.passHostHeader, balancer: makeBalancer(config.strategy, endpoints, before) };
  }

  #endpoint(service: string, server: LoadBalancer['servers'][number], transportName: string): Endpoint {
    const url = new URL(server.url);
    const secure = url.protocol === 'https:';
    const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
    const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
    const transport = this.#snapshot.http.serversTransports[transportName];
    if (transport === undefined && transportName !== 'default@internal') {
      throw new Error(`the serversTransport ${transportName} does not exist`);
    }
    const timeouts = transport?.config.forwardingTimeouts;
    const content = secure
      ? JSON.stringify(transport ?? null)
      : JSON.stringify([transport?.config.maxIdleConnsPerHost, timeouts]);
    const maxIdle = transport?.config.maxIdleConnsPerHost ?? 0;
    const path = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
    return {
      url: server.url,
      weight: server.weight ?? 1,
      host: url.host,
      basePath: server.preservePath === true ? path : '',
      state: this.#state(service, server.url),
      pool: this.#pool(`${url.protocol}//${host}:${port} ${content}`, (key) => ({
        key,
        address: `${url.hostname}:${port}`,
        connect: { host, port },
        tls: secure
          ? {
              context: this.#context(transport),
              serverName: transport?.config.serverName ?? null,
              verify: transport?.config.insecureSkipVerify !== true,
              peerCertUri: transport?.config.peerCertURI ?? null,
            }
          : null,
        maxIdle: maxIdle > 0 ? maxIdle : 200,
        maxConnections: MAX_CONNECTIONS,
        dialTimeoutMs: timeouts?.dialTimeout ?? 30_000,
        responseHeaderTimeoutMs: timeouts?.responseHeaderTimeout ?? 0,
        idleTimeoutMs: timeouts?.idleConnTimeout ?? 90_000,
      })),
    };
  }

  /** Internal services are served by the primary on a unix socket, each under a path of its name. */
  #internal(name: string): Endpoint {
    const path = this.#snapshot.internalSocket;
    return {
      url: `unix:${path}`,
      weight: 1,
      host: 'internal',
      basePath: `/${name}`,
      state: this.#state(name, `unix:${path}`),
      pool: this.#pool(`unix:${path} ${INTERNAL_TRANSPORT}`, (key) => ({
        key,
        address: path,
        connect: { path },
        tls: null,
        maxIdle: 16,
        maxConnections: 256,
        dialTimeoutMs: 5_000,
        responseHeaderTimeoutMs: 30_000,
        idleTimeoutMs: 10_000,
      })),
    };
  }

  #state(service: string, url: string): EndpointState {
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

  #pool(key: string, make: (key: string) => PoolTarget): UpstreamPool {
    const previous = this.#previous;
    let pool = this.#pools.get(key) ?? (previous === null ? undefined : previous.#pools.get(key));
    if (pool === undefined) pool = new UpstreamPool(make(key));
    this.#pools.set(key, pool);
    return pool;
  }

  #context(transport: ServersTransportSnapshot | undefined): tls.SecureContext {
    const name = transport?.name ?? '';
    let context = this.#contexts.get(name);
    if (context === undefined) {
      const rootCAs = transport?.rootCAs ?? [];
      const pairs = transport?.certificates ?? [];
      const { minVersion, maxVersion } = transport?.config ?? {};
      context = tls.createSecureContext({
        ...(rootCAs.length > 0 ? { ca: [...rootCAs] } : {}),
        ...(pairs.length > 0 ? { cert: pairs.map((pair) => pair.cert), key: pairs.map((pair) => pair.key) } : {}),
        ...(minVersion === undefined ? {} : { minVersion: version(minVersion) }),
        ...(maxVersion === undefined ? {} : { maxVersion: version(maxVersion) }),
      });
      this.#contexts.set(name, context);
    }
    return context;
  }
}

/** @throws where it is no version; the check has said so already, and disabled the transport */
function version(name: string): tls.SecureVersion {
  const mapped = mapVersion(name);
  if (!mapped.ok) throw new Error(mapped.message);
  return mapped.value;
}
