import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
  stat,
  write,
  writeSync,
} from 'node:fs';
import { isatty } from 'node:tty';
import { keepFromBlocking } from './open-log.ts';

/** Lines are written when there are that many bytes of them, so that a line's part of a write is small, */
const CHUNK_BYTES = 256 * 1024;
/** and what waits for a slow destination at most. */
const MAX_CHUNKS = 32;
/** A pipe takes so much in one piece (PIPE_BUF); of more, the lines of two processes could mix. */
const PIPE_BYTES = 4_096;
/** A reader that is slow is asked again soon, and less and less often. */
const FIRST_RETRY_MS = 2;
const MAX_RETRY_MS = 50;
const COMPLAIN_EVERY_MS = 10_000;
/** How often somebody looks whether the path still names the file that is written to. */
const LOOK_EVERY_MS = 10_000;
const CLOSE_WITHIN_MS = 1_000;
const LINE_FEED = 10;
const STDOUT = 1;

export interface LineWriterOptions {
  /** Empty: standard output. */
  readonly path: string;
  /** Opens the destination, and anew after a rotation. Throws an Error that says what to do. */
  readonly open: () => number;
  /** Lines that may be held back; 0 = as many as come in `flushMs`. */
  readonly bufferingSize: number;
  /** Milliseconds after which a line is written at the latest. */
  readonly flushMs: number;
  readonly warn: (message: string, fields: Record<string, unknown>) => void;
}

/** As `write(…, 'latin1')`, without the reading of arguments. */
interface Bytes extends Buffer {
  latin1Write(text: string, offset: number, length: number): number;
}

/** Whole lines that are written at once. */
interface Chunk {
  readonly bytes: Bytes;
  used: number;
  lines: number;
}

/**
 * Writes lines in the background, whole lines at once and one write at a time, to a file that other processes append to as
 * well. When the destination is slow or full, lines are lost and counted; nobody waits.
 */
export class LineWriter {
  /** Whether people read it as it is written. */
  readonly terminal: boolean;
  readonly #options: LineWriterOptions;
  readonly #flushLines: number;
  #fd: number;
  #file: Stats;
  /** A write waits: that is for libuv's threads. */
  #blocks: boolean;
  /** Chunks that are full, and wait for their turn. */
  #full: Chunk[] = [];
  #chunk: Chunk | null = null;
  #spare: Chunk | null = null;
  /** What is being written, and where. */
  #flying: Chunk | null = null;
  #flyingFd = -1;
  /** The last write ended within a line. */
  #torn = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | null = null;
  #onIdle: (() => void) | null = null;
  #closed = false;
  /** Closed while a write was under way, which closes the file. */
  #abandoned = false;
  /** Could not be reopened when it was asked for. */
  #owesReopen = false;
  #lookedAt = performance.now();
  #strays = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;
  #complainedOf = 0;
  /** A loss was said, and not yet that lines are written again. */
  #failing = false;
  /** Lines that were lost. */
  dropped = 0;

