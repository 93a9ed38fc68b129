import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpUpstream, startEchoServer, startHttpUpstream } from '../../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask, balanced, services, statusOf } from './support.ts';

let a: HttpUpstream;
let b: HttpUpstream;
let c: HttpUpstream;

beforeAll(async () => {
  [a, b, c] = await Promise.all([startEchoServer('a'), startEchoServer('b'), startEchoServer('c')]);
});
afterAll(async () => {
  await Promise.all([a, b, c].map((server) => server.close()));
});

const JSON_TYPE = 'Content-Type: application/json';

async function chat(proxy: ProxyProcess, body: unknown, ...headers: string[]) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return ask(proxy.port(), {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: [JSON_TYPE, ...headers],
    body: text,
  });
}

describe('byModel', () => {
  const models = { 'granite-3b': 'a', 'llama*': 'b', 'llama-3*': 'c' };
  const others = () => ({ a: balanced([a.url]), b: balanced([b.url]), c: balanced([c.url]) });

  it('sends a request to the service of its model, with its whole body', async () => {
    await using proxy = await startProxy({ dynamic: services({ byModel: { models } }, others()), workers: 2 });
    for (const [model, server] of [
      ['granite-3b', 'a'],
      ['llama-2', 'b'],
      ['llama-3.1', 'c'],
    ]) {
      const body = { messages: [{ role: 'user', content: 'x'.repeat(3_000) }], model };
      const echo = JSON.parse((await chat(proxy, body)).body.toString());
      expect(echo).toMatchObject({ server, bodyLength: JSON.stringify(body).length });
    }
  });

  it('answers 404 as model servers do for another model, or sends it to the default', async () => {
    await using proxy = await startProxy({ dynamic: services({ byModel: { models } }, others()) });
    const answer = await chat(proxy, { model: 'gpt' });
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body.toString()).error).toMatchObject({ code: 'model_not_found', param: 'model' });
    await proxy.writeDynamic(services({ byModel: { models, default: 'b' } }, others()));
    await proxy.waitForOutput(/version 2 is live/);
    expect((await chat(proxy, { model: 'gpt' })).header('x-server')).toBe('b');
    expect((await ask(proxy.port(), { path: '/v1/models' })).header('x-server')).toBe('b');
    expect((await chat(proxy, 'no json')).header('x-server')).toBe('b');
  });

  it('looks no further than it may, and passes on what is larger', async () => {
    await using proxy = await startProxy({
      dynamic: services({ byModel: { models, default: 'b', maxBodyBytes: 1_000 } }, others()),
    });
    const late = { prompt: 'x'.repeat(300_000), model: 'granite-3b' };
    const echo = JSON.parse((await chat(proxy, late)).body.toString());
    expect(echo).toMatchObject({ server: 'b', bodyLength: JSON.stringify(late).length });
    const early = { model: 'granite-3b', prompt: 'x'.repeat(300_000) };
    expect(JSON.parse((await chat(proxy, early)).body.toString())).toMatchObject({
      server: 'a',
      bodyLength: JSON.stringify(early).length,
    });
  });

  it('asks for a body that is held back until it is asked for', async () => {
    await using proxy = await startProxy({ dynamic: services({ byModel: { models } }, others()) });
    await using client = await RawClient.connect({ port: proxy.port() });
    const body = '{"model":"llama-2"}';
    await client.write(
      `POST / HTTP/1.1\r\nHost: a.test\r\n${JSON_TYPE}\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await client.waitUntil('100', (one) => one.received.toString().includes('100 Continue'));
    await client.write(body);
    const { responses } = await client.waitForResponses(1);
    const final = responses.filter(({ status }) => status === 200);
    expect(final[0]?.header('x-server')).toBe('b');
    expect(responses.filter(({ status }) => status === 100).length).toBe(1);
  });
});

describe('affinity', () => {
  const urls = () => [a.url, b.url, c.url];
  const serverOf = (response: { header(name: string): string | undefined }) => response.header('x-server');

  it('binds by a header, a cookie, a field of the body, the beginning of the prompt', async () => {
    const prompt = (text: string) => ({ messages: [{ role: 'system', content: text }] });
    const kinds: [object, (key: string, n: number) => [unknown, ...string[]]][] = [
      [{ header: 'X-Session' }, (key) => [{}, `X-Session: ${key}`]],
      [{ cookie: 'session' }, (key) => [{}, `Cookie: session=${key}`]],
      [{ bodyField: 'user' }, (key, n) => [{ n, user: key }]],
      [{ promptPrefix: 300 }, (key, n) => [prompt(key.repeat(400) + n)]],
    ];
    for (const [affinity, request] of kinds) {
      await using proxy = await startProxy({ dynamic: services(balanced(urls(), { affinity })) });
      const seen = new Set<string | undefined>();
      // All of so many at one of three: once in 14 million runs.
      for (const key of 'abcdefghijklmnop') {
        const servers = new Set<string | undefined>();
        for (let n = 0; n < 3; n++) {
          const [body, ...headers] = request(key, n);
          servers.add(serverOf(await chat(proxy, body, ...headers)));
        }
        expect(servers.size).toBe(1);
        for (const server of servers) seen.add(server);
      }
      expect(seen.size).toBeGreaterThan(1);
      // Without a key everybody in turn.
      const rest = new Set<string | undefined>();
      for (let n = 0; n < 3; n++) rest.add(serverOf(await chat(proxy, {})));
      expect(rest.size).toBe(3);
    }
  });

  it('lets a key overflow to the next server where its own has more than its share', async () => {
    const state = { now: [0, 0], release: [] as (() => void)[] };
    const start = (n: number) =>
      startHttpUpstream((_, response) => {
        state.now[n]!++;
        state.release.push(() => response.end('ok'));
      });
    await using one = await start(0);
    await using two = await start(1);
    await using proxy = await startProxy({
      dynamic: services(balanced([one.url, two.url], { affinity: { header: 'X-Session', loadFactor: 1.25 } })),
    });
    const answers = [];
    for (let i = 0; i < 16; i++) {
      answers.push(ask(proxy.port(), { headers: ['X-Session: same'] }));
      await waitFor(`request ${i}`, () => state.now[0]! + state.now[1]! === i + 1);
    }
    const [least, most] = state.now.toSorted((x, y) => x - y);
    // 1.25 times its share of 16 is 10.
    expect([least, most]).toEqual([6, 10]);
    for (const release of state.release) release();
    await Promise.all(answers);
  });
});

describe('streams of tokens', () => {
  it('are measured for each service, over all workers', async () => {
    await using upstream = await startHttpUpstream(async (request, response) => {
      const ndjson = request.url === '/api/generate';
      response.writeHead(200, { 'Content-Type': ndjson ? 'application/x-ndjson' : 'text/event-stream' });
      for (let i = 0; i < 10; i++) {
        response.write(ndjson ? `{"n":${i}}\n` : `data: {"n":${i}}\n\n`);
        // Far apart for a worker that is late now and then.
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (request.url === '/breaks' && i === 5) {
          response.destroy();
          return;
        }
        // It goes on for as long as its client is there.
        if (request.url === '/leaves' && i === 1) return;
      }
      response.end();
    });
    const dynamic = services(balanced([upstream.url])) as { http: { routers: Record<string, unknown> } };
    dynamic.http.routers.metrics = { rule: 'Path(`/metrics`)', service: 'prometheus@internal' };
    await using proxy = await startProxy({
      static: { entryPoints: { web: {} }, metrics: { prometheus: {} } },
      dynamic,
      workers: 2,
    });
    for (let i = 0; i < 4; i++) expect((await ask(proxy.port(), { path: '/v1/chat' })).complete).toBe(true);
    await ask(proxy.port(), { path: '/api/generate' });
    expect((await ask(proxy.port(), { path: '/breaks' })).complete).toBe(false);
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write('GET /leaves HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await client.waitUntil('a token', (one) => one.received.includes('data: {"n":1}'));
    client.reset();
    const streams = await waitFor('all to be told', async () => {
      const figures = (await statusOf(proxy)).services[0]?.streams;
      return figures?.count === 7 && figures.cancelled === 1 ? figures : undefined;
    });
    expect(streams.broken).toBe(1);
    expect(streams.events).toBe(58);
    expect(streams.betweenPiecesMs.p50).toBeGreaterThan(1);
    expect(streams.durationMs.p50).toBeGreaterThanOrEqual(streams.firstPieceMs.p50);
    const scraped = (await ask(proxy.port(), { path: '/metrics' })).body.toString();
    expect(scraped).toContain('phoenix_service_streams_total{service="app@file"} 7');
    expect(scraped).toContain('traefik_service_retries_total{service="app@file"} 0');
    expect(scraped).toMatch(
      /phoenix_service_stream_first_piece_seconds\{service="app@file",quantile="0.99"\} \d+\.\d+/,
    );
  });
});

describe('a client that leaves', () => {
  it('is told to the upstream at once: in the middle of a stream, and before the first byte', async () => {
    const left: number[] = [];
    let arrived = 0;
    await using upstream = await startHttpUpstream((request, response) => {
      arrived++;
      const close = (): void => void left.push(performance.now());
      if (request.url === '/stream') {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write('data: first\n\n');
      }
      response.on('close', close);
    });
    await using proxy = await startProxy({ dynamic: services(balanced([upstream.url])), workers: 2 });
    for (const path of ['/stream', '/silent']) {
      const took: number[] = [];
      for (let i = 0; i < 40; i++) {
        const before = arrived;
        const known = left.length;
        await using client = await RawClient.connect({ port: proxy.port() });
        await client.write(`POST ${path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\n{}`);
        await waitFor('the request', () => arrived > before, { intervalMs: 1 });
        if (path === '/stream') await client.waitUntil('a token', (one) => one.received.includes('data: first'));
        const at = performance.now();
        client.reset();
        await waitFor('the upstream to see it', () => left.length > known, { intervalMs: 1 });
        took.push(left.at(-1)! - at);
      }
      took.sort((x, y) => x - y);
      console.log(
        `client gone (${path}): the upstream sees it after ${took[20]!.toFixed(1)} ms at the median, ${took[38]!.toFixed(1)} at most of 95 %`,
      );
      // The coarse clock, by which nothing of this may go, advances every 250 ms.
      expect(took[20]!).toBeLessThan(100);
    }
  });
});
