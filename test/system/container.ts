import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../support/wait-for.ts';

/** Where the release archive is unpacked in each container. */
export const RELEASE = '/srv/release';

const PREFIX = 'phoenix-system-';
/** Whose the container is: a process id and the container's name. */
const OWNER = 'owner';

/** What a command in the container did. */
export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A container with a systemd as process 1 and a loopback network alone. Root in it is root outside: it is a stage for the
 * test, not a wall.
 */
export class Container {
  readonly #name = `phoenix-system-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  readonly #directory = mkdtempSync(join(tmpdir(), PREFIX));

  /**
   * @param archive of the release, to be unpacked; absent: the bare system
   * @throws Error with the console's output where systemd does not come up
   */
  static async start(rootfs: string, archive?: string): Promise<Container> {
    const container = new Container();
    try {
      await container.#start(rootfs, archive);
    } catch (error) {
      await container.destroy();
      throw error;
    }
    return container;
  }

  async #start(rootfs: string, archive?: string): Promise<void> {
    await removeForgotten();
    writeFileSync(join(this.#directory, OWNER), `${process.pid} ${this.#name}`);
    mkdirSync(this.#path(''));
    execFileSync('tar', ['--extract', `--file=${rootfs}`, `--directory=${this.#path('')}`]);
    const config = join(this.#directory, 'config');
    writeFileSync(
      config,
      [
        `lxc.uts.name = phoenix`,
        `lxc.rootfs.path = dir:${this.#path('')}`,
        'lxc.net.0.type = empty',
        'lxc.apparmor.profile = unconfined',
        'lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed',
        '',
      ].join('\n'),
    );
    const console = join(this.#directory, 'console');
    execFileSync('lxc-start', [...this.#which, '--rcfile', config, '--console-log', console], { timeout: 30_000 });
    await waitFor(
      'systemd to be up',
      async () => /^(running|degraded)/.test((await this.run('systemctl is-system-running')).stdout),
      { timeoutMs: 60_000, intervalMs: 200, describe: () => readFileSync(console, 'utf8').slice(-2000) },
    );
    if (archive === undefined) return;
    // What the test's own programs run on: the release's Node, away from where it is installed.
    this.write(
      '/opt/test/node',
      `#!/bin/sh\nLD_LIBRARY_PATH=${RELEASE}/lib exec ${RELEASE}/node_modules/node-linux-*/bin/node "$@"\n`,
      0o755,
    );
    this.#unpack(archive);
    for (const program of ['upstream.mjs', 'load.mjs', 'traefik-stand-in.mjs'])
      this.copy(fileURLToPath(new URL(`./programs/${program}`, import.meta.url)), `/opt/test/${program}`);
  }

  /** Runs a shell command as root. Does not throw for its exit code. */
  run(command: string, timeoutMs = 120_000): Promise<Done> {
    const args = [...this.#which, '--clear-env', '--', '/usr/bin/env', 'LC_ALL=C', '/bin/sh', '-c', command];
    return new Promise((resolve) => {
      const child = execFile('lxc-attach', args, { timeout: timeoutMs, maxBuffer: 64e6 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
      });
      child.stdin?.end();
    });
  }

  /** Runs a shell command that must succeed. @returns its output, trimmed. @throws Error with all it wrote */
  async ok(command: string, timeoutMs?: number): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, timeoutMs);
    if (code !== 0) throw new Error(`${command}: exit code ${code}\n${stdout}${stderr}`);
    return stdout.trim();
  }

  write(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.#path(path)), { recursive: true });
    writeFileSync(this.#path(path), text);
    chmodSync(this.#path(path), mode);
  }

  copy(from: string, path: string, mode = 0o644): void {
    mkdirSync(dirname(this.#path(path)), { recursive: true });
    copyFileSync(from, this.#path(path));
    chmodSync(this.#path(path), mode);
  }

  #unpack(archive: string): void {
    const directory = this.#path(RELEASE);
    mkdirSync(directory, { recursive: true });
    execFileSync('tar', ['--extract', `--file=${archive}`, `--directory=${directory}`, '--strip-components=1']);
  }

  /** Ends everything in it and removes it. */
  destroy(): Promise<void> {
    return destroy(this.#directory, this.#name);
  }

  get #which(): string[] {
    return ['--lxcpath', this.#directory, '--name', this.#name];
  }

  #path(path: string): string {
    return join(this.#directory, 'rootfs', path);
  }
}

async function destroy(directory: string, name: string): Promise<void> {
  const args = ['--lxcpath', directory, '--name', name, '--kill'];
  await new Promise((resolve) => execFile('lxc-stop', args, { timeout: 30_000 }, resolve));
  rmSync(directory, { recursive: true, force: true });
}

/** A test that was killed has left its container running. */
async function removeForgotten(): Promise<void> {
  for (const entry of readdirSync(tmpdir()).filter((one) => one.startsWith(PREFIX))) {
    const directory = join(tmpdir(), entry);
    const owner = join(directory, OWNER);
    if (!existsSync(owner)) continue;
    const [pid = '', name = ''] = readFileSync(owner, 'utf8').split(' ');
    if (!existsSync(`/proc/${pid}`)) await destroy(directory, name);
  }
}
