import { dump } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import type { ProxyStatus } from '../../src/control/status.ts';
import { type HttpUpstream, startEchoServer, startHttpUpstream } from '../support/http-upstreams.ts';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { runCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';
import { workersOf } from './setup.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
type Server = ProxyStatus['services'][number]['servers'][number];

function dynamic(urls: readonly string[], service: Record<string, unknown>): Record<string, unknown> {
  return {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', service: 'app' } },
      services: { app: { loadBalancer: { servers: urls.map((url) => ({ url })), slowStart: '0s', ...service } } },
    },
  };
}

async function servers(proxy: ProxyProcess): Promise<readonly Server[]> {
  const status = JSON.parse((await runCommand(['status', '--json'], proxy)).stdout) as ProxyStatus;
  return status.services.find((service) => service.name === 'app@file')?.servers ?? [];
}

/** Which server answered, or the status. */
async function answerer(proxy: ProxyProcess): Promise<string> {
  const { responses } = await sendRaw({ port: proxy.port(), chunks: [GET] });
  return responses[0]?.header('x-server') ?? String(responses[0]?.status);
}

async function answerers(proxy: ProxyProcess, count: number): Promise<string[]> {
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) seen.add(await answerer(proxy));
  return [...seen].sort();
}

/** A server whose health is switched by the test. */
async function switched(name: string): Promise<HttpUpstream & { health: number; body: string }> {
  const state = { health: 200, body: 'fine' };
  const upstream = await startHttpUpstream((request, response) => {
    response.setHeader('X-Server', name);
    if (request.url === '/health') response.writeHead(state.health).end(state.body);
    else response.end(name);
  });
  return Object.defineProperties(Object.create(upstream) as HttpUpstream & { health: number; body: string }, {
    health: {
      set: (value: number) => {
        state.health = value;
      },
      get: () => state.health,
    },
    body: {
      set: (value: string) => {
        state.body = value;
      },
      get: () => state.body,
    },
  });
}

// The time is none that a busy machine lets pass: a server that is late is down.
const CHECK = { healthCheck: { path: '/health', interval: '100ms', timeout: '30s' } };

