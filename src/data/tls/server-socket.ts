import type { Socket } from 'node:net';
import { TLSSocket, type TLSSocketOptions } from 'node:tls';

/**
 * The server side of a TLSSocket made by hand. Node's documented API stops short of two things that its own `tls.Server`
 * does when a handshake is done (lib/internal/tls/wrap.js, `onServerSocketSecure`); they are used here and nowhere else:
 *
 * - `_handle.verifyError()`: what OpenSSL found when it verified the client's certificate. Node never lets that fail the
 *   handshake by itself, and `authorized` is only set by `tls.Server`.
 * - `_releaseControl()`: until it is called, TLS errors after the handshake are swallowed and the connection hangs.
 *
 * A `tls.Server` that connections are injected into would do both, but gives no way from the socket that went in to the
 * one that comes out. Tests hold each of the two against real clients.
 */
interface ServerTlsSocket extends TLSSocket {
  _releaseControl(): boolean;
  readonly _handle: { verifyError(): Error | null | undefined } | null;
}

/** The TCP socket below a TLS socket. */
const carriers = new WeakMap<Socket, Socket>();

const usable = typeof (TLSSocket.prototype as unknown as Partial<ServerTlsSocket>)._releaseControl === 'function';

/**
 * Starts the server side of TLS on a connected socket. Bytes that were put back with `unshift` are read first.
 *
 * @throws where this version of Node has changed under us
 */
export function wrapServerSocket(socket: Socket, options: TLSSocketOptions): TLSSocket {
  if (!usable) throw new Error(`Node ${process.version} is not supported: TLSSocket has no _releaseControl`);
  const wrapped = new TLSSocket(socket, options);
  carriers.set(wrapped, socket);
  return wrapped;
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
