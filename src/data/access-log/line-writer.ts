import { closeSync, fstatSync, write, writeSync } from 'node:fs';

/** Lines are written when there are that many characters of them, */
const FLUSH_CHARACTERS = 64 * 1024;
/** and after that time at the latest. */
const FLUSH_MS = 250;
/** What waits for a slow destination at most. */
const MAX_LINES = 4_096;
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** A pipe takes so much in one piece (PIPE_BUF); of more, the lines of two processes could mix. */
const PIPE_BYTES = 4_096;
const RETRY_MS = 50;
const COMPLAIN_EVERY_MS = 10_000;
const CLOSE_WITHIN_MS = 1_000;
const LINE_FEED = 10;
const STDOUT = 1;

export interface LineWriterOptions {
  /** Empty: standard output. */
  readonly path: string;
  /** Opens the destination, and anew after a rotation. Throws an Error that says what to do. */
  readonly open: () => number;
  /** Lines that may be held back; 0 = as many as come in 250 ms. */
  readonly bufferingSize: number;
  readonly warn: (message: string, fields: Record<string, unknown>) => void;
}

/**
 * Writes lines in the background, whole lines at once and one write at a time, to a file that other processes append to as
 * well. When the destination is slow or full, lines are lost and counted; nobody waits.
 */
export class LineWriter {
  readonly #options: LineWriterOptions;
  readonly #flushLines: number;
  #fd: number;
  #isFile: boolean;
  #held = '';
  #heldLines = 0;
  #writing = false;
  /** The last write ended within a line. */
  #torn = false;
  #timer: NodeJS.Timeout | null = null;
  #onIdle: (() => void) | null = null;
  #closed = false;
  /** Closed while a write was under way, which closes the file. */
  #abandoned = false;
  #complainedAt = Number.NEGATIVE_INFINITY;
  #complainedOf = 0;
  /** Lines that were lost. */
  dropped = 0;

  /** @throws Error where the file cannot be opened; the message says why and what to do */
  constructor(options: LineWriterOptions) {
    this.#options = options;
    const { bufferingSize } = options;
    this.#flushLines = bufferingSize > 0 ? Math.min(bufferingSize, MAX_LINES) : MAX_LINES;
    this.#fd = options.open();
    this.#isFile = fstatSync(this.#fd).isFile();
    process.on('exit', this.#lastWords);
  }

  /** @param line without its line feed */
  write(line: string): void {
    if (this.#closed || this.#heldLines >= MAX_LINES || this.#held.length + line.length >= MAX_CHARACTERS) {
      this.#drop(1, 'the destination does not take them fast enough');
      return;
    }
    this.#held += `${line}\n`;
    this.#heldLines++;
    if (this.#held.length >= FLUSH_CHARACTERS || this.#heldLines >= this.#flushLines) this.#flush();
    else this.#timer ??= setTimeout(this.#flush, FLUSH_MS).unref();
  }

  /** Opens the file anew, after a rotation. Where that fails the old one stays in use. */
  reopen(): void {
    if (this.#closed || this.#options.path === '') return;
    let fd: number;
    try {
      fd = this.#options.open();
    } catch (error) {
      this.#options.warn(`not reopened: ${(error as Error).message}`, {});
      return;
    }
    const old = this.#fd;
    const writing = this.#writing;
    this.#fd = fd;
    this.#isFile = fstatSync(fd).isFile();
    this.#torn = false;
    // A write under way ends in the file it began in, and closes it.
    if (!writing) closeSync(old);
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
      if (this.#heldLines > 0) this.#drop(this.#heldLines, 'the destination does not take them');
      this.#held = '';
      this.#heldLines = 0;
      this.#abandoned = this.#writing;
      if (!this.#writing && this.#fd !== STDOUT) closeSync(this.#fd);
      done();
    };
    const timer = setTimeout(finish, CLOSE_WITHIN_MS);
    this.#onIdle = finish;
    this.#flush();
    if (!this.#writing) finish();
  }

  readonly #flush = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#writing || this.#heldLines === 0) return;
    // A torn line is ended first: it must not swallow the next one.
    const bytes = Buffer.from(this.#torn ? `\n${this.#held}` : this.#held, 'utf8');
    this.#held = '';
    this.#heldLines = 0;
    this.#torn = false;
    this.#writing = true;
    this.#write(this.#fd, bytes, 0);
  };

  /** Writes `bytes` from `from` on, in pieces where the destination is a pipe. */
  #write(fd: number, bytes: Buffer, from: number): void {
    const to = this.#isFile ? bytes.length : endOfPiece(bytes, from);
    write(fd, bytes, from, to - from, null, (error, written) => {
      if (error === null) {
        const at = from + written;
        if (at < bytes.length) this.#write(fd, bytes, at);
        else this.#end(fd, bytes, at, '');
      } else if (error.code !== 'EAGAIN' && error.code !== 'EINTR') {
        this.#end(fd, bytes, from, error.message);
      } else if (this.#abandoned) {
        this.#end(fd, bytes, from, 'nobody reads them');
      } else {
        setTimeout(() => this.#write(fd, bytes, from), RETRY_MS).unref();
      }
    });
  }

  /** A write is over, at whatever it came to; the lines from `at` on are lost. */
  #end(fd: number, bytes: Buffer, at: number, reason: string): void {
    if (at < bytes.length) {
      this.#torn = at > 0 && bytes[at - 1] !== LINE_FEED && fd === this.#fd;
      this.#drop(countLines(bytes, at), reason);
    }
    this.#written(fd);
  }

  #written(fd: number): void {
    this.#writing = false;
    if ((fd !== this.#fd || this.#abandoned) && fd !== STDOUT) closeSync(fd);
    if (this.#abandoned) return;
    if (this.#closed || this.#held.length >= FLUSH_CHARACTERS || this.#heldLines >= this.#flushLines) this.#flush();
    else if (this.#heldLines > 0) this.#timer ??= setTimeout(this.#flush, FLUSH_MS).unref();
    if (!this.#writing) this.#onIdle?.();
  }

  #drop(lines: number, reason: string): void {
    this.dropped += lines;
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
    this.#complainedAt = now;
    const lost = this.dropped - this.#complainedOf;
    this.#complainedOf = this.dropped;
    this.#options.warn(`${lost} ${lost === 1 ? 'line was' : 'lines were'} lost: ${reason}`, { dropped: this.dropped });
  }

  /** The process exits without close(): what is held is written at once. */
  readonly #lastWords = (): void => {
    if (this.#heldLines === 0) return;
    try {
      writeSync(this.#fd, this.#torn ? `\n${this.#held}` : this.#held);
    } catch (error) {
      this.#drop(this.#heldLines, error instanceof Error ? error.message : String(error));
    }
  };
}

/** The end of as many whole lines as a pipe takes in one piece; of one line, where that is longer. */
function endOfPiece(bytes: Buffer, from: number): number {
  if (bytes.length - from <= PIPE_BYTES) return bytes.length;
  const last = bytes.lastIndexOf(LINE_FEED, from + PIPE_BYTES - 1);
  if (last >= from) return last + 1;
  const next = bytes.indexOf(LINE_FEED, from);
  return next < 0 ? bytes.length : next + 1;
}

function countLines(bytes: Buffer, from: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_FEED, from); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}
