import type { ConfiguredTimeouts } from '../core/config/dynamic.ts';
import { ERROR_TABLE, type ProxyError } from '../core/errors.ts';
import type { RequestPath } from '../core/request-path.ts';
import { HeaderList } from './headers/header-list.ts';
import type { RetryPolicy } from './retry/policy.ts';

/** How a body is delimited on its way in; codecs choose their own framing on the way out. */
export type BodyKind = 'none' | 'length' | 'chunked' | 'close';

/** The final response's head, before it goes to the client. Hooks may change all of it. */
export interface ResponseStart {
  status: number;
  reason: string;
  headers: HeaderList;
  /** `length`: `length` bytes follow, and a Content-Length header says so; `chunked` and `close`: as many as come. */
  body: BodyKind;
  length: number;
}

/** Where a response goes: the client's codec, or what a middleware puts before it. */
export interface ResponseSink {
  /** A 1xx response (not 101). */
  inform(status: number, reason: string, headers: HeaderList): void;
  start(response: ResponseStart): void;
  /**
   * A piece of the body. It is the reader's memory: valid until the call returns, so a sink that keeps it longer copies it
   * or calls `keepChunk()`.
   * @returns false when the client does not take it as fast as it comes; `onDrain` is called when it does again
   */
  data(chunk: Buffer): boolean;
  end(trailers: HeaderList | null): void;
  /** Writes what is held back to be written together with more: called when no more comes for now. */
  flush(): void;
  /** The response cannot be completed: the client must see that. */
  abort(error: ProxyError): void;
  onDrain: (() => void) | null;
}

/** Receives the request's body. */
export interface RequestBodySink {
  /**
   * A piece of the body, in the reader's memory as that of {@link ResponseSink.data} is.
   * @returns false to be sent no more until {@link RequestBodySource.resumeBody}
   */
  data(chunk: Buffer): boolean;
  end(trailers: HeaderList | null): void;
}

/** A bare byte stream, after an upgrade. */
export interface Tunnel {
  /** Bytes that came behind the request. */
  readonly head: Buffer | null;
  readonly socket: import('node:net').Socket;
}

/** Where a request's body is read. */
export interface RequestBodySource {
  /** Starts delivering the request's body to `sink`. */
  readBody(sink: RequestBodySink): void;
  resumeBody(): void;
}

/** The client's side of an exchange, implemented by each codec. */
export interface ClientStream extends ResponseSink, RequestBodySource {
  /**
   * Takes back a response that was started, of which nothing has been written.
   * @returns false: it is too late for that, or none was started
   */
  retract(): boolean;
  /** Sends 101 and gives the connection away. `null` where the codec has no upgrades. */
  upgrade(headers: HeaderList): Tunnel | null;
}

/** Facts about the client's connection, made once for each connection. */
export interface Peer {
  /** IP address without IPv4-in-IPv6 prefix. */
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: PeerTls | null;
  /** Whether its X-Forwarded-* headers are believed. */
  readonly trusted: boolean;
  /** For the head writer: the forwarded lines that are the same for each request of an untrusted peer. */
  forwardedLines: string | null;
  /** For the access log: what is the same in each of the connection's lines. */
  loggedFields?: string | undefined;
}

/** TLS facts that requests are judged by. */
export interface PeerTls {
  readonly sni: string | null;
  /** Name of the TLS options the connection was made with, and what they demanded of the client. */
  readonly optionsName: string;
  readonly clientAuthKey: string;
  readonly version: string;
  readonly cipher: string;
}

/** Whether a request gets a line in the access log; `internal`: only where those of the proxy itself are wanted. */
export type Logged = 'yes' | 'no' | 'internal';

/** Changes a final response before it goes out. Runs for proxied and for local responses. */
export type ResponseHook = (exchange: Exchange, response: ResponseStart) => void;

/** One step of a request's way. A middleware is compiled as `(next: Handler) => Handler`, once for each router. */
export type Handler = (exchange: Exchange) => void;

/** Takes an exchange over whose upstream answered, or failed, with a status it wants: the client sees nothing of that. */
export interface Takeover {
  wants(status: number): boolean;
  /** The upstream is done with. Sends the request elsewhere. */
  take(): void;
}

/** What an exchange is started with; the rest of its state has defaults. */
export interface ExchangeInit {
  readonly client: ClientStream;
  readonly peer: Peer;
  readonly entryPoint: string;
  readonly method: string;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2.0';
  readonly authority: string;
  readonly headers: HeaderList;
  readonly body: BodyKind;
  readonly length: number;
  /** Called once, when the exchange is over. */
  readonly onFinish: (exchange: Exchange) => void;
}

