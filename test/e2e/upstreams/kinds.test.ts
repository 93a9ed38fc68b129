import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpUpstream, startEchoServer, startHttpUpstream } from '../../support/http-upstreams.ts';
import { startProxy } from '../../support/proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask, balanced, services } from './support.ts';

let a: HttpUpstream;
let b: HttpUpstream;

beforeAll(async () => {
  a = await startEchoServer('a');
  b = await startEchoServer('b');
});
afterAll(async () => {
  await a.close();
  await b.close();
});

const idOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

describe('sticky sessions', () => {
  it('bind by Traefik’s cookie, move when the server is gone, and survive weight 0', async () => {
    const sticky = {
      cookie: { name: 'lb', httpOnly: true, secure: true, sameSite: 'lax', maxAge: 60, domain: 'a.test' },
    };
    await using proxy = await startProxy({ dynamic: services(balanced([a.url, b.url], { sticky })), workers: 2 });
    const port = proxy.port();
    const first = await ask(port);
    const server = first.header('x-server');
    const id = idOf(server === 'a' ? a.url : b.url);
    expect(first.header('set-cookie')).toBe(
      `lb=${id}; Path=/; Domain=a.test; Max-Age=60; HttpOnly; Secure; SameSite=Lax`,
    );
    const headers = [`Cookie: other=1; lb=${id}; last=2`];
    for (let i = 0; i < 6; i++) {
      const again = await ask(port, { headers });
      expect(again.header('x-server')).toBe(server);
      expect(again.header('set-cookie')).toBeUndefined();
    }
    // Drained by weight 0: who is bound goes on, who is new goes elsewhere.
    const servers = [a.url, b.url].map((url) => ({ url, weight: idOf(url) === id ? 0 : 1 }));
    await proxy.writeDynamic(services({ loadBalancer: { servers, sticky } }));
    await proxy.waitForOutput(/version 2 is live/);
    expect((await ask(port, { headers })).header('x-server')).toBe(server);
    expect((await ask(port)).header('x-server')).not.toBe(server);
    // Gone: another one, and a new cookie.
    const left = server === 'a' ? b : a;
    await proxy.writeDynamic(services(balanced([left.url], { sticky })));
    await proxy.waitForOutput(/version 3 is live/);
    const moved = await ask(port, { headers });
    expect(moved.status).toBe(200);
    expect(moved.header('set-cookie')).toContain(`lb=${idOf(left.url)}`);
  });
});

describe('weighted', () => {
  it('shares by weight, keeps its place over a reload, and nests', async () => {
    const dynamic = services(
      {
        weighted: {
          services: [
            { name: 'inner', weight: 3 },
            { name: 'b', weight: 1 },
          ],
        },
      },
      {
        inner: { weighted: { services: [{ name: 'a' }, { name: 'unused', weight: 0 }] } },
        a: balanced([a.url]),
        b: balanced([b.url]),
        unused: balanced(['http://127.0.0.1:9']),
      },
    );
    await using proxy = await startProxy({ dynamic });
    const seen: (string | undefined)[] = [];
    for (let i = 0; i < 6; i++) seen.push((await ask(proxy.port())).header('x-server'));
    const changed = structuredClone(dynamic) as { http: { routers: Record<string, unknown> } };
    changed.http.routers.more = { rule: 'Path(`/more`)', service: 'b' };
    await proxy.writeDynamic(changed);
    await proxy.waitForOutput(/version 2 is live/);
    for (let i = 0; i < 6; i++) seen.push((await ask(proxy.port())).header('x-server'));
    expect(seen.join('')).toBe('aabaaabaaaba');
  });

  it('binds to a service by its name', async () => {
    const sticky = { cookie: { name: 'w' } };
    await using proxy = await startProxy({
      dynamic: services(
        { weighted: { services: [{ name: 'a' }, { name: 'b' }], sticky } },
        { a: balanced([a.url]), b: balanced([b.url]) },
      ),
    });
    const headers = [`Cookie: w=${idOf('b@file')}`];
    for (let i = 0; i < 4; i++) expect((await ask(proxy.port(), { headers })).header('x-server')).toBe('b');
    const cookies = [await ask(proxy.port()), await ask(proxy.port())].map((r) => r.header('set-cookie'));
    expect(cookies.sort()).toEqual([`w=${idOf('a@file')}; Path=/`, `w=${idOf('b@file')}; Path=/`].sort());
  });
});

