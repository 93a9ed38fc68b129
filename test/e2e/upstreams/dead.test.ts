import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { startEchoServer, startHttpUpstream } from '../../support/http-upstreams.ts';
import { hang, startMisbehaving } from '../../support/misbehaving.ts';
import { startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask, balanced, services, statusOf } from './support.ts';

// Long enough for servers that are alive in this process.
const healthCheck = { path: '/health', interval: '300ms', timeout: '2s' };

interface NodeServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Requests for `/wait` that have come: they are never answered. */
  readonly waiting: number;
}

/** A server in a process of its own, to be stopped as a whole. */
async function startNode(name: string): Promise<NodeServer> {
  const child = spawn(process.execPath, [
    '-e',
    `require('node:http').createServer((q, r) => {
       if (q.url === '/wait') return console.log('waits');
       r.setHeader('X-Server', '${name}');
       r.end('ok');
     }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`,
  ]);
  let said = '';
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString();
  });
  const port = await waitFor('its port', () => /^(\d+)\n/.exec(said)?.[1]);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    get waiting() {
      return said.split('waits').length - 1;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    },
  };
}

describe('an endpoint that is found dead', () => {
  it('frozen: what waits there goes elsewhere, POST ends with 504 at once, on kept connections too', async () => {
    await using frozen = await startNode('frozen');
    await using alive = await startEchoServer('alive');
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(balanced([frozen.url, alive.url], { healthCheck })),
    });
    const port = proxy.port();
    // Connections are kept.
    for (let i = 0; i < 8; i++) await ask(port);
    const eightPosts = (path: string) =>
      Array.from({ length: 8 }, () => ask(port, { method: 'POST', path, body: 'x' }));
    const posts = eightPosts('/wait');
    await waitFor('a POST to wait there', () => frozen.waiting > 0);
    process.kill(frozen.pid, 'SIGSTOP');
    const started = performance.now();
    const gets = Array.from({ length: 8 }, () => ask(port));
    posts.push(...eightPosts('/'));
    const answers = await Promise.all(gets);
    expect(answers.map((one) => one.header('x-server'))).toEqual(new Array(8).fill('alive'));
    const statuses = (await Promise.all(posts)).map((one) => one.status);
    const took = performance.now() - started;
    console.log(
      `a frozen server: all answered after ${took.toFixed(0)} ms (check each 300 ms, 2 s to answer): ${statuses}`,
    );
    expect(statuses.filter((status) => status !== 200 && status !== 504)).toEqual([]);
    expect(statuses).toContain(504);
    expect(took).toBeLessThan(20_000);
    const down = (await statusOf(proxy)).services[0]?.servers.find((server) => server.url === frozen.url);
    expect(down).toMatchObject({ status: 'DOWN' });
  });

  it('alone: what waits there ends with 504, and what comes then with 503', async () => {
    await using frozen = await startNode('frozen');
    await using proxy = await startProxy({ dynamic: services(balanced([frozen.url], { healthCheck })) });
    const waiting = ask(proxy.port(), { path: '/wait' });
    await waitFor('it to wait', () => frozen.waiting === 1);
    expect((await ask(proxy.port())).status).toBe(200);
    process.kill(frozen.pid, 'SIGSTOP');
    expect((await waiting).status).toBe(504);
    const after = await ask(proxy.port());
    expect([after.status, after.body.toString()]).toEqual([503, 'no available server\n']);
    process.kill(frozen.pid, 'SIGCONT');
    await waitFor('it to be back', async () => (await ask(proxy.port())).status === 200);
  });
});

describe('10,000 aborted streams', () => {
  it('leave no connection behind', async () => {
    await using upstream = await startHttpUpstream((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('data: x\n\n');
    });
    await using proxy = await startProxy({ dynamic: services(balanced([upstream.url])), workers: 2 });
    const total = 10_000;
    let begun = 0;
    const client = async (): Promise<void> => {
      while (begun < total) {
        begun++;
        await using raw = await RawClient.connect({ port: proxy.port() });
        await raw.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
        await raw.waitUntil('a token', (one) => one.received.includes('data: x'), 30_000);
        raw.reset();
      }
    };
    await Promise.all(Array.from({ length: 50 }, client));
    const at = performance.now();
    await waitFor('every upstream connection to be closed', () => upstream.open === 0);
    console.log(
      `${upstream.requests} aborted streams: all upstream connections closed ${(performance.now() - at).toFixed(0)} ms after the last`,
    );
    expect(upstream.requests).toBeGreaterThanOrEqual(total);
  }, 180_000);
});

describe('a server that accepts and never answers', () => {
  it('costs nothing once its check has told: of what came before, GETs are answered elsewhere', async () => {
    await using silent = await startMisbehaving(hang);
    await using alive = await startEchoServer('alive');
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(balanced([silent.url, alive.url], { healthCheck })),
    });
    const statuses: number[] = [];
    for (let i = 0; i < 40; i++) statuses.push((await ask(proxy.port())).status);
    expect(statuses).toEqual(new Array(40).fill(200));
  });
});
