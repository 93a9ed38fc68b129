import { AcmeError } from './acme-error.ts';
import type { StorageLock } from './storage-lock.ts';

export interface LeaseEvents {
  /** The lock is ours: another process may have changed what is on disk. Awaited before anybody goes on. */
  readonly taken: () => Promise<void>;
  /** There is no lock to be had, and it goes on without. */
  readonly unlocked: (why: string) => void;
}

/** One lock for all orders of this process: the first one takes it, the last one gives it up. */
export class StorageLease {
  readonly #lock: StorageLock;
  readonly #events: LeaseEvents;
  readonly #closing = new AbortController();
  #holders = 0;
  #taking: Promise<void> | null = null;
  #taken = false;

  constructor(lock: StorageLock, events: LeaseEvents) {
    this.#lock = lock;
    this.#events = events;
  }

  /**
   * @param onWait called if another process has the lock
   * @returns gives it up
   * @throws the signal's reason
   */
  async take(signal: AbortSignal, onWait: () => void): Promise<() => void> {
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

  close(): void {
    this.#closing.abort(new AcmeError('closed', 'the proxy is stopping'));
    this.#lock.release();
  }

  async #take(onWait: () => void): Promise<void> {
    try {
      await this.#lock.acquire(this.#closing.signal, onWait);
    } catch (error) {
      if (this.#closing.signal.aborted) throw error;
      this.#events.unlocked((error as Error).message);
    }
    try {
      await this.#events.taken();
    } catch (error) {
      // Whoever comes next tries again.
      this.#giveUp();
      throw error;
    }
    this.#taken = true;
    if (this.#holders === 0) this.#giveUp();
  }

  #release(): void {
    this.#holders--;
    // While it is still being taken, taking it ends with this.
    if (this.#holders === 0 && this.#taken) this.#giveUp();
  }

  #giveUp(): void {
    this.#taken = false;
    this.#taking = null;
    this.#lock.release();
  }
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
