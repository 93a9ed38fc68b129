import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAccessLines } from '../support/access-lines.ts';
import { type Child, startChild, stopAll, waitUntilAccepting } from '../support/child.ts';
import { type HttpUpstream, startEchoServer } from '../support/http-upstreams.ts';
import { freePort } from '../support/ports.ts';
import { type TempDir, tempDir } from '../support/temp.ts';
import { waitFor } from '../support/wait-for.ts';

const COMMAND = fileURLToPath(new URL('../../bin/proxy', import.meta.url));

/** A disk of its own needs a mount namespace, and that needs root. */
const mayMount = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o size=64k tmpfs /mnt']).status === 0;
if (!mayMount) console.warn('this user cannot mount a tmpfs: the tests of a full disk are left out');

/** A disk that hangs: a file system in a file, which is frozen. */
const mayFreeze =
  mayMount &&
  spawnSync('sh', [
    '-c',
    'f=$(mktemp) && truncate -s 8M $f && mkfs.ext4 -q -F $f && unshare -m sh -c "mount -o loop $f /mnt && command -v fsfreeze"; r=$?; rm -f $f; exit $r',
  ]).status === 0;
if (mayMount && !mayFreeze)
  console.warn('no loop device, mkfs.ext4 or fsfreeze: the test of a disk that hangs is left out');

let echo: HttpUpstream;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(async () => {
  await stopAll();
  await echo.close();
});

/** Writes a configuration that serves everything from the echo server; `logs` is what is said of logs. */
function writeConfig(dir: TempDir, port: number, logs: string): string {
  const file = join(dir.path, 'proxy.yml');
  writeFileSync(
    file,
    [
      `entryPoints: {web: {address: "127.0.0.1:${port}"}}`,
      `providers: {file: {filename: ${join(dir.path, 'dynamic.yml')}}}`,
      logs,
    ].join('\n'),
  );
  writeFileSync(
    join(dir.path, 'dynamic.yml'),
    `http: {routers: {all: {rule: "PathPrefix(\`/\`)", service: app}}, services: {app: {loadBalancer: {servers: [{url: "${echo.url}"}]}}}}`,
  );
  return file;
}

/** So many requests, a few at a time; each must be answered by 200. The path makes the line long. */
async function send(port: number, count: number, path = `/${'x'.repeat(1_000)}`): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const one = (): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      })
        .on('error', reject)
        .end();
    });
  let left = count;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (left-- > 0) expect(await one()).toBe(200);
    }),
  );
  agent.destroy();
}

describe.runIf(mayMount)('a full disk', () => {
  it('costs lines and no requests; the log says how many, and lines are written again when there is room', async () => {
    await using dir = await tempDir();
    const port = await freePort();
    const disk = join(dir.path, 'disk');
    mkdirSync(disk);
    const config = writeConfig(
      dir,
      port,
      `accessLog: {filePath: ${disk}/access.log, format: json}\nlog: {filePath: ${disk}/proxy.log, stdout: true}`,
    );
    const script = `mount -t tmpfs -o size=512k tmpfs ${disk} && exec ${COMMAND} run --config ${config} --workers 2`;
    const child = startChild('unshare', ['-m', 'sh', '-c', script]);
    await waitUntilAccepting(child, '127.0.0.1', port);
    // The disk is there for the process alone: this is where others see it.
    const seen = join(`/proc/${child.pid}/root`, disk);
    await send(port, 100);
    await waitFor('the first lines', () => readFileSync(join(seen, 'access.log'), 'utf8').split('\n').length > 100);
    const filler = join(seen, 'filler');
    expect(() => writeFileSync(filler, Buffer.alloc(1024 * 1024))).toThrow('ENOSPC');

    await send(port, 1_000);
    const lost = await waitFor('the loss to be told', () =>
      /access log: (\d+) lines? (was|were) lost: ENOSPC/.exec(child.output()),
    );
    expect(Number(lost[1])).toBeGreaterThan(0);
    // What is there is whole: a line of which only the begin had room is taken back.
    const before = await waitFor('whole lines', () =>
      parseAccessLines(readFileSync(join(seen, 'access.log'), 'utf8'), 'the full disk'),
    );
    expect(before.length).toBeGreaterThanOrEqual(100);
    expect(before.length).toBeLessThan(1_100);

    // The command tells as well. Workers report once a second.
    await waitFor('the status', () => {
      const text = execFileSync(COMMAND, ['status', '--config', config], { encoding: 'utf8' });
      return /^lost +[1-9]\d* lines of the access log/m.test(text);
    });

    rmSync(filler);
    await waitFor('lines again', async () => {
      await send(port, 20, '/again');
      const lines = parseAccessLines(readFileSync(join(seen, 'access.log'), 'utf8'), 'the disk with room');
      return lines.filter((line) => line.RequestPath === '/again').length >= 20;
    });
    await waitFor('a word about it', () => /access log: lines are written again.*dropped=\d+/.test(child.output()), {
      describe: child.output,
    });
    expect(await child.stop()).toEqual({ code: 0, signal: null });
    expect(child.output()).not.toMatch(/uncaught|^\s+at /m);
  });
});

