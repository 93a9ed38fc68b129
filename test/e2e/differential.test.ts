import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Child, startChild, waitUntilAccepting } from '../support/child.ts';
import { freePort } from '../support/ports.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { sendRaw } from '../support/raw-client.ts';
import { type RecordingUpstream, type Step, startRecordingUpstream } from '../support/recording-upstream.ts';
import type { SeenRequest } from '../support/request-framing.ts';
import type { RawResponse } from '../support/response-splitter.ts';
import { waitFor } from '../support/wait-for.ts';
import { allTo } from './setup.ts';

// http-proxy-3 stands on Node's own HTTP parser and writer: what it and this proxy's own codec agree on is not the opinion of one
// implementation. Where they do not agree, the last part says which of them is wrong, and by which rule.

const CHILD = fileURLToPath(new URL('../support/http-proxy-3-child.ts', import.meta.url));

/** A proxy with an upstream of its own. */
interface Side {
  readonly port: number;
  readonly upstream: RecordingUpstream;
}

let own: Side;
let other: Side;
let proxy: ProxyProcess;
let child: Child;

beforeAll(async () => {
  const ownUpstream = await startRecordingUpstream();
  const otherUpstream = await startRecordingUpstream();
  const port = await freePort();
  child = startChild(process.execPath, [CHILD, String(port), String(otherUpstream.port)]);
  [proxy] = await Promise.all([
    startProxy({ dynamic: allTo(ownUpstream.url) }),
    waitUntilAccepting(child, '127.0.0.1', port),
  ]);
  own = { port: proxy.port(), upstream: ownUpstream };
  other = { port, upstream: otherUpstream };
});

afterAll(async () => {
  await Promise.all([proxy.stop(), child.stop()]);
  await Promise.all([own.upstream.close(), other.upstream.close()]);
  expect(proxy.output()).not.toMatch(/uncaught|died/);
});

const DATE = 'Date: Tue, 15 Nov 1994 08:12:31 GMT';
const OK = `HTTP/1.1 200 OK\r\n${DATE}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n`;

interface Request {
  readonly method: string;
  readonly target?: string;
  readonly headers?: readonly string[];
  /** As it stands on the wire, framing included. */
  readonly body?: string;
  /** What the upstream says. */
  readonly answer?: readonly Step[];
}

interface Outcome {
  readonly response: RawResponse;
  /** All that the upstream took for a request. */
  readonly seen: readonly SeenRequest[];
}

/** Sends a request through one proxy. */
async function through(side: Side, request: Request): Promise<Outcome> {
  const { method, target = '/', headers = [], body = '' } = request;
  const answer = request.answer ?? [method === 'HEAD' ? OK : `${OK}ok`];
  const seen: SeenRequest[] = [];
  side.upstream.use({
    onRequest: (r) => {
      seen.push(r);
      return answer;
    },
  });
  const head = [`${method} ${target} HTTP/1.1`, 'Host: app.test:8080', ...headers, '', ''].join('\r\n');
  const { responses } = await sendRaw({ port: side.port, chunks: [head, body].filter(Boolean), methods: [method] });
  const response = responses.at(-1);
  if (response === undefined) throw new Error(`no answer; the upstream saw ${JSON.stringify(seen.map((r) => r.head))}`);
  return { response, seen };
}

/** Through both, one after the other. */
async function throughBoth(request: Request): Promise<{ ours: Outcome; theirs: Outcome }> {
  return { ours: await through(own, request), theirs: await through(other, request) };
}

/** About one connection (RFC 9110 §7.6.1), or about framing: each hop has its own. */
const OF_A_HOP =
  /^(connection|keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|te|trailer|transfer-encoding|upgrade|content-length)$/;
/** Added by this proxy alone: http-proxy-3 is run without its `xfwd`. */
const FORWARDED = /^(x-forwarded-.*|x-real-ip)$/;

/**
 * Headers that mean the same compare equal: names in lower case and sorted, several lines of a name as one list (RFC 9110 §5.3),
 * but for Set-Cookie, which is no list.
 */
