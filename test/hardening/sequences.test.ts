import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { describeRequest } from '../support/recording-upstream.ts';
import { waitFor } from '../support/wait-for.ts';
import { startUnderTest, type UnderTest } from './under-test.ts';

/** Attacks that are a conversation: what one side says depends on what the other has said. */

const HOST = 'Host: app.test';
const EXPECT = `POST /case HTTP/1.1\r\n${HOST}\r\nExpect: 100-continue\r\n`;
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n\r\n`;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const answer = (status: string, body = 'abc'): string =>
  `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

let underTest: UnderTest;
beforeAll(async () => {
  underTest = await startUnderTest();
});
afterEach(() => underTest.upstream.use({}));
afterAll(() => underTest?.[Symbol.asyncDispose]());

const connect = (): Promise<RawClient> => RawClient.connect({ port: underTest.port });
const targets = (): string[] => underTest.upstream.requests().map(({ target }) => target);

describe('Expect: 100-continue (RFC 9110 §10.1.1; HTTP/1.1 must die, 2025)', () => {
  it('100 comes from the upstream, then the body goes there', async () => {
    underTest.upstream.use({
      onBytes: ({ pending }) => [pending.length === 0 ? answer('200 OK') : CONTINUE],
    });
    await using client = await connect();
    await client.write(`${EXPECT}Content-Length: 5\r\n\r\n`);
    await client.waitUntil('100', () => client.split().responses[0]?.status === 100);
    await client.write('hello');
    const { responses } = await client.waitForResponses(1);
    expect(responses.map(({ status }) => status)).toEqual([100, 200]);
    expect(underTest.upstream.requests().at(-1)?.body.toString()).toBe('hello');
  });

  it.each(['401 Unauthorized', '417 Expectation Failed', '200 OK', '302 Found'])(
    'an early %s ends the connection: what follows is neither body nor request',
    async (status) => {
      underTest.upstream.use({ onBytes: () => [answer(status)] });
      await using client = await connect();
      await client.write(`${EXPECT}Content-Length: ${SMUGGLED.length}\r\n\r\n`);
      const { responses } = await client.waitForResponses(1);
      expect(responses[0]?.status).toBe(Number(status.slice(0, 3)));
      expect(responses[0]?.header('connection')?.toLowerCase()).toBe('close');
      await client.write(SMUGGLED + SMUGGLED);
      expect(await client.closes()).toBe(true);
      expect(client.split().responses).toHaveLength(1);
      expect(targets()).not.toContain('/smuggled');
    },
  );

  it('an early answer while the body was sent at once: the body is read, the connection stays in step', async () => {
    underTest.upstream.use({ onBytes: () => [answer('401 Unauthorized')] });
    await using client = await connect();
    await client.write(`${EXPECT}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED.slice(0, 10)}`);
    await client.waitForResponses(1);
    underTest.upstream.use({});
    await client.write(`${SMUGGLED.slice(10)}GET /after HTTP/1.1\r\n${HOST}\r\n\r\n`);
    await client.waitUntil('an answer or the end', () => client.closed !== 'no' || client.split().responses.length > 1);
    expect(targets()).not.toContain('/smuggled');
    const second = client.split().responses[1];
    if (second !== undefined) expect(JSON.parse(second.body.toString())).toMatchObject({ target: '/after' });
  });

  it('several 100 come out as one, and 100 behind the final answer as none', async () => {
    underTest.upstream.use({
      onBytes: ({ pending }) => [
        pending.length === 0 ? answer('200 OK') + CONTINUE + answer('200 OK', 'poison') : CONTINUE.repeat(3),
      ],
    });
    await using client = await connect();
    await client.write(`${EXPECT}Content-Length: 5\r\n\r\n`);
    await client.waitUntil('100', () => client.split().responses[0]?.status === 100);
    await client.write('hello');
    const { responses } = await client.waitForResponses(1);
    expect(responses.map(({ status }) => status)).toEqual([100, 200]);
    underTest.upstream.use({});
    await client.write(`GET /after HTTP/1.1\r\n${HOST}\r\n\r\n`);
    const after = await client.waitForResponses(2);
    expect(JSON.parse(after.responses[2]!.body.toString())).toMatchObject({ target: '/after' });
  });

  it('a bad chunk behind 100 ends the request at both ends', async () => {
    underTest.upstream.use({ onBytes: () => [CONTINUE] });
    await using client = await connect();
    await client.write(`${EXPECT}Transfer-Encoding: chunked\r\n\r\n`);
    await client.waitUntil('100', () => client.split().responses[0]?.status === 100);
    await client.write(`zz\r\n${SMUGGLED}`);
    expect(await client.closes()).toBe(true);
    expect(client.split().responses.map(({ status }) => status)).toEqual([100, 400]);
    await waitFor('the upstream connection to be closed', () =>
      underTest.upstream.connections.every((c) => c.pending.length === 0 || c.closed !== 'no'),
    );
    expect(targets()).not.toContain('/smuggled');
  });
});

