import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAccessLines, readAccessLines } from '../support/access-lines.ts';
import { type HttpUpstream, startEchoServer } from '../support/http-upstreams.ts';
import { freePort } from '../support/ports.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { sendRaw } from '../support/raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

let echo: HttpUpstream;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo.close());

async function start(accessLog: string): Promise<ProxyProcess> {
  return startProxy({
    static: [
      'entryPoints:',
      '  web: {address: "127.0.0.1:PORT(web)"}',
      '  quiet: {address: "127.0.0.1:PORT(quiet)", observability: {accessLogs: false}}',
      'providers: {file: {filename: DIR/dynamic/dynamic.yml}}',
      'log: {format: json}',
      accessLog,
    ].join('\n'),
    dynamic: {
      http: {
        routers: {
          good: { rule: 'Path(`/good`)', service: 'good' },
          refused: { rule: 'Path(`/refused`)', service: 'refused' },
          silent: { rule: 'Path(`/silent`)', service: 'good', observability: { accessLogs: false, metrics: true } },
          loud: { rule: 'Path(`/loud`)', service: 'good', observability: { accessLogs: true } },
        },
        services: {
          good: { loadBalancer: { servers: [{ url: echo.url }] } },
          refused: { loadBalancer: { servers: [{ url: `http://127.0.0.1:${await freePort()}` }] } },
        },
      },
    },
  });
}

function get(proxy: ProxyProcess, path: string, entryPoint = 'web'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ port: proxy.port(entryPoint), host: '127.0.0.1', path, agent: false }, (response) =>
      response.resume().on('end', () => resolve(response.statusCode)),
    )
      .on('error', reject)
      .end();
  });
}

/** What the proxy's own log says of requests that failed. */
function failures(proxy: ProxyProcess): Record<string, unknown>[] {
  return parseAccessLines(proxy.output(), 'the log').filter((line) =>
    String(line.message).startsWith('request failed'),
  );
}

describe('a failed request', () => {
  /** One fault of each source. */
  async function failAll(proxy: ProxyProcess): Promise<void> {
    expect(await get(proxy, '/refused?secret=1')).toBe(502);
    expect(await get(proxy, '/nothing')).toBe(404);
    await sendRaw({ port: proxy.port('web'), chunks: ['GET / HTTP/1.1\r\nHost : x\r\n\r\n'] });
  }
  const CODES = [
    { code: 'UPSTREAM_REFUSED', source: 'upstream', status: 502, level: 'warn' },
    { code: 'PROXY_NO_ROUTE', source: 'proxy', status: 404, level: 'info' },
    { code: 'CLIENT_BAD_REQUEST', source: 'client', status: 400, level: 'info' },
  ];

  it('says whose fault it was in the JSON access log, and nowhere else', async () => {
    await using proxy = await start('accessLog: {filePath: DIR/access.log, format: json}');
    await failAll(proxy);
    await waitFor('three lines', () => readAccessLines(proxy.dir).length === 3);
    const lines = readAccessLines(proxy.dir);
    expect(lines.map((line) => [line.ErrorCode, line.ErrorSource, line.DownstreamStatus])).toEqual(
      CODES.map(({ code, source, status }) => [code, source, status]),
    );
    for (const line of lines) expect(line.ErrorDetail).toEqual(expect.any(String));
    await proxy.stop();
    expect(failures(proxy)).toEqual([]);
  });

  it.each([
    ['without an access log', ''],
    ['with one that has no place for it', 'accessLog: {filePath: DIR/access.log}'],
    [
      'with one that is to leave it out',
      'accessLog: {filePath: DIR/a.log, format: json, fields: {names: {ErrorCode: drop}}}',
    ],
    [
      'with one that wants other requests',
      'accessLog: {filePath: DIR/a.log, format: json, filters: {statusCodes: ["200"]}}',
    ],
  ])('says so in the log %s', async (_, accessLog) => {
    await using proxy = await start(accessLog);
    await failAll(proxy);
    const lines = await waitFor('three lines', () => (failures(proxy).length === 3 ? failures(proxy) : null));
    expect(lines).toEqual(CODES.map((expected) => expect.objectContaining(expected)));
    expect(lines[0]).toMatchObject({
      router: 'refused@file',
      service: 'refused@file',
      client: '127.0.0.1',
      entryPoint: 'web',
      request: expect.stringMatching(/^GET 127\.0\.0\.1:\d+\/refused$/),
      message: expect.stringMatching(/^request failed: UPSTREAM_REFUSED: .*ECONNREFUSED/),
    });
    // Not even of what the query held.
    expect(proxy.output()).not.toContain('secret');
  });

  it('cannot flood the log: ten a second have a line, the rest is counted', async () => {
    await using proxy = await start('');
    const started = performance.now();
    for (let i = 0; i < 40; i++) await Promise.all(Array.from({ length: 10 }, () => get(proxy, '/nothing')));
    expect(await get(proxy, '/refused')).toBe(502);
    const counted = (): number =>
      parseAccessLines(proxy.output(), 'the log')
        .filter(({ message }) => /^\d+ more requests failed within a second$/.test(String(message)))
        .reduce((sum, { PROXY_NO_ROUTE }) => sum + Number(PROXY_NO_ROUTE), 0);
    const total = (): number => failures(proxy).filter(({ source }) => source === 'proxy').length + counted();
    await waitFor('all to be told of', () => total() === 400, { describe: () => String(total()) });
    const seconds = (performance.now() - started) / 1_000;
    expect(failures(proxy).length).toBeLessThanOrEqual(10 * Math.ceil(seconds + 1) + 1);
    // What clients and routes do wrong hides nothing of an upstream.
    await waitFor('its line', () => failures(proxy).filter(({ source }) => source === 'upstream').length === 1);
  });
});

