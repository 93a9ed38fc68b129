import { closeSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { LineWriter } from './line-writer.ts';
import { keepFromBlocking, openLog } from './open-log.ts';

const STDOUT = 1;
/** Bytes that wait for a slow reader; beyond it lines are lost rather than memory. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 50;
const CLOSE_WITHIN_MS = 1_000;
const SETTING = 'log.filePath';

/** Where the log's lines go. */
export interface LogDestination {
  /** Whether people read it as it is written. */
  readonly terminal: boolean;
  /** Lines that were lost. */
  readonly dropped: number;
  /** @param line with its line feed */
  write(line: string): void;
  /** Writes what is held, as far as it can be written without waiting. */
  flush(): void;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
  /** Calls `done` when all is written, or after a second. */
  close(done: () => void): void;
}

/**
 * A file. Written by libuv's threads: a disk that hangs must not hang requests. At the end of the process what is held is
 * written at once, so that a line stands there though what it tells of ended the process.
 *
 * @throws Error where the file cannot be written to; the message names it and says what to do
 */
export function fileDestination(path: string, complain: (problem: string) => void): LogDestination {
  const writer = new LineWriter({
    path,
    open: () => openLog(path, SETTING),
    bufferingSize: 0,
    flushMs: 0,
    warn: complain,
  });
  return {
    terminal: false,
    get dropped() {
      return writer.dropped;
    },
    write: (line) => writer.write(Buffer.from(line.slice(0, -1), 'utf8').toString('latin1')),
    flush: () => writer.flushNow(),
    reopen: () => writer.reopen(),
    close: (done) => writer.close(done),
  };
}

/**
 * Standard output. Lines are written at once; a pipe whose reader is stuck does not block, its lines are held for a while.
 * (Writes by libuv's threads would: a process cannot exit while one of them waits for a pipe.)
 */
export class StandardOutput implements LogDestination {
  readonly terminal = isatty(STDOUT);
  dropped = 0;
  readonly #complain: (problem: string) => void;
  readonly #fd: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #retry: NodeJS.Timeout | null = null;
  #onEmpty: (() => void) | null = null;

  constructor(complain: (problem: string) => void) {
    this.#complain = complain;
    this.#fd = openLog('', SETTING);
  }

  write(line: string): void {
    const bytes = Buffer.from(line, 'utf8');
    if (this.#heldBytes + bytes.length > MAX_HELD_BYTES) {
      this.#lose(1, 'lines are lost, since nobody reads them fast enough');
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#retry === null) this.flush();
  }

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

  /** Whoever started the process opened it. */
  reopen(): void {}

  close(done: () => void): void {
    const finish = (): void => {
      clearTimeout(timer);
      this.#onEmpty = null;
      if (this.#retry !== null) clearTimeout(this.#retry);
      if (this.#held.length > 0) this.#lose(this.#held.length, 'lines are lost, since nobody reads them');
      if (this.#fd !== STDOUT) closeSync(this.#fd);
      done();
    };
    const timer = setTimeout(finish, CLOSE_WITHIN_MS);
    this.#onEmpty = finish;
    this.flush();
  }

  /** @returns what the reader does not take now; null: nothing is left to do */
  #write(bytes: Buffer): Buffer | null {
    let at = 0;
    keepFromBlocking(this.#fd);
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'EAGAIN' || code === 'EINTR') return bytes.subarray(at);
      this.#lose(1, error instanceof Error ? error.message : String(error));
    }
    return null;
  }

  #lose(lines: number, problem: string): void {
    this.dropped += lines;
    this.#complain(problem);
  }
}
