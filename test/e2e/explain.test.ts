import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RouteLine } from '../../src/control/command/routes.ts';
import type { Explained } from '../../src/core/explain.ts';
import { makeCa } from '../support/certs.ts';
import { type HttpUpstream, startEchoServer } from '../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { type CommandResult, runCommand } from '../support/run-command.ts';

const ca = makeCa();
const named = ca.issue({ sans: ['a.test'] });
const wild = ca.issue({ sans: ['*.w.test'] });

let one: HttpUpstream;
let two: HttpUpstream;
let proxy: ProxyProcess;

/** Each router says its name in a header of the response. */
const ROUTERS: Readonly<
  Record<string, { readonly rule: string; readonly priority?: number; readonly tls?: boolean; readonly on?: string }>
> = {
  api: { rule: 'Host(`a.test`) && PathPrefix(`/api`)', tls: true },
  rest: { rule: 'Host(`a.test`)', tls: true },
  plain: { rule: 'Host(`a.test`)' },
  wild: { rule: 'Host(`*.w.test`) && !Path(`/not`)', tls: true },
  post: { rule: 'Method(`POST`)', priority: 500, tls: true },
  header: { rule: 'Header(`X-Team`, `red`)', priority: 600, tls: true },
  query: { rule: 'Query(`debug`, `1`)', priority: 400, tls: true },
  client: { rule: 'ClientIP(`127.0.0.0/8`) && Path(`/local`)', priority: 700, tls: true },
};

beforeAll(async () => {
  one = await startEchoServer('one');
  two = await startEchoServer('two');
  const routers: Record<string, object> = {
    off: { rule: 'Host(`off.test`)', service: 'nowhere', tls: {} },
  };
  const middlewares: Record<string, object> = {};
  for (const [name, { rule, priority = 0, tls = false }] of Object.entries(ROUTERS)) {
    middlewares[`name-${name}`] = { headers: { customResponseHeaders: { 'X-Router': `${name}@file` } } };
    routers[name] = { rule, priority, service: 'app', middlewares: [`name-${name}`], ...(tls ? { tls: {} } : {}) };
  }
  proxy = await startProxy({
    static: { entryPoints: { web: {}, other: {} } },
    dynamic: {
      http: {
        routers,
        middlewares,
        services: {
          app: {
            loadBalancer: {
              servers: [
                { url: one.url, weight: 2 },
                { url: two.url, weight: 1 },
              ],
            },
          },
        },
      },
      tls: { certificates: [named, wild].map(({ cert, key }) => ({ certFile: cert, keyFile: key })) },
    },
  });
});

afterAll(async () => {
  await proxy.stop();
  await one.close();
  await two.close();
});

function command(...args: string[]): Promise<CommandResult> {
  return runCommand(args, { env: proxy.env });
}

async function explain(url: string, ...args: string[]): Promise<Explained> {
  const { stdout, stderr, code } = await command('explain', url, '--json', ...args);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Explained;
}

interface Happened {
  readonly status: number;
  readonly router: string | null;
  readonly server: string | null;
  readonly names: string | null;
}

/** The request itself, by Node's own client. */
function send(
  scheme: string,
  host: string,
  path: string,
  method: string,
  headers: Record<string, string>,
): Promise<Happened> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: proxy.port('web'),
      path,
      method,
      headers: { Host: host, ...headers },
      servername: host,
      rejectUnauthorized: false,
      agent: false as const,
    };
    const request = scheme === 'https' ? httpsRequest(options) : httpRequest(options);
    request.on('response', (response) => {
      const socket = response.socket as TLSSocket;
      const names = scheme === 'https' ? (socket.getPeerX509Certificate()?.subjectAltName ?? '') : null;
      const header = (name: string): string | null => (response.headers[name] as string | undefined) ?? null;
      response
        .resume()
        .on('end', () =>
          resolve({ status: response.statusCode ?? 0, router: header('x-router'), server: header('x-server'), names }),
        );
    });
    request.on('error', reject);
    request.end();
  });
}

