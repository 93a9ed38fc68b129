import { lstatSync, realpathSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { makeDirectory } from './make-directory.ts';

/**
 * Keeps what Node makes of our files (types stripped, compiled) for the next start, which is then about three times as fast.
 * The cache is code that will be run: it lies only where nobody but us, or root, can write. Where there is no such place,
 * each start does without. Workers find it by their environment.
 *
 * @param env `CACHE_DIRECTORY` as systemd sets it; `NODE_COMPILE_CACHE` where somebody chose a place
 */
export function keepCompiled(env: NodeJS.ProcessEnv): void {
  const directory = env.NODE_COMPILE_CACHE ?? privateCache(env.CACHE_DIRECTORY?.split(':')[0] ?? '');
  if (directory === null) return;
  enableCompileCache(directory);
  env.NODE_COMPILE_CACHE = directory;
}

/** @param given where the service manager made one; empty: below the user's home, as the system knows it */
export function privateCache(given: string, home: () => string = () => userInfo().homedir): string | null {
  try {
    const directory = join(given === '' ? join(home(), '.cache', 'phoenix-proxy') : given, 'compiled');
    makeDirectory(directory, 0o700);
    const path = realpathSync(directory);
    return isPrivate(path) ? path : null;
  } catch {
    // No home, read-only, full: it is a matter of speed alone.
    return null;
  }
}

/** Whether nobody else can write in it, nor put something else in its place. */
function isPrivate(path: string): boolean {
  const { uid, mode } = lstatSync(path);
  if (uid !== 0 && uid !== process.getuid?.()) return false;
  const sticky = (mode & 0o1000) !== 0;
  if ((mode & 0o022) !== 0 && !sticky) return false;
  const parent = dirname(path);
  return parent === path || isPrivate(parent);
}
