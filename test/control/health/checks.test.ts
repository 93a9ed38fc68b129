import http2 from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { CheckResult } from '../../../src/control/health/check-result.ts';
import { checkGrpc } from '../../../src/control/health/grpc-check.ts';
import { checkHttp, type HttpCheck } from '../../../src/control/health/http-check.ts';
import { checkTcp } from '../../../src/control/health/tcp-check.ts';
import { startHttpUpstream } from '../../support/http-upstreams.ts';
import { freePort } from '../../support/ports.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function check(port: number, options: Partial<HttpCheck> = {}): Promise<CheckResult> {
  return checkHttp({
    address: { host: '127.0.0.1', port },
    method: 'GET',
    path: '/health',
    headers: {},
    status: 0,
    body: '',
    followRedirects: true,
    timeoutMs: 60_000,
    ...options,
  });
}

async function upstream(handler: Parameters<typeof startHttpUpstream>[0]): Promise<number> {
  const server = await startHttpUpstream(handler);
  closers.push(() => server.close());
  return server.port;
}

/** A server that does with each connection what it is told. */
async function raw(onConnection: Parameters<typeof createServer>[1]): Promise<number> {
  const server: Server = createServer(onConnection);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

describe('an HTTP check', () => {
  it('takes 200 to 399, or the status that is asked for', async () => {
    const port = await upstream((request, response) => void response.writeHead(Number(request.url?.slice(1))).end());
    for (const [path, status, kind] of [
      ['/200', 0, 'ok'],
      ['/399', 0, 'ok'],
      ['/400', 0, 'status'],
      ['/503', 0, 'status'],
      ['/503', 503, 'ok'],
      ['/200', 204, 'status'],
    ] as const) {
      expect(await check(port, { path, status })).toMatchObject({ kind });
    }
  });

  it('says what stands in the answer of a server that loads its model', async () => {
    const port = await upstream(
      (_, response) => void response.writeHead(503).end('{"error":{"message":"Loading model",\n "code":503}}'),
    );
    expect(await check(port)).toEqual({
      kind: 'status',
      detail: 'status 503: {"error":{"message":"Loading model", "code":503}}',
    });
  });

  it('follows redirects where it should, within bounds', async () => {
    const port = await upstream((request, response) => {
      if (request.url === '/circle') response.writeHead(302, { location: '/circle' }).end();
      else if (request.url === '/health') response.writeHead(301, { location: '/there?x=1' }).end();
      else response.writeHead(request.url === '/there?x=1' ? 200 : 404).end();
    });
    expect(await check(port)).toMatchObject({ kind: 'ok' });
    expect(await check(port, { followRedirects: false })).toMatchObject({ kind: 'ok' });
    expect(await check(port, { followRedirects: false, status: 200 })).toEqual({
      kind: 'redirect',
      detail: '301 to /there?x=1',
    });
    expect(await check(port, { path: '/circle' })).toMatchObject({ kind: 'redirect' });
  });

  it('sends method, headers and host', async () => {
    const seen: unknown[] = [];
    const port = await upstream((request, response) => {
      seen.push(request.method, request.headers.host, request.headers['x-check']);
      response.end();
    });
    expect(await check(port, { method: 'HEAD', headers: { Host: 'model.test', 'X-Check': 'yes' } })).toMatchObject({
      kind: 'ok',
    });
    expect(seen).toEqual(['HEAD', 'model.test', 'yes']);
  });

  it('looks for the text that is expected in the body', async () => {
    const port = await upstream((_, response) => void response.end('{"status":"ok"}'));
    expect(await check(port, { body: '"ok"' })).toMatchObject({ kind: 'ok' });
    expect(await check(port, { body: '"ready"' })).toMatchObject({ kind: 'body' });
  });

  it('does not wait for the end of an endless body', async () => {
    const port = await upstream((_, response) => {
      const more = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.on('close', () => clearInterval(more));
    });
    expect(await check(port)).toMatchObject({ kind: 'ok' });
  });

  it('tells a refusal, a hang, a reset and garbage apart', async () => {
    expect(await check(await freePort())).toMatchObject({ kind: 'refused' });
    expect(await check(await raw(() => {}), { timeoutMs: 100 })).toEqual({
      kind: 'timeout',
      detail: 'no answer within 100 ms',
    });
    expect(await check(await raw((socket) => socket.once('data', () => socket.resetAndDestroy())))).toMatchObject({
      kind: 'reset',
    });
    expect(await check(await raw((socket) => socket.end('SSH-2.0-x\r\n')))).toMatchObject({ kind: 'reset' });
    // A whole head, and then silence: the body counts too.
    const half = await raw((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
    expect(await check(half, { timeoutMs: 100 })).toMatchObject({ kind: 'timeout' });
  });

  it('ends, too, where the server switches to another protocol', async () => {
    const port = await raw((socket) => {
      socket.on('error', () => {});
      socket.once('data', () =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
      );
    });
    expect(await check(port)).toMatchObject({ kind: 'reset' });
  });

  it('of TLS says what is wrong with it', async () => {
    const port = await raw((socket) => socket.end('no TLS here\n'));
    const tls = { ca: [], cert: [], key: [], serverName: '127.0.0.1', verify: true };
    const result = await check(port, { address: { host: '127.0.0.1', port, tls } });
    expect(result.kind).toBe('tls');
    expect(result.detail).toMatch(/^[^\r\n]+$/);
  });
});

describe('a TCP check', () => {
  it('is satisfied with a connection', async () => {
    const port = await raw(() => {});
    expect(await checkTcp({ host: '127.0.0.1', port }, 60_000)).toEqual({ kind: 'ok', detail: 'connected' });
    expect(await checkTcp({ host: '127.0.0.1', port: await freePort() }, 60_000)).toMatchObject({ kind: 'refused' });
  });
});

describe('a gRPC check', () => {
  async function grpc(reply: Buffer | null, grpcStatus: string): Promise<number> {
    const server = http2.createServer();
    server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
      if (headers[':path'] !== '/grpc.health.v1.Health/Check') {
        stream.respond({ ':status': 404 }, { endStream: true });
        return;
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': grpcStatus, 'grpc-message': 'why' }));
      stream.end(reply ?? undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }
  const frame = (...message: number[]): Buffer => Buffer.from([0, 0, 0, 0, message.length, ...message]);

  it.each([
    ['SERVING', frame(8, 1), '0', { kind: 'ok', detail: 'SERVING' }],
    ['NOT_SERVING', frame(8, 2), '0', { kind: 'grpc', detail: 'NOT_SERVING' }],
    ['an empty answer', frame(), '0', { kind: 'grpc', detail: 'UNKNOWN' }],
    ['no health service', null, '12', { kind: 'grpc', detail: expect.stringMatching(/does not implement/) }],
    ['a failure', null, '14', { kind: 'grpc', detail: 'gRPC status 14 why' }],
  ] as const)('of %s', async (_, reply, status, result) => {
    const port = await grpc(reply, status);
    expect(await checkGrpc({ host: '127.0.0.1', port }, {}, 60_000)).toEqual(result);
  });

  it('with a header that HTTP/2 does not have says so', async () => {
    const port = await grpc(frame(8, 1), '0');
    expect(await checkGrpc({ host: '127.0.0.1', port }, { Connection: 'close' }, 60_000)).toMatchObject({
      kind: 'grpc',
      detail: expect.stringMatching(/cannot be sent: .*connection/),
    });
  });

  it('of a server that speaks no HTTP/2, that hangs, or is not there', async () => {
    const one = await upstream((_, response) => void response.end());
    expect((await checkGrpc({ host: '127.0.0.1', port: one }, {}, 60_000)).kind).toBe('reset');
    const silent = await raw(() => {});
    expect(await checkGrpc({ host: '127.0.0.1', port: silent }, {}, 100)).toMatchObject({ kind: 'timeout' });
    expect(await checkGrpc({ host: '127.0.0.1', port: await freePort() }, {}, 60_000)).toMatchObject({
      kind: 'refused',
    });
  });
});
