import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProxyStatus } from '../../src/control/status.ts';
import { startChild, waitUntilAccepting } from '../support/child.ts';
import { type HttpUpstream, startEchoServer, startSseServer } from '../support/http-upstreams.ts';
import { type Load, startLoad } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';
import { waitFor } from '../support/wait-for.ts';
import { allTo, workersOf } from './setup.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

let echo: HttpUpstream;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo.close());

async function status(env: NodeJS.ProcessEnv): Promise<ProxyStatus> {
  return JSON.parse((await runCommand(['status', '--json'], { env })).stdout);
}

function loads(proxy: ProxyProcess): Load[] {
  const at = { port: proxy.port(), host: 'a.test' };
  return [startLoad({ ...at, clients: 4, keepAlive: true }), startLoad({ ...at, clients: 2, keepAlive: false })];
}

async function expectNoFailure(running: readonly Load[]): Promise<number> {
  let done = 0;
  for (const load of running) {
    await load.stop();
    expect(load.failures).toEqual([]);
    done += load.done;
  }
  return done;
}

const serves = async (proxy: ProxyProcess): Promise<boolean> =>
  (await sendRaw({ port: proxy.port(), chunks: [GET] })).responses[0]?.status === 200;

/** Their process ids, once both serve. */
const twoWorkers = (proxy: ProxyProcess): Promise<number[]> =>
  waitFor('two workers', async () => {
    const serving = (await status(proxy.env)).workers.filter((w) => w.state === 'serving');
    return serving.length === 2 ? serving.map((w) => w.pid) : null;
  });

describe('a rolling restart', () => {
  it('5 of them among 50 reloads, under load, lose no request', async () => {
    // 200,000 requests take minutes on a small machine: OPERATE_REQUESTS=200000 asks for them.
    const wanted = Number(process.env.OPERATE_REQUESTS ?? 20_000);
    await using proxy = await startProxy({ workers: 2, dynamic: allTo(echo.url) });
    const running = loads(proxy);
    const done = (): number => running.reduce((sum, load) => sum + load.done, 0);
    for (let i = 1; i <= 50; i++) {
      const dynamic = allTo(echo.url) as { http: { routers: Record<string, unknown> } };
      dynamic.http.routers.changing = { rule: `Host(\`n${i}.test\`)`, service: 'app', priority: 500 };
      await proxy.writeDynamic(dynamic);
      expect(await runCommand(['reload'], proxy)).toMatchObject({ code: 0 });
      if (i % 10 === 0) expect(await runCommand(['restart-workers'], proxy)).toMatchObject({ code: 0 });
      await waitFor('requests under this version', () => done() >= (i * wanted) / 50, { timeoutMs: 120_000 });
    }
    const sent = await expectNoFailure(running);
    expect(sent).toBeGreaterThanOrEqual(wanted);
    console.log(`50 reloads and 5 rolling restarts under load: ${sent} requests, 0 failed`);
    // Those that were replaced end once their connections are quiet.
    await waitFor('the old workers to end', () => workersOf(proxy.pid).length === 2);
    expect((await status(proxy.env)).workerDeaths.count).toBe(0);
  }, 600_000);

  it('lets a stream that is open go on', async () => {
    await using sse = await startSseServer();
    await using proxy = await startProxy({ workers: 2, dynamic: allTo(sse.url) });
    await using client = await RawClient.connect({ port: proxy.port() });
    await client.write(GET);
    await waitFor('the first event', () => client.received.includes('event 0'));
    const before = await twoWorkers(proxy);
    expect(await runCommand(['restart-workers'], proxy)).toMatchObject({ code: 0 });
    sse.next();
    await waitFor('the second event', () => client.received.includes('event 1'));
    const workers = (await status(proxy.env)).workers;
    expect(workers.filter((w) => w.state === 'serving').every((w) => !before.includes(w.pid))).toBe(true);
    sse.finish();
    await waitFor('the old workers to end', () => workersOf(proxy.pid).length === 2);
  });

  it('by SIGUSR2 replaces every worker', async () => {
    await using proxy = await startProxy({ workers: 2, dynamic: allTo(echo.url) });
    const before = await twoWorkers(proxy);
    process.kill(proxy.pid, 'SIGUSR2');
    await proxy.waitForOutput(/2 workers were replaced/);
    await waitFor('the old workers to end', () => workersOf(proxy.pid).every((pid) => !before.includes(pid)));
    expect(await serves(proxy)).toBe(true);
  });

  it('runs the code that lies on disk by then, and is refused where that speaks another protocol', async () => {
    await using dir = await tempDir();
    const release = async (name: string): Promise<string> => {
      const path = join(dir.path, name);
      await mkdir(path);
      await cp(join(ROOT, 'src'), join(path, 'src'), { recursive: true });
      await cp(join(ROOT, 'bin'), join(path, 'bin'), { recursive: true });
      await symlink(join(ROOT, 'node_modules'), join(path, 'node_modules'));
      const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
      await writeFile(join(path, 'package.json'), JSON.stringify({ ...manifest, version: name }));
      return path;
    };
    const current = join(dir.path, 'current');
    await symlink(await release('1.0.1'), current);
    const port = await freePort();
    const file = join(dir.path, 'proxy.yml');
    await writeFile(file, `entryPoints: {web: {address: "127.0.0.1:${port}"}}\nping: {entryPoint: web}\nworkers: 2\n`);
    const env = { RUNTIME_DIRECTORY: join(dir.path, 'run') };
    const proxy = startChild(join(current, 'bin/proxy'), ['run', '--config', file], env);
    try {
      await waitUntilAccepting(proxy, '127.0.0.1', port);
      await release('1.0.2');
      await rm(current);
      await symlink(join(dir.path, '1.0.2'), current);
      const restarted = await runCommand(['restart-workers'], { env });
      expect(restarted).toMatchObject({ code: 0 });
      const serving = (await status(env)).workers.filter((w) => w.state === 'serving');
      expect(serving.map((w) => w.code)).toEqual(['1.0.2', '1.0.2']);

      const messages = join(current, 'src/core/messages.ts');
      await writeFile(messages, (await readFile(messages, 'utf8')).replace(/PROTOCOL = \d+/, 'PROTOCOL = 999'));
      const refused = await runCommand(['restart-workers'], { env });
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/another protocol.*restart the whole proxy/);
      const still = (await status(env)).workers.filter((w) => w.state === 'serving');
      expect(still.map((w) => w.pid)).toEqual(serving.map((w) => w.pid));
    } finally {
      await proxy.stop();
    }
  });
});

