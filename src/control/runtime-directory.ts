import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Where running proxies are found. Each has a directory of its own below a base directory, named by its process id:
 *
 *   /run/phoenix-proxy/4711/control.sock    commands (0660: the operator's group may speak to it)
 *                          /internal.sock   the workers' way to api@internal and its like (0600)
 */
const NAME = 'phoenix-proxy';
/** `sun_path` of Linux, without its closing NUL, less the longest name that we put below. */
const MAX_DIRECTORY_PATH = 107 - '/internal.sock'.length;

/**
 * The base directories, best first: what the service manager made for us, then the system's, then the user's own.
 *
 * @param env `RUNTIME_DIRECTORY` as systemd sets it, `XDG_RUNTIME_DIR`, `TMPDIR`
 */
export function runtimeBases(env: NodeJS.ProcessEnv): readonly string[] {
  const given = env.RUNTIME_DIRECTORY?.split(':')[0] ?? '';
  if (given !== '') return [given];
  const user = process.getuid?.() ?? 0;
  const xdg = env.XDG_RUNTIME_DIR ?? '';
  return [
    ...(user === 0 ? [`/run/${NAME}`] : []),
    ...(xdg === '' ? [] : [join(xdg, NAME)]),
    join(tmpdir(), `${NAME}-${user}`),
  ];
}

/**
 * Makes the directory for this process's sockets, and removes those that killed processes of this user left behind.
 *
 * @returns its path; mode 0750
 */
export function makeRuntimeDirectory(env: NodeJS.ProcessEnv): string {
  for (const base of runtimeBases(env)) {
    const path = join(base, String(process.pid));
    if (Buffer.byteLength(path) > MAX_DIRECTORY_PATH || !makeBase(base)) continue;
    removeDead(base);
    try {
      // Left by a process that had our number: its owner was looked at.
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path, { mode: 0o750 });
      chmodSync(path, 0o750);
      return path;
    } catch {
      // Read-only, or somebody else's: the next one.
    }
  }
  return mkdtempSync(join(tmpdir(), `${NAME}-${process.pid}-`));
}

/** Whether there is a directory that belongs to us, or to root: nobody else may put sockets before our users. */
function makeBase(base: string): boolean {
  try {
    mkdirSync(base, { recursive: true, mode: 0o755 });
    const stat = lstatSync(base);
    return stat.isDirectory() && (stat.uid === process.getuid?.() || stat.uid === 0);
  } catch {
    return false;
  }
}

function removeDead(base: string): void {
  for (const name of readdirSync(base)) {
    const path = join(base, name);
    if (/^[1-9]\d*$/.test(name) && !isAlive(Number(name)) && isOurs(path))
      rmSync(path, { recursive: true, force: true });
  }
}

/** Whether a process of that number runs, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, as somebody else's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function isOurs(path: string): boolean {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === process.getuid?.();
  } catch {
    // Gone meanwhile: another process has removed it.
    return false;
  }
}
