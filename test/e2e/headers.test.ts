import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Child, startChild } from '../support/child.ts';
import { freePort } from '../support/ports.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts';
import type { SeenRequest } from '../support/request-framing.ts';
import type { RawResponse } from '../support/response-splitter.ts';
import { waitFor } from '../support/wait-for.ts';

let upstream: RecordingUpstream;
let full: FullBacklog;
let proxy: ProxyProcess;

beforeAll(async () => {
  upstream = await startRecordingUpstream();
  full = await startFullBacklog();
  const servers = [{ url: upstream.url }];
  const digest = createHash('sha1').update('secret').digest('base64');
  const router = (name: string, rest: Record<string, unknown> = {}): [string, Record<string, unknown>] => [
    name,
    { rule: `Host(\`${name}.test\`)`, service: 'app', ...rest },
  ];
  proxy = await startProxy({
    static: {
      entryPoints: { web: {}, trusting: { forwardedHeaders: { trustedIPs: ['127.0.0.1/32'] } } },
      api: {},
    },
    dynamic: {
      http: {
        routers: Object.fromEntries([
          router('plain'),
          router('own-host', { service: 'own-host' }),
          router('preserve', { service: 'preserve' }),
          router('users', { middlewares: ['users'] }),
          router('custom', { middlewares: ['custom'] }),
          router('strip', { middlewares: ['strip'] }),
          router('secure-only', { middlewares: ['to-https'] }),
          router('others-only', { middlewares: ['others-only'] }),
          router('us-only', { middlewares: ['us-only'] }),
          router('chained', { middlewares: ['both'] }),
          router('digest', { middlewares: ['digest'] }),
          router('forward-auth', { middlewares: ['forward-auth'] }),
          router('api', { service: 'api@internal' }),
          router('empty', { service: 'empty' }),
          router('refused', { service: 'refused' }),
          router('no-accept', { service: 'no-accept' }),
          router('silent', { service: 'silent' }),
        ]),
        services: {
          app: { loadBalancer: { servers } },
          'own-host': { loadBalancer: { servers, passHostHeader: false } },
          preserve: { loadBalancer: { servers: [{ url: `${upstream.url}/base`, preservePath: true }] } },
          empty: { loadBalancer: { servers: [] } },
          refused: { loadBalancer: { servers: [{ url: `http://127.0.0.1:${await freePort()}` }] } },
          'no-accept': { loadBalancer: { servers: [{ url: full.url }], serversTransport: 'hasty' } },
          silent: { loadBalancer: { servers, serversTransport: 'impatient' } },
        },
        serversTransports: {
          hasty: { forwardingTimeouts: { dialTimeout: '300ms' } },
          impatient: { forwardingTimeouts: { responseHeaderTimeout: '300ms' } },
        },
        middlewares: {
          users: { basicAuth: { users: [`ada:{SHA}${digest}`], headerField: 'X-User', removeHeader: true } },
          custom: {
            headers: {
              customRequestHeaders: { 'X-Added': 'by-the-proxy', 'X-Unwanted': '' },
              customResponseHeaders: { 'X-Answer': 'seen', Server: '' },
              accessControlAllowOriginList: ['https://app.test'],
              accessControlAllowMethods: ['GET', 'PUT'],
              accessControlAllowHeaders: ['X-Token'],
              accessControlMaxAge: 600,
              addVaryHeader: true,
            },
          },
          strip: { stripPrefix: { prefixes: ['/api'] } },
          'to-https': { redirectScheme: { scheme: 'https', port: '8443', permanent: true } },
          'others-only': { ipAllowList: { sourceRange: ['10.0.0.0/8'] } },
          'us-only': { ipAllowList: { sourceRange: ['127.0.0.0/8'] } },
          both: { chain: { middlewares: ['us-only', 'strip', 'custom'] } },
          digest: { digestAuth: { users: ['ada:traefik:a2688e031edb4be6a3797f3882655c05'] } },
          'forward-auth': { forwardAuth: { address: 'http://127.0.0.1:9/auth' } },
        },
      },
    },
  });
});