describe('active checks', () => {
  it('take a server out in every worker, say why, and bring it back', async () => {
    await using one = await switched('one');
    await using two = await switched('two');
    await using proxy = await startProxy({ workers: 2, dynamic: dynamic([one.url, two.url], CHECK) });
    expect(await answerers(proxy, 10)).toEqual(['one', 'two']);
    one.health = 503;
    one.body = 'Loading model';
    await proxy.waitForOutput(new RegExp(`${one.url} of app@file is down: status 503: Loading model`));
    await waitFor('only the other to answer', async () => (await answerers(proxy, 12)).join() === 'two');
    const [first, second] = await servers(proxy);
    expect(first).toMatchObject({
      url: one.url,
      status: 'DOWN',
      check: { health: 'unhealthy', kind: 'status', detail: 'status 503: Loading model' },
    });
    expect(second).toMatchObject({ status: 'UP', check: { health: 'healthy' } });
    one.health = 200;
    // Not the word of the first check.
    await proxy.waitForOutput(new RegExp(`${one.url} of app@file is down[^]*${one.url} of app@file is up: status 200`));
    await waitFor('both again', async () => (await answerers(proxy, 12)).join() === 'one,two');
  });

  it('of every server out answer 503, as Traefik does', async () => {
    await using one = await switched('one');
    one.health = 500;
    await using proxy = await startProxy({ dynamic: dynamic([one.url], CHECK) });
    await waitFor('no server', async () => (await answerer(proxy)) === '503');
    const { responses } = await sendRaw({ port: proxy.port(), chunks: [GET] });
    expect(responses[0]?.body.toString()).toBe('no available server\n');
  });

  it('are remembered over reloads and the death of workers, and done by one process alone', async () => {
    let checks = 0;
    await using down = await startHttpUpstream((request, response) => {
      if (request.url === '/health') checks++;
      response.writeHead(500).end();
    });
    await using two = await switched('two');
    const slow = { healthCheck: { path: '/health', interval: '1h', timeout: '30s' } };
    const content = dynamic([down.url, two.url], slow);
    await using proxy = await startProxy({ workers: 2, dynamic: { 'a.yml': dump(content) } });
    await proxy.waitForOutput(/of app@file is down: status 500/);
    await proxy.writeDynamic(
      { http: { routers: { more: { rule: 'Host(`x.test`)', service: 'app@file' } } } },
      { file: 'b.yml' },
    );
    expect(await runCommand(['reload'], proxy)).toMatchObject({ code: 0 });
    for (const pid of workersOf(proxy.pid)) process.kill(pid, 'SIGKILL');
    await waitFor('two new workers', async () => {
      const status = JSON.parse((await runCommand(['status', '--json'], proxy)).stdout) as ProxyStatus;
      return status.workerDeaths.count === 2 && status.workers.filter((w) => w.state === 'serving').length === 2;
    });
    expect(await answerers(proxy, 10)).toEqual(['two']);
    expect((await servers(proxy))[0]).toMatchObject({ status: 'DOWN' });
    expect(checks).toBe(1);
  });

  it('need as many results in a row as they are told, either way', async () => {
    let failures = 0;
    await using flaky = await startHttpUpstream((request, response) => {
      if (request.url !== '/health') return void response.setHeader('X-Server', 'flaky').end();
      // Two of three fail: never three in a row.
      failures++;
      response.writeHead(failures % 3 === 0 ? 200 : 500).end();
    });
    const check = { healthCheck: { ...CHECK.healthCheck, interval: '30ms', unhealthyThreshold: 3 } };
    await using proxy = await startProxy({ dynamic: dynamic([flaky.url], check) });
    // The first word counts where nothing is known.
    await waitFor('some checks', () => failures > 3);
    await waitFor('it to be up', async () => (await answerer(proxy)) === 'flaky');
    const from = failures;
    await waitFor('many checks', () => failures > from + 20);
    const before = (proxy.output().match(/is down/g) ?? []).length;
    expect(before).toBeLessThanOrEqual(1);
  });

  it('can start from "unhealthy": nothing is sent before the first check', async () => {
    await using proxy = await startProxy({
      dynamic: dynamic([`http://127.0.0.1:${await freePort()}`], {
        healthCheck: { path: '/health', interval: '1h', initial: 'unhealthy' },
      }),
    });
    expect(await answerer(proxy)).toBe('503');
  });

  it('end requests that wait for a server that was found frozen, elsewhere or at once', async () => {
    let frozen = false;
    await using sick = await startHttpUpstream((_, response) => {
      if (!frozen) response.setHeader('X-Server', 'sick').end();
    });
    await using well = await startHttpUpstream((_, response) => void response.setHeader('X-Server', 'well').end());
    // A machine that stands still for a moment makes one check late, not three in a row.
    const check = { healthCheck: { path: '/health', interval: '200ms', timeout: '1s', unhealthyThreshold: 3 } };
    await using proxy = await startProxy({ workers: 2, dynamic: dynamic([sick.url, well.url], check) });
    for (const { url } of [sick, well]) await proxy.waitForOutput(new RegExp(`${url} of app@file is up`));
    await waitFor('both', async () => (await answerers(proxy, 6)).join() === 'sick,well');
    frozen = true;
    const from = performance.now();
    const waiting = await Promise.all(Array.from({ length: 10 }, () => RawClient.connect({ port: proxy.port() })));
    for (const client of waiting) await client.write(GET);
    for (const client of waiting) {
      const { responses } = await client.waitForResponses(1);
      // A longer stand finds both late, and nobody is left.
      if (!proxy.output().includes(`${well.url} of app@file is down`))
        expect(responses[0]?.header('x-server')).toBe('well');
    }
    console.log(`10 requests, half at a frozen server: all answered after ${Math.round(performance.now() - from)} ms`);
  });
});

