import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startHttpUpstream } from '../../support/http-upstreams.ts';
import { startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { waitFor } from '../../support/wait-for.ts';
import { workersOf } from '../setup.ts';
import { ask } from '../upstreams/support.ts';
import { startCountingServer, through } from './support.ts';

describe('inFlightReq', () => {
  it('4, with 50 clients over 2 workers: never more than 4 at the server, the others get 429', async () => {
    await using upstream = await startCountingServer(5);
    await using proxy = await startProxy({
      workers: 2,
      dynamic: through({ inFlightReq: { amount: 4 } }, upstream.url),
    });
    const statuses = new Map<number, number>();
    const client = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const { status } = await ask(proxy.port());
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 50 }, client));
    expect([...statuses.keys()].sort()).toEqual([200, 429]);
    expect(statuses.get(200)! + statuses.get(429)!).toBe(1000);
    expect(upstream.state.most).toBe(4);
    expect(upstream.state.total).toBe(statuses.get(200));
    // All of them are free again.
    await waitFor('four at a time', async () => {
      const again = await Promise.all([1, 2, 3, 4].map(() => ask(proxy.port())));
      return again.every(({ status }) => status === 200);
    });
  });

  it('has back the place of a client that left, and those of a worker that died', async () => {
    let open = 0;
    await using upstream = await startHttpUpstream((request, response) => {
      if (request.url === '/quick') {
        response.end('ok');
        return;
      }
      open++;
      response.on('close', () => open--);
    });
    await using proxy = await startProxy({
      workers: 2,
      dynamic: through({ inFlightReq: { amount: 1 } }, upstream.url),
    });
    const quick = async (): Promise<number> => (await ask(proxy.port(), { path: '/quick' })).status;
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write('GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await waitFor('it at the server', () => open === 1);
    expect(await quick()).toBe(429);
    client.reset();
    await waitFor('the place of the client to be free', async () => (await quick()) === 200);
    await waitFor('the server to be told', () => open === 0);
    // The place of the last one may be on its way back to the primary when its answer is here.
    let lost = Promise.resolve();
    await waitFor('another at the server', async () => {
      let refused = false;
      const asked = ask(proxy.port(), { path: '/held' }).then(
        ({ status }) => {
          refused = status === 429;
        },
        () => undefined,
      );
      await waitFor('it at the server, or its refusal', () => open === 1 || refused);
      lost = asked;
      return open === 1;
    });
    expect(await quick()).toBe(429);
    for (const pid of workersOf(proxy.pid)) process.kill(pid, 'SIGKILL');
    await lost;
    await waitFor('the place of the dead worker to be free', async () => (await quick().catch(() => 0)) === 200);
  });
});

describe('rateLimit', () => {
  it('100 a second with a burst of 50, over 2 workers: never more, and little less', async () => {
    await using upstream = await startCountingServer(0);
    const limit = { average: 100, burst: 50 };
    await using proxy = await startProxy({ workers: 2, dynamic: through({ rateLimit: limit }, upstream.url) });
    let passed = 0;
    let refused = 0;
    let over = false;
    // A stall is no time in which anything was asked for; what it makes of the burst is not counted on.
    let asked = 0;
    let answeredAt = performance.now();
    const client = async (): Promise<void> => {
      await using connection = await RawClient.connect({ port: proxy.port() });
      while (!over) {
        await connection.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
        const { responses } = await connection.waitForResponses(1);
        connection.clear();
        const response = responses[0]!;
        asked += Math.min(performance.now() - answeredAt, 100);
        answeredAt = performance.now();
        if (response.status === 200) passed++;
        else if (response.status === 429) refused++;
        else throw new Error(`status ${response.status}`);
        await sleep(4);
      }
    };
    const started = performance.now();
    const clients = Array.from({ length: 8 }, client);
    await sleep(5_000);
    over = true;
    await Promise.all(clients);
    const seconds = (performance.now() - started) / 1000;
    const budget = 50 + 100 * seconds;
    console.log(`${seconds.toFixed(2)} s: ${passed} passed of ${budget.toFixed(0)} allowed, ${refused} refused`);
    expect(upstream.state.total).toBe(passed);
    // Over it only by the promise of half a token, and what the two workers took ahead: one each.
    expect(passed).toBeLessThanOrEqual(budget + 3);
    // Enough was asked for nearly all the time, so that little of it may be lost.
    expect(refused).toBeGreaterThan(0);
    expect(passed).toBeGreaterThan((50 + asked / 10) * 0.85);
  });

  it('is not begun anew by a reload, nor by other workers', async () => {
    await using upstream = await startCountingServer(0);
    const file = (more: object): Record<string, unknown> => ({
      ...through({ rateLimit: { average: 1, period: '1h', burst: 3 } }, upstream.url),
      ...more,
    });
    await using proxy = await startProxy({ workers: 2, dynamic: file({}) });
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await ask(proxy.port())).status);
    expect(statuses).toEqual([200, 200, 200]);
    await proxy.writeDynamic(file({ tls: { options: { other: { minVersion: 'VersionTLS13' } } } }));
    await proxy.waitForOutput(/version 2 is live/);
    const refused = await ask(proxy.port());
    expect([refused.status, Number(refused.header('retry-after')) > 3_000]).toEqual([429, true]);
    for (const pid of workersOf(proxy.pid)) process.kill(pid, 'SIGKILL');
    await waitFor('an answer of a new worker', async () => {
      const status = await ask(proxy.port()).then(
        (response) => response.status,
        () => 0,
      );
      return status === 0 ? undefined : status;
    }).then((status) => expect(status).toBe(429));
    expect(upstream.state.total).toBe(3);
  });
});
