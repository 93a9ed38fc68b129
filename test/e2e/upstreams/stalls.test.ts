import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startMisbehaving } from '../../support/misbehaving.ts';
import { startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { allTo } from '../setup.ts';
import { statusOf } from './support.ts';

/** Of the service; each case would wait for ever if its own did not count. */
const timeouts = { connect: '1s', firstByte: '800ms', idle: '800ms' };

it.each([
  ['100 (Continue)', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['half a head', 'HTTP/1.1 200 O'],
])('an upstream that says %s before the body ends, and then nothing, is too late', async (_, early) => {
  await using upstream = await startMisbehaving((socket) => {
    socket.once('data', () => socket.write(early));
    socket.resume();
  });
  await using proxy = await startProxy({ dynamic: allTo(upstream.url, { timeouts }) });
  await using client = await RawClient.connect({ port: proxy.port() });
  await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhello');
  // What it says early must have come before the rest of the body goes.
  await client.write('wor');
  await sleep(300);
  await client.write('ld');
  expect((await client.waitForResponses(1)).responses[0]?.status).toBe(504);
});

it('an upstream that stops taking a body, and answers nothing, is given up', async () => {
  await using upstream = await startMisbehaving((socket) => socket.pause());
  await using proxy = await startProxy({ dynamic: allTo(upstream.url, { timeouts }) });
  await using client = await RawClient.connect({ port: proxy.port() });
  await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 40000000\r\n\r\n');
  void client.write(Buffer.alloc(40_000_000)).catch(() => undefined);
  expect((await client.waitForResponses(1)).responses[0]?.status).toBe(504);
});

it('a request whose body is still buffered when its server leaves the configuration keeps its timeouts', async () => {
  await using silent = await startMisbehaving((socket) => socket.resume());
  await using other = await startMisbehaving((socket) => socket.resume());
  const file = (url: string): Record<string, unknown> => ({
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', service: 'app', middlewares: ['buffer'] } },
      middlewares: { buffer: { buffering: { maxRequestBodyBytes: 100_000 } } },
      services: { app: { loadBalancer: { servers: [{ url }], timeouts } } },
    },
  });
  await using proxy = await startProxy({ dynamic: file(silent.url) });
  await using client = await RawClient.connect({ port: proxy.port() });
  await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n');
  await client.waitUntil('the body to be asked for', (one) => one.split().responses[0]?.status === 100);
  await client.write('hello');
  await proxy.writeDynamic(file(other.url));
  await proxy.waitForOutput(/version 2 is live/);
  await client.write('world');
  expect((await client.waitForResponses(1)).responses.at(-1)?.status).toBe(504);
  expect([silent.accepted, other.accepted]).toEqual([1, 0]);
});

it('a sleep that is longer than the timeouts is not taken for the silence of an upstream that slept too', async () => {
  let goOn = (): void => {};
  await using upstream = await startMisbehaving((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'));
    goOn = () => socket.write('world');
  });
  await using proxy = await startProxy({ dynamic: allTo(upstream.url, { timeouts: { idle: '3s' } }) });
  await using client = await RawClient.connect({ port: proxy.port() });
  await client.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await client.waitUntil('the first half', () => client.received.toString().endsWith('hello'));
  const worker = (await statusOf(proxy)).workers[0]!.pid;
  process.kill(worker, 'SIGSTOP');
  await sleep(4_500);
  process.kill(worker, 'SIGCONT');
  await sleep(500);
  goOn();
  const [response] = (await client.waitForResponses(1)).responses;
  expect(response?.body.toString()).toBe('helloworld');
});
