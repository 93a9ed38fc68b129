import { chmod, type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AcmeError } from './acme-error.ts';
import {
  type AcmeTree,
  formatAcmeJson,
  parseAcmeJson,
  readAccount,
  readCertificates,
  removeCertificate,
  type StoredAccount,
  writeAccount,
  writeCertificate,
} from './acme-json.ts';
import { isCode, moveAside, replaceFile } from './atomic-write.ts';
import type { HeldCertificate } from './held-certificate.ts';
import { setKey } from './names.ts';
import { PendingOrders } from './pending-orders.ts';
import { StorageLock } from './storage-lock.ts';
import type { AcmeLog, Clock } from './types.ts';

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
const CLOSE_WITHIN_MS = 3_000;
const MAX_SAID = 1_000;

export interface StorageOptions {
  readonly log: AcmeLog;
  readonly clock: Clock;
  /** For tests. */
  readonly write?: typeof replaceFile;
}

/** What the file was when it was last read or written. */
interface Seen {
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

type Change = (tree: AcmeTree) => void;

/**
 * One storage file, which several resolvers may share, and other processes too.
 *
 *   memory = the file as last read + the changes not yet written
 *   write  = lock ─► read again if it changed ─► the changes ─► replace ─► unlock
 *
 * A file that cannot be read is never written over. While it cannot be written, memory goes on and the write is tried again.
 */
export class AcmeStorage {
  /** Orders under way, under the same lock. */
  readonly orders: PendingOrders;
  readonly path: string;
  readonly #log: AcmeLog;
  readonly #clock: Clock;
  readonly #write: typeof replaceFile;
  readonly #lock: StorageLock;
  readonly #closing = new AbortController();
  readonly #changes = new Map<string, Change>();
  readonly #said = new Set<string>();
  #tree: AcmeTree = {};
  /** What {@link certificates} gave, by resolver: reading thousands of them takes a while. */
  readonly #read = new Map<string, Map<string, HeldCertificate>>();
  #seen: Seen | null = null;
  #readError: string | undefined;
  #writeError: string | undefined;
  /** The file is torn: it is moved aside before the next write. */
  #torn = false;
  #holders = 0;
  #taking: Promise<void> | null = null;
  #taken = false;
  #flushing: Promise<void> = Promise.resolve();
  #flushQueued = false;
  #failures = 0;
  #cancelRetry: (() => void) | null = null;

  constructor(path: string, { log, clock, write = replaceFile }: StorageOptions) {
    this.path = resolve(path);
    this.#log = log;
    this.#clock = clock;
    this.#write = write;
    this.#lock = new StorageLock(`${this.path}.lock`, clock);
    this.orders = new PendingOrders(`${this.path}.orders`, log);
  }

  /** Reads the file. Never throws: what is wrong is said, and in {@link error}. */
  async open(): Promise<void> {
    await this.#refresh();
  }

  /** Why the file cannot be read or written now. */
  get error(): string | undefined {
    return this.#readError ?? this.#writeError;
  }

