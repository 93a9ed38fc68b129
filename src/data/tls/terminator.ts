import type { Socket } from 'node:net';
import type { TLSSocket, TLSSocketOptions } from 'node:tls';
import { ACME_TLS_ALPN } from '../../core/tls/alpn.ts';
import { afterAwake } from '../clock.ts';
import type { EntryPointTls } from './certificate-store.ts';
import { judgeClientCertificate } from './client-certificate.ts';
import type { CompiledOptions } from './compiled-options.ts';
import {
  alertFor,
  alertRecord,
  reasonOf,
  TLS_FAILURE_REASONS,
  type TlsFailure,
  type TlsFailureReason,
} from './failure.ts';
import { type PeekedHello, peekClientHello } from './peek-client-hello.ts';
import { feedServerSocket, releaseControl, wrapServerSocket } from './server-socket.ts';
import { TlsInfo } from './tls-info.ts';

export type TlsDone = (error: TlsFailure | null, tls: TLSSocket | null, info: TlsInfo | null) => void;

export interface TlsTerminatorOptions {
  /** The TLS side of the entry point as of now: asked for at each connection, so that a reload needs no word here. */
  readonly entryPoint: () => EntryPointTls;
  /** Milliseconds from the accepted connection to the end of the handshake. */
  readonly handshakeTimeoutMs?: number;
  /**
   * Gets connections that do not begin with TLS, untouched (what was read is put back). Absent: they are a failure.
   */
  readonly plaintext?: (socket: Socket) => void;
  /**
   * Asked where a client offers `acme-tls/1` and nothing else: what it is answered with, if that challenge is under way.
   * Such a connection ends with its handshake (RFC 8737 section 4), and `done` is not called.
   */
  readonly challenge?: (serverName: string) => Readonly<TLSSocketOptions> | null;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;

/** What curl says of a TLS alert in its place would not help the one who typed http for https. */
const PLAINTEXT_ANSWER =
  'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 41\r\n\r\nThis port speaks HTTPS, not plain HTTP.\r\n';
const HTTP_METHOD = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE|PRI) /;

/**
 * Turns accepted connections into TLS connections.
 *
 *   accept ─► peek the ClientHello ─► options by SNI ─► certificate by SNI ─► TLSSocket ─► client certificate ─► done
 *
 * The hello is read before OpenSSL sees it, as protocol versions, ciphers and what is asked of the client are fixed in
 * OpenSSL before its own SNI callback runs. Measured, the peek costs less than that callback.
 */
export class TlsTerminator {
  readonly #options: TlsTerminatorOptions;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #failures = Object.fromEntries(TLS_FAILURE_REASONS.map((reason) => [reason, 0])) as Record<
    TlsFailureReason,
    number
  >;
  #handshakes = 0;
  #pending = 0;

  constructor(options: TlsTerminatorOptions) {
    this.#options = options;
    this.#timeoutMs = options.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS;
    this.#now = options.now ?? Date.now;
  }

  /** Handshakes that failed since the start, by reason. */
  get failures(): Readonly<Record<TlsFailureReason, number>> {
    return this.#failures;
  }

  /** Handshakes that succeeded since the start. */
  get handshakes(): number {
    return this.#handshakes;
  }

  /** Connections that are between `accept` and `done`. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Takes a connection that nobody has read from. `done` is called once and never before this has returned, or not at all
   * where the connection went to `plaintext`. After a failure the socket is closed; after a success the TLS socket has an
   * error handler that destroys it, so that no error of a client can become an uncaught exception.
   */
  accept(socket: Socket, done: TlsDone): void {
    let sni: string | null = null;
    let tls: TLSSocket | null = null;
    let settled = false;

    /**
     * The first outcome is the one that counts. Nothing of the handshake stays on the sockets, or a connection would hold
     * all of this for as long as it lives: some 2 KiB.
     */
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      this.#pending--;
      cancelTimer();
      stopPeeking();
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      tls?.off('end', onEnd);
      for (const side of [socket, tls]) side?.off('error', onError).on('error', destroyFailed);
      return true;
    };
    const fail = (reason: TlsFailureReason, detail: string, lastWords?: Buffer | string): void => {
      if (!settle()) return;
      this.#failures[reason]++;
      if (tls !== null) tls.destroy();
      else if (lastWords === undefined || socket.destroyed) socket.destroy();
      else closeWith(socket, lastWords);
      done({ reason, detail, sni }, null, null);
    };
    const refuse = (reason: TlsFailureReason, detail: string): void => {
      fail(reason, detail, alertRecord(alertFor(reason)));
    };
    const onEnd = (): void => fail('closed', 'the client closed the connection during the handshake');
    const onError = (error: Error): void => {
      fail(reasonOf(error), error.message);
    };

