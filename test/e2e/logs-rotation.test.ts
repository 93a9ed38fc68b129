import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAccessLines } from '../support/access-lines.ts';
import { type HttpUpstream, startEchoServer } from '../support/http-upstreams.ts';
import { type Load, startLoad } from '../support/load.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { allTo, workersOf } from './setup.ts';

const LOGROTATE_CONFIG = fileURLToPath(new URL('../../config/logrotate/phoenix-proxy', import.meta.url));
const hasLogrotate = spawnSync('logrotate', ['--version']).status === 0;
if (!hasLogrotate) console.warn('logrotate is not installed: its test is left out');

let echo: HttpUpstream;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo.close());

function start(workers = 2): Promise<ProxyProcess> {
  return startProxy({
    workers,
    static: [
      'entryPoints: {web: {address: "127.0.0.1:PORT(web)"}}',
      'providers: {file: {filename: DIR/dynamic/dynamic.yml}}',
      'log: {filePath: DIR/logs/proxy.log}',
      'accessLog: {filePath: DIR/logs/access.log, format: json}',
    ].join('\n'),
    dynamic: allTo(echo.url),
  });
}

/** Two loads, on kept and on new connections. */
function startLoads(proxy: ProxyProcess): { readonly done: number; stop(): Promise<void> } {
  const at = { port: proxy.port(), host: 'a.test' };
  const loads: Load[] = [
    startLoad({ ...at, clients: 4, keepAlive: true }),
    startLoad({ ...at, clients: 2, keepAlive: false }),
  ];
  return {
    get done() {
      return loads.reduce((sum, load) => sum + load.done, 0);
    },
    stop: async () => {
      for (const load of loads) {
        await load.stop();
        expect(load.failures).toEqual([]);
      }
    },
  };
}

/** Waits until as many lines are there as requests were answered; each of them parses. */
async function expectLines(directory: string, requests: number): Promise<void> {
  await waitFor('every line', () => readAccessLines(directory).length >= requests, {
    describe: () => `${readAccessLines(directory).length} lines of ${requests} requests`,
  });
  expect(readAccessLines(directory)).toHaveLength(requests);
}

/** Whether each process has the two logs open, once, and as they are named now. */
function haveOpen(pids: readonly number[], directory: string): boolean {
  const own = ['access.log', 'proxy.log'].map((name) => join(directory, name));
  return pids.every((pid) => {
    const fds = `/proc/${pid}/fd`;
    const open = readdirSync(fds).map((fd) => readlinkSync(join(fds, fd)));
    return (
      open
        .filter((path) => path.startsWith(directory))
        .sort()
        .join() === own.join()
    );
  });
}

