import { closeSync, writeSync } from 'node:fs';
import { openLog } from './open-log.ts';

const STDOUT = 1;
/** Bytes that wait for a slow reader; beyond it lines are lost rather than memory. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 50;
const SETTING = 'log.filePath';

/**
 * Where the log's lines go. They are written at once, so that a line stands there before what it tells of can end the
 * process; a pipe whose reader is stuck does not block, its lines are held for a while. (Writes by libuv's threads would:
 * a process cannot exit while one of them waits for a pipe.)
 */
export class LogDestination {
  readonly #path: string;
  readonly #complain: (problem: string) => void;
  #fd: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #retry: NodeJS.Timeout | null = null;
  #onEmpty: (() => void) | null = null;

  /**
   * @param path empty: standard output
   * @throws Error where the file cannot be written to; the message names it and says what to do
   */
  constructor(path: string, complain: (problem: string) => void) {
    this.#path = path;
    this.#complain = complain;
    this.#fd = openLog(path, SETTING);
  }

  /** @param line with its line feed */
  write(line: string): void {
    const bytes = Buffer.from(line, 'utf8');
    if (this.#heldBytes + bytes.length > MAX_HELD_BYTES) {
      this.#complain('lines are lost, since nobody reads them fast enough');
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#retry === null) this.flush();
  }

  /** Writes what is held, as far as it can be written without waiting. */
  flush(): void {
    let written = 0;
    for (; written < this.#held.length; written++) {
      const rest = this.#write(this.#held[written]!);
      if (rest === null) continue;
      this.#held[written] = rest;
      this.#retry ??= setTimeout(() => {
        this.#retry = null;
        this.flush();
      }, RETRY_MS).unref();
      break;
    }
    this.#held.splice(0, written);
    this.#heldBytes = this.#held.reduce((sum, bytes) => sum + bytes.length, 0);
    if (this.#held.length === 0) this.#onEmpty?.();
  }

  /** @throws Error where the file cannot be opened anew; the old one stays in use */
  reopen(): void {
    if (this.#path === '') return;
    const fd = openLog(this.#path, SETTING);
    closeSync(this.#fd);
    this.#fd = fd;
  }

  /** Calls `done` when all is written, or after the time given. */
  close(withinMs: number, done: () => void): void {
    const finish = (): void => {
      clearTimeout(timer);
      this.#onEmpty = null;
      if (this.#retry !== null) clearTimeout(this.#retry);
      if (this.#heldBytes > 0) this.#complain('lines are lost, since nobody reads them');
      if (this.#fd !== STDOUT) closeSync(this.#fd);
      done();
    };
    const timer = setTimeout(finish, withinMs);
    this.#onEmpty = finish;
    this.flush();
  }

  /** @returns what the reader does not take now; null: nothing is left to do */
  #write(bytes: Buffer): Buffer | null {
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'EAGAIN' || code === 'EINTR') return bytes.subarray(at);
      this.#complain(error instanceof Error ? error.message : String(error));
    }
    return null;
  }
}
