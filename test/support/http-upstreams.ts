import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestCertificate } from './certs.ts';

/** An ordinary server behind the proxy. */
export interface HttpUpstream extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `http(s)://host:port`, for a server list. */
  readonly url: string;
  /** Requests seen so far. */
  readonly requests: number;
  /** TCP connections open now. */
  readonly open: number;
  close(): Promise<void>;
}

export interface UpstreamOptions {
  readonly host?: string;
  readonly port?: number;
  /** Set: https. */
  readonly tls?: TestCertificate;
  /** Set: takes over connections that ask for an upgrade, with the Sec-WebSocket-Key of the request. */
  readonly onUpgrade?: (key: string, socket: Duplex, head: Buffer) => void;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Any handler on a free loopback port; no timeouts of its own. */
export async function startHttpUpstream(handler: Handler, options: UpstreamOptions = {}): Promise<HttpUpstream> {
  const { host = '127.0.0.1', port = 0, tls } = options;
  const state = { requests: 0 };
  const sockets = new Set<Socket>();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    state.requests++;
    Promise.resolve(handler(request, response)).catch((error: unknown) => response.destroy(error as Error));
  };
  const limits = { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 120_000, maxHeaderSize: 1024 * 1024 };
  const server: Server =
    tls === undefined ? createServer(limits, onRequest) : createTlsServer({ ...limits, ...tls }, onRequest);
  if (options.onUpgrade !== undefined) {
    const { onUpgrade } = options;
    server.on('upgrade', (request, socket, head) => {
      state.requests++;
      onUpgrade(request.headers['sec-websocket-key'] ?? '', socket, head);
    });
  }
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  const actual = (server.address() as AddressInfo).port;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      // Not closeAllConnections(): it does not know upgraded ones.
      for (const socket of sockets) socket.destroy();
    });
  return {
    host,
    port: actual,
    url: `${tls === undefined ? 'http' : 'https'}://${host}:${actual}`,
    get requests() {
      return state.requests;
    },
    get open() {
      return sockets.size;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What the echo server answers with, as JSON. */
export interface Echo {
  /** Which of several servers this is. */
  readonly server: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string | string[] | undefined>;
  /** Name, value, name, value… as received. */
  readonly rawHeaders: readonly string[];
  readonly trailers: Record<string, string | undefined>;
  readonly bodyLength: number;
  /** sha256 of the body, hex. */
  readonly bodyHash: string;
}

/** Answers every request with an {@link Echo} once its body is complete. */
export function startEchoServer(server = 'echo', options: UpstreamOptions = {}): Promise<HttpUpstream> {
  return startHttpUpstream(async (request, response) => {
    const hash = createHash('sha256');
    let bodyLength = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bodyLength += chunk.length;
    }
    const { method = '', url = '', headers, rawHeaders, trailers } = request;
    const echo: Echo = { server, method, url, headers, rawHeaders, trailers, bodyLength, bodyHash: hash.digest('hex') };
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('X-Server', server);
    response.end(JSON.stringify(echo));
  }, options);
}

/**
 * Server-sent events: the first at once, each further one when `next()` is called, the end when `finish()` is. A test
 * that has seen event n before it asks for n + 1 has shown that nothing was held back, whatever the machine's speed.
 */
export async function startSseServer(
  options: UpstreamOptions = {},
): Promise<HttpUpstream & { next(): void; finish(): void }> {
  const streams = new Set<ServerResponse>();
  let count = 0;
  const upstream = await startHttpUpstream((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    streams.add(response);
    response.on('close', () => streams.delete(response));
    response.write(`data: event ${count}\n\n`);
  }, options);
  const next = (): void => {
    count++;
    for (const stream of streams) stream.write(`data: event ${count}\n\n`);
  };
  const finish = (): void => {
    for (const stream of streams) stream.end();
  };
  // The prototype keeps the live counters of the upstream.
  return Object.assign(Object.create(upstream) as HttpUpstream, { next, finish });
}

/** Answers 200 after `?ms=` milliseconds (default: the given delay). */
export function startSlowServer(delayMs: number, options: UpstreamOptions = {}): Promise<HttpUpstream> {
  return startHttpUpstream(async (request, response) => {
    const asked = new URL(request.url ?? '/', 'http://slow').searchParams.get('ms');
    await sleep(asked === null ? delayMs : Number(asked));
    response.end('slow answer\n');
  }, options);
}

/** Sends `?bytes=` bytes (default 1 MiB), chunked with `?chunked=1`, and obeys backpressure. Byte i is i modulo 251. */
export function startBigBodyServer(options: UpstreamOptions = {}): Promise<HttpUpstream> {
  return startHttpUpstream(async (request, response) => {
    const query = new URL(request.url ?? '/', 'http://big').searchParams;
    const total = Number(query.get('bytes') ?? 1024 * 1024);
    response.setHeader('Content-Type', 'application/octet-stream');
    if (query.get('chunked') === null) response.setHeader('Content-Length', total);
    for (let sent = 0; sent < total && !response.destroyed; ) {
      const piece = patternBytes(sent, Math.min(PATTERN.length - 251, total - sent));
      sent += piece.length;
      if (!response.write(piece)) {
        await new Promise<void>((resolve) => {
          const go = (): void => {
            response.off('drain', go).off('close', go);
            resolve();
          };
          response.on('drain', go).on('close', go);
        });
      }
    }
    response.end();
  }, options);
}

const PATTERN = Buffer.from(Array.from({ length: 251 * 261 }, (_, index) => index % 251));

/** The bytes that a big body has from an offset on (at most 65,000 of them): lets a client check without keeping. */
export function patternBytes(offset: number, length: number): Buffer {
  const start = offset % 251;
  return PATTERN.subarray(start, start + length);
}