afterEach(() => upstream.use({}));

afterAll(async () => {
  await proxy.stop();
  await Promise.all([upstream.close(), full.stop()]);
  expect(proxy.output()).not.toMatch(/uncaught|died/);
});

interface FullBacklog {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * A listening port that makes no more connections: its process accepts none, and the kernel's queue for it is full. The only
 * address on loopback that neither answers nor refuses.
 */
async function startFullBacklog(): Promise<FullBacklog> {
  const port = await freePort();
  const child: Child = startChild(process.execPath, [
    '-e',
    `require('node:net').createServer().listen({ port: ${port}, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, 'listening');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`,
  ]);
  await waitFor('the listening socket', () => child.output().includes('listening'), { describe: child.output });
  const clients: RawClient[] = [];
  // A backlog of 1 holds two. The third try would wait for ever: it is not waited for.
  for (let i = 0; i < 2; i++) clients.push(await RawClient.connect({ port }));
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      for (const client of clients) client.socket.destroy();
      await child.stop();
    },
  };
}

interface Ask {
  readonly entryPoint?: 'web' | 'trusting';
  /** Value of Host; `<host>.test` unless told. */
  readonly authority?: string;
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly string[];
  /** As it stands on the wire, framing included. */
  readonly body?: string;
}

/** One request, byte by byte what the test says; the answer and, where it came there, the upstream's view of it. */
async function ask(host: string, options: Ask = {}): Promise<{ response: RawResponse; seen: SeenRequest | undefined }> {
  const {
    entryPoint = 'web',
    authority = `${host}.test`,
    method = 'GET',
    target = '/',
    headers = [],
    body = '',
  } = options;
  const before = new Set(upstream.requests());
  const head = [`${method} ${target} HTTP/1.1`, `Host: ${authority}`, ...headers, '', ''].join('\r\n');
  const { responses } = await sendRaw({ port: proxy.port(entryPoint), chunks: [head + body], methods: [method] });
  const response = responses.at(-1);
  if (response === undefined) throw new Error('the connection was closed without an answer');
  return { response, seen: upstream.requests().find((request) => !before.has(request)) };
}

/** The same, for requests that must reach the upstream. */
async function askUpstream(host: string, options: Ask = {}): Promise<SeenRequest & { response: RawResponse }> {
  const { response, seen } = await ask(host, options);
  if (seen === undefined) throw new Error(`the upstream saw nothing; the answer was ${response.status}`);
  return { ...seen, response };
}

/** All values of a header, in order, whether it is written with `-` or `_`. */
function values(message: Pick<SeenRequest, 'headers'>, name: string): string[] {
  const wanted = name.toLowerCase();
  return message.headers.filter(([key]) => key.toLowerCase().replaceAll('_', '-') === wanted).map(([, value]) => value);
}

const SPOOFED = [
  'X-Forwarded-For: 6.6.6.6',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.test',
  'X-Forwarded-Port: 666',
  'X-Forwarded-Server: evil',
  'X-Forwarded-Uri: /evil',
  'X-Forwarded-Method: EVIL',
  'X-Forwarded-Prefix: /evil',
  'X-Forwarded-Tls-Client-Cert: evil',
  'X-Forwarded-Tls-Client-Cert-Info: evil',
  'X-Real-Ip: 6.6.6.6',
];
/** CGI-like backends read `X_Forwarded_For` as `X-Forwarded-For`. */
const DISGUISED = SPOOFED.map((line) => line.replace(/^[^:]+/, (name) => name.replaceAll('-', '_')));
const MIXED = SPOOFED.map((line) => line.replace(/^x-/i, 'x_').replace('Forwarded', 'fORWARDED'));

