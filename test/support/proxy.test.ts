import { afterEach, describe, expect, it } from 'vitest';
import { accepts } from './child.ts';
import { startEchoServer } from './http-upstreams.ts';
import { type ProxyOptions, type ProxyProcess, startProxy } from './proxy.ts';
import { sendRaw } from './raw-client.ts';
import { waitFor } from './wait-for.ts';

/** One router for one path. */
function route(path: string, url: string): Record<string, unknown> {
  return {
    http: {
      routers: { only: { rule: `Path(\`${path}\`)`, service: 'app' } },
      services: { app: { loadBalancer: { servers: [{ url }] } } },
    },
  };
}

describe('startProxy', () => {
  let proxy: ProxyProcess | undefined;
  afterEach(() => proxy?.stop());

  const start = async (options: ProxyOptions): Promise<ProxyProcess> => {
    proxy = await startProxy(options);
    return proxy;
  };
  const statusOf = async (path: string): Promise<number | undefined> => {
    const chunks = [`GET ${path} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n`];
    const { responses } = await sendRaw({ port: proxy!.port(), chunks });
    return responses[0]?.status;
  };

  it('runs the real command, follows its dynamic file, and stops with exit code 0', async () => {
    await using upstream = await startEchoServer();
    const { writeDynamic, stop } = await start({ dynamic: route('/one', upstream.url) });
    expect(await statusOf('/one')).toBe(200);

    await writeDynamic(route('/two', upstream.url));
    await waitFor('a file that was replaced to be live', async () => (await statusOf('/two')) === 200);
    await writeDynamic(route('/three', upstream.url), { inPlace: true });
    await waitFor('a file written in place to be live', async () => (await statusOf('/three')) === 200);

    expect(await stop()).toEqual({ code: 0, signal: null });
  });

  it('watches a directory when several files are given, and reads them again on SIGHUP', async () => {
    await using upstream = await startEchoServer();
    const one = JSON.stringify(route('/one', upstream.url));
    const { writeDynamic, reload } = await start({
      static: { providers: { file: { watch: false } } },
      dynamic: { 'one.yml': one },
    });
    await writeDynamic(one.replaceAll('only', 'second').replaceAll('app', 'app2').replace('/one', '/two'), {
      file: 'two.yml',
    });
    expect(await statusOf('/two')).toBe(404);
    reload();
    await waitFor('the second file to be live', async () => (await statusOf('/two')) === 200);
    expect(await statusOf('/one')).toBe(200);
  });

  it('takes a static file as text, with ports and the directory filled in', async () => {
    await using upstream = await startEchoServer();
    await start({
      static:
        'entryPoints: {web: {address: "127.0.0.1:PORT(web)"}}\nproviders: {file: {filename: DIR/dynamic/dynamic.yml}}\n',
      dynamic: route('/one', upstream.url),
    });
    expect(await statusOf('/one')).toBe(200);
  });

  it('fails with the captured output when the proxy refuses to start', async () => {
    await expect(startProxy({ static: 'entryPoints: {web: {address: "127.0.0.1:PORT(web)"' })).rejects.toThrow(
      /the process ended \(code [1-9]/,
    );
  });

  it('leaves nothing listening after kill9', async () => {
    const { port, kill9 } = await start({ workers: 2, dynamic: route('/one', 'http://127.0.0.1:9') });
    const web = port();
    expect(await kill9()).toEqual({ code: null, signal: 'SIGKILL' });
    await waitFor('the port to be free', async () => !(await accepts('127.0.0.1', web)));
  });
});