describe('proxy explain', () => {
  it.each<[string, string, string, string, Record<string, string>]>([
    ['https', 'a.test', '/api/x', 'GET', {}],
    ['https', 'a.test', '/', 'GET', {}],
    ['https', 'a.test', '/apx/../api', 'GET', {}],
    ['http', 'a.test', '/api/x', 'GET', {}],
    ['https', 'x.w.test', '/', 'GET', {}],
    ['https', 'x.w.test', '/not', 'GET', {}],
    ['https', 'x.y.w.test', '/', 'GET', {}],
    ['https', 'a.test', '/', 'POST', {}],
    ['https', 'a.test', '/', 'POST', { 'X-Team': 'red' }],
    ['https', 'nobody.test', '/?debug=1', 'GET', {}],
    ['https', 'nobody.test', '/local', 'GET', {}],
    ['https', 'nobody.test', '/', 'GET', {}],
    ['http', 'nobody.test', '/', 'GET', {}],
    ['https', 'off.test', '/', 'GET', {}],
  ])('says what happens to %s://%s%s by %s with %j', async (scheme, host, path, method, headers) => {
    const lines = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
    const told = await explain(`${scheme}://${host}:${proxy.port('web')}${path}`, '--method', method, ...lines);
    const happened = await send(scheme, host, path, method, headers);
    expect(told.entryPoint?.name).toBe('web');
    expect(told.router?.name ?? null).toBe(happened.router);
    expect(told.answer?.status ?? 200).toBe(happened.status);
    if (happened.server !== null) expect(told.service?.next).toBe(happened.server === 'one' ? one.url : two.url);
    const names = told.tls?.certificate?.names.map((name) => `DNS:${name}`).join(', ');
    expect(names ?? null).toBe(happened.names);
  });

  it('says who is next, for as many requests as there are', async () => {
    for (let i = 0; i < 6; i++) {
      const { service } = await explain(`https://a.test:${proxy.port('web')}/`);
      const { server } = await send('https', 'a.test', '/', 'GET', {});
      expect(service?.next).toBe(server === 'one' ? one.url : two.url);
    }
  });

  it('says which routers came near, and why they did not get it', async () => {
    const { lost } = await explain(`https://a.test:${proxy.port('web')}/x`);
    const why = Object.fromEntries(lost.map((router) => [router.name, router.why]));
    expect(why).toMatchObject({
      'api@file': 'PathPrefix(`/api`): the path is /x',
      'plain@file': 'it is for plain requests, and this one comes by TLS',
      'post@file': 'Method(`POST`): the method is GET',
    });
    expect((await explain(`https://off.test:${proxy.port('web')}/`)).lost[0]).toMatchObject({
      name: 'off@file',
      matched: true,
      why: expect.stringMatching(/^it is disabled: .*nowhere@file/),
    });
  });

  it('takes the client for who it is said to be', async () => {
    const url = `https://nobody.test:${proxy.port('web')}/local`;
    expect((await explain(url, '--client-ip', '10.0.0.1')).answer?.code).toBe('PROXY_NO_ROUTE');
  });

  it('says so for people', async () => {
    const { stdout, code } = await command('explain', `https://x.w.test:${proxy.port('web')}/a`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^request +GET \/a for x\.w\.test, from 127\.0\.0\.1$/m);
    expect(stdout).toMatch(/^certificate +\*\.w\.test from inline: its \*\.w\.test covers x\.w\.test$/m);
    expect(stdout).toMatch(/^router +wild@file: the first in order whose rule is met/m);
    expect(stdout).toMatch(/^middlewares +1\. name-wild@file \(headers\)$/m);
    expect(stdout).toMatch(/up, weight \d, 0 under way {2}<- next in this worker$/m);
  });

  it.each<[string, readonly string[], number, RegExp]>([
    [
      'a port that nobody listens on',
      ['explain', 'https://a.test:1/'],
      1,
      /^proxy: no entry point listens on port 1; there are: web \(127\.0\.0\.1:\d+\), other \(127\.0\.0\.1:\d+\)\n$/,
    ],
    [
      'an entry point that is not there',
      ['explain', 'https://a.test/', '--entrypoint', 'wbe'],
      1,
      /^proxy: there is no entry point wbe; there are: /,
    ],
    ['no URL', ['explain', 'a.test'], 2, /^proxy: `a\.test` is no URL: write it as https:\/\/host\/path\n$/],
    ['nothing to explain', ['explain'], 2, /^proxy: missing required argument 'url'; see proxy explain --help\n$/],
    [
      'an entry point without routes',
      ['routes', '--entrypoint', 'wbe'],
      1,
      /^proxy: there is no entry point wbe \(did you mean web\?\)\n$/,
    ],
  ])('says in one line: %s', async (_, args, code, line) => {
    expect(await command(...args)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(line) });
  });
});

describe('proxy routes', () => {
  it('lists the routers in the order in which they are asked', async () => {
    const { stdout, code } = await command('routes', '--json', '--entrypoint', 'web');
    expect(code).toBe(0);
    const { routes } = JSON.parse(stdout) as { readonly routes: readonly RouteLine[] };
    expect(routes.map(({ router, tls, status }) => `${router} ${tls ? 'tls' : 'plain'} ${status}`)).toEqual([
      'client@file tls enabled',
      'header@file tls enabled',
      'post@file tls enabled',
      'query@file tls enabled',
      'api@file tls enabled',
      'wild@file tls enabled',
      'rest@file tls enabled',
      'plain@file plain enabled',
      'off@file tls disabled',
    ]);
    expect(routes[0]).toMatchObject({ service: 'app@file', middlewares: ['name-client@file'], priority: 700 });
  });

  it('prints a table, and what is wrong with those that are disabled', async () => {
    const { stdout } = await command('routes');
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^ENTRY POINT +FOR +PRIORITY +ROUTER +MIDDLEWARES +SERVICE +STATUS +RULE$/);
    expect(lines.filter((line) => line.startsWith('web ')).length).toBe(9);
    expect(lines.filter((line) => line.startsWith('other ')).length).toBe(9);
    expect(stdout).toMatch(/^off@file: the service "nowhere@file" does not exist$/m);
  });
});

describe('without a proxy', () => {
  it.each([['routes'], ['explain', 'https://a.test/'], ['status'], ['reload']])('%s exits 3', async (...args) => {
    const result = await runCommand(args, { env: { RUNTIME_DIRECTORY: '/nonexistent' } });
    expect(result).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/^proxy: no proxy is running .*\n$/),
    });
  });
});
