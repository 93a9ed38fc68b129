import net from 'node:net';
import tls from 'node:tls';
import { ProxyError } from '../../core/errors.ts';
import { afterAwake, clock, RESOLUTION_MS } from '../clock.ts';
import { Addresses, type Resolve } from './addresses.ts';
import { type ConnectionOwner, ReadBuffer, UpstreamConnection } from './connection.ts';
import { keepAfterWriteError } from './keep-reading.ts';

/** Where a pool connects, and how. */
export interface PoolTarget {
  /** Identifies the target by content: pools with the same key are taken over at a reload. */
  readonly key: string;
  /** For messages and the access log: `host:port`, or the socket's path. */
  readonly address: string;
  readonly connect: { readonly host: string; readonly port: number } | { readonly path: string };
  readonly tls: PoolTls | null;
  /** Kept idle for longer than a moment; 0 = none are kept. */
  readonly maxIdle: number;
  readonly maxConnections: number;
  /** Milliseconds that an idle connection is kept, 0 = no limit. */
  readonly idleTimeoutMs: number;
}

export interface PoolTls {
  readonly context: tls.SecureContext;
  /** Sent as SNI and compared with the certificate; null: the host of the URL. */
  readonly serverName: string | null;
  readonly verify: boolean;
  /** A URI that must stand in the certificate's SAN instead of the name. */
  readonly peerCertUri: string | null;
}

export interface Waiter {
  /** On whose behalf it asks, see {@link UpstreamPool.abandon}. */
  readonly state: object | null;
  onConnected(connection: UpstreamConnection): void;
  onConnectFailed(error: ProxyError): void;
}

/** One of several addresses of a name that does not answer is left for the next after this long. */
const ADDRESS_TIMEOUT_MS = 1_000;

/** Bounded connections to one upstream address, kept open between requests. */
export class UpstreamPool implements ConnectionOwner {
  readonly target: PoolTarget;
  /** Null where the target is an address already, or a socket. */
  readonly #addresses: Addresses | null;
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<UpstreamConnection>();
  /** Connections being made: who waits, and how to fail them. */
  readonly #connecting = new Map<Waiter, (error: ProxyError) => void>();
  #closing = false;
  /** Told of connections that are made after {@link close}. */
  #onUse: (() => void) | null = null;
  #session: Buffer | null = null;

  constructor(target: PoolTarget, resolve?: Resolve) {
    this.target = target;
    const { connect } = target;
    this.#addresses = 'host' in connect && net.isIP(connect.host) === 0 ? new Addresses(connect.host, resolve) : null;
  }

  /** Open connections and those being made. */
  get size(): number {
    return this.#all.size + this.#connecting.size;
  }