describe('heads and bodies in packets of their own', () => {
  it.each([
    ['a first chunk size that is none', 'zz\r\n'],
    ['a negative first chunk size', '-1\r\n'],
    ['an extension without a name', '5;\r\n'],
  ])('%s, behind its head: 400, and no complete request upstream (RFC 9112 §7.1)', async (_what, bytes) => {
    const before = targets().length;
    await using client = await connect();
    await client.write(`POST /case HTTP/1.1\r\n${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const halves = () => underTest.upstream.connections.filter((c) => c.closed === 'no' && c.pending.length > 0);
    await waitFor('the head upstream', () => halves().length > 0);
    await client.write(bytes);
    expect(await client.closes()).toBe(true);
    expect(client.split().responses.map(({ status }) => status)).toEqual([400]);
    // Also for the next one, who waits for a half of its own.
    await waitFor('the upstream connection to be closed', () => halves().length === 0);
    expect(targets()).toHaveLength(before);
  });
});

describe('a smuggled half waits for nobody', () => {
  it('an attacker who leaves half a request takes nothing of the next client (RFC 9112 §11.2)', async () => {
    for (let round = 0; round < 10; round++) {
      await using attacker = await connect();
      await attacker.write(
        `POST /case HTTP/1.1\r\n${HOST}\r\nContent-Length: 100\r\n\r\nGET /smuggled HTTP/1.1\r\nX: `,
      );
      await using other = await connect();
      await other.write(`GET /victim HTTP/1.1\r\n${HOST}\r\nCookie: secret=1\r\n\r\n`);
      const { responses } = await other.waitForResponses(1);
      expect(JSON.parse(responses[0]!.body.toString())).toMatchObject({ target: '/victim', method: 'GET' });
      attacker.reset();
    }
    expect(targets()).not.toContain('/smuggled');
  });

  it('pipelined requests get their own answers, in order, when upstreams are slow in turn (RFC 9112 §9.3.2)', async () => {
    underTest.upstream.use({
      onRequest: (request, connection) => [
        { delayMs: request.target === '/slow' ? 100 : 0 },
        ...describeRequest(request, connection),
      ],
    });
    await using client = await connect();
    const names = ['/slow', '/a', '/slow', '/b', '/c'];
    await client.write(names.map((name) => `GET ${name} HTTP/1.1\r\n${HOST}\r\n\r\n`).join(''));
    const { responses } = await client.waitForResponses(names.length);
    expect(responses.map(({ body }) => (JSON.parse(body.toString()) as { target: string }).target)).toEqual(names);
  });
});

describe('the proxy speaks for itself', () => {
  const send = (bytes: string) => sendRaw({ port: underTest.port, chunks: [bytes] });

  it('its own version goes out, whatever came in (RFC 9112 §2.3)', async () => {
    underTest.upstream.use({ onRequest: () => ['HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc'] });
    const { responses } = await send(`GET /old HTTP/1.0\r\n${HOST}\r\n\r\n`);
    expect(responses[0]?.version).toBe('1.1');
    expect(underTest.upstream.requests().find(({ target }) => target === '/old')?.version).toBe('HTTP/1.1');
  });

  it('a target of https is refused where the connection is not TLS (RFC 9110 §7.4)', async () => {
    const { responses } = await send(`GET https://app.test/for-tls HTTP/1.1\r\n${HOST}\r\n\r\n`);
    expect(responses.map(({ status }) => status)).toEqual([400]);
    expect(responses[0]?.header('connection')).toBe('close');
    expect(targets()).not.toContain('/for-tls');
  });

  it('a status line without a reason keeps its space (RFC 9112 §4)', async () => {
    underTest.upstream.use({ onRequest: () => ['HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'] });
    const { bytes } = await send(`GET / HTTP/1.1\r\n${HOST}\r\n\r\n`);
    expect(bytes.toString('latin1')).toMatch(/^HTTP\/1\.1 200 \r\n/);
  });

  it('a TE upstream names itself in Connection (RFC 9110 §10.1.4)', async () => {
    await send(`GET /te HTTP/1.1\r\n${HOST}\r\nTE: gzip, trailers\r\nConnection: TE\r\n\r\n`);
    const seen = underTest.upstream.requests().find(({ target }) => target === '/te');
    expect(seen?.header('te')).toBe('trailers');
    expect(seen?.header('connection')).toBe('TE');
  });

  it('Authorization goes on as it came, and a body byte for byte (RFC 9110 §11.6.2)', async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1');
    await send(
      `POST /as-is HTTP/1.1\r\n${HOST}\r\nAuthorization: Digest a="b", c=d\r\nContent-Encoding: gzip\r\nContent-Length: 256\r\n\r\n${body}`,
    );
    const seen = underTest.upstream.requests().find(({ target }) => target === '/as-is');
    expect(seen?.header('authorization')).toBe('Digest a="b", c=d');
    expect(seen?.header('content-encoding')).toBe('gzip');
    expect(seen?.body.toString('latin1')).toBe(body);
  });
});

describe('the proxy says when', () => {
  it('a Date is added where the upstream sends none, and left where it does (RFC 9110 §6.6.1)', async () => {
    const get = async (): Promise<readonly string[]> => {
      const { responses } = await sendRaw({ port: underTest.port, chunks: [`GET / HTTP/1.1\r\n${HOST}\r\n\r\n`] });
      return responses[0]!.headers.filter(([name]) => name.toLowerCase() === 'date').map(([, value]) => value);
    };
    underTest.upstream.use({ onRequest: () => [answer('200 OK')] });
    const [date = '', ...more] = await get();
    expect(more).toEqual([]);
    expect(date).toMatch(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(10_000);
    const theirs = 'Sun, 06 Nov 1994 08:49:37 GMT';
    underTest.upstream.use({ onRequest: () => [`HTTP/1.1 200 OK\r\nDate: ${theirs}\r\nContent-Length: 0\r\n\r\n`] });
    expect(await get()).toEqual([theirs]);
  });

  it('405 names the methods that are allowed (RFC 9110 §15.5.6)', async () => {
    const { responses } = await sendRaw({
      port: underTest.port,
      chunks: ['CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n'],
    });
    expect(responses[0]?.status).toBe(405);
    expect(responses[0]?.header('allow')).toContain('GET');
  });
});
