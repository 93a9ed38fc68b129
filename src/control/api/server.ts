import { chmodSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { OperatorError } from '../../core/operator-error.ts';
import { acmeHttp } from './acme-http.ts';
import { type Answer, type InternalRequest, plainText, problem } from './answer.ts';
import { api } from './api.ts';
import { dashboard } from './dashboard.ts';
import { metrics } from './metrics.ts';
import { ping } from './ping.ts';
import type { ApiState } from './state.ts';

export interface InternalServerOptions {
  /** In a directory that nobody else can enter; nothing stands there yet. */
  readonly socketPath: string;
  /** The state of the moment. */
  readonly state: () => ApiState;
  readonly log: (level: 'error', message: string, fields?: Record<string, unknown>) => void;
}

export interface InternalServer {
  /** Closes the socket and every connection. */
  close(): Promise<void>;
}

type InternalService = (request: InternalRequest, state: ApiState) => Answer | Promise<Answer>;

/** What a router can name as its service; each is found below a path of its name. */
const SERVICES: ReadonlyMap<string, InternalService> = new Map<string, InternalService>([
  ['api@internal', api],
  ['ping@internal', ping],
  ['dashboard@internal', dashboard],
  // For routers whose middlewares answer everything; who gets here learns that.
  ['noop@internal', () => plainText(418, "I'm a teapot\n")],
  ['acme-http@internal', acmeHttp],
  ['prometheus@internal', metrics],
]);

/** `sun_path` of Linux, without its closing NUL. */
const MAX_SOCKET_PATH = 107;
/** Entry points let heads of 1 MiB through by default. */
const MAX_HEAD_BYTES = 2 * 1024 * 1024;
const MAX_CONNECTIONS = 8_192;
/** Longer than workers keep an idle connection, so that none is closed as they take it. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Serves the internal services on a unix socket, which only this user can open. Requests come from the workers, which
 * put the service's name before the path: `/api@internal/api/version`.
 *
 * @throws Error where the socket cannot be made; the message names the path
 */
export async function startInternalServer(options: InternalServerOptions): Promise<InternalServer> {
  const { socketPath } = options;
  if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) {
    throw new OperatorError(
      `${socketPath}: a socket's path has ${MAX_SOCKET_PATH} bytes at most; choose a shorter directory`,
    );
  }
  const server = http.createServer(
    {
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => void respond(request, response, options),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new OperatorError(`${socketPath}: ${error.message}`, { cause: error })));
    server.listen({ path: socketPath }, resolve);
  });
  try {
    chmodSync(socketPath, 0o600);
  } catch (error) {
    server.close();
    throw error;
  }
  server.on('error', (error) => options.log('error', `internal services: ${error.message}`));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: InternalServerOptions,
): Promise<void> {
  const answer = await answerTo(request.method ?? 'GET', request.url ?? '/', options);
  const body = Buffer.from(answer.body, 'utf8');
  response.writeHead(answer.status, {
    ...answer.headers,
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
  // What was sent with the request interests nobody, and must not hold up the next one.
  request.resume();
}

async function answerTo(method: string, url: string, options: InternalServerOptions): Promise<Answer> {
  const found = /^\/([^/?]+)([^?]*)(?:\?(.*))?$/s.exec(url);
  const service = found === null ? undefined : SERVICES.get(found[1]!);
  if (found === null || service === undefined) return problem(404, 'no such internal service');
  try {
    const query = new URLSearchParams(found[3] ?? '');
    return await service({ method, path: found[2]!, query }, options.state());
  } catch (error) {
    options.log('error', `${found[1]} failed`, { error, path: found[2] });
    return problem(500, 'the answer could not be made; the log says why');
  }
}