/**
 * One request and its response, from head to the access log. Middlewares change the request fields before they call the next
 * handler, add response hooks, or answer themselves with {@link Exchange.reply}.
 */
export class Exchange {
  readonly client: ClientStream;
  readonly peer: Peer;
  readonly entryPoint: string;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2.0';

  // The request. `authority` is the Host header as received; `host` is it without port, brackets and trailing dot, lower case.
  readonly method: string;
  authority: string;
  host: string;
  /** The path that is forwarded: normalised, still percent-encoded; starts with `/`, or is `*`. */
  path: string;
  /** Fully decoded but for reserved characters: what rules match. Middlewares that change `path` need not keep it. */
  matchPath: string;
  /** Without `?`; empty where there is none. */
  query: string;
  /** Whether a `?` was there. */
  hasQuery: boolean;
  readonly headers: HeaderList;
  /** How the body is framed on its way on: whoever holds all of it knows its length. */
  body: BodyKind;
  length: number;
  /** The protocol asked for by Upgrade, lower case; null = none. */
  upgrade: string | null;
  /** The client waits for 100 (Continue) before it sends the body. */
  expectsContinue: boolean;
  /** The client takes trailers (`TE: trailers`). */
  acceptsTrailers: boolean;

  // The way.
  routerName: string;
  serviceName: string;
  /** User name where an auth middleware found one. */
  user: string;
  #hooks: ResponseHook[] | null;
  /** Where the response goes. Middlewares that change bodies put themselves before it. */
  response: ResponseSink;
  /** Where the body is read: the client, or what keeps its body. */
  source: RequestBodySource;
  /** Set by a `retry` middleware; null: the service's own. */
  retryPolicy: RetryPolicy | null;
  /** Set by a router that has its own, before those of the service; null: none. */
  timeouts: ConfiguredTimeouts | null;
  /** Hash of what binds requests to a server (`affinity`); -1 = nothing. */
  affinityKey: number;
  /** Who takes the exchange over instead of a response with certain statuses. */
  takeover: Takeover | null;
  /** Called once if the client leaves before the response is complete. */
  onCancel: ((error: ProxyError) => void) | null;

  // The account, for the access log and counters.
  logged: Logged;
  /** performance.now() when the head was read. */
  readonly startedAt: number;
  status: number;
  /** Status of the upstream, 0 = none. */
  upstreamStatus: number;
  /** The upstream's fields; hooks may have changed them since: {@link HeaderList.forEachReceived} tells how they came. */
  upstreamHeaders: HeaderList | null;
  /** The fields of the response as the client got them. */
  responseHeaders: HeaderList | null;
  upstreamUrl: string;
  upstreamAddress: string;
  /** performance.now() when the request was handed to an upstream, 0 = never; and when its response was complete. */
  upstreamStartedAt: number;
  upstreamEndedAt: number;
  requestBytes: number;
  responseBytes: number;
  retries: number;
  error: ProxyError | null;
  started: boolean;
  finished: boolean;
  readonly #onFinish: (exchange: Exchange) => void;
  #onOver: (() => void)[] | null;
  #givenPath: string;
  #givenQuery: string;
  #givenTarget: string;

  constructor(init: ExchangeInit) {
    this.client = init.client;
    this.peer = init.peer;
    this.entryPoint = init.entryPoint;
    this.protocol = init.protocol;
    this.method = init.method;
    this.authority = init.authority;
    this.host = '';
    this.path = '';
    this.matchPath = '';
    this.query = '';
    this.hasQuery = false;
    this.headers = init.headers;
    this.body = init.body;
    this.length = init.length;
    this.upgrade = null;
    this.expectsContinue = false;
    this.acceptsTrailers = false;
    this.routerName = '';
    this.serviceName = '';
    this.user = '';
    this.#hooks = null;
    this.response = init.client;
    this.source = init.client;
    this.retryPolicy = null;
    this.timeouts = null;
    this.affinityKey = -1;
    this.takeover = null;
    this.onCancel = null;
    this.logged = 'yes';
    this.startedAt = performance.now();
    this.status = 0;
    this.upstreamStatus = 0;
    this.upstreamHeaders = null;
    this.responseHeaders = null;
    this.upstreamUrl = '';
    this.upstreamAddress = '';
    this.upstreamStartedAt = 0;
    this.upstreamEndedAt = 0;
    this.requestBytes = 0;
    this.responseBytes = 0;
    this.retries = 0;
    this.error = null;
    this.started = false;
    this.finished = false;
    this.#onFinish = init.onFinish;
    this.#onOver = null;
    this.#givenPath = '';
    this.#givenQuery = '';
    this.#givenTarget = '';
  }

  /** Whether the request came over TLS. */
  get secure(): boolean {
    return this.peer.tls !== null;
  }

