import { readFile, writeFile } from 'node:fs/promises';
import { dump, load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReloadVerdict } from '../../src/control/reload.ts';
import type { ProxyStatus } from '../../src/control/status.ts';
import { type HttpUpstream, startEchoServer } from '../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { sendRaw } from '../support/raw-client.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';
import { openWebSocket, startWebSocketEcho } from '../support/websocket.ts';
import { allTo } from './setup.ts';

let echo: HttpUpstream;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo.close());

type Dynamic = { http: { routers: Record<string, unknown>; services: Record<string, unknown> } };

async function verdict(
  proxy: ProxyProcess,
): Promise<{ code: number | null; data: ReloadVerdict & { message?: string } }> {
  const { code, stdout } = await runCommand(['reload', '--json'], proxy);
  return { code, data: JSON.parse(stdout) };
}

async function status(proxy: ProxyProcess): Promise<ProxyStatus> {
  return JSON.parse((await runCommand(['status', '--json'], proxy)).stdout);
}

const statusOf = async (proxy: ProxyProcess, host: string): Promise<number | undefined> =>
  (await sendRaw({ port: proxy.port(), chunks: [`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`] })).responses[0]?.status;

describe('proxy reload', () => {
  it('says which version is live and what changed, whether a watcher saw it first or not', async () => {
    for (const watch of [true, false]) {
      await using proxy = await startProxy({
        workers: 2,
        dynamic: allTo(echo.url),
        args: [`--providers.file.watch=${watch}`],
      });
      const next = allTo(echo.url) as Dynamic;
      next.http.routers.more = { rule: 'Host(`more.test`)', service: 'more', priority: 1000 };
      next.http.services.more = { loadBalancer: { servers: [{ url: echo.url }] } };
      await proxy.writeDynamic(next);
      const { code, data } = await verdict(proxy);
      expect(code).toBe(0);
      expect(data).toMatchObject({
        ok: true,
        version: 2,
        since: 1,
        changes: {
          routers: { added: ['more@file'], changed: [], removed: [] },
          services: { added: ['more@file'], changed: [], removed: [] },
        },
      });
      expect(await statusOf(proxy, 'more.test')).toBe(200);
      const again = await runCommand(['reload'], proxy);
      expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/version 2 is live: nothing changed/) });
    }
  });

  it('of a change with a mistake in it serves what is good, names the mistake by file and line, and exits 1', async () => {
    await using proxy = await startProxy({ dynamic: { 'a.yml': dump(allTo(echo.url)) } });
    const good = 'http:\n  routers:\n    good: {rule: "Host(`good.test`)", service: app, priority: 999}\n';
    await proxy.writeDynamic(`${good}    bad: {rule: "Hots(\`x\`)", service: app}\n`, { file: 'b.yml' });
    const { code, stderr, stdout } = await runCommand(['reload'], proxy);
    expect(code).toBe(1);
    expect(stderr).toMatch(/b\.yml:4:\d+: error: there is no matcher Hots/);
    expect(stdout).toMatch(/\+ routers good@file/);
    expect(await statusOf(proxy, 'good.test')).toBe(200);
    const { lastReload, snapshot, reloads } = await status(proxy);
    expect(lastReload).toMatchObject({ ok: false, version: snapshot.version });
    expect(snapshot.errors).toBe(1);
    expect(reloads.failed).toBeGreaterThan(0);
  });

  it('of a file that cannot be parsed keeps the last good content, and exits 1', async () => {
    await using proxy = await startProxy({ dynamic: { 'a.yml': dump(allTo(echo.url)) } });
    await proxy.writeDynamic('http:\n  routers: [\n', { file: 'a.yml' });
    const { code, stderr } = await runCommand(['reload'], proxy);
    expect(code).toBe(1);
    expect(stderr).toMatch(/a\.yml:\d+:\d+: error/);
    expect(await statusOf(proxy, 'a.test')).toBe(200);
  });

  it('takes static settings that a running proxy can take, and names those that need a restart', async () => {
    await using proxy = await startProxy({ dynamic: allTo(echo.url) });
    const config = load(await readFile(proxy.configFile, 'utf8')) as {
      entryPoints: Record<string, Record<string, unknown>>;
      log?: unknown;
    };
    config.entryPoints.web!.forwardedHeaders = { insecure: true };
    config.entryPoints.second = { address: '127.0.0.1:1' };
    config.log = { level: 'DEBUG' };
    await writeFile(proxy.configFile, dump(config));
    const { code, data } = await verdict(proxy);
    expect(code).toBe(0);
    expect(data.taken).toEqual(['entryPoints.web.forwardedHeaders']);
    expect(data.needsRestart).toEqual(['entryPoints.second (added)', 'log']);
    const { responses } = await sendRaw({
      port: proxy.port(),
      chunks: ['GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n'],
    });
    expect(responses[0]?.body.toString()).toMatch(/192\.0\.2\.7/);
  });

  it('with an error in the static file names its place, exits 1, and the old one goes on', async () => {
    await using proxy = await startProxy({ dynamic: allTo(echo.url) });
    const before = await readFile(proxy.configFile, 'utf8');
    await writeFile(proxy.configFile, `${before}\nnonsense: 1\nentrypoints: {web: {address: "nowhere"}}\n`);
    const { code, stderr } = await runCommand(['reload'], proxy);
    expect(code).toBe(1);
    expect(stderr).toMatch(/proxy\.yml:\d+:\d+: error/);
    expect(await statusOf(proxy, 'a.test')).toBe(200);
    await writeFile(proxy.configFile, before);
    expect((await runCommand(['reload'], proxy)).code).toBe(0);
  });

  it('leaves open websockets alone', async () => {
    await using server = await startWebSocketEcho();
    await using proxy = await startProxy({ dynamic: allTo(server.url) });
    await using socket = await openWebSocket({ port: proxy.port(), requestHost: 'a.test' });
    await socket.send('before');
    expect((await socket.receive()).payload.toString()).toBe('before');
    const next = allTo(server.url) as Dynamic;
    next.http.routers.more = { rule: 'Host(`more.test`)', service: 'app' };
    await proxy.writeDynamic(next);
    expect((await verdict(proxy)).data.version).toBe(2);
    await socket.send('after');
    expect((await socket.receive()).payload.toString()).toBe('after');
  });
});