function endToEnd(headers: SeenRequest['headers'], omit: RegExp = OF_A_HOP): Record<string, string | string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (omit.test(key) || OF_A_HOP.test(key)) continue;
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return Object.fromEntries(
    [...values].sort().map(([name, all]) => [name, name === 'set-cookie' ? all : all.join(', ')]),
  );
}

function upstreamView(outcome: Outcome): unknown {
  return outcome.seen.map(({ method, target, version, headers, body }) => ({
    method,
    target,
    version,
    headers: endToEnd(headers, FORWARDED),
    body: body.toString('latin1'),
  }));
}

function clientView({ response }: Outcome): unknown {
  const { version, status, reason, headers, body, complete } = response;
  return { version, status, reason, headers: endToEnd(headers), body: body.toString('latin1'), complete };
}

/** Both proxies make the same of it, and it is something. */
async function expectSame(request: Request): Promise<{ ours: Outcome; theirs: Outcome }> {
  const both = await throughBoth(request);
  expect(both.ours.seen).toHaveLength(1);
  expect(upstreamView(both.ours)).toEqual(upstreamView(both.theirs));
  expect(clientView(both.ours)).toEqual(clientView(both.theirs));
  return both;
}

/** One chunk for each part. */
function chunked(...parts: readonly string[]): string {
  return [...parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`), '0\r\n\r\n'].join('');
}

const LONG = 'phoenix '.repeat(25_000);
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1');

describe('requests reach the upstream as they do through http-proxy-3', () => {
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT'])(
    '%s without a body',
    async (method) => {
      const { ours } = await expectSame({ method, target: '/a' });
      expect(ours.seen[0]).toMatchObject({ method, target: '/a' });
    },
  );

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('%s with a length', async (method) => {
    for (const body of ['x', ALL_BYTES, LONG]) {
      const { ours } = await expectSame({ method, headers: [`Content-Length: ${body.length}`], body });
      expect(ours.seen[0]?.header('content-length')).toBe(String(body.length));
      expect(ours.seen[0]?.body.toString('latin1') === body).toBe(true);
    }
  });

  it.each(['POST', 'PUT', 'PATCH'])('%s with the length 0', async (method) => {
    const { ours, theirs } = await expectSame({ method, headers: ['Content-Length: 0'] });
    expect(ours.seen[0]?.header('content-length')).toBe('0');
    expect(theirs.seen[0]?.header('content-length')).toBe('0');
  });

  it.each(['POST', 'PUT', 'PATCH', 'PROPFIND'])('%s in chunks', async (method) => {
    for (const parts of [['one', 'two', 'three'], [ALL_BYTES], [LONG, 'end'], []]) {
      const { ours, theirs } = await expectSame({
        method,
        headers: ['Transfer-Encoding: chunked'],
        body: chunked(...parts),
      });
      expect([ours.seen[0]?.framing, theirs.seen[0]?.framing]).toEqual(['chunked', 'chunked']);
      expect(ours.seen[0]?.body.toString('latin1') === parts.join('')).toBe(true);
    }
  });

  it.each([
    '/',
    '/a/b/',
    '/a?b',
    '/a?b=c&b=d&e=',
    '/a?q=x%20y%26z+w',
    '/a?u=http://b.test/c?d=e',
    '/a%2Fb%20c%3Fd',
    '/%C3%BC?%C3%BC',
    "/!$&'()*+,;=:@",
  ])('the target %s', async (target) => {
    const { ours } = await expectSame({ method: 'GET', target });
    expect(ours.seen[0]?.target).toBe(target);
  });

  it('a target of several thousand bytes', async () => {
    await expectSame({ method: 'GET', target: `/${'long/'.repeat(500)}?${'q=1&'.repeat(500)}` });
  });

  it('all end-to-end headers, whatever they hold', async () => {
    const { ours } = await expectSame({
      method: 'GET',
      headers: [
        'accept: text/html, application/json;q=0.9',
        'ACCEPT-ENCODING: gzip, br',
        'Authorization: Bearer a.b.c',
        'Cookie: a=1; b="2"',
        'If-None-Match: W/"x", "y"',
        'Range: bytes=0-10',
        'Origin: https://b.test',
        'User-Agent: test/1 (comment; more)',
        'X-Empty:',
        'X-List: 1',
        'X-List: 2, 3',
        'X-Latin: caf\xe9',
        'X-Padded: \t  in the middle  \t',
        `X-Long: ${'v'.repeat(8_000)}`,
        'Forwarded: for=192.0.2.1',
        'Cache-Control: no-cache',
        "X!#$%&'*+-.^_`|~9: every token character",
      ],
    });
    expect(endToEnd(ours.seen[0]!.headers)).toMatchObject({
      'x-empty': '',
      'x-list': '1, 2, 3',
      'x-latin': 'caf\xe9',
      'x-padded': 'in the middle',
    });
  });

  it('with a hundred headers', async () => {
    const headers = Array.from({ length: 100 }, (_, i) => `X-Number-${i}: ${i}`);
    await expectSame({ method: 'GET', headers });
  });
});