describe('failover', () => {
  const failover = (errors?: Record<string, unknown>) => ({
    failover: { service: 'main', fallback: 'spare', ...(errors === undefined ? {} : { errors }) },
  });

  it('goes to the fallback while the service has no server', async () => {
    const others = { main: { loadBalancer: { servers: [{ url: a.url, weight: 0 }] } }, spare: balanced([b.url]) };
    await using proxy = await startProxy({ dynamic: services(failover(), others) });
    expect((await ask(proxy.port())).header('x-server')).toBe('b');
  });

  it('sends what the service answers with one of the statuses again, with its body, while that is small enough', async () => {
    await using failing = await startHttpUpstream((request, response) => {
      request.resume();
      request.on('end', () => {
        response.statusCode = request.url === '/ok' ? 200 : 503;
        response.end('main');
      });
    });
    const others = { main: balanced([failing.url]), spare: balanced([b.url]) };
    await using proxy = await startProxy({
      dynamic: services(failover({ status: ['500-599'], maxRequestBodyBytes: 1000 }), others),
    });
    const port = proxy.port();
    const body = 'x'.repeat(900);
    const answer = await ask(port, { method: 'POST', body });
    expect(JSON.parse(answer.body.toString())).toMatchObject({ server: 'b', bodyLength: 900 });
    expect(failing.requests).toBe(1);
    expect((await ask(port, { path: '/ok' })).body.toString()).toBe('main');
    expect((await ask(port, { method: 'POST', body: 'x'.repeat(2000) })).status).toBe(503);
    expect((await ask(port)).header('x-server')).toBe('b');
  });

  it('counts a service that cannot be reached as the status that the client would get', async () => {
    const others = { main: balanced(['http://127.0.0.1:9']), spare: balanced([b.url]) };
    await using proxy = await startProxy({ dynamic: services(failover({ status: ['502'] }), others) });
    const answer = await ask(proxy.port(), { method: 'POST', body: 'hello' });
    expect(JSON.parse(answer.body.toString())).toMatchObject({ server: 'b', bodyLength: 5 });
  });
});

describe('mirroring', () => {
  it('copies the share of requests, with bodies that are small enough, and never waits for a mirror', async () => {
    const bodies: string[] = [];
    await using mirror = await startHttpUpstream(async (request) => {
      let body = '';
      for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
      bodies.push(`${request.url} ${body}`);
      // It never answers.
    });
    const main = { mirroring: { service: 'a', maxBodySize: 100, mirrors: [{ name: 'm', percent: 50 }] } };
    await using proxy = await startProxy({
      dynamic: services(main, { a: balanced([a.url]), m: balanced([mirror.url]) }),
    });
    for (let i = 0; i < 10; i++) {
      const answer = await ask(proxy.port(), { method: 'POST', path: `/${i}`, body: `body ${i}` });
      expect(JSON.parse(answer.body.toString())).toMatchObject({ server: 'a', url: `/${i}`, bodyLength: 6 });
    }
    await waitFor('five copies', () => bodies.length === 5);
    for (const body of bodies) expect(body).toMatch(/^\/(\d) body \1$/);
    for (let i = 0; i < 4; i++) {
      expect((await ask(proxy.port(), { method: 'POST', path: '/big', body: 'x'.repeat(200) })).status).toBe(200);
    }
    expect((await ask(proxy.port(), { path: '/last' })).status).toBe(200);
    expect((await ask(proxy.port(), { path: '/last' })).status).toBe(200);
    await waitFor('the copy without a body', () => bodies.some((body) => body.startsWith('/last')));
    expect(bodies.some((body) => body.startsWith('/big'))).toBe(false);
  });
});

describe('highestRandomWeight', () => {
  it('keeps a client at its service', async () => {
    await using proxy = await startProxy({
      static: { entryPoints: { web: { forwardedHeaders: { insecure: true } } } },
      dynamic: services(
        { highestRandomWeight: { services: [{ name: 'a' }, { name: 'b' }] } },
        { a: balanced([a.url]), b: balanced([b.url]) },
      ),
    });
    const of = async (client: string) =>
      (await ask(proxy.port(), { headers: [`X-Real-Ip: ${client}`] })).header('x-server');
    const clients = Array.from({ length: 20 }, (_, i) => `10.0.0.${i}`);
    const first = [];
    for (const client of clients) first.push(await of(client));
    expect(new Set(first)).toEqual(new Set(['a', 'b']));
    for (const [i, client] of clients.entries()) expect(await of(client)).toBe(first[i]);
  });
});