describe('passive checks', () => {
  it('take out a server that refuses, without a failed request, and let it come back', async () => {
    await using well = await startEchoServer('well');
    const port = await freePort();
    const passive = { passiveHealthCheck: { failureWindow: '1s', maxFailedAttempts: 2 } };
    await using proxy = await startProxy({
      workers: 2,
      dynamic: dynamic([`http://127.0.0.1:${port}`, well.url], passive),
    });
    await using load = startLoad({ port: proxy.port(), host: 'a.test', clients: 4, keepAlive: true });
    // It lasts a second: another look may find it over.
    const ejected = await waitFor('its ejection', async () => (await servers(proxy)).find((one) => one.ejected));
    expect(ejected).toMatchObject({
      url: `http://127.0.0.1:${port}`,
      status: 'DOWN',
      ejected: { reason: expect.stringMatching(/requests failed within 1 s: lastly it took no connection/) },
    });
    await using back = await startEchoServer('back', { port });
    await waitFor('it to be used again', () => back.requests > 20, { timeoutMs: 30_000 });
    await load.stop();
    expect(load.failures).toEqual([]);
  });

  it('take out a server that answers 500', async () => {
    await using sick = await startHttpUpstream(
      (_, response) => void response.writeHead(500, { 'X-Server': 'sick' }).end(),
    );
    await using well = await startEchoServer('well');
    await using proxy = await startProxy({
      dynamic: dynamic([sick.url, well.url], { passiveHealthCheck: { failureWindow: '1m', maxFailedAttempts: 3 } }),
    });
    for (let i = 0; i < 6; i++) await answerer(proxy);
    expect(sick.requests).toBe(3);
    // What the primary has not confirmed within a second is taken back.
    await waitFor('its ejection', async () => (await servers(proxy))[0]?.ejected !== undefined);
    expect(await answerers(proxy, 6)).toEqual(['well']);
    expect(sick.requests).toBe(3);
  });

  it('with no server left answer 503, or use the least bad where that is asked for', async () => {
    await using sick = await startHttpUpstream(
      (_, response) => void response.writeHead(500, { 'X-Server': 'sick' }).end(),
    );
    for (const [panic, expected] of [
      ['refuse', '503'],
      ['leastBad', 'sick'],
    ]) {
      await using proxy = await startProxy({
        dynamic: dynamic([sick.url], { passiveHealthCheck: { failureWindow: '1m', maxFailedAttempts: 1, panic } }),
      });
      expect(await answerer(proxy)).toBe('sick');
      await waitFor('its ejection', async () => (await servers(proxy))[0]?.ejected !== undefined);
      expect(await answerer(proxy)).toBe(expected);
    }
  });
});

describe('proxy drain', () => {
  it('sends nothing new to a server, over reloads, until undrain', async () => {
    await using one = await startEchoServer('one');
    await using two = await startEchoServer('two');
    await using proxy = await startProxy({ workers: 2, dynamic: { 'a.yml': dump(dynamic([one.url, two.url], {})) } });
    expect(await answerers(proxy, 10)).toEqual(['one', 'two']);
    expect(await runCommand(['drain', 'app', one.url], proxy)).toMatchObject({ code: 0 });
    await waitFor('the other alone', async () => (await answerers(proxy, 10)).join() === 'two');
    await proxy.writeDynamic(
      { http: { routers: { more: { rule: 'Host(`x.test`)', service: 'app@file' } } } },
      { file: 'b.yml' },
    );
    expect(await runCommand(['reload'], proxy)).toMatchObject({ code: 0 });
    expect(await answerers(proxy, 10)).toEqual(['two']);
    expect((await servers(proxy))[0]).toMatchObject({ draining: true });
    expect(await runCommand(['undrain', 'app', one.url], proxy)).toMatchObject({ code: 0 });
    await waitFor('both', async () => (await answerers(proxy, 10)).join() === 'one,two');
    const wrong = await runCommand(['drain', 'app', 'http://nowhere'], proxy);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/app@file has no server http:\/\/nowhere/) });
  });
});
