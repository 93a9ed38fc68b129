import net, { type Server, type Socket } from 'node:net';
import { ProxyError } from '../core/errors.ts';
import type { LiveChallenges } from './challenges.ts';
import { onTick } from './clock.ts';
import type { Exchange, Peer, PeerTls } from './exchange.ts';
import { DEFAULT_MAX_FIELDS, DEFAULT_MAX_LINE_BYTES } from './http1/limits.ts';
import { type Http1Service, ServerConnection } from './http1/server-connection.ts';
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
  /** The listening socket cannot be accepted on. */
  deaf(entryPoint: string, code: string): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>): void;
}

/** Pending connections that the kernel keeps; more than Node's 511, since a respawn must lose none. */
const BACKLOG = 4_096;
/** A client that sends no request for so long is not about to send one. */
const QUIET_MS = 1_000;

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
  #retiring = false;
  accepted = 0;

  constructor(entryPoint: string, host: ListenerHost) {
    this.entryPoint = entryPoint;
    this.#host = host;
    const { config } = host.runtime(entryPoint);
    this.#service = {
      entryPoint,
      limits: limitsOf(config.maxHeaderBytes),
      timeouts: config.timeouts,
      sanitizePath: config.sanitizePath,
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
        this.#serve(socket, null);
      },
    });
    // Half-open: the codec itself says when the sending side closes.
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#server.on('error', (error: NodeJS.ErrnoException) => {
      host.log('error', `entry point ${entryPoint}: ${error.message}`, { entryPoint });
      if (!this.#server.listening) host.deaf(entryPoint, error.code ?? 'UNKNOWN');
    });
    this.#stopTicking = onTick((now) => {
      for (const connection of this.#connections) {
        connection.tick(now);
        if (this.#retiring) connection.drainWhenQuiet(now - QUIET_MS);
      }
    });
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
    this.#service.limits = limitsOf(config.maxHeaderBytes);
    this.#service.timeouts = config.timeouts;
    this.#service.sanitizePath = config.sanitizePath;
  }

  /** From now on every response says `Connection: close`. */
  stopKeepingAlive(): void {
    this.#service.draining = true;
  }

  /** Accepts no more, and lets go of what is idle. */
  drain(): void {
    this.#service.draining = true;
    if (this.#server.listening) this.#server.close();
    for (const connection of this.#connections) connection.drain();
    for (const socket of this.#handshaking) socket.destroy();
  }

  /**
   * Accepts no more; another worker does. A connection that is in use is told with its next answer that it ends, and one that
   * is quiet is closed: a client that was about to use it would see its request fail.
   */
  retire(): void {
    this.#service.draining = true;
    this.#retiring = true;
    this.#server.close();
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
    this.accepted++;
    const runtime = this.#host.runtime(this.entryPoint);
    if (!runtime.peeks && !this.#host.challenges.expectsTls) {
      this.#serve(socket, null);
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
      this.#serve(tlsSocket, info);
    });
  }

  #serve(socket: Socket, tls: PeerTls | null): void {
    const address = plainAddress(socket.remoteAddress);
    if (address === null) {
      // Gone before it was looked at.
      socket.destroy();
      return;
    }
    const runtime = this.#host.runtime(this.entryPoint);
    const peer = new SocketPeer(socket, address, tls, runtime.trusts(address));
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

function limitsOf(maxHeadBytes: number): Http1Service['limits'] {
  return { maxHeadBytes, maxLineBytes: Math.min(maxHeadBytes, DEFAULT_MAX_LINE_BYTES), maxFields: DEFAULT_MAX_FIELDS };
}
