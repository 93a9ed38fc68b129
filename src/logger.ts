import { closeSync, writeSync } from 'node:fs';
import pino from 'pino';
import type { Log } from './core/config/static.ts';
import { fileDestination, type LogDestination, StandardOutput } from './log-destination.ts';
import { formatLine } from './log-line.ts';
import { openLog } from './open-log.ts';

/** The proxy's own log. Fields become keys of the JSON line, or `key=value` behind the message. */
export interface Logger {
  trace(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** Opens the file anew, after a rotation. Where that fails the old one stays in use, and the log says so. */
  reopen(): void;
  /** Writes what is held back for a slow reader, as far as it takes it. For the last words of a process. */
  flush(): void;
  /** Writes what is held back, closes the file, calls `done`: in a second at the latest. The logger is of no use after. */
  close(done: () => void): void;
  /** Lines that were lost because a destination was slow or full. */
  readonly dropped: number;
}

export type LoggerSettings = Pick<Log, 'level' | 'format'> & {
  /** Absent or empty: standard output. */
  readonly filePath?: string;
  /** Standard output as well, where there is a file. */
  readonly stdout?: boolean;
  /** No colours, even on a terminal. */
  readonly noColor?: boolean;
};

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';

const STDERR = 2;
const COMPLAIN_EVERY_MS = 10_000;
/** Keys the line has of its own. A field of the same name gets an underscore. */
const RESERVED = ['level', 'time', 'message'];

/**
 * Makes a logger that writes to a file, to standard output, or to both; without a worker thread. On a terminal lines are
 * for people, whatever the format.
 *
 * @throws Error where `filePath` cannot be written to; the message names it and says what to do
 */
export function createLogger(settings: LoggerSettings): Logger {
  const { filePath = '', format, stdout = false, noColor = false } = settings;
  const complain = (problem: string): void => tellStderr(`the log: ${problem}\n`);
  const destinations: LogDestination[] = [];
  if (filePath !== '') {
    // It may be the other destination, or the old file, that tells.
    const tell = (problem: string): void => {
      complain(problem);
      write('warn', `log: ${problem}`, undefined);
    };
    destinations.push(fileDestination(filePath, tell));
  }
  if (filePath === '' || stdout) destinations.push(new StandardOutput(limited(complain)));

  const stream = {
    write: (json: string): void => {
      for (const destination of destinations) {
        const { terminal } = destination;
        const asIs = format === 'json' && !terminal;
        destination.write(asIs ? json : formatLine(json, terminal && !noColor && !process.env.NO_COLOR));
      }
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
      if (open) for (const destination of destinations) destination.reopen();
    },
    flush() {
      if (open) for (const destination of destinations) destination.flush();
    },
    close(done) {
      let left = open ? destinations.length : 0;
      if (left === 0) done();
      open = false;
      for (const destination of left === 0 ? [] : destinations) {
        destination.close(() => {
          if (--left === 0) done();
        });
      }
    },
    get dropped() {
      return destinations.reduce((sum, { dropped }) => sum + dropped, 0);
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
  closeSync(openLog(path, setting));
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
