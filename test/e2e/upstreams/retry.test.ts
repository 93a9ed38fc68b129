import { describe, expect, it } from 'vitest';
import { readAccessLines } from '../../support/access-lines.ts';
import { type HttpUpstream, startEchoServer, startHttpUpstream } from '../../support/http-upstreams.ts';
import { startLoad } from '../../support/load.ts';
import { answer, hang, startBlackHole, startMisbehaving } from '../../support/misbehaving.ts';
import { freePort } from '../../support/ports.ts';
import { startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { toolsMissing } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask, balanced, services, statusOf } from './support.ts';

/** With a JSON access log. */
const logged = `
entryPoints: {web: {address: "127.0.0.1:PORT(web)"}}
accessLog: {filePath: DIR/access.log, format: json}
providers: {file: {filename: DIR/dynamic/dynamic.yml}}
`;

/** Ports that only root can listen on, and nobody does. */
const REFUSING = ['http://127.0.0.1:9', 'http://127.0.0.2:9'] as const;

describe('a connection that cannot be made', () => {
  it('goes to the next endpoint, POST too, and never to the same one again', async () => {
    await using echo = await startEchoServer('alive');
    await using proxy = await startProxy({ dynamic: services(balanced([...REFUSING, echo.url])), workers: 2 });
    for (let i = 0; i < 12; i++) {
      const method = i % 2 === 0 ? 'GET' : 'POST';
      const response = await ask(proxy.port(), { method, ...(method === 'POST' ? { body: 'hello' } : {}) });
      expect(response.status).toBe(200);
      if (method === 'POST') expect(JSON.parse(response.body.toString()).bodyLength).toBe(5);
    }
    expect(echo.requests).toBe(12);
  });

  it.skipIf(toolsMissing('a black hole', 'python3'))('leaves a black hole within the connect timeout', async () => {
    await using hole = await startBlackHole();
    await using echo = await startEchoServer('alive');
    await using proxy = await startProxy({
      dynamic: services(balanced([hole.url, echo.url], { timeouts: { connect: '300ms' } })),
    });
    for (let i = 0; i < 4; i++) expect((await ask(proxy.port())).header('x-server')).toBe('alive');
    await using alone = await startProxy({
      dynamic: services(balanced([hole.url], { timeouts: { connect: '300ms' } })),
    });
    expect((await ask(alone.port())).status).toBe(504);
  });

  it('is counted, and said in the access log', async () => {
    await using echo = await startEchoServer('alive');
    await using proxy = await startProxy({ static: logged, dynamic: services(balanced([REFUSING[0], echo.url])) });
    for (let i = 0; i < 2; i++) expect((await ask(proxy.port())).status).toBe(200);
    const entries = await waitFor('two lines', () => {
      const lines = readAccessLines(proxy.dir);
      return lines.length >= 2 && lines;
    });
    expect(entries.map((entry) => entry.RetryAttempts ?? 0).sort()).toEqual([0, 1]);
    expect(entries.every((entry) => entry.ServiceURL === echo.url)).toBe(true);
    await waitFor('the count', async () => (await statusOf(proxy)).services[0]?.retries === 1);
  });
});

