import { adoptSocket, type ListeningSocket, type SocketAddress } from '../listening-sockets.ts';

type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void;

/** What an entry point wants to listen on. */
export interface Wanted {
  readonly name: string;
  /** An IP address; `::` is every address of both families. */
  readonly host: string;
  readonly port: number;
}

export interface PassedSocket {
  /** FileDescriptorName= of the socket unit; the unit's own name unless it has one. */
  readonly name: string;
  readonly address: SocketAddress;
  readonly socket: ListeningSocket;
}

/** The first passed descriptor (sd_listen_fds(3)). */
const FIRST_FD = 3;
const MAX_FDS = 1_000;

/**
 * Takes over the sockets that systemd passed to this process, and removes the variables that tell of them: children must
 * not believe that they are theirs.
 *
 * @returns none where the process was not socket-activated
 */
export function takePassedSockets(env: NodeJS.ProcessEnv, log: Log): PassedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete env[name];
  if (LISTEN_FDS === undefined || Number(LISTEN_PID) !== process.pid) return [];
  const count = Number(LISTEN_FDS);
  if (!Number.isInteger(count) || count < 0 || count > MAX_FDS) {
    log('warn', `LISTEN_FDS=${LISTEN_FDS} is no number of sockets: none is taken`);
    return [];
  }
  const names = (LISTEN_FDNAMES ?? '').split(':');
  const sockets: PassedSocket[] = [];
  for (let i = 0; i < count; i++) {
    const name = names[i] || 'unknown';
    const adopted = adoptSocket(FIRST_FD + i);
    if (typeof adopted === 'string') log('warn', `the passed socket ${name} (descriptor ${FIRST_FD + i}) ${adopted}`);
    else sockets.push({ name, ...adopted });
  }
  return sockets;
}

/**
 * Gives each entry point its socket: by name, as Traefik does, and by address where no name fits. Sockets that nobody
 * wants are closed here, with a warning; the service manager still holds them.
 *
 * @returns sockets by entry point; entry points without one are for the caller to bind
 */
export function assignSockets(
  passed: readonly PassedSocket[],
  wanted: readonly Wanted[],
  log: Log,
): Map<string, ListeningSocket> {
  const left = [...passed];
  const out = new Map<string, ListeningSocket>();
  const take = (entryPoint: Wanted, fits: (socket: PassedSocket) => boolean): void => {
    if (out.has(entryPoint.name)) return;
    const at = left.findIndex(fits);
    if (at < 0) return;
    const [found] = left.splice(at, 1);
    out.set(entryPoint.name, found!.socket);
    if (!isAt(found!.address, entryPoint)) {
      log(
        'warn',
        `entry point ${entryPoint.name} is configured for ${place(entryPoint)}, and listens on ${place(found!.address)}: that is what its socket unit says`,
      );
    }
  };
  for (const entryPoint of wanted) take(entryPoint, (s) => s.name === entryPoint.name && isAt(s.address, entryPoint));
  for (const entryPoint of wanted) take(entryPoint, (s) => s.name === entryPoint.name);
  for (const entryPoint of wanted) take(entryPoint, (s) => isAt(s.address, entryPoint));
  for (const { name, address, socket } of left) {
    log(
      'warn',
      `no entry point wants the passed socket ${name} on ${place(address)}: name an entry point in FileDescriptorName=, or listen there`,
    );
    socket.close();
  }
  return out;
}

/** An entry point on every address of both families takes a socket on every IPv4 address too: all there is without IPv6. */
function isAt(address: SocketAddress, wanted: Wanted): boolean {
  if (address.port !== wanted.port) return false;
  return address.host === wanted.host || (wanted.host === '::' && address.host === '0.0.0.0');
}

function place({ host, port }: SocketAddress): string {
  return host === '::' ? `:${port}` : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