  /** @throws Error where the file cannot be opened; the message says why and what to do */
  constructor(options: LineWriterOptions) {
    this.#options = options;
    this.#flushLines = options.bufferingSize > 0 ? options.bufferingSize : Number.POSITIVE_INFINITY;
    this.#fd = options.open();
    this.#file = fstatSync(this.#fd);
    this.#blocks = this.#file.isFile() || !isNonBlocking(this.#fd);
    this.terminal = isatty(this.#fd);
    process.on('exit', this.#lastWords);
  }

  /** @param line without its line feed; each UTF-16 unit is one byte */
  write(line: string): void {
    const size = line.length + 1;
    const chunk = this.#roomFor(size, 1);
    if (chunk === null) return;
    const { bytes, used } = chunk;
    bytes.latin1Write(line, used, line.length);
    bytes[used + size - 1] = LINE_FEED;
    this.#added(chunk, size, 1);
  }

  /** @param from whole lines, with their line feeds; they are copied */
  writeLines(from: Uint8Array, length: number, lines: number): void {
    const chunk = this.#roomFor(length, lines);
    if (chunk === null) return;
    chunk.bytes.set(from.subarray(0, length), chunk.used);
    this.#added(chunk, length, lines);
  }

  #roomFor(size: number, lines: number): Chunk | null {
    const chunk = this.#chunk;
    if (chunk !== null && chunk.used + size <= chunk.bytes.length) return chunk;
    const next = this.#nextChunk(size);
    if (next === null) this.#drop(lines, 'the destination does not take them fast enough');
    return next;
  }

  #added(chunk: Chunk, size: number, lines: number): void {
    chunk.used += size;
    chunk.lines += lines;
    if (chunk.lines >= this.#flushLines) this.#flush();
    else this.#timer ??= setTimeout(this.#flush, this.#options.flushMs).unref();
  }

  /** Opens the file anew, after a rotation. Where that fails the old one stays in use, and it is tried again later. */
  reopen(): void {
    if (this.#closed || this.#options.path === '') return;
    let fd: number;
    try {
      fd = this.#options.open();
    } catch (error) {
      if (!this.#owesReopen) this.#options.warn(`not reopened, the old file stays in use: ${textOf(error)}`, {});
      this.#owesReopen = true;
      return;
    }
    if (this.#owesReopen) this.#options.warn(`${this.#options.path} is open again`, {});
    this.#owesReopen = false;
    // A write under way ends in the file it began in, and closes it.
    if (this.#fd !== this.#flyingFd) closeSync(this.#fd);
    this.#fd = fd;
    this.#file = fstatSync(fd);
    this.#blocks = this.#file.isFile() || !isNonBlocking(fd);
    this.#torn = false;
    this.#strays = 0;
  }

  /** Writes at once what is held, as far as it goes without waiting. For the last words of a process. */
  flushNow(): void {
    this.#lastWords();
  }

  /** Writes what is held and closes the file; calls `done` in a second at the latest. */
  close(done: () => void): void {
    if (this.#closed) {
      done();
      return;
    }
    this.#closed = true;
    process.off('exit', this.#lastWords);
    const finish = (): void => {
      clearTimeout(timer);
      this.#onIdle = null;
      const lost = this.#takeHeld().reduce((sum, chunk) => sum + chunk.lines, 0);
      if (lost > 0) this.#drop(lost, 'the destination does not take them');
      this.#abandoned = this.#flying !== null;
      if (this.#fd !== this.#flyingFd && this.#fd !== STDOUT) closeSync(this.#fd);
      done();
    };
    const timer = setTimeout(finish, CLOSE_WITHIN_MS);
    this.#onIdle = finish;
    this.#flush();
    if (this.#flying === null) finish();
  }

  /** Room for lines of `size` bytes; null: so much waits already that they are lost. */
  #nextChunk(size: number): Chunk | null {
    if (this.#closed || this.#full.length >= MAX_CHUNKS) return null;
    if (this.#chunk !== null) this.#full.push(this.#chunk);
    this.#chunk = null;
    if (this.#flying === null) this.#flush();
    const spare = this.#spare;
    if (spare !== null && size <= spare.bytes.length) {
      this.#spare = null;
      this.#chunk = spare;
    } else {
      this.#chunk = { bytes: Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, size)) as Bytes, used: 0, lines: 0 };
    }
    return this.#chunk;
  }

  readonly #flush = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#flying !== null) return;
    let chunk = this.#full.shift();
    if (chunk === undefined) {
      if (this.#chunk === null || this.#chunk.used === 0) return;
      chunk = this.#chunk;
      this.#chunk = null;
    }
    this.#lookAfterPath();
    this.#flying = chunk;
    this.#flyingFd = this.#fd;
    // A torn line is ended first: it must not swallow the next one.
    if (this.#torn) this.#endTornLine();
    this.#write(this.#fd, chunk, 0);
  };

  /** Writes a chunk from `from` on, in pieces where the destination is a pipe. */
  #write(fd: number, chunk: Chunk, from: number): void {
    if (!this.#blocks) {
      this.#writeNow(fd, chunk, from);
      return;
    }
    const to = this.#file.isFile() ? chunk.used : endOfPiece(chunk.bytes, chunk.used, from);
    write(fd, chunk.bytes, from, to - from, null, (error, written) => {
      if (error !== null) this.#failed(fd, chunk, from, error);
      else if (from + written < chunk.used) this.#write(fd, chunk, from + written);
      else this.#end(fd, chunk, chunk.used, '');
    });
  }

  /** The same where no write waits. */
  #writeNow(fd: number, chunk: Chunk, from: number): void {
    let at = from;
    try {
      while (at < chunk.used) {
        keepFromBlocking(fd);
        at += writeSync(fd, chunk.bytes, at, endOfPiece(chunk.bytes, chunk.used, at) - at);
        this.#retryMs = FIRST_RETRY_MS;
      }
    } catch (error) {
      this.#failed(fd, chunk, at, error as NodeJS.ErrnoException);
      return;
    }
    this.#end(fd, chunk, at, '');
  }

  #failed(fd: number, chunk: Chunk, at: number, error: NodeJS.ErrnoException): void {
    if (error.code !== 'EAGAIN' && error.code !== 'EINTR') {
      this.#end(fd, chunk, at, error.message);
    } else if (this.#abandoned) {
      this.#end(fd, chunk, at, 'nobody reads them');
    } else {
      setTimeout(() => this.#write(fd, chunk, at), this.#retryMs).unref();
      this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
    }
  }

  /** A write is over, at whatever it came to; the lines from `at` on are lost. */
  #end(fd: number, chunk: Chunk, at: number, reason: string): void {
    const { bytes, used } = chunk;
    if (at < used) {
      const begin = at === 0 ? 0 : bytes.lastIndexOf(LINE_FEED, at - 1) + 1;
      const torn = at > begin && !(this.#file.isFile() && cutTail(fd, bytes.subarray(begin, at)));
      if (fd === this.#fd) this.#torn = torn;
      this.#drop(countLines(bytes.subarray(0, used), at), reason);
    } else if (this.#failing) {
      this.#failing = false;
      this.#recovered();
    }
    this.#flying = null;
    this.#flyingFd = -1;
    if ((fd !== this.#fd || this.#abandoned) && fd !== STDOUT) closeSync(fd);
    if (this.#abandoned) return;
    chunk.used = 0;
    chunk.lines = 0;
    if (bytes.length === CHUNK_BYTES) this.#spare ??= chunk;
    const waiting = this.#chunk;
    if (this.#closed || this.#full.length > 0 || (waiting !== null && waiting.lines >= this.#flushLines)) this.#flush();
    else if (waiting !== null && waiting.used > 0) {
      this.#timer ??= setTimeout(this.#flush, this.#options.flushMs).unref();
    }
    if (this.#flying === null) this.#onIdle?.();
  }

  /** Everything that waits, in order; nothing waits from then on. */
  #takeHeld(): Chunk[] {
    const held = this.#chunk === null || this.#chunk.used === 0 ? this.#full : [...this.#full, this.#chunk];
    this.#full = [];
    this.#chunk = null;
    return held;
  }

  #endTornLine(): void {
    try {
      if (writeSync(this.#fd, '\n') === 1) this.#torn = false;
    } catch {
      // Still full: the write that follows finds out and says so.
    }
  }

  /**
   * A file that was moved or removed and of which nobody told is opened anew, when it has been so for a while: somebody who
   * rotates it will have said so by then.
   */
  #lookAfterPath(): void {
    const { path } = this.#options;
    const now = performance.now();
    if (path === '' || now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    if (this.#owesReopen) {
      this.reopen();
      return;
    }
    stat(path, (error, there) => {
      if (this.#closed || (error !== null && error.code !== 'ENOENT')) return;
      const same = error === null && there.ino === this.#file.ino && there.dev === this.#file.dev;
      this.#strays = same ? 0 : this.#strays + 1;
      if (this.#strays > 1) this.reopen();
    });
  }

  #drop(lines: number, reason: string): void {
    this.dropped += lines;
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
    this.#complainedAt = now;
    this.#failing = true;
    const lost = this.dropped - this.#complainedOf;
    this.#complainedOf = this.dropped;
    this.#options.warn(`${countOf(lost)} lost: ${reason}`, { dropped: this.dropped });
  }

  /** Says so, where losses have been said that were not all yet. */
  #recovered(): void {
    const lost = this.dropped - this.#complainedOf;
    this.#complainedOf = this.dropped;
    const more = lost === 0 ? '' : `, after ${countOf(lost)} lost as well`;
    this.#options.warn(`lines are written again${more}`, { dropped: this.dropped });
  }

  /** The process exits without close(): what is held is written at once. */
  readonly #lastWords = (): void => {
    for (const { bytes, used } of this.#takeHeld()) {
      let at = 0;
      try {
        if (this.#torn) this.#endTornLine();
        keepFromBlocking(this.#fd);
        while (at < used) at += writeSync(this.#fd, bytes, at, used - at);
      } catch (error) {
        this.#drop(countLines(bytes.subarray(0, used), at), textOf(error));
      }
    }
  };
}

/** Takes the begin of a line off the end of a file, where it still stands there: others append to the file as well. */
function cutTail(fd: number, fragment: Buffer): boolean {
  let reader = -1;
  try {
    reader = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
    const begin = fstatSync(fd).size - fragment.length;
    const tail = Buffer.alloc(fragment.length);
    if (begin < 0 || readSync(reader, tail, 0, tail.length, begin) < tail.length || !tail.equals(fragment))
      return false;
    ftruncateSync(fd, begin);
    return true;
  } catch {
    return false;
  } finally {
    if (reader >= 0) closeSync(reader);
  }
}

/** The end of as many whole lines as a pipe takes in one piece; of one line, where that is longer. */
function endOfPiece(bytes: Buffer, end: number, from: number): number {
  if (end - from <= PIPE_BYTES) return end;
  const last = bytes.lastIndexOf(LINE_FEED, from + PIPE_BYTES - 1);
  if (last >= from) return last + 1;
  const next = bytes.indexOf(LINE_FEED, from);
  return next < 0 || next >= end ? end : next + 1;
}

function isNonBlocking(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0;
  } catch {
    return false;
  }
}

function countLines(bytes: Buffer, from: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_FEED, from); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}

function countOf(lines: number): string {
  return lines === 1 ? '1 line was' : `${lines} lines were`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