describe('forwarded headers from a peer that is not trusted', () => {
  const OWN = {
    'X-Forwarded-For': ['127.0.0.1'],
    'X-Forwarded-Proto': ['http'],
    'X-Forwarded-Host': ['plain.test:8080'],
    'X-Forwarded-Port': ['8080'],
    'X-Forwarded-Server': [hostname()],
    'X-Real-Ip': ['127.0.0.1'],
    'X-Forwarded-Uri': [],
    'X-Forwarded-Method': [],
    'X-Forwarded-Prefix': [],
    'X-Forwarded-Tls-Client-Cert': [],
    'X-Forwarded-Tls-Client-Cert-Info': [],
  };

  it.each([
    ['none sent', []],
    ['spoofed', SPOOFED],
    ['spoofed, twice', [...SPOOFED, ...SPOOFED]],
    ['spoofed, with _ for -', DISGUISED],
    ['spoofed, with one _ and in other case', MIXED],
  ])('are the proxy’s own, once each: %s', async (_, headers) => {
    const seen = await askUpstream('plain', { authority: 'plain.test:8080', headers });
    for (const [name, expected] of Object.entries(OWN))
      expect({ [name]: values(seen, name) }).toEqual({ [name]: expected });
    // The name of the machine is in it, and may hold any digits.
    expect(seen.head).not.toMatch(/evil|6\.6\.6\.6|: 666/i);
  });

  it('name port 80 where the client named none', async () => {
    expect((await askUpstream('plain')).header('x-forwarded-port')).toBe('80');
  });

  it('cannot be removed by naming them in Connection (CVE-2024-45410)', async () => {
    const names = ['x-forwarded-for', 'X-Forwarded-Proto', 'x-forwarded-host', 'X-Forwarded-Port', 'x-real-ip', 'host'];
    const headers = [...SPOOFED, `Connection: keep-alive, ${names.join(', ')}`];
    const seen = await askUpstream('plain', { authority: 'plain.test:8080', headers });
    for (const [name, expected] of Object.entries(OWN))
      expect({ [name]: values(seen, name) }).toEqual({ [name]: expected });
    expect(values(seen, 'Host')).toEqual(['plain.test:8080']);
  });
});

describe('forwarded headers', () => {
  it.each([[SPOOFED], [DISGUISED]])(
    'cannot come in by the trailers: some upstreams merge those into the headers',
    async (lines) => {
      const { seen } = await ask('plain', {
        method: 'POST',
        headers: ['Transfer-Encoding: chunked'],
        body: `2\r\nhi\r\n0\r\n${lines.join('\r\n')}\r\nX-Sum: 1\r\n\r\n`,
      });
      const carrier = upstream.connections.find((c) => c.requests.some((request) => request === seen));
      expect(carrier?.received.toString('latin1')).toMatch(/\r\n0\r\nX-Sum: 1\r\n\r\n$/);
    },
  );

  it('say ws for a websocket', async () => {
    const seen = await askUpstream('plain', {
      headers: ['Connection: Upgrade, X-Forwarded-Proto', 'Upgrade: websocket', 'X-Forwarded-Proto: wss'],
    });
    expect(values(seen, 'X-Forwarded-Proto')).toEqual(['ws']);
    expect(values(seen, 'Connection')).toEqual(['Upgrade']);
  });
});

it.each([
  ['basicAuth sets', 'users', ['X-User: root', 'x_user: root'], ['Authorization: Basic YWRhOnNlY3JldA==']],
  ['headers sets or removes', 'custom', ['X_Added: evil', 'x-unwanted: evil'], []],
])('what %s cannot come in by the trailers', async (_middleware, host, trailers, headers) => {
  const { seen } = await ask(host, {
    method: 'POST',
    headers: ['Transfer-Encoding: chunked', ...headers],
    body: `2\r\nhi\r\n0\r\n${trailers.join('\r\n')}\r\nX-Sum: 1\r\n\r\n`,
  });
  const carrier = upstream.connections.find((c) => c.requests.some((request) => request === seen));
  expect(carrier?.received.toString('latin1')).toMatch(/\r\n0\r\nX-Sum: 1\r\n\r\n$/);
});

