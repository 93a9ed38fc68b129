import type { AccessLog as AccessLogConfig } from '../core/config/static.ts';
import type { ProxyError } from '../core/errors.ts';
import { commonFormat } from './access-log/common-format.ts';
import { Facts } from './access-log/facts.ts';
import { fieldMode } from './access-log/fields.ts';
import { compileFilter } from './access-log/filter.ts';
import { type Format, jsonFormat } from './access-log/json-format.ts';
import type { Exchange, Peer } from './exchange.ts';

/** One line for each request, in Traefik's formats. */
export interface AccessLog {
  /** An exchange is over. @returns whether a line was written that says what failed in it */
  exchange(exchange: Exchange): boolean;
  /** A request was refused before it became an exchange. `status` 0: the connection was only closed. */
  refused(entryPoint: string, peer: Peer, error: ProxyError, status: number): boolean;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
  /** Writes what is held back and closes the file; calls `done` in a second at the latest. */
  close(done: () => void): void;
  /** Lines that were lost because a destination was slow or full. */
  readonly dropped: number;
}

/** Where lines go. */
export interface LineSink {
  /** Whether people read it as it is written. */
  readonly terminal: boolean;
  readonly dropped: number;
  /** @param line without its line feed; each UTF-16 unit is one byte */
  write(line: string): void;
  reopen(): void;
  close(done: () => void): void;
}

/** Opens where lines go; an empty path is standard output. @throws Error that says what to do */
export type OpenSink = (
  path: string,
  bufferingSize: number,
  warn: (message: string, fields: Record<string, unknown>) => void,
) => LineSink;

type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;

interface Output {
  readonly sink: LineSink;
  readonly format: Format;
  /** Whether the lines of this format have the error's code. */
  readonly namesErrors: boolean;
}

/** @throws Error where the file cannot be opened; the message names it and says what to do */
export function openAccessLog(config: AccessLogConfig, log: Log, open: OpenSink): AccessLog {
  return new FormattedLog(config, log, open);
}

/** Lines are made so many at a time: code that runs over and over costs half of what it costs between two requests. */
const BATCH = 64;
/** Milliseconds that a line waits at most to be made. */
const BATCH_MS = 50;

class FormattedLog implements AccessLog {
  readonly #outputs: Output[] = [];
  readonly #wanted: (facts: Facts) => boolean;
  readonly #withInternals: boolean;
  readonly #batch: readonly Facts[];
  #waiting = 0;
  #count = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(config: AccessLogConfig, log: Log, open: OpenSink) {
    const { filePath = '', stdout, bufferingSize } = config;
    this.#wanted = compileFilter(config);
    this.#withInternals = config.addInternals;
    const size = bufferingSize > 0 ? Math.min(bufferingSize, BATCH) : BATCH;
    this.#batch = Array.from({ length: size }, () => new Facts());
    // Before those of the sinks, which write what they hold.
    process.on('exit', this.#make);
    for (const path of filePath !== '' && stdout ? [filePath, ''] : [filePath]) {
      const sink = open(path, bufferingSize, (message, fields) => log('warn', `access log: ${message}`, fields));
      // On a terminal lines are for people.
      const json = config.format === 'json' && !sink.terminal;
      const format =
        this.#outputs.find((other) => !other.sink.terminal && !sink.terminal)?.format ??
        (json ? jsonFormat(config) : commonFormat(config, config.format !== 'genericCLF'));
      this.#outputs.push({ sink, format, namesErrors: json && fieldMode(config)('ErrorCode') === 'keep' });
    }
  }

  get dropped(): number {
    return this.#outputs.reduce((sum, { sink }) => sum + sink.dropped, 0);
  }

  exchange(exchange: Exchange): boolean {
    const { logged } = exchange;
    if (logged === 'no' || (logged === 'internal' && !this.#withInternals)) return false;
    const facts = this.#batch[this.#waiting]!;
    facts.ofExchange(exchange, ++this.#count);
    return this.#take(facts);
  }

  refused(entryPoint: string, peer: Peer, error: ProxyError, status: number): boolean {
    const facts = this.#batch[this.#waiting]!;
    facts.ofRefusal(entryPoint, peer, error, status, ++this.#count);
    return this.#take(facts);
  }

  reopen(): void {
    this.#make();
    for (const { sink } of this.#outputs) sink.reopen();
  }

  close(done: () => void): void {
    this.#make();
    process.off('exit', this.#make);
    let left = this.#outputs.length;
    for (const { sink } of this.#outputs) {
      sink.close(() => {
        if (--left === 0) done();
      });
    }
  }

  #take(facts: Facts): boolean {
    if (!this.#wanted(facts)) {
      facts.forget();
      return false;
    }
    let told = false;
    for (const { format, namesErrors } of this.#outputs) {
      format.prepare?.(facts);
      if (namesErrors) told = true;
    }
    if (++this.#waiting === this.#batch.length) this.#make();
    else this.#timer ??= setTimeout(this.#make, BATCH_MS).unref();
    return told;
  }

  readonly #make = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const waiting = this.#waiting;
    this.#waiting = 0;
    for (let i = 0; i < waiting; i++) {
      const facts = this.#batch[i]!;
      let line = '';
      let of: Format | null = null;
      for (const { sink, format } of this.#outputs) {
        if (format !== of) line = format.line(facts);
        of = format;
        sink.write(line);
      }
      facts.forget();
    }
  };
}
