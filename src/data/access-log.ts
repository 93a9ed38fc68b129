import type { AccessLog as AccessLogConfig } from '../core/config/static.ts';
import type { ProxyError } from '../core/errors.ts';
import { commonFormat } from './access-log/common-format.ts';
import { Facts } from './access-log/facts.ts';
import { fieldMode } from './access-log/fields.ts';
import { compileFilter } from './access-log/filter.ts';
import { type Format, jsonFormat } from './access-log/json-format.ts';
import { LineBuffer } from './access-log/line-buffer.ts';
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
  /** @param bytes whole lines, with their line feeds; they are copied */
  writeLines(bytes: Uint8Array, length: number, lines: number): void;
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
  /** All that get the same lines. */
  readonly sinks: LineSink[];
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
/** Lines are handed over when there are so many bytes of them. */
const BLOCK_BYTES = 32 * 1024;

class FormattedLog implements AccessLog {
  readonly #outputs: Output[] = [];
  readonly #lines = new LineBuffer();
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
      const same = this.#outputs.find(({ sinks }) => sinks[0]!.terminal === sink.terminal);
      if (same !== undefined) {
        same.sinks.push(sink);
        continue;
      }
      const format = json ? jsonFormat(config) : commonFormat(config, config.format !== 'genericCLF');
      this.#outputs.push({ sinks: [sink], format, namesErrors: json && fieldMode(config)('ErrorCode') === 'keep' });
    }
  }

  get #sinks(): readonly LineSink[] {
    return this.#outputs.flatMap(({ sinks }) => sinks);
  }

  get dropped(): number {
    return this.#sinks.reduce((sum, sink) => sum + sink.dropped, 0);
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
    for (const sink of this.#sinks) sink.reopen();
  }

  close(done: () => void): void {
    this.#make();
    process.off('exit', this.#make);
    const sinks = this.#sinks;
    let left = sinks.length;
    for (const sink of sinks) {
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
    for (const { format, sinks } of this.#outputs) {
      for (let i = 0; i < waiting; i++) {
        format.line(this.#batch[i]!, this.#lines);
        this.#lines.endLine();
        if (this.#lines.length >= BLOCK_BYTES) this.#handOver(sinks);
      }
      this.#handOver(sinks);
    }
    for (let i = 0; i < waiting; i++) this.#batch[i]!.forget();
  };

  #handOver(sinks: readonly LineSink[]): void {
    const lines = this.#lines;
    if (lines.length === 0) return;
    for (const sink of sinks) sink.writeLines(lines.bytes, lines.length, lines.lines);
    lines.clear();
  }
}
