import net, { type Server, type Socket } from 'node:net';
import type { ConnectionCounts } from '../core/connection-counts.ts';
import { type ErrorCode, ProxyError } from '../core/errors.ts';
import type { EntryPointSnapshot } from '../core/snapshot.ts';
import type { LiveChallenges } from './challenges.ts';
import { afterAwake, clock, onTick } from './clock.ts';
import type { Exchange, Peer, PeerTls } from './exchange.ts';
import { type Http1Service, ServerConnection } from './http1/server-connection.ts';
import { type Excess, OpenConnections } from './open-connections.ts';
import { plainAddress } from './plain-address.ts';
import type { EntryPointRuntime } from './runtime.ts';
import { TlsTerminator } from './tls/terminator.ts';

/** What a listener needs of the worker. */
export interface ListenerHost {
  /** The entry point under the newest snapshot. */
  runtime(entryPoint: string): EntryPointRuntime;
  /** ACME challenges under way. */
  readonly challenges: LiveChallenges;
  finished(exchange: Exchange): void;
  refused(entryPoint: string, peer: Peer, error: ProxyError, status: number): void;
  /** Connections of clients that the process may hold, and holds, on all entry points. */
  readonly room: number;
  readonly held: number;
  /** A connection was closed before a byte of it was read. */
  turnedAway(code: ErrorCode): void;
  /** The listening socket cannot be accepted on. */
  deaf(entryPoint: string, code: string): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>): void;
}

/** Pending connections that the kernel keeps; more than Node's 511, since a respawn must lose none. */
const BACKLOG = 4_096;
/** A client that sends no request for so long is not about to send one. */
const QUIET_MS = 1_000;
/** Connections that are ended in one turn of the event loop because their time is up. */
const TICK_BATCH = 32;
/** Between two words in the log about the same limit. */
const LIMIT_LOG_MS = 10_000;

/** Accepts connections on one entry point, ends their TLS, and gives each to a codec. */
export class Listener {
  readonly entryPoint: string;
  readonly #host: ListenerHost;
  readonly #server: Server;
  readonly #service: Http1Service;
  readonly #tls: TlsTerminator;
  readonly #connections = new Set<ServerConnection>();
  /** Connections before their codec: in the TLS handshake. */
  readonly #handshaking = new Set<Socket>();
  readonly #stopTicking: () => void;
  readonly #open = new OpenConnections();
  readonly #toldAt: Record<Excess | 'descriptors', number> = { total: 0, address: 0, descriptors: 0 };
  /** It accepts no more. */
  #ending = false;
  /** Connections that came, let in or not. */
  #came = 0;
  accepted = 0;

