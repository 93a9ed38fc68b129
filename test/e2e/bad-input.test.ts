import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startProxy } from '../support/proxy.ts';
import { COMMAND, type CommandResult, runCommand } from '../support/run-command.ts';
import { type TempDir, tempDir } from '../support/temp.ts';
import { workersOf } from './setup.ts';

const IS_ROOT = process.getuid?.() === 0;
const NOBODY = '65534';

/** Runs the command as somebody without rights; as who runs the test, where that is somebody already. */
async function asNobody(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandResult> {
  if (!IS_ROOT) return runCommand(args, { env });
  const drop = ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', '--bounding-set', '-all', '--inh-caps', '-all'];
  return runCommand([...drop, COMMAND, ...args], { program: 'setpriv', env });
}

/** A directory that everybody may enter and write to, with a static file. */
async function world(text: string): Promise<TempDir & { readonly file: string }> {
  const dir = await tempDir();
  await chmod(dir.path, 0o755);
  await mkdir(join(dir.path, 'tmp'));
  await chmod(join(dir.path, 'tmp'), 0o1777);
  const file = join(dir.path, 'proxy.yml');
  await writeFile(file, text);
  return { ...dir, file };
}

function envOf(dir: TempDir): NodeJS.ProcessEnv {
  return { TMPDIR: join(dir.path, 'tmp'), XDG_RUNTIME_DIR: '', RUNTIME_DIRECTORY: '', HOME: dir.path };
}

/** Whether a child of the primary is a worker: the launcher has children too. */
function isWorker(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('worker.');
  } catch {
    return false;
  }
}

