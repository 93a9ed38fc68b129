import { describe, expect, it } from 'vitest';
import { serve, stateOf } from './support.ts';

const FILE = `
http:
  routers:
    api:
      rule: Host(\`a.example\`)
      service: backend
      middlewares: [auth, strip]
      tls: {}
    broken:
      rule: Host(\`b.example\`
      service: backend
    web:
      entryPoints: [web]
      rule: PathPrefix(\`/\`)
      priority: 5
      service: backend
  services:
    backend:
      loadBalancer:
        servers: [{url: "http://u:hush@127.0.0.1:8000"}, {url: "http://127.0.0.2:8000"}]
        healthCheck: {path: /, interval: 90s, headers: {X-Api-Key: hush}}
    unused:
      loadBalancer: {servers: [{url: "http://127.0.0.3:1"}]}
  middlewares:
    auth:
      basicAuth: {users: ["ada:$2y$05$hushhushhushhushhushhuO"], realm: here}
    strip:
      stripPrefix: {prefixes: [/x]}
    tokens:
      headers: {customRequestHeaders: {Authorization: Bearer hush, X-Forwarded-Proto: https}}
`;

const STATIC = `
entryPoints:
  web: {address: ":80"}
  websecure: {address: ":8443"}
providers: {file: {directory: /etc/traefik/dynamic}}
api: {insecure: true}
accessLog: {}
metrics: {prometheus: {}}
log: {level: INFO}
`;

const state = stateOf(FILE, STATIC);

async function get(path: string) {
  await using server = await serve(state);
  return await server.get(`/api@internal${path}`);
}

