import type { ProxyError } from '../../src/core/errors.ts';
import { normalizeHost } from '../../src/core/host.ts';
import { readRequestPath } from '../../src/core/request-path.ts';
import {
  type BodyKind,
  type ClientStream,
  Exchange,
  type Handler,
  type Peer,
  type RequestBodySink,
  type ResponseStart,
  type Tunnel,
} from '../../src/data/exchange.ts';
import { HeaderList } from '../../src/data/headers/header-list.ts';
import { identifyName } from '../../src/data/headers/known.ts';
import { waitFor } from './wait-for.ts';

/** A client in memory: it keeps what it gets, as a codec would write it. */
export class FakeClient implements ClientStream {
  exchange: Exchange | null = null;
  readonly informed: number[] = [];
  started: ResponseStart | null = null;
  readonly chunks: Buffer[] = [];
  trailers: HeaderList | null = null;
  ended = false;
  aborted: ProxyError | null = null;
  onDrain: (() => void) | null = null;

  inform(status: number): void {
    this.informed.push(status);
  }

  start(response: ResponseStart): void {
    if (this.started !== null) throw new Error('two responses were started');
    this.started = response;
  }

  data(chunk: Buffer): boolean {
    this.chunks.push(Buffer.from(chunk));
    return true;
  }

  end(trailers: HeaderList | null): void {
    this.trailers = trailers;
    this.ended = true;
    this.exchange?.finish();
  }

  flush(): void {}

  abort(error: ProxyError): void {
    this.aborted = error;
    this.exchange?.finish();
  }

  readBody(sink: RequestBodySink): void {
    sink.end(null);
  }

  resumeBody(): void {}

  retract(): boolean {
    return false;
  }

  upgrade(): Tunnel | null {
    return null;
  }

  get status(): number {
    return this.started?.status ?? 0;
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString('utf8');
  }

  /** A response header; the name in lower case. */
  header(lower: string): string | undefined {
    return this.started?.headers.get(lower);
  }

  /** Resolves when the response is complete or broken off. */
  async done(): Promise<void> {
    await waitFor('the response to end', () => this.ended || this.aborted !== null, { intervalMs: 2 });
  }
}

export interface FakeRequest {
  readonly method?: string;
  readonly target?: string;
  readonly authority?: string;
  /** name, value, name, value… */
  readonly headers?: readonly string[];
  readonly tls?: boolean;
  readonly trusted?: boolean;
  readonly address?: string;
  readonly peer?: Peer;
  readonly body?: BodyKind;
}

/** A request as a codec hands it over, and the client that sent it. */
export function fakeExchange(request: FakeRequest = {}): { exchange: Exchange; client: FakeClient } {
  const client = new FakeClient();
  const authority = request.authority ?? 'example.com';
  const exchange = new Exchange({
    client,
    peer: request.peer ?? fakePeer(request),
    entryPoint: 'web',
    method: request.method ?? 'GET',
    protocol: 'HTTP/1.1',
    authority,
    headers: receivedHeaders(['Host', authority, ...(request.headers ?? [])]),
    body: request.body ?? 'none',
    length: 0,
    onFinish: () => {},
  });
  const path = readRequestPath(request.target ?? '/', true);
  if (path === undefined) throw new Error(`${request.target} is no request target`);
  exchange.host = normalizeHost(authority);
  exchange.setRequestPath(path);
  client.exchange = exchange;
  return { exchange, client };
}

export function fakePeer(request: FakeRequest = {}): Peer {
  return {
    address: request.address ?? '192.0.2.1',
    port: 40000,
    localAddress: '192.0.2.254',
    localPort: request.tls ? 443 : 80,
    tls: request.tls
      ? { sni: 'example.com', optionsName: 'default', clientAuthKey: '', version: 'TLSv1.3', cipher: 'x' }
      : null,
    trusted: request.trusted ?? false,
    forwardedLines: null,
  };
}

/** A header list as a codec makes it from bytes. */
export function receivedHeaders(fields: readonly string[]): HeaderList {
  let source = '';
  const spans: number[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const start = source.length;
    source += `${fields[i]}: ${fields[i + 1]}\r\n`;
    spans.push(start, start + fields[i]!.length, source.length, identifyName(fields[i]!));
  }
  return new HeaderList(source, spans);
}

/** What stands in for the upstream: remembers what it was asked, and answers. */
export class FakeUpstream {
  readonly seen: Exchange[] = [];
  readonly #status: number;
  readonly #headers: readonly string[];

  constructor(status = 200, headers: readonly string[] = []) {
    this.#status = status;
    this.#headers = headers;
  }

  readonly handler: Handler = (exchange) => {
    this.seen.push(exchange);
    exchange.reply(this.#status, receivedHeaders(this.#headers), 'upstream');
  };

  get called(): boolean {
    return this.seen.length > 0;
  }
}
