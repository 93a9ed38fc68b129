import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts';
import { waitFor } from '../support/wait-for.ts';
import { allTo, workersOf } from './setup.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

let upstream: RecordingUpstream;
beforeAll(async () => {
  upstream = await startRecordingUpstream();
});
afterAll(() => upstream.close());

/** The real command with limits on its entry point. */
function start(limits: Record<string, unknown>, more: Record<string, unknown> = {}, workers = 1) {
  return startProxy({ static: { entryPoints: { web: { limits, ...more } } }, dynamic: allTo(upstream.url), workers });
}

/** A connection that has been answered once; `null` where it was turned away. */
async function connect(port: number, localAddress?: string): Promise<RawClient | null> {
  const client = await RawClient.connect({ port, ...(localAddress === undefined ? {} : { localAddress }) }).catch(
    () => null,
  );
  if (client === null) return null;
  await client.write(GET);
  await client.waitUntil('an answer or the end', () => client.closed !== 'no' || client.receivedLength > 0);
  return client.receivedLength > 0 ? client : null;
}

/** Whether there is room for one more. It does not stay: one that were let in would be counted in every look that follows. */
async function hasRoom(port: number, localAddress?: string): Promise<boolean> {
  const client = await connect(port, localAddress);
  client?.socket.destroy();
  return client !== null;
}

describe('entryPoints.*.limits', () => {
  it.each([1, 2])('maxConnectionsPerIP turns one address away and no other (%i workers)', async (workers) => {
    await using proxy = await start({ maxConnectionsPerIP: 5 }, {}, workers);
    const port = proxy.port();
    const open: RawClient[] = [];
    for (let i = 0; i < 5; i++) {
      const client = await connect(port, '127.0.0.7');
      expect(client).not.toBeNull();
      open.push(client!);
    }
    // What one worker accepted reaches the others within a tenth of a second.
    await waitFor('the sixth to be turned away', async () => !(await hasRoom(port, '127.0.0.7')));
    await using other = (await connect(port, '127.0.0.8'))!;
    expect(other).not.toBeNull();
    await proxy.waitForOutput(/127\.0\.0\.7 has 5 connections open \(limits\.maxConnectionsPerIP\)/);
    for (const client of open) client.socket.destroy();
    await waitFor('room again', () => hasRoom(port, '127.0.0.7'));
  });

  it('maxConnectionsPerIP leaves a trusted gateway alone', async () => {
    await using proxy = await start({ maxConnectionsPerIP: 2 }, { forwardedHeaders: { trustedIPs: ['127.0.0.7/32'] } });
    for (let i = 0; i < 6; i++) expect(await connect(proxy.port(), '127.0.0.7')).not.toBeNull();
  });

  it('maxConnections is for all addresses together, and those that are open go on', async () => {
    await using proxy = await start({ maxConnections: 3 });
    const open = await Promise.all(['127.0.0.5', '127.0.0.6', '127.0.0.7'].map((from) => connect(proxy.port(), from)));
    expect(await connect(proxy.port(), '127.0.0.8')).toBeNull();
    for (const client of open) {
      client!.clear();
      await client!.write(GET);
      await client!.waitForResponses(1);
    }
    await proxy.waitForOutput(/3 connections are open \(limits\.maxConnections\)/);
  });

  it('maxHeaders and maxRequestLineBytes are what they say', async () => {
    await using proxy = await start({ maxHeaders: 10, maxRequestLineBytes: 2_000 });
    const status = async (bytes: string): Promise<number | undefined> =>
      (await sendRaw({ port: proxy.port(), chunks: [bytes] })).responses[0]?.status;
    const fields = (count: number): string => `GET / HTTP/1.1\r\nHost: a.test\r\n${'X: y\r\n'.repeat(count - 1)}\r\n`;
    const line = (length: number): string =>
      `GET /${'a'.repeat(length - 'GET / HTTP/1.1'.length)} HTTP/1.1\r\nHost: a.test\r\n\r\n`;
    expect([await status(fields(10)), await status(fields(11))]).toEqual([200, 431]);
    expect([await status(line(2_000)), await status(line(2_020))]).toEqual([200, 414]);
  });
});

