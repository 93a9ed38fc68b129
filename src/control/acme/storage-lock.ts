import { DatabaseSync } from 'node:sqlite';
import { pause } from './clock.ts';
import type { Clock } from './types.ts';

const POLL_MS = 200;

/**
 * A lock that the kernel takes back when its process ends, in whatever way. Node has no flock; SQLite locks its files with
 * fcntl, also over a shared volume, and an empty database is an empty file.
 */
export class StorageLock {
  readonly #path: string;
  readonly #clock: Clock;
  #database: DatabaseSync | null = null;

  /** @param path of the lock file; made if need be, and left behind empty */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /**
   * Waits until no other process has it.
   *
   * @param onWait called once if another one has
   * @throws Error where the file cannot be made or the filesystem has no locks; the signal's reason
   */
  async acquire(signal: AbortSignal, onWait: () => void): Promise<void> {
    let waited = false;
    while (!this.#try()) {
      if (!waited) onWait();
      waited = true;
      await pause(this.#clock, POLL_MS, signal);
    }
  }

  release(): void {
    this.#database?.close();
    this.#database = null;
  }

  #try(): boolean {
    const database = new DatabaseSync(this.#path, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if ((error as { errcode?: number }).errcode === 5) return false; // SQLITE_BUSY
      throw error;
    }
    this.#database = database;
    return true;
  }
}
