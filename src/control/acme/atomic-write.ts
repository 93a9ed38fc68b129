import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, readdir, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** For the owner alone: what is written here holds private keys. */
const MODE = 0o600;

/**
 * Replaces a file so that at every moment the old or the new content is there whole: temporary file, fsync, rename, fsync of
 * the directory. Owner and group stay. Where the file is a mount point of its own (a container's `-v ./acme.json:/acme.json`),
 * or its directory is closed to us, it is written in place.
 *
 * @param backup a path that the old file is kept under
 * @returns whether it was written in place, and is not whole when the machine stops meanwhile
 * @throws Error of node:fs; the old file is as it was, unless that failed that was written in place
 */
export async function replaceFile(path: string, text: string, backup?: string): Promise<{ readonly inPlace: boolean }> {
  const target = await realpath(path).catch(orThrow('ENOENT', path));
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    const old = await lstat(target).catch(orThrow('ENOENT', null));
    await writeNew(temporary, text, old);
    if (old !== null && backup !== undefined) await keep(target, backup);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // The first error is the one to tell.
    if (!isCode(error, 'EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS')) throw error;
    await writeInPlace(target, text, error);
    return { inPlace: true };
  }
  await syncDirectory(dirname(target));
  return { inPlace: false };
}

/**
 * Removes what {@link replaceFile} left of this file, its backup and its `.orders` in a process that was killed meanwhile. To
 * be called under the file's lock. Never throws: what cannot be removed is in nobody's way.
 */
export async function sweepTemporaries(path: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  for (const file of new Set([path, target])) {
    const names = await readdir(dirname(file)).catch(() => []);
    for (const name of names) {
      if (!name.startsWith(`${basename(file)}.`)) continue;
      const pid = /^(?:bak\.|orders\.)?(\d+)\.tmp$/.exec(name.slice(basename(file).length + 1))?.[1];
      if (pid === undefined || Number(pid) === process.pid) continue;
      await rm(join(dirname(file), name), { force: true }).catch(() => undefined);
    }
  }
}

/** Moves a file aside under a name that nothing has yet. @returns the new name; null where there was no file */
export async function moveAside(path: string, suffix: string): Promise<string | null> {
  for (let n = 0; ; n++) {
    const aside = `${path}.${suffix}${n === 0 ? '' : `-${n}`}`;
    try {
      await link(path, aside);
      await rm(path);
      return aside;
    } catch (error) {
      if (isCode(error, 'ENOENT')) return null;
      if (!isCode(error, 'EEXIST') || n > 100) throw error;
    }
  }
}

async function writeNew(path: string, text: string, like: { uid: number; gid: number } | null): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, 'wx', MODE);
  try {
    if (like !== null) await keepOwner(file, like);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function keepOwner(file: FileHandle, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  const now = await file.stat();
  if (now.uid === uid && now.gid === gid) return;
  // Only root may give files away. Who else may replace the file owns it by then, and can read it.
  await file.chown(uid, gid).catch(orThrow('EPERM', undefined));
}

/** The backup is a second name of the old file: nothing is copied, and there is a backup at every moment once there was one. */
async function keep(path: string, backup: string): Promise<void> {
  const next = `${backup}.${process.pid}.tmp`;
  await rm(next, { force: true });
  await link(path, next);
  await rename(next, backup);
}

async function writeInPlace(path: string, text: string, cause: unknown): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDWR);
  } catch {
    throw cause;
  }
  try {
    const bytes = Buffer.from(text);
    await file.write(bytes, 0, bytes.length, 0);
    await file.truncate(bytes.length);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function orThrow<T>(code: string, value: T): (error: unknown) => T {
  return (error) => {
    if (isCode(error, code)) return value;
    throw error;
  };
}

/** Whether an error of node:fs has one of these codes. */
export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}