describe('a request that was sent and got no byte back', () => {
  it('goes once more, elsewhere, where it may: GET, and PUT with its body', async () => {
    await using closing = await startMisbehaving((socket) => socket.on('data', () => socket.destroy()));
    await using echo = await startEchoServer('alive');
    await using proxy = await startProxy({ dynamic: services(balanced([closing.url, echo.url])) });
    for (let i = 0; i < 6; i++) expect((await ask(proxy.port())).header('x-server')).toBe('alive');
    for (let i = 0; i < 6; i++) {
      const put = await ask(proxy.port(), { method: 'PUT', body: 'x'.repeat(20_000) });
      expect(JSON.parse(put.body.toString())).toMatchObject({ server: 'alive', bodyLength: 20_000 });
    }
  });

  it('is never sent twice where it may not: POST', async () => {
    let posts = 0;
    await using closing = await startMisbehaving((socket) =>
      socket.on('data', () => {
        posts++;
        socket.destroy();
      }),
    );
    await using proxy = await startProxy({ dynamic: services(balanced([closing.url, closing.url])) });
    for (let i = 0; i < 5; i++) {
      expect((await ask(proxy.port(), { method: 'POST', body: `${i}` })).status).toBe(502);
    }
    expect(posts).toBe(5);
  });

  it('does not multiply an outage: the budget bounds what reaches the upstreams', async () => {
    let sent = 0;
    const fail = await startMisbehaving((socket) =>
      socket.on('data', () => {
        sent++;
        socket.destroy();
      }),
    );
    await using _ = fail;
    // The budget grows from the proxy's start on.
    const started = performance.now();
    await using proxy = await startProxy({ dynamic: services(balanced([fail.url, fail.url])) });
    const requests = 600;
    for (let i = 0; i < requests; i += 20) {
      await Promise.all(Array.from({ length: 20 }, () => ask(proxy.port())));
    }
    const seconds = (performance.now() - started) / 1000;
    // A share of 20 %, ten a second, and what was there at the start.
    expect(sent).toBeLessThanOrEqual(requests * 1.2 + 10 * (seconds + 1) + 10);
    expect(sent).toBeGreaterThan(requests);
  });

  it('stands where a response has begun: the client sees it break off', async () => {
    await using breaking = await startMisbehaving(
      answer('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', (socket) => socket.resetAndDestroy()),
    );
    await using echo = await startEchoServer('alive');
    await using proxy = await startProxy({
      static: logged,
      dynamic: services(
        { weighted: { services: [{ name: 'breaking' }] } },
        { breaking: balanced([breaking.url, breaking.url]), echo: balanced([echo.url]) },
      ),
    });
    const response = await ask(proxy.port());
    expect(response.complete).toBe(false);
    expect(breaking.accepted).toBe(1);
  });
});

describe('the retry middleware', () => {
  const retry = (options: Record<string, unknown>) => ({
    middlewares: { again: { retry: options } },
    router: { middlewares: ['again'] },
  });

  it('makes as many attempts as it says, with pauses, and turns retries off with one', async () => {
    await using closing = await startMisbehaving((socket) => socket.on('data', () => socket.destroy()));
    const urls = [closing.url];
    await using proxy = await startProxy({
      dynamic: services(balanced(urls), {}, retry({ attempts: 4, initialInterval: '50ms' })),
    });
    const started = performance.now();
    expect((await ask(proxy.port())).status).toBe(502);
    expect(closing.accepted).toBe(4);
    expect(performance.now() - started).toBeGreaterThan(50 * 0.75 * (1 + 2 + 4) - 10);
    await proxy.writeDynamic(services(balanced(urls), {}, retry({ attempts: 1 })));
    await proxy.waitForOutput(/version 2 is live/);
    expect((await ask(proxy.port())).status).toBe(502);
    expect(closing.accepted).toBe(5);
  });

  it('tries again on the statuses it names', async () => {
    let count = 0;
    await using flaky = await startHttpUpstream((_, response) => {
      response.statusCode = ++count % 3 === 0 ? 200 : 503;
      response.end(`answer ${count}`);
    });
    await using proxy = await startProxy({
      dynamic: services(balanced([flaky.url]), {}, retry({ attempts: 3, initialInterval: '1ms', status: ['503'] })),
    });
    const response = await ask(proxy.port());
    expect([response.status, response.body.toString()]).toEqual([200, 'answer 3']);
    // Not POST, unless it says so.
    expect((await ask(proxy.port(), { method: 'POST', body: 'x' })).status).toBe(503);
    expect(count).toBe(4);
  });
});