  /** An idle connection, the one used last first: the others grow old and are closed. */
  takeIdle(): UpstreamConnection | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      if (connection.usable) return connection;
    }
  }

  /**
   * Makes a connection. Returns a function that gives up.
   * @param timeoutMs 0 = no limit
   * @param raw its socket may be given away after an upgrade: it delivers `data` events and can be half closed
   */
  connect(waiter: Waiter, timeoutMs: number, raw: boolean): () => void {
    const { target } = this;
    if (this.size >= target.maxConnections) {
      const error = new ProxyError('PROXY_OVERLOADED', `${target.maxConnections} connections to ${target.address}`);
      // Not from within: what the waiter does about it, to connect elsewhere perhaps, comes after it has what this returns.
      let waiting = true;
      queueMicrotask(() => {
        if (waiting) waiter.onConnectFailed(error);
      });
      return () => {
        waiting = false;
      };
    }
    this.#onUse?.();
    let pending = true;
    const plain = target.tls === null;
    const buffer = plain && !raw ? new ReadBuffer() : null;
    let connection: UpstreamConnection | null = null;
    const socket = plain
      ? net.connect({
          ...target.connect,
          ...this.#lookup,
          noDelay: true,
          allowHalfOpen: raw,
          ...(buffer === null
            ? {}
            : {
                onread: {
                  buffer: buffer.next,
                  callback: (n: number, buf: Uint8Array): boolean => connection?.read(n, buf as Buffer) ?? true,
                },
              }),
        })
      : this.#connectTls(target.tls!);
    if (!raw) keepAfterWriteError(socket);
    const cancelTimer =
      timeoutMs > 0
        ? afterAwake(timeoutMs, () =>
            fail(
              new ProxyError('UPSTREAM_CONNECT_TIMEOUT', `no connection to ${target.address} within ${timeoutMs} ms`),
            ),
          )
        : null;
    const settle = (): boolean => {
      if (!pending) return false;
      pending = false;
      this.#connecting.delete(waiter);
      cancelTimer?.();
      socket.removeListener('error', onError);
      socket.removeListener('close', onClose);
      socket.removeListener(plain ? 'connect' : 'secureConnect', onConnect);
      return true;
    };
    const fail = (error: ProxyError): void => {
      if (!settle()) return;
      // A late error of a socket that nobody waits for.
      socket.on('error', () => {});
      socket.destroy();
      this.#addresses?.doubt();
      waiter.onConnectFailed(error);
    };
    const onError = (error: NodeJS.ErrnoException): void => fail(connectError(error, target.address, plain));
    const onClose = (): void => fail(new ProxyError('UPSTREAM_REFUSED', `${target.address} closed the connection`));
    const onConnect = (): void => {
      if (!settle()) return;
      connection = new UpstreamConnection(socket, this, buffer);
      connection.addressVersion = this.#addresses?.version ?? 0;
      this.#all.add(connection);
      waiter.onConnected(connection);
    };
    this.#connecting.set(waiter, fail);
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.on(plain ? 'connect' : 'secureConnect', onConnect);
    return () => {
      if (!settle()) return;
      socket.on('error', () => {});
      socket.destroy();
    };
  }

  /** How names are resolved; without a limit of its own on each address but what the dial timeout leaves. */
  get #lookup(): { lookup?: net.LookupFunction; autoSelectFamilyAttemptTimeout?: number } {
    if (this.#addresses === null) return {};
    return { lookup: this.#addresses.lookup, autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS };
  }

  #connectTls(options: PoolTls): tls.TLSSocket {
    const { connect } = this.target;
    const host = 'host' in connect ? connect.host : 'localhost';
    const name = options.serverName ?? host;
    const socket = tls.connect({
      ...connect,
      ...this.#lookup,
      secureContext: options.context,
      servername: net.isIP(name) === 0 ? name : '',
      rejectUnauthorized: options.verify,
      ALPNProtocols: ['http/1.1'],
      ...(this.#session === null ? {} : { session: this.#session }),
      checkServerIdentity: (_host, certificate) => {
        if (options.peerCertUri === null) return tls.checkServerIdentity(name, certificate);
        const uris = (certificate.subjectaltname ?? '').split(', ').filter((entry) => entry.startsWith('URI:'));
        return uris.includes(`URI:${options.peerCertUri}`)
          ? undefined
          : new Error(`the certificate does not carry the URI ${options.peerCertUri}`);
      },
    });
    socket.setNoDelay(true);
    socket.on('session', (session) => {
      this.#session = session;
    });
    return socket;
  }

  released(connection: UpstreamConnection): void {
    if (this.#closing || this.target.maxIdle === 0 || this.#moved(connection)) {
      connection.destroy();
      return;
    }
    connection.idleSince = clock.now;
    this.#idle.push(connection);
  }

  /** Whether the name no longer stands for the address that the connection goes to. */
  #moved(connection: UpstreamConnection): boolean {
    const addresses = this.#addresses;
    if (addresses === null || connection.addressVersion === addresses.version) return false;
    if (!addresses.has(connection.socket.remoteAddress)) return true;
    connection.addressVersion = addresses.version;
    return false;
  }

  closed(connection: UpstreamConnection): void {
    if (!this.#all.delete(connection)) return;
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** Called each time the coarse clock advances: idle connections grow old, responses come too late. */
  tick(now: number): void {
    const { idleTimeoutMs, address } = this.target;
    if (idleTimeoutMs > 0) {
      let old = 0;
      while (old < this.#idle.length && now - this.#idle[old]!.idleSince > idleTimeoutMs) old++;
      for (const connection of this.#idle.splice(0, old)) connection.destroy();
    }
    this.#trim(now);
    for (const connection of this.#all) connection.tick(clock.awake, address);
    if (this.#addresses === null || this.size === 0) return;
    this.#addresses.refresh();
    for (const connection of this.#idle.filter((one) => this.#moved(one))) connection.destroy();
  }

  /**
   * Closes what is idle beyond the limit, and has been throughout a tick. Closed as they come, the connections of many
   * requests at once would be made anew for the next ones: a thousand that are answered together leave a thousand idle for a
   * moment. Overload would feed on itself, as a new connection costs four times the request.
   */
  #trim(now: number): void {
    const idle = this.#idle;
    let surplus = 0;
    // The one idle for longest lies first.
    while (idle.length - surplus > this.target.maxIdle && now - idle[surplus]!.idleSince > RESOLUTION_MS) surplus++;
    for (const connection of idle.splice(0, surplus)) connection.destroy();
  }

  /**
   * An endpoint was found dead: who waits there without a byte of a response, or for a connection, is told at once, and the
   * idle connections are not used again.
   * @param state whose requests; another service may have the same address and think better of it
   */
  abandon(state: object, error: ProxyError): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
    for (const [waiter, fail] of [...this.#connecting]) if (waiter.state === state) fail(error);
    for (const connection of [...this.#all]) if (connection.waitsFor(state)) connection.fail(error);
  }

  /**
   * Nothing is kept for another use: idle connections are closed, those at work finish.
   * @param onUse a request that began before makes a connection after all
   */
  close(onUse: (() => void) | null = null): void {
    this.#closing = true;
    this.#onUse = onUse;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}

/** No descriptor, port or memory is left for a connection. */
const OWN_CODES = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);
const DNS_CODES = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME', 'EAI_FAIL']);

function connectError(error: NodeJS.ErrnoException, address: string, plain: boolean): ProxyError {
  const code = error.code ?? '';
  // The proxy's own lack, and no word about the upstream.
  if (OWN_CODES.has(code)) return new ProxyError('PROXY_OVERLOADED', `${address}: ${error.message}`, error);
  if (DNS_CODES.has(code)) return new ProxyError('UPSTREAM_DNS', `${address}: ${error.message}`, error);
  if (code === 'ETIMEDOUT') return new ProxyError('UPSTREAM_CONNECT_TIMEOUT', `${address}: ${error.message}`, error);
  if (!plain && !code.startsWith('ECONN') && !code.startsWith('EHOST') && !code.startsWith('ENET')) {
    return new ProxyError('UPSTREAM_TLS', `${address}: ${error.message}`, error);
  }
  return new ProxyError('UPSTREAM_REFUSED', `${address}: ${error.message}`, error);
}
