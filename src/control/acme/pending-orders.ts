import { readFile } from 'node:fs/promises';
import { AcmeError } from './acme-error.ts';
import { isCode, replaceFile } from './atomic-write.ts';
import type { AcmeLog } from './types.ts';

/** RFC 8555 leaves it to the CA how long an order lives; none keeps one for longer. */
const FORGET_AFTER_MS = 7 * 86_400_000;

/** An order that the CA knows of, with the key that its certificate will be for. */
export interface PendingOrder {
  readonly url: string;
  /** PEM. */
  readonly key: string;
  /** The directory of the CA it was made at. */
  readonly directory: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/**
 * The orders under way, in a file beside the storage: a process that is killed between order and certificate finds there what
 * to go on with. A file of our own, because Traefik would not keep a field it does not know.
 */
export class PendingOrders {
  readonly #path: string;
  readonly #log: AcmeLog;
  #orders = new Map<string, PendingOrder>();
  #writing: Promise<void> = Promise.resolve();
  #queued = false;
  #trouble: string | undefined;

  constructor(path: string, log: AcmeLog) {
    this.#path = path;
    this.#log = log;
  }

  /** Reads the file. What is unreadable or too old is forgotten: those orders are then made anew. */
  async load(now: number): Promise<void> {
    await this.#writing;
    this.#orders = new Map();
    try {
      const read = JSON.parse(await readFile(this.#path, 'utf8')) as Record<string, Partial<PendingOrder>>;
      for (const [key, order] of Object.entries(read)) {
        if (isWhole(order) && now - order.since < FORGET_AFTER_MS) this.#orders.set(key, order);
      }
    } catch (error) {
      if (isCode(error, 'ENOENT')) return;
      this.#log('warn', `${this.#path} cannot be read (${(error as Error).message}): orders that ran are made anew`);
    }
  }

  get(key: string): PendingOrder | undefined {
    return this.#orders.get(key);
  }

  /** Resolves when it is on disk, or cannot be: then only a restart in this very moment costs an order. */
  put(key: string, order: PendingOrder): Promise<void> {
    this.#orders.set(key, order);
    return this.#write();
  }

  delete(key: string): Promise<void> {
    return this.#orders.delete(key) ? this.#write() : Promise.resolve();
  }

  /** Resolves when nothing is being written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** What changes while one write runs is written by the next one, together. */
  #write(): Promise<void> {
    if (this.#queued) return this.#writing;
    this.#queued = true;
    this.#writing = this.#writing.then(async () => {
      this.#queued = false;
      const text = JSON.stringify(Object.fromEntries(this.#orders), null, 2);
      try {
        await replaceFile(this.#path, text);
        this.#trouble = undefined;
      } catch (error) {
        this.#cannotWrite((error as Error).message);
      }
    });
    return this.#writing;
  }

  /** Once for each trouble, not for each order. */
  #cannotWrite(why: string): void {
    if (this.#trouble !== why) this.#log('warn', `the orders under way cannot be kept in ${this.#path}: ${why}`);
    this.#trouble = why;
  }
}

function isWhole(order: Partial<PendingOrder> | null): order is PendingOrder {
  if (order === null || typeof order !== 'object') throw new AcmeError('local', 'it is damaged');
  const { url, key, directory, since } = order;
  return [url, key, directory].every((text) => typeof text === 'string') && typeof since === 'number';
}
