import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeCa } from '../support/certs.ts';
import { startSseServer } from '../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { type RecordingUpstream, type Step, startRecordingUpstream } from '../support/recording-upstream.ts';
import { waitFor } from '../support/wait-for.ts';
import { allTo } from './setup.ts';

let upstream: RecordingUpstream;
let proxy: ProxyProcess;
let port: number;
const certificate = makeCa().issue({ sans: ['a.test'] });

beforeAll(async () => {
  upstream = await startRecordingUpstream();
  const dynamic = allTo(upstream.url) as { http: { routers: Record<string, unknown> } };
  dynamic.http.routers.secure = { rule: 'PathPrefix(`/`)', service: 'app', tls: {} };
  proxy = await startProxy({
    static: { entryPoints: { web: {}, secure: {} } },
    dynamic: { ...dynamic, tls: { certificates: [{ certFile: certificate.cert, keyFile: certificate.key }] } },
  });
  port = proxy.port('web');
});

afterEach(() => {
  carrier = undefined;
  upstream.use({});
});

afterAll(async () => {
  await proxy.stop();
  await upstream.close();
  expect(proxy.output()).not.toMatch(/uncaught|died/);
});

const CHUNKED = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n';

type Connection = RecordingUpstream['connections'][number];
let carrier: Connection | undefined;

/** The upstream answers the next request with these steps, and a test goes on by hand on {@link active}. */
function answerWith(...steps: Step[]): void {
  const take = (connection: Connection): readonly Step[] => {
    carrier = connection;
    return steps;
  };
  upstream.use({ onRequest: (_, connection) => take(connection) });
}

/** The connection that carries the request under way. */
function active(): Promise<Connection> {
  return waitFor('a request at the upstream', () => carrier);
}

describe('streams', () => {
  it('hands on the first server-sent event before the last is written', async () => {
    await using sse = await startSseServer();
    await using own = await startProxy({ dynamic: allTo(sse.url) });
    await using client = await RawClient.connect({ port: own.port() });
    await client.write('GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n');
    for (let event = 0; event < 5; event++) {
      await client.waitUntil(`event ${event}`, (c) => c.received.includes(`data: event ${event}\n\n`));
      sse.next();
    }
    sse.finish();
    const { responses } = await client.waitForResponses(1);
    expect(responses[0]?.header('content-type')).toBe('text/event-stream');
    expect(responses[0]?.body.toString()).toContain('event 4');
  });

  it('hands on each chunk of a chunked answer as it comes', async () => {
    answerWith(CHUNKED);
    await using client = await RawClient.connect({ port });
    await client.write('POST /api/generate HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\n{}');
    const connection = await active();
    for (let i = 0; i < 4; i++) {
      await connection.play([`a\r\n{"part":${i}}\r\n`.replace('a', (10).toString(16))]);
      await client.waitUntil(`part ${i}`, (c) => c.received.includes(`{"part":${i}}`));
    }
    await connection.play(['0\r\n\r\n']);
    const { responses } = await client.waitForResponses(1);
    expect(responses[0]?.complete).toBe(true);
  });

  it('answers an HTTP/1.0 client by close instead of chunks, and still at once', async () => {
    answerWith(CHUNKED);
    await using client = await RawClient.connect({ port });
    await client.write('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n');
    const connection = await active();
    await connection.play(['5\r\nfirst\r\n']);
    await client.waitUntil('the first chunk', (c) => c.received.includes('first'));
    await connection.play(['4\r\nlast\r\n0\r\n\r\n']);
    expect(await client.closes()).toBe(true);
    expect(client.closed).toBe('end');
    const text = client.received.toString('latin1');
    expect(text).not.toMatch(/transfer-encoding/i);
    expect(text.split('\r\n\r\n')[1]).toBe('firstlast');
  });

  it('hands on trailers of requests and of responses', async () => {
    answerWith(
      'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n',
    );
    const { bytes } = await sendRaw({
      port,
      chunks: [
        'POST / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '3\r\nabc\r\n0\r\nX-Check: 7\r\n\r\n',
      ],
    });
    expect(bytes.toString('latin1')).toMatch(/\r\n0\r\nX-Sum: 42\r\n\r\n$/);
    const seen = (await active()).received.toString('latin1');
    expect(seen).toMatch(/\r\n0\r\nX-Check: 7\r\n\r\n$/);
    expect(seen).toMatch(/\r\nTE: trailers\r\n/);
  });
});

