import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HttpUpstream, startHttpUpstream } from '../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { waitFor } from '../support/wait-for.ts';

/** Of each body, and as many at once: enough for every read buffer to be used many times. */
const SIZE = 3_000_000;
const CLIENTS = 16;
/** Odd ones, below and above what is copied, what a read brings, and what a TLS record holds. */
const PIECES = [70_001, 1, 4_097, 16_385, 333, 65_536, 20_000];

let sink: HttpUpstream;
let copies: HttpUpstream;
let proxy: ProxyProcess;
const copied: string[] = [];

async function digest(body: AsyncIterable<Buffer>, slow: boolean, stallMs = 0): Promise<string> {
  if (stallMs > 0) await sleep(stallMs);
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    length += chunk.length;
    // The proxy's writes wait then, and what they point to must stay as it is.
    if (slow && length % 7 === 0) await sleep(1);
  }
  return hash.digest('hex');
}

beforeAll(async () => {
  sink = await startHttpUpstream(async (request, response) => {
    const stallMs = request.headers.host === 'stalled.test' ? 700 : 0;
    response.end(await digest(request, Number(request.headers['x-client']) % 2 === 1, stallMs));
  });
  copies = await startHttpUpstream(async (request, response) => {
    copied.push(await digest(request, true));
    response.end();
  });
  const server = (upstream: HttpUpstream) => ({ loadBalancer: { servers: [{ url: upstream.url }] } });
  proxy = await startProxy({
    workers: 1,
    static: { entryPoints: { web: {}, secure: { http: { tls: {} } } } },
    dynamic: {
      http: {
        routers: {
          stalled: { rule: 'Host(`stalled.test`)', service: 'sink' },
          plain: { rule: 'Host(`plain.test`)', service: 'sink' },
          retried: { rule: 'Host(`retried.test`)', service: 'sink', middlewares: ['retry'] },
          held: { rule: 'Host(`held.test`)', service: 'sink', middlewares: ['buffering'] },
          mirrored: { rule: 'Host(`mirrored.test`)', service: 'mirrored' },
        },
        middlewares: {
          retry: { retry: { attempts: 3 } },
          buffering: { buffering: { maxRequestBodyBytes: 10_000_000 } },
        },
        services: {
          sink: server(sink),
          copies: server(copies),
          mirrored: {
            mirroring: { service: 'sink', mirrors: [{ name: 'copies', percent: 100 }], maxBodySize: 10_000_000 },
          },
        },
      },
    },
  });
});

afterAll(async () => {
  await proxy?.stop();
  await Promise.all([sink, copies].map((upstream) => upstream?.close()));
});

/** Bytes that no other client sends. */
function bodyOf(client: number, size = SIZE): Buffer {
  const body = Buffer.allocUnsafe(size);
  let state = 0x9e3779b9 ^ (client + 1);
  for (let at = 0; at < size; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    body[at] = state & 0xff;
  }
  return body;
}

async function upload(host: string, secure: boolean, client: number, body: Buffer, chunked: boolean): Promise<string> {
  const headers = {
    Host: host,
    'X-Client': String(client),
    ...(chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': body.length }),
  };
  const options = { host: '127.0.0.1', method: 'POST', path: '/', headers };
  const request = secure
    ? httpsRequest({ ...options, port: proxy.port('secure'), rejectUnauthorized: false, servername: host })
    : httpRequest({ ...options, port: proxy.port('web') });
  const answer = new Promise<string>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve(text);
    });
  });
  for (let at = 0, turn = client; at < body.length; turn++) {
    const piece = body.subarray(at, at + PIECES[turn % PIECES.length]!);
    at += piece.length;
    if (!request.write(piece)) await new Promise((resolve) => request.once('drain', resolve));
  }
  request.end();
  return await answer;
}

it.each([
  ['plain.test', false],
  ['plain.test', true],
  ['retried.test', false],
  ['held.test', true],
  ['mirrored.test', false],
  ['mirrored.test', true],
] as const)('many uploads at once arrive as they were sent: %s, TLS %s', async (host, secure) => {
  copied.length = 0;
  const bodies = Array.from({ length: CLIENTS }, (_, client) => bodyOf(client));
  const sent = bodies.map((body) => createHash('sha256').update(body).digest('hex'));
  const seen = await Promise.all(bodies.map((body, client) => upload(host, secure, client, body, client % 4 < 2)));
  expect(seen).toEqual(sent);
  if (host !== 'mirrored.test') return;
  await waitFor('the copies', () => copied.length === CLIENTS, { describe: () => `${copied.length} copies` });
  expect([...copied].sort()).toEqual([...sent].sort());
});

// More than the kernel's buffers hold: the proxy's own writes wait.
it.each([
  [false, false],
  [false, true],
  [true, false],
  [true, true],
])(
  'uploads to a server that does not read for a while arrive as they were sent: TLS %s, chunked %s',
  async (secure, chunked) => {
    const bodies = Array.from({ length: 4 }, (_, client) => bodyOf(client, 30_000_000));
    const sent = bodies.map((body) => createHash('sha256').update(body).digest('hex'));
    const seen = await Promise.all(bodies.map((body, client) => upload('stalled.test', secure, client, body, chunked)));
    expect(seen).toEqual(sent);
  },
);