  /** Path and query as they go to the upstream. */
  get target(): string {
    if (this.path === this.#givenPath && this.query === this.#givenQuery) return this.#givenTarget;
    return this.hasQuery ? `${this.path}?${this.query}` : this.path;
  }

  /** Path and query as they came, in normal form, whatever middlewares made of them. */
  get receivedTarget(): string {
    return this.#givenTarget;
  }

  /** Sets what was asked for; middlewares then change `path` and `query`. */
  setRequestPath(given: RequestPath): void {
    this.path = given.path;
    this.matchPath = given.matchPath;
    this.query = given.query;
    this.hasQuery = given.target.length > given.path.length;
    this.#givenPath = given.path;
    this.#givenQuery = given.query;
    this.#givenTarget = given.target;
  }

  /** Adds a hook. The one added last runs first: an outer middleware sees what an inner one made. */
  onResponse(hook: ResponseHook): void {
    if (this.#hooks === null) this.#hooks = [hook];
    else this.#hooks.push(hook);
  }

  get hookCount(): number {
    return this.#hooks === null ? 0 : this.#hooks.length;
  }

  /** Drops the hooks added since there were `count`: somebody else answers than those who added them. */
  dropHooks(count: number): void {
    if (this.#hooks !== null) this.#hooks.length = Math.min(this.#hooks.length, count);
  }

  /** Calls `over` when the exchange is over, however it ended. */
  onOver(over: () => void): void {
    if (this.#onOver === null) this.#onOver = [over];
    else this.#onOver.push(over);
  }

  /** Runs the hooks, for a response that is not started by {@link start}: a switch to another protocol. */
  amend(response: ResponseStart): void {
    const hooks = this.#hooks;
    if (hooks === null) return;
    for (let i = hooks.length - 1; i >= 0; i--) hooks[i]!(this, response);
  }

  /** Runs the hooks and starts the response. */
  start(response: ResponseStart): void {
    this.amend(response);
    this.started = true;
    this.status = response.status;
    this.responseHeaders = response.headers;
    this.response.start(response);
  }

  /** Answers with a whole response of the proxy's own. */
  reply(status: number, headers: HeaderList, body: string | Buffer): void {
    const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
    const bodiless = status === 204 || status === 304;
    if (!bodiless) headers.set('Content-Length', String(bytes.length));
    const withBody = bytes.length > 0 && !bodiless && this.method !== 'HEAD';
    this.start({
      status,
      reason: reasonOf(status),
      headers,
      body: withBody ? 'length' : 'none',
      length: withBody ? bytes.length : 0,
    });
    if (withBody) this.response.data(bytes);
    this.response.end(null);
  }

  /** Answers with a short text, as Traefik does for its own errors. */
  replyText(status: number, text: string, retryAfterS = 0): void {
    const headers = HeaderList.of('Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff');
    if (retryAfterS > 0) headers.append('Retry-After', String(retryAfterS));
    this.reply(status, headers, text);
  }

  /** The exchange is over: counters and the access log. Called by the codec, or by who ended a tunnel. */
  finish(): void {
    if (this.finished) return;
    this.finished = true;
    this.onCancel = null;
    const over = this.#onOver;
    if (over !== null) for (let i = 0; i < over.length; i++) over[i]!();
    this.#onFinish(this);
  }

  /** Takes a response back that the client has seen nothing of: another one can be given instead. */
  retract(): void {
    if (this.finished || !this.started || this.response !== this.client || !this.client.retract()) return;
    this.started = false;
    this.status = 0;
    this.upstreamStatus = 0;
    this.upstreamHeaders = null;
    this.responseBytes = 0;
    this.responseHeaders = null;
  }

  /** The exchange failed: an error response if the client has seen nothing of one, else the client sees the response break off. */
  fail(error: ProxyError): void {
    if (this.finished) return;
    this.error ??= error;
    if (error.code !== 'CLIENT_GONE') this.retract();
    if (this.started) {
      this.response.abort(error);
      return;
    }
    if (error.code === 'CLIENT_GONE') {
      this.status = error.status;
      this.response.abort(error);
      return;
    }
    this.replyText(error.status, errorBody(error), error.retryAfterS);
  }
}

function errorBody(error: ProxyError): string {
  if (error.code === 'PROXY_NO_ROUTE') return '404 page not found\n';
  if (error.code === 'PROXY_NO_SERVER') return 'no available server\n';
  return reasonOf(ERROR_TABLE[error.code].status);
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  411: 'Length Required',
  413: 'Payload Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

/** The reason phrase of a status. */
export function reasonOf(status: number): string {
  return REASONS[status] ?? 'Status';
}
