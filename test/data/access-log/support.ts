import { accessLogSchema } from '../../../src/core/config/observability.ts';
import type { AccessLog as AccessLogConfig } from '../../../src/core/config/static.ts';
import { readRequestPath } from '../../../src/core/request-path.ts';
import { type ClientStream, Exchange, type Peer } from '../../../src/data/exchange.ts';
import { HeaderList } from '../../../src/data/headers/header-list.ts';
import { identifyName } from '../../../src/data/headers/known.ts';

/** The access log's configuration as decoded, with its defaults. */
export function config(given: Record<string, unknown> = {}): AccessLogConfig {
  return accessLogSchema.parse(given);
}

export function peer(given: Partial<Peer> = {}): Peer {
  return {
    address: '192.0.2.7',
    port: 40_000,
    localAddress: '192.0.2.1',
    localPort: 80,
    tls: null,
    trusted: false,
    forwardedLines: null,
    ...given,
  };
}

export interface Given {
  readonly target?: string;
  readonly method?: string;
  readonly authority?: string;
  /** name, value, name, value… */
  readonly headers?: readonly string[];
  readonly peer?: Partial<Peer>;
  readonly state?: Partial<Exchange>;
}

/** A finished exchange, of which only the log is to hear. */
export function exchange(given: Given = {}): Exchange {
  const made = new Exchange({
    client: {} as ClientStream,
    peer: peer(given.peer),
    entryPoint: 'web',
    method: given.method ?? 'GET',
    protocol: 'HTTP/1.1',
    authority: given.authority ?? 'example.com:8080',
    headers: received(given.headers ?? []),
    body: 'none',
    length: 0,
    onFinish: () => {},
  });
  const path = readRequestPath(given.target ?? '/', true);
  if (path === undefined) throw new Error(`${given.target} is no request target`);
  made.setRequestPath(path);
  return Object.assign(made, { status: 200, ...given.state });
}

/** One that an upstream answered. */
export function proxied(given: Given = {}): Exchange {
  const now = performance.now();
  return exchange({
    ...given,
    state: {
      routerName: 'api@file',
      serviceName: 'api@file',
      upstreamUrl: 'http://10.0.0.141:8000',
      upstreamAddress: '10.0.0.141:8000',
      upstreamStatus: 200,
      upstreamStartedAt: now - 2,
      upstreamEndedAt: now - 1,
      requestBytes: 3,
      responseBytes: 1234,
      ...given.state,
    },
  });
}

function received(fields: readonly string[]): HeaderList {
  let source = '';
  const spans: number[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const start = source.length;
    source += `${fields[i]}: ${fields[i + 1]}\r\n`;
    spans.push(start, start + fields[i]!.length, source.length, identifyName(fields[i]!));
  }
  return new HeaderList(source, spans);
}