  account(resolver: string): StoredAccount | null {
    return readAccount(this.#tree, resolver, (problem) => this.#sayOnce('error', `${this.path}: ${problem}`));
  }

  /** By {@link setKey}. */
  certificates(resolver: string): ReadonlyMap<string, HeldCertificate> {
    const before = this.#read.get(resolver);
    if (before !== undefined) return before;
    const certificates = readCertificates(this.#tree, resolver, (problem) =>
      this.#sayOnce('warn', `${this.path}: resolver \`${resolver}\`: ${problem}; it is left as it is`),
    );
    this.#read.set(resolver, certificates);
    return certificates;
  }

  /** Whether the certificate of these names is on disk as it is in memory. */
  isStored(key: string): boolean {
    return !this.#changes.has(`certificate ${key}`);
  }

  /** Each of these resolves with whether the change is on disk; one that is not stays in memory and is tried again. */
  putAccount(resolver: string, account: StoredAccount, keyType: string): Promise<boolean> {
    return this.#change(`account ${resolver}`, (tree) => writeAccount(tree, resolver, account, keyType));
  }

  putCertificate(held: HeldCertificate): Promise<boolean> {
    const key = setKey(held.resolver, held.names);
    this.#read.get(held.resolver)?.set(key, held);
    return this.#change(`certificate ${key}`, (tree) => writeCertificate(tree, held));
  }

  removeCertificate(held: HeldCertificate): Promise<boolean> {
    const key = setKey(held.resolver, held.names);
    this.#read.delete(held.resolver);
    return this.#change(`certificate ${key}`, (tree) => removeCertificate(tree, held.resolver, key, held.notAfter));
  }

  /**
   * Keeps other processes from ordering at the same time. When it resolves, memory is what the file says now. Shared by all of
   * this process; the last one to release gives it up.
   *
   * @param onWait called if another process has it
   * @throws the signal's reason
   */
  async lease(signal: AbortSignal, onWait: () => void): Promise<() => void> {
    this.#holders++;
    const release = once(() => this.#release());
    try {
      this.#taking ??= this.#take(onWait);
      await unlessAborted(this.#taking, signal);
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  /** Writes what is still to be written, once, and gives the lock up. */
  async close(): Promise<void> {
    this.#cancelRetry?.();
    if (this.#changes.size > 0) void this.#flush();
    const settled = Promise.all([this.#flushing, this.orders.settled()]);
    // Another process may have the lock, for as long as its orders take.
    await Promise.race([settled, new Promise((done) => setTimeout(done, CLOSE_WITHIN_MS).unref())]);
    this.#closing.abort(new AcmeError('closed', 'the proxy is stopping'));
    this.#cancelRetry?.();
    this.#lock.release();
  }

  async #take(onWait: () => void): Promise<void> {
    try {
      await this.#lock.acquire(this.#closing.signal, onWait);
    } catch (error) {
      if (this.#closing.signal.aborted) throw error;
      this.#sayOnce(
        'warn',
        `${this.path} cannot be locked against other processes: ${(error as Error).message}; two proxies on it may both order`,
      );
    }
    await this.orders.load(this.#clock.now());
    await this.#refresh();
    this.#taken = true;
    if (this.#holders === 0) this.#unlock();
  }

  #release(): void {
    this.#holders--;
    // While it is still being taken, taking it ends with this.
    if (this.#holders === 0 && this.#taken) this.#unlock();
  }

  #unlock(): void {
    this.#taken = false;
    this.#taking = null;
    this.#lock.release();
  }

  #change(what: string, change: Change): Promise<boolean> {
    this.#changes.set(what, change);
    change(this.#tree);
    return this.#flush().then(() => this.#changes.get(what) !== change);
  }

  /** What changes while one write runs is written by the next one, together. */
  #flush(): Promise<void> {
    if (this.#flushQueued) return this.#flushing;
    this.#flushQueued = true;
    this.#flushing = this.#flushing.then(async () => {
      this.#flushQueued = false;
      this.#cancelRetry?.();
      this.#cancelRetry = null;
      await this.#writeOut().catch((error: unknown) => this.#failed(error));
    });
    return this.#flushing;
  }

  async #writeOut(): Promise<void> {
    const release = await this.lease(this.#closing.signal, () => undefined);
    try {
      await this.#refresh();
      if (this.#readError !== undefined) throw new AcmeError('local', this.#readError);
      const written = new Map(this.#changes);
      if (this.#torn) await this.#setAside();
      const { inPlace } = await this.#write(this.path, formatAcmeJson(this.#tree), `${this.path}.bak`);
      if (inPlace) {
        const why = 'it is mounted by itself, or its directory may not be written';
        this.#sayOnce(
          'warn',
          `${this.path} is written in place, because ${why}: put a directory there, for writes that cannot tear`,
        );
      }
      for (const [what, change] of written) if (this.#changes.get(what) === change) this.#changes.delete(what);
      this.#seen = await this.#look();
      if (this.#writeError !== undefined)
        this.#log('info', `${this.path} is written again: every certificate is stored`);
      this.#writeError = undefined;
      this.#failures = 0;
    } finally {
      release();
    }
  }

  #failed(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const delay = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
    const message = `${this.path} cannot be written: ${explain(error as Error)}`;
    if (this.#writeError !== message) {
      this.#log('error', `${message}; new certificates are served from memory alone, and it is tried again`);
    }
    this.#writeError = message;
    this.#cancelRetry = this.#clock.after(delay, () => void this.#flush());
  }

  /** Reads the file, if it is not what was last seen, and puts what is not yet written over it. */
  async #refresh(): Promise<void> {
    let text: string;
    try {
      const seen = await this.#look();
      if (seen === null) {
        if (this.#seen !== null)
          this.#sayOnce('warn', `${this.path} is gone: it is written again with the next change`);
        this.#readError = undefined;
        return;
      }
      if (same(seen, this.#seen)) return;
      text = await readFile(this.path, 'utf8');
      this.#seen = seen;
    } catch (error) {
      this.#cannotRead(explain(error as Error));
      return;
    }
    await this.#restrictMode();
    const tree = await this.#parse(text);
    if (tree === null) return;
    this.#readError = undefined;
    this.#tree = tree;
    this.#read.clear();
    for (const change of this.#changes.values()) change(tree);
  }

  /** Null: the tree in memory stays. */
  async #parse(text: string): Promise<AcmeTree | null> {
    const backup = `${this.path}.bak`;
    try {
      const tree = parseAcmeJson(text);
      if (text.trim() !== '') {
        this.#torn = false;
        return tree;
      }
      // An empty file is how many begin (touch, chmod 600); it is a loss where there was more before.
      const before = await this.#readBackup(backup);
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
      const before = Object.keys(this.#tree).length === 0 ? await this.#readBackup(backup) : null;
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
    if (this.#readError !== message) {
      this.#log('error', `${message}; it is left as it is, and new certificates are served from memory alone`);
    }
    this.#readError = message;
  }

  /** Private keys are in it. Traefik refuses to start over this. */
  async #restrictMode(): Promise<void> {
    const { mode } = await stat(this.path);
    if ((mode & 0o077) === 0) return;
    const was = (mode & 0o777).toString(8);
    try {
      await chmod(this.path, 0o600);
      this.#log('warn', `${this.path} holds private keys and could be read by others (mode ${was}): it is 600 now`);
    } catch (error) {
      this.#sayOnce(
        'error',
        `${this.path} holds private keys and can be read by others (mode ${was}): ${(error as Error).message}`,
      );
    }
  }

  async #look(): Promise<Seen | null> {
    let file: FileHandle;
    try {
      file = await open(this.path, 'r');
    } catch (error) {
      if (isCode(error, 'ENOENT')) return null;
      if (isCode(error, 'EACCES', 'EPERM')) throw new Error(await this.#owner(), { cause: error });
      throw error;
    }
    try {
      const { ino, size, mtimeNs } = await file.stat({ bigint: true });
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

  #sayOnce(level: 'warn' | 'error', message: string): void {
    if (this.#said.has(message)) return;
    if (this.#said.size >= MAX_SAID) this.#said.clear();
    this.#said.add(message);
    this.#log(level, message);
  }
}

function same(a: Seen, b: Seen | null): boolean {
  return b !== null && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

function explain(error: Error): string {
  if (isCode(error, 'ENOSPC', 'EDQUOT')) return 'the disk is full';
  if (isCode(error, 'EROFS')) return 'its filesystem is read-only';
  if (isCode(error, 'ENOENT')) return 'its directory does not exist';
  return error.message;
}

function once(call: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    call();
  };
}

/** @throws the signal's reason, without waiting for the promise */
async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw signal.reason;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
