import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A server that does not do what servers do. */
export interface Misbehaving extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  close(): Promise<void>;
}

/** @param onConnection what it does with each connection; nothing is read unless it asks */
export async function startMisbehaving(onConnection: (socket: Socket) => void, port = 0): Promise<Misbehaving> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, resolve);
  });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    get accepted() {
      return accepted;
    },
    get open() {
      return sockets.size;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Accepts, reads, and never answers. */
export function hang(socket: Socket): void {
  socket.resume();
}

/** Answers each request with these bytes, whatever it is, then does `after`. */
export function answer(bytes: string, after?: (socket: Socket) => void): (socket: Socket) => void {
  return (socket) => {
    socket.on('data', () => {
      socket.write(bytes, 'latin1', () => after?.(socket));
    });
  };
}

/**
 * A port whose backlog is full: connections to it are neither made nor refused, as behind a firewall that drops.
 * The server's process is stopped in `listen` terms only: nobody accepts.
 */
export async function startBlackHole(): Promise<AsyncDisposable & { readonly url: string }> {
  const { spawn } = await import('node:child_process');
  const { connect } = await import('node:net');
  // A Python process listens with a backlog of 0 and never accepts; connections of ours fill it.
  const child = spawn('python3', [
    '-c',
    'import socket,sys,time\ns=socket.socket()\ns.bind(("127.0.0.1",0))\ns.listen(0)\nprint(s.getsockname()[1],flush=True)\ntime.sleep(600)',
  ]);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
  });
  const fillers: Socket[] = [];
  // The kernel takes one more than the backlog; the third connection is left waiting.
  for (let i = 0; i < 4; i++) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => {});
    fillers.push(socket);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of fillers) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
