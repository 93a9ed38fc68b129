import { describe, expect, it } from 'vitest';
import type { SlotStatus } from '../../../src/control/slots/service-slots.ts';
import { startHttpUpstream } from '../../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { waitFor } from '../../support/wait-for.ts';
import { workersOf } from '../setup.ts';
import { ask, balanced, services, statusOf } from './support.ts';

/** A server that knows how many requests are with it, and answers when it is told, or after a time. */
async function startSlots(holdMs: number) {
  const state = { now: 0, most: 0, order: [] as string[], release: [] as (() => void)[] };
  const upstream = await startHttpUpstream((request, response) => {
    state.now++;
    state.most = Math.max(state.most, state.now);
    state.order.push(request.url ?? '');
    let over = false;
    const done = (): void => {
      if (over) return;
      over = true;
      state.now--;
    };
    response.on('close', done);
    const answer = (): void => {
      done();
      response.end(request.url);
    };
    if (holdMs > 0) setTimeout(answer, holdMs);
    else state.release.push(answer);
  });
  return Object.assign(Object.create(upstream) as typeof upstream, { state });
}

describe('maxInFlight', () => {
  it('4, with 200 clients over 2 workers: never more than 4 at the server, all served, fairly', async () => {
    await using upstream = await startSlots(10);
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(balanced([upstream.url], { maxInFlight: 4, queue: { limit: 1000, timeout: '60s' } })),
    });
    /** How many others each request saw served before it: in milliseconds a stall would count. */
    const waits: number[] = [];
    const client = async (n: number): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        const before = upstream.state.order.length;
        const path = `/${n}/${i}`;
        expect((await ask(proxy.port(), { path })).status).toBe(200);
        waits.push(upstream.state.order.indexOf(path) - before);
      }
    };
    await Promise.all(Array.from({ length: 200 }, (_, n) => client(n)));
    expect(upstream.state.most).toBe(4);
    expect(waits.length).toBe(600);
    // The first round of all ends in full wait, so compare those behind it.
    const later = waits.slice(200).sort((a, b) => a - b);
    const [p50, p99] = [later[Math.floor(later.length / 2)]!, later[Math.floor(later.length * 0.99)]!];
    console.log(`600 requests, 4 at a time: served before one p50 ${p50}, p99 ${p99}`);
    expect(p99).toBeLessThan(p50 * 2);
  });

  it('keeps the order of arrival over 2 workers', async () => {
    await using upstream = await startSlots(0);
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(balanced([upstream.url], { maxInFlight: 1, queue: { limit: 100, timeout: '60s' } })),
    });
    const answers: Promise<unknown>[] = [];
    for (let i = 0; i < 12; i++) {
      answers.push(ask(proxy.port(), { path: `/${i}` }));
      await waitFor(`request ${i} to arrive`, async () => upstream.state.now === 1 && (await waiting(proxy)) === i);
    }
    for (let i = 0; i < 12; i++) {
      await waitFor(`request ${i} at the server`, () => upstream.state.release.length > 0);
      upstream.state.release.shift()!();
    }
    await Promise.all(answers);
    expect(upstream.state.order).toEqual(Array.from({ length: 12 }, (_, i) => `/${i}`));
    expect(upstream.state.most).toBe(1);
  });

  it('answers 503 with Retry-After where no more may wait, and where one waited too long', async () => {
    await using upstream = await startSlots(0);
    const dynamic = (timeout: string) =>
      services(balanced([upstream.url], { maxInFlight: 1, queue: { limit: 1, timeout } }));
    await using proxy = await startProxy({ dynamic: dynamic('60s'), workers: 2 });
    const first = ask(proxy.port());
    await waitFor('the first at the server', () => upstream.state.now === 1);
    const second = ask(proxy.port());
    await waitFor('the second to wait', async () => (await waiting(proxy)) === 1);
    const third = await ask(proxy.port());
    expect([third.status, Number(third.header('retry-after')) >= 1]).toEqual([503, true]);
    upstream.state.release[0]!();
    expect((await first).status).toBe(200);
    await waitFor('the second at the server', () => upstream.state.now === 1);
    await proxy.writeDynamic(dynamic('400ms'));
    await proxy.waitForOutput(/version 2 is live/);
    const late = await ask(proxy.port());
    expect([late.status, late.header('retry-after')]).toEqual([503, '1']);
    upstream.state.release[1]!();
    expect((await second).status).toBe(200);
    expect(upstream.state.order.length).toBe(2);
  });

  it('gives back at once the place of a client that leaves, served or waiting', async () => {
    await using upstream = await startSlots(0);
    const dynamic = services(balanced([upstream.url], { maxInFlight: 1, queue: { limit: 10, timeout: '60s' } }));
    await using proxy = await startProxy({ dynamic, workers: 2 });
    const head = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`;
    await using served = await RawClient.connect({ port: proxy.port() });
    await served.write(head('/served'));
    await waitFor('the first at the server', () => upstream.state.now === 1);
    await using queued = await RawClient.connect({ port: proxy.port() });
    await queued.write(head('/queued'));
    await waitFor('the second to wait', async () => (await waiting(proxy)) === 1);
    queued.reset();
    await waitFor('the place in the queue to be free', async () => (await waiting(proxy)) === 0);
    const third = ask(proxy.port(), { path: '/third' });
    await waitFor('the third to wait', async () => (await waiting(proxy)) === 1);
    const started = performance.now();
    served.reset();
    await waitFor('the third at the server', () => upstream.state.order.includes('/third'), { intervalMs: 1 });
    console.log(
      `a client that was served left: the next was at the server after ${(performance.now() - started).toFixed(1)} ms`,
    );
    upstream.state.release.at(-1)!();
    expect((await third).status).toBe(200);
    expect(upstream.state.order).toEqual(['/served', '/third']);
  });

  it('has back the places of a worker that died', async () => {
    await using upstream = await startSlots(0);
    const dynamic = services(balanced([upstream.url], { maxInFlight: 2, queue: { limit: 10, timeout: '60s' } }));
    await using proxy = await startProxy({ dynamic, workers: 2 });
    const lost = [ask(proxy.port()).catch(() => null), ask(proxy.port()).catch(() => null)];
    await waitFor('both at the server', () => upstream.state.now === 2);
    for (const pid of workersOf(proxy.pid)) process.kill(pid, 'SIGKILL');
    await Promise.all(lost);
    await waitFor('places that are free', async () => (await slots(proxy))?.inUse[upstream.url] === 0);
    const next = ask(proxy.port());
    await waitFor('the next at the server', () => upstream.state.order.length === 3);
    upstream.state.release.at(-1)!();
    expect((await next).status).toBe(200);
  });

  it('serves the urgent first, and shares between clients', async () => {
    await using upstream = await startSlots(0);
    const queue = { limit: 100, timeout: '60s', priorityHeader: 'X-Priority', fairBy: 'Authorization' };
    await using proxy = await startProxy({ dynamic: services(balanced([upstream.url], { maxInFlight: 1, queue })) });
    const answers: Promise<unknown>[] = [];
    const send = async (path: string, ...headers: string[]): Promise<void> => {
      const before = await waiting(proxy);
      answers.push(ask(proxy.port(), { path, headers }));
      await waitFor(`${path} to arrive`, async () => upstream.state.now === 0 || (await waiting(proxy)) === before + 1);
    };
    answers.push(ask(proxy.port(), { path: '/first' }));
    await waitFor('the first at the server', () => upstream.state.now === 1);
    await send('/greedy1', 'Authorization: greedy');
    await send('/greedy2', 'Authorization: greedy');
    await send('/modest', 'Authorization: modest');
    await send('/urgent', 'Authorization: greedy', 'X-Priority: 9');
    for (let i = 0; i < 5; i++) {
      await waitFor('one at the server', () => upstream.state.release.length > 0);
      upstream.state.release.shift()!();
    }
    await Promise.all(answers);
    expect(upstream.state.order).toEqual(['/first', '/urgent', '/modest', '/greedy1', '/greedy2']);
  });
});

describe('maxConnections', () => {
  it('is never exceeded over 2 workers', async () => {
    let open = 0;
    let most = 0;
    await using upstream = await startHttpUpstream((request, response) => {
      if (!counted.has(request.socket)) {
        counted.add(request.socket);
        open++;
        most = Math.max(most, open);
        // Its end is read before what came after it; a socket is closed some turns later.
        request.socket.once('end', () => open--);
      }
      setTimeout(() => response.end('ok'), 5);
    });
    const counted = new Set<unknown>();
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(balanced([upstream.url], { maxConnections: 3, queue: { limit: 1000, timeout: '60s' } })),
    });
    const client = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) expect((await ask(proxy.port())).status).toBe(200);
    };
    await Promise.all(Array.from({ length: 20 }, client));
    expect(most).toBe(3);
  });
});

async function slots(proxy: ProxyProcess): Promise<SlotStatus | null> {
  return (await statusOf(proxy)).services[0]?.slots ?? null;
}

async function waiting(proxy: ProxyProcess): Promise<number> {
  return (await slots(proxy))?.waiting ?? -1;
}
