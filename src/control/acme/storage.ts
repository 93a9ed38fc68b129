import { AcmeError } from './acme-error.ts';
import {
  type AcmeTree,
  readAccount,
  readCertificates,
  removeCertificate,
  type StoredAccount,
  writeAccount,
  writeCertificate,
} from './acme-json.ts';
import { replaceFile, sweepTemporaries } from './atomic-write.ts';
import type { HeldCertificate } from './held-certificate.ts';
import { setKey } from './names.ts';
import { PendingOrders } from './pending-orders.ts';
import { type SayOnce, sayOnce } from './say-once.ts';
import { explain, StorageFile } from './storage-file.ts';
import { StorageLease } from './storage-lease.ts';
import { StorageLock } from './storage-lock.ts';
import type { AcmeLog, Clock } from './types.ts';

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
const CLOSE_WITHIN_MS = 3_000;

export interface StorageOptions {
  readonly log: AcmeLog;
  readonly clock: Clock;
  /** For tests. */
  readonly write?: typeof replaceFile;
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
  readonly #file: StorageFile;
  readonly #lease: StorageLease;
  readonly #say: SayOnce;
  readonly #closing = new AbortController();
  readonly #changes = new Map<string, Change>();
  #tree: AcmeTree = {};
  /** What {@link certificates} gave, by resolver: reading thousands of them takes a while. */
  readonly #read = new Map<string, Map<string, HeldCertificate>>();
  #writeError: string | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #flushQueued = false;
  #failures = 0;
  #swept = false;
  #cancelRetry: (() => void) | null = null;

  constructor(path: string, { log, clock, write = replaceFile }: StorageOptions) {
    this.#file = new StorageFile(path, log, write);
    this.path = this.#file.path;
    this.#log = log;
    this.#say = sayOnce(log);
    this.#clock = clock;
    this.orders = new PendingOrders(`${this.path}.orders`, log);
    this.#lease = new StorageLease(new StorageLock(`${this.path}.lock`, clock), {
      taken: async () => {
        if (!this.#swept) await sweepTemporaries(this.path);
        this.#swept = true;
        await this.orders.load(clock.now());
        await this.#refresh();
      },
      unlocked: (why) => {
        const risk = 'two proxies on it may both order';
        this.#say('warn', `${this.path} cannot be locked against other processes: ${why}; ${risk}`);
      },
    });
  }

  /** Reads the file. Never throws: what is wrong is said, and in {@link error}. */
  async open(): Promise<void> {
    await this.#refresh();
  }

  /** Why the file cannot be read or written now. */
  get error(): string | undefined {
    return this.#file.error ?? this.#writeError;
  }

  account(resolver: string): StoredAccount | null {
    return readAccount(this.#tree, resolver, (problem) => this.#say('error', `${this.path}: ${problem}`));
  }

  /** By {@link setKey}. */
  certificates(resolver: string): ReadonlyMap<string, HeldCertificate> {
    const before = this.#read.get(resolver);
    if (before !== undefined) return before;
    const certificates = readCertificates(this.#tree, resolver, (problem) =>
      this.#say('warn', `${this.path}: resolver \`${resolver}\`: ${problem}; it is left as it is`),
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
  lease(signal: AbortSignal, onWait: () => void): Promise<() => void> {
    return this.#lease.take(signal, onWait);
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
    this.#lease.close();
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
      const written = new Map(this.#changes);
      await this.#file.write(this.#tree);
      for (const [what, change] of written) if (this.#changes.get(what) === change) this.#changes.delete(what);
    } finally {
      release();
    }
    if (this.#writeError !== undefined) this.#log('info', `${this.path} is written again: every certificate is stored`);
    this.#writeError = undefined;
    this.#failures = 0;
  }

  #failed(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const delay = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
    const message = `${this.path} cannot be written: ${explain(error as Error)}`;
    // What keeps it from being read is said already.
    if (this.#writeError !== message && this.#file.error === undefined) {
      this.#log('error', `${message}; new certificates are served from memory alone, and it is tried again`);
    }
    this.#writeError = message;
    this.#cancelRetry = this.#clock.after(delay, () => void this.#flush());
  }

  /** Reads the file, if it is not what was last seen, and puts what is not yet written over it. */
  async #refresh(): Promise<void> {
    const tree = await this.#file.read(Object.keys(this.#tree).length === 0);
    if (tree === null) return;
    this.#tree = tree;
    this.#read.clear();
    for (const change of this.#changes.values()) change(tree);
  }
}
