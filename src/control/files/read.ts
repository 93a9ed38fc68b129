import { hash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from './trace.ts';
import { type FileState, LIMITS, type ReadableFile } from './types.ts';

/** What tells one state of a file from another without reading it. */
export interface Stamp {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly nlink: bigint;
}

/** What is at a path: a stamp, nothing, or something that cannot even be looked at. */
export type Observation = Stamp | 'missing' | { readonly code: string };

/** Looks at a path that had no symbolic link in it; `elsewhere` where it now ends in a link or a directory, so that it has to be followed anew. */
export async function observe(path: string): Promise<Observation | 'elsewhere'> {
  try {
    const stats = await lstat(path, { bigint: true });
    return stats.isSymbolicLink() || stats.isDirectory() ? 'elsewhere' : stampOf(stats);
  } catch (error) {
    const code = errorCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : { code };
  }
}

/** Whether two observations are of the same content as far as a stamp can tell. */
export function sameObservation(a: Observation | undefined, b: Observation): boolean {
  if (a === undefined || a === 'missing' || b === 'missing') return a === b;
  if ('code' in a || 'code' in b) return 'code' in a && 'code' in b && a.code === b.code;
  return sameFile(a, b) && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

/** Whether two observations are of the same inode. */
export function sameFile(a: Stamp, b: Stamp): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

export interface ReadResult {
  /** Undefined where the file is gone. */
  readonly state: FileState | undefined;
  /** Before and after reading; they differ where someone wrote meanwhile. */
  readonly before: Observation;
  readonly after: Observation;
}

/** Reads a regular file whole, at most `LIMITS.bytes`. Never throws: a failure is a state with a message for the operator. */
export async function readWhole(path: string): Promise<ReadResult> {
  let handle: FileHandle | undefined;
  let before: Observation = 'missing';
  try {
    // Not blocking: opening a pipe must not hang the control plane.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat({ bigint: true });
    before = stampOf(stats);
    if (!stats.isFile()) return refuse('EINVAL', 'is not a regular file', before);
    if (stats.size > BigInt(LIMITS.bytes)) {
      return refuse('EFBIG', `has ${stats.size} bytes; at most ${LIMITS.bytes} are read`, before);
    }
    const bytes = await readBounded(handle, Number(stats.size));
    const after = stampOf(await handle.stat({ bigint: true }));
    if (bytes === undefined) return refuse('EFBIG', `grew beyond ${LIMITS.bytes} bytes while it was read`, after);
    return { state: contentOf(bytes), before, after };
  } catch (error) {
    const code = errorCode(error);
    const after = await observe(path);
    if (after === 'missing' || after === 'elsewhere') return { state: undefined, before: 'missing', after: 'missing' };
    return { state: await unreadable(path, code), before: after, after };
  } finally {
    await handle?.close();
  }
}

function refuse(code: string, message: string, stamp: Observation): ReadResult {
  return { state: { kind: 'unreadable', error: { code, message } }, before: stamp, after: stamp };
}

async function readBounded(handle: FileHandle, expected: number): Promise<Buffer | undefined> {
  // One byte more than expected, so that the usual file needs one read to fill and one to see its end.
  let buffer = Buffer.allocUnsafe(expected + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return Buffer.from(buffer.subarray(0, length));
    length += bytesRead;
    if (length > LIMITS.bytes) return undefined;
    if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length + 4096)]);
  }
}

function contentOf(bytes: Buffer): ReadableFile {
  let text: string | undefined;
  return {
    kind: 'ok',
    bytes,
    hash: hash('sha256', bytes, 'hex'),
    get text() {
      text ??= bytes.toString('utf8').replace(/^\uFEFF/, '');
      return text;
    },
  };
}

async function unreadable(path: string, code: string): Promise<FileState> {
  if (code !== 'EACCES' && code !== 'EPERM') {
    return { kind: 'unreadable', error: { code, message: `cannot be read: ${code}` } };
  }
  const us = `this process runs as uid ${process.getuid?.()}, gid ${process.getgid?.()}`;
  const who = await owner(path);
  // Where not even the owner can be seen, it is a directory on the way that is closed.
  const why = who ?? `a directory on the way is closed to us: ${(await owner(dirname(path))) ?? dirname(path)}`;
  const hint = 'make it readable with chmod or chown; it is then read at once';
  return { kind: 'unreadable', error: { code, message: `permission denied: ${why}; ${us}; ${hint}` } };
}

async function owner(path: string): Promise<string | undefined> {
  try {
    const { uid, gid, mode } = await stat(path);
    return `owner uid ${uid}, gid ${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`;
  } catch {
    return undefined;
  }
}

function stampOf(stats: BigIntStats): Stamp {
  const { dev, ino, size, mtimeNs, ctimeNs, nlink } = stats;
  return { dev, ino, size, mtimeNs, ctimeNs, nlink };
}