describe('the control socket', () => {
  it('tells two proxies apart, by the file they run on or by itself', async () => {
    await using dir = await tempDir();
    const env = { RUNTIME_DIRECTORY: dir.path };
    await using one = await startProxy({ dynamic: allTo(echo.url), env });
    await using two = await startProxy({ dynamic: allTo(echo.url), env });
    const both = await runCommand(['status'], { env });
    expect(both.code).toBe(2);
    expect(both.stderr).toMatch(new RegExp(`${one.pid}[\\s\\S]*${two.pid}|${two.pid}[\\s\\S]*${one.pid}`));
    for (const proxy of [one, two]) {
      const named = await runCommand(['status', '--config', proxy.configFile, '--json'], { env });
      expect(JSON.parse(named.stdout)).toMatchObject({ pid: proxy.pid });
      const socket = await runCommand(['status', '--socket', `${dir.path}/${proxy.pid}/control.sock`, '--json'], {
        env,
      });
      expect(JSON.parse(socket.stdout)).toMatchObject({ pid: proxy.pid });
    }
    const none = await runCommand(['status', '--config', '/nowhere/proxy.yml'], { env });
    expect(none.code).toBe(3);
  });

  it('of a killed proxy counts as none, and goes with the next start', async () => {
    await using dir = await tempDir();
    const env = { RUNTIME_DIRECTORY: dir.path };
    const dead = await startProxy({ dynamic: allTo(echo.url), env });
    await dead.kill9();
    for (const verb of ['status', 'reload', 'restart-workers']) {
      const { code, stderr } = await runCommand([verb], { env });
      expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 3, lines: 1 });
    }
    await using alive = await startProxy({ dynamic: allTo(echo.url), env });
    expect(JSON.parse((await runCommand(['status', '--json'], { env })).stdout)).toMatchObject({ pid: alive.pid });
  });
});
