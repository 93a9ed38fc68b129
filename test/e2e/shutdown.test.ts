import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accepts, startChild } from '../support/child.ts';
import { type HttpUpstream, startEchoServer, startHttpUpstream, startSlowServer } from '../support/http-upstreams.ts';
import { answer, startMisbehaving } from '../support/misbehaving.ts';
import { freePort } from '../support/ports.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { COMMAND, runCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';
import { openWebSocket, startWebSocketEcho } from '../support/websocket.ts';
import { allTo, workersOf } from './setup.ts';

let echo: HttpUpstream;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo.close());

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

/** An entry point with these life-cycle times, in seconds, and ping beside it. */
function lifeCycle(graceTimeOut: number, requestAcceptGraceTimeout = 0): Record<string, unknown> {
  return {
    entryPoints: { web: { transport: { lifeCycle: { graceTimeOut, requestAcceptGraceTimeout } } } },
    ping: { entryPoint: 'web' },
  };
}

async function clients(proxy: ProxyProcess, count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => RawClient.connect({ port: proxy.port() })));
}

describe('SIGTERM', () => {
  it('lets 20 of 20 requests in flight finish, and exits as soon as they have', async () => {
    const held: ServerResponse[] = [];
    await using upstream = await startHttpUpstream((_, response) => void held.push(response));
    await using proxy = await startProxy({ workers: 2, static: lifeCycle(60), dynamic: allTo(upstream.url) });
    const busy = await clients(proxy, 20);
    for (const client of busy) await client.write(GET);
    await waitFor('20 requests at the upstream', () => held.length === 20);
    const exit = proxy.stop(90_000);
    // Both workers know by then.
    await waitFor('nobody to accept', async () => !(await accepts('127.0.0.1', proxy.port())));
    const from = performance.now();
    for (const response of held) response.end('at last');
    for (const client of busy) {
      const { responses } = await client.waitForResponses(1);
      expect(responses[0]?.status).toBe(200);
      expect(responses[0]?.header('connection')).toBe('close');
      expect(await client.closes()).toBe(true);
    }
    expect(await exit).toEqual({ code: 0, signal: null });
    // Far from the 60 s of grace.
    expect(performance.now() - from).toBeLessThan(30_000);
  });

  it('closes idle, silent and half-sent connections, and websockets at the end of the grace time', async () => {
    await using server = await startWebSocketEcho();
    await using proxy = await startProxy({ static: lifeCycle(5), dynamic: allTo(server.url) });
    const [idle, silent, half] = (await clients(proxy, 3)) as [RawClient, RawClient, RawClient];
    await idle.write(GET);
    await idle.waitForResponses(1);
    await half.write('GET / HTTP/1.1\r\nHos');
    await using socket = await openWebSocket({ port: proxy.port(), requestHost: 'a.test' });
    const from = performance.now();
    const exit = proxy.stop(30_000);
    expect(await idle.closes()).toBe(true);
    expect(await silent.closes()).toBe(true);
    await socket.send('still there');
    expect((await socket.receive()).payload.toString()).toBe('still there');
    expect(await half.closes(30_000)).toBe(true);
    expect(await exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - from).toBeGreaterThanOrEqual(4_900);
    expect(await socket.raw.closes()).toBe(true);
  });

  it('answers who has connected by then, or is in the TLS handshake, and asks at that moment', async () => {
    await using proxy = await startProxy({
      static: { ...lifeCycle(10), entryPoints: { web: {}, websecure: { http: { tls: {} } } } },
      dynamic: allTo(echo.url),
    });
    await using plain = await RawClient.connect({ port: proxy.port('web') });
    const carrier = connect(proxy.port('websecure'), '127.0.0.1');
    await once(carrier, 'connect');
    // What has connected is accepted by now.
    expect((await sendRaw({ port: proxy.port('web'), chunks: [GET] })).responses[0]?.status).toBe(200);
    // The request, the hello and the word to drain wait for the worker together.
    const [worker] = workersOf(proxy.pid);
    process.kill(worker!, 'SIGSTOP');
    const exit = proxy.stop(30_000);
    await proxy.waitForOutput(/stopping: requests under way/);
    await using secure = new RawClient(connectTls({ socket: carrier, rejectUnauthorized: false }));
    void secure.write(GET);
    await plain.write(GET);
    process.kill(worker!, 'SIGCONT');
    for (const client of [plain, secure]) {
      const { responses } = await client.waitForResponses(1);
      expect([responses[0]?.status, responses[0]?.header('connection')]).toEqual([200, 'close']);
    }
    expect(await exit).toEqual({ code: 0, signal: null });
  });

  it('answers who has connected while the worker did not come to accept', async () => {
    await using proxy = await startProxy({ static: lifeCycle(10), dynamic: allTo(echo.url) });
    const [worker] = workersOf(proxy.pid);
    process.kill(worker!, 'SIGSTOP');
    const waiting = await clients(proxy, 20);
    for (const client of waiting) await client.write(GET);
    const exit = proxy.stop(30_000);
    await proxy.waitForOutput(/stopping: requests under way/);
    process.kill(worker!, 'SIGCONT');
    for (const client of waiting) expect((await client.waitForResponses(1)).responses[0]?.status).toBe(200);
    expect(await exit).toEqual({ code: 0, signal: null });
  });

  it('goes on accepting for requestAcceptGraceTimeout, while ping says that it ends', async () => {
    await using proxy = await startProxy({ static: lifeCycle(5, 6), dynamic: allTo(echo.url) });
    const ping = 'GET /ping HTTP/1.1\r\nHost: a.test\r\n\r\n';
    expect((await sendRaw({ port: proxy.port(), chunks: [ping] })).responses[0]?.status).toBe(200);
    const exit = proxy.stop(30_000);
    await waitFor('ping to say so', async () => {
      const { responses } = await sendRaw({ port: proxy.port(), chunks: [ping] });
      return responses[0]?.status === 503;
    });
    const { responses } = await sendRaw({ port: proxy.port(), chunks: [GET] });
    expect(responses[0]?.status).toBe(200);
    expect(responses[0]?.header('connection')).toBe('close');
    expect(await exit).toEqual({ code: 0, signal: null });
    expect(await accepts('127.0.0.1', proxy.port())).toBe(false);
  });

  it('answers or refuses every connection that comes meanwhile, and leaves none hanging', async () => {
    await using proxy = await startProxy({ workers: 2, static: lifeCycle(60), dynamic: allTo(echo.url) });
    const results: string[] = [];
    let stopped = false;
    const client = async (): Promise<void> => {
      while (!stopped) {
        try {
          await using raw = await RawClient.connect({ port: proxy.port() });
          await raw.write(GET);
          const ended = await waitFor('an answer or an end', () => raw.received.length > 0 || raw.closed !== 'no', {
            timeoutMs: 20_000,
          });
          results.push(raw.received.length > 0 ? 'answered' : ended ? 'refused' : 'hung');
        } catch (error) {
          const text = String((error as Error).message);
          results.push(text.includes('timed out') ? 'hung' : 'refused');
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
    };
    const running = Array.from({ length: 8 }, client);
    await waitFor('some load', () => results.length > 100);
    // A connection that hangs holds it up for the grace time: it is seen to hang before.
    expect(await proxy.stop(90_000)).toEqual({ code: 0, signal: null });
    stopped = true;
    await Promise.all(running);
    expect(results.filter((result) => result === 'hung')).toEqual([]);
    expect(results).toContain('answered');
  });

  it('twice cuts what is under way at once', async () => {
    await using endless = await startSlowServer(60_000);
    await using proxy = await startProxy({ static: lifeCycle(60), dynamic: allTo(endless.url) });
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write(GET);
    await waitFor('the request at the upstream', () => endless.requests > 0);
    process.kill(proxy.pid, 'SIGTERM');
    await proxy.waitForOutput(/stopping: requests under way have 60 s/);
    const from = performance.now();
    expect(await proxy.stop(50_000)).toEqual({ code: 0, signal: null });
    expect(performance.now() - from).toBeLessThan(30_000);
    expect(await client.closes()).toBe(true);
  });

  it('cuts at the end of the grace time what does not end, and exits 0 within a second of it', async () => {
    await using endless = await startSlowServer(60_000);
    await using proxy = await startProxy({ static: lifeCycle(2), dynamic: allTo(endless.url) });
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write(GET);
    await waitFor('the request at the upstream', () => endless.requests > 0);
    const from = performance.now();
    expect(await proxy.stop(30_000)).toEqual({ code: 0, signal: null });
    const took = performance.now() - from;
    expect(took).toBeGreaterThanOrEqual(1_900);
    // A second by itself; the rest is for a busy machine.
    expect(took).toBeLessThan(20_000);
    console.log(`2 s of grace: ended after ${Math.round(took)} ms`);
  });

  it('says of a request that it cut that this was its own doing, and reads nothing any more', async () => {
    await using endless = await startSlowServer(60_000);
    await using proxy = await startProxy({ static: lifeCycle(60), dynamic: allTo(endless.url) });
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write(GET);
    await waitFor('the request at the upstream', () => endless.requests > 0);
    process.kill(proxy.pid, 'SIGTERM');
    await proxy.waitForOutput(/stopping: /);
    const { code, stderr } = await runCommand(['reload'], { env: proxy.env });
    expect([code, stderr]).toEqual([1, 'proxy: the proxy is stopping: nothing is read any more\n']);
    await proxy.stop(30_000);
    expect(proxy.output()).toMatch(/PROXY_DRAINING.*source=proxy/);
    expect(proxy.output()).not.toContain('CLIENT_GONE');
  });

  it('leaves no worker behind at a second one, though one of them hangs', async () => {
    await using proxy = await startProxy({ static: lifeCycle(60), dynamic: allTo(echo.url) });
    const [worker] = workersOf(proxy.pid);
    process.kill(worker!, 'SIGSTOP');
    process.kill(proxy.pid, 'SIGTERM');
    await proxy.waitForOutput(/stopping: /);
    expect(await proxy.stop(30_000)).toEqual({ code: 0, signal: null });
    expect(proxy.leftBehind()).toBe(false);
  });
});

describe('the death of the primary', () => {
  it('does not look like the end of a response that the end of its connection ends', async () => {
    await using endless = await startMisbehaving(
      answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    );
    // In a group of its own: the workers are to end by themselves, and not with the command that was started.
    await using proxy = await startProxy({ dynamic: allTo(endless.url), wrapper: ['setsid', '--wait'] });
    const [primary] = workersOf(proxy.pid);
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n');
    await client.waitUntil('the part of it', () => client.received.toString().endsWith('hello'));
    process.kill(primary!, 'SIGKILL');
    await client.waitUntil('the end', () => client.closed !== 'no');
    expect(client.closed).toBe('reset');
  });
});

describe('SIGHUP', () => {
  it('does not end a proxy that is about to start', async () => {
    const port = await freePort();
    const flags = ['run', `--entryPoints.web.address=127.0.0.1:${port}`, '--workers', '1'];
    // The first handlers are there long before any file of ours is read. A look that comes too late shows nothing.
    let child = startChild(COMMAND, flags);
    for (;;) {
      await waitFor('a handler', () => catchesHangUp(child.pid), { intervalMs: 1 });
      if (child.output() === '') break;
      await child.stop();
      child = startChild(COMMAND, flags);
    }
    child.kill('SIGHUP');
    await waitFor('it to serve', () => child.output().includes('ready: '));
    await child.stop();
  });
});

/** Whether the process has a handler for SIGHUP, signal 1. */
function catchesHangUp(pid: number): boolean {
  const caught = /^SigCgt:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${caught}`) & 1n) === 1n;
}