describe('the API', () => {
  it('tells the version', async () => {
    const response = await get('/api/version');
    expect(response.headers['content-type']).toBe('application/json');
    expect(response.json()).toEqual({ Version: '0.1.0', Codename: 'phoenix', startDate: '2026-11-23T09:00:00.000Z' });
  });

  it('counts what there is and what is ill', async () => {
    const overview = (await get('/api/overview')).json();
    const none = { total: 0, warnings: 0, errors: 0 };
    const { routers, services, middlewares } = state.snapshot.http;
    const illness = (items: object, status: string) => Object.values(items).filter((i) => i.status === status).length;
    const section = (items: object) => ({
      total: Object.keys(items).length,
      warnings: illness(items, 'warning'),
      errors: illness(items, 'disabled'),
    });
    expect(overview).toEqual({
      http: { routers: section(routers), services: section(services), middlewares: section(middlewares) },
      tcp: { routers: none, services: none, middlewares: none },
      udp: { routers: none, services: none },
      features: { tracing: '', metrics: 'Prometheus', accessLog: true },
      providers: ['File'],
    });
    expect(overview.http).toMatchObject({ routers: { errors: 1 } });
  });

  it('shows a router with its configuration and what became of it', async () => {
    expect((await get('/api/http/routers/api@file')).json()).toEqual({
      entryPoints: expect.arrayContaining(['web', 'websecure']),
      middlewares: ['auth@file', 'strip@file'],
      service: 'backend@file',
      rule: 'Host(`a.example`)',
      priority: 17,
      tls: { options: 'default' },
      status: 'enabled',
      using: expect.arrayContaining(['web', 'websecure']),
      name: 'api@file',
      provider: 'file',
    });
    const broken = (await get('/api/http/routers/broken%40file')).json();
    expect(broken).toMatchObject({ status: 'disabled', error: [expect.any(String)] });
    expect(broken).not.toHaveProperty('using');
  });

  it('shows a service with its type, its users and its servers', async () => {
    expect((await get('/api/http/services/backend@file')).json()).toMatchObject({
      loadBalancer: {
        servers: [{ url: 'http://REDACTED@127.0.0.1:8000' }, { url: 'http://127.0.0.2:8000' }],
        passHostHeader: true,
        responseForwarding: { flushInterval: '100ms' },
        healthCheck: { interval: '1m30s', timeout: '5s' },
      },
      name: 'backend@file',
      provider: 'file',
      type: 'loadbalancer',
      usedBy: ['api@file', 'broken@file', 'web@file'],
      serverStatus: { 'http://REDACTED@127.0.0.1:8000': 'UP', 'http://127.0.0.2:8000': 'UP' },
    });
    expect((await get('/api/http/services/unused@file')).json()).not.toHaveProperty('usedBy');
    const internal = (await get('/api/http/services/api@internal')).json();
    expect(internal).toMatchObject({ name: 'api@internal', provider: 'internal', status: 'enabled' });
    expect(internal).not.toHaveProperty('type');
  });

  it('takes the status of servers from whoever checks them', async () => {
    const checked = {
      ...state,
      serverStatus: (_: string, url: string) => (url.includes('127.0.0.2') ? 'DOWN' : 'UP'),
    } as const;
    await using server = await serve(checked);
    const service = (await server.get('/api@internal/api/http/services/backend@file')).json();
    expect(service.serverStatus).toMatchObject({ 'http://127.0.0.2:8000': 'DOWN' });
  });

  it('shows a middleware with its type and its users', async () => {
    expect((await get('/api/http/middlewares/strip@file')).json()).toMatchObject({
      stripPrefix: { prefixes: ['/x'] },
      status: 'enabled',
      usedBy: ['api@file'],
      name: 'strip@file',
      provider: 'file',
      type: 'stripprefix',
    });
  });

  it('shows no secret anywhere', async () => {
    const paths = ['/api/rawdata', '/api/http/routers', '/api/http/services', '/api/http/middlewares', '/dashboard/'];
    for (const path of paths) {
      const { body, status } = await get(path);
      expect(status, path).toBe(200);
      expect(body, path).not.toContain('hush');
    }
    const auth = (await get('/api/http/middlewares/auth@file')).json();
    expect(auth.basicAuth).toMatchObject({ realm: 'here' });
    expect(auth.basicAuth).not.toHaveProperty('users');
    const tokens = (await get('/api/http/middlewares/tokens@file')).json();
    expect(tokens.headers).toMatchObject({
      customRequestHeaders: { Authorization: 'REDACTED', 'X-Forwarded-Proto': 'https' },
    });
  });

  it('gives everything at once as rawdata', async () => {
    const raw = (await get('/api/rawdata')).json();
    expect(raw.routers).toMatchObject({ 'api@file': { service: 'backend@file', status: 'enabled' } });
    expect(raw.services).toMatchObject({ 'backend@file': { serverStatus: {} } });
    expect(raw.middlewares).toMatchObject({ 'strip@file': { usedBy: ['api@file'] } });
  });

  it('shows entry points, those too that the file does not name', async () => {
    const list = (await get('/api/entrypoints')).json();
    expect(list).toMatchObject([{ name: 'traefik', address: ':8080' }, { name: 'web' }, { name: 'websecure' }]);
    expect((await get('/api/entrypoints/websecure')).json()).toMatchObject({
      name: 'websecure',
      address: ':8443',
      transport: { lifeCycle: { graceTimeOut: '10s' }, respondingTimeouts: { idleTimeout: '3m0s' } },
    });
    expect((await get('/api/entrypoints/none')).status).toBe(404);
  });

  it.each(['/api/tcp/routers', '/api/tcp/services', '/api/tcp/middlewares', '/api/udp/routers', '/api/udp/services'])(
    '%s is empty',
    async (path) => {
      const response = await get(path);
      expect(response.json()).toEqual([]);
      expect(response.headers['x-next-page']).toBe('1');
      expect((await get(`${path}/a@file`)).status).toBe(404);
    },
  );

  it.each([
    ['/api/http/routers/none@file', 404, 'router not found: none@file'],
    ['/api/http/services/__proto__', 404, 'service not found: __proto__'],
    ['/api/http/middlewares/constructor', 404, 'middleware not found: constructor'],
    ['/api/http/routers/%ff', 400, 'unable to decode the name %ff'],
    ['/api/http/routers?page=0', 400, 'invalid request: page: 0'],
    ['/api/http/routers?per_page=x', 400, 'invalid request: per_page: x'],
    ['/api/http/routers?page=9', 400, 'invalid request: page: 9, per_page: 100'],
    ['/api/none', 404, 'there is nothing at /api/none'],
    ['/api/udp/middlewares', 404, 'there is nothing at /api/udp/middlewares'],
  ])('%s is %i', async (path, status, message) => {
    const response = await get(path);
    expect(response.status).toBe(status);
    expect(response.json()).toEqual({ message });
  });

  it('refuses what is not to be read', async () => {
    await using server = await serve(state);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await server.request(method, '/api@internal/api/rawdata');
      expect(response.status).toBe(405);
      expect(response.headers.allow).toBe('GET, HEAD');
      expect(response.json()).toEqual({ message: expect.stringContaining(method) });
    }
    const head = await server.request('HEAD', '/api@internal/api/rawdata');
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(Number(head.headers['content-length'])).toBeGreaterThan(100);
  });

  it('serves below a base path as well', async () => {
    const based = stateOf(FILE, STATIC.replace('insecure: true', 'insecure: true, basePath: /proxy'));
    await using server = await serve(based);
    expect((await server.get('/api@internal/proxy/api/version')).status).toBe(200);
    expect((await server.get('/api@internal/proxyapi/version')).status).toBe(404);
  });
});

