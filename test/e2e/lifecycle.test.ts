import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChild, waitUntilAccepting } from '../support/child.ts';
import { type HttpUpstream, startEchoServer, startSlowServer } from '../support/http-upstreams.ts';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { tempDir } from '../support/temp.ts';
import { waitFor } from '../support/wait-for.ts';
import { allTo, workersOf } from './setup.ts';

const COMMAND = fileURLToPath(new URL('../../bin/proxy', import.meta.url));

let echo: HttpUpstream;
let slow: HttpUpstream;

beforeAll(async () => {
  echo = await startEchoServer();
  slow = await startSlowServer(1_000);
});
afterAll(async () => {
  await Promise.all([echo.close(), slow.close()]);
});

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

/** Its dynamic file is read at the start and at SIGHUP only; at first it has no router that matches. */
async function unwatched(): ReturnType<typeof startProxy> {
  const port = await freePort();
  const dynamic = allTo(echo.url) as { http: { routers: Record<string, unknown> } };
  dynamic.http.routers.all = { rule: 'Host(`other.test`)', service: 'app' };
  return startProxy({
    static: { entryPoints: { web: { address: `127.0.0.1:${port}` } } },
    dynamic,
    args: ['--providers.file.watch=false'],
  });
}

describe('reloads', () => {
  it('50 under load lose no request, on kept and on new connections', async () => {
    await using proxy = await startProxy({ workers: 2, dynamic: allTo(echo.url) });
    const at = { port: proxy.port(), host: 'a.test' };
    const loads = [
      startLoad({ ...at, clients: 4, keepAlive: true }),
      startLoad({ ...at, clients: 2, keepAlive: false }),
    ];
    for (let i = 1; i <= 50; i++) {
      const dynamic = allTo(echo.url) as { http: { routers: Record<string, unknown> } };
      dynamic.http.routers[`changing-${i}`] = { rule: `Host(\`n${i}.test\`)`, service: 'app' };
      await proxy.writeDynamic(dynamic);
      await proxy.waitForOutput(new RegExp(`version ${i + 1} is live in 2 workers`));
      await waitFor('requests under this version', () => loads.every((load) => load.done >= i * 100));
    }
    for (const load of loads) {
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(load.done).toBeGreaterThanOrEqual(5_000);
    }
  }, 180_000);

  it('by SIGHUP read what no watcher saw', async () => {
    await using proxy = await unwatched();
    await proxy.writeDynamic(allTo(echo.url));
    proxy.reload();
    await proxy.waitForOutput(/reloaded: version 2 is live/);
    expect((await sendRaw({ port: proxy.port(), chunks: [GET] })).responses[0]?.status).toBe(200);
  });
});

describe('processes', () => {
  it('a killed worker is replaced, and the others serve meanwhile', async () => {
    await using proxy = await startProxy({ workers: 2, dynamic: allTo(echo.url) });
    const before = await waitFor('two workers', () =>
      workersOf(proxy.pid).length === 2 ? workersOf(proxy.pid) : null,
    );
    process.kill(before[0]!, 'SIGKILL');
    await proxy.waitForOutput(/worker \d+ died/);
    for (let i = 0; i < 20; i++) {
      expect((await sendRaw({ port: proxy.port(), chunks: [GET] })).responses[0]?.status).toBe(200);
    }
    await waitFor('two workers again', () => workersOf(proxy.pid).length === 2);
    expect(workersOf(proxy.pid)).not.toContain(before[0]);
  });

  it('SIGTERM lets a request under way finish, closes what is idle and exits 0', async () => {
    await using proxy = await startProxy({ dynamic: allTo(slow.url) });
    await using idle = await RawClient.connect({ port: proxy.port() });
    await idle.write('GET /?ms=0 HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await idle.waitForResponses(1);
    await using busy = await RawClient.connect({ port: proxy.port() });
    const seen = slow.requests;
    await busy.write(GET);
    await waitFor('the request at the upstream', () => slow.requests > seen);
    const exit = proxy.stop();
    expect(await idle.closes()).toBe(true);
    const { responses } = await busy.waitForResponses(1);
    expect(responses[0]?.status).toBe(200);
    expect(await exit).toEqual({ code: 0, signal: null });
  });
});

describe('the command', () => {
  it('says which port is taken, and exits 1', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'traefik.yml');
    await writeFile(file, `entryPoints:\n  web:\n    address: "127.0.0.1:${echo.port}"\n`);
    const child = startChild(COMMAND, ['run', '--config', file]);
    await waitFor('the command to end', () => child.exited(), { describe: child.output });
    expect((await child.exit).code).toBe(1);
    expect(child.output()).toMatch(new RegExp(`${echo.port}.*process ${process.pid} listens there`));
    expect(child.output()).not.toMatch(/^\s+at /m);
  });

  it('names file, line and column of what is wrong in the static file, and exits 1', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'traefik.yml');
    await writeFile(file, 'entryPoints:\n  web:\n    adress: ":80"\n');
    const child = startChild(COMMAND, ['run', '--config', file]);
    expect((await child.exit).code).toBe(1);
    expect(child.output()).toContain(`${file}:3:5`);
    expect(child.output()).toMatch(/address/);
  });

  it.each([
    [
      'flags',
      (port: number) => [[`--entryPoints.web.address=127.0.0.1:${port}`, '--ping=true', '--ping.entryPoint=web'], {}],
    ],
    [
      'environment variables',
      (port: number) => [[], { TRAEFIK_ENTRYPOINTS_WEB_ADDRESS: `127.0.0.1:${port}`, TRAEFIK_PING_ENTRYPOINT: 'web' }],
    ],
  ] as [string, (port: number) => [string[], NodeJS.ProcessEnv]][])(
    'takes its settings from %s',
    async (_, settings) => {
      const port = await freePort();
      const [flags, env] = settings(port);
      const child = startChild(COMMAND, ['run', '--workers', '1', ...flags], env);
      await waitUntilAccepting(child, '127.0.0.1', port);
      const { responses } = await sendRaw({ port, chunks: ['GET /ping HTTP/1.1\r\nHost: x\r\n\r\n'] });
      expect(responses[0]?.body.toString()).toBe('OK');
      expect((await child.stop()).code).toBe(0);
    },
  );

  it('starts as `traefik --configfile=` does, without a verb', async () => {
    await using dir = await tempDir();
    const port = await freePort();
    const file = join(dir.path, 'traefik.yml');
    await writeFile(file, `entryPoints:\n  web:\n    address: "127.0.0.1:${port}"\n`);
    const child = startChild(COMMAND, [`--configfile=${file}`, '--workers=1']);
    await waitUntilAccepting(child, '127.0.0.1', port);
    const { responses } = await sendRaw({ port, chunks: ['GET / HTTP/1.1\r\nHost: x\r\n\r\n'] });
    expect(responses[0]?.status).toBe(404);
    expect((await child.stop()).code).toBe(0);
  });
});
