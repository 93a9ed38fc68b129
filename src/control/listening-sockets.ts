import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { formatAddress } from '../core/config/address.ts';
import { OperatorError } from '../core/operator-error.ts';
import { portOwner } from './port-owner.ts';

/** A bound socket that nobody accepts on in this process: workers get duplicates of it. */
export interface ListeningSocket {
  /** Node's own handle object; `worker.send` takes it. */
  readonly handle: object;
  close(): void;
}

/** Where a socket is bound. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

interface Handle {
  close(): void;
  /** 0, or an error number. libuv tells here that the address is taken: `bind` itself puts that off until `listen`. */
  getsockname?(out: object): number;
  getpeername?(out: object): number;
}

/**
 * `net._createServerHandle` binds without accepting. The primary must hold the socket itself so that a worker's death closes
 * nothing, and no documented call makes such a handle: `listen` would accept connections here, and the cluster module closes
 * a shared socket with its last worker.
 */
type CreateServerHandle = (
  address: string | null,
  port: number | null,
  addressType: 4 | 6 | -1,
  fd?: number,
  flags?: number,
) => Handle | number;
const createServerHandle = (net as unknown as { readonly _createServerHandle: CreateServerHandle })._createServerHandle;

/** Why an address cannot be listened on, for people. */
export class BindError extends OperatorError {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Binds a TCP address.
 * @param host an IP address; `::` is every address of both families where the system has IPv6
 * @throws BindError with what to do
 */
export function bindSocket(entryPoint: string, host: string, port: number): ListeningSocket {
  let made = bind(host, port, net.isIPv6(host) ? 6 : 4);
  if (
    typeof made === 'number' &&
    host === '::' &&
    ['EAFNOSUPPORT', 'EINVAL', 'EADDRNOTAVAIL'].includes(getSystemErrorName(made))
  ) {
    made = bind('0.0.0.0', port, 4);
  }
  if (typeof made === 'number') {
    const code = getSystemErrorName(made);
    throw bindError(entryPoint, host, port, code);
  }
  const handle = made;
  return { handle, close: () => handle.close() };
}

/**
 * Takes over a listening socket that this process was started with.
 * @returns what is wrong with it, completing "the socket …"
 */
export function adoptSocket(
  fd: number,
): { readonly socket: ListeningSocket; readonly address: SocketAddress } | string {
  const handle = createServerHandle(null, null, -1, fd);
  if (typeof handle === 'number')
    return `cannot be taken over (${getSystemErrorName(handle)}): it must be a TCP socket`;
  const address: { address?: string; port?: number } = {};
  // A pipe or a unix socket has no such address.
  if (handle.getsockname?.(address) !== 0 || address.port === undefined || address.address === undefined) {
    handle.close();
    return 'is no TCP socket';
  }
  if (handle.getpeername?.({}) === 0) {
    handle.close();
    return 'is a connection, not a listening socket: its unit must not say Accept=yes';
  }
  return {
    socket: { handle, close: () => handle.close() },
    address: { host: address.address, port: address.port },
  };
}

/** @param code the system's name of what went wrong */
export function bindError(entryPoint: string, host: string, port: number, code: string): BindError {
  const place = formatAddress(host, port);
  return new BindError(code, `entry point ${entryPoint} cannot listen on ${place}: ${advice(code, port)}`);
}

function bind(host: string, port: number, type: 4 | 6): Handle | number {
  const handle = createServerHandle(host, port, type);
  if (typeof handle === 'number') return handle;
  const error = handle.getsockname?.({}) ?? 0;
  if (error === 0) return handle;
  handle.close();
  return error;
}

function taken(port: number): string {
  const owner = portOwner(port);
  return owner === null
    ? `another process listens there; as root, ss -ltnp 'sport = :${port}' says which`
    : `process ${owner.pid} listens there (${owner.command}); stop it, or take another port`;
}

function advice(code: string, port: number): string {
  switch (code) {
    case 'EADDRINUSE':
      return taken(port);
    case 'EACCES':
    case 'EPERM':
      return `ports below 1024 need the capability CAP_NET_BIND_SERVICE, or root`;
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    default:
      return code;
  }
}