describe('lists', () => {
  const names = async (query: string): Promise<unknown[]> => {
    const response = await get(`/api/http/routers?${query}`);
    return (response.json() as unknown as { name: string }[]).map(({ name }) => name);
  };
  const file = (all: unknown[]): unknown[] => all.filter((name) => String(name).endsWith('@file'));

  it('come in pages, each naming the next', async () => {
    const total = Object.keys(state.snapshot.http.routers).length;
    const seen: unknown[] = [];
    let page = '1';
    do {
      const response = await get(`/api/http/routers?per_page=2&page=${page}`);
      seen.push(...(response.json() as unknown as { name: string }[]).map(({ name }) => name));
      page = String(response.headers['x-next-page']);
    } while (page !== '1');
    expect(seen).toHaveLength(total);
    expect(seen).toEqual([...seen].sort());
  });

  it('are searched by name, rule, status, service and middleware', async () => {
    expect(await names('search=A.EXAMPLE')).toEqual(['api@file']);
    expect(await names('status=disabled')).toEqual(['broken@file']);
    expect(await names('serviceName=api@internal')).toEqual(['api@internal']);
    expect(await names('middlewareName=strip@file')).toEqual(['api@file']);
    expect(await names('search=nothing')).toEqual([]);
  });

  it('are sorted as asked, by name otherwise', async () => {
    expect(file(await names(''))).toEqual(['api@file', 'broken@file', 'web@file']);
    expect(file(await names('direction=desc'))).toEqual(['web@file', 'broken@file', 'api@file']);
    expect(file(await names('sortBy=priority'))).toEqual(['web@file', 'broken@file', 'api@file']);
    expect(file(await names('sortBy=constructor'))).toEqual(['api@file', 'broken@file', 'web@file']);
    const services = (await get('/api/http/services?sortBy=servers&direction=desc')).json();
    expect(services[0]).toMatchObject({ name: 'backend@file' });
  });
});

describe('the dashboard', () => {
  it('is found from the API, at the place Traefik has it', async () => {
    for (const path of ['/', '/dashboard']) {
      const response = await get(path);
      expect(response).toMatchObject({ status: 302, headers: { location: 'dashboard/' } });
    }
    await using server = await serve(state);
    expect(await server.get('/dashboard@internal/')).toMatchObject({ status: 200 });
    expect(await server.get('/dashboard@internal/none')).toMatchObject({ status: 404 });
    expect(await server.request('POST', '/dashboard@internal/')).toMatchObject({ status: 405 });
  });

  it('is not there when switched off', async () => {
    await using server = await serve(stateOf(FILE, STATIC.replace('insecure: true', 'dashboard: false')));
    expect((await server.get('/api@internal/dashboard/')).status).toBe(404);
  });

  it('lists routers, services and findings, and takes nothing for markup', async () => {
    const hostile = `http: {routers: {'<script>alert(1)</script>': {rule: 'Host(\`<img src=x>\`)', service: "no'one"}}}\n`;
    await using server = await serve(stateOf(hostile));
    const { body, headers } = await server.get('/dashboard@internal/');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(body).toContain('&lt;script&gt;');
    expect(body).not.toMatch(/<script|<img|src=http|href=/);
    expect(body).toContain('<span class="disabled">disabled</span>');
  });
});
