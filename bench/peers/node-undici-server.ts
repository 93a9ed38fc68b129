/** node:http and undici. Arguments: port, upstream port, [certificate file, key file]. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type Dispatcher, Pool } from 'undici';

const [port, upstreamPort, certFile, keyFile] = process.argv.slice(2);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 256 });
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'upgrade', 'proxy-connection']);

function forward(request: IncomingMessage, response: ServerResponse): void {
  const headers: string[] = [];
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.has(lower) && !lower.startsWith('x-forwarded-')) headers.push(name, rawHeaders[index + 1] ?? '');
  }
  headers.push('X-Forwarded-For', request.socket.remoteAddress ?? '', 'X-Forwarded-Proto', certFile ? 'https' : 'http');
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  const options = {
    path: request.url ?? '/',
    method: (request.method ?? 'GET') as Dispatcher.HttpMethod,
    headers,
    body: hasBody ? request : null,
    bodyTimeout: 0,
  };
  // `stream` writes the answer where it should go, without a stream of its own in between.
  pool
    .stream(options, ({ statusCode, headers: received }) => {
      const kept = Object.entries(received).filter(([name]) => !HOP_BY_HOP.has(name));
      response.writeHead(statusCode, Object.fromEntries(kept));
      return response;
    })
    .catch(() => response.destroy());
}

const server =
  certFile !== undefined && keyFile !== undefined
    ? createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile), keepAliveTimeout: 60_000 }, forward)
    : createServer({ keepAliveTimeout: 60_000 }, forward);
server.listen({ host: '127.0.0.1', port: Number(port), backlog: 1_024 });
process.once('SIGTERM', () => process.exit(0));