describe('forwarded headers from a trusted peer', () => {
  it('are kept, and X-Forwarded-For gets the peer’s address', async () => {
    const headers = SPOOFED.filter((line) => !line.startsWith('X-Forwarded-Server'));
    const seen = await askUpstream('plain', { entryPoint: 'trusting', headers });
    expect(values(seen, 'X-Forwarded-For')).toEqual(['6.6.6.6, 127.0.0.1']);
    for (const line of headers.slice(1)) {
      const [name = '', value = ''] = line.split(': ');
      expect({ [name]: values(seen, name) }).toEqual({ [name]: [value] });
    }
  });

  it('always name this server, whatever the peer wrote', async () => {
    const seen = await askUpstream('plain', { entryPoint: 'trusting', headers: ['X-Forwarded-Server: other'] });
    expect(values(seen, 'X-Forwarded-Server')).toEqual([hostname()]);
  });

  it('join several lines into one list', async () => {
    const headers = ['X-Forwarded-For: 10.1.1.1', 'X-Forwarded-For: 10.2.2.2, 10.3.3.3'];
    const seen = await askUpstream('plain', { entryPoint: 'trusting', headers });
    expect(values(seen, 'X-Forwarded-For')).toEqual(['10.1.1.1, 10.2.2.2, 10.3.3.3, 127.0.0.1']);
  });

  it('are completed where the peer sent only some', async () => {
    const seen = await askUpstream('plain', { entryPoint: 'trusting', headers: ['X-Forwarded-Proto: https'] });
    expect(seen.header('x-forwarded-proto')).toBe('https');
    expect(seen.header('x-forwarded-port')).toBe('443');
    expect(seen.header('x-forwarded-host')).toBe('plain.test');
    expect(seen.header('x-real-ip')).toBe('127.0.0.1');
  });

  it('are the proxy’s own where the peer sent them empty, or spelled with underscores', async () => {
    const headers = ['X-Forwarded-Proto:', 'X-Forwarded-Host:', 'X-Forwarded-Port:', 'X_Real_Ip: 3.3.3.3'];
    const seen = await askUpstream('plain', { entryPoint: 'trusting', headers });
    expect(values(seen, 'X-Forwarded-Proto')).toEqual(['http']);
    expect(values(seen, 'X-Forwarded-Host')).toEqual(['plain.test']);
    expect(values(seen, 'X-Forwarded-Port')).toEqual(['80']);
    expect(values(seen, 'X-Real-Ip')).toEqual(['127.0.0.1']);
    expect(values(seen, 'X_Real_Ip')).toEqual([]);
  });

  it('cannot be removed by naming them in Connection', async () => {
    const headers = ['X-Forwarded-For: 10.1.1.1', 'X-Real-Ip: 10.1.1.1', 'Connection: x-forwarded-for, x-real-ip'];
    const seen = await askUpstream('plain', { entryPoint: 'trusting', headers });
    expect(seen.header('x-forwarded-for')).toBe('10.1.1.1, 127.0.0.1');
    expect(seen.header('x-real-ip')).toBe('10.1.1.1');
  });
});

