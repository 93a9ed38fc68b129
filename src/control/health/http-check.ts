import http from 'node:http';
import https from 'node:https';
import { hostOf, portOf } from '../../core/url-address.ts';
import { type CheckAddress, type CheckResult, failureOf, late } from './check-result.ts';
import { tlsOptions } from './tls-options.ts';

export interface HttpCheck {
  readonly address: CheckAddress;
  readonly method: string;
  readonly path: string;
  /** With Host, if it is another than the address. */
  readonly headers: Readonly<Record<string, string>>;
  /** 0 = any from 200 to 399. */
  readonly status: number;
  /** Must stand in the body; empty = anything. */
  readonly body: string;
  readonly followRedirects: boolean;
  readonly timeoutMs: number;
}

const MAX_REDIRECTS = 10;
/** What is read of a body, to look for what is expected and to tell what stands there instead. */
const MAX_BODY = 65_536;
const SHOWN = 120;

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

/** Mode `http`: the right status, and the expected text in the body, in time. Each check is a connection of its own. */
export async function checkHttp(check: HttpCheck): Promise<CheckResult> {
  const deadline = AbortSignal.timeout(check.timeoutMs);
  let { address, path } = check;
  let { headers } = check;
  try {
    for (let hops = 0; ; hops++) {
      const answer = await ask(check.method, address, path, headers, deadline);
      const location = answer.status >= 300 && answer.status < 400 ? answer.location : undefined;
      if (location === undefined || !check.followRedirects) return judge(check, answer);
      const next = target(location, address, path, headers);
      if (next === null)
        return { kind: 'redirect', detail: `${answer.status} to ${location}, which is no place to go` };
      if (hops === MAX_REDIRECTS)
        return { kind: 'redirect', detail: `redirected ${MAX_REDIRECTS} times, lastly to ${location}` };
      ({ address, path, headers } = next);
    }
  } catch (error) {
    if (deadline.aborted) return late(check.timeoutMs);
    return failureOf(error as NodeJS.ErrnoException);
  }
}

function judge(check: HttpCheck, { status, location, body }: Answer): CheckResult {
  const right = check.status === 0 ? status >= 200 && status < 400 : status === check.status;
  if (!right) {
    if (status >= 300 && status < 400) return { kind: 'redirect', detail: `${status} to ${location ?? 'nowhere'}` };
    const said = oneLine(body);
    return { kind: 'status', detail: said === '' ? `status ${status}` : `status ${status}: ${said}` };
  }
  if (check.body !== '' && !body.includes(check.body)) {
    return {
      kind: 'body',
      detail: `status ${status}, and ${JSON.stringify(check.body)} is not in the body: ${oneLine(body)}`,
    };
  }
  return { kind: 'ok', detail: `status ${status}` };
}

function ask(
  method: string,
  address: CheckAddress,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { host, port } = address;
    const options = { method, host, port, path, headers, signal, agent: false as const };
    const request =
      address.tls === undefined ? http.request(options) : https.request({ ...options, ...tlsOptions(address) });
    request.on('error', reject);
    // It switches to another protocol, say: the connection ends, and neither a response nor an error comes.
    request.on('close', () => reject(closed()));
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      const done = (): void =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location,
          body: Buffer.concat(parts).toString('utf8'),
        });
      response.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size < MAX_BODY) return;
        // Enough is known; an endless body must not keep a check.
        done();
        request.destroy();
      });
      response.on('end', done);
      response.on('error', reject);
    });
    request.end();
  });
}

function closed(): Error {
  return Object.assign(new Error('closed without an answer'), { code: 'ECONNRESET' });
}

function target(
  location: string,
  from: CheckAddress,
  path: string,
  headers: Readonly<Record<string, string>>,
): { address: CheckAddress; path: string; headers: Readonly<Record<string, string>> } | null {
  const base = `${from.tls === undefined ? 'http' : 'https'}://${from.host.includes(':') ? `[${from.host}]` : from.host}:${from.port}${path}`;
  let url: URL;
  try {
    url = new URL(location, base);
  } catch {
    return null;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  const host = hostOf(url);
  const port = portOf(url);
  const same = host === from.host && port === from.port;
  // Another server gets no Host, and no headers, that were meant for this one.
  return {
    address: {
      host,
      port,
      ...(url.protocol === 'https:'
        ? {
            tls: {
              ca: [],
              cert: [],
              key: [],
              verify: true,
              ...from.tls,
              serverName: same ? (from.tls?.serverName ?? host) : host,
            },
          }
        : {}),
    },
    path: url.pathname + url.search,
    headers: same ? headers : {},
  };
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}
