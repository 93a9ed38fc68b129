import tls from 'node:tls';
import type { ProxyError } from '../../core/errors.ts';
import type { ServersTransportSnapshot, Snapshot } from '../../core/snapshot.ts';
import { mapVersion } from '../../core/tls/versions.ts';
import { hostOf, portOf } from '../../core/url-address.ts';
import { type PoolTarget, UpstreamPool } from './pool.ts';

/** Connections to one upstream address, in one worker. Beyond it requests are refused rather than the machine brought down. */
const MAX_CONNECTIONS = 8_192;
const MAX_IDLE = 200;

/** A server as it is reached. */
export interface Reach {
  readonly pool: UpstreamPool;
  /** Value of the Host header where the client's own is not passed on. */
  readonly host: string;
  /** The path of its URL, without a slash at the end. */
  readonly path: string;
}

/** The pools of one snapshot. What is reached in the same way shares one; they are taken over by content at a reload. */
export class Pools {
  readonly #snapshot: Snapshot;
  readonly #pools = new Map<string, UpstreamPool>();
  readonly #contexts = new Map<string, tls.SecureContext>();
  /** Of earlier snapshots, with requests under way. */
  readonly #retired: Set<UpstreamPool>;
  #previous: Pools | null;

  constructor(snapshot: Snapshot, previous: Pools | null) {
    this.#snapshot = snapshot;
    this.#previous = previous;
    this.#retired = previous === null ? new Set() : previous.#retired;
  }

  /**
   * @param maxIdle connections kept between requests; undefined: what the transport says
   * @throws where the transport does not exist, or its TLS cannot be used
   */
  server(serverUrl: string, transportName: string, maxIdle?: number): Reach {
    const url = new URL(serverUrl);
    const secure = url.protocol === 'https:';
    const host = hostOf(url);
    const port = portOf(url);
    const transport = this.#snapshot.http.serversTransports[transportName];
    if (transport === undefined && transportName !== 'default@internal') {
      throw new Error(`the serversTransport ${transportName} does not exist`);
    }
    const perHost = transport?.config.maxIdleConnsPerHost ?? 0;
    const idle = maxIdle ?? (perHost > 0 ? perHost : MAX_IDLE);
    const idleTimeoutMs = transport?.config.forwardingTimeouts.idleConnTimeout ?? 90_000;
    const content = JSON.stringify(secure ? [idle, transport ?? null] : [idle, idleTimeoutMs]);
    const pool = this.#pool(`${url.protocol}//${host}:${port} ${content}`, (key) => ({
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
      maxIdle: idle,
      maxConnections: MAX_CONNECTIONS,
      idleTimeoutMs,
    }));
    return { pool, host: url.host, path: url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '') };
  }

  /** The unix socket of the primary. */
  internal(): UpstreamPool {
    const path = this.#snapshot.internalSocket;
    return this.#pool(`unix:${path}`, (key) => ({
      key,
      address: path,
      connect: { path },
      tls: null,
      maxIdle: 16,
      maxConnections: 256,
      idleTimeoutMs: 10_000,
    }));
  }

  /** No more pools are asked for: the previous generation is not held through this one. */
  seal(): void {
    this.#previous = null;
  }

  /** Closes the pools that the next generation does not use. */
  retire(next: Pools): void {
    for (const [key, pool] of this.#pools) {
      if (next.#pools.get(key) === pool) continue;
      // A request that waits, or whose body is still being read, may connect later: it is looked after from then on.
      pool.close(() => this.#retired.add(pool));
      if (pool.size > 0) this.#retired.add(pool);
    }
  }

  closeAll(): void {
    for (const pool of this.#pools.values()) pool.close();
  }

  /** Called each time the coarse clock advances. */
  tick(now: number): void {
    for (const pool of this.#pools.values()) pool.tick(now);
    for (const pool of this.#retired) {
      pool.tick(now);
      if (pool.size === 0) this.#retired.delete(pool);
    }
  }

  /** Tells who waits on behalf of `state`, see {@link UpstreamPool.abandon}. */
  abandon(state: object, error: ProxyError): void {
    for (const pool of this.#pools.values()) pool.abandon(state, error);
    for (const pool of this.#retired) pool.abandon(state, error);
  }

  #pool(key: string, make: (key: string) => PoolTarget): UpstreamPool {
    const previous = this.#previous === null ? undefined : this.#previous.#pools.get(key);
    const pool = this.#pools.get(key) ?? previous ?? new UpstreamPool(make(key));
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
