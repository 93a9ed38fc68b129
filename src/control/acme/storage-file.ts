import { constants } from 'node:fs';
import { chmod, type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AcmeError } from './acme-error.ts';
import { type AcmeTree, formatAcmeJson, parseAcmeJson } from './acme-json.ts';
import { isCode, moveAside, type replaceFile } from './atomic-write.ts';
import { type SayOnce, sayOnce } from './say-once.ts';
import type { AcmeLog } from './types.ts';

/** What the file was when it was last read or written. */
interface Seen {
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/**
 * The file of a storage on disk, with its backup. A file that is not one of ours is never written over; one that is torn is
 * moved aside before it is.
 */
export class StorageFile {
  readonly path: string;
  readonly #log: AcmeLog;
  readonly #say: SayOnce;
  readonly #write: typeof replaceFile;
  #seen: Seen | null = null;
  #torn = false;
  #error: string | undefined;

  constructor(path: string, log: AcmeLog, write: typeof replaceFile) {
    this.path = resolve(path);
    this.#log = log;
    this.#say = sayOnce(log);
    this.#write = write;
  }

  /** Why the file cannot be read now. */
  get error(): string | undefined {
    return this.#error;
  }

  /**
   * What the file holds. Null: nothing new, or nothing that can be read, so that what is in memory stays. Never throws.
   *
   * @param useBackup whether a torn file is stood in for by its backup
   */
  async read(useBackup: boolean): Promise<AcmeTree | null> {
    let text: string;
    try {
      const seen = await this.#look();
      if (seen === null) {
        if (this.#seen !== null) this.#say('warn', `${this.path} is gone: it is written again with the next change`);
        this.#error = undefined;
        return null;
      }
      // Where it could not be read, the same file may be readable by now: a chmod changes nothing of this.
      if (same(seen, this.#seen) && this.#error === undefined) return null;
      text = await readFile(this.path, 'utf8');
      this.#seen = seen;
    } catch (error) {
      this.#cannotRead(explain(error as Error));
      return null;
    }
    const tree = await this.#parse(text, useBackup);
    // Not of a file that is somebody else's.
    if (this.#error === undefined) await this.#restrictMode();
    return tree;
  }

  /** @throws Error where it cannot be written; the file is as it was */
  async write(tree: AcmeTree): Promise<void> {
    if (this.#error !== undefined) throw new AcmeError('local', this.#error);
    if (this.#torn) await this.#setAside();
    const { inPlace } = await this.#write(this.path, formatAcmeJson(tree), `${this.path}.bak`);
    this.#seen = await this.#look();
    if (!inPlace) return;
    const why = 'it is mounted by itself, or its directory may not be written';
    const hint = 'put a directory there, for writes that cannot tear';
    this.#say('warn', `${this.path} is written in place, because ${why}: ${hint}`);
  }

  async #parse(text: string, useBackup: boolean): Promise<AcmeTree | null> {
    const backup = `${this.path}.bak`;
    try {
      const tree = parseAcmeJson(text);
      if (text.trim() !== '') {
        this.#torn = false;
        this.#error = undefined;
        return tree;
      }
      // An empty file is how many begin (touch, chmod 600); it is a loss where there was more before.
      const before = await this.#readBackup(backup);
      this.#error = undefined;
      if (before === null) return tree;
      this.#log(
        'error',
        `${this.path} is empty: the certificates of ${backup} are used. To order new ones: certs renew`,
      );
      return before;
    } catch (error) {
      const { message, type } = error as AcmeError;
      if (type !== 'torn') {
        this.#cannotRead(message);
        return null;
      }
      this.#torn = true;
      this.#error = undefined;
      const before = useBackup ? await this.#readBackup(backup) : null;
      const instead = before === null ? 'what is in memory is used' : `the certificates of ${backup} are used`;
      this.#log('error', `${this.path}: ${message}; ${instead}, and the file is moved aside before it is written`);
      return before;
    }
  }

  async #readBackup(path: string): Promise<AcmeTree | null> {
    try {
      const tree = parseAcmeJson(await readFile(path, 'utf8'));
      return Object.keys(tree).length === 0 ? null : tree;
    } catch {
      // There is none, or it is no better.
      return null;
    }
  }

  async #setAside(): Promise<void> {
    const aside = await moveAside(this.path, 'damaged');
    this.#torn = false;
    if (aside !== null) this.#log('warn', `${this.path} was damaged: it is kept as ${aside}`);
  }

  #cannotRead(why: string): void {
    const message = `${this.path}: ${why}`;
    if (this.#error !== message) {
      this.#log('error', `${message}; it is left as it is, and new certificates are served from memory alone`);
    }
    this.#error = message;
  }

  /** Private keys are in it. Traefik refuses to start over this. */
  async #restrictMode(): Promise<void> {
    let was = '';
    try {
      const { mode } = await stat(this.path);
      if ((mode & 0o077) === 0) return;
      was = (mode & 0o777).toString(8);
      await chmod(this.path, 0o600);
      this.#log('warn', `${this.path} holds private keys and could be read by others (mode ${was}): it is 600 now`);
    } catch (error) {
      this.#say(
        'error',
        `${this.path} holds private keys and can be read by others (mode ${was}): ${(error as Error).message}`,
      );
    }
  }

  async #look(): Promise<Seen | null> {
    let file: FileHandle;
    try {
      // Without waiting for who writes into a pipe.
      file = await open(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (isCode(error, 'ENOENT')) return null;
      if (isCode(error, 'EACCES', 'EPERM')) throw new Error(await this.#owner(), { cause: error });
      throw error;
    }
    try {
      const found = await file.stat({ bigint: true });
      if (!found.isFile()) {
        throw new Error(`it is ${found.isDirectory() ? 'a directory' : 'no regular file'}: \`storage\` names a file`);
      }
      const { ino, size, mtimeNs } = found;
      return { ino, size, mtimeNs };
    } finally {
      await file.close();
    }
  }

  async #owner(): Promise<string> {
    const us = `uid ${process.getuid?.() ?? '?'}`;
    try {
      const { uid, gid, mode } = await stat(this.path);
      return `it may not be read by ${us}: it belongs to ${uid}:${gid}, mode ${(mode & 0o7777).toString(8)}; chown it`;
    } catch {
      return `it may not be read by ${us}, nor may its directory`;
    }
  }
}

function same(a: Seen, b: Seen | null): boolean {
  return b !== null && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/** A failure of node:fs in words. */
export function explain(error: Error): string {
  if (isCode(error, 'ENOSPC', 'EDQUOT')) return 'the disk is full';
  if (isCode(error, 'EROFS')) return 'its filesystem is read-only';
  if (isCode(error, 'ENOENT')) return 'its directory does not exist';
  return error.message;
}