    /** A fault of ours, or a client certificate that nobody foresaw, must cost this connection and no other. */
    const attempt = <T>(step: () => T): T | null => {
      try {
        return step();
      } catch (error) {
        refuse('internal', error instanceof Error ? error.message : String(error));
        return null;
      }
    };

    const onHello = (hello: PeekedHello, bytes: Buffer): void => {
      if (hello.state === 'not-tls') onPlaintext(bytes);
      else if (hello.state === 'malformed') refuse('malformed-hello', hello.reason);
      else {
        sni = hello.sni;
        if (hello.alpn.length !== 1 || hello.alpn[0] !== ACME_TLS_ALPN || sni === null || !challenged(sni, bytes))
          startTls(bytes);
      }
    };
    /** @returns whether the connection is that of a certificate authority, and taken care of */
    const challenged = (serverName: string, bytes: Buffer): boolean => {
      const { challenge } = this.#options;
      if (challenge === undefined) return false;
      const answer = attempt(() => ({ options: challenge(serverName) }));
      // Refused already: the certificate for the challenge cannot be used.
      if (answer === null) return true;
      const { options } = answer;
      if (options === null) return false;
      const wrapped = attempt(() => wrapServerSocket(socket, options));
      if (wrapped === null) return true;
      socket.off('end', onEnd);
      tls = wrapped;
      wrapped.on('error', onError);
      wrapped.on('end', onEnd);
      wrapped.once('secure', () => {
        if (settle()) closeWith(wrapped);
      });
      attempt(() => feedServerSocket(wrapped, bytes));
      return true;
    };
    const onPlaintext = (bytes: Buffer): void => {
      const handler = this.#options.plaintext;
      if (handler === undefined) {
        const isHttp = HTTP_METHOD.test(bytes.toString('latin1', 0, 8));
        fail('not-tls', 'the client does not speak TLS', isHttp ? PLAINTEXT_ANSWER : undefined);
      } else if (settle()) {
        socket.off('error', destroyFailed);
        socket.unshift(bytes);
        handler(socket);
      }
    };
    const startTls = (bytes: Buffer): void => {
      const selection = attempt(() => this.#options.entryPoint().select(sni, () => socket.localAddress));
      if (selection === null) return;
      if (!selection.ok) {
        refuse(selection.reason, selection.detail);
        return;
      }
      const { options, context } = selection;
      const wrapped = attempt(() => wrapServerSocket(socket, context.socketOptions));
      if (wrapped === null) return;
      socket.off('end', onEnd);
      tls = wrapped;
      wrapped.on('error', onError);
      // The TLS side alone is told from here on: who leaves in the middle is not kept until the timeout.
      wrapped.on('end', onEnd);
      wrapped.once('secure', () => onSecure(wrapped, options));
      attempt(() => feedServerSocket(wrapped, bytes));
    };
    const onSecure = (secured: TLSSocket, options: CompiledOptions): void => {
      if (settled) return;
      const verdict = attempt(() => judgeClientCertificate(secured, options, this.#now()));
      if (verdict === null) return;
      if (!verdict.ok) {
        fail(verdict.reason, verdict.detail);
        return;
      }
      if (secured.destroyed || !settle()) return;
      this.#handshakes++;
      releaseControl(secured);
      done(null, secured, new TlsInfo(secured, sni, options, verdict.verified));
    };

    this.#pending++;
    const cancelTimer = afterAwake(this.#timeoutMs, () => fail('timeout', `no handshake within ${this.#timeoutMs} ms`));
    const stopPeeking = peekClientHello(socket, onHello);
    socket.on('error', onError);
    socket.on('close', onEnd);
    socket.on('end', onEnd);
    // No event will come of a socket that is gone already.
    if (socket.destroyed) process.nextTick(onEnd);
  }
}

/** The error handler of sockets that are past their handshake; a TLS socket goes with the TCP socket below it. */
function destroyFailed(this: Socket): void {
  this.destroy();
}

/** Sends a few bytes, then closes. What the client still sends meanwhile is dropped, and so is the client after a second. */
function closeWith(socket: Socket, words: Buffer | string = ''): void {
  const timer = setTimeout(() => socket.destroy(), 1000);
  socket.once('close', () => clearTimeout(timer));
  socket.end(words, () => socket.destroy());
  socket.resume();
}