/** @returns false where the process is gone */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Of what a failed command wrote, that it is for people: one line of the command's own, and never a stack trace. */
function expectClear(result: CommandResult, code: number, line: RegExp): void {
  expect(result.stdout + result.stderr).not.toMatch(/^\s+at .*[:(]\d+/m);
  const own = result.stderr.split('\n').filter((text) => text.startsWith('proxy: '));
  expect(own).toEqual([expect.stringMatching(line)]);
  expect(result.code).toBe(code);
}

describe('bad input gets one clear line and an exit code', () => {
  it.each<[string, readonly string[], number, RegExp]>([
    [
      'a flag that does not exist',
      ['run', '--entryPoints.web.adress=:80'],
      2,
      /unknown flag `--entryPoints\.web\.adress` \(did you mean `--entryPoints\.web\.address`\?\)$/,
    ],
    ['the same without a verb', ['--confg=/x'], 2, /unknown flag `--confg` \(did you mean `--config`\?\)$/],
    [
      'a flag without its value',
      ['run', '--config'],
      2,
      /option '--config <file>' argument missing; see proxy run --help$/,
    ],
    ['a value that is none', ['run', '--workers=many'], 2, /workers/],
    ['a verb that does not exist', ['chekc'], 2, /there is no verb `chekc` \(did you mean `check`\?\)$/],
    ['an option of another verb', ['status', '--strict'], 2, /unknown option '--strict'.*; see proxy status --help$/],
    ['too many arguments', ['status', 'now'], 2, /too many arguments/],
    [
      'a static file that is not there',
      ['run', '--config', '/nonexistent/proxy.yml'],
      1,
      /the configuration file \/nonexistent\/proxy\.yml cannot be read: it does not exist$/,
    ],
    [
      'a directory in its place',
      ['run', '--config', '/tmp'],
      1,
      /\/tmp cannot be read: it is a directory: name the file in it$/,
    ],
  ])('%s', async (_, args, code, line) => {
    expectClear(await runCommand(args), code, line);
  });

  it('a static file that may not be read', async () => {
    await using dir = await world('entryPoints: {}\n');
    await chmod(dir.file, 0o000);
    const result = await asNobody(['run', '--config', dir.file], envOf(dir));
    expectClear(
      result,
      1,
      /proxy\.yml cannot be read: permission denied to uid \d+, gid \d+: make it readable with chmod or chown$/,
    );
  });

  it('a port in use: the process is named', async () => {
    const server: Server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { readonly port: number };
    const child = spawn(
      process.execPath,
      ['-e', `require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })`],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      const theirs = Number(await new Promise((resolve) => child.stdout.once('data', (data) => resolve(String(data)))));
      for (const [taken, pid, command] of [
        [port, process.pid, ''],
        [theirs, child.pid, 'createS'],
      ] as const) {
        await using dir = await world(`entryPoints: {web: {address: "127.0.0.1:${taken}"}}\n`);
        const result = await runCommand(['run', '--config', dir.file, '--workers=1'], { env: envOf(dir) });
        expectClear(
          result,
          1,
          new RegExp(
            `entry point web cannot listen on 127\\.0\\.0\\.1:${taken}: process ${pid} listens there \\(.*${command}.*\\); stop it, or take another port$`,
          ),
        );
      }
    } finally {
      child.kill('SIGKILL');
      server.close();
    }
  });

  it('a port in use by a process of another user', { skip: !IS_ROOT }, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { readonly port: number };
    await using dir = await world(`entryPoints: {web: {address: "127.0.0.1:${port}"}}\n`);
    const result = await asNobody(['run', '--config', dir.file, '--workers=1'], envOf(dir));
    server.close();
    expectClear(
      result,
      1,
      new RegExp(
        `127\\.0\\.0\\.1:${port}: another process listens there; as root, ss -ltnp 'sport = :${port}' says which$`,
      ),
    );
  });

  it('no permission for port 80', async () => {
    await using dir = await world('entryPoints: {web: {address: "127.0.0.1:80"}}\n');
    const result = await asNobody(['run', '--config', dir.file, '--workers=1'], envOf(dir));
    expectClear(result, 1, /entry point web cannot listen on 127\.0\.0\.1:80: .*CAP_NET_BIND_SERVICE/);
  });

  it('a start that fails before its workers have begun: they say nothing of a primary that is gone', async () => {
    await using dir = await world('');
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await writeFile(dir.file, `entryPoints: {web: {address: "127.0.0.1:${port}"}}\n`);
    const held = new Set<number>();
    while (held.size === 0) {
      const child = spawn(COMMAND, ['run', '--config', dir.file, '--workers=4'], {
        env: { ...process.env, ...envOf(dir) },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const ended = once(child, 'exit');
      const output = text(child.stderr);
      // They go on only when the primary is gone.
      while (child.exitCode === null && child.signalCode === null) {
        for (const worker of workersOf(child.pid!)) {
          if (!held.has(worker) && isWorker(worker) && signal(worker, 'SIGSTOP')) held.add(worker);
        }
        await sleep(1);
      }
      await ended;
      for (const worker of held) signal(worker, 'SIGCONT');
      expectClear({ code: child.exitCode, stdout: '', stderr: await output }, 1, /entry point web cannot listen/);
    }
    server.close();
  });

  it('a log file that cannot be written to', async () => {
    await using dir = await world('log: {filePath: /etc/passwd/x.log}\n');
    expectClear(await runCommand(['run', '--config', dir.file], { env: envOf(dir) }), 1, /\/etc\/passwd/);
  });

  it('a proxy that is dead, and left its control socket', async () => {
    const proxy = await startProxy({ static: { entryPoints: { web: {} } } });
    const socket = join(proxy.env.RUNTIME_DIRECTORY!, String(proxy.pid), 'control.sock');
    expect((await runCommand(['status'], { env: proxy.env })).code).toBe(0);
    // Outlives the proxy's own directory, which the harness removes.
    await using kept = await world('');
    await mkdir(join(kept.path, 'run'));
    const left = createServer().listen(join(kept.path, 'run', 'control.sock'));
    await new Promise((resolve) => left.once('listening', resolve));
    await proxy.kill9();
    expectClear(await runCommand(['status'], { env: proxy.env }), 3, /no proxy is running/);
    expectClear(await runCommand(['status', '--socket', socket]), 3, /there is no control socket/);
    left.close();
  });

  it('a control socket on which nobody listens', async () => {
    await using dir = await world('');
    const path = join(dir.path, 'control.sock');
    // A process that is killed leaves its socket: Node would remove it.
    const child = spawn(
      process.execPath,
      ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    for (const verb of ['status', 'reload', 'routes']) {
      expectClear(
        await runCommand([verb, '--socket', path]),
        3,
        /nobody listens on .*: the proxy that made it is dead$/,
      );
    }
  });

  it('a file in the place of the control socket, and a socket of something else', async () => {
    await using dir = await world('');
    expectClear(await runCommand(['status', '--socket', dir.file]), 3, /nobody listens on/);
    const path = join(dir.path, 'other.sock');
    const other = createServer((socket) => socket.end('220 smtp.example ESMTP\r\n')).listen(path);
    await new Promise((resolve) => other.once('listening', resolve));
    expectClear(await runCommand(['status', '--socket', path]), 1, /other\.sock does not answer as a proxy does$/);
    other.close();
  });

  it("another user's proxy", { skip: !IS_ROOT }, async () => {
    const proxy = await startProxy({ static: { entryPoints: { web: {} } } });
    // The way there is open, the control socket is not.
    for (const path of [proxy.dir, dirname(proxy.env.RUNTIME_DIRECTORY!), proxy.env.RUNTIME_DIRECTORY!])
      await chmod(path, 0o755);
    expectClear(
      await asNobody(['reload'], proxy.env),
      1,
      /permission denied for .*control\.sock.* Run the command as its owner, as a member of its group, or as root$/,
    );
    await chmod(proxy.env.RUNTIME_DIRECTORY!, 0o700);
    expectClear(
      await asNobody(['reload'], proxy.env),
      1,
      /permission denied for .*run.* It belongs to user 0 and group 0\. Run the command/,
    );
    await proxy.stop();
  });
});