describe('hop-by-hop headers', () => {
  it('do not reach the upstream, those that Connection names included', async () => {
    const { head } = await askUpstream('plain', {
      headers: [
        'Connection: keep-alive, X-Hop, x-other-hop',
        'Keep-Alive: timeout=5',
        'Proxy-Connection: keep-alive',
        'Proxy-Authorization: Basic YTpi',
        'TE: gzip',
        'X-Hop: 1',
        'X-Other-Hop: 2',
        'X-End: 3',
      ],
    });
    expect(head).not.toMatch(/^(connection|keep-alive|proxy-[a-z]+|te|x-(other-)?hop):/im);
    expect(head).toMatch(/^X-End: 3$/m);
  });

  it('are stripped but for the trailers that TE announces', async () => {
    const seen = await askUpstream('plain', { headers: ['Connection: TE', 'TE: gzip;q=0.5, trailers'] });
    expect(values(seen, 'TE')).toEqual(['trailers']);
    // The proxy's own, for the hop to the upstream.
    expect(values(seen, 'Connection')).toEqual(['TE']);
  });

  it('do not reach the client', async () => {
    upstream.use({
      onRequest: () => [
        'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n' +
          'Proxy-Authenticate: Basic\r\nX-Hop: 1\r\nX-End: 2\r\nServer: own\r\nContent-Length: 2\r\n\r\nok',
      ],
    });
    const { response } = await askUpstream('plain');
    const names = response.headers.map(([name]) => name.toLowerCase());
    for (const name of ['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'x-hop', 'via'])
      expect(names).not.toContain(name);
    expect(response.header('x-end')).toBe('2');
    expect(response.header('server')).toBe('own');
    expect(response.body.toString()).toBe('ok');
  });
});

describe('services', () => {
  it('give the upstream its own name with passHostHeader: false', async () => {
    const seen = await askUpstream('own-host');
    expect(values(seen, 'Host')).toEqual([`127.0.0.1:${upstream.port}`]);
    expect(seen.header('x-forwarded-host')).toBe('own-host.test');
    expect((await askUpstream('plain')).header('host')).toBe('plain.test');
  });

  it('put the path of the server’s URL before the request’s with preservePath', async () => {
    expect((await askUpstream('preserve', { target: '/a/b?q=1' })).target).toBe('/base/a/b?q=1');
  });

  it.each([
    ['without a server answer 503', 'empty', 503, 'no available server\n'],
    ['whose server refuses answer 502', 'refused', 502, 'Bad Gateway'],
    ['whose server does not accept answer 504 after dialTimeout', 'no-accept', 504, 'Gateway Timeout'],
  ])('%s', async (_, host, status, body) => {
    const { response, seen } = await ask(host);
    expect([response.status, response.body.toString(), seen]).toEqual([status, body, undefined]);
    expect(response.header('content-type')).toBe('text/plain; charset=utf-8');
  });

  it('whose server stays silent answer 504 after responseHeaderTimeout, and let go of it', async () => {
    upstream.use({ onRequest: () => [] });
    const { response } = await ask('silent');
    expect([response.status, response.body.toString()]).toEqual([504, 'Gateway Timeout']);
    await waitFor('the upstream’s connection to be closed', () =>
      upstream.connections.some((c) => c.requests.some((r) => r.header('host') === 'silent.test') && c.closed !== 'no'),
    );
  });

  it('of the proxy itself answer through a router: api@internal', async () => {
    const { response } = await ask('api', { target: '/api/http/routers/plain@file' });
    expect(response.header('content-type')).toMatch(/^application\/json/);
    expect(JSON.parse(response.body.toString())).toMatchObject({ rule: 'Host(`plain.test`)', status: 'enabled' });
    const missing = (await ask('api', { target: '/api/http/routers/none@file' })).response;
    expect(missing.status).toBe(404);
    expect(JSON.parse(missing.body.toString())).toHaveProperty('message');
  });
});

describe('no router', () => {
  it('answers 404 with Traefik’s text', async () => {
    const { response, seen } = await ask('nobody');
    expect([response.status, response.body.toString(), seen]).toEqual([404, '404 page not found\n', undefined]);
  });
});

describe('middlewares', () => {
  const basic = (pair: string): string => `Authorization: Basic ${Buffer.from(pair).toString('base64')}`;

  it.each([
    ['no credentials', []],
    ['a wrong password', [basic('ada:wrong')]],
    ['an unknown user', [basic('eve:secret')]],
    ['another scheme', ['Authorization: Bearer secret']],
  ])('basicAuth refuses %s', async (_, headers) => {
    const { response, seen } = await ask('users', { headers });
    expect([response.status, seen]).toEqual([401, undefined]);
    expect(response.header('www-authenticate')).toBe('Basic realm="traefik"');
  });

  it('basicAuth lets the right password pass, and names the user to the upstream', async () => {
    const seen = await askUpstream('users', { headers: [basic('ada:secret'), 'X-User: eve'] });
    expect(seen.response.status).toBe(200);
    expect(values(seen, 'X-User')).toEqual(['ada']);
    expect(values(seen, 'Authorization')).toEqual([]);
  });

  it('headers adds and removes, on the way there and back', async () => {
    upstream.use({
      onRequest: () => [
        'HTTP/1.1 200 OK\r\nServer: own\r\nX-Answer: upstream\r\nVary: Accept\r\nContent-Length: 0\r\n\r\n',
      ],
    });
    const headers = ['X-Unwanted: 1', 'X-Added: by-the-client', 'Origin: https://app.test'];
    const seen = await askUpstream('custom', { headers });
    expect(values(seen, 'X-Added')).toEqual(['by-the-proxy']);
    expect(values(seen, 'X-Unwanted')).toEqual([]);
    expect(values(seen.response, 'X-Answer')).toEqual(['seen']);
    expect(values(seen.response, 'Server')).toEqual([]);
    expect(seen.response.header('access-control-allow-origin')).toBe('https://app.test');
    expect(seen.response.header('vary')).toBe('Accept,Origin');
  });

  it('headers answers a CORS preflight itself', async () => {
    const preflight = (origin: string): Ask => ({
      method: 'OPTIONS',
      headers: [`Origin: ${origin}`, 'Access-Control-Request-Method: PUT', 'Access-Control-Request-Headers: x-token'],
    });
    const { response, seen } = await ask('custom', preflight('https://app.test'));
    expect([response.status, seen]).toEqual([200, undefined]);
    expect(response.header('access-control-allow-origin')).toBe('https://app.test');
    expect(response.header('access-control-allow-methods')).toBe('GET,PUT');
    expect(response.header('access-control-allow-headers')).toBe('X-Token');
    expect(response.header('access-control-max-age')).toBe('600');
    const foreign = await ask('custom', preflight('https://evil.test'));
    expect(foreign.response.header('access-control-allow-origin')).toBeUndefined();
  });

  it('stripPrefix takes the prefix off and says so', async () => {
    const seen = await askUpstream('strip', { target: '/api/v1/x%2Fy?q=1', headers: ['X-Forwarded-Prefix: /evil'] });
    expect(seen.target).toBe('/v1/x%2Fy?q=1');
    expect(values(seen, 'X-Forwarded-Prefix')).toEqual(['/api']);
    expect(values(seen, 'X-Forwarded-For')).toEqual(['127.0.0.1']);
  });

  it('redirectScheme keeps host, path and query, and the method where it must', async () => {
    const get = await ask('secure-only', { authority: 'secure-only.test:8080', target: '/a?b=c' });
    expect([get.response.status, get.seen]).toEqual([301, undefined]);
    expect(get.response.header('location')).toBe('https://secure-only.test:8443/a?b=c');
    const post = await ask('secure-only', { method: 'POST', headers: ['Content-Length: 0'] });
    expect(post.response.status).toBe(308);
  });

  it('ipAllowList refuses whom it does not name, whatever they say they are', async () => {
    const { response, seen } = await ask('others-only', {
      headers: ['X-Forwarded-For: 10.0.0.1', 'X-Real-Ip: 10.0.0.1'],
    });
    expect([response.status, response.body.toString(), seen]).toEqual([403, 'Forbidden', undefined]);
    expect((await askUpstream('us-only')).response.status).toBe(200);
  });

  it('chain runs its members in order', async () => {
    const seen = await askUpstream('chained', { target: '/api/v2' });
    expect(seen.target).toBe('/v2');
    expect(seen.header('x-added')).toBe('by-the-proxy');
    expect(seen.response.header('x-answer')).toBe('seen');
  });

  it.each([
    ['digestAuth', 'digest'],
    ['forwardAuth', 'forward-auth'],
  ])(
    '%s, which is not there yet, is never skipped: its router answers 500 and the output says why',
    async (type, host) => {
      const { response, seen } = await ask(host, { headers: [basic('ada:secret')] });
      expect([response.status, seen]).toEqual([500, undefined]);
      await proxy.waitForOutput(new RegExp(`middleware "${host}(@file)?": ${type} is not implemented yet`));
      await proxy.waitForOutput(/routers that use it answer 500/);
    },
  );
});
