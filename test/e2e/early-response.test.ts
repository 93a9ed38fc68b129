import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts';
import { waitFor } from '../support/wait-for.ts';
import { allTo } from './setup.ts';

const PIECE = Buffer.alloc(64 * 1024, 'x');
const TOO_LARGE = 'HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

let upstream: RecordingUpstream;
let proxy: ProxyProcess;

beforeAll(async () => {
  upstream = await startRecordingUpstream();
  proxy = await startProxy({
    static: {
      entryPoints: { web: {}, impatient: { transport: { respondingTimeouts: { readTimeout: '1s' } } } },
    },
    dynamic: allTo(upstream.url),
  });
});
afterAll(async () => {
  await proxy.stop();
  await upstream.close();
});

/** Writes pieces until an answer comes, or the connection ends. */
async function pour(client: RawClient, piece: Buffer, pieces: number): Promise<void> {
  const answered = new Promise<'answered'>((resolve) => client.socket.once('data', () => resolve('answered')));
  for (let n = 0; n < pieces && client.closed === 'no'; n++) {
    if ((await Promise.race([client.write(piece), answered])) === 'answered') return;
  }
}

describe('an upstream that answers before it has read the body', () => {
  const chunk = Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')]);
  it.each([
    ['Content-Length: 100000000', PIECE],
    ['Transfer-Encoding: chunked', chunk],
  ])('and resets: its answer reaches the client (%s)', async (framing, piece) => {
    let read = 0;
    upstream.use({
      onBytes: ({ socket }, bytes) => {
        read += bytes.length;
        if (read < 300_000 || socket.destroyed) return undefined;
        // Not one byte more is read, so the kernel answers what still comes with a reset.
        socket.pause();
        socket.write(TOO_LARGE, () => socket.destroy());
        return undefined;
      },
    });
    for (let round = 0; round < 30; round++) {
      read = 0;
      await using client = await RawClient.connect({ port: proxy.port('web') });
      await client.write(`POST / HTTP/1.1\r\nHost: a.test\r\n${framing}\r\n\r\n`);
      await pour(client, piece, 1_000);
      const { responses } = await client.waitForResponses(1);
      expect(responses[0]).toMatchObject({ status: 413 });
      expect(responses[0]?.body.toString()).toBe('abc');
    }
  });

  it('leaves the rest of the body unread: bytes that are no chunk end the connection', async () => {
    upstream.use({ onBytes: () => [OK] });
    await using client = await RawClient.connect({ port: proxy.port('web') });
    await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n');
    await client.waitForResponses(1);
    await client.write('zz\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect(await client.closes()).toBe(true);
    expect(client.split().responses).toHaveLength(1);
    expect(upstream.requests().map(({ target }) => target)).not.toContain('/smuggled');
  });

  it('a client that stays silent then is let go of at the read timeout', async () => {
    upstream.use({ onBytes: () => [OK] });
    await using client = await RawClient.connect({ port: proxy.port('impatient') });
    await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc');
    await client.waitForResponses(1);
    expect(await client.closes(30_000)).toBe(true);
  });

  it('the rest of the body is read, and the next request is the next request', async () => {
    upstream.use({ onBytes: () => [OK] });
    await using client = await RawClient.connect({ port: proxy.port('web') });
    await client.write('POST /first HTTP/1.1\r\nHost: a.test\r\nContent-Length: 44\r\n\r\n');
    await client.waitForResponses(1);
    upstream.use({});
    await client.write('GET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n'.padEnd(44, 'x'));
    await client.write('GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const { responses } = await client.waitForResponses(2);
    expect(JSON.parse(responses[1]!.body.toString())).toMatchObject({ target: '/next' });
  });
});

it('an early answer to a client that was held up ends the connection of one that goes on writing', async () => {
  let held: Socket | undefined;
  upstream.use({
    onBytes: ({ socket }) => {
      held = socket.pause();
      return undefined;
    },
  });
  await using client = await RawClient.connect({ port: proxy.port('web') });
  await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')]);
  let written = 0;
  const pouring = (async () => {
    while (client.closed === 'no' && written < 100_000_000) {
      await client.write(chunk);
      written += chunk.length;
    }
  })().catch(() => undefined);
  let before = -1;
  const stands = (): boolean => {
    const now = written;
    const stood = now === before && held !== undefined;
    before = now;
    return stood;
  };
  await waitFor('the client to be held up', stands, { intervalMs: 1_000, timeoutMs: 60_000 });
  held!.write('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nabc');
  const { responses } = await client.waitForResponses(1);
  expect(responses[0]).toMatchObject({ status: 413 });
  expect(await client.closes()).toBe(true);
  await pouring;
  held!.resume();
});

it('a request goes on after an early answer over another upstream connection', async () => {
  upstream.use({ onBytes: () => [OK] });
  await using client = await RawClient.connect({ port: proxy.port('web') });
  await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n');
  await client.waitForResponses(1);
  await waitFor('the proxy to let go of the connection', () => upstream.connections.every((c) => c.closed !== 'no'));
  upstream.use({});
  const { responses } = await sendRaw({ port: proxy.port('web'), chunks: ['GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n'] });
  expect(responses[0]?.status).toBe(200);
});