describe('the access log of a router or an entry point', () => {
  it('is off where that is said, and a router has its own say', async () => {
    await using proxy = await start('accessLog: {filePath: DIR/access.log, format: json}');
    for (const path of ['/good', '/silent', '/loud', '/nothing']) {
      await get(proxy, path);
      await get(proxy, path, 'quiet');
    }
    await get(proxy, '/good?last');
    await waitFor('the last line', () => readFileSync(join(proxy.dir, 'access.log'), 'utf8').includes('?last'));
    expect(readAccessLines(proxy.dir).map((line) => `${line.entryPointName} ${line.RequestPath}`)).toEqual([
      'web /good',
      'web /loud',
      'quiet /loud',
      'web /nothing',
      'web /good?last',
    ]);
    // A request that failed there is not lost sight of.
    await proxy.stop();
    expect(failures(proxy)).toMatchObject([{ code: 'PROXY_NO_ROUTE', entryPoint: 'quiet' }]);
  });
});

it('header fields are those of the request, of the upstream and of the answer', async () => {
  await using proxy = await startProxy({
    static: [
      'entryPoints: {web: {address: "127.0.0.1:PORT(web)"}}',
      'providers: {file: {filename: DIR/dynamic/dynamic.yml}}',
      'accessLog:',
      '  filePath: DIR/access.log',
      '  format: json',
      '  fields: {headers: {names: {X-Server: keep, X-Added: keep, Authorization: redact, Content-Type: drop}}}',
    ].join('\n'),
    dynamic: {
      http: {
        routers: { all: { rule: 'PathPrefix(`/`)', service: 'app', middlewares: ['edit'] } },
        middlewares: { edit: { headers: { customResponseHeaders: { 'X-Added': 'yes', 'X-Server': '' } } } },
        services: { app: { loadBalancer: { servers: [{ url: echo.url }] } } },
      },
    },
  });
  const response = await fetch(`http://127.0.0.1:${proxy.port()}/`, {
    headers: { authorization: 'Basic secret', 'x-added': 'by the client' },
  });
  await response.arrayBuffer();
  await waitFor('the line', () => readAccessLines(proxy.dir).length === 1);
  const [line] = readAccessLines(proxy.dir);
  const headers = Object.entries(line!).filter(([name]) => /^(request|origin|downstream)_/.test(name));
  expect(Object.fromEntries(headers)).toEqual({
    request_Authorization: 'REDACTED',
    'request_X-Added': 'by the client',
    'origin_X-Server': 'echo',
    'downstream_X-Added': 'yes',
  });
});