describe.runIf(mayFreeze)('a disk that hangs', () => {
  it('holds up no request, and every line is written or counted', async () => {
    await using dir = await tempDir();
    const port = await freePort();
    const disk = join(dir.path, 'disk');
    const image = join(dir.path, 'image');
    mkdirSync(disk);
    execFileSync('truncate', ['-s', '64M', image]);
    execFileSync('mkfs.ext4', ['-q', '-F', image]);
    const config = writeConfig(
      dir,
      port,
      `accessLog: {filePath: ${disk}/access.log, format: json}\nlog: {filePath: ${disk}/proxy.log, level: DEBUG}`,
    );
    const script = `mount -o loop ${image} ${disk} && exec ${COMMAND} run --config ${config} --workers 1`;
    const child = startChild('unshare', ['-m', 'sh', '-c', script]);
    await waitUntilAccepting(child, '127.0.0.1', port);
    const seen = join(`/proc/${child.pid}/root`, disk);
    // It thaws when its standard input ends, whatever becomes of this process.
    const freezer = spawn('sh', ['-c', `fsfreeze -f ${seen} && echo frozen; read -r _; fsfreeze -u ${seen}`]);
    const thawed = new Promise((resolve) => freezer.once('exit', resolve));
    try {
      await new Promise((resolve) => freezer.stdout.once('data', resolve));
      // More than may wait, by far.
      await send(port, 12_000);
    } finally {
      freezer.stdin.end();
      await thawed;
    }
    const counted = (): number => {
      const status = execFileSync(COMMAND, ['status', '--config', config, '--json'], { encoding: 'utf8' });
      return (JSON.parse(status) as { requests: { accessLogDropped: number } }).requests.accessLogDropped;
    };
    const written = (): number =>
      parseAccessLines(readFileSync(join(seen, 'access.log'), 'utf8'), 'the disk that hung').length;
    await waitFor('every line, written or counted', () => written() + counted() === 12_000, {
      describe: () => `${written()} written, ${counted()} lost`,
      intervalMs: 200,
    });
    expect(counted()).toBeGreaterThan(0);
    expect(await child.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('standard output whose reader is stuck', () => {
  /** Sends until far more has been logged than any buffer holds, then stops the proxy. */
  async function survive(child: { readonly exit: Promise<unknown>; kill(signal: 'SIGTERM'): void }, port: number) {
    await send(port, 12_000);
    const from = performance.now();
    child.kill('SIGTERM');
    const code = await child.exit;
    expect(performance.now() - from).toBeLessThan(40_000);
    return code;
  }

  it('a pipe: requests go on, lines are lost, the process ends in time', async () => {
    await using dir = await tempDir();
    const port = await freePort();
    const config = writeConfig(dir, port, 'accessLog: {format: json}\nlog: {level: DEBUG}');
    const fifo = join(dir.path, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const end = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const child = spawn(COMMAND, ['run', '--config', config, '--workers', '1'], { stdio: ['ignore', end, 'inherit'] });
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      await accepting(port);
      expect(await survive({ exit, kill: (signal) => void child.kill(signal) }, port)).toBe(0);
    } finally {
      child.kill('SIGKILL');
      closeSync(end);
    }
  });

  it('a socket, as of systemd: the same', async () => {
    await using dir = await tempDir();
    const port = await freePort();
    const config = writeConfig(dir, port, 'accessLog: {format: json}\nlog: {level: DEBUG}');
    // What Node makes of 'pipe' is a socket, and nobody reads it.
    const child = spawn(COMMAND, ['run', '--config', config, '--workers', '1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      await accepting(port);
      expect(await survive({ exit, kill: (signal) => void child.kill(signal) }, port)).toBe(0);
    } finally {
      child.kill('SIGKILL');
      child.stdout.destroy();
    }
  });
});

async function accepting(port: number): Promise<void> {
  await waitFor('the proxy', () => send(port, 1).then(() => true));
}

describe('standard output', () => {
  const start = async (dir: TempDir, logs: string): Promise<{ child: Child; port: number }> => {
    const port = await freePort();
    const child = startChild(COMMAND, ['run', '--config', writeConfig(dir, port, logs), '--workers', '1']);
    await waitUntilAccepting(child, '127.0.0.1', port);
    return { child, port };
  };

  it('has the lines of the files as well where that is wanted', async () => {
    await using dir = await tempDir();
    const { child, port } = await start(
      dir,
      `accessLog: {filePath: ${dir.path}/new/access.log, stdout: true, format: json}\nlog: {filePath: ${dir.path}/new/proxy.log, stdout: true, format: json}`,
    );
    await send(port, 3, '/both');
    await waitFor('the lines', () => child.output().split('"/both"').length === 4);
    await child.stop();
    const access = readFileSync(join(dir.path, 'new/access.log'), 'utf8');
    expect(parseAccessLines(access, 'access.log')).toHaveLength(3);
    for (const line of access.trim().split('\n')) expect(child.output()).toContain(line);
    const log = readFileSync(join(dir.path, 'new/proxy.log'), 'utf8');
    expect(log).toMatch(/"message":"ready: /);
    for (const line of log.trim().split('\n')) expect(child.output()).toContain(line);
  });

  it.runIf(spawnSync('script', ['--version']).status === 0)('is for people where it is a terminal', async () => {
    await using dir = await tempDir();
    const port = await freePort();
    const config = writeConfig(dir, port, `accessLog: {format: json}\nlog: {format: json}`);
    const command = `exec ${COMMAND} run --config ${config} --workers 1`;
    const child = startChild('script', ['-qefc', command, '/dev/null']);
    await waitUntilAccepting(child, '127.0.0.1', port);
    await send(port, 1, '/terminal');
    for (const line of [/\x1b\[32mINF\x1b\[0m ready: /, /127\.0\.0\.1 - - \[.*\] "GET \/terminal HTTP\/1\.1" 200 /]) {
      await waitFor(`a line like ${line}`, () => line.test(child.output()), { describe: child.output });
    }
    expect(child.output()).not.toContain('{"');
    await child.stop();
  });
});

it('a log file that is a directory is one clear line, and exit code 1', async () => {
  await using dir = await tempDir();
  const config = writeConfig(dir, await freePort(), `accessLog: {filePath: ${dir.path}}`);
  expect(statSync(dir.path).isDirectory()).toBe(true);
  const child = startChild(COMMAND, ['run', '--config', config]);
  expect((await child.exit).code).toBe(1);
  expect(child.output()).toContain(
    `accessLog.filePath: cannot write to ${dir.path}: it is a directory; name a file in it`,
  );
  expect(child.output()).not.toMatch(/^\s+at /m);
});