describe('a worker', () => {
  it('that is killed costs nothing but what it had in flight, and is replaced within a second', async () => {
    await using proxy = await startProxy({ workers: 2, dynamic: allTo(echo.url) });
    const [victim] = await twoWorkers(proxy);
    const at = { port: proxy.port(), host: 'a.test' };
    const load = startLoad({ ...at, clients: 4, keepAlive: false });
    await waitFor('some load', () => load.done > 200);
    const from = performance.now();
    process.kill(victim!, 'SIGKILL');
    await proxy.waitForOutput(new RegExp(`worker ${victim} died`));
    await waitFor('another one to serve', async () => {
      const { workers } = await status(proxy.env);
      return workers.filter((w) => w.state === 'serving' && w.pid !== victim).length === 2;
    });
    const whole = performance.now() - from;
    const seen = load.done;
    await waitFor('more load', () => load.done > seen + 500, { timeoutMs: 30_000 });
    await load.stop();
    // At most what each of the four clients had under way there.
    expect(load.failures.length).toBeLessThanOrEqual(4);
    console.log(
      `whole again ${Math.round(whole)} ms after kill -9 (a status command a look); failed: ${load.failures.length}`,
    );
    expect((await status(proxy.env)).workerDeaths).toMatchObject({ count: 1, last: expect.stringMatching(/SIGKILL/) });
  });

  it('whose event loop hangs is killed and replaced', async () => {
    await using proxy = await startProxy({ workers: 2, dynamic: allTo(echo.url) });
    const [victim] = await twoWorkers(proxy);
    process.kill(victim!, 'SIGSTOP');
    await proxy.waitForOutput(new RegExp(`worker ${victim} died after \\d+ ms \\(its event loop hangs`));
    await waitFor('two others', () => workersOf(proxy.pid).length === 2 && !workersOf(proxy.pid).includes(victim!));
    for (let i = 0; i < 10; i++) expect(await serves(proxy)).toBe(true);
  });

  it('that dies at its start is tried again, later and later, while the others serve', async () => {
    await using dir = await tempDir();
    const flag = join(dir.path, 'die');
    const preload = join(dir.path, 'preload.cjs');
    // Stands for code that cannot start, in workers alone.
    await writeFile(
      preload,
      `if (/worker\\.[jt]s$/.test(process.argv[1]) && require('node:fs').existsSync(${JSON.stringify(flag)})) process.exit(7);\n`,
    );
    await using proxy = await startProxy({
      workers: 2,
      dynamic: allTo(echo.url),
      env: { NODE_OPTIONS: `--require=${preload}` },
    });
    const [victim] = await twoWorkers(proxy);
    await writeFile(flag, '');
    process.kill(victim!, 'SIGKILL');
    await proxy.waitForOutput(/exit code 7\); a new one starts in 200 ms[\s\S]*a new one starts in 400 ms/);
    expect(await serves(proxy)).toBe(true);
    const down = await status(proxy.env);
    expect(down).toMatchObject({ state: 'degraded', problems: ['1 of 2 workers serve'] });
    expect(down.workerDeaths.last).toMatch(/exit code 7/);
    const broken = await runCommand(['restart-workers'], proxy);
    expect(broken).toMatchObject({ code: 1, stderr: expect.stringMatching(/did not come up.*exit code 7/) });
    expect(await serves(proxy)).toBe(true);
    await rm(flag);
    await waitFor('two workers again', async () => (await status(proxy.env)).state === 'serving', {
      timeoutMs: 60_000,
    });
  });
});
