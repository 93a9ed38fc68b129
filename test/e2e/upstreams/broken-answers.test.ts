import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAccessLines } from '../../support/access-lines.ts';
import { type ProxyProcess, startProxy } from '../../support/proxy.ts';
import { sendRaw } from '../../support/raw-client.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../../support/recording-upstream.ts';
import type { RawResponse } from '../../support/response-splitter.ts';
import { waitFor } from '../../support/wait-for.ts';

/** A head and what shows that the answer is bad, in one piece: the client has seen nothing of it. */
const BROKEN = 'HTTP/1.1 200 OK\r\nX-From: bad\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n';

let bad: RecordingUpstream;
let good: RecordingUpstream;
let proxy: ProxyProcess;

beforeAll(async () => {
  bad = await startRecordingUpstream();
  good = await startRecordingUpstream();
  // Answers of this type are counted and not held back.
  const stream = BROKEN.replace('X-From: bad', 'Content-Type: text/event-stream');
  bad.use({ onRequest: ({ target }) => [target === '/buffered' ? stream : BROKEN] });
  good.use({ onRequest: () => ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'] });
  const sticky = { cookie: { name: 'stick' } };
  proxy = await startProxy({
    static: [
      'entryPoints: {web: {address: "127.0.0.1:PORT(web)"}}',
      'providers: {file: {filename: DIR/dynamic/dynamic.yml}}',
      'accessLog: {filePath: DIR/access.log, format: json}',
    ].join('\n'),
    dynamic: {
      http: {
        routers: {
          plain: { rule: 'Path(`/plain`)', service: 'bad', middlewares: ['added'] },
          buffered: { rule: 'Path(`/buffered`)', service: 'bad', middlewares: ['buffered'] },
          sticky: { rule: 'Path(`/sticky`)', service: 'sticky' },
          failover: { rule: 'Path(`/failover`)', service: 'failover' },
          turned: { rule: 'Path(`/turned`)', service: 'turned' },
        },
        middlewares: {
          added: { headers: { customResponseHeaders: { 'X-Added': 'yes' } } },
          buffered: { buffering: { maxResponseBodyBytes: 1_000_000 } },
        },
        services: {
          bad: { loadBalancer: { servers: [{ url: bad.url }] } },
          good: { loadBalancer: { servers: [{ url: good.url }] } },
          sticky: { weighted: { services: [{ name: 'bad', weight: 1 }], sticky } },
          failover: { failover: { service: 'bad', fallback: 'good', errors: { status: ['500-599'] } } },
          turned: { failover: { service: 'sticky', fallback: 'good', errors: { status: ['200'] } } },
        },
      },
    },
  });
});

afterAll(async () => {
  await proxy.stop();
  await Promise.all([bad.close(), good.close()]);
});

async function ask(path: string, method = 'GET', body = ''): Promise<RawResponse> {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: a.test\r\n${length}\r\n`;
  const { responses, closed } = await sendRaw({ port: proxy.port('web'), chunks: [head + body], methods: [method] });
  expect(closed).toBe('no');
  expect(responses).toHaveLength(1);
  expect(responses[0]?.complete).toBe(true);
  return responses[0]!;
}

function asked(upstream: RecordingUpstream, path: string): number {
  return upstream.connections.flatMap(({ requests }) => requests).filter(({ target }) => target === path).length;
}

describe('an answer that turns out bad before the client has seen any of it', () => {
  it.each(['GET', 'POST'])('is 502 in its place, to %s', async (method) => {
    const response = await ask('/plain', method, method === 'POST' ? 'abc' : '');
    expect(response.status).toBe(502);
    expect(response.body.toString()).toBe('Bad Gateway');
    expect(response.header('x-from')).toBeUndefined();
    expect(response.header('x-added')).toBe('yes');
  });

  it('is so behind a middleware that counts the bytes of answers', async () => {
    expect((await ask('/buffered')).status).toBe(502);
  });

  it('binds nobody to the server that gave it', async () => {
    const response = await ask('/sticky');
    expect(response.status).toBe(502);
    expect(response.header('set-cookie')).toBeUndefined();
  });

  it('is not asked for a second time elsewhere: somebody did what it asked for', async () => {
    for (const [method, body] of [
      ['GET', ''],
      ['POST', ''],
      ['POST', 'abc'],
    ] as const) {
      expect((await ask('/failover', method, body)).status).toBe(502);
    }
    expect(asked(bad, '/failover')).toBe(3);
    expect(asked(good, '/failover')).toBe(0);
  });

  it('is logged as what the client got, with none of its bytes taken for the upstream', async () => {
    const line = await waitFor('the line', () =>
      readAccessLines(proxy.dir).find(({ RequestPath }) => RequestPath === '/sticky'),
    );
    expect(line).toMatchObject({
      DownstreamStatus: 502,
      DownstreamContentSize: 'Bad Gateway'.length,
      OriginContentSize: 0,
      OriginStatus: 0,
      ErrorCode: 'UPSTREAM_BAD_RESPONSE',
    });
  });
});

it('an answer of the fallback carries no cookie of the service that was turned away', async () => {
  bad.use({ onRequest: () => ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad'] });
  const response = await ask('/turned');
  expect(response.body.toString()).toBe('good');
  expect(response.header('set-cookie')).toBeUndefined();
});
