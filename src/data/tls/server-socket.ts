import type { Socket } from 'node:net';
import { TLSSocket, type TLSSocketOptions } from 'node:tls';

/**
 * The server side of a TLSSocket made by hand. Node's documented API stops short of three things that its own `tls.Server`
 * and `TLSSocket` do (lib/internal/tls/wrap.js); they are used here and nowhere else:
 *
 * - `_handle.verifyError()`: what OpenSSL found when it verified the client's certificate. Node never lets that fail the
 *   handshake by itself, and `authorized` is only set by `tls.Server`.
 * - `_releaseControl()`: until it is called, TLS errors after the handshake are swallowed and the connection hangs.
 * - `_handle.receive()`: gives OpenSSL bytes that were read from the socket before. `socket.unshift()` has the same effect,
 *   but hands them over in one piece, which costs the connection 16 KiB for as long as it lives, see `feedServerSocket`.
 *
 * A `tls.Server` that connections are injected into would do both, but gives no way from the socket that went in to the
 * one that comes out. Tests hold each of them against real clients.
 */
interface ServerTlsSocket extends TLSSocket {
  _releaseControl(): boolean;
  readonly _handle: { verifyError(): Error | null | undefined; receive(bytes: Uint8Array): void } | null;
}

/** The TCP socket below a TLS socket. */
const carriers = new WeakMap<Socket, Socket>();

const usable = typeof (TLSSocket.prototype as unknown as Partial<ServerTlsSocket>)._releaseControl === 'function';

/**
 * Starts the server side of TLS on a connected socket. What was read from it before is to be given with {@link feedServerSocket}.
 *
 * @throws where this version of Node has changed under us
 */
export function wrapServerSocket(socket: Socket, options: TLSSocketOptions): TLSSocket {
  if (!usable) throw new Error(`Node ${process.version} is not supported: TLSSocket has no _releaseControl`);
  const wrapped = new TLSSocket(socket, options);
  carriers.set(wrapped, socket);
  return wrapped;
}

/**
 * Bytes that are given to OpenSSL at once. Node keeps what OpenSSL has not read yet in a buffer of 1 KiB, and adds one of
 * 16 KiB for good when it is full: pieces below that are read before the next one comes, so that an idle connection stays
 * small.
 */
const PIECE = 1_000;

/**
 * Gives the TLS side what was already read from the connection, before anything else that comes.
 *
 * @throws where this version of Node has changed under us
 */
export function feedServerSocket(socket: TLSSocket, bytes: Buffer): void {
  const server = socket as ServerTlsSocket;
  for (let from = 0; from < bytes.length; from += PIECE) {
    // A piece that is no TLS ends the connection.
    server._handle?.receive(bytes.subarray(from, from + PIECE));
  }
}

/** Breaks a client's connection by RST, without a close_notify: its peer cannot take that for the end of a message. */
export function resetConnection(socket: Socket): void {
  // TLSSocket.resetAndDestroy() throws: only the TCP socket below can send the RST.
  (carriers.get(socket) ?? socket).resetAndDestroy();
  socket.destroy();
}

/** To be called once, when the handshake is done: from now on TLS errors are emitted as `error`. */
export function releaseControl(socket: TLSSocket): void {
  (socket as ServerTlsSocket)._releaseControl();
}

/**
 * Why OpenSSL does not trust the client's certificate: a code such as `CERT_HAS_EXPIRED`. Null where it does, and where no
 * certificate came. A handle that cannot say is taken for distrust.
 */
export function clientVerifyError(socket: TLSSocket): string | null {
  const handle = (socket as ServerTlsSocket)._handle;
  if (typeof handle?.verifyError !== 'function') return 'UNKNOWN';
  const error = handle.verifyError();
  if (!error) return null;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
