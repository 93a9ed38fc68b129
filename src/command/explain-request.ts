import { isIP } from 'node:net';
import type { ExplainRequest } from '../core/explain.ts';
import { normalizeHost } from '../core/host.ts';
import { EXIT } from './exit-code.ts';
import { CommandError } from './fail.ts';

/** What the command line says of the request, beside its URL. */
export interface ExplainOptions {
  readonly method?: string;
  /** `Name: value` */
  readonly header?: readonly string[];
  readonly clientIp?: string;
  readonly entrypoint?: string;
}

/**
 * Reads the command line of `proxy explain`. The path stays as it is written: a URL parser would resolve what the proxy is
 * asked about.
 *
 * @throws CommandError where it is no request
 */
export function readExplainRequest(url: string, options: ExplainOptions): ExplainRequest {
  const parts = /^(https?):\/\/([^/?#]*)([^#]*)/i.exec(url);
  if (parts === null) throw usage(`\`${url}\` is no URL: write it as https://host/path`);
  const [, scheme = '', place = '', rest = ''] = parts;
  const authority = /^(\[[0-9a-f:.]+\]|[^:@[\]\s]+)(?::(\d{1,5}))?$/i.exec(place);
  if (authority === null)
    throw usage(`\`${url}\` has no host that can be understood: write it as https://host:port/path`);
  const secure = scheme.toLowerCase() === 'https';
  const port = authority[2] === undefined ? (secure ? 443 : 80) : Number(authority[2]);
  if (port < 1 || port > 65_535) throw usage(`\`${url}\` has a port that is none: 1 to 65535`);
  const headers = (options.header ?? []).map(readHeader);
  // As with curl: the connection goes to the URL's host, and the request names another.
  const named = headers.find(([name]) => name.toLowerCase() === 'host')?.[1];
  const host = normalizeHost(place);
  const address = isIP(host) === 0 ? null : host;
  const clientIp = options.clientIp ?? '127.0.0.1';
  if (isIP(clientIp) === 0) throw usage(`\`${clientIp}\` is no IP address`);
  return {
    secure,
    authority: named ?? place,
    serverName: address === null ? host : null,
    localAddress: address,
    port,
    portNamed: authority[2] !== undefined,
    target: target(rest),
    method: options.method ?? 'GET',
    headers: headers.filter(([name]) => name.toLowerCase() !== 'host'),
    clientIp,
    ...(options.entrypoint === undefined ? {} : { entryPoint: options.entrypoint }),
  };
}

function readHeader(line: string): [string, string] {
  const parts = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/.exec(line);
  if (parts === null) throw usage(`\`${line}\` is no header: write it as 'Name: value'`);
  return [parts[1]!, parts[2]!.trimEnd()];
}

/** The bytes that a client would send. */
function target(text: string): string {
  const path = text.startsWith('/') ? text : `/${text}`;
  return Buffer.from(path.replaceAll(' ', '%20'), 'utf8').toString('latin1');
}

function usage(message: string): CommandError {
  return new CommandError(EXIT.usage, message);
}
