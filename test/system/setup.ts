import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { Container } from './container.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** What containers are made of; the reason why there can be none. */
    readonly system: { readonly rootfs: string; readonly archive: string } | { readonly missing: string };
  }
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SUITE = 'trixie';
const PACKAGES = 'systemd,systemd-sysv,dbus,iproute2,curl,ca-certificates,procps';
/** Packages in it get old; the day is not known on which one matters. */
const MAX_AGE_MS = 14 * 24 * 3600 * 1000;

/** Makes the archive and, once in a while, the root file system. */
export default async function setup(project: TestProject): Promise<void> {
  const rootfs = await makeContainersPossible();
  if ('missing' in rootfs) {
    const line = '!'.repeat(100);
    console.error(`${line}\nThe system test did NOT run: ${rootfs.missing}\n${line}`);
    project.provide('system', rootfs);
    return;
  }
  execFileSync('npm', ['run', '--silent', 'release'], { cwd: ROOT, stdio: 'inherit' });
  const directory = join(ROOT, 'release');
  const archives = readdirSync(directory).filter((name) => name.endsWith('.tar.gz'));
  const [newest] = archives.sort((a, b) => mtime(join(directory, b)) - mtime(join(directory, a)));
  project.provide('system', { rootfs: rootfs.path, archive: join(directory, newest!) });
}

/** A file system, and a container that starts on it: what this machine can do is tried, not guessed. */
async function makeContainersPossible(): Promise<{ readonly path: string } | { readonly missing: string }> {
  const missing = whatIsMissing();
  if (missing !== null) return { missing };
  try {
    const path = makeRootfs();
    const container = await Container.start(path);
    await container.destroy();
    return { path };
  } catch (error) {
    return { missing: `a container cannot be made here: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function whatIsMissing(): string | null {
  if (process.getuid?.() !== 0) return 'containers with a systemd need root';
  for (const program of ['lxc-start', 'mmdebstrap']) {
    if (!finds(program)) return `${program} is not installed (apt-get install lxc mmdebstrap)`;
  }
  return existsSync('/sys/fs/cgroup') ? null : 'there are no control groups (/sys/fs/cgroup)';
}

function finds(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, program)));
}

/** @returns an archive of a Debian with systemd, kept between runs */
function makeRootfs(): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'phoenix-proxy');
  const path = join(cache, `${SUITE}.tar`);
  if (existsSync(path) && Date.now() - mtime(path) < MAX_AGE_MS) return path;
  mkdirSync(cache, { recursive: true });
  const next = `${path}.${process.pid}`;
  try {
    execFileSync('mmdebstrap', ['--quiet', '--format=tar', '--variant=minbase', `--include=${PACKAGES}`, SUITE, next], {
      stdio: 'inherit',
      timeout: 300_000,
    });
    renameSync(next, path);
  } finally {
    rmSync(next, { force: true });
  }
  return path;
}

function mtime(path: string): number {
  return statSync(path).mtimeMs;
}