describe('the descriptors of a worker', () => {
  /** The real command with one worker that may have 364 descriptors: 200 clients at most. */
  async function startWithFew(): Promise<ProxyProcess> {
    const proxy = await start({});
    // A worker has what its primary has: the next one gets to feel it.
    const [first] = workersOf(proxy.pid);
    execFileSync('prlimit', ['--pid', String(proxy.pid), '--nofile=364:364']);
    process.kill(first!, 'SIGKILL');
    await waitFor('another worker', async () => {
      const [worker] = workersOf(proxy.pid);
      if (worker === undefined || worker === first) return false;
      return hasRoom(proxy.port());
    });
    return proxy;
  }

  it('are not all for clients: who is too many is turned away, who is in is served', async () => {
    await using proxy = await startWithFew();
    // One after another they share an upstream connection, so that clients alone use the descriptors up.
    const clients: RawClient[] = [];
    for (let client = await connect(proxy.port()); client !== null; client = await connect(proxy.port())) {
      clients.push(client);
      expect(clients.length).toBeLessThanOrEqual(200);
    }
    expect(clients.length).toBeGreaterThan(190);
    await proxy.waitForOutput(/what is left of the worker's descriptors is for upstreams/);
    for (const client of clients) {
      client.clear();
      await client.write(GET);
      expect((await client.waitForResponses(1)).responses[0]?.status).toBe(200);
    }
    for (const client of clients) client.socket.destroy();
    await waitFor('room again', () => hasRoom(proxy.port()));
  });

  it('may run out where all clients ask at once: some are told whose lack that is, and it passes', async () => {
    await using proxy = await startWithFew();
    const clients = await Promise.all(Array.from({ length: 400 }, () => connect(proxy.port())));
    const answered = clients.filter((client) => client !== null);
    expect(answered.length).toBeLessThan(300);
    const statuses = answered.map((client) => client.split().responses[0]?.status);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(80);
    for (const client of answered) client.socket.destroy();
    await waitFor('room again', () => hasRoom(proxy.port()));
  });
});

describe('entryPoints.*.http', () => {
  const seen = (): string | undefined => upstream.requests().at(-1)?.head;

  it('underscoreHeadersStrategy: delete leaves such fields out, reject refuses the request', async () => {
    const bytes = 'GET / HTTP/1.1\r\nHost: a.test\r\nX_A: 1\r\nX-B: 2\r\n\r\n';
    await using proxy = await startProxy({
      static: {
        entryPoints: {
          keep: {},
          delete: { http: { underscoreHeadersStrategy: 'delete' } },
          reject: { http: { underscoreHeadersStrategy: 'reject' } },
        },
      },
      dynamic: allTo(upstream.url),
    });
    const status = async (entryPoint: string): Promise<number | undefined> =>
      (await sendRaw({ port: proxy.port(entryPoint), chunks: [bytes] })).responses[0]?.status;
    expect(await status('keep')).toBe(200);
    expect(seen()).toMatch(/X_A: 1\r\nX-B: 2/);
    expect(await status('delete')).toBe(200);
    expect(seen()).toMatch(/X-B: 2/);
    expect(seen()).not.toMatch(/X_A/);
    expect(await status('reject')).toBe(400);
  });

  it('encodedCharacters refuses those that are not allowed, in paths alone', async () => {
    const encodedCharacters = { allowEncodedSlash: false, allowEncodedNullCharacter: false };
    await using proxy = await start({}, { http: { encodedCharacters } });
    const status = async (target: string): Promise<number | undefined> =>
      (await sendRaw({ port: proxy.port(), chunks: [`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`] })).responses[0]
        ?.status;
    expect(await Promise.all(['/a%2fb', '/a%2Fb', '/a%00', '/a%5cb', '/a%20b', '/a?b=%2f%00'].map(status))).toEqual([
      400, 400, 400, 200, 200, 200,
    ]);
  });
});

describe('entryPoints.*.transport', () => {
  it('keepAliveMaxRequests ends a connection in good order', async () => {
    await using proxy = await start({}, { transport: { keepAliveMaxRequests: 3 } });
    await using client = await RawClient.connect({ port: proxy.port() });
    for (let n = 1; n <= 3; n++) {
      await client.write(GET);
      const { responses } = await client.waitForResponses(n);
      expect(responses.at(-1)?.header('connection')).toBe(n < 3 ? undefined : 'close');
    }
    expect(await client.closes()).toBe(true);
  });

  it('keepAliveMaxTime ends a connection that is old at its next request', async () => {
    await using proxy = await start({}, { transport: { keepAliveMaxTime: '1s' } });
    const from = performance.now();
    await using client = await RawClient.connect({ port: proxy.port() });
    let answered = 0;
    await waitFor('a response that closes', async () => {
      await client.write(GET);
      const { responses } = await client.waitForResponses(++answered);
      return responses.at(-1)?.header('connection') === 'close';
    });
    // And not before it is old. Its age is counted in coarse steps.
    expect(performance.now() - from).toBeGreaterThan(500);
    expect(await client.closes()).toBe(true);
  });
});