describe('interim responses', () => {
  it('hands on 103 (Early Hints) before the answer is there', async () => {
    answerWith('HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n');
    await using client = await RawClient.connect({ port });
    await client.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await client.waitUntil('the hints', (c) =>
      /^HTTP\/1.1 103 [\s\S]*Link: [\s\S]*\r\n\r\n/.test(c.received.toString()),
    );
    await (await active()).play(['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok']);
    const { responses } = await client.waitForResponses(1);
    expect(responses.at(-1)?.body.toString()).toBe('ok');
  });

  it('does not send them to an HTTP/1.0 client', async () => {
    answerWith('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const { bytes } = await sendRaw({ port, chunks: ['GET / HTTP/1.0\r\nHost: a.test\r\n\r\n'] });
    expect(bytes.toString()).toMatch(/^HTTP\/1\.[01] 200 /);
  });

  it('asks for the body when the upstream does (Expect: 100-continue)', async () => {
    upstream.use({
      onBytes: (_, chunk) =>
        chunk.includes('Expect')
          ? ['HTTP/1.1 100 Continue\r\n\r\n']
          : chunk.includes('body')
            ? ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone']
            : [],
    });
    await using client = await RawClient.connect({ port });
    await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n');
    await client.waitUntil('100', (c) => c.received.toString().startsWith('HTTP/1.1 100 '));
    await client.write('body');
    await client.waitUntil('the answer', (c) => c.received.toString().endsWith('done'));
    expect(client.received.toString().match(/HTTP\/1\.1 100/g)).toHaveLength(1);
  });

  it('hands on a refusal in place of 100, and closes: the body may or may not follow', async () => {
    upstream.use({ onBytes: () => ['HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n'] });
    await using client = await RawClient.connect({ port });
    await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n');
    expect(await client.closes()).toBe(true);
    expect(client.received.toString()).toMatch(/^HTTP\/1\.1 417 [\s\S]*Connection: close/);
  });
});

describe('answers without a body', () => {
  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n', /content-length: 1234/i],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', /204/],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 99\r\n\r\n', /304/],
  ])('%s, %j: the connection serves the next request', async (method, answer, expected) => {
    upstream.use({
      onRequest: (request) =>
        request.target === '/first' ? [answer] : ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    });
    const { responses, bytes } = await sendRaw({
      port,
      methods: [method, 'GET'],
      chunks: [`${method} /first HTTP/1.1\r\nHost: a.test\r\n\r\nGET /second HTTP/1.1\r\nHost: a.test\r\n\r\n`],
    });
    expect(bytes.toString('latin1').split('\r\n\r\n')[0]).toMatch(expected);
    expect(responses[0]?.body.length).toBe(0);
    expect(responses[1]?.body.toString()).toBe('ok');
    expect(upstream.connections.filter((c) => c.requests.length > 0).length).toBeGreaterThan(0);
  });
});

describe('a client that leaves', () => {
  it.each(['end', 'reset'] as const)('ends the upstream’s request before its first byte (%s)', async (how) => {
    answerWith();
    await using client = await RawClient.connect({ port });
    await client.write('GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const connection = await active();
    client[how]();
    await waitFor('the upstream to be told', () => connection.closed !== 'no');
  });

  it('ends the upstream’s request in the middle of the answer', async () => {
    answerWith(CHUNKED, '5\r\nfirst\r\n');
    await using client = await RawClient.connect({ port });
    await client.write('GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const connection = await active();
    await client.waitUntil('the first chunk', (c) => c.received.includes('first'));
    client.reset();
    await waitFor('the upstream to be told', () => connection.closed !== 'no');
  });

  it('ends the upstream’s request in the middle of its own body', async () => {
    upstream.use({
      onBytes: (connection) => {
        carrier = connection;
        return [];
      },
    });
    await using client = await RawClient.connect({ port });
    await client.write('POST /upload HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\nhalf');
    const connection = await active();
    await waitFor('the first half', () => connection.received.includes('half'));
    client.reset();
    await waitFor('the upstream to be told', () => connection.closed !== 'no');
  });
});

describe('an upstream that dies in the middle of a body', () => {
  const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';
  const cases = [
    ['chunked', 'END', `${CHUNKED}4\r\nhalf\r\n`],
    ['chunked', 'RESET', `${CHUNKED}4\r\nhalf\r\n`],
    ['length', 'END', LENGTH],
    ['length', 'RESET', LENGTH],
  ] as const;

  it.each(cases)('breaks the answer to an HTTP/1.1 client (%s, %s)', async (_, how, answer) => {
    answerWith(answer);
    await using client = await RawClient.connect({ port });
    await client.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await client.waitUntil('the first half', (c) => c.received.includes('half'));
    await (await active()).play([how]);
    expect(await client.closes()).toBe(true);
    expect(client.split().responses[0]?.complete ?? false).toBe(false);
    expect(client.received.toString()).not.toMatch(/0\r\n\r\n$/);
  });

  it.each(cases)(
    'resets the connection of an HTTP/1.0 client where close would end the body (%s, %s)',
    async (kind, how, answer) => {
      answerWith(answer);
      await using client = await RawClient.connect({ port });
      await client.write('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n');
      await client.waitUntil('the first half', (c) => c.received.includes('half'));
      await (await active()).play([how]);
      expect(await client.closes()).toBe(true);
      if (kind === 'chunked') expect(client.closed).toBe('reset');
      else expect(client.received.toString()).toMatch(/content-length: 100/i);
    },
  );

  it('does so over TLS too, where the end is not announced (no close_notify)', async () => {
    answerWith(`${CHUNKED}4\r\nhalf\r\n`);
    await using client = await RawClient.connect({ port: proxy.port('secure'), tls: { servername: 'a.test' } });
    await client.write('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n');
    await client.waitUntil('the first half', (c) => c.received.includes('half'));
    await (await active()).play(['RESET']);
    expect(await client.closes()).toBe(true);
    expect(client.closed).toBe('reset');
  });

  it('answers 502 while nothing was sent', async () => {
    answerWith('RESET');
    const { responses } = await sendRaw({
      port,
      chunks: ['POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n'],
    });
    expect(responses[0]?.status).toBe(502);
  });
});
