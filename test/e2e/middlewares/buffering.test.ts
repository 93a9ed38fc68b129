import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { startHttpUpstream, startSseServer } from '../../support/http-upstreams.ts';
import { startProxy } from '../../support/proxy.ts';
import { RawClient, sendRaw } from '../../support/raw-client.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask } from '../upstreams/support.ts';
import { through } from './support.ts';

interface Seen {
  readonly length: string | undefined;
  readonly coding: string | undefined;
  body: string;
  end: 'whole' | 'broken' | 'not yet';
}

/** A server that keeps what it is sent, and answers when it has all of it. */
async function startKeeper(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void = (_request, response) =>
    void response.end('ok'),
) {
  const seen: Seen[] = [];
  const upstream = await startHttpUpstream((request, response) => {
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    const one: Seen = { length, coding, body: '', end: 'not yet' };
    seen.push(one);
    const count = seen.length;
    request.on('data', (chunk: Buffer) => {
      one.body += chunk.toString('latin1');
    });
    request.on('end', () => {
      one.end = 'whole';
      answer(request, response, count);
    });
    request.on('error', () => {
      one.end = 'broken';
    });
  });
  return Object.assign(Object.create(upstream) as typeof upstream, { seen });
}

const chunked = (body: string, size = body.length): string => {
  let text = '';
  for (let i = 0; i < body.length; i += size) {
    const piece = body.slice(i, i + size);
    text += `${piece.length.toString(16)}\r\n${piece}\r\n`;
  }
  return text;
};
const POST = 'POST / HTTP/1.1\r\nHost: a.test\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;

describe('request bodies', () => {
  it('refuses one that is too long before the server sees anything of it', async () => {
    await using upstream = await startKeeper();
    const dynamic = through({ buffering: { maxRequestBodyBytes: 1000 } }, upstream.url);
    await using proxy = await startProxy({ workers: 2, dynamic });
    const port = proxy.port();
    const declared = await ask(port, { method: 'POST', body: 'x'.repeat(1001) });
    expect([declared.status, declared.body.toString()]).toEqual([413, 'Payload Too Large']);
    const told = await sendRaw({ port, chunks: [`${POST}Content-Length: 100000000\r\n\r\n`], methods: ['POST'] });
    expect(told.responses[0]?.status).toBe(413);
    // Chunked, and it goes on without end.
    await using client = await RawClient.connect({ port });
    await client.write(CHUNKED + chunked('x'.repeat(900)));
    await client.write(chunked('x'.repeat(200)));
    expect((await client.waitForResponses(1, ['POST'])).responses[0]?.status).toBe(413);
    expect(upstream.seen).toEqual([]);
    expect((await ask(port, { method: 'POST', body: 'x'.repeat(1000) })).status).toBe(200);
    expect(upstream.seen).toMatchObject([{ length: '1000', end: 'whole' }]);
  });

  it('waits for the whole body, and then says its length', async () => {
    await using upstream = await startKeeper();
    await using proxy = await startProxy({ dynamic: through({ buffering: {} }, upstream.url) });
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write(`${POST}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n`);
    await client.waitUntil('100', ({ received }) => received.includes('100 Continue'));
    await client.write(chunked('abc'.repeat(1000), 7));
    expect(upstream.requests).toBe(0);
    await client.write('0\r\n\r\n');
    await client.waitUntil('200', ({ received }) => received.includes('200 OK'));
    expect(upstream.seen).toEqual([{ length: '3000', coding: undefined, body: 'abc'.repeat(1000), end: 'whole' }]);
  });

  it('passes on what does not fit into memory, and cuts it where it is too long', async () => {
    await using upstream = await startKeeper();
    const buffering = { memRequestBodyBytes: 1000, maxRequestBodyBytes: 50_000 };
    await using proxy = await startProxy({ dynamic: through({ buffering }, upstream.url) });
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write(CHUNKED + chunked('x'.repeat(2000), 100));
    await waitFor('what has come to be at the server', () => upstream.seen[0]?.body.length === 2000);
    await client.write(chunked('y'.repeat(48_000)));
    await waitFor('the rest', () => upstream.seen[0]?.body.length === 50_000);
    await client.write(chunked('z'));
    expect((await client.waitForResponses(1, ['POST'])).responses[0]?.status).toBe(413);
    await waitFor('the server to see that it is not whole', () => upstream.seen[0]?.end === 'broken');
    expect(upstream.seen[0]!.body.length).toBe(50_000);
    // Within the limit all of it comes.
    const { responses } = await sendRaw({
      port: proxy.port(),
      methods: ['POST'],
      chunks: [`${CHUNKED}${chunked('x'.repeat(49_999), 5_000)}0\r\n\r\n`],
    });
    expect(responses[0]?.status).toBe(200);
    expect(upstream.seen[1]).toMatchObject({ coding: 'chunked', end: 'whole', body: 'x'.repeat(49_999) });
  });
});