  constructor(entryPoint: string, host: ListenerHost) {
    this.entryPoint = entryPoint;
    this.#host = host;
    const { config } = host.runtime(entryPoint);
    this.#service = {
      entryPoint,
      limits: limitsOf(config),
      lifetime: config.limits,
      timeouts: config.timeouts,
      sanitizePath: config.sanitizePath,
      underscoreHeaders: config.underscoreHeaders,
      refusedEncodings: config.refusedEncodings,
      draining: false,
      dispatch: (exchange) => this.#dispatch(exchange),
      finished: (exchange) => host.finished(exchange),
      refused: (peer, error, status) => host.refused(entryPoint, peer, error, status),
    };
    this.#tls = new TlsTerminator({
      entryPoint: () => host.runtime(entryPoint).tls,
      challenge: (serverName) => host.challenges.tls(serverName),
      plaintext: (socket) => {
        this.#handshaking.delete(socket);
        this.#serve(socket, null, socket);
      },
    });
    // Half-open: the codec itself says when the sending side closes.
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#server.on('error', (error: NodeJS.ErrnoException) => {
      host.log('error', `entry point ${entryPoint}: ${error.message}`, { entryPoint });
      if (!this.#server.listening) host.deaf(entryPoint, error.code ?? 'UNKNOWN');
    });
    this.#stopTicking = onTick(() => this.#tick(this.#connections.values(), clock.awake));
  }

  /** A thousand deadlines that pass together must not keep everybody else waiting: so many, then it is others' turn. */
  #tick(connections: Iterator<ServerConnection>, now: number): void {
    let acted = 0;
    for (let next = connections.next(); next.done !== true; next = connections.next()) {
      if (this.#ending) next.value.closeWhenQuiet(now - QUIET_MS);
      if (next.value.tick(now) && ++acted === TICK_BATCH) {
        setImmediate(() => this.#tick(connections, now));
        return;
      }
    }
  }

  /** Connections that are open now. */
  get size(): number {
    return this.#connections.size + this.#handshaking.size;
  }

  /** Accepts on a listening socket that the primary holds. */
  listen(handle: unknown, done: () => void): void {
    this.#server.listen(handle as net.ListenOptions, BACKLOG, done);
  }

  /** The entry point's settings may have changed with the snapshot. */
  refresh(): void {
    const { config } = this.#host.runtime(this.entryPoint);
    this.#service.limits = limitsOf(config);
    this.#service.lifetime = config.limits;
    this.#service.timeouts = config.timeouts;
    this.#service.sanitizePath = config.sanitizePath;
    this.#service.underscoreHeaders = config.underscoreHeaders;
    this.#service.refusedEncodings = config.refusedEncodings;
  }

  /** From now on every response says `Connection: close`. */
  stopKeepingAlive(): void {
    this.#service.draining = true;
  }

  /**
   * Accepts no more. A connection that is in use is told with its next answer that it ends, and one that is quiet is closed: a
   * client that was about to use it would see its request fail.
   */
  drain(): void {
    this.#end();
    this.#acceptRest(clock.awake + QUIET_MS, -1);
    // Who has not begun with TLS by then is not about to.
    afterAwake(QUIET_MS, () => {
      for (const socket of this.#handshaking) if (socket.bytesRead === 0) socket.destroy();
    });
  }

  /** As {@link drain}, where another worker accepts. */
  retire(): void {
    this.#end();
    if (this.#server.listening) this.#server.close();
  }

  #end(): void {
    this.#service.draining = true;
    this.#ending = true;
  }

  /**
   * Who waits in the kernel's queue has connected, and would be reset: the end comes after a turn in which nobody came.
   * @param came as many as had come a turn ago
   */
  #acceptRest(until: number, came: number): void {
    const now = this.#came;
    if (now !== came && clock.awake < until) setImmediate(() => this.#acceptRest(until, now));
    else if (this.#server.listening) this.#server.close();
  }

  /** Cuts what is left. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#handshaking) socket.destroy();
    this.#stopTicking();
  }

  /** A fault of the proxy in one request must not take the worker's other requests with it. */
  #dispatch(exchange: Exchange): void {
    try {
      this.#host.runtime(this.entryPoint).dispatch(exchange);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#host.log('error', `a request failed in the proxy: ${text}`, { router: exchange.routerName });
      exchange.fail(new ProxyError('PROXY_INTERNAL', text, error));
    }
  }

  #accept(socket: Socket): void {
    this.#came++;
    const runtime = this.#host.runtime(this.entryPoint);
    const address = plainAddress(socket.remoteAddress);
    if (address === null) {
      // Gone before it was looked at.
      socket.destroy();
      return;
    }
    const trusted = runtime.trusts(address);
    if (!this.#admits(socket, address, runtime.config.limits, trusted)) return;
    this.accepted++;
    this.#open.opened(address);
    socket.once('close', () => this.#open.closed(address));
    if (!runtime.peeks && !this.#host.challenges.expectsTls) {
      this.#serve(socket, null, socket);
      return;
    }
    this.#handshaking.add(socket);
    // The set must not hold a socket that ended in the handshake.
    socket.once('close', () => this.#handshaking.delete(socket));
    this.#tls.accept(socket, (failure, tlsSocket, info) => {
      this.#handshaking.delete(socket);
      if (tlsSocket === null || info === null) {
        if (failure !== null) {
          this.#host.log('debug', `TLS handshake failed: ${failure.reason}`, {
            entryPoint: this.entryPoint,
            ...failure,
          });
        }
        return;
      }
      this.#serve(tlsSocket, info, socket);
    });
  }

  /** One connection too many is reset at once: an answer would cost what is to be saved. */
  #admits(socket: Socket, address: string, limits: EntryPointSnapshot['limits'], trusted: boolean): boolean {
    const full = this.#host.held >= this.#host.room;
    const excess = full ? 'descriptors' : this.#open.excess(address, limits, trusted);
    if (excess === null) return true;
    socket.resetAndDestroy();
    this.#host.turnedAway(excess === 'address' ? 'CLIENT_CONNECTION_LIMIT' : 'PROXY_CONNECTION_LIMIT');
    const now = performance.now();
    if (this.#toldAt[excess] === 0 || now - this.#toldAt[excess] > LIMIT_LOG_MS) {
      this.#toldAt[excess] = now;
      const what = {
        total: `${limits.maxConnections} connections are open (limits.maxConnections)`,
        address: `${address} has ${limits.maxConnectionsPerIP} connections open (limits.maxConnectionsPerIP)`,
        descriptors: `${this.#host.room} connections are open, and what is left of the worker's descriptors is for upstreams (raise LimitNOFILE, or ulimit -n)`,
      }[excess];
      this.#host.log('warn', `entry point ${this.entryPoint}: ${what}; further ones are reset`, {
        entryPoint: this.entryPoint,
      });
    }
    return false;
  }

  /** How the open connections changed since the last call. */
  connectionChanges(): ConnectionCounts | null {
    return this.#open.changes();
  }

  /** Another worker listens now: it is to hear of all that is open here. */
  recount(): void {
    this.#open.sayAll();
  }

  neighbour(worker: number, counts: ConnectionCounts): void {
    this.#open.heard(worker, counts);
  }

  neighbourGone(worker: number): void {
    this.#open.gone(worker);
  }

  /** @param carrier the TCP socket, which knows its addresses by now: the TLS socket on it would ask the kernel again */
  #serve(socket: Socket, tls: PeerTls | null, carrier: Socket): void {
    const address = plainAddress(carrier.remoteAddress);
    if (address === null) {
      // Gone before it was looked at.
      socket.destroy();
      return;
    }
    const runtime = this.#host.runtime(this.entryPoint);
    const peer = new SocketPeer(carrier, address, tls, runtime.trusts(address));
    const connection = new ServerConnection(socket, peer, this.#service, this.#closed);
    this.#connections.add(connection);
  }

  readonly #closed = (connection: ServerConnection): void => {
    this.#connections.delete(connection);
  };
}

class SocketPeer implements Peer {
  readonly address: string;
  readonly tls: PeerTls | null;
  readonly trusted: boolean;
  readonly port: number;
  readonly #socket: Socket;
  forwardedLines: string | null = null;
  loggedFields: string | undefined = undefined;

  constructor(socket: Socket, address: string, tls: PeerTls | null, trusted: boolean) {
    this.#socket = socket;
    this.address = address;
    this.tls = tls;
    this.trusted = trusted;
    this.port = socket.remotePort ?? 0;
  }

  // Asked for by few: a system call each.
  get localAddress(): string {
    return plainAddress(this.#socket.localAddress) ?? '';
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }
}

function limitsOf({ maxHeaderBytes, limits }: EntryPointSnapshot): Http1Service['limits'] {
  return {
    maxHeadBytes: maxHeaderBytes,
    maxLineBytes: Math.min(maxHeaderBytes, limits.maxRequestLineBytes),
    maxFields: limits.maxHeaders,
  };
}