describe('responses reach the client as they do through http-proxy-3', () => {
  const respond = (line: string, headers: readonly string[], body = '', ...then: Step[]): readonly Step[] => [
    Buffer.from([`HTTP/1.1 ${line}`, DATE, ...headers, '', body].join('\r\n'), 'latin1'),
    ...then,
  ];

  it.each(['a length', 'chunks', 'close'])('a body delimited by %s', async (framing) => {
    for (const body of ['', 'x', ALL_BYTES, LONG]) {
      const answer =
        framing === 'close'
          ? respond('200 OK', ['Connection: close'], body, 'END')
          : framing === 'chunks'
            ? respond('200 OK', ['Transfer-Encoding: chunked'], body === '' ? chunked() : chunked(body, 'end'))
            : respond('200 OK', [`Content-Length: ${body.length}`], body);
      const { ours, theirs } = await expectSame({ method: 'GET', answer });
      // How an empty body is framed, Node decides by whether its end came before the head was written.
      if (body !== '') expect(theirs.response.framing).toBe(ours.response.framing);
      expect(ours.response.framing).toBe(framing === 'a length' ? 'length' : 'chunked');
      expect(ours.response.body.toString('latin1').startsWith(body)).toBe(true);
    }
  });

  it.each([
    '201 Created',
    '206 Partial Content',
    '301 Moved Permanently',
    '404 Nothing here at all',
    "418 I'm a teapot",
    '500 Internal Server Error',
    '503 Service Unavailable',
    '599 Own',
  ])('%s', async (line) => {
    const { ours } = await expectSame({
      method: 'GET',
      answer: respond(line, ['Location: /b?c', 'Retry-After: 3', 'Content-Length: 3'], 'why'),
    });
    expect(`${ours.response.status} ${ours.response.reason}`).toBe(line);
  });

  it.each([
    ['204', 'GET', '204 No Content', []],
    ['304', 'GET', '304 Not Modified', ['ETag: "x"']],
    ['HEAD with a length', 'HEAD', '200 OK', ['Content-Length: 1234']],
    ['HEAD of a chunked body', 'HEAD', '200 OK', ['Transfer-Encoding: chunked']],
  ])('no body after %s', async (_, method, line, headers) => {
    const { ours, theirs } = await expectSame({ method, answer: respond(line, headers) });
    expect(ours.response.header('content-length')).toBe(theirs.response.header('content-length'));
    expect(ours.response.body.length).toBe(0);
  });

  it('every Set-Cookie in its own line, in order', async () => {
    const cookies = ['b=2; Path=/; HttpOnly', 'a=1; Expires=Tue, 15 Nov 2033 08:12:31 GMT', 'b=3', 'c="d, e"'];
    const { ours } = await expectSame({
      method: 'GET',
      answer: respond('200 OK', [...cookies.map((cookie) => `Set-Cookie: ${cookie}`), 'Content-Length: 0']),
    });
    expect(endToEnd(ours.response.headers)['set-cookie']).toEqual(cookies);
  });

  it('all end-to-end headers', async () => {
    await expectSame({
      method: 'GET',
      answer: respond('200 OK', [
        'Server: upstream/1',
        'Vary: Accept',
        'Vary: Origin',
        'Cache-Control: max-age=3, private',
        'Content-Encoding: gzip',
        'ETag: "e"',
        'Link: </a>; rel=preload',
        'X-Latin: caf\xe9',
        'X-Empty:',
        'WWW-Authenticate: Basic realm="x"',
        'Content-Length: 0',
      ]),
    });
  });
});

