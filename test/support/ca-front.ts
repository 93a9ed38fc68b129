import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request } from 'node:https';
import type { Socket } from 'node:net';
import { makeCa, type TestCa } from './certs.ts';
import { freePort } from './ports.ts';

/** What the front does with a request instead of passing it on. */
export type Fault =
  | 'hang'
  | 'cut'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };

export interface CaFront extends AsyncDisposable {
  readonly port: number;
  /** The URL that the CA's directory has through the front. */
  readonly directory: string;
  /** PEM of the root its own certificate hangs from. */
  readonly root: string;
  /** `METHOD /path` of each request that came. */
  readonly seen: string[];
  /** Decides for each request; undefined passes it on. */
  fault: (request: { readonly method: string; readonly path: string; readonly count: number }) => Fault | undefined;
  /** Stops to listen and cuts what is open: the CA is away. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export interface CaFrontOptions {
  readonly ca?: TestCa;
  /** The names in its certificate. */
  readonly sans?: readonly string[];
  /** Does not listen yet. */
  readonly down?: boolean;
}

/** A TLS proxy before a CA that can fail in the ways CAs do. The CA sees its Host header, and gives URLs that lead through it. */
export async function startCaFront(caDirectory: string, options: CaFrontOptions = {}): Promise<CaFront> {
  const ca = options.ca ?? makeCa('Front Root');
  const port = await freePort();
  const target = new URL(caDirectory);
  const open = new Set<Socket>();
  let count = 0;
  const front: CaFront = {
    port,
    directory: `https://localhost:${port}${target.pathname}`,
    root: ca.cert,
    seen: [],
    fault: () => undefined,
    down: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
    up: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, '127.0.0.1', resolve);
      }),
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await front.down();
    },
  };
  const server = createServer(ca.issue({ sans: options.sans ?? ['localhost', '127.0.0.1'] }), (incoming, outgoing) => {
    const method = incoming.method ?? '';
    const path = incoming.url ?? '';
    front.seen.push(`${method} ${path}`);
    const fault = front.fault({ method, path, count: ++count });
    if (fault === undefined) pass(target, incoming, outgoing);
    else fail(fault, incoming, outgoing);
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => undefined); // Clients may go at any time.
  });
  server.on('tlsClientError', () => undefined);
  if (options.down !== true) await front.up();
  return front;
}

function pass(target: URL, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const upstream = request({
    ...{ host: '127.0.0.1', port: target.port, method: incoming.method, path: incoming.url },
    ...{ headers: incoming.headers, rejectUnauthorized: false, agent: false, servername: 'localhost' },
  });
  upstream.on('response', (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(outgoing);
  });
  upstream.on('error', () => outgoing.destroy());
  incoming.pipe(upstream);
}

function fail(fault: Fault, incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (fault === 'hang') return;
  if (fault === 'cut') {
    incoming.socket.destroy();
    return;
  }
  incoming.resume();
  outgoing.writeHead(fault.status, { 'content-type': 'application/problem+json', ...fault.headers });
  outgoing.end(fault.body ?? '');
}