describe('timeouts', () => {
  it('firstByte: answers 504 for who never answers, or lets another answer', async () => {
    await using silent = await startMisbehaving(hang);
    await using echo = await startEchoServer('alive');
    // For the one that answers, too.
    const timeouts = { firstByte: '1s' };
    await using proxy = await startProxy({
      dynamic: services(balanced([silent.url, echo.url], { timeouts })),
    });
    for (let i = 0; i < 4; i++) expect((await ask(proxy.port())).header('x-server')).toBe('alive');
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask(proxy.port(), { method: 'POST', body: 'x' })).status);
    expect(statuses.sort()).toEqual([200, 200, 504, 504]);
  });

  it('firstByte is never over early', async () => {
    await using silent = await startMisbehaving(hang);
    await using proxy = await startProxy({
      dynamic: services(balanced([silent.url], { timeouts: { firstByte: '300ms' } })),
    });
    for (let i = 0; i < 5; i++) {
      const from = performance.now();
      expect((await ask(proxy.port(), { method: 'POST', body: 'x' })).status).toBe(504);
      expect(performance.now() - from).toBeGreaterThanOrEqual(300);
    }
  });

  it('firstByte counts from the end of the request: a slow upload is no slow answer', async () => {
    await using echo = await startEchoServer('alive');
    await using proxy = await startProxy({
      dynamic: services(balanced([echo.url], { timeouts: { firstByte: '1s' } })),
    });
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n');
    for (const byte of 'abcd') {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await client.write(byte);
    }
    const { responses } = await client.waitForResponses(1);
    expect(responses[0]?.status).toBe(200);
  });

  it('idle: cuts a response that stopped, not one that flows; total: cuts what was asked to be cut', async () => {
    await using dripping = await startHttpUpstream((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain' });
      if (request.url === '/stops') {
        response.write('half');
        return;
      }
      let beats = 1;
      response.write('beat\n');
      const timer = setInterval(() => {
        response.write('beat\n');
        if (request.url === '/flows' && ++beats >= 12) {
          clearInterval(timer);
          response.end('done\n');
        }
      }, 200);
      response.on('close', () => clearInterval(timer));
    });
    await using proxy = await startProxy({
      dynamic: {
        http: {
          routers: {
            flows: { rule: 'Path(`/flows`)', service: 'app' },
            stops: { rule: 'Path(`/stops`)', service: 'app' },
            total: { rule: 'Path(`/total`)', service: 'app', timeouts: { total: '1s' } },
          },
          services: { app: balanced([dripping.url], { timeouts: { idle: '2s', firstByte: '5s' } }) },
        },
      },
    });
    const flows = await ask(proxy.port(), { path: '/flows' });
    expect([flows.complete, flows.body.toString().endsWith('done\n')]).toEqual([true, true]);
    expect((await ask(proxy.port(), { path: '/stops' })).complete).toBe(false);
    const cut = await ask(proxy.port(), { path: '/total' });
    expect(cut.complete).toBe(false);
    expect(cut.body.toString()).toContain('beat');
    await waitFor('the upstream sees the end', () => dripping.open === 0);
  });
});

describe('an upstream that is restarted', () => {
  it('twenty times under GET and POST: no GET fails, no POST is sent twice', async () => {
    const port = await freePort();
    const posts = new Map<string, number>();
    const start = (): Promise<HttpUpstream> =>
      startHttpUpstream(
        (request, response) => {
          let body = '';
          request.on('data', (chunk: Buffer) => {
            body += chunk.toString();
          });
          request.on('end', () => {
            if (request.method === 'POST') posts.set(body, (posts.get(body) ?? 0) + 1);
            response.end('ok');
          });
        },
        { port },
      );
    let upstream = await start();
    await using proxy = await startProxy({ dynamic: services(balanced([upstream.url])), workers: 2 });
    const load = startLoad({ port: proxy.port(), host: 'a.test', clients: 4, keepAlive: true });
    let sent = 0;
    let posting = true;
    const poster = (async () => {
      while (posting) await ask(proxy.port(), { method: 'POST', body: `post ${sent++}` }).catch(() => {});
    })();
    for (let i = 0; i < 20; i++) {
      const before = load.done;
      const began = performance.now();
      // A server that comes up and goes again within the pauses of a retry is no restart but a crash loop.
      await waitFor('requests to go on', () => load.done > before + 100 && performance.now() - began > 300);
      await upstream.close();
      upstream = await start();
    }
    posting = false;
    await poster;
    await load.stop();
    await upstream.close();
    console.log(`${load.done} GET and ${sent} POST over 20 restarts: ${load.failures.length} GET failed`);
    expect(load.failures).toEqual([]);
    expect(Math.max(...posts.values())).toBe(1);
  });
});