describe('where they differ, and both may', () => {
  it.each(['DELETE', 'OPTIONS'])(
    '%s without a body: http-proxy-3 says Content-Length: 0, we nothing',
    async (method) => {
      // RFC 9110 §8.6 wants the header only where the method gives a body a meaning: POST, PUT and PATCH. Where the client itself
      // said 0, we say nothing either, as Go's client and therefore Traefik do.
      for (const headers of [[], ['Content-Length: 0']]) {
        const { ours, theirs } = await expectSame({ method, headers });
        expect(theirs.seen[0]?.header('content-length')).toBe('0');
        expect(ours.seen[0]?.framing).toBe('none');
      }
    },
  );

  it('trailers of the upstream: http-proxy-3 drops them, though it announces them', async () => {
    // RFC 9110 §6.5.1 lets an intermediary drop trailers; gRPC and checksums do not work without them.
    const answer = [
      `HTTP/1.1 200 OK\r\n${DATE}\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n`,
    ];
    const { ours, theirs } = await throughBoth({ method: 'GET', headers: ['TE: trailers'], answer });
    expect([theirs.response.header('trailer'), theirs.response.trailers]).toEqual(['X-Sum', []]);
    expect([ours.response.header('trailer'), ours.response.trailers]).toEqual(['X-Sum', [['X-Sum', '42']]]);
  });
});

describe('where http-proxy-3 is at fault', () => {
  it('an empty query: it drops the question mark', async () => {
    // RFC 3986 §6.2.3: `/?` and `/` are different resources.
    const { ours, theirs } = await throughBoth({ method: 'GET', target: '/a?' });
    expect([theirs.seen[0]?.target, ours.seen[0]?.target]).toEqual(['/a', '/a?']);
  });

  it.each(['DELETE', 'OPTIONS'])(
    '%s in chunks: it says Content-Length: 0 and sends the body all the same, which is then a request of its own',
    async (method) => {
      // RFC 9112 §6.3: the body is what Transfer-Encoding says. An upstream that believes the added length takes the body for
      // the next request of the connection: request smuggling.
      const body = 'GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n';
      const { ours, theirs } = await throughBoth({
        method,
        headers: ['Transfer-Encoding: chunked'],
        body: chunked(body),
      });
      await waitFor('the body, taken for a request', () => theirs.seen.length === 2);
      expect(theirs.seen.map((r) => `${r.method} ${r.target}`)).toEqual([`${method} /`, 'GET /smuggled']);
      expect(theirs.seen[0]?.header('content-length')).toBe('0');

      expect(ours.seen.map((r) => `${r.method} ${r.target}`)).toEqual([`${method} /`]);
      expect(ours.seen[0]?.framing).toBe('chunked');
      expect(ours.seen[0]?.header('content-length')).toBeUndefined();
      expect(ours.seen[0]?.body.toString()).toBe(body);
    },
  );

  it('hop-by-hop headers of the client: it hands them on', async () => {
    // RFC 9110 §7.6.1: an intermediary removes Connection, and what it names; §11.7.2: Proxy-Authorization is for the proxy.
    const hops = ['X-Hop: 1', 'Keep-Alive: timeout=9', 'Proxy-Authorization: Basic YTpi', 'TE: gzip'];
    const { ours, theirs } = await throughBoth({ method: 'GET', headers: ['Connection: keep-alive, X-Hop', ...hops] });
    for (const name of ['x-hop', 'keep-alive', 'proxy-authorization', 'te']) {
      expect([name, theirs.seen[0]?.header(name)]).not.toEqual([name, undefined]);
      expect([name, ours.seen[0]?.header(name)]).toEqual([name, undefined]);
    }
  });

  it('hop-by-hop headers of the upstream: it hands them on', async () => {
    const answer = [
      `HTTP/1.1 200 OK\r\n${DATE}\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n`,
    ];
    const { ours, theirs } = await throughBoth({ method: 'GET', answer });
    for (const name of ['x-hop', 'proxy-authenticate']) {
      expect([name, theirs.response.header(name)]).not.toEqual([name, undefined]);
      expect([name, ours.response.header(name)]).toEqual([name, undefined]);
    }
  });
});
