import { expect, it } from 'vitest';
import { startBigBodyServer } from '../../support/http-upstreams.ts';
import { startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { waitFor } from '../../support/wait-for.ts';
import { rss, workersOf } from '../setup.ts';
import { ask, balanced, services } from './support.ts';

it('fifty clients that do not read their 64 MiB: memory grows by at most 30 MiB, others are served', async () => {
  await using upstream = await startBigBodyServer();
  await using proxy = await startProxy({ dynamic: services(balanced([upstream.url])) });
  const [worker] = workersOf(proxy.pid);
  const small = async (): Promise<number> => {
    const started = performance.now();
    expect((await ask(proxy.port(), { path: '/?bytes=100' })).status).toBe(200);
    return performance.now() - started;
  };
  for (let i = 0; i < 300; i++) await small();
  const before = rss(worker!);
  const readers: RawClient[] = [];
  for (let i = 0; i < 50; i++) {
    const client = await RawClient.connect({ port: proxy.port() });
    client.socket.pause();
    await client.write(`GET /?bytes=${64 * 1024 * 1024} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
    readers.push(client);
  }
  await waitFor('all to be under way', () => upstream.open >= 50);
  let most = 0;
  const took: number[] = [];
  for (let i = 0; i < 200; i++) {
    took.push(await small());
    most = Math.max(most, rss(worker!) - before);
  }
  took.sort((a, b) => a - b);
  const grown = most / 1024 / 1024;
  console.log(
    `50 slow readers: the worker grew by ${grown.toFixed(1)} MiB; others: p50 ${took[100]!.toFixed(1)} ms, p99 ${took[197]!.toFixed(1)} ms`,
  );
  for (const client of readers) client.reset();
  await waitFor('the upstream to be left', () => upstream.open <= 2);
  expect(grown).toBeLessThan(30);
});