describe('response bodies', () => {
  it.each([
    ['with a length', (response: ServerResponse, size: number) => void response.end('x'.repeat(size))],
    [
      'chunked',
      (response: ServerResponse, size: number) => {
        response.write('x');
        response.end('x'.repeat(size - 1));
      },
    ],
  ])('answers 500 instead of one that is too long, %s', async (_what, write) => {
    await using upstream = await startKeeper((request, response) => write(response, Number(request.url!.slice(1))));
    const dynamic = through({ buffering: { maxResponseBodyBytes: 1000 } }, upstream.url);
    await using proxy = await startProxy({ dynamic });
    const long = await ask(proxy.port(), { path: '/1001' });
    expect([long.status, long.body.toString()]).toEqual([500, 'Internal Server Error']);
    const short = await ask(proxy.port(), { path: '/1000' });
    expect([short.status, short.body.length, short.header('content-length')]).toEqual([200, 1000, '1000']);
  });

  it('answers 502 where one that was held breaks off, instead of half of it', async () => {
    await using upstream = await startKeeper((_request, response) => {
      response.write('half', () => setTimeout(() => response.destroy(), 20));
    });
    const dynamic = through({ buffering: { maxResponseBodyBytes: 1000 } }, upstream.url);
    await using proxy = await startProxy({ dynamic });
    expect((await ask(proxy.port(), { method: 'POST', body: 'x' })).status).toBe(502);
  });

  it('never holds a stream', async () => {
    await using upstream = await startSseServer();
    const dynamic = through({ buffering: { maxResponseBodyBytes: 1000 } }, upstream.url);
    await using proxy = await startProxy({ dynamic });
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    for (let n = 0; n < 5; n++) {
      await client.waitUntil(`event ${n}`, ({ received }) => received.includes(`event ${n}\n`));
      upstream.next();
    }
    upstream.finish();
    await client.waitUntil('the end', ({ received }) => received.includes('0\r\n\r\n'));
  });
});

describe('retryExpression', () => {
  it('sends the request again, body and all, while it holds', async () => {
    await using upstream = await startKeeper((_request, response, count) => {
      response.statusCode = count % 3 === 0 ? 200 : 502;
      response.end(`answer ${count}`);
    });
    const retryExpression = 'ResponseCode() == 502 && RequestMethod() == "POST" && Attempts() < 3';
    await using proxy = await startProxy({ dynamic: through({ buffering: { retryExpression } }, upstream.url) });
    const answer = await ask(proxy.port(), { method: 'POST', body: 'hello' });
    expect([answer.status, answer.body.toString()]).toEqual([200, 'answer 3']);
    expect(upstream.seen.map(({ body }) => body)).toEqual(['hello', 'hello', 'hello']);
    expect((await ask(proxy.port())).status).toBe(502);
    expect(upstream.seen.length).toBe(4);
  });
});