describe('rotation by rename and SIGUSR1', () => {
  it('loses no line and tears none, 20 times under load', async () => {
    await using proxy = await start();
    const logs = join(proxy.dir, 'logs');
    const loads = startLoads(proxy);
    for (let i = 1; i <= 20; i++) {
      await waitFor('requests', () => loads.done >= i * 200);
      await waitFor('lines in the file', () => statSync(join(logs, 'access.log')).size > 0);
      // What was renamed grows until the signal is taken, and is not looked at before.
      renameSync(join(logs, 'access.log'), join(logs, `access.log.${i}`));
      renameSync(join(logs, 'proxy.log'), join(logs, `proxy.log.${i}`));
      process.kill(proxy.pid, 'SIGUSR1');
      await waitFor('the new file', () => existsSync(join(logs, 'access.log')));
    }
    await loads.stop();
    await expectLines(logs, loads.done);
    for (let i = 1; i <= 20; i++) expect(statSync(join(logs, `access.log.${i}`)).size).toBeGreaterThan(0);
  });

  it('may be told again and again in the middle of a burst, and keeps no descriptor', async () => {
    await using proxy = await start();
    const logs = join(proxy.dir, 'logs');
    const workers = workersOf(proxy.pid);
    const loads = startLoads(proxy);
    await waitFor('requests', () => loads.done >= 200);
    for (let i = 0; i < 200; i++) {
      if (i % 20 === 0) renameSync(join(logs, 'access.log'), join(logs, `access.log.${i}`));
      process.kill(proxy.pid, 'SIGUSR1');
      const seen = loads.done;
      await waitFor('a few requests', () => loads.done > seen, { intervalMs: 1 });
      if (i % 20 === 19) await waitFor('the new file', () => statSync(join(logs, 'access.log')).size >= 0);
    }
    await loads.stop();
    await expectLines(logs, loads.done);
    expect(workersOf(proxy.pid)).toEqual(workers);
    await waitFor('no descriptor too many', () => haveOpen(workers, logs));
  });

  it('makes a directory anew that vanished, and stays with the old file where it cannot', async () => {
    await using proxy = await start(1);
    const logs = join(proxy.dir, 'logs');
    const get = async (): Promise<void> => {
      const response = await fetch(`http://127.0.0.1:${proxy.port()}/`);
      expect(response.status).toBe(200);
      await response.arrayBuffer();
    };
    await get();
    await expectLines(logs, 1);
    rmSync(logs, { recursive: true });
    process.kill(proxy.pid, 'SIGUSR1');
    await waitFor('the directory', () => statSync(join(logs, 'access.log')).isFile());
    await get();
    await expectLines(logs, 1);

    // Something is in the way: no user may write there, root not excepted.
    renameSync(logs, `${logs}.old`);
    writeFileSync(logs, 'no directory');
    process.kill(proxy.pid, 'SIGUSR1');
    await waitFor('a word about it', () =>
      /access log: not reopened.*is not a directory/.test(readFileSync(join(`${logs}.old`, 'proxy.log'), 'utf8')),
    );
    await get();
    await expectLines(`${logs}.old`, 2);

    rmSync(logs);
    process.kill(proxy.pid, 'SIGUSR1');
    await waitFor('the directory again', () => statSync(join(logs, 'access.log')).isFile());
    await get();
    await expectLines(logs, 1);
  });
});

describe.runIf(hasLogrotate)('config/logrotate/phoenix-proxy', () => {
  it('rotates with the real logrotate under load, no line lost', async () => {
    await using proxy = await start();
    const logs = join(proxy.dir, 'logs');
    const config = join(proxy.dir, 'logrotate.conf');
    const text = readFileSync(LOGROTATE_CONFIG, 'utf8');
    expect(text).toContain('/var/log/phoenix-proxy/*.log');
    expect(text).toMatch(/systemctl kill .*phoenix-proxy\.service/);
    writeFileSync(
      config,
      text
        .replace('/var/log/phoenix-proxy/', `${logs}/`)
        // There is no unit here; the signal and who gets it are the same.
        .replace(/systemctl kill .*/, `kill -USR1 ${proxy.pid}`),
    );
    const loads = startLoads(proxy);
    for (let i = 1; i <= 5; i++) {
      await waitFor('requests', () => loads.done >= i * 300);
      // An empty file is not rotated.
      await waitFor('lines in the file', () => statSync(join(logs, 'access.log')).size > 0);
      execFileSync('logrotate', ['--force', '--state', join(proxy.dir, 'state'), config], { stdio: 'pipe' });
      // The next rotation compresses what was renamed in this one.
      await waitFor('the new files', () => haveOpen(workersOf(proxy.pid), logs));
    }
    await loads.stop();
    const packed = readdirSync(logs).filter((name) => /^access\.log\.\d+\.gz$/.test(name));
    // The one rotated last is not compressed yet.
    expect(packed).toHaveLength(4);
    for (const name of readdirSync(logs).filter((name) => name.startsWith('access.log'))) {
      if (name.endsWith('.gz')) execFileSync('gunzip', [join(logs, name)]);
    }
    await expectLines(logs, loads.done);
  });
});
