import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { createSecureContext } from 'node:tls';
import { hostOf } from '../../core/url-address.ts';
import { AcmeError } from './acme-error.ts';
import type { CaEndpoint } from './ca-endpoint.ts';
import { unreachable } from './ca-unreachable.ts';

/** What is read of an answer; a chain of certificates is some ten thousand bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const CONNECT_MS = 4_000;

export interface CaRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Milliseconds until the head of the answer, and until its end. */
  readonly headTimeoutMs: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface CaAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface CaTls {
  readonly ca: readonly string[] | undefined;
  readonly serverName: string | undefined;
  /** Only for what is verified otherwise: the root that is known by its fingerprint. */
  readonly unverified?: boolean;
}

/** Connections to one CA, with its own roots. No other traffic of the process goes through them, nor through their settings. */
export function caAgent(endpoint: CaEndpoint, { ca, serverName, unverified = false }: CaTls): Agent {
  return new Agent({
    keepAlive: true,
    maxSockets: 16,
    // Shorter than a CA keeps idle connections, which would be reset in our hands.
    timeout: 15_000,
    rejectUnauthorized: !unverified,
    lookup: endpoint.lookupFor(endpoint.url),
    // Made once: reading hundreds of roots for each connection takes longer than the connection.
    ...(ca === undefined ? {} : { secureContext: createSecureContext({ ca: [...ca] }) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
}

/**
 * One request, with an end in every case.
 *
 * @throws AcmeError of kind `unreachable` where no answer came; the signal's reason
 */
export async function askCa(endpoint: CaEndpoint, agent: Agent, what: CaRequest): Promise<CaAnswer> {
  await unlessLate(endpoint.resolve(what.url), endpoint, what.signal); // An address in the URL is never looked up by node:net.
  try {
    return await exchange(endpoint, agent, what).catch((error: unknown) => {
      // It was closed while it was idle, and the request is the first to find out.
      if (error instanceof StaleConnection) return exchange(endpoint, agent, what);
      throw error;
    });
  } catch (error) {
    if (what.signal?.aborted) throw what.signal.reason;
    if (error instanceof AcmeError) throw error;
    throw await unreachable(endpoint, error as NodeJS.ErrnoException, agent.options.servername);
  }
}

class StaleConnection extends Error {
  readonly code = 'ECONNRESET';
}

function exchange(endpoint: CaEndpoint, agent: Agent, what: CaRequest): Promise<CaAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<CaAnswer>();
  const { url } = what;
  const target = endpoint.target(url);
  const plain = url.protocol === 'http:';
  const request = (plain ? httpRequest : httpsRequest)({
    method: what.method,
    hostname: hostOf(url),
    port: target.port,
    path: `${url.pathname}${url.search}`,
    headers: { ...what.headers, host: url.host },
    ...(plain ? { lookup: endpoint.lookupFor(url) } : { agent, lookup: endpoint.lookupFor(url) }),
  });
  const late = (during: string): void => void request.destroy(timedOut(endpoint, during));
  const timers = [
    setTimeout(() => late(`answer ${what.method} ${url.pathname}`), what.headTimeoutMs),
    setTimeout(() => late(`finish its answer to ${what.method} ${url.pathname}`), what.timeoutMs),
  ];
  const onAbort = (): void => void request.destroy(what.signal?.reason);
  what.signal?.addEventListener('abort', onAbort, { once: true });
  request.on('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => late('take the connection'), CONNECT_MS);
    timers.push(timer);
    socket.once(plain ? 'connect' : 'secureConnect', () => clearTimeout(timer));
  });
  request.on('response', (response) => {
    clearTimeout(timers[0]);
    readAnswer(response, endpoint).then(resolve, reject);
  });
  request.on('error', (error: NodeJS.ErrnoException) => {
    const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
    reject(stale ? new StaleConnection() : error);
  });
  request.end(what.body);
  return promise.finally(() => {
    for (const timer of timers) clearTimeout(timer);
    what.signal?.removeEventListener('abort', onAbort);
  });
}

async function readAnswer(response: IncomingMessage, endpoint: CaEndpoint): Promise<CaAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      response.destroy();
      throw new AcmeError(
        'unreachable',
        `the CA ${endpoint.label} answered with more than ${MAX_ANSWER_BYTES} bytes: no ACME server does`,
      );
    }
    chunks.push(chunk);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString() };
}

async function unlessLate<T>(promise: Promise<T>, endpoint: CaEndpoint, signal: AbortSignal | undefined): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(timedOut(endpoint, 'be found by the name server')), CONNECT_MS);
  const onAbort = (): void => late.reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function timedOut(endpoint: CaEndpoint, during: string): AcmeError {
  return new AcmeError('unreachable', `the CA ${endpoint.label} took too long to ${during}`);
}
