import { closeSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import pino from 'pino';
import type { Log } from './core/config/static.ts';
import { explainLogFile } from './core/log-file.ts';
import { formatLine } from './log-line.ts';

/** The proxy's own log. Fields become keys of the JSON line, or `key=value` behind the message. */
export interface Logger {
  trace(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** Opens the file anew, after a rotation. Where that fails the old one stays in use, and the log says so. */
  reopen(): void;
  /** Writes what is held back before it returns. For the last words of a process. */
  flush(): void;
  /** Writes what is held back, closes the file, calls `done`: in a second at the latest. The logger is of no use after. */
  close(done: () => void): void;
}

export type LoggerSettings = Pick<Log, 'level' | 'format'> & {
  /** Absent or empty: standard output. */
  readonly filePath?: string;
  /** No colours, even on a terminal. */
  readonly noColor?: boolean;
};

type Destination = ReturnType<typeof pino.destination>;
type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';

const SETTING = 'log.filePath';
const STDOUT = 1;
const STDERR = 2;
/** Bytes that wait for a slow destination; beyond it lines are lost rather than memory. */
const MAX_HELD_BYTES = 4 * 1024 * 1024;
const COMPLAIN_EVERY_MS = 10_000;
const CLOSE_WITHIN_MS = 1_000;
/** Keys the line has of its own. A field of the same name gets an underscore. */
const RESERVED = ['level', 'time', 'message'];

/**
 * Makes a logger with one destination that is written in the background, without a worker thread.
 *
 * @throws Error where `filePath` cannot be written to; the message names it and says what to do
 */
export function createLogger(settings: LoggerSettings): Logger {
  const { filePath = '' } = settings;
  const complain = limited((problem) => tellStderr(`the log cannot be written: ${problem}\n`));
  const openDestination = (): Destination => {
    const opened = pino.destination({
      // Opened here, since what is wrong with the path must be known at once.
      fd: filePath === '' ? STDOUT : openLogFile(filePath, SETTING),
      sync: false,
      maxLength: MAX_HELD_BYTES,
    });
    opened.on('error', (error: Error) => complain(error.message));
    opened.on('drop', () => complain('lines are lost, since it does not take them fast enough'));
    return opened;
  };
  let destination = openDestination();

  const color = settings.noColor !== true && filePath === '' && isatty(STDOUT) && !process.env.NO_COLOR;
  const stream = {
    write: (json: string): void => {
      destination.write(settings.format === 'json' ? json : formatLine(json, color));
    },
  };
  const log = pino(
    {
      level: levelOf(settings.level),
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {},
    },
    stream,
  );
  let open = true;

  const write = (level: Level, message: string, fields: Record<string, unknown> | undefined): void => {
    if (!open || !log.isLevelEnabled(level)) return;
    // An empty argument list: message and fields are no format string.
    log[level]({ ...(fields === undefined ? {} : plain(fields)), message });
  };

  return {
    trace: (message, fields) => write('trace', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    reopen() {
      if (!open || filePath === '') return;
      try {
        const old = destination;
        destination = openDestination();
        old.end();
      } catch (error) {
        write('error', `the log file was not reopened: ${(error as Error).message}`, undefined);
      }
    },
    flush() {
      if (!open) return;
      try {
        destination.flushSync();
      } catch (error) {
        complain(error instanceof Error ? error.message : String(error));
      }
    },
    close(done) {
      if (!open) {
        done();
        return;
      }
      open = false;
      const finish = (): void => {
        clearTimeout(timer);
        destination.off('close', finish);
        done();
      };
      // Whoever reads standard output may have stopped doing so.
      const timer = setTimeout(finish, CLOSE_WITHIN_MS);
      destination.once('close', finish);
      destination.end();
    },
  };
}

/**
 * Creates the file if need be.
 *
 * @param setting where the path was configured, for the message
 * @throws Error where the file cannot be written to; the message names it and says what to do
 */
export function checkLogFile(path: string, setting: string): void {
  closeSync(openLogFile(path, setting));
}

function openLogFile(path: string, setting: string): number {
  try {
    return openSync(path, 'a', 0o664);
  } catch (error) {
    throw new Error(explainLogFile(path, setting, error), { cause: error });
  }
}

function levelOf(level: Log['level']): string {
  // Nothing is logged as fatal: both silence all but the end of the world.
  return level === 'FATAL' || level === 'PANIC' ? 'fatal' : level.toLowerCase();
}

/** Fields as JSON can say them: errors as text, no key twice on a line. */
function plain(fields: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    const name = RESERVED.includes(key) ? `${key}_` : key;
    out[name] =
      value instanceof Error ? (value.stack ?? value.message) : typeof value === 'function' ? undefined : value;
  }
  return out;
}

/** The first problem at once, further ones at most every ten seconds. */
function limited(tell: (problem: string) => void): (problem: string) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (problem) => {
    const now = performance.now();
    if (now - last < COMPLAIN_EVERY_MS) return;
    last = now;
    tell(problem);
  };
}

function tellStderr(text: string): void {
  try {
    writeSync(STDERR, text);
  } catch {
    // The log cannot be written, and neither can this: nobody is left to tell.
  }
}
